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

use assay_client::{ClientError, EvidenceError, EvidenceProvider, KbsClient, PassportClient};
use assay_emulator::Emulator;
use assay_key_broker_service::{Rate, Role, Settings, serve};
use assay_token::decode_unverified;
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{
    Clock as _, Digest, HashAlgorithm, InitData, InitDataMessage, SecretBytes, Tee, canonical_digest,
};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use world::{Answer, Guest, World, base64url, settings};

const INIT_DATA: &str = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\nnote = \"hello\"\n";

fn open() -> Settings {
    Settings { attestation_api: true, ..settings() }
}

async fn world() -> World {
    World::with(open()).await
}

async fn challenge(world: &World, tee: &str) -> Answer {
    let body = json!({ "tee": tee, "tee_params": "" });
    world.call("POST", "/challenge", &[], body.to_string()).await
}

/// A guest with a challenge of the passport interface.
async fn guest(world: &World, tee: Tee) -> Guest {
    let nonce = challenge(world, tee.as_str()).await.ok().text();
    let key = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    Guest { tee, cookie: String::new(), nonce, key }
}

fn runtime_data(guest: &Guest) -> Value {
    json!({ "nonce": guest.nonce, "tee-pubkey": guest.key.public_jwk() })
}

/// The request of a guest, bound to these runtime data.
fn bound_to(world: &World, guest: &Guest, runtime_data: &Value, hash: HashAlgorithm) -> Value {
    with_evidence(world, guest, runtime_data, hash, None, &[])
}

fn with_evidence(
    world: &World,
    guest: &Guest,
    runtime_data: &Value,
    hash: HashAlgorithm,
    init_data: Option<&Digest>,
    set: &[(String, String)],
) -> Value {
    let digest = canonical_digest(runtime_data, hash).unwrap();
    let evidence = world.emulator.evidence(guest.tee, digest.as_bytes(), init_data, set).unwrap();
    json!({
        "verification_requests": [{
            "tee": guest.tee,
            "evidence": base64url(&evidence.to_string()),
            "runtime_data": { "structured": runtime_data },
            "runtime_data_hash_algorithm": hash.as_str(),
        }],
        "policy_ids": [],
    })
}

fn request(world: &World, guest: &Guest) -> Value {
    bound_to(world, guest, &runtime_data(guest), HashAlgorithm::Sha384)
}

async fn attest(world: &World, body: &Value) -> Answer {
    world.call("POST", "/attestation", &[], body.to_string()).await
}

fn annotated(token: &str) -> Value {
    let (_, claims) = decode_unverified(token).unwrap();
    claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"].clone()
}

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
async fn challenges_are_asked_for_a_tee_that_is_taken() {
    let world = world().await;
    let first = challenge(&world, "snp").await.ok();
    assert_eq!(first.header("content-type"), "text/plain; charset=utf-8");
    assert_ne!(first.text(), challenge(&world, "snp").await.ok().text());
    for (body, refusal) in [
        (json!({ "tee": "abacus", "tee_params": "" }).to_string(), (422, "KBS-003")),
        (json!({ "tee": "nvidia", "tee_params": "" }).to_string(), (422, "KBS-004")),
        (json!({ "tee_params": "" }).to_string(), (400, "KBS-001")),
        (json!({ "tee": 5 }).to_string(), (400, "KBS-001")),
        (json!({ "tee": "snp", "tee_params": 5 }).to_string(), (400, "KBS-001")),
        (String::new(), (400, "KBS-001")),
        ("x".repeat(70_000), (413, "KBS-021")),
    ] {
        let answer = world.call("POST", "/challenge", &[], body.clone()).await;
        assert_eq!(answer.refusal(), (refusal.0, refusal.1.to_owned()), "{body:.80}");
    }
    world.call("POST", "/challenge", &[], json!({ "tee": "snp" }).to_string()).await.ok();
}

