//! The wire form.

use serde::{Deserialize, Serialize};

/// Sample evidence. The members `svn` and `report_data` are those of Confidential Containers; the
/// others are ours, left out where they have their default, so that the emulator can play guests
/// that a policy refuses. Unknown members are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The security version number, as text: `"1"`. At most [`Evidence::MAX_TEXT_LEN`] bytes.
    pub svn: String,
    /// The report data: raw bytes of any length up to [`Evidence::MAX_REPORT_DATA_LEN`], in RCAR
    /// the digest of the runtime data without padding. On the wire standard base64.
    #[serde(with = "base64_text")]
    pub report_data: Vec<u8>,
    /// The launch digest. Default `"abcde"`, the constant of Trustee's verifier. At most
    /// [`Evidence::MAX_TEXT_LEN`] bytes.
    #[serde(default = "default_launch_digest", skip_serializing_if = "is_default_launch_digest")]
    pub launch_digest: String,
    /// The version of the platform. Default 1.4, the constant of Trustee's verifier.
    #[serde(default, skip_serializing_if = "PlatformVersion::is_default")]
    pub platform_version: PlatformVersion,
    /// Whether the guest says that it can be debugged. Default false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub debug: bool,
}

/// The version of the sample platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformVersion {
    /// The first part.
    pub major: u32,
    /// The second part.
    pub minor: u32,
}

/// Bytes that are not sample evidence.
#[derive(Debug, thiserror::Error)]
pub enum NotEvidence {
    /// The evidence is too long.
    #[error("{found} bytes; at most {} are read", Evidence::MAX_LEN)]
    TooLong {
        /// The length found, in bytes.
        found: usize,
    },
    /// It is not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// It is not the expected JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A member is too long.
    #[error("{member} has {found} bytes; at most {max} are read")]
    MemberTooLong {
        /// The member.
        member: &'static str,
        /// The length found, in bytes.
        found: usize,
        /// The greatest length, in bytes.
        max: usize,
    },
}

impl Evidence {
    /// The longest evidence that is read, in bytes.
    pub const MAX_LEN: usize = 64 << 10;
    /// The longest `svn` and `launch_digest`, in bytes of UTF-8.
    pub const MAX_TEXT_LEN: usize = 256;
    /// The longest report data, in bytes.
    pub const MAX_REPORT_DATA_LEN: usize = 4096;

    /// What Confidential Containers' sample attester sends for `report_data`.
    pub fn new(report_data: impl Into<Vec<u8>>) -> Self {
        Evidence {
            svn: "1".into(),
            report_data: report_data.into(),
            launch_digest: default_launch_digest(),
            platform_version: PlatformVersion::default(),
            debug: false,
        }
    }

    /// Reads the JSON text.
    ///
    /// # Errors
    /// [`NotEvidence`], see there.
    pub fn from_json(text: &[u8]) -> Result<Self, NotEvidence> {
        if text.len() > Self::MAX_LEN {
            return Err(NotEvidence::TooLong { found: text.len() });
        }
        // serde would also take an array of the members' values.
        if text.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
            return Err(NotEvidence::NotAnObject);
        }
        let evidence: Evidence = serde_json::from_slice(text)?;
        for (member, found, max) in [
            ("svn", evidence.svn.len(), Self::MAX_TEXT_LEN),
            ("report_data", evidence.report_data.len(), Self::MAX_REPORT_DATA_LEN),
            ("launch_digest", evidence.launch_digest.len(), Self::MAX_TEXT_LEN),
        ] {
            if found > max {
                return Err(NotEvidence::MemberTooLong { member, found, max });
            }
        }
        Ok(evidence)
    }
}

impl Default for PlatformVersion {
    fn default() -> Self {
        PlatformVersion { major: 1, minor: 4 }
    }
}

impl PlatformVersion {
    fn is_default(&self) -> bool {
        *self == PlatformVersion::default()
    }
}

