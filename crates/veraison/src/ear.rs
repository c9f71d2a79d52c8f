//! Attestation results of a Veraison service, read strictly.
//!
//! Two dialects are read, by the names of their claims: that of Veraison today (`ear.status`) and that
//! of draft-ietf-rats-ear (`ear_status`). A result must keep to one of them.

use assay_types::{TrustTier, TrustVector, UnixTime};
use serde_json::{Map, Value};

use crate::base64_text;
use crate::dialect::{Dialect, wrong};
use crate::error::{VeraisonError, shown};

/// The profiles (`eat_profile`) that are understood: Veraison's, and those of the draft.
pub const KNOWN_PROFILES: &[&str] =
    &["tag:github.com,2023:veraison/ear", "tag:ietf.org,2026:rats/ear#03", "tag:ietf.org,2026:rats/ear#04"];

pub(crate) const PLATFORM: &str = "CCA_SSD_PLATFORM";
pub(crate) const REALM: &str = "CCA_REALM";
/// The one submodule of evidence that did not get as far as an appraisal.
pub(crate) const SCHEME: &str = "ARM_CCA";

/// The claims of a result. Its signature was verified before, or not: this only reads.
#[derive(Clone, Debug, PartialEq)]
pub struct AttestationResult {
    /// `eat_profile`, one of [`KNOWN_PROFILES`].
    pub profile: String,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
    /// `exp`. Veraison's results of today have none.
    pub expires: Option<UnixTime>,
    /// `eat_nonce`, decoded.
    pub nonce: Vec<u8>,
    /// `ear.verifier-id`, as it came.
    pub verifier: Value,
    /// `submods`.
    pub submodules: Submodules,
}

/// The submodules, in one of the two shapes that the scheme ARM_CCA gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Submodules {
    /// The evidence was appraised.
    Appraised {
        /// `CCA_SSD_PLATFORM`.
        platform: Box<LayerResult>,
        /// `CCA_REALM`.
        realm: Box<LayerResult>,
    },
    /// The evidence was refused before: `ARM_CCA` alone.
    Refused(Box<LayerResult>),
}

/// One submodule.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerResult {
    /// `ear.status`; never better than the vector.
    pub status: TrustTier,
    /// `ear.trustworthiness-vector`; 0 for each claim that is not there.
    pub vector: TrustVector,
    /// `ear.appraisal-policy-id`; with several in the draft's dialect, all, separated by spaces.
    pub policy_id: String,
    /// `ear.veraison.annotated-evidence`.
    pub annotated_evidence: Map<String, Value>,
    /// `ear.veraison.policy-claims`.
    pub policy_claims: Map<String, Value>,
}

impl LayerResult {
    /// `ear.veraison.policy-claims.emulated`, an addition of Assay's own interface: the result rests on
    /// an emulator's keys or on published ones.
    pub fn says_emulated(&self) -> bool {
        self.policy_claims.get("emulated").and_then(Value::as_bool).unwrap_or_default()
    }

    /// `ear.veraison.policy-claims.problem`: why evidence was refused.
    pub fn problem(&self) -> Option<&str> {
        self.policy_claims.get("problem").and_then(Value::as_str)
    }
}

fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<UnixTime>, VeraisonError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_i64().map(|t| Some(UnixTime(t))).ok_or_else(|| wrong(format!("{name} is not a time")))
        }
    }
}

