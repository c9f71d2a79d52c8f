//! The bytes of each message, field by field as Trustee's `attestation.proto` numbers them.

use std::collections::HashMap;
use std::fmt::Debug;

use assay_attestation_service::Faces;
use assay_attestation_service::proto::attestation_service_server::AttestationServiceServer;
use assay_attestation_service::proto::individual_attestation_request::{InitData, RuntimeData};
use assay_attestation_service::proto::{
    AttestationRequest, AttestationResponse, ChallengeRequest, ChallengeResponse, DESCRIPTORS,
    IndividualAttestationRequest, SetPolicyRequest, SetPolicyResponse,
};
use prost::Message;
use tonic::server::NamedService as _;

/// A field of the wire type 2 (length-delimited), shorter than 128 bytes.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    assert!(content.len() < 128);
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn both_ways<M: Message + Default + PartialEq + Debug>(message: &M, bytes: &[u8]) {
    assert_eq!(message.encode_to_vec(), bytes);
    assert_eq!(&M::decode(bytes).unwrap(), message);
}

fn individual(
    runtime_data: Option<RuntimeData>,
    init_data: Option<InitData>,
) -> IndividualAttestationRequest {
    IndividualAttestationRequest {
        tee: "snp".into(),
        evidence: "e30".into(),
        runtime_data_hash_algorithm: "sha384".into(),
        runtime_data,
        init_data,
    }
}

#[test]
fn one_piece_of_evidence_with_each_choice() {
    let head = [field(1, "snp"), field(3, "e30")].concat();
    let tail = field(8, "sha384");
    both_ways(&individual(None, None), &[head.clone(), tail.clone()].concat());
    for (runtime_data, init_data, middle) in [
        (RuntimeData::RawRuntimeData("r".into()), InitData::InitDataDigest("d".into()), [4, 6]),
        (RuntimeData::StructuredRuntimeData("r".into()), InitData::InitDataToml("d".into()), [5, 7]),
    ] {
        let [runtime, init] = middle;
        let bytes = [head.clone(), field(runtime, "r"), field(init, "d"), tail.clone()].concat();
        both_ways(&individual(Some(runtime_data), Some(init_data)), &bytes);
    }
}

#[test]
fn the_other_messages() {
    let request = AttestationRequest {
        verification_requests: vec![
            IndividualAttestationRequest { tee: "a".into(), ..Default::default() };
            2
        ],
        policy_ids: vec!["p".into(), "q".into()],
    };
    let one = field(1, field(1, "a"));
    both_ways(&request, &[one.clone(), one, field(2, "p"), field(2, "q")].concat());
    both_ways(&AttestationResponse { attestation_token: "t".into() }, &field(1, "t"));
    both_ways(
        &SetPolicyRequest { policy_id: "i".into(), policy: "p".into() },
        &[field(1, "i"), field(2, "p")].concat(),
    );
    both_ways(&SetPolicyResponse {}, &[]);
    let entry = [field(1, "tee"), field(2, "se")].concat();
    both_ways(&ChallengeRequest { inner: HashMap::from([("tee".into(), "se".into())]) }, &field(1, entry));
    both_ways(&ChallengeResponse { attestation_challenge: "c".into() }, &field(1, "c"));
}

#[test]
fn the_service_and_its_methods_have_trustees_names() {
    assert_eq!(AttestationServiceServer::<Faces>::NAME, "attestation.AttestationService");
    let text = String::from_utf8_lossy(DESCRIPTORS);
    for name in ["AttestationEvaluate", "SetAttestationPolicy", "GetAttestationChallenge"] {
        assert!(text.contains(name), "{name}");
    }
}
