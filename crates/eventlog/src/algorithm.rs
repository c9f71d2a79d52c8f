//! Hash algorithms by their TCG numbers.

use std::fmt;

use assay_types::HashAlgorithm;
use aws_lc_rs::digest as lc;

/// A hash algorithm of a log, by its `TPM_ALG_ID` (TCG Algorithm Registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TcgAlgorithm {
    /// 0x0004, 20 bytes. Never computed: it is broken.
    Sha1,
    /// 0x000B, 32 bytes.
    Sha256,
    /// 0x000C, 48 bytes. TDX.
    Sha384,
    /// 0x000D, 64 bytes.
    Sha512,
    /// 0x0012, 32 bytes. CSV. Read, not computed yet.
    Sm3,
    /// Any other number; the log's own table says how long its digests are.
    Other(u16),
}

/// An algorithm that this build cannot compute, so that nothing can be replayed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("digests of {0} are not computed here; SHA-256, SHA-384 and SHA-512 are")]
pub struct UnsupportedAlgorithm(pub TcgAlgorithm);

impl TcgAlgorithm {
    /// The algorithm with this number. Total: unknown numbers are [`TcgAlgorithm::Other`].
    pub const fn from_id(id: u16) -> Self {
        match id {
            0x04 => TcgAlgorithm::Sha1,
            0x0b => TcgAlgorithm::Sha256,
            0x0c => TcgAlgorithm::Sha384,
            0x0d => TcgAlgorithm::Sha512,
            0x12 => TcgAlgorithm::Sm3,
            other => TcgAlgorithm::Other(other),
        }
    }

    /// The number.
    pub const fn id(self) -> u16 {
        match self {
            TcgAlgorithm::Sha1 => 0x04,
            TcgAlgorithm::Sha256 => 0x0b,
            TcgAlgorithm::Sha384 => 0x0c,
            TcgAlgorithm::Sha512 => 0x0d,
            TcgAlgorithm::Sm3 => 0x12,
            TcgAlgorithm::Other(id) => id,
        }
    }

    /// The length of a digest in bytes, where the algorithm is known.
    pub const fn digest_len(self) -> Option<usize> {
        match self {
            TcgAlgorithm::Sha1 => Some(20),
            TcgAlgorithm::Sha256 | TcgAlgorithm::Sm3 => Some(32),
            TcgAlgorithm::Sha384 => Some(48),
            TcgAlgorithm::Sha512 => Some(64),
            TcgAlgorithm::Other(_) => None,
        }
    }

    /// The implementation, with its digest's length.
    pub(crate) fn implementation(self) -> Result<&'static lc::Algorithm, UnsupportedAlgorithm> {
        match self {
            TcgAlgorithm::Sha256 => Ok(&lc::SHA256),
            TcgAlgorithm::Sha384 => Ok(&lc::SHA384),
            TcgAlgorithm::Sha512 => Ok(&lc::SHA512),
            TcgAlgorithm::Sha1 | TcgAlgorithm::Sm3 | TcgAlgorithm::Other(_) => {
                Err(UnsupportedAlgorithm(self))
            }
        }
    }
}

impl From<HashAlgorithm> for TcgAlgorithm {
    fn from(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => TcgAlgorithm::Sha256,
            HashAlgorithm::Sha384 => TcgAlgorithm::Sha384,
            HashAlgorithm::Sha512 => TcgAlgorithm::Sha512,
            // The type may grow. TPM_ALG_ERROR: nothing can be computed with it.
            _ => TcgAlgorithm::Other(0),
        }
    }
}

/// The name in claims, as Trustee writes it: `SHA-384`, `SM3`, or the number (`0x0027`).
impl fmt::Display for TcgAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcgAlgorithm::Sha1 => f.write_str("SHA-1"),
            TcgAlgorithm::Sha256 => f.write_str("SHA-256"),
            TcgAlgorithm::Sha384 => f.write_str("SHA-384"),
            TcgAlgorithm::Sha512 => f.write_str("SHA-512"),
            TcgAlgorithm::Sm3 => f.write_str("SM3"),
            TcgAlgorithm::Other(id) => write!(f, "0x{id:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_both_ways() {
        for id in 0..=u16::MAX {
            assert_eq!(TcgAlgorithm::from_id(id).id(), id);
        }
    }

    #[test]
    fn lengths_are_those_of_the_implementations() {
        for hash in HashAlgorithm::ALL {
            let algorithm = TcgAlgorithm::from(hash);
            assert_eq!(algorithm.digest_len(), Some(hash.digest_len()));
            assert_eq!(algorithm.implementation().unwrap().output_len(), hash.digest_len());
        }
        for algorithm in [TcgAlgorithm::Sha1, TcgAlgorithm::Sm3, TcgAlgorithm::Other(0x27)] {
            assert_eq!(algorithm.implementation().unwrap_err(), UnsupportedAlgorithm(algorithm));
        }
    }
}
