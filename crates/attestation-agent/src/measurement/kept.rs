//! The registers as the agent left them: the file by which a start notices that someone else extended one.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `ASSAYRG1` |
//! | 8 | 2 | the `TPM_ALG_ID` of the registers' hash, big endian: 0x000b, 0x000c, 0x000d |
//! | 10 | 4 | the number of registers c, big endian, at most 64 |
//! | 14 | c (4 + n) | of each the index in the log, big endian, and the value (n = 32, 48, 64); indices ascend |
//! | 14 + c (4 + n) | 32 | SHA-256 of all before |
//!
//! Nothing follows. The file is written beside its place, synced and renamed, so the agent's death leaves the old or
//! the new one, never a part.

use std::collections::BTreeMap;

use assay_eventlog::TcgAlgorithm;
use assay_types::{Digest, HashAlgorithm};

/// The first bytes.
const MAGIC: &[u8; 8] = b"ASSAYRG1";
/// The length of the digest at the end, in bytes.
const SEAL: usize = 32;
/// The greatest number of registers. A TPM has 24.
const MAX_REGISTERS: usize = 64;
/// The longest file, in bytes.
pub const MAX_KEPT: usize = 14 + MAX_REGISTERS * (4 + 64) + SEAL;

/// Why bytes are not what was kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// They do not begin as such a file does.
    #[error("it is no file of this agent (expected the beginning ASSAYRG1)")]
    Foreign,
    /// Their digest does not hold. No death of the agent leaves that.
    #[error("it is not as it was written (its digest does not hold)")]
    Changed,
    /// The digest holds, the content is nothing that is written.
    #[error("its digest holds, its content does not fit together")]
    Content,
    /// They are for registers of another hash.
    #[error("it is for registers of another hash ({found}, expected {expected})")]
    OtherHash {
        /// The hash of the file.
        found: &'static str,
        /// The registers' hash.
        expected: &'static str,
    },
}