impl AttestationResult {
    /// Reads the claims (the JWT's payload).
    ///
    /// # Errors
    /// [`VeraisonError::NotAnEar`], [`VeraisonError::UnknownProfile`],
    /// [`VeraisonError::WrongSubmodules`], [`VeraisonError::StatusBetterThanVector`].
    pub fn read(payload: &[u8]) -> Result<Self, VeraisonError> {
        let claims: Map<String, Value> =
            serde_json::from_slice(payload).map_err(|error| wrong(error.to_string()))?;
        let text = |name: &str| {
            claims.get(name).and_then(Value::as_str).ok_or_else(|| wrong(format!("it has no text {name}")))
        };
        let profile = text("eat_profile")?;
        if !KNOWN_PROFILES.contains(&profile) {
            return Err(VeraisonError::UnknownProfile { found: shown(profile) });
        }
        let nonce =
            base64_text::decode(text("eat_nonce")?).ok_or_else(|| wrong("eat_nonce is not base64"))?;
        let issued_at = time(&claims, "iat")?.ok_or_else(|| wrong("it has no iat"))?;
        let submodules = claims
            .get("submods")
            .and_then(Value::as_object)
            .ok_or_else(|| wrong("it has no object submods"))?;
        let dialect = Dialect::of(&claims, submodules)?;
        Ok(AttestationResult {
            profile: profile.to_owned(),
            issued_at,
            not_before: time(&claims, "nbf")?,
            expires: time(&claims, "exp")?,
            nonce,
            verifier: dialect.get(&claims, "ear.verifier-id").cloned().unwrap_or_default(),
            submodules: read_submodules(dialect, submodules)?,
        })
    }
}

