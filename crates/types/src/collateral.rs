//! Collateral as verifiers name it, ask for it and receive it. Fetching is another crate's work.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Digest, Validity};

/// Whose service has the collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Vendor {
    /// AMD's Key Distribution Service (KDS).
    Amd,
    /// Arm CCA platforms: whoever endorses their attestation keys. There is no service to ask.
    Arm,
    /// Intel's Provisioning Certification Service (PCS) or a cache of it (PCCS).
    Intel,
}

/// What a piece of collateral is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CollateralKind {
    /// One or more X.509 certificates, DER or PEM.
    Certificates,
    /// A certificate revocation list, DER or PEM.
    Crl,
    /// Signed JSON about TCB levels or enclave identities (Intel PCS), with its issuer chain.
    TcbInformation,
    /// Endorsed attestation keys, from the reference values: the group of the request's cache key
    /// ([`ReferenceValueSnapshot::group`](crate::ReferenceValueSnapshot::group)). One item for each
    /// value, the value's JSON text.
    TrustAnchors,
    /// A file given by hand; the verifier looks what is in it.
    Unclassified,
}

/// A piece of collateral that a verifier lacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CollateralRequest {
    /// Whose it is.
    pub vendor: Vendor,
    /// What it is.
    pub kind: CollateralKind,
    /// What it is in words, for errors: "VCEK of chip 1a2b… at TCB bl=3 tee=0 snp=8 ucode=115".
    pub description: String,
    /// Key in caches, unique within the vendor; printable ASCII, at most 512 characters.
    pub cache_key: String,
    /// Paths below the offline folder, tried in order; no `..`, no leading slash.
    pub offline_paths: Vec<String>,
    /// Path and query at the vendor's service, beginning with a slash.
    pub service_path: String,
    /// Response headers that may hold the issuer chain (PEM, percent-encoded); the first that is
    /// there counts. Where any is named, the answer is kept as [`ServedCollateral`].
    #[serde(default)]
    pub chain_headers: Vec<String>,
    /// Whether verification must fail without it.
    pub required: bool,
    /// The largest answer that can be right, in bytes.
    pub max_len: usize,
}

/// An answer of a vendor's service whose issuer chain came in a header: the two together, as one
/// piece of collateral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedCollateral {
    /// The issuer chain as PEM text; empty where the answer had none.
    pub issuer_chain: String,
    /// The body, byte for byte.
    #[serde(with = "base64_text")]
    pub body: Vec<u8>,
}

impl ServedCollateral {
    /// The piece of collateral: JSON, the body in standard base64.
    pub fn to_bytes(&self) -> Bytes {
        // Two texts always make JSON.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads the piece of collateral; `None` when it is in any other form.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

mod base64_text {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(d)?).map_err(D::Error::custom)
    }
}

/// Looks at an answer of a vendor's service before it is kept: whether the vendor signed it, and
/// for how long it is valid. A verifier looks again; this keeps what is not genuine, or older than
/// what is at hand, from taking the place of good collateral.
pub trait CollateralInspector: Send + Sync {
    /// The validity of the answer to `request`.
    ///
    /// # Errors
    /// Why the answer cannot be what was asked for, in words.
    fn inspect(&self, request: &CollateralRequest, bytes: &[u8]) -> Result<Validity, String>;
}

/// Where a piece of collateral came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CollateralOrigin {
    /// Part of the program.
    Bundled,
    /// Sent along with the evidence.
    Evidence,
    /// A file given by hand, by name.
    File(String),
    /// The offline folder, by path below it.
    Folder(String),
    /// The persistent cache.
    Cache,
    /// The vendor's service, by URL.
    Service(String),
    /// The reference values, by name.
    ReferenceValue(String),
}

/// A piece of collateral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollateralItem {
    /// What it is.
    pub kind: CollateralKind,
    /// Its bytes.
    pub bytes: Bytes,
    /// Where it came from.
    pub origin: CollateralOrigin,
}

/// The collateral brought to a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollateralSet {
    /// The pieces, in no particular order.
    pub items: Vec<CollateralItem>,
}

/// A piece of collateral that a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollateralUse {
    /// What it is, in words: "ASK SEV-Milan".
    pub name: String,
    /// The SHA-256 of its DER bytes.
    pub digest: Digest,
    /// Where it came from.
    pub origin: CollateralOrigin,
    /// When it is valid.
    pub validity: Validity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_served_answer_keeps_its_body_to_the_byte() {
        let served = ServedCollateral { issuer_chain: "-----BEGIN".into(), body: vec![0, 255, b'"'] };
        assert_eq!(ServedCollateral::from_bytes(&served.to_bytes()), Some(served));
        for other in [&b"{}"[..], b"", b"0\x80", br#"{"issuer_chain":"","body":"*"}"#] {
            assert_eq!(ServedCollateral::from_bytes(other), None);
        }
    }
}
