//! Veraison's interface, with the bodies and media types of its services.
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

use assay_access::Role;
use assay_cbor::Value as Cbor;
use assay_emulator::cca::{CorimKind, CorimTemplate};
use assay_emulator::{Emulator, Seed};
use assay_key_broker_service::{Rate, Settings};
use assay_token::{Curve, Jwk, JwkSet, TokenVerifier, TrustedKeys, decode_unverified};
use assay_types::{Clock as _, UnixTime, Validity};
use axum::body::Body;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use world::layered::{ANCHORS, LayeredEvidence, REALMS};
use world::{Answer, NOW, World, settings};

const EVIDENCE: &str = r#"application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0""#;
const SESSION: &str = "application/vnd.veraison.challenge-response-session+json";
const PROVISIONING: &str = "application/vnd.veraison.provisioning-session+json";
const NEW_SESSION: &str = "/challenge-response/v1/newSession";
const SUBMIT: &str = "/endorsement-provisioning/v1/submit";
const NONCE: [u8; 16] = [0xfb; 16];

/// A service that knows one key and one realm.
async fn world() -> World {
    world_with(settings()).await
}

async fn world_with(settings: Settings) -> World {
    let world = World::layered(settings).await;
    let (anchor, realm) = (format!("{ANCHORS}#1"), format!("{REALMS}#1"));
    world.register(json!({ anchor: { "key": "k1" }, realm: { "rim": "r1" }, "test-config": 1 })).await;
    world
}

fn nonce_query() -> String {
    format!("{NEW_SESSION}?nonce={}", BASE64_URL_SAFE_NO_PAD.encode(NONCE))
}

/// Begins a session for [`NONCE`]; gives the path of the session.
async fn begin(world: &World) -> String {
    let answer = world.call("POST", &nonce_query(), &[("accept", SESSION)], Body::empty()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    format!("/challenge-response/v1/{}", answer.header("location"))
}

async fn submit(world: &World, path: &str, evidence: impl Into<Body>) -> Answer {
    world.call("POST", path, &[("content-type", EVIDENCE), ("accept", SESSION)], evidence).await
}

/// The claims of the result in a session, after its signature was verified under the discovered key.
async fn result(world: &World, answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let session = answer.json();
    assert_eq!(session["status"], "complete");
    let token = session["result"].as_str().unwrap().to_owned();
    let discovery = world.call("GET", "/.well-known/veraison/verification", &[], Body::empty()).await.ok();
    let key: Jwk = serde_json::from_value(discovery.json()["ear-verification-key"].clone()).unwrap();
    let jwks = JwkSet { keys: vec![key] };
    let verifier = TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap();
    let claims = verifier.verify(&token, world.clock.now()).unwrap().claims;
    let (header, _) = decode_unverified(&token).unwrap();
    assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("ES256")));
    claims
}

fn only_submodule(claims: &Value, name: &str) -> Value {
    let submods = claims["submods"].as_object().unwrap();
    assert_eq!(submods.keys().collect::<Vec<_>>(), [name]);
    submods[name].clone()
}

