//! What the attestation service is asked, by REST and by gRPC, from any bytes: no panic, and both forms of one
//! request read to the same.
#![no_main]

use assay_attestation_service::proto::individual_attestation_request::{InitData, RuntimeData};
use assay_attestation_service::proto::{AttestationRequest as Wire, IndividualAttestationRequest};
use assay_attestation_service::{
    AttestationRequest, EvidenceRequest, InitDataInput, RuntimeDataInput, VerificationRequest, policy_text,
};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

/// The same request as gRPC carries it.
fn wire(request: &VerificationRequest) -> IndividualAttestationRequest {
    IndividualAttestationRequest {
        tee: request.tee.clone(),
        evidence: request.evidence.clone(),
        runtime_data_hash_algorithm: request.runtime_data_hash_algorithm.clone().unwrap_or_default(),
        runtime_data: request.runtime_data.as_ref().map(|data| match data {
            RuntimeDataInput::Raw(text) => RuntimeData::RawRuntimeData(text.clone()),
            RuntimeDataInput::Structured(value) => RuntimeData::StructuredRuntimeData(value.to_string()),
        }),
        init_data: request.init_data.as_ref().map(|data| match data {
            InitDataInput::InitDataDigest(text) => InitData::InitDataDigest(text.clone()),
            InitDataInput::InitDataToml(text) => InitData::InitDataToml(text.clone()),
        }),
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<AttestationRequest>(bytes) {
        for one in &request.verification_requests {
            // The empty name of a hash is none in gRPC, and an unknown one in JSON.
            if one.runtime_data_hash_algorithm.as_deref() == Some("") {
                continue;
            }
            let (a, b) = (EvidenceRequest::try_from(one), EvidenceRequest::try_from(&wire(one)));
            match (a, b) {
                (Ok(a), Ok(b)) => assert_eq!(format!("{a:?}"), format!("{b:?}")),
                (a, b) => assert_eq!(a.is_err(), b.is_err()),
            }
        }
    }
    if let Ok(request) = Wire::decode(bytes) {
        for one in &request.verification_requests {
            let _ = EvidenceRequest::try_from(one);
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = policy_text(text);
    }
});