fn default_launch_digest() -> String {
    "abcde".into()
}

fn is_default_launch_digest(text: &str) -> bool {
    text == "abcde"
}

// The signature is serde's.
fn is_false(value: &bool) -> bool {
    !*value
}

mod base64_text {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD
            .decode(text)
            .map_err(|error| D::Error::custom(format!("report_data is not standard base64: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use proptest::prelude::*;

    #[test]
    fn the_text_of_a_guest_is_read_and_written_byte_for_byte() {
        let text =
            r#"{"svn":"1","report_data":"NDWFKQW5HUrCrruMgFxUNWrpNRFvP37nh7MkeI1ViI+TGXzV5/bMVERtUW6Cql1f"}"#;
        let evidence = Evidence::from_json(text.as_bytes()).unwrap();
        assert_eq!(evidence.report_data.len(), 48);
        assert_eq!(evidence, Evidence::new(evidence.report_data.clone()));
        assert_eq!(serde_json::to_string(&evidence).unwrap(), text);
    }

    #[test]
    fn what_is_not_sample_evidence_is_refused_with_the_reason() {
        let long = "a".repeat(Evidence::MAX_TEXT_LEN + 1);
        let bytes = BASE64_STANDARD.encode(vec![0; Evidence::MAX_REPORT_DATA_LEN + 1]);
        for (text, part) in [
            (String::new(), "not a JSON object"),
            ("{".into(), "EOF"),
            ("[]".into(), "not a JSON object"),
            ("[\"1\",\"\",\"abcde\",{\"major\":1,\"minor\":4},false]".into(), "not a JSON object"),
            ("null".into(), "not a JSON object"),
            ("{\"svn\":\"1\",\"report_data\":\"\"} x".into(), "trailing characters"),
            (r#"{"svn":"1"}"#.into(), "missing field `report_data`"),
            (r#"{"report_data":""}"#.into(), "missing field `svn`"),
            (r#"{"svn":1,"report_data":""}"#.into(), "expected a string"),
            (r#"{"svn":"1","report_data":"AA"}"#.into(), "base64"),
            (r#"{"svn":"1","report_data":"-_-_"}"#.into(), "base64"),
            (r#"{"svn":"1","report_data":"","svn":"2"}"#.into(), "duplicate field `svn`"),
            (r#"{"svn":"1","report_data":"","extra":0}"#.into(), "unknown field `extra`"),
            (r#"{"svn":"1","report_data":"","debug":0}"#.into(), "expected a boolean"),
            (r#"{"svn":"1","report_data":"","platform_version":{"major":1}}"#.into(), "minor"),
            (r#"{"svn":"1","report_data":"","platform_version":{"major":-1,"minor":0}}"#.into(), "u32"),
            (format!(r#"{{"svn":"{long}","report_data":""}}"#), "svn has 257 bytes"),
            (format!(r#"{{"svn":"1","report_data":"","launch_digest":"{long}"}}"#), "launch_digest has 257"),
            (format!(r#"{{"svn":"1","report_data":"{bytes}"}}"#), "report_data has 4097"),
            (" ".repeat(Evidence::MAX_LEN + 1), "65537 bytes"),
            (format!("{{\"svn\":{}", "[".repeat(2000)), "expected a string"),
        ] {
            let error = Evidence::from_json(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{:.80}: {error}", text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn evidence_survives_a_round_trip(
            svn in ".{0,16}", report_data in proptest::collection::vec(any::<u8>(), 0..80),
            launch_digest in ".{0,16}", major: u32, minor: u32, debug: bool,
        ) {
            let platform_version = PlatformVersion { major, minor };
            let evidence = Evidence { svn, report_data, launch_digest, platform_version, debug };
            let text = serde_json::to_vec(&evidence).unwrap();
            prop_assert_eq!(Evidence::from_json(&text).unwrap(), evidence);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Evidence::from_json(&bytes);
        }
    }
}
