//! The integer keys of claims, and how each value differs from its form in JSON.

/// How a claim's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As in JSON.
    Same,
    /// A text.
    Text,
    /// Seconds: an integer without tag (RFC 8392, section 2), and never a fraction (RFC 9711, 4.3.1).
    Seconds,
    /// A byte string that is UTF-8: `cti`, a text in JSON (RFC 8392, 3.1.7).
    TextBytes,
    /// A byte string; base64url in JSON.
    Bytes,
    /// 0, 2, 32 or 96; `none` to `contraindicated` in JSON.
    Status,
    /// A map from the claim's number to its value; from its name in JSON.
    Vector,
    /// A list of texts. One text alone is read too (the drafts of 2023).
    PolicyIds,
    /// `{0: developer, 1: build}`.
    VerifierId,
    /// A byte string, or a record `[type, bytes]` (draft-ietf-rats-ear-04).
    RawEvidence,
    /// `{"akpub": bytes}`.
    KeyAttestation,
    /// The map of appraisals.
    Submods,
}

/// A claim with an integer key.
pub(super) struct Key {
    pub(super) number: i64,
    /// Its name in JSON, with underscores.
    pub(super) name: &'static str,
    pub(super) form: Form,
}

const fn key(number: i64, name: &'static str, form: Form) -> Key {
    Key { number, name, form }
}

/// The claims of the token (RFC 8392, section 4; RFC 9711, 7.4; draft-ietf-rats-ear, section 9).
pub(super) const TOKEN: &[Key] = &[
    key(1, "iss", Form::Text),
    key(2, "sub", Form::Text),
    key(3, "aud", Form::Same),
    key(4, "exp", Form::Seconds),
    key(5, "nbf", Form::Seconds),
    key(6, "iat", Form::Seconds),
    key(7, "jti", Form::TextBytes),
    key(10, "eat_nonce", Form::Bytes),
    key(265, "eat_profile", Form::Text),
    key(266, "submods", Form::Submods),
    key(1000, "ear_status", Form::Status),
    key(1002, "ear_raw_evidence", Form::RawEvidence),
    key(1004, "ear_verifier_id", Form::VerifierId),
    key(1007, "ear_device_topology", Form::Same),
];

/// The claims of an appraisal.
pub(super) const APPRAISAL: &[Key] = &[
    key(10, "eat_nonce", Form::Bytes),
    key(265, "eat_profile", Form::Text),
    key(1000, "ear_status", Form::Status),
    key(1001, "ear_trustworthiness_vector", Form::Vector),
    key(1003, "ear_appraisal_policy_ids", Form::PolicyIds),
    key(1005, "ear_attester_claims", Form::Same),
    key(1006, "ear_verifier_claims", Form::Same),
    key(-70000, "ear_veraison_annotated_evidence", Form::Same),
    key(-70001, "ear_veraison_policy_claims", Form::Same),
    key(-70002, "ear_veraison_key_attestation", Form::KeyAttestation),
];

/// The tiers and their numbers (draft-ietf-rats-ar4si, 3.2).
pub(super) const STATUS: [(i64, &str); 4] =
    [(0, "none"), (2, "affirming"), (32, "warning"), (96, "contraindicated")];

/// The members of the verifier's id (draft-ietf-rats-ar4si, 3.3).
pub(super) const VERIFIER_ID: [(i64, &str); 2] = [(0, "developer"), (1, "build")];

/// The one member of Veraison's key attestation: a public key as SubjectPublicKeyInfo.
pub(super) const AKPUB: &str = "akpub";

/// Whether a name is an integer in decimals, the only way to write it: so are claims kept whose integer
/// key has no name here.
pub(super) fn number(name: &str) -> Option<i64> {
    name.parse::<i64>().ok().filter(|number| number.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::dotted;

    #[test]
    fn each_key_and_each_name_stands_once() {
        for table in [TOKEN, APPRAISAL] {
            for (index, key) in table.iter().enumerate() {
                let others = &table[index + 1..];
                assert!(others.iter().all(|other| other.number != key.number && other.name != key.name));
            }
        }
    }

    #[test]
    fn names_are_those_with_underscores() {
        for key in TOKEN.iter().chain(APPRAISAL) {
            assert!(!key.name.contains(['.', '-']), "{}", key.name);
        }
        assert!(dotted("ear_veraison_annotated_evidence").is_some());
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(number("-70003"), Some(-70003));
        for name in ["", "+1", "01", "-0", "1.0", " 1", "99999999999999999999", "x"] {
            assert_eq!(number(name), None, "{name:?}");
        }
    }
}
