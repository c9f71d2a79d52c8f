//! What a token says that another service issued: whether it is about this request, and the verdict in it.

use std::collections::BTreeMap;

use assay_attestation_service::{AttesterVerdict, Evaluation, Verdict, additional_evidence, sha256};
use assay_token::{EarClaims, Submodule, VerifiedToken};
use assay_types::{Digest, RawEvidence, RuntimeData, Tee, TeeClass};
use serde::Deserialize as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::RemoteAttestationError;

/// The longest identifier of a token that is taken as it is, in bytes.
const MAX_ID: usize = 128;

/// The submodule of the CPU, which the guest's key stands in.
const CPU: &str = "cpu0";

/// A token that holds, and what was asked.
pub(super) struct Answer<'a> {
    pub(super) token: &'a str,
    pub(super) verified: VerifiedToken,
    pub(super) evaluation: &'a Evaluation<'a>,
}

impl Answer<'_> {
    /// The verdict, if the token is about what was asked.
    pub(super) fn verdict(self) -> Result<Verdict, RemoteAttestationError> {
        let claims = EarClaims::from_value(&self.verified.claims).map_err(RemoteAttestationError::Token)?;
        check(&claims, self.evaluation)?;
        let evidence = digests(self.evaluation)?;
        let mut attesters = BTreeMap::new();
        for (name, submod) in &claims.submods {
            // What has no name here has no place in a verdict; it stays in the token.
            let (Some(tee), Some(class)) = (tee_of(&submod.annotated_evidence), class_of(name)) else {
                continue;
            };
            let own = submod.appraised.evidence.clone();
            let Some(evidence) = own.or_else(|| evidence.get(&tee).cloned()) else { continue };
            let verdict = AttesterVerdict {
                tee,
                class,
                status: submod.status,
                trust_vector: submod.trust_vector,
                layers: Vec::new(),
                policies: Vec::new(),
                findings: submod.appraised.findings.clone(),
                reference_values: Vec::new(),
                collateral: Vec::new(),
                evidence,
            };
            attesters.insert(name.clone(), verdict);
        }
        Ok(Verdict {
            jti: token_id(&self.verified.claims, self.token),
            issued: claims.iat,
            expires: self.verified.expires,
            status: claims.status(),
            emulated: claims.submods.values().any(|submod| submod.appraised.emulated),
            attesters,
        })
    }
}

/// The token's own name, or one made from it: Trustee's tokens have none.
pub(crate) fn token_id(claims: &Value, token: &str) -> String {
    let own = claims.get("jti").and_then(Value::as_str);
    let fit = |id: &&str| {
        (1..=MAX_ID).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    match own.filter(fit) {
        Some(id) => id.to_owned(),
        None => sha256(token.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Whether the claims are about this request and no other.
fn check(claims: &EarClaims, evaluation: &Evaluation<'_>) -> Result<(), RemoteAttestationError> {
    let not_about = |why| Err(RemoteAttestationError::NotAbout { why });
    let Some(cpu) = claims.submods.get(CPU) else { return not_about("it has no cpu0") };
    if cpu.annotated_evidence.get(evaluation.tee.as_str()).is_none() {
        return not_about("its cpu0 is of another TEE");
    }
    if runtime_data(cpu).is_none() {
        return not_about("its cpu0 names no runtime data");
    }
    for found in claims.submods.values().filter_map(runtime_data) {
        let RuntimeData { nonce, tee_pubkey } = evaluation.runtime_data;
        if found.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return not_about("it names another nonce");
        }
        if found.get("tee-pubkey") != Some(tee_pubkey) {
            return not_about("it names another key");
        }
    }
    Ok(())
}

fn runtime_data(submod: &Submodule) -> Option<&Value> {
    submod.annotated_evidence.get("runtime_data_claims")
}

/// The TEE whose claims stand there.
fn tee_of(annotated: &Value) -> Option<Tee> {
    annotated.as_object()?.keys().find_map(|name| name.parse().ok())
}

/// The class in a submodule's name: `cpu` of `cpu0`.
fn class_of(name: &str) -> Option<TeeClass> {
    let class = name.trim_end_matches(|c: char| c.is_ascii_digit());
    TeeClass::deserialize(Value::String(class.to_owned())).ok()
}

/// The digests of the evidence that was sent.
fn digests(evaluation: &Evaluation<'_>) -> Result<BTreeMap<Tee, Digest>, RemoteAttestationError> {
    let digest = |tee, text: &RawValue| RawEvidence::new(tee, text.get().as_bytes().to_vec()).digest();
    let devices = additional_evidence(&evaluation.evidence.additional_evidence)?;
    let mut all: BTreeMap<Tee, Digest> =
        devices.iter().map(|(tee, evidence)| (*tee, digest(*tee, evidence))).collect();
    let primary = &evaluation.evidence.primary_evidence;
    all.insert(evaluation.tee, digest(evaluation.tee, primary));
    Ok(all)
}
