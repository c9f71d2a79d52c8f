//! The attestation service's own interface: a challenge, a token, and what the token is good for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod world;

use std::sync::Arc;

use assay_access::Role;
use assay_client::{ClientError, EvidenceError, EvidenceProvider, KbsClient, PassportClient};
use assay_emulator::Emulator;
use assay_key_broker_service::{Settings, serve};
use assay_token::decode_unverified;
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{Digest, HashAlgorithm, InitData, InitDataMessage, SecretBytes, Tee};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use world::passport::{
    annotated, attest, bound_to, guest, one, open, request, runtime_data, with_evidence, world,
};
use world::{World, base64url};

const INIT_DATA: &str = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\nnote = \"hello\"\n";

#[tokio::test]
async fn a_passport_opens_the_secret_that_is_encrypted_to_its_key() {
    let world = world().await;
    world.register_good_guests().await;
    world.set_resource("default/key/1", b"the secret").await;
    for tee in [Tee::Sample, Tee::Snp] {
        let guest = guest(&world, tee).await;
        let answer = attest(&world, &request(&world, &guest)).await.ok();
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("set-cookie"), "");
        let token = answer.text();
        assert_eq!(annotated(&token)["runtime_data_claims"], runtime_data(&guest));
        let answer = world.get_with_token(&token, "/kbs/v0/resource/default/key/1").await;
        assert_eq!(guest.decrypt(&answer), b"the secret");
    }
}

