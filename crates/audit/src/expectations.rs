//! What records, and heads exported earlier, say about other chains: gathered first, compared then.

use std::collections::BTreeMap;

use assay_store::AuditRow;

use crate::record::Outline;
use crate::{ChainId, HeadRef, Kind, RecordHash, SignedHead};

/// A hash that a place in a chain must have, and who says so.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) hash: RecordHash,
    pub(crate) source: String,
}

/// What is known about one chain from elsewhere, by length: the hash of the record before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OfChain {
    pub(crate) quoted: BTreeMap<u64, Vec<Expected>>,
    pub(crate) cuts: BTreeMap<u64, RecordHash>,
}

impl OfChain {
    /// Up to where the chain was pruned.
    pub(crate) fn pruned(&self) -> u64 {
        self.cuts.last_key_value().map_or(0, |(length, _)| *length)
    }
}

/// What must be found in a log. Feed it every record of [`Kind::OF_CHAINS`] before the
/// [`Verifier`](crate::Verifier) runs. Its memory grows with the number of chains and of quotes, not of
/// records.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    pub(crate) chains: BTreeMap<ChainId, OfChain>,
}

impl Expectations {
    /// Nothing.
    pub fn new() -> Self {
        Expectations::default()
    }

    /// Takes what a record says of other chains. One that cannot be read says nothing here; the verifier
    /// reports it.
    pub fn read(&mut self, row: &AuditRow) {
        if !Kind::OF_CHAINS.iter().any(|kind| kind.as_str() == row.kind) {
            return;
        }
        let Ok(outline) = Outline::read(&row.record) else { return };
        let source = format!("quoted by record {} of chain {}", outline.seq, outline.chain);
        for head in &outline.event.heads {
            self.expect(head, &source);
        }
        for cut in &outline.event.pruned {
            self.expect(cut, &source);
            self.chains.entry(cut.chain).or_default().cuts.insert(cut.length, cut.hash);
        }
    }

    /// Takes a head that was exported earlier and whose signature was verified.
    pub fn earlier_head(&mut self, head: &SignedHead) {
        self.expect(&head.head.reference(), &format!("exported at {}", head.head.updated));
    }

    fn expect(&mut self, head: &HeadRef, source: &str) {
        if head.length == 0 {
            return;
        }
        let quoted = self.chains.entry(head.chain).or_default().quoted.entry(head.length).or_default();
        // Who says the same of the same place need not be kept twice.
        if !quoted.iter().any(|one| one.hash == head.hash) {
            quoted.push(Expected { hash: head.hash, source: source.to_owned() });
        }
    }
}
