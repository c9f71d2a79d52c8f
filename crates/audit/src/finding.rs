//! What a verification found.

use std::fmt;

use serde::Serialize;

use crate::ChainId;

/// The most broken places that are listed; the others are counted.
const MAX_LISTED: usize = 1000;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Break {
    /// A record, or what stands beside it, is not what was written; or the one before it.
    Altered,
    /// Records are not there.
    Missing,
    /// A record stands where it does not belong, or twice.
    OutOfOrder,
    /// A chain is not there, and another one says that it was.
    ChainMissing,
    /// A chain has records and no head.
    HeadMissing,
    /// A head was not signed by a key of the log, or altered.
    HeadForged,
    /// The last record is not the one that the head was signed for.
    HeadMismatch,
    /// There are records that the head does not know of.
    BeyondHead,
    /// The chain has another record than the one that was quoted or exported earlier.
    Rewritten,
}

impl Break {
    /// What it means and what to do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Break::Altered | Break::OutOfOrder | Break::Rewritten => {
                "compare with an export or backup of before; find out who could write to the database"
            }
            Break::Missing | Break::ChainMissing => {
                "restore the records from an export or backup; `assay audit prune` is the only way that removes \
                 records and leaves no gap"
            }
            Break::HeadMissing | Break::HeadForged | Break::HeadMismatch | Break::BeyondHead => {
                "the end of this chain cannot be trusted; compare with heads exported earlier (--heads)"
            }
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Break::Altered => "altered",
            Break::Missing => "missing",
            Break::OutOfOrder => "out of order",
            Break::ChainMissing => "the whole chain is missing",
            Break::HeadMissing => "the head is missing",
            Break::HeadForged => "the head is forged or altered",
            Break::HeadMismatch => "the head is that of another record",
            Break::BeyondHead => "not known to the head",
            Break::Rewritten => "rewritten",
        }
    }
}

/// A broken place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenPlace {
    /// What is broken.
    pub what: Break,
    /// In which chain.
    pub chain: ChainId,
    /// The first record concerned.
    pub first: u64,
    /// The last record concerned.
    pub last: u64,
    /// More, in words.
    pub detail: String,
}

impl fmt::Display for BrokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain {}, ", self.chain)?;
        if self.first == self.last {
            write!(f, "record {}", self.first)?;
        } else {
            write!(f, "records {} to {}", self.first, self.last)?;
        }
        write!(f, ": {}", self.what.words())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many records were looked at.
    pub records: u64,
    /// How many chains have records or a head.
    pub chains: u64,
    /// How many records were removed by their owner, and are vouched for.
    pub pruned: u64,
    /// The broken places, the first 1000.
    pub broken: Vec<BrokenPlace>,
    /// How many more there are.
    pub more: u64,
}

impl Report {
    /// Whether nothing is broken.
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty()
    }

    /// How many places are broken.
    pub fn count(&self) -> u64 {
        u64::try_from(self.broken.len()).unwrap_or(u64::MAX).saturating_add(self.more)
    }

    pub(crate) fn note(
        &mut self,
        what: Break,
        chain: ChainId,
        (first, last): (u64, u64),
        detail: impl Into<String>,
    ) {
        if self.broken.len() < MAX_LISTED {
            self.broken.push(BrokenPlace { what, chain, first, last, detail: detail.into() });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}