fn read_submodules(dialect: Dialect, submodules: &Map<String, Value>) -> Result<Submodules, VeraisonError> {
    let layer = |name, value| dialect.layer(name, value).map(Box::new);
    match (submodules.len(), submodules.get(PLATFORM), submodules.get(REALM), submodules.get(SCHEME)) {
        (2, Some(platform), Some(realm), None) => {
            Ok(Submodules::Appraised { platform: layer(PLATFORM, platform)?, realm: layer(REALM, realm)? })
        }
        (1, None, None, Some(refused)) => Ok(Submodules::Refused(layer(SCHEME, refused)?)),
        _ => {
            let found = submodules.keys().take(8).map(|name| shown(name)).collect();
            Err(VeraisonError::WrongSubmodules { found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::Coded as _;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "eat_profile": KNOWN_PROFILES[0],
            "iat": 1000,
            "eat_nonce": "AAAAAAAAAAA=",
            "ear.verifier-id": {"build": "b", "developer": "d"},
            "submods": {
                "CCA_SSD_PLATFORM": {
                    "ear.status": "warning",
                    "ear.trustworthiness-vector": {"hardware": 2, "executables": 33},
                    "ear.appraisal-policy-id": "policy:ARM_CCA",
                    "ear.veraison.annotated-evidence": {"a": 1},
                },
                "CCA_REALM": {
                    "ear.status": "affirming",
                    "ear.trustworthiness-vector": {"instance-identity": 2},
                },
            },
        })
    }

    fn read(value: &Value) -> Result<AttestationResult, VeraisonError> {
        AttestationResult::read(value.to_string().as_bytes())
    }

    #[test]
    fn the_dialect_of_today_is_read() {
        let ear = read(&good()).unwrap();
        assert_eq!((ear.issued_at, ear.nonce.len(), ear.expires), (UnixTime(1000), 8, None));
        let Submodules::Appraised { platform, realm } = ear.submodules else { panic!() };
        assert_eq!((platform.vector.executables, platform.vector.hardware), (33, 2));
        assert_eq!(platform.policy_id, "policy:ARM_CCA");
        assert_eq!(platform.annotated_evidence["a"], 1);
        assert_eq!((realm.status, realm.vector.instance_identity), (TrustTier::Affirming, 2));
    }

    #[test]
    fn the_draft_s_names_give_the_same() {
        let text = good().to_string();
        let drafted = [
            (
                "ear.appraisal-policy-id\":\"policy:ARM_CCA\"",
                "ear_appraisal_policy_ids\":[\"policy:ARM_CCA\"]",
            ),
            ("ear.status", "ear_status"),
            ("ear.trustworthiness-vector", "ear_trustworthiness_vector"),
            ("ear.veraison.annotated-evidence", "ear_veraison_annotated_evidence"),
            ("ear.verifier-id", "ear_verifier_id"),
            (KNOWN_PROFILES[0], KNOWN_PROFILES[2]),
        ]
        .iter()
        .fold(text, |text, (dotted, drafted)| {
            assert!(text.contains(dotted));
            text.replace(dotted, drafted)
        });
        let drafted = AttestationResult::read(drafted.as_bytes()).unwrap();
        let dotted = read(&good()).unwrap();
        assert_eq!(drafted.submodules, dotted.submodules);
        assert_eq!(drafted.verifier, dotted.verifier);
    }

    #[test]
    fn evidence_that_was_refused_has_one_submodule_and_a_problem() {
        let mut ear = good();
        ear["submods"] = json!({"ARM_CCA": {
            "ear.status": "none", "ear.veraison.policy-claims": {"problem": "no trust anchor for evidence"},
        }});
        let Submodules::Refused(refused) = read(&ear).unwrap().submodules else { panic!() };
        assert_eq!(refused.problem(), Some("no trust anchor for evidence"));
    }

    #[test]
    fn each_fault_alone_has_its_code() {
        let platform = "/submods/CCA_SSD_PLATFORM";
        let cases: &[(&str, Value, &str, &str)] = &[
            ("/eat_profile", json!("tag:example.com,2026:other"), "VER-224", "example.com"),
            ("/eat_profile", json!(1), "VER-223", "eat_profile"),
            ("/eat_nonce", json!(["AAAAAAAAAAA="]), "VER-223", "eat_nonce"),
            ("/eat_nonce", json!("A A"), "VER-223", "base64"),
            ("/iat", json!("yesterday"), "VER-223", "iat"),
            ("/iat", json!(1e300), "VER-223", "iat"),
            ("/submods", json!([]), "VER-223", "submods"),
            ("/submods", json!({}), "VER-227", "no submodule"),
            ("/submods/CCA_REALM", json!(null), "VER-223", "CCA_REALM"),
            ("/submods/CCA_REALM", json!({"ear_status": "none"}), "VER-223", "mixes"),
            ("/submods/CCA_REALM/ear.status", json!("fine"), "VER-223", "CCA_REALM"),
            ("/submods/CCA_REALM/ear.status", json!(2), "VER-223", "CCA_REALM"),
            ("/submods/CCA_REALM/ear.status", json!("none"), "VER-228", "CCA_REALM"),
            ("/submods/CCA_SSD_PLATFORM/ear.status", json!("affirming"), "VER-228", "warning"),
            (
                "/submods/CCA_REALM/ear.trustworthiness-vector",
                json!({"instance-identity": 200}),
                "VER-223",
                "127",
            ),
            (
                "/submods/CCA_REALM/ear.trustworthiness-vector",
                json!({"instance-identity": 2.5}),
                "VER-223",
                "127",
            ),
            ("/submods/CCA_REALM/ear.trustworthiness-vector", json!({"mood": 2}), "VER-223", "mood"),
            (
                "/submods/CCA_REALM/ear.trustworthiness-vector",
                json!({"instance-identity": 2, "instance_identity": 96}),
                "VER-223",
                "twice",
            ),
            ("/submods/CCA_SSD_PLATFORM/ear.veraison.annotated-evidence", json!("x"), "VER-223", "annotated"),
            ("/submods/CCA_SSD_PLATFORM/ear.appraisal-policy-id", json!(1), "VER-223", "policy id"),
        ];
        for (pointer, value, code, part) in cases {
            let mut ear = good();
            *ear.pointer_mut(pointer).unwrap() = value.clone();
            let error = read(&ear).unwrap_err();
            assert_eq!(error.code(), *code, "{pointer} {value}: {error}");
            assert!(error.to_string().contains(part), "{pointer} {value}: {error}");
        }
        for gone in ["ear.status", "ear.trustworthiness-vector"] {
            let mut ear = good();
            ear.pointer_mut(platform).unwrap().as_object_mut().unwrap().remove(gone);
            assert_eq!(read(&ear).unwrap_err().code(), "VER-223", "{gone}");
        }
        for (further, code) in [("ARM_CCA", "VER-227"), ("GPU", "VER-227")] {
            let mut ear = good();
            ear["submods"][further] = json!({"ear.status": "contraindicated"});
            assert_eq!(read(&ear).unwrap_err().code(), code, "{further}");
        }
        let mut ear = good();
        ear["submods"].as_object_mut().unwrap().remove("CCA_REALM");
        assert_eq!(read(&ear).unwrap_err().code(), "VER-227");
        for text in ["", "[]", "null", "{\"a\":", "{} x"] {
            assert_eq!(AttestationResult::read(text.as_bytes()).unwrap_err().code(), "VER-223", "{text}");
        }
    }
}
