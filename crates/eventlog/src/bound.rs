//! Which events are proven by registers, and which are not.

use std::fmt;
use std::ops::RangeInclusive;

use crate::{Event, EventLog, TcgAlgorithm};

/// Why an event is bound to no register that was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnboundReason {
    /// `EV_NO_ACTION`: such events are not extended.
    NotExtended,
    /// The register index is not among those that were compared.
    Register,
    /// No digest of the algorithm.
    NoDigest,
    /// Two or more digests of the algorithm: which one was extended is open.
    SeveralDigests,
}

/// The reason in one line, as it stands in claims.
impl fmt::Display for UnboundReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnboundReason::NotExtended => "EV_NO_ACTION events are not extended",
            UnboundReason::Register => "the register index is not among those compared",
            UnboundReason::NoDigest => "no digest of the algorithm of the registers",
            UnboundReason::SeveralDigests => "several digests of the algorithm of the registers",
        })
    }
}

/// An event that no compared register proves.
#[derive(Clone, Copy, Debug)]
pub struct Unbound<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Why.
    pub reason: UnboundReason,
}

impl Event<'_> {
    /// Why this event is not folded into any register of `algorithm`; `None` where it is.
    pub(crate) fn not_folded(&self, algorithm: TcgAlgorithm) -> Option<UnboundReason> {
        if !self.is_extended() {
            return Some(UnboundReason::NotExtended);
        }
        match self.digests().filter(|digest| digest.algorithm == algorithm).count() {
            0 => Some(UnboundReason::NoDigest),
            1 => None,
            _ => Some(UnboundReason::SeveralDigests),
        }
    }

    /// Why this event is not bound to the registers `indices` of `algorithm`; `None` where it is
    /// bound: it is extended, its index is among them, and it has exactly one digest of the algorithm.
    pub fn unbound_reason(
        &self,
        algorithm: impl Into<TcgAlgorithm>,
        indices: &RangeInclusive<u32>,
    ) -> Option<UnboundReason> {
        self.not_folded(algorithm.into())
            .or_else(|| (!indices.contains(&self.index)).then_some(UnboundReason::Register))
    }
}

impl EventLog {
    /// The events that are bound to the registers `indices` of `algorithm`. They are exactly those that
    /// [`EventLog::replay`] folds into them. They are proven only once the replayed registers were
    /// found equal to signed ones, **all** of `indices`.
    pub fn bound(
        &self,
        algorithm: impl Into<TcgAlgorithm>,
        indices: RangeInclusive<u32>,
    ) -> impl Iterator<Item = Event<'_>> + Clone {
        let algorithm = algorithm.into();
        self.events().filter(move |event| event.unbound_reason(algorithm, &indices).is_none())
    }

    /// All other events, each with the reason.
    pub fn unbound(
        &self,
        algorithm: impl Into<TcgAlgorithm>,
        indices: RangeInclusive<u32>,
    ) -> impl Iterator<Item = Unbound<'_>> + Clone {
        let algorithm = algorithm.into();
        self.events().filter_map(move |event| {
            let reason = event.unbound_reason(algorithm, &indices)?;
            Some(Unbound { event, reason })
        })
    }
}