#[tokio::test]
async fn discovery_says_what_veraison_says() {
    let world = world().await;
    let jwks = world.call("GET", "/.well-known/jwks.json", &[], Body::empty()).await.json();
    let answer = world.call("GET", "/.well-known/veraison/verification", &[], Body::empty()).await.ok();
    assert_eq!(answer.header("content-type"), "application/vnd.veraison.discovery+json");
    assert_eq!(answer.header("cache-control"), "max-age=60");
    let version = answer.json()["version"].as_str().unwrap().to_owned();
    assert!(!version.is_empty());
    assert_eq!(
        answer.json(),
        json!({
            "ear-verification-key": jwks["keys"][0],
            "media-types": [EVIDENCE],
            "attestation-schemes": ["ARM_CCA"],
            "version": version,
            "service-state": "READY",
            "api-endpoints": { "newChallengeResponseSession": NEW_SESSION },
        })
    );
    let accept = [("accept", "application/json")];
    let answer = world.call("GET", "/.well-known/veraison/provisioning", &accept, Body::empty()).await.ok();
    let media_types: Vec<String> = ["cbor", "cose"]
        .iter()
        .flat_map(|form| ["cca_platform", "cca_realm"].map(|part| (*form, part)))
        .map(|(form, part)| format!(r#"application/rim+{form}; profile="tag:arm.com,2025:{part}#1.0.0""#))
        .collect();
    assert_eq!(
        answer.json(),
        json!({
            "media-types": media_types,
            "attestation-schemes": ["ARM_CCA"],
            "version": version,
            "service-state": "READY",
            "api-endpoints": { "provisioningSubmit": SUBMIT },
        })
    );
    for path in ["/.well-known/veraison/verification", "/.well-known/veraison/provisioning"] {
        let answer = world.call("GET", path, &[("accept", "text/html")], Body::empty()).await;
        assert_eq!(answer.refusal(), (406, "KBS-038".to_owned()));
    }
}

#[tokio::test]
async fn a_full_exchange_has_the_bodies_of_veraison() {
    let world = world().await;
    let answer = world.call("POST", &nonce_query(), &[("accept", SESSION)], Body::empty()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (201, SESSION));
    assert_eq!(answer.header("cache-control"), "no-store");
    let expiry = world.clock.now().plus(150).to_string();
    let nonce = BASE64_URL_SAFE.encode(NONCE);
    let accept = serde_json::to_string(&[EVIDENCE]).unwrap();
    let begin = format!(r#""nonce":"{nonce}","expiry":"{expiry}","accept":{accept}"#);
    assert_eq!(answer.text(), format!(r#"{{"status":"waiting",{begin}}}"#));
    let location = answer.header("location").to_owned();
    let id = location.strip_prefix("session/").unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "a random UUID");
    let path = format!("/challenge-response/v1/{location}");
    assert_eq!(world.call("GET", &path, &[], Body::empty()).await.ok().body, answer.body);

    let evidence = LayeredEvidence::new(&NONCE).bytes();
    let answer = submit(&world, &path, evidence.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, SESSION));
    let claims = result(&world, &answer).await;
    let blob = json!({ "type": EVIDENCE, "value": BASE64_STANDARD.encode(&evidence) });
    let token = answer.json()["result"].as_str().unwrap().to_owned();
    let end = format!(r#""evidence":{blob},"result":"{token}""#);
    assert_eq!(answer.text(), format!(r#"{{"status":"complete",{begin},{end}}}"#));

    let now = world.clock.now().0;
    let settings = world.attestation.token_settings();
    assert!(claims["jti"].as_str().unwrap().len() > 8);
    let vector = |instance: i8, configuration: i8, executables: i8, hardware: i8| {
        json!({
            "instance-identity": instance, "configuration": configuration, "executables": executables,
            "file-system": 0, "hardware": hardware, "runtime-opaque": 0, "storage-opaque": 0,
            "sourced-data": 0,
        })
    };
    assert_eq!(
        claims,
        json!({
            "eat_profile": "tag:github.com,2023:veraison/ear",
            "iat": now,
            "exp": now + 300,
            "jti": claims["jti"],
            "eat_nonce": nonce,
            "ear.verifier-id": { "build": settings.build, "developer": settings.developer },
            "submods": {
                "CCA_SSD_PLATFORM": {
                    "ear.status": "affirming",
                    "ear.trustworthiness-vector": vector(2, 2, 0, 2),
                    "ear.appraisal-policy-id": "policy:ARM_CCA",
                    "ear.veraison.annotated-evidence":
                        { "cca-platform-profile": "http://arm.com/CCA-SSD/1.0.0" },
                },
                "CCA_REALM": {
                    "ear.status": "affirming",
                    "ear.trustworthiness-vector": vector(2, 0, 2, 0),
                    "ear.appraisal-policy-id": "policy:ARM_CCA",
                    "ear.veraison.annotated-evidence": { "cca-realm-initial-measurement": "r1" },
                },
            },
        })
    );

    assert_eq!(world.call("GET", &path, &[], Body::empty()).await.ok().body, answer.body);
    let deleted = world.call("DELETE", &path, &[], Body::empty()).await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
    for method in ["GET", "DELETE"] {
        let gone = world.call(method, &path, &[], Body::empty()).await;
        assert_eq!(gone.refusal(), (404, "KBS-042".to_owned()), "{method}");
    }
    let gone = submit(&world, &path, evidence).await;
    assert_eq!(gone.refusal(), (404, "KBS-042".to_owned()));
}

#[tokio::test]
async fn nonces_are_given_sized_or_made() {
    let world = world().await;
    let padded = format!("{NEW_SESSION}?nonce={}", BASE64_URL_SAFE.encode(NONCE));
    for (path, len) in [
        (nonce_query(), 16),
        (padded, 16),
        (format!("{NEW_SESSION}?nonceSize=8"), 8),
        (format!("{NEW_SESSION}?nonceSize=64"), 64),
        (NEW_SESSION.to_owned(), 32),
    ] {
        let answer = world.call("POST", &path, &[], Body::empty()).await;
        assert_eq!(answer.status, 201, "{path}");
        let nonce = BASE64_URL_SAFE.decode(answer.json()["nonce"].as_str().unwrap()).unwrap();
        assert_eq!(nonce.len(), len, "{path}");
    }
    for query in ["nonce=AQIDBAUGBwg&nonceSize=8", "nonceSize=7", "nonceSize=65", "nonce=AQID", "nonce=%2B"] {
        let answer = world.call("POST", &format!("{NEW_SESSION}?{query}"), &[], Body::empty()).await;
        assert_eq!(answer.refusal(), (400, "KBS-040".to_owned()), "{query}");
        let problem = answer.json();
        assert_eq!((&problem["title"], &problem["status"]), (&json!("Bad Request"), &json!(400)));
        assert!(problem["type"].is_string() && problem["detail"].is_string());
    }
}

#[tokio::test]
async fn a_nonce_takes_evidence_once_good_or_bad() {
    let world = world().await;
    let good = LayeredEvidence::new(&NONCE).bytes();
    let bad = LayeredEvidence::new(&[1; 16]).bytes();
    for (first, second) in [(good.clone(), good.clone()), (bad, good)] {
        let path = begin(&world).await;
        let answer = submit(&world, &path, first).await.ok();
        let again = submit(&world, &path, second).await;
        assert_eq!(again.refusal(), (409, "KBS-043".to_owned()));
        assert!(again.json()["detail"].as_str().unwrap().contains("a nonce serves once"));
        assert_eq!(world.call("GET", &path, &[], Body::empty()).await.ok().body, answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_submissions_one_gets_a_result() {
    let world = std::sync::Arc::new(world().await);
    let replica = std::sync::Arc::new(world.replica().await);
    for _ in 0..4 {
        let path = begin(&world).await;
        let racing: Vec<_> = (0..16)
            .map(|n| {
                let (world, path) = (if n % 2 == 0 { world.clone() } else { replica.clone() }, path.clone());
                tokio::spawn(async move {
                    submit(&world, &path, LayeredEvidence::new(&NONCE).bytes()).await.status.as_u16()
                })
            })
            .collect();
        let mut statuses = Vec::new();
        for one in racing {
            statuses.push(one.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200);
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    }
}

#[tokio::test]
async fn a_session_ends_after_150_seconds() {
    let world = world().await;
    let path = begin(&world).await;
    world.clock.advance(149);
    world.call("GET", &path, &[], Body::empty()).await.ok();
    world.clock.advance(1);
    let evidence = LayeredEvidence::new(&NONCE).bytes();
    for answer in [
        world.call("GET", &path, &[], Body::empty()).await,
        submit(&world, &path, evidence).await,
        world.call("DELETE", &path, &[], Body::empty()).await,
    ] {
        assert_eq!(answer.refusal(), (404, "KBS-042".to_owned()));
    }
}

#[tokio::test]
async fn requests_that_are_wrong_leave_the_session_as_it_is() {
    let world = world().await;
    let path = begin(&world).await;
    let evidence = LayeredEvidence::new(&NONCE).bytes();
    let json_cmw =
        |kind: &str, ind: &str| format!(r#"["{kind}","{}"{ind}]"#, BASE64_URL_SAFE_NO_PAD.encode("x"));
    let inner = EVIDENCE.replace('"', "\\\"");
    for (content_type, accept, body, status, code) in [
        (EVIDENCE, "text/html", b"x".to_vec(), 406, "KBS-038"),
        (EVIDENCE, "application/json", b"x".to_vec(), 406, "KBS-038"),
        ("application/eat-collection", SESSION, b"x".to_vec(), 415, "KBS-039"),
        ("application/octet-stream", SESSION, b"x".to_vec(), 415, "KBS-039"),
        ("", SESSION, b"x".to_vec(), 415, "KBS-039"),
        (EVIDENCE, SESSION, Vec::new(), 400, "KBS-044"),
        (EVIDENCE, SESSION, vec![b'x'; (64 << 10) + 1], 413, "KBS-021"),
        ("application/cmw", SESSION, Vec::new(), 400, "KBS-044"),
        ("application/cmw", SESSION, b"x".to_vec(), 400, "KBS-045"),
        ("application/cmw+json", SESSION, b"{}".to_vec(), 400, "KBS-045"),
        ("application/cmw+cbor", SESSION, json_cmw(&inner, "").into_bytes(), 400, "KBS-045"),
        ("application/cmw+json", SESSION, json_cmw(&inner, ",2").into_bytes(), 400, "KBS-045"),
        ("application/cmw+json", SESSION, format!(r#"["{inner}",""]"#).into_bytes(), 400, "KBS-045"),
        ("application/cmw+json", SESSION, json_cmw("application/x", "").into_bytes(), 415, "KBS-039"),
        ("application/cmw+json", SESSION, b"[263,\"AA\"]".to_vec(), 415, "KBS-039"),
    ] {
        let headers = [("content-type", content_type), ("accept", accept)];
        let answer = world.call("POST", &path, &headers, body).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{content_type}: {}", answer.text());
        if status == 415 {
            assert_eq!(answer.header("accept"), EVIDENCE);
        }
    }
    let status = world.call("GET", &path, &[], Body::empty()).await.ok().json()["status"].clone();
    assert_eq!(status, "waiting");
    submit(&world, &path, evidence).await.ok();
}

#[tokio::test]
async fn session_identifiers_that_are_none_or_nobodys() {
    let world = world().await;
    let evidence = LayeredEvidence::new(&NONCE).bytes();
    for (id, status, code) in [
        ("x", 400, "KBS-041"),
        ("12345678-1234-1234-1234-123456789ab", 400, "KBS-041"),
        ("12345678-1234-1234-1234-123456789abc", 404, "KBS-042"),
        ("", 404, "KBS-019"),
        ("12345678-1234-1234-1234-123456789abc/x", 404, "KBS-019"),
    ] {
        let path = format!("/challenge-response/v1/session/{id}");
        for answer in [
            world.call("GET", &path, &[], Body::empty()).await,
            submit(&world, &path, evidence.clone()).await,
            world.call("DELETE", &path, &[], Body::empty()).await,
        ] {
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{id}");
        }
    }
    let answer = world.call("POST", NEW_SESSION, &[("accept", "text/html")], Body::empty()).await;
    assert_eq!(answer.refusal(), (406, "KBS-038".to_owned()));
}

#[tokio::test]
async fn bad_evidence_is_no_error_of_http() {
    let world = world().await;
    let of_another_nonce = LayeredEvidence::new(&[1; 16]);
    let of_both_faults = LayeredEvidence { key: "k9".into(), ..LayeredEvidence::new(&[1; 16]) };
    for (evidence, part) in [
        (of_another_nonce.bytes(), "CCA-002 challenge"),
        (of_both_faults.bytes(), "CCA-011 trust anchor"),
        (b"no evidence\nat all".to_vec(), "malformed evidence: CCA-001"),
    ] {
        let path = begin(&world).await;
        let claims = result(&world, &submit(&world, &path, evidence).await).await;
        assert_eq!(claims["eat_nonce"], BASE64_URL_SAFE.encode(NONCE));
        assert_eq!(claims["exp"], claims["iat"].as_i64().unwrap() + 300);
        let submodule = only_submodule(&claims, "ARM_CCA");
        let problem = submodule["ear.veraison.policy-claims"]["problem"].as_str().unwrap();
        assert!(problem.contains(part) && !problem.contains('\n'), "{problem}");
        assert_eq!(
            submodule,
            json!({
                "ear.status": "contraindicated",
                "ear.trustworthiness-vector": {
                    "instance-identity": 99, "configuration": 99, "executables": 99, "file-system": 99,
                    "hardware": 99, "runtime-opaque": 99, "storage-opaque": 99, "sourced-data": 99,
                },
                "ear.appraisal-policy-id": "policy:ARM_CCA",
                "ear.veraison.policy-claims": { "problem": problem },
            })
        );
    }
}

#[tokio::test]
async fn an_attester_nobody_endorsed_is_not_recognised() {
    let world = world().await;
    let path = begin(&world).await;
    let evidence = LayeredEvidence { key: "k9".into(), ..LayeredEvidence::new(&NONCE) };
    let claims = result(&world, &submit(&world, &path, evidence.bytes()).await).await;
    let submodule = only_submodule(&claims, "ARM_CCA");
    assert_eq!(submodule["ear.status"], "contraindicated");
    let problem = submodule["ear.veraison.policy-claims"]["problem"].as_str().unwrap();
    assert!(problem.starts_with("no trust anchor for evidence: "), "{problem}");
    let vector = submodule["ear.trustworthiness-vector"].as_object().unwrap();
    for (claim, value) in vector {
        assert_eq!(*value, if claim == "instance-identity" { 97 } else { 0 }, "{claim}");
    }
}

#[tokio::test]
async fn each_layer_has_its_own_status_and_emulation_is_said() {
    let world = world().await;
    let path = begin(&world).await;
    let evidence = LayeredEvidence { rim: "r9".into(), emulated: true, ..LayeredEvidence::new(&NONCE) };
    let claims = result(&world, &submit(&world, &path, evidence.bytes()).await).await;
    let (platform, realm) = (&claims["submods"]["CCA_SSD_PLATFORM"], &claims["submods"]["CCA_REALM"]);
    assert_eq!((&platform["ear.status"], &realm["ear.status"]), (&json!("affirming"), &json!("warning")));
    assert_eq!(realm["ear.trustworthiness-vector"]["executables"], 33);
    for layer in [platform, realm] {
        assert_eq!(layer["ear.veraison.policy-claims"], json!({ "emulated": true }));
    }
}

#[tokio::test]
async fn a_result_ends_with_the_trust_anchor_it_rests_on() {
    let world = world().await;
    let payload = BASE64_STANDARD.encode(json!({ format!("{ANCHORS}#1"): { "key": "k1" } }).to_string());
    let expires = world.clock.now().plus(40).to_string();
    let message = json!({ "version": "0.1.0", "type": "sample", "payload": payload, "expires": expires });
    world.administer(Role::Admin, "POST", "/kbs/v0/reference-value", message.to_string()).await.ok();
    let path = begin(&world).await;
    let claims = result(&world, &submit(&world, &path, LayeredEvidence::new(&NONCE).bytes()).await).await;
    assert_eq!(claims["exp"], world.clock.now().plus(40).0);
}

#[tokio::test]
async fn evidence_comes_in_wrappers_too() {
    let world = world().await;
    let evidence = LayeredEvidence::new(&NONCE).bytes();
    let json = |ind: Option<u64>| {
        let mut record = vec![json!(EVIDENCE), json!(BASE64_URL_SAFE_NO_PAD.encode(&evidence))];
        record.extend(ind.map(Value::from));
        Value::Array(record).to_string().into_bytes()
    };
    let cbor = Cbor::Array(vec![Cbor::Text(EVIDENCE.into()), Cbor::Bytes(evidence.clone())]).encode();
    for (content_type, body) in [
        ("application/cmw", json(None)),
        ("application/cmw", cbor.clone()),
        ("application/cmw+json", json(Some(4))),
        ("application/cmw+cbor", cbor.clone()),
        ("application/vnd.veraison.cmw", cbor.clone()),
        ("application/vnd.veraison.cmw+json", json(None)),
        ("application/vnd.veraison.cmw+cbor", cbor),
    ] {
        let path = begin(&world).await;
        let answer = world.call("POST", &path, &[("content-type", content_type)], body).await.ok();
        let claims = result(&world, &answer).await;
        assert_eq!(claims["submods"]["CCA_REALM"]["ear.status"], "affirming", "{content_type}");
        let blob = json!({ "type": EVIDENCE, "value": BASE64_STANDARD.encode(&evidence) });
        assert_eq!(answer.json()["evidence"], blob, "the inner message is what was submitted");
    }
}

#[tokio::test]
async fn trouble_that_is_not_the_evidences_fails_the_session() {
    let world = world_with(Settings { attestation_policies: vec!["missing".into()], ..settings() }).await;
    let path = begin(&world).await;
    let evidence = LayeredEvidence::new(&NONCE).bytes();
    let answer = submit(&world, &path, evidence.clone()).await;
    assert_eq!(answer.refusal(), (422, "AS-008".to_owned()));
    let session = world.call("GET", &path, &[], Body::empty()).await.ok().json();
    assert_eq!((&session["status"], session.get("result")), (&json!("failed"), None));
    assert_eq!(submit(&world, &path, evidence).await.refusal(), (409, "KBS-043".to_owned()));
}

#[tokio::test]
async fn open_sessions_are_limited() {
    let world = world_with(Settings { challenge_response_sessions: 2, ..settings() }).await;
    let first = begin(&world).await;
    begin(&world).await;
    let answer = world.call("POST", NEW_SESSION, &[], Body::empty()).await;
    assert_eq!(answer.refusal(), (503, "STORE-021".to_owned()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("2 challenge-response sessions are open"));
    assert!(!answer.header("retry-after").is_empty());
    world.call("DELETE", &first, &[], Body::empty()).await;
    begin(&world).await;
    world.clock.advance(151);
    world.broker.keep_house().await;
    begin(&world).await;
}

#[tokio::test]
async fn sessions_and_evidence_are_rate_limited_as_auth_and_attest() {
    let rate = Some(Rate { per_minute: 1.try_into().unwrap(), burst: 1.try_into().unwrap() });
    let world = world_with(Settings { auth_rate: rate, attest_rate: rate, ..settings() }).await;
    let path = begin(&world).await;
    let again = world.call("POST", NEW_SESSION, &[], Body::empty()).await;
    assert_eq!(again.refusal(), (429, "KBS-024".to_owned()));
    submit(&world, &path, LayeredEvidence::new(&NONCE).bytes()).await.ok();
    let again = submit(&world, &path, LayeredEvidence::new(&NONCE).bytes()).await;
    assert_eq!(again.refusal(), (429, "KBS-024".to_owned()));
    assert!(!again.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_result_opens_nothing_in_the_key_broker_service() {
    let world = world().await;
    let path = begin(&world).await;
    let answer = submit(&world, &path, LayeredEvidence::new(&NONCE).bytes()).await.ok();
    let token = answer.json()["result"].as_str().unwrap().to_owned();
    for path in ["/kbs/v0/resource/a/b/c", "/kbs/v0/verdict"] {
        assert_eq!(world.get_with_token(&token, path).await.status, 401, "{path}");
    }
    assert_eq!(world.get_with_token(&token, "/kbs/v0/resources").await.status, 401);
}

const PLATFORM: &str = "tag:arm.com,2025:cca_platform#1.0.0";
const REALM: &str = "tag:arm.com,2025:cca_realm#1.0.0";

async fn provision(world: &World, role: Role, content_type: &str, body: Vec<u8>) -> Answer {
    let bearer = format!("Bearer {}", world.admin_token(role));
    let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
    world.call("POST", SUBMIT, &headers, body).await
}

fn rim(form: &str, profile: &str) -> String {
    format!(r#"application/rim+{form}; profile="{profile}""#)
}

#[tokio::test]
async fn a_corim_that_is_refused_is_answered_with_the_reason() {
    let world = world().await;
    let before = world.attestation.reference_values().list().await.unwrap();
    let silicon = world.emulator.cca();
    let platform = silicon.corim(CorimKind::Platform);
    let stranger = CorimTemplate { signer: silicon.rak(Curve::P384), ..platform.clone() };
    let broken = CorimTemplate { broken_signature: true, ..platform.clone() };
    let ended = Validity { not_before: UnixTime(0), not_after: NOW.plus(-1) };
    let mut past = platform.clone();
    past.corim.validity = Some(ended);
    for (content_type, body, part) in [
        (rim("cose", REALM), platform.signed(), "profile"),
        (rim("cbor", PLATFORM), platform.unsigned(), "signed"),
        (rim("cose", PLATFORM), stranger.signed(), "RV-"),
        (rim("cose", PLATFORM), broken.signed(), "RV-"),
        (rim("cose", PLATFORM), past.signed(), "RV-"),
        (rim("cbor", REALM), b"no CBOR".to_vec(), "COR-"),
        (rim("cbor", REALM), vec![0xd9, 0x01, 0xf5], "COR-"),
    ] {
        let answer = provision(&world, Role::ReferenceValueWriter, &content_type, body).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, PROVISIONING));
        let session = answer.json();
        let reason = session["failure-reason"].as_str().unwrap();
        assert!(reason.contains(part), "{reason}");
        let expiry = world.clock.now().to_string();
        assert_eq!(session, json!({ "status": "failed", "expiry": expiry, "failure-reason": reason }));
    }
    assert_eq!(world.attestation.reference_values().list().await.unwrap(), before);
}

#[tokio::test]
async fn submissions_that_are_wrong_or_not_allowed() {
    let world = world().await;
    let body = world.emulator.cca().corim(CorimKind::Platform).signed();
    let good = rim("cbor", PLATFORM);
    let nobody = world.call("POST", SUBMIT, &[("content-type", &good)], body.clone()).await;
    assert_eq!(nobody.refusal(), (401, "KBS-026".to_owned()));
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    let forged = [("authorization", "Bearer x.y.z"), ("content-type", good.as_str())];
    assert_eq!(world.call("POST", SUBMIT, &forged, body.clone()).await.status, 401);
    for role in [Role::ResourceWriter, Role::PolicyWriter, Role::Auditor] {
        let answer = provision(&world, role, &good, body.clone()).await;
        assert_eq!(answer.refusal(), (403, "KBS-030".to_owned()), "{role}");
    }
    let role = Role::ReferenceValueWriter;
    for content_type in ["application/rim+cbor", "application/json", "", &rim("cbor", "tag:other")] {
        let answer = provision(&world, role, content_type, body.clone()).await;
        assert_eq!(answer.refusal(), (415, "KBS-039".to_owned()), "{content_type}");
        assert!(answer.header("accept").contains(&rim("cose", REALM)));
    }
    let empty = provision(&world, role, &good, Vec::new()).await;
    assert_eq!(empty.refusal(), (400, "KBS-044".to_owned()));
    let bearer = format!("Bearer {}", world.admin_token(role));
    let headers = [("authorization", bearer.as_str()), ("content-type", &good), ("accept", "text/html")];
    assert_eq!(world.call("POST", SUBMIT, &headers, body).await.refusal(), (406, "KBS-038".to_owned()));
}

/// What a realm of the emulator sends for [`NONCE`].
fn token(world: &World, set: &[(&str, &str)]) -> Vec<u8> {
    let set: Vec<_> = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    world.emulator.cca_guest(&NONCE, None, &set).unwrap().build().token
}

/// An emulated realm whose CoRIMs were submitted, and the real verifier.
async fn provisioned() -> World {
    let world = World::new().await;
    for (kind, profile) in
        [(CorimKind::TrustAnchor, PLATFORM), (CorimKind::Platform, PLATFORM), (CorimKind::Realm, REALM)]
    {
        let corim = world.emulator.cca().corim(kind).signed();
        let answer = provision(&world, Role::ReferenceValueWriter, &rim("cose", profile), corim).await.ok();
        let expiry = world.clock.now().to_string();
        assert_eq!(answer.json(), json!({ "status": "success", "expiry": expiry }), "{kind:?}");
        assert_eq!(answer.header("content-type"), PROVISIONING);
    }
    world
}

#[tokio::test]
async fn an_emulated_realm_is_appraised_by_the_corims_that_were_submitted() {
    let world = provisioned().await;
    let path = begin(&world).await;
    let claims = result(&world, &submit(&world, &path, token(&world, &[])).await).await;
    let (platform, realm) = (&claims["submods"]["CCA_SSD_PLATFORM"], &claims["submods"]["CCA_REALM"]);
    for (layer, expected) in [
        (
            platform,
            json!({
                "instance-identity": 2, "configuration": 2, "executables": 2, "file-system": 0,
                "hardware": 2, "runtime-opaque": 2, "storage-opaque": 2, "sourced-data": 0,
            }),
        ),
        (
            realm,
            json!({
                "instance-identity": 2, "configuration": 0, "executables": 2, "file-system": 0,
                "hardware": 0, "runtime-opaque": 0, "storage-opaque": 0, "sourced-data": 0,
            }),
        ),
    ] {
        assert_eq!(layer["ear.trustworthiness-vector"], expected);
        assert_eq!(layer["ear.status"], "affirming");
    }
    let mut challenge = NONCE.to_vec();
    challenge.resize(64, 0);
    let evidence = &realm["ear.veraison.annotated-evidence"];
    assert_eq!(evidence["cca-realm-challenge"], BASE64_STANDARD.encode(challenge));
    assert!(platform["ear.veraison.annotated-evidence"]["cca-platform-lifecycle"].is_u64());
}

#[tokio::test]
async fn an_emulated_realm_with_the_wrong_nonce_or_an_unknown_platform_is_contraindicated() {
    let world = provisioned().await;
    let answer = world.call("POST", NEW_SESSION, &[], Body::empty()).await;
    let path = format!("/challenge-response/v1/{}", answer.header("location"));
    let claims = result(&world, &submit(&world, &path, token(&world, &[])).await).await;
    let submodule = only_submodule(&claims, "ARM_CCA");
    assert_eq!(submodule["ear.trustworthiness-vector"]["hardware"], 99);
    assert_eq!(submodule["ear.status"], "contraindicated");

    let stranger = Emulator::new(Seed::new([9; 32]));
    let token = stranger.cca_guest(&NONCE, None, &[]).unwrap().build().token;
    let path = begin(&world).await;
    let claims = result(&world, &submit(&world, &path, token).await).await;
    let submodule = only_submodule(&claims, "ARM_CCA");
    let vector = &submodule["ear.trustworthiness-vector"];
    assert_eq!((&vector["instance-identity"], &vector["hardware"]), (&json!(97), &json!(0)));
}
