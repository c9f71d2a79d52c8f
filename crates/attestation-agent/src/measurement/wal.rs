//! The write-ahead log: one record, from which it can be told for certain how far an extend came.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `ASSAYWL1` |
//! | 8 | 8 | the length of the log before the entry, big endian |
//! | 16 | 4 | the register's index in the log, big endian |
//! | 20 | 2 | the `TPM_ALG_ID` of the registers' hash, big endian: 0x000b, 0x000c, 0x000d |
//! | 22 | n | the register before (n = 32, 48, 64) |
//! | 22 + n | n | the register after: `H(before ‖ digest of the entry)` |
//! | 22 + 2n | 4 | the length m of the entry, big endian |
//! | 26 + 2n | m | the entry as it is to stand in the log |
//! | 26 + 2n + m | 32 | SHA-256 of all before |
//!
//! Nothing follows. The record is synced before the register is extended. So where its digest does not hold,
//! the writing was cut short and the register was not extended.

use assay_eventlog::{AaelEntry, TcgAlgorithm, read_aael_file};
use assay_types::{Digest, HashAlgorithm};

/// The first bytes.
const MAGIC: &[u8; 8] = b"ASSAYWL1";
/// The length of the digest at the end, in bytes.
const SEAL: usize = 32;
/// The longest entry that is read, in bytes.
const MAX_ENTRY: usize = (1 << 20) + 256;
/// The longest record, in bytes.
pub const MAX_WAL: usize = MAX_ENTRY + 26 + 2 * 64 + SEAL;

/// What the write-ahead log says: an event that is about to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wal {
    offset: u64,
    index: u32,
    before: Digest,
    after: Digest,
    entry: Vec<u8>,
}

/// Why bytes are not a write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAWal {
    /// They are the beginning of one, or one that was not written to its end. Nothing was extended.
    #[error("the record was not written to its end")]
    Torn,
    /// They are something else, such as another agent's: whether a register was extended cannot be told.
    #[error("no record of this agent: {0}")]
    Foreign(&'static str),
}

impl Wal {
    /// The record for an entry that is to be appended at `offset` of the log. `before` is the value of the
    /// register; its algorithm is that of the entry's digest.
    pub fn new(offset: u64, index: u32, before: Digest, entry: AaelEntry) -> Self {
        let after = folded(&before, &entry.digest);
        Wal { offset, index, before, after, entry: entry.bytes }
    }

    /// The length of the log before the entry, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The register's index in the log.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The register before.
    pub fn before(&self) -> &Digest {
        &self.before
    }

    /// The register after.
    pub fn after(&self) -> &Digest {
        &self.after
    }

    /// The entry.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// The record's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.offset.to_be_bytes());
        bytes.extend(self.index.to_be_bytes());
        bytes.extend(TcgAlgorithm::from(self.before.algorithm()).id().to_be_bytes());
        bytes.extend_from_slice(self.before.as_bytes());
        bytes.extend_from_slice(self.after.as_bytes());
        // An entry is never longer than MAX_EVENT_LEN of the event log and its header.
        bytes.extend(u32::try_from(self.entry.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.entry);
        let seal = Digest::sha256(&bytes);
        bytes.extend_from_slice(seal.as_bytes());
        bytes
    }

    /// Reads a record of at most [`MAX_WAL`] bytes. One whose digest holds is checked further: the entry is one AAEL
    /// entry of that register, and the register after follows from the register before.
    ///
    /// # Errors
    /// [`NotAWal`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAWal> {
        if bytes.len() > MAX_WAL {
            return Err(NotAWal::Foreign("it is too long"));
        }
        // A file system may leave zeros where it had not written yet, up to the end.
        let same = bytes.iter().zip(MAGIC).take_while(|(found, expected)| found == expected).count();
        let begun = same == MAGIC.len() || bytes.iter().skip(same).all(|byte| *byte == 0);
        if !begun {
            return Err(NotAWal::Foreign("it begins with other bytes than ASSAYWL1"));
        }
        let body_len = bytes.len().checked_sub(SEAL).ok_or(NotAWal::Torn)?;
        let (body, seal) = bytes.split_at_checked(body_len).ok_or(NotAWal::Torn)?;
        if Digest::sha256(body).as_bytes() != seal {
            return Err(NotAWal::Torn);
        }
        read(body).ok_or(NotAWal::Foreign("its digest holds, its content does not fit together"))
    }
}

