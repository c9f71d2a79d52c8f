//! Digests and the algorithms that make them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest as lc;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hash algorithm, by its name on the wire (`kbs_types::HashAlgorithm`, lower case).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256, 32 bytes (FIPS 180-4).
    Sha256,
    /// SHA-384, 48 bytes (FIPS 180-4). What RCAR uses unless the server names another.
    Sha384,
    /// SHA-512, 64 bytes (FIPS 180-4).
    Sha512,
}

/// A hash algorithm that this build does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hash algorithm {name:?}; known are sha256, sha384, sha512")]
pub struct UnknownHashAlgorithm {
    /// The name as received, cut after 64 characters.
    pub name: String,
}

impl HashAlgorithm {
    /// Every algorithm.
    pub const ALL: [HashAlgorithm; 3] = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha384 => "sha384",
            HashAlgorithm::Sha512 => "sha512",
        }
    }

    /// The length of a digest in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => 64,
        }
    }

    /// The digest of `data`.
    pub fn digest(self, data: &[u8]) -> Digest {
        let algorithm = match self {
            HashAlgorithm::Sha256 => &lc::SHA256,
            HashAlgorithm::Sha384 => &lc::SHA384,
            HashAlgorithm::Sha512 => &lc::SHA512,
        };
        Digest { algorithm: self, bytes: lc::digest(algorithm, data).as_ref().to_vec() }
    }
}

impl FromStr for HashAlgorithm {
    type Err = UnknownHashAlgorithm;

    /// Case does not matter (RCAR's `selected-hash-algorithm`); init data is stricter and uses serde.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        HashAlgorithm::ALL
            .into_iter()
            .find(|a| a.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownHashAlgorithm { name: name.chars().take(64).collect() })
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A digest together with its algorithm; its length always fits. As text `sha384:<lower case hex>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

/// Bytes or text that are not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADigest {
    /// The number of bytes is not that of the algorithm.
    #[error("a {algorithm} digest has {} bytes, found {found}", algorithm.digest_len())]
    Length {
        /// The algorithm.
        algorithm: HashAlgorithm,
        /// The number of bytes found.
        found: usize,
    },
    /// The text is not `<algorithm>:<hex>`.
    #[error("a digest is written as <algorithm>:<hex>, with sha256, sha384 or sha512")]
    Form,
}

impl Digest {
    /// Takes bytes as a digest.
    ///
    /// # Errors
    /// [`NotADigest::Length`] when their number is not that of the algorithm.
    pub fn new(algorithm: HashAlgorithm, bytes: Vec<u8>) -> Result<Self, NotADigest> {
        if bytes.len() == algorithm.digest_len() {
            Ok(Digest { algorithm, bytes })
        } else {
            Err(NotADigest::Length { algorithm, found: bytes.len() })
        }
    }

    /// The SHA-256 of `data`.
    pub fn sha256(data: &[u8]) -> Self {
        HashAlgorithm::Sha256.digest(data)
    }

    /// The SHA-384 of `data`.
    pub fn sha384(data: &[u8]) -> Self {
        HashAlgorithm::Sha384.digest(data)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest's bytes, [`HashAlgorithm::digest_len`] of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes in lower case hexadecimal, without the algorithm.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, digits) = text.split_once(':').ok_or(NotADigest::Form)?;
        let algorithm = name.parse().map_err(|_| NotADigest::Form)?;
        Digest::new(algorithm, hex::decode(digits).map_err(|_| NotADigest::Form)?)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_both_ways() {
        for algorithm in HashAlgorithm::ALL {
            let digest = algorithm.digest(b"abc");
            assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            assert_eq!(digest.as_bytes().len(), algorithm.digest_len());
        }
        // FIPS 180-4, the example "abc".
        assert!(Digest::sha256(b"abc").to_hex().starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn wrong_lengths_and_forms_are_refused() {
        assert_eq!(
            Digest::new(HashAlgorithm::Sha384, vec![0; 47]),
            Err(NotADigest::Length { algorithm: HashAlgorithm::Sha384, found: 47 })
        );
        for text in ["", "sha256", "sha256:zz", "md5:00", "sha256:00"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
