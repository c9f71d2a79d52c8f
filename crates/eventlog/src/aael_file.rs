//! The file of the Attestation Agent: AAEL entries one after the other, without header and without end.

use bytes::Bytes;

use crate::{
    Aael, CannotWrite, Details, EventLog, EventLogBuilder, EventLogError, EventType, SpecId, TcgAlgorithm,
};

/// One AAEL entry as it stands in a log: a `TCG_PCR_EVENT2` with one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AaelEntry {
    /// What the register is extended with: the digest of the event, tag and size included. As many bytes as
    /// the algorithm's digest has.
    pub digest: Vec<u8>,
    /// The entry. Little endian: register index (4 bytes), type (4), number of digests (4, always 1), algorithm
    /// (2), digest, size of the event (4), the event.
    pub bytes: Vec<u8>,
}

impl AaelEntry {
    /// The entry for the register with this index.
    ///
    /// # Errors
    /// [`CannotWrite::Algorithm`] and [`CannotWrite::EventLen`].
    pub fn new(
        algorithm: impl Into<TcgAlgorithm>,
        index: u32,
        entry: &Aael<'_>,
    ) -> Result<Self, CannotWrite> {
        let algorithm = algorithm.into();
        let digest = aws_lc_rs::digest::digest(algorithm.implementation()?, &entry.to_tagged_event()?);
        let mut log = EventLogBuilder::new(&[algorithm])?;
        log.aael(index, entry)?;
        Ok(AaelEntry { digest: digest.as_ref().to_vec(), bytes: log.events().to_vec() })
    }
}

/// Why bytes are not a file of AAEL entries. Offsets are bytes from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnAaelFile {
    /// They are no events.
    #[error(transparent)]
    Log(#[from] EventLogError),
    /// The algorithm's digests are of unknown length.
    #[error("entries with digests of {0} are not read")]
    Algorithm(TcgAlgorithm),
    /// The file has what ends a log, or more.
    #[error("offset {offset}: expected an entry or nothing, found the end of a log")]
    End {
        /// Where the entries end.
        offset: usize,
    },
    /// An event is no AAEL entry.
    #[error("offset {offset}: expected an AAEL entry with one digest, found an event of type {event_type}")]
    NotAael {
        /// Where the event begins.
        offset: usize,
        /// Its type.
        event_type: EventType,
    },
    /// An entry's digest is not that of its event.
    #[error("offset {offset}: the entry's digest is not that of its event")]
    Digest {
        /// Where the entry begins.
        offset: usize,
    },
}

/// Reads such a file. Every event must be an AAEL entry with one digest, of this algorithm, that is the digest
/// of its event. What is given back has the header that the file has not: one algorithm, no vendor
/// information.
///
/// # Errors
/// [`NotAnAaelFile`], with the offset. The limits are those of [`EventLog::parse`].
pub fn read_aael_file(
    algorithm: impl Into<TcgAlgorithm>,
    bytes: impl Into<Bytes>,
) -> Result<EventLog, NotAnAaelFile> {
    let algorithm = algorithm.into();
    let len = algorithm.digest_len().ok_or(NotAnAaelFile::Algorithm(algorithm))?;
    let bytes = bytes.into();
    let file_len = bytes.len();
    let log = EventLog::parse_events(SpecId::of_one(algorithm, len), bytes)?;
    for event in log.events() {
        let offset = event.offset;
        if event.digests().len() != 1 || !matches!(event.details(), Details::Aael(_)) {
            return Err(NotAnAaelFile::NotAael { offset, event_type: event.event_type });
        }
        if event.digest_matches(algorithm) != Some(true) {
            return Err(NotAnAaelFile::Digest { offset });
        }
    }
    let offset = log.without_end().len();
    if offset == file_len { Ok(log) } else { Err(NotAnAaelFile::End { offset }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogEnd;

    /// The entry of `domain operation content` for the register with index 4, as published with the format.
    const VECTOR: &str = "0400000006000000010000000c00\
        dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02\
        200000004c45414118000000646f6d61696e206f7065726174696f6e20636f6e74656e74";

    fn entry(algorithm: TcgAlgorithm) -> AaelEntry {
        AaelEntry::new(algorithm, 4, &Aael::new("domain", "operation", "content").unwrap()).unwrap()
    }

    #[test]
    fn the_published_entry_to_the_byte() {
        let sha384 = entry(TcgAlgorithm::Sha384);
        assert_eq!(hex::encode(&sha384.bytes), VECTOR);
        assert_eq!(sha384.bytes.len(), 98);
        assert_eq!(
            hex::encode(entry(TcgAlgorithm::Sha256).digest),
            "46df8dacf00a07d34a83cdf56d7978697790787cf2ba1432ef7c38f22cd96351"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let one = entry(TcgAlgorithm::Sha384);
        let two = AaelEntry::new(TcgAlgorithm::Sha384, 3, &Aael::new("a", "b", "").unwrap()).unwrap();
        let file = [one.bytes.clone(), two.bytes.clone()].concat();
        let log = read_aael_file(TcgAlgorithm::Sha384, file.clone()).unwrap();
        let read: Vec<_> = log.events().map(|event| (event.index, event.offset)).collect();
        assert_eq!(read, [(4, 0), (3, 98)]);
        let digests: Vec<_> =
            log.events().map(|event| event.digest(TcgAlgorithm::Sha384).unwrap().to_vec()).collect();
        assert_eq!(digests, [one.digest, two.digest]);
        assert_eq!(log.without_end(), file);
        assert_eq!(read_aael_file(TcgAlgorithm::Sha384, Vec::new()).unwrap().events().len(), 0);
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        let good = entry(TcgAlgorithm::Sha384).bytes;
        let read =
            |bytes: &[u8]| read_aael_file(TcgAlgorithm::Sha384, bytes.to_vec()).map(|_| ()).unwrap_err();
        // Every cut, and every single bit but those of the register index, which nothing in the file proves.
        for len in 1..good.len() {
            assert!(
                matches!(read(&good[..len]), NotAnAaelFile::Log(EventLogError::Truncated { .. })),
                "{len}"
            );
        }
        for bit in 32..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read_aael_file(TcgAlgorithm::Sha384, bad).is_err(), "bit {bit}");
        }
        assert_eq!(read(&[&good[..], &[0xff; 8]].concat()), NotAnAaelFile::End { offset: 98 });
        let mut digest = good.clone();
        digest[20] ^= 1;
        assert_eq!(read(&[&good[..], &digest].concat()), NotAnAaelFile::Digest { offset: 98 });
        let mut other = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).unwrap();
        other.event(4, EventType::EVENT_TAG, b"no tag").unwrap();
        assert!(matches!(read(other.events()), NotAnAaelFile::NotAael { offset: 0, .. }));
        // A header has another shape.
        assert!(matches!(read(&other.build(LogEnd::Events)), NotAnAaelFile::Log(_)));
        let sha256 = entry(TcgAlgorithm::Sha256).bytes;
        assert!(matches!(read(&sha256), NotAnAaelFile::Log(EventLogError::AlgorithmNotInTable { .. })));
        assert_eq!(
            read_aael_file(TcgAlgorithm::Other(9), good).map(|_| ()),
            Err(NotAnAaelFile::Algorithm(TcgAlgorithm::Other(9)))
        );
    }
}
