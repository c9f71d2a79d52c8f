//! One event of a log.

use std::ops::Range;

use aws_lc_rs::digest as lc;

use crate::{Details, EventType, TcgAlgorithm};

/// Where a digest stands in the log.
#[derive(Clone, Debug)]
pub(crate) struct StoredDigest {
    pub(crate) algorithm: TcgAlgorithm,
    pub(crate) range: Range<usize>,
}

/// One event, `TCG_PCR_EVENT2`: a view of the log.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The number of the event, from 0, without the header.
    pub position: usize,
    /// Where the event begins, in bytes from the start of the log.
    pub offset: usize,
    /// The register that it says it extends. For TDX 1 to 4 are RTMR 0 to 3; for a TPM the PCR.
    pub index: u32,
    /// The type.
    pub event_type: EventType,
    /// The event's data; what it means depends on the type ([`Event::details`]).
    pub data: &'a [u8],
    pub(crate) digests: &'a [StoredDigest],
    pub(crate) log: &'a [u8],
}

/// A digest of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventDigest<'a> {
    /// The algorithm.
    pub algorithm: TcgAlgorithm,
    /// The digest, as long as the log's table says.
    pub value: &'a [u8],
}

impl<'a> Event<'a> {
    /// The digests in the order of the log, at most [`crate::MAX_DIGESTS`].
    pub fn digests(&self) -> impl ExactSizeIterator<Item = EventDigest<'a>> + use<'a> {
        let log = self.log;
        self.digests.iter().map(move |digest| EventDigest {
            algorithm: digest.algorithm,
            value: log.get(digest.range.clone()).unwrap_or_default(),
        })
    }

    /// The digest of this algorithm, where there is exactly one.
    pub fn digest(&self, algorithm: TcgAlgorithm) -> Option<&'a [u8]> {
        let mut of_algorithm = self.digests().filter(|digest| digest.algorithm == algorithm);
        match (of_algorithm.next(), of_algorithm.next()) {
            (Some(digest), None) => Some(digest.value),
            _ => None,
        }
    }

    /// Whether events of this type are extended into a register. `EV_NO_ACTION` events are not.
    pub fn is_extended(&self) -> bool {
        self.event_type != EventType::NO_ACTION
    }

    /// Whether the digest of `algorithm` is that of the event's data, as the specification asks for
    /// some types (`EV_SEPARATOR`, `EV_EFI_ACTION`, AAEL) and not for others (an image's digest is
    /// that of the image). `None` where the event has not exactly one such digest, or this build cannot
    /// compute it.
    pub fn digest_matches(&self, algorithm: TcgAlgorithm) -> Option<bool> {
        self.digest_is_of(algorithm, self.data)
    }

    /// Whether the digest of `algorithm` is that of `measured`.
    pub(crate) fn digest_is_of(&self, algorithm: TcgAlgorithm, measured: &[u8]) -> Option<bool> {
        let digest = self.digest(algorithm)?;
        let implementation = algorithm.implementation().ok()?;
        Some(lc::digest(implementation, measured).as_ref() == digest)
    }

    /// What the data means.
    pub fn details(&self) -> Details<'a> {
        Details::of(self)
    }
}
