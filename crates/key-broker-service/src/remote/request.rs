//! What a remote attestation service is asked, member by member as Trustee's key broker asks.

use assay_attestation_service::proto::individual_attestation_request::{
    InitData as WireInitData, RuntimeData as WireRuntimeData,
};
use assay_attestation_service::proto::{AttestationRequest, IndividualAttestationRequest};
use assay_attestation_service::{DEFAULT_POLICY_ID, Evaluation, EvaluationError, additional_evidence};
use assay_types::{InitData, Tee, additional_runtime_data, primary_runtime_data};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::Value;
use serde_json::value::RawValue;

/// The request for an evaluation. What cannot be read here is refused here.
pub(super) fn of(evaluation: &Evaluation<'_>) -> Result<AttestationRequest, EvaluationError> {
    let text = evaluation.evidence.additional_evidence.as_str();
    let devices = additional_evidence(text)?;
    let init_data = match evaluation.init_data {
        Some(message) => {
            InitData::from_message(message)?;
            Some(WireInitData::InitDataToml(message.body.clone()))
        }
        None => None,
    };
    let hash = evaluation.runtime_data_hash.as_str();
    let one = |tee: Tee, evidence: &RawValue, runtime_data: &Value, init_data| IndividualAttestationRequest {
        tee: tee.to_string(),
        evidence: BASE64_URL_SAFE_NO_PAD.encode(evidence.get()),
        runtime_data_hash_algorithm: hash.to_owned(),
        runtime_data: Some(WireRuntimeData::StructuredRuntimeData(runtime_data.to_string())),
        init_data,
    };
    let primary = primary_runtime_data(evaluation.runtime_data, text);
    let additional = additional_runtime_data(evaluation.runtime_data);
    let mut verification_requests =
        vec![one(evaluation.tee, &evaluation.evidence.primary_evidence, &primary, init_data)];
    for (tee, evidence) in &devices {
        verification_requests.push(one(*tee, evidence, &additional, None));
    }
    let policy_ids = match evaluation.policy_ids {
        [] => vec![DEFAULT_POLICY_ID.to_owned()],
        some => some.to_vec(),
    };
    Ok(AttestationRequest { verification_requests, policy_ids })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::{CompositeEvidence, HashAlgorithm, InitDataMessage, RuntimeData};
    use prost::Message as _;
    use serde_json::json;

    const TOML: &str = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n";

    fn evidence(additional: &str) -> CompositeEvidence {
        let text = json!({ "primary_evidence": { "svn": "1" }, "additional_evidence": additional });
        serde_json::from_value(text).unwrap()
    }

    fn request(additional: &str) -> Result<AttestationRequest, EvaluationError> {
        let init_data = InitDataMessage { format: "toml".into(), body: TOML.into() };
        of(&Evaluation {
            tee: Tee::Sample,
            evidence: &evidence(additional),
            runtime_data: &RuntimeData { nonce: "n".into(), tee_pubkey: json!({ "kty": "EC" }) },
            runtime_data_hash: HashAlgorithm::Sha384,
            init_data: Some(&init_data),
            policy_ids: &[],
        })
    }

    #[test]
    fn the_members_are_trustees() {
        let devices = r#"{"sampledevice":{"a":1}}"#;
        let found = request(devices).unwrap();
        assert_eq!(found.policy_ids, ["default"]);
        let [cpu, device] = found.verification_requests.as_slice() else { panic!() };
        assert_eq!((cpu.tee.as_str(), device.tee.as_str()), ("sample", "sampledevice"));
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&cpu.evidence).unwrap(), br#"{"svn":"1"}"#);
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&device.evidence).unwrap(), br#"{"a":1}"#);
        assert_eq!(cpu.runtime_data_hash_algorithm, "sha384");
        assert_eq!(cpu.init_data, Some(WireInitData::InitDataToml(TOML.into())));
        assert_eq!(device.init_data, None);
        let structured = |one: &IndividualAttestationRequest| match &one.runtime_data {
            Some(WireRuntimeData::StructuredRuntimeData(text)) => {
                serde_json::from_str::<Value>(text).unwrap()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            structured(cpu),
            json!({ "tee-pubkey": { "kty": "EC" }, "nonce": "n", "additional-evidence": devices })
        );
        assert_eq!(structured(device), json!({ "tee-pubkey": { "kty": "EC" }, "nonce": "n" }));
        assert!(AttestationRequest::decode(found.encode_to_vec().as_slice()).unwrap() == found);
    }

    #[test]
    fn what_cannot_be_read_is_not_sent() {
        assert!(matches!(request("[]"), Err(EvaluationError::AdditionalEvidence { .. })));
        assert!(matches!(request(r#"{"abacus":{}}"#), Err(EvaluationError::AdditionalEvidence { .. })));
    }
}