/// Each changes one thing of a good request. None of them uses up the challenge.
#[tokio::test]
async fn each_refusal_alone() {
    type Change = fn(&mut Value);
    let changes: &[(Change, u16, &str, &str)] = &[
        (|all| all["verification_requests"] = json!([]), 422, "KBS-050", "0 verification_requests"),
        (
            |all| {
                let one = all["verification_requests"][0].clone();
                all["verification_requests"] = json!([one, one]);
            },
            422,
            "KBS-050",
            "exactly one is taken",
        ),
        (|all| drop(one(all).remove("runtime_data")), 422, "KBS-049", "there are none"),
        (|all| one(all)["runtime_data"] = json!(null), 422, "KBS-049", "there are none"),
        (|all| one(all)["runtime_data"] = json!({ "raw": "AAAA" }), 422, "KBS-049", "raw runtime data"),
        (|all| drop(structured(all).remove("nonce")), 422, "KBS-049", "no nonce"),
        (|all| structured(all)["nonce"] = json!(5), 422, "KBS-049", "no nonce"),
        (|all| drop(structured(all).remove("tee-pubkey")), 422, "KBS-049", "no tee-pubkey"),
        (|all| structured(all)["tee-pubkey"] = json!("key"), 422, "KBS-049", "no tee-pubkey"),
        (
            |all| drop(structured(all).insert("additional-evidence".into(), json!("{\"nvidia\":{}}"))),
            422,
            "KBS-049",
            "evidence of devices is not taken",
        ),
        (|all| one(all)["runtime_data"]["structured"] = json!([]), 422, "KBS-049", "no nonce"),
        (|all| structured(all)["nonce"] = json!("bm9uY2U="), 401, "KBS-046", "ask for one at /challenge"),
        (|all| structured(all)["nonce"] = json!(""), 401, "KBS-046", "too short"),
        (|all| structured(all)["nonce"] = json!("A".repeat(300)), 401, "KBS-046", "too long"),
        (|all| one(all)["tee"] = json!("snp"), 422, "KBS-051", "asked for sample"),
        (|all| one(all)["tee"] = json!("abacus"), 422, "KBS-003", "abacus"),
        (|all| one(all)["evidence"] = json!("a+b="), 400, "KBS-031", "evidence"),
        (|all| one(all)["evidence"] = json!(base64url("{}")), 400, "AS-001", ""),
        (|all| one(all)["runtime_data_hash_algorithm"] = json!("md5"), 400, "KBS-001", "md5"),
        (|all| one(all)["runtime_data_hash_algorithm"] = json!("sha512"), 401, "AS-003", ""),
        (
            |all| drop(structured(all).insert("more".into(), json!("member"))),
            401,
            "AS-003",
            "another nonce or key",
        ),
        (
            |all| drop(one(all).insert("init_data".into(), json!({ "init_data_toml": "no = toml = " }))),
            400,
            "AS-006",
            "",
        ),
        (
            |all| drop(one(all).insert("init_data".into(), json!({ "init_data_digest": "a+b=" }))),
            400,
            "KBS-031",
            "init_data_digest",
        ),
        (
            |all| drop(one(all).insert("init_data".into(), json!({ "init_data_digest": "AAAA" }))),
            422,
            "KBS-052",
            "3 bytes",
        ),
        (|all| one(all)["runtime_data"] = json!({ "structured": {}, "raw": "" }), 400, "KBS-001", ""),
        (|all| one(all)["runtime_data"] = json!({ "other": {} }), 400, "KBS-001", "other"),
        (|all| drop(all.as_object_mut().unwrap().remove("verification_requests")), 400, "KBS-001", ""),
        (|all| all["policy_ids"] = json!(["nobody-set-it"]), 422, "AS-008", "nobody-set-it"),
        (
            |all| all["policy_ids"] = (0..9).map(|n| json!(format!("p{n}"))).collect(),
            400,
            "AS-010",
            "10 policy ids",
        ),
    ];
    let world = world().await;
    let guest = guest(&world, Tee::Sample).await;
    let good = request(&world, &guest);
    for (index, (change, status, code, detail)) in changes.iter().enumerate() {
        let mut body = good.clone();
        change(&mut body);
        let answer = attest(&world, &body).await;
        assert_eq!(answer.refusal(), (*status, (*code).to_owned()), "{index}: {}", answer.text());
        let text = answer.text();
        let found = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(found.contains(detail) || text.contains(detail), "{index}: {text} / {detail}");
        assert!(answer.json()["type"].as_str().unwrap().contains("/kbs/errors/"), "Trustee's form");
    }
    attest(&world, &good).await.ok();
}

fn one(all: &mut Value) -> &mut serde_json::Map<String, Value> {
    all["verification_requests"][0].as_object_mut().unwrap()
}

