//! The gRPC face.

use std::collections::HashMap;

use assay_access::Role;
use assay_attestation_service::proto;
use assay_attestation_service::proto::individual_attestation_request::{InitData, RuntimeData};
use assay_types::{Digest, Tee};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use tonic::Code;
use tonic::metadata::MetadataMap;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::door::{Door, broker_request, individual, request};

fn annotated(claims: &Value, submod: &str) -> Value {
    claims["submods"][submod]["ear.veraison.annotated-evidence"].clone()
}

#[tokio::test]
async fn evidence_of_every_tee_gives_a_token_that_holds() {
    let door = Door::open(false).await;
    door.world.register_good_snp().await;
    door.world.register_good_cca().await;
    for (tee, status) in [
        (Tee::Snp, "affirming"),
        (Tee::Tdx, "contraindicated"),
        (Tee::Cca, "affirming"),
        (Tee::Sample, "contraindicated"),
    ] {
        let (request, data) = broker_request(&door.world, tee, "a nonce of the key broker");
        let token = door.evaluate(request).await.unwrap();
        let claims = door.verified(&token).await.claims;
        assert_eq!(annotated(&claims, "cpu0")["runtime_data_claims"], data, "{tee}");
        assert_eq!(claims["submods"]["cpu0"]["ear.status"], status, "{tee}");
    }
}

#[tokio::test]
async fn several_pieces_have_submodules_with_data_of_their_own() {
    let door = Door::open(false).await;
    let (one, two) = (json!({ "nonce": "1" }), json!({ "nonce": "2" }));
    let pieces = vec![individual(&door.world, Tee::Snp, &one), individual(&door.world, Tee::Sample, &two)];
    let token = door.evaluate(request(pieces)).await.unwrap();
    let claims = door.verified(&token).await.claims;
    assert_eq!(annotated(&claims, "cpu0")["runtime_data_claims"], one);
    assert_eq!(annotated(&claims, "cpu1")["runtime_data_claims"], two);
    assert!(annotated(&claims, "cpu0").get("snp").is_some());
    assert!(annotated(&claims, "cpu1").get("sample").is_some());
}