/// Reads what the digest is of.
fn read(body: &[u8]) -> Option<Wal> {
    let rest = body.strip_prefix(MAGIC)?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (index, rest) = rest.split_first_chunk()?;
    let (algorithm, rest) = rest.split_first_chunk()?;
    let (index, algorithm) = (u32::from_be_bytes(*index), u16::from_be_bytes(*algorithm));
    let algorithm =
        HashAlgorithm::ALL.into_iter().find(|known| TcgAlgorithm::from(*known).id() == algorithm)?;
    let (before, rest) = rest.split_at_checked(algorithm.digest_len())?;
    let (after, rest) = rest.split_at_checked(algorithm.digest_len())?;
    let (len, entry) = rest.split_first_chunk()?;
    if usize::try_from(u32::from_be_bytes(*len)).ok()? != entry.len() {
        return None;
    }
    let wal = Wal {
        offset: u64::from_be_bytes(*offset),
        index,
        before: Digest::new(algorithm, before.to_vec()).ok()?,
        after: Digest::new(algorithm, after.to_vec()).ok()?,
        entry: entry.to_vec(),
    };
    let log = read_aael_file(algorithm, wal.entry.clone()).ok()?;
    let mut events = log.events();
    let (event, None) = (events.next()?, events.next()) else { return None };
    let digest = event.digest(algorithm.into())?;
    (event.index == index && folded(&wal.before, digest) == wal.after).then_some(wal)
}

/// `H(register ‖ digest)`, by the register's hash.
fn folded(register: &Digest, digest: &[u8]) -> Digest {
    register.algorithm().digest(&[register.as_bytes(), digest].concat())
}

#[cfg(test)]
mod tests {
    use assay_eventlog::Aael;
    use proptest::prelude::*;

    use super::*;

    fn wal(algorithm: HashAlgorithm, offset: u64, index: u32, content: &str) -> Wal {
        let entry = AaelEntry::new(algorithm, index, &Aael::new("d", "o", content).unwrap()).unwrap();
        Wal::new(offset, index, algorithm.digest(b"before"), entry)
    }

    /// Puts a digest that holds after other content.
    fn sealed(body: &[u8]) -> Vec<u8> {
        [body, Digest::sha256(body).as_bytes()].concat()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            algorithm in prop::sample::select(&HashAlgorithm::ALL[..]),
            offset: u64, index in 1u32..24, content in "[^\r\n]{0,200}",
        ) {
            let wal = wal(algorithm, offset, index, &content);
            prop_assert_eq!(Wal::parse(&wal.to_bytes()), Ok(wal));
        }

        #[test]
        fn anything_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Wal::parse(&bytes);
            let _ = Wal::parse(&sealed(&[&MAGIC[..], &bytes].concat()));
        }
    }

    #[test]
    fn the_layout_to_the_byte() {
        let wal = wal(HashAlgorithm::Sha384, 0x0102, 4, "c");
        let bytes = wal.to_bytes();
        assert_eq!(&bytes[..22], b"ASSAYWL1\0\0\0\0\0\0\x01\x02\0\0\0\x04\0\x0c");
        assert_eq!(&bytes[22..70], wal.before().as_bytes());
        assert_eq!(&bytes[70..118], wal.after().as_bytes());
        assert_eq!(
            usize::try_from(u32::from_be_bytes(bytes[118..122].try_into().unwrap())).unwrap(),
            wal.entry().len()
        );
        assert_eq!(&bytes[122..122 + wal.entry().len()], wal.entry());
        assert_eq!(bytes, sealed(&bytes[..bytes.len() - 32]));
    }

    #[test]
    fn every_cut_is_torn_and_so_is_every_changed_bit_after_the_magic() {
        let good = wal(HashAlgorithm::Sha256, 7, 17, "content").to_bytes();
        for len in 0..good.len() {
            assert_eq!(Wal::parse(&good[..len]), Err(NotAWal::Torn), "{len} bytes");
            let mut holes = good[..len].to_vec();
            holes.resize(good.len(), 0);
            assert_eq!(Wal::parse(&holes), Err(NotAWal::Torn), "zeros from {len}");
        }
        for bit in 64..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Wal::parse(&bad), Err(NotAWal::Torn), "bit {bit}");
        }
        assert_eq!(Wal::parse(&vec![0; 300]), Err(NotAWal::Torn));
    }

    #[test]
    fn what_does_not_fit_together_is_not_ours() {
        let wal = wal(HashAlgorithm::Sha256, 7, 17, "content");
        let body = || {
            let mut bytes = wal.to_bytes();
            bytes.truncate(bytes.len() - SEAL);
            bytes
        };
        assert!(Wal::parse(&sealed(&body())).is_ok());
        // Index, algorithm, before, after, length, entry: each alone, under a digest that holds.
        for place in [19, 21, 22, 22 + 32, 22 + 64 + 3, 26 + 64, 26 + 64 + 20] {
            let mut bytes = body();
            bytes[place] ^= 1;
            assert!(matches!(Wal::parse(&sealed(&bytes)), Err(NotAWal::Foreign(_))), "byte {place}");
        }
        let mut longer = body();
        longer.push(0);
        assert!(matches!(Wal::parse(&sealed(&longer)), Err(NotAWal::Foreign(_))));
        // The form of the agent that this one replaces: offset, register, text.
        for offset in [0u64, 98] {
            let other = [&offset.to_be_bytes()[..], &[0x11; 48], b"domain operation content"].concat();
            assert!(matches!(Wal::parse(&other), Err(NotAWal::Foreign(_))), "{offset}");
        }
        assert!(matches!(Wal::parse(&vec![0; MAX_WAL + 1]), Err(NotAWal::Foreign(_))));
    }
}