#[tokio::test]
async fn the_verdict_is_kept_for_the_guest_and_the_auditor() {
    let world = world().await;
    let guest = guest(&world, Tee::Snp).await;
    let token = attest(&world, &request(&world, &guest)).await.ok().text();
    let own = world.get_with_token(&token, "/kbs/v0/verdict").await.ok().json();
    assert_eq!(own["status"], "contraindicated", "no reference values are there");
    let path = format!("/kbs/v0/verdict/{}", own["jti"].as_str().unwrap());
    assert_eq!(world.administer(Role::Auditor, "GET", &path, "").await.ok().json(), own);
    let metrics = world.call("GET", "/metrics", &[], "").await.ok().text();
    for line in [
        "kbs_auth_requests_total 1",
        "kbs_auth_successes_total 1",
        "kbs_attestation_requests_total 1",
        "kbs_attestation_successes_total{tee_type=\"snp\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn the_interface_is_closed_unless_it_is_opened() {
    assert!(!Settings::default().attestation_api);
    let closed = World::new().await;
    let opened = world().await;
    let guest = guest(&opened, Tee::Sample).await;
    let body = request(&opened, &guest).to_string();
    for (method, path, body) in [
        ("POST", "/challenge", json!({ "tee": "sample", "tee_params": "" }).to_string()),
        ("POST", "/attestation", body),
        ("GET", "/challenge", String::new()),
        ("GET", "/attestation", String::new()),
    ] {
        let answer = closed.call(method, path, &[], body).await;
        assert_eq!(answer.refusal(), (404, "KBS-019".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn other_members_of_the_runtime_data_are_bound_and_shown() {
    let world = world().await;
    let guest = guest(&world, Tee::Snp).await;
    let mut data = runtime_data(&guest);
    data["additional-evidence"] = json!("");
    data["workload"] = json!({ "name": ["a", 1, null] });
    let token = attest(&world, &bound_to(&world, &guest, &data, HashAlgorithm::Sha384)).await.ok().text();
    assert_eq!(annotated(&token)["runtime_data_claims"], data);
}

#[tokio::test]
async fn every_hash_of_the_runtime_data_is_taken_and_sha384_is_the_default() {
    let world = world().await;
    for hash in HashAlgorithm::ALL {
        let guest = guest(&world, Tee::Snp).await;
        attest(&world, &bound_to(&world, &guest, &runtime_data(&guest), hash)).await.ok();
    }
    for (hash, status) in [(HashAlgorithm::Sha384, 200), (HashAlgorithm::Sha256, 401)] {
        let guest = guest(&world, Tee::Snp).await;
        let mut body = bound_to(&world, &guest, &runtime_data(&guest), hash);
        one(&mut body).remove("runtime_data_hash_algorithm");
        body.as_object_mut().unwrap().remove("policy_ids");
        assert_eq!(attest(&world, &body).await.status, status, "{hash}");
    }
}

#[tokio::test]
async fn init_data_are_bound_as_text_with_claims_and_as_digest_without() {
    let world = world().await;
    let digest = InitData::from_toml(INIT_DATA).unwrap().digest;
    let other = Digest::sha256(b"other");
    let text = json!({ "init_data_toml": INIT_DATA });
    let given =
        |digest: &Digest| json!({ "init_data_digest": BASE64_URL_SAFE_NO_PAD.encode(digest.as_bytes()) });
    for (measured, sent, status, claims) in [
        (&digest, text.clone(), 200, json!({ "note": "hello" })),
        (&digest, given(&digest), 200, Value::Null),
        (&other, text, 401, Value::Null),
        (&digest, given(&other), 401, Value::Null),
        (&digest, given(&Digest::sha384(INIT_DATA.as_bytes())), 401, Value::Null),
    ] {
        let guest = guest(&world, Tee::Snp).await;
        let data = runtime_data(&guest);
        let mut body = with_evidence(&world, &guest, &data, HashAlgorithm::Sha384, Some(measured), &[]);
        one(&mut body).insert("init_data".into(), sent.clone());
        let answer = attest(&world, &body).await;
        assert_eq!(answer.status, status, "{sent}: {}", answer.text());
        if status == 200 {
            assert_eq!(annotated(&answer.text()).get("init_data_claims").unwrap_or(&Value::Null), &claims);
        } else {
            assert_eq!(answer.refusal().1, "AS-003");
        }
    }
}

/// Else a guest would choose the judge.
#[tokio::test]
async fn a_guest_can_add_policies_but_not_get_out_of_the_services() {
    let world = world().await;
    world.set_resource("a/b/c", b"x").await;
    let lenient = "package policy\nimport rego.v1\n\
                   trust_claims := {\"executables\": 3, \"hardware\": 2, \"configuration\": 2}\n";
    let body = json!({ "type": "rego", "policy_id": "lenient_cpu", "policy": base64url(lenient) });
    world.administer(Role::Admin, "POST", "/kbs/v0/attestation-policy", body.to_string()).await.ok();
    let asking = async |world: &World, policies: Value| {
        let guest = guest(world, Tee::Snp).await;
        let mut body = request(world, &guest);
        body["policy_ids"] = policies;
        let token = attest(world, &body).await.ok().text();
        let (_, claims) = decode_unverified(&token).unwrap();
        let cpu = &claims["submods"]["cpu0"];
        (cpu["ear.status"].clone(), cpu["ear.appraisal-policy-id"].clone(), token)
    };
    let (status, policies, token) = asking(&world, json!(["lenient"])).await;
    assert_eq!(status, "contraindicated");
    assert!(policies.as_str().unwrap().contains("lenient") && policies.as_str().unwrap().contains("default"));
    assert_eq!(world.get_with_token(&token, "/kbs/v0/resource/a/b/c").await.status, 403);
    // The same policy alone would affirm: the settings decide.
    let chosen = Settings { attestation_policies: vec!["lenient".to_owned()], ..open() };
    let other = World::with(chosen).await;
    other.administer(Role::Admin, "POST", "/kbs/v0/attestation-policy", body.to_string()).await.ok();
    let (status, ..) = asking(&other, json!([])).await;
    assert_eq!(status, "affirming");
    let (status, ..) = asking(&other, json!(["default"])).await;
    assert_eq!(status, "contraindicated", "what a guest adds can make it stricter");
}

#[tokio::test]
async fn more_policies_than_are_applied_are_refused_before_anything_is_done_with_them() {
    let world = world().await;
    let guest = guest(&world, Tee::Snp).await;
    let mut body = request(&world, &guest);
    body["policy_ids"] = json!(vec!["same"; 9]);
    assert_eq!(attest(&world, &body).await.refusal().1, "AS-010");
    // The challenge was not spent on it.
    body["policy_ids"] = json!([]);
    attest(&world, &body).await.ok();
}

struct Emulated {
    emulator: Emulator,
    tee: Tee,
    set: Vec<(String, String)>,
}

#[async_trait::async_trait]
impl EvidenceProvider for Emulated {
    fn tee(&self) -> Tee {
        self.tee
    }

    async fn evidence(&self, digest: &Digest) -> Result<Value, EvidenceError> {
        let init_data = InitData::from_toml(INIT_DATA).unwrap().digest;
        let evidence = self.emulator.evidence(self.tee, digest.as_bytes(), Some(&init_data), &self.set);
        evidence.map_err(|error| EvidenceError::new(error.to_string()))
    }

    fn init_data(&self) -> Option<InitDataMessage> {
        Some(InitDataMessage { format: "toml".into(), body: INIT_DATA.into() })
    }
}

/// The project's own client against the project's own server, with the key it hands out.
#[tokio::test]
async fn the_projects_own_client_gets_its_passport_and_its_secret() {
    let world = world().await;
    world.register_good_guests().await;
    world.set_resource("default/key/1", b"the secret").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let broker = world.broker.clone();
    let server = tokio::spawn(async move { serve(&broker, listener, None, std::future::pending()).await });
    let emulated = |set: &[(&str, &str)]| {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Arc::new(Emulated { emulator: world.emulator.clone(), tee: Tee::Snp, set })
    };
    let client = KbsClient::builder(&url)
        .unwrap()
        .passport(&url, None)
        .unwrap()
        .evidence_provider(emulated(&[]))
        .clock(world.clock.clone())
        .build()
        .unwrap();
    let path = "default/key/1".parse().unwrap();
    assert_eq!(client.resource(&path).await.unwrap().expose(), b"the secret");
    assert_eq!(client.verdict().await.unwrap()["status"], "affirming");

    // Somebody else in the guest takes token and key, and does the same without this client.
    let both = client.token_and_key().await.unwrap();
    assert_eq!(annotated(both.token.as_str())["init_data_claims"]["note"], "hello");
    let pem = std::str::from_utf8(both.tee_keypair.expose()).unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = SecretBytes::new(BASE64_STANDARD.decode(der).unwrap());
    let key = DecryptionKey::from_pkcs8(KeyAlgorithm::EcdhP256, &der).unwrap();
    let answer = world.get_with_token(both.token.as_str(), "/kbs/v0/resource/default/key/1").await.ok();
    let jwe = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(key.decrypt(&jwe).unwrap().expose(), b"the secret");

    // A guest that is not genuine gets no token, and is told why, once.
    let alone = |provider| {
        let builder = PassportClient::builder(&url).unwrap().evidence_provider(provider);
        builder.clock(world.clock.clone()).build().unwrap()
    };
    alone(emulated(&[])).token().await.unwrap();
    let mismatched = alone(Arc::new(Emulated {
        emulator: Emulator::new(assay_emulator::Seed::new([9; 32])),
        tee: Tee::Snp,
        set: Vec::new(),
    }));
    let error = mismatched.token().await.unwrap_err();
    assert!(matches!(error, ClientError::Denied { status: 401, .. }), "{error}");
    assert!(format!("{error:?}").contains("SNP-"), "{error:?}");
    server.abort();
}