#[tokio::test]
async fn one_bad_piece_spoils_all() {
    let door = Door::open(false).await;
    let good = individual(&door.world, Tee::Snp, &json!({ "nonce": "1" }));
    let mut bad = individual(&door.world, Tee::Sample, &json!({ "nonce": "2" }));
    bad.runtime_data = Some(RuntimeData::StructuredRuntimeData(r#"{"nonce":"3"}"#.into()));
    for pieces in [vec![good.clone(), bad.clone()], vec![bad, good]] {
        let status = door.evaluate(request(pieces)).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().starts_with("AS-003: sample: "), "{status}");
    }
}

#[tokio::test]
async fn raw_runtime_data_are_the_report_data_themselves() {
    let door = Door::open(false).await;
    let bytes = [7_u8; 64];
    let evidence = door.world.emulator.evidence(Tee::Snp, &bytes, None, &[]).unwrap();
    let raw = |bytes: &[u8]| {
        request(vec![proto::IndividualAttestationRequest {
            tee: "snp".into(),
            evidence: BASE64_URL_SAFE_NO_PAD.encode(evidence.to_string()),
            runtime_data: Some(RuntimeData::RawRuntimeData(BASE64_URL_SAFE_NO_PAD.encode(bytes))),
            ..Default::default()
        }])
    };
    let claims = door.verified(&door.evaluate(raw(&bytes)).await.unwrap()).await.claims;
    let annotated = annotated(&claims, "cpu0");
    assert_eq!(annotated["report_data"], "07".repeat(64));
    assert!(annotated.get("runtime_data_claims").is_none());
    let status = door.evaluate(raw(&[8; 64])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    // One byte more than there is room for is never cut off.
    assert!(door.evaluate(raw(&[7; 65])).await.is_err());
}

#[tokio::test]
async fn init_data_are_bound_by_digest_and_by_text() {
    let door = Door::open(false).await;
    let text = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\nnote = \"hello\"\n";
    let digest = Digest::sha256(text.as_bytes());
    let evidence = door.world.emulator.evidence(Tee::Snp, &[1], Some(&digest), &[]).unwrap();
    let with = |init_data| {
        request(vec![proto::IndividualAttestationRequest {
            tee: "snp".into(),
            evidence: BASE64_URL_SAFE_NO_PAD.encode(evidence.to_string()),
            init_data: Some(init_data),
            ..Default::default()
        }])
    };
    let by_text = with(InitData::InitDataToml(text.into()));
    let claims = door.verified(&door.evaluate(by_text).await.unwrap()).await.claims;
    assert_eq!(annotated(&claims, "cpu0")["init_data_claims"]["note"], "hello");
    let encoded = |bytes: &[u8]| InitData::InitDataDigest(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let token = door.evaluate(with(encoded(digest.as_bytes()))).await.unwrap();
    let claims = door.verified(&token).await.claims;
    assert!(annotated(&claims, "cpu0").get("init_data_claims").is_none());
    let status = door.evaluate(with(encoded(&[0; 32]))).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let status = door.evaluate(with(InitData::InitDataToml(format!("{text}#")))).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_code() {
    let door = Door::open(false).await;
    let good = broker_request(&door.world, Tee::Snp, "n").0;
    let change = |change: &dyn Fn(&mut proto::IndividualAttestationRequest)| {
        let mut request = good.clone();
        change(&mut request.verification_requests[0]);
        request
    };
    for (request, code, part) in [
        (proto::AttestationRequest::default(), Code::InvalidArgument, "AS-011"),
        (change(&|one| one.tee = "abacus".into()), Code::FailedPrecondition, "AS-042"),
        (change(&|one| one.tee = "sgx".into()), Code::InvalidArgument, "AS-001"),
        (change(&|one| one.tee = "nvidia".into()), Code::FailedPrecondition, "AS-004"),
        (change(&|one| one.evidence = "=".into()), Code::InvalidArgument, "AS-041"),
        (change(&|one| one.runtime_data_hash_algorithm = "md5".into()), Code::InvalidArgument, "AS-043"),
        (
            change(&|one| one.runtime_data_hash_algorithm = "sha256".into()),
            Code::FailedPrecondition,
            "AS-003",
        ),
        (
            proto::AttestationRequest { policy_ids: vec!["none".into()], ..good.clone() },
            Code::FailedPrecondition,
            "AS-008",
        ),
        (
            proto::AttestationRequest { policy_ids: vec!["default".into(); 9], ..good.clone() },
            Code::InvalidArgument,
            "AS-010",
        ),
        (request(vec![good.verification_requests[0].clone(); 18]), Code::InvalidArgument, "AS-011"),
    ] {
        let status = door.evaluate(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().starts_with(part), "{status}");
        let named = status.metadata().get("assay-code").unwrap().to_str().unwrap();
        assert_eq!(named, part);
        assert!(status.metadata().get("x-request-id").is_some());
    }
    assert!(door.evaluate(good).await.is_ok(), "the good one is good");
}

#[tokio::test]
async fn a_policy_is_set_and_judges() {
    let door = Door::open(false).await;
    let policy = "package policy\nimport rego.v1\ntrust_claims := {\"hardware\": 2, \"executables\": 3}\n";
    let message = proto::SetPolicyRequest {
        policy_id: "mine_cpu".into(),
        policy: BASE64_URL_SAFE_NO_PAD.encode(policy),
    };
    door.client().set_attestation_policy(door.of(Some(Role::PolicyWriter), message)).await.unwrap();
    let (request, _) = broker_request(&door.world, Tee::Snp, "n");
    let request = proto::AttestationRequest { policy_ids: vec!["mine".into()], ..request };
    let claims = door.verified(&door.evaluate(request).await.unwrap()).await.claims;
    assert_eq!(claims["submods"]["cpu0"]["ear.status"], "affirming");
    assert_eq!(claims["submods"]["cpu0"]["ear.appraisal-policy-id"], "mine");
    let bad = proto::SetPolicyRequest {
        policy_id: "mine_cpu".into(),
        policy: BASE64_URL_SAFE_NO_PAD.encode("package policy\nallow if {"),
    };
    let status = door.client().set_attestation_policy(door.of(Some(Role::Admin), bad)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
}

#[tokio::test]
async fn a_challenge_of_the_service_counts_once_for_key_brokers_too() {
    let door = Door::open(false).await;
    let inner = HashMap::from([("tee".into(), "snp".into()), ("tee_params".into(), String::new())]);
    let asked = door.of(Some(Role::Evaluator), proto::ChallengeRequest { inner });
    let nonce =
        door.client().get_attestation_challenge(asked).await.unwrap().into_inner().attestation_challenge;
    let (of_other_tee, _) = broker_request(&door.world, Tee::Sample, &nonce);
    let status = door.evaluate(of_other_tee).await.unwrap_err();
    assert!(status.message().starts_with("AS-053"), "{status}");
    let (request, _) = broker_request(&door.world, Tee::Snp, &nonce);
    door.evaluate(request.clone()).await.unwrap();
    let status = door.evaluate(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().starts_with("AS-052"), "{status}");
    // One's own may be used as often as one likes: one answers for it.
    let (request, _) = broker_request(&door.world, Tee::Snp, "own");
    door.evaluate(request.clone()).await.unwrap();
    door.evaluate(request).await.unwrap();
}

#[tokio::test]
async fn health_is_told_and_what_is_not_served_is_said() {
    let door = Door::open(false).await;
    let mut health = HealthClient::new(door.channel.clone());
    for name in ["", "attestation.AttestationService"] {
        let answer = health.check(HealthCheckRequest { service: name.into() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name}");
    }
    let unknown = HealthCheckRequest { service: "other".into() };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);
    for path in ["/attestation.AttestationService/Nothing", "/nothing.Service/Nothing"] {
        let mut client = tonic::client::Grpc::new(door.channel.clone());
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<proto::SetPolicyResponse, proto::SetPolicyResponse>::default();
        let request = tonic::Request::new(proto::SetPolicyResponse {});
        let answer: Result<tonic::Response<proto::SetPolicyResponse>, _> =
            client.unary(request, path.parse().unwrap(), codec).await;
        let code = answer.unwrap_err().code();
        assert!(matches!(code, Code::Unimplemented | Code::NotFound), "{path}: {code:?}");
    }
    door.world.store.close().await;
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::NotServing);
    assert_eq!(door.rest(None, "GET", "/readyz", "").await.0, 503);
    assert_eq!(door.rest(None, "GET", "/healthz", "").await.0, 200);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let door = Door::open(false).await;
    let (mut request, _) = broker_request(&door.world, Tee::Snp, "n");
    request.verification_requests[0].evidence = "A".repeat(3 << 20);
    let status = door.evaluate(request).await.unwrap_err();
    assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status}");
    let empty: &MetadataMap = status.metadata();
    assert!(empty.get("assay-code").is_none());
}
