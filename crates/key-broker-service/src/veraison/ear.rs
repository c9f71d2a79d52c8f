//! The attestation results of this interface: EAR in the dialect of 2023 (dotted names, padded nonce),
//! which Veraison's clients read.
//!
//! Good evidence gives a submodule for each layer; evidence that does not hold gives one submodule with
//! the scheme's name, and the reason. There is no `iss`: these results open nothing in the key broker
//! service, which demands one.

use assay_attestation_service::{Issued, TokenSettings};
use assay_tee_cca::{is_unknown_platform, rejected_vector};
use assay_types::{TrustVector, UnixTime, VerifyError};
use serde_json::{Map, Value, json};

use super::{Scheme, nonce};
use crate::RequestError;

/// The profile of Veraison's results.
const PROFILE: &str = "tag:github.com,2023:veraison/ear";

/// What every result of one session has.
pub(super) struct Frame<'a> {
    pub(super) scheme: &'a Scheme,
    /// The session's nonce.
    pub(super) nonce: &'a [u8],
    pub(super) settings: &'a TokenSettings,
    pub(super) now: UnixTime,
}

/// The result for evidence that holds.
pub(super) fn for_layers(frame: &Frame<'_>, issued: &Issued) -> Result<Value, RequestError> {
    let lacking =
        |what: &str| RequestError::internal(format!("the verdict on {} has no {what}", frame.scheme.name));
    let (name, attester) = issued.verdict.attesters.first_key_value().ok_or_else(|| lacking("attester"))?;
    let submodule = issued.claims.submods.get(name).ok_or_else(|| lacking("submodule"))?;
    let claims = submodule.annotated_evidence.get(attester.tee.as_str()).ok_or_else(|| lacking("claims"))?;
    if attester.layers.is_empty() {
        return Err(lacking("layers"));
    }
    let mut submods = Map::new();
    for layer in &attester.layers {
        let claims = claims.get(&layer.layer).ok_or_else(|| lacking("claims of a layer"))?;
        let mut appraisal = appraisal(frame, &layer.trust_vector);
        appraisal.insert("ear.veraison.annotated-evidence".into(), claims.clone());
        if issued.verdict.emulated {
            appraisal.insert("ear.veraison.policy-claims".into(), json!({ "emulated": true }));
        }
        submods.insert(layer.submodule.clone(), Value::Object(appraisal));
    }
    let mut result = result(frame, issued.verdict.expires, submods);
    result.insert("jti".into(), Value::String(issued.verdict.jti.clone()));
    Ok(Value::Object(result))
}

/// The result for evidence that does not hold: contraindicated, with the failed checks in one line.
pub(super) fn for_bad_evidence(frame: &Frame<'_>, error: &VerifyError) -> Value {
    let problem = error.to_string().replace(['\r', '\n'], " ");
    let problem = if is_unknown_platform(error.findings()) {
        format!("no trust anchor for evidence: {problem}")
    } else {
        problem
    };
    let mut appraisal = appraisal(frame, &rejected_vector(error.findings()));
    appraisal.insert("ear.veraison.policy-claims".into(), json!({ "problem": problem }));
    let submods = Map::from_iter([(frame.scheme.name.to_owned(), Value::Object(appraisal))]);
    Value::Object(result(frame, frame.now.plus(frame.settings.lifetime), submods))
}

fn appraisal(frame: &Frame<'_>, vector: &TrustVector) -> Map<String, Value> {
    Map::from_iter([
        ("ear.status".to_owned(), json!(vector.status())),
        ("ear.trustworthiness-vector".to_owned(), json!(vector)),
        ("ear.appraisal-policy-id".to_owned(), Value::String(format!("policy:{}", frame.scheme.name))),
    ])
}

fn result(frame: &Frame<'_>, expires: UnixTime, submods: Map<String, Value>) -> Map<String, Value> {
    let verifier = json!({ "build": frame.settings.build, "developer": frame.settings.developer });
    Map::from_iter([
        ("eat_profile".to_owned(), Value::String(PROFILE.to_owned())),
        ("iat".to_owned(), json!(frame.now)),
        ("exp".to_owned(), json!(expires)),
        ("eat_nonce".to_owned(), nonce::to_text(frame.nonce)),
        ("ear.verifier-id".to_owned(), verifier),
        ("submods".to_owned(), Value::Object(submods)),
    ])
}