/// The file's bytes for registers of this hash: values by index in the log.
pub fn to_bytes(algorithm: HashAlgorithm, registers: &BTreeMap<u32, Digest>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(TcgAlgorithm::from(algorithm).id().to_be_bytes());
    bytes.extend(u32::try_from(registers.len()).unwrap_or(u32::MAX).to_be_bytes());
    for (index, value) in registers {
        bytes.extend(index.to_be_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    let seal = Digest::sha256(&bytes);
    bytes.extend_from_slice(seal.as_bytes());
    bytes
}

/// Reads the file, for registers of this hash: values by index in the log.
///
/// # Errors
/// [`NotKept`].
pub fn parse(algorithm: HashAlgorithm, bytes: &[u8]) -> Result<BTreeMap<u32, Digest>, NotKept> {
    if !bytes.starts_with(MAGIC) {
        return Err(NotKept::Foreign);
    }
    if bytes.len() > MAX_KEPT {
        return Err(NotKept::Changed);
    }
    let body_len = bytes.len().checked_sub(SEAL).ok_or(NotKept::Changed)?;
    let (body, seal) = bytes.split_at_checked(body_len).ok_or(NotKept::Changed)?;
    if Digest::sha256(body).as_bytes() != seal {
        return Err(NotKept::Changed);
    }
    let (found, rest) = algorithm_of(body).ok_or(NotKept::Content)?;
    if found != algorithm {
        return Err(NotKept::OtherHash { found: found.as_str(), expected: algorithm.as_str() });
    }
    values(algorithm, rest).ok_or(NotKept::Content)
}

fn algorithm_of(body: &[u8]) -> Option<(HashAlgorithm, &[u8])> {
    let (id, rest) = body.strip_prefix(MAGIC)?.split_first_chunk()?;
    let id = u16::from_be_bytes(*id);
    let found = HashAlgorithm::ALL.into_iter().find(|known| TcgAlgorithm::from(*known).id() == id)?;
    Some((found, rest))
}

fn values(algorithm: HashAlgorithm, rest: &[u8]) -> Option<BTreeMap<u32, Digest>> {
    let (count, mut rest) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    if count > MAX_REGISTERS {
        return None;
    }
    let mut registers = BTreeMap::new();
    for _ in 0..count {
        let (index, after) = rest.split_first_chunk()?;
        let (value, after) = after.split_at_checked(algorithm.digest_len())?;
        let index = u32::from_be_bytes(*index);
        if registers.last_key_value().is_some_and(|(last, _)| *last >= index) {
            return None;
        }
        registers.insert(index, Digest::new(algorithm, value.to_vec()).ok()?);
        rest = after;
    }
    rest.is_empty().then_some(registers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some(algorithm: HashAlgorithm, indices: &[u32]) -> BTreeMap<u32, Digest> {
        indices.iter().map(|index| (*index, algorithm.digest(&index.to_be_bytes()))).collect()
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        [body, Digest::sha256(body).as_bytes()].concat()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            algorithm in prop::sample::select(&HashAlgorithm::ALL[..]),
            indices in prop::collection::vec(any::<u32>(), 0..=MAX_REGISTERS),
        ) {
            let registers = some(algorithm, &indices);
            let bytes = to_bytes(algorithm, &registers);
            prop_assert!(bytes.len() <= MAX_KEPT);
            prop_assert_eq!(parse(algorithm, &bytes), Ok(registers));
        }

        #[test]
        fn anything_is_read_without_a_panic_and_what_is_read_is_written_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let _ = parse(HashAlgorithm::Sha384, &bytes);
            let bytes = sealed(&[&MAGIC[..], &[0, 12, 0, 0, 0], &bytes].concat());
            if let Ok(registers) = parse(HashAlgorithm::Sha384, &bytes) {
                prop_assert_eq!(to_bytes(HashAlgorithm::Sha384, &registers), bytes);
            }
        }
    }

    #[test]
    fn the_layout_to_the_byte() {
        let registers = some(HashAlgorithm::Sha384, &[4, 0x0103]);
        let bytes = to_bytes(HashAlgorithm::Sha384, &registers);
        assert_eq!(&bytes[..18], b"ASSAYRG1\0\x0c\0\0\0\x02\0\0\0\x04");
        assert_eq!(&bytes[18..66], registers[&4].as_bytes());
        assert_eq!(&bytes[66..70], b"\0\0\x01\x03");
        assert_eq!(&bytes[70..118], registers[&0x0103].as_bytes());
        assert_eq!(bytes, sealed(&bytes[..118]));
    }

    #[test]
    fn every_cut_and_every_changed_bit_is_found() {
        let good = to_bytes(HashAlgorithm::Sha256, &some(HashAlgorithm::Sha256, &[3, 4]));
        for len in 0..good.len() {
            let expected = if len < 8 { NotKept::Foreign } else { NotKept::Changed };
            assert_eq!(parse(HashAlgorithm::Sha256, &good[..len]), Err(expected), "{len} bytes");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 64 { NotKept::Foreign } else { NotKept::Changed };
            assert_eq!(parse(HashAlgorithm::Sha256, &bad), Err(expected), "bit {bit}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused_under_a_digest_that_holds() {
        let hash = HashAlgorithm::Sha256;
        let good = to_bytes(hash, &some(hash, &[3, 4]));
        let body = &good[..good.len() - SEAL];
        assert!(parse(hash, &sealed(body)).is_ok());
        let with = |place: usize, byte: u8| {
            let mut body = body.to_vec();
            body[place] = byte;
            parse(hash, &sealed(&body))
        };
        // No such hash; one register fewer and one more than there are; the second index equal to and below the first.
        for (place, byte) in [(9, 0x12), (13, 1), (13, 3), (53, 3), (53, 2)] {
            assert_eq!(with(place, byte), Err(NotKept::Content), "byte {place}");
        }
        assert_eq!(with(9, 0x0c), Err(NotKept::OtherHash { found: "sha384", expected: "sha256" }));
        assert_eq!(parse(hash, &sealed(&[body, &[0]].concat())), Err(NotKept::Content));
        let indices: Vec<u32> = (0..=64).collect();
        assert_eq!(parse(hash, &to_bytes(hash, &some(hash, &indices))), Err(NotKept::Content));
        let long = [&MAGIC[..], &[0; MAX_KEPT]].concat();
        assert_eq!(parse(hash, &sealed(&long)), Err(NotKept::Changed));
    }
}