fn structured(all: &mut Value) -> &mut serde_json::Map<String, Value> {
    one(all)["runtime_data"]["structured"].as_object_mut().unwrap()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let world = world().await;
    let answer = world.call("POST", "/attestation", &[], vec![b' '; (2 << 20) + 1]).await;
    assert_eq!(answer.refusal(), (413, "KBS-021".to_owned()));
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
async fn a_challenge_gives_one_token_whatever_evidence_and_key_come_after() {
    let world = world().await;
    let mut guest = guest(&world, Tee::Sample).await;
    let body = request(&world, &guest);
    attest(&world, &body).await.ok();
    let used = (401, "KBS-048".to_owned());
    assert_eq!(attest(&world, &body).await.refusal(), used);
    guest.key = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    let other = request(&world, &guest);
    assert_eq!(attest(&world, &other).await.refusal(), used);
    let replica = world.replica().await;
    assert_eq!(attest(&replica, &other).await.refusal(), used);
    let world = world.restarted().await;
    assert_eq!(attest(&world, &other).await.refusal(), used);
}

#[tokio::test]
async fn a_challenge_is_good_at_a_replica_and_after_a_restart() {
    let world = world().await;
    let (one, two) = (guest(&world, Tee::Sample).await, guest(&world, Tee::Sample).await);
    let replica = world.replica().await;
    attest(&replica, &request(&world, &one)).await.ok();
    drop(replica);
    let world = world.restarted().await;
    attest(&world, &request(&world, &two)).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_with_one_challenge_get_one_token() {
    let world = Arc::new(world().await);
    let replica = Arc::new(world.replica().await);
    let guest = guest(&world, Tee::Sample).await;
    let body = Arc::new(request(&world, &guest));
    let answers = join_all((0..20).map(|n| {
        let (world, body) = (Arc::clone(if n % 2 == 0 { &world } else { &replica }), Arc::clone(&body));
        tokio::spawn(async move { attest(&world, &body).await })
    }))
    .await;
    let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
    let given = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|a| a.status != 200 && a.refusal() == (401, "KBS-048".to_owned()));
    assert_eq!((given, refused.count()), (1, 19));
}

#[tokio::test]
async fn a_challenge_ends_with_its_time() {
    let world = world().await;
    let (one, two) = (guest(&world, Tee::Sample).await, guest(&world, Tee::Sample).await);
    world.clock.advance(299);
    attest(&world, &request(&world, &one)).await.ok();
    world.clock.advance(1);
    let late = attest(&world, &request(&world, &two)).await;
    assert_eq!(late.refusal(), (401, "KBS-047".to_owned()));
    assert!(late.text().contains(&world.clock.now().to_string()), "{}", late.text());
}

/// The challenge is public: it stands in the token. It must be no key to a session.
#[tokio::test]
async fn challenges_and_cookies_do_not_stand_for_each_other() {
    let world = World::with(open()).await;
    world.set_resource("a/b/c", b"x").await;
    let passport = guest(&world, Tee::Sample).await;
    attest(&world, &request(&world, &passport)).await.ok();
    let cookie = format!("kbs-session-id={}", passport.nonce);
    for path in ["/kbs/v0/resource/a/b/c", "/kbs/v0/verdict"] {
        let answer = world.call("GET", path, &[("cookie", &cookie)], "").await;
        assert_eq!(answer.refusal(), (401, "KBS-006".to_owned()), "{path}");
    }
    let rcar = world.guest(Tee::Sample).await;
    for nonce in [&rcar.cookie, &rcar.nonce] {
        let stolen = Guest { nonce: nonce.clone(), ..guest(&world, Tee::Sample).await };
        assert_eq!(attest(&world, &request(&world, &stolen)).await.refusal(), (401, "KBS-046".to_owned()));
    }
    let rcar = Guest { cookie: passport.nonce.clone(), ..rcar };
    assert_eq!(world.attest(&rcar, &[]).await.refusal(), (401, "KBS-006".to_owned()));
}

#[tokio::test]
async fn a_changed_challenge_is_none() {
    let world = world().await;
    let mut guest = guest(&world, Tee::Sample).await;
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&guest.nonce).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    guest.nonce = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    assert_eq!(attest(&world, &request(&world, &guest)).await.refusal(), (401, "KBS-046".to_owned()));
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
async fn too_many_calls_from_one_address_are_refused() {
    let rate = Rate { per_minute: 1.try_into().unwrap(), burst: 3.try_into().unwrap() };
    let world = World::with(Settings { auth_rate: Some(rate), attest_rate: Some(rate), ..open() }).await;
    for path in ["/challenge", "/attestation"] {
        for _ in 0..3 {
            assert_eq!(world.call("POST", path, &[], "").await.status, 400);
        }
        let answer = world.call("POST", path, &[], "").await;
        assert_eq!(answer.refusal(), (429, "KBS-024".to_owned()), "{path}");
        assert!(!answer.header("retry-after").is_empty());
    }
    // The limit is the one of RCAR, not one beside it.
    assert_eq!(world.call("POST", "/kbs/v0/auth", &[], "").await.status, 429);
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
