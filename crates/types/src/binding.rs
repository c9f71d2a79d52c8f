//! What evidence is bound to: the report data and the digest of the init data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, TeeClaimText};

/// The 64 bytes of user data that an attester signs (REPORT_DATA of SNP, TDX, SGX; the challenge
/// of CCA).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReportData([u8; 64]);

/// More bytes than a field of the evidence has room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {found} bytes; at most {max} fit")]
pub struct TooLong {
    /// What was too long.
    pub what: &'static str,
    /// The number of bytes found.
    pub found: usize,
    /// The number of bytes that fit.
    pub max: usize,
}

impl ReportData {
    /// Takes all 64 bytes as they are.
    pub const fn new(bytes: [u8; 64]) -> Self {
        ReportData(bytes)
    }

    /// Puts `bytes` (a digest, mostly) at the front and fills up with zeros on the right. This is
    /// the padding rule of the RCAR protocol for 64-byte fields (Trustee's `regularize_data`,
    /// without its truncation).
    ///
    /// # Errors
    /// [`TooLong`] when there are more than 64 bytes; nothing is ever cut off.
    pub fn padded(bytes: &[u8]) -> Result<Self, TooLong> {
        let mut out = [0; 64];
        out.get_mut(..bytes.len())
            .ok_or(TooLong { what: "report data", found: bytes.len(), max: 64 })?
            .copy_from_slice(bytes);
        Ok(ReportData(out))
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for ReportData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_claim())
    }
}

impl fmt::Debug for ReportData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReportData({self})")
    }
}

/// What a verifier is to find in the evidence. A part that is `None` is not compared, and the
/// verifier reports that check as not made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The report data: in RCAR the digest of the runtime data, unpadded (48 bytes by default).
    /// Each TEE pads it to its field by [`ReportData::padded`].
    #[serde(default, with = "hex_option", skip_serializing_if = "Option::is_none")]
    pub report_data: Option<Vec<u8>>,
    /// The digest of the init data. Each TEE says in its documentation which field carries it and
    /// how it is padded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_data: Option<Digest>,
}

mod hex_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(v: &Option<Vec<u8>>, s: S) -> Result<S::Ok, S::Error> {
        match v {
            Some(bytes) => s.serialize_str(&hex::encode(bytes)),
            None => s.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(d)?.map(|text| hex::decode(text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_zeros_on_the_right_and_nothing_is_cut() {
        let padded = ReportData::padded(&[7; 48]).unwrap();
        assert_eq!(padded.as_bytes()[..48], [7; 48]);
        assert_eq!(padded.as_bytes()[48..], [0; 16]);
        assert_eq!(ReportData::padded(&[]).unwrap(), ReportData::new([0; 64]));
        assert_eq!(ReportData::padded(&[0; 65]), Err(TooLong { what: "report data", found: 65, max: 64 }));
    }
}
