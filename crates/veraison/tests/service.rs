//! The client against a double of a Veraison service on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod double;
#[path = "../../collateral/tests/https/mod.rs"]
mod https;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_types::{
    AskedReferenceValue, Authenticated, Binding, Coded as _, Digest, Fault, FixedClock, Lookup, Outcome,
    ReferenceValueSnapshot, TrustTier, UnixTime, Validity, VerifyError,
};
use assay_veraison::{CHECKS, Step, VeraisonClient, VeraisonError, VeraisonFailure, VeraisonSettings};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use double::{Change, Double, NOW, On, Say, key};
use serde_json::{Value, json};

const TOKEN: &[u8] = &[0xd9, 0x01, 0x8f, 0xa0];

/// Longer than any exchange with the double takes; nothing waits for it but where the test says so.
const LONG: Duration = Duration::from_secs(60);

fn binding() -> Binding {
    Binding { report_data: Some(vec![7; 48]), init_data: None }
}

fn challenge() -> Vec<u8> {
    [vec![7; 48], vec![0; 16]].concat()
}

fn settings(double: &Double) -> VeraisonSettings {
    let mut settings = VeraisonSettings::new(double.url.clone());
    settings.deadline = LONG;
    settings.poll_interval = Duration::from_millis(1);
    settings
}

fn client_with(settings: VeraisonSettings) -> (Arc<FixedClock>, VeraisonClient) {
    let clock = Arc::new(FixedClock::new(NOW));
    let client = VeraisonClient::new(settings, clock.clone()).unwrap();
    (clock, client)
}

fn client(double: &Double) -> VeraisonClient {
    client_with(settings(double)).1
}

async fn good(client: &VeraisonClient) -> Authenticated {
    let mut all = client.verify(TOKEN, &binding()).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn service_error(client: &VeraisonClient) -> VeraisonError {
    match client.verify(TOKEN, &binding()).await {
        Err(VeraisonFailure::Service(error)) => error,
        other => panic!("expected the service to be at fault: {other:?}"),
    }
}

async fn rejected(client: &VeraisonClient, binding: &Binding) -> VerifyError {
    match client.verify(TOKEN, binding).await {
        Err(VeraisonFailure::Evidence(error)) => error,
        other => panic!("expected the evidence to be at fault: {other:?}"),
    }
}

fn failed(error: &VerifyError) -> Vec<&str> {
    error.failures().map(|f| f.code.as_ref()).collect()
}

struct NoValues;

impl ReferenceValueSnapshot for NoValues {
    fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
        Lookup::Missing
    }
    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }
    fn digest(&self) -> Digest {
        Digest::sha384(b"")
    }
}

#[tokio::test]
async fn good_evidence_gives_the_claims_of_both_layers_and_their_vectors() {
    let double = Double::start().await;
    let client = client(&double);
    let authenticated = good(&client).await;
    let facts = authenticated.facts();
    assert_eq!(facts.claims["platform"]["cca-platform-lifecycle"], 12288);
    assert_eq!(facts.claims["realm"]["cca-realm-hash-algo-id"], "sha-256");
    assert_eq!(facts.report_data.as_deref(), Some(hex::encode(challenge()).as_str()));
    assert!(facts.init_data.as_deref().unwrap().starts_with(&hex::encode("demo")));
    assert_eq!(facts.validity, Validity { not_before: NOW, not_after: NOW.plus(300) });
    let codes: Vec<&str> = authenticated.findings().iter().map(|f| f.code.as_ref()).collect();
    assert_eq!(codes, CHECKS.iter().map(|check| check.code).collect::<Vec<_>>());
    let open: Vec<&str> = authenticated
        .findings()
        .iter()
        .filter(|f| f.outcome == Outcome::NotChecked)
        .map(|f| f.code.as_ref())
        .collect();
    assert_eq!(open, ["VER-012"]);

    let appraisal = facts.appraiser.as_ref().unwrap().appraise(&NoValues, NOW);
    assert_eq!(appraisal.layers[0].submodule, "CCA_SSD_PLATFORM");
    assert_eq!(appraisal.layers[0].trust_vector.hardware, 2);
    assert_eq!(appraisal.layers[1].submodule, "CCA_REALM");
    assert_eq!(appraisal.combined().status(), TrustTier::Affirming);
    assert!(appraisal.findings.iter().all(|f| f.finding.outcome == Outcome::Passed));

    let (kind, body) = double.evidence.lock().unwrap().clone().unwrap();
    assert_eq!((kind.as_str(), body.as_slice()), (assay_veraison::CCA_MEDIA_TYPE, TOKEN));
    while double.asked("DELETE /veraison/challenge-response/v1/session/") == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_json_form_sends_the_same_bytes() {
    let double = Double::start().await;
    let evidence = json!({ "token": TOKEN }).to_string();
    client(&double).verify(evidence.as_bytes(), &binding()).await.unwrap();
    assert_eq!(double.evidence.lock().unwrap().clone().unwrap().1, TOKEN);
}

#[tokio::test]
async fn what_is_no_token_is_not_sent() {
    let double = Double::start().await;
    match client(&double).verify(b"{}", &binding()).await {
        Err(VeraisonFailure::Evidence(error)) => assert_eq!(failed(&error), ["VER-001"]),
        other => panic!("{other:?}"),
    }
    assert!(double.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_challenge_nothing_is_sent() {
    let double = Double::start().await;
    for report_data in [None, Some(vec![0; 65])] {
        let binding = Binding { report_data, init_data: None };
        match client(&double).verify(TOKEN, &binding).await {
            Err(VeraisonFailure::Service(error)) => {
                assert_eq!((error.code(), error.fault()), ("VER-230", Fault::Unprocessable));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(double.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_result_that_takes_time_is_asked_for() {
    let double = Double::start().await;
    double.processing.store(3, Ordering::SeqCst);
    good(&client(&double)).await;
    assert_eq!(double.asked("GET /veraison/challenge-response/v1/session/"), 3);
    assert_eq!(double.asked("POST /veraison/challenge-response/v1/session/"), 1, "evidence is sent once");
}

#[tokio::test]
async fn a_result_that_never_comes_ends_with_the_deadline() {
    let double = Double::start().await;
    double.processing.store(usize::MAX, Ordering::SeqCst);
    let settings = VeraisonSettings { deadline: Duration::from_secs(1), ..settings(&double) };
    let error = service_error(&client_with(settings).1).await;
    assert_eq!((error.code(), error.fault()), ("VER-217", Fault::CollateralTransient));
}

#[tokio::test]
async fn an_outage_is_transient() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = service_error(&client_with(VeraisonSettings::new(url)).1).await;
    assert_eq!((error.code(), error.fault()), ("VER-202", Fault::CollateralTransient));
    assert!(matches!(error, VeraisonError::Unreachable { step: Step::NewSession, .. }));
}

#[tokio::test]
async fn a_service_that_is_silent_at_any_step_ends_with_the_deadline() {
    for (on, step) in
        [(On::NewSession, Step::NewSession), (On::Evidence, Step::Evidence), (On::Discovery, Step::Discovery)]
    {
        let double = Double::start().await;
        double.fault(on, Say::Never);
        let settings = VeraisonSettings { deadline: Duration::from_secs(1), ..settings(&double) };
        let error = service_error(&client_with(settings).1).await;
        assert_eq!((error.code(), error.fault()), ("VER-204", Fault::CollateralTransient));
        assert!(matches!(error, VeraisonError::TimedOut { step: at, .. } if at == step), "{error}");
    }
}

#[tokio::test]
async fn each_status_has_its_meaning() {
    use Fault::{CollateralPermanent as Permanent, CollateralTransient as Transient};
    let cases = [
        (On::NewSession, Say::problem(500, "the database is away"), "VER-206", Transient, "database is away"),
        (On::NewSession, Say::status(408), "VER-206", Transient, "408"),
        (On::NewSession, Say::problem(400, "bad nonce"), "VER-207", Permanent, "bad nonce"),
        (On::NewSession, Say::status(404), "VER-207", Permanent, "404"),
        (On::NewSession, Say::status(200), "VER-207", Permanent, "200, not 201"),
        (On::NewSession, Say::problem(406, "only that"), "VER-209", Permanent, "only that"),
        (On::NewSession, Say::status(429), "VER-205", Transient, "429"),
        (
            On::NewSession,
            Say::with(307, "location", "https://elsewhere.example/"),
            "VER-211",
            Permanent,
            "elsewhere",
        ),
        (On::Evidence, Say::problem(500, "verifier trouble"), "VER-206", Transient, "verifier trouble"),
        (On::Evidence, Say::with(307, "location", "/veraison/x"), "VER-211", Permanent, "/veraison/x"),
        (On::Evidence, Say::status(404), "VER-210", Transient, "expired"),
        (On::Evidence, Say::status(406), "VER-209", Permanent, "406"),
        (
            On::Evidence,
            Say::with(415, "accept", "a/b, c/d; p=\"x,y\""),
            "VER-208",
            Permanent,
            "c/d; p=\"x,y\"",
        ),
        (On::Discovery, Say::status(404), "VER-207", Permanent, "key of attestation results"),
        (On::Discovery, Say::status(502), "VER-206", Transient, "502"),
    ];
    for (on, say, code, fault, part) in cases {
        let double = Double::start().await;
        double.fault(on, say);
        let error = service_error(&client(&double)).await;
        assert_eq!((error.code(), error.fault()), (code, fault), "{on:?}: {error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_session_that_expires_while_it_is_worked_on_is_gone() {
    let double = Double::start().await;
    double.processing.store(1, Ordering::SeqCst);
    double.fault(On::Result, Say::problem(404, "no such session"));
    let error = service_error(&client(&double)).await;
    assert!(matches!(error, VeraisonError::SessionGone { step: Step::Result }), "{error}");
}

#[tokio::test]
async fn a_service_that_asks_for_rest_gets_it() {
    for status in [429, 503] {
        let double = Double::start().await;
        double.fault(On::NewSession, Say::with(status, "retry-after", "30"));
        let (clock, client) = client_with(settings(&double));
        let error = service_error(&client).await;
        assert_eq!((error.code(), error.fault()), ("VER-205", Fault::CollateralTransient));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        clock.advance(10);
        let error = service_error(&client).await;
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(20)),
            "it is not asked, and the rest counts"
        );
        assert_eq!(double.asked("POST"), 1);
        clock.advance(20);
        service_error(&client).await;
        assert_eq!(double.asked("POST"), 2);
    }
}

#[tokio::test]
async fn what_is_not_of_the_api_is_refused() {
    let html = || vec![("content-type", "text/html".to_owned()), ("location", "session/1".to_owned())];
    let json = || vec![("content-type", double::SESSION.to_owned()), ("location", "session/1".to_owned())];
    let page = "<!DOCTYPE html><p>hi".to_owned();
    for (on, code, headers, body, part) in [
        (On::NewSession, 201, html(), page.clone(), "text/html"),
        (On::NewSession, 201, json(), page.clone(), "expected value"),
        (On::NewSession, 201, vec![("location", "session/1".to_owned())], "{}".into(), "no media type"),
        (On::Evidence, 200, html(), page.clone(), "text/html"),
        (On::Discovery, 200, html(), page, "text/html"),
        (
            On::Discovery,
            200,
            vec![("content-type", double::DISCOVERY.into())],
            "{}".into(),
            "ear-verification-key",
        ),
    ] {
        let double = Double::start().await;
        double.fault(on, Say::Answer(code, headers, body));
        let error = service_error(&client(&double)).await;
        assert_eq!((error.code(), error.fault()), ("VER-213", Fault::CollateralPermanent), "{error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    for on in [On::NewSession, On::Evidence, On::Discovery] {
        let double = Double::start().await;
        double.fault(on, Say::Endless);
        let settings = VeraisonSettings { max_answer_bytes: 16 << 10, ..settings(&double) };
        let error = service_error(&client_with(settings).1).await;
        assert_eq!((error.code(), error.fault()), ("VER-212", Fault::CollateralPermanent), "{on:?}");
    }
}

#[tokio::test]
async fn a_session_leads_nowhere_else() {
    let double = Double::start().await;
    let client = client(&double);
    let own = |path: &str| double.url.replace("/veraison", path);
    for location in [
        "https://elsewhere.example/challenge-response/v1/session/1".to_owned(),
        own("/challenge-response/v1/session/1"),
        own("/veraison/challenge-response/v1/session/"),
        double.url.replace("http://", "http://user@") + "/challenge-response/v1/session/1",
        "//elsewhere.example/veraison/challenge-response/v1/session/1".to_owned(),
        "session/../../../1".to_owned(),
        "newSession".to_owned(),
        String::new(),
        format!("session/{}", "1".repeat(2000)),
    ] {
        *double.location.lock().unwrap() = Some(location.clone());
        let error = service_error(&client).await;
        assert_eq!((error.code(), error.fault()), ("VER-214", Fault::CollateralPermanent), "{location}");
    }
    assert!(double.evidence.lock().unwrap().is_none(), "no evidence was sent anywhere");
    // The whole URL, as Veraison's documentation has it, and the path alone.
    for whole in [double.url.clone(), "/veraison".to_owned()] {
        let next = double.made.load(Ordering::SeqCst);
        *double.location.lock().unwrap() = Some(format!("{whole}/challenge-response/v1/session/5d1e-{next}"));
        good(&client).await;
    }
}

#[tokio::test]
async fn a_session_for_another_nonce_or_in_another_state_is_refused() {
    let wrong_nonce = BASE64_STANDARD.encode([8; 64]);
    let cases: Vec<(Change, &str, Fault)> = vec![
        (
            Box::new({
                let nonce = wrong_nonce.clone();
                move |body| body["nonce"] = json!(nonce)
            }),
            "VER-215",
            Fault::CollateralPermanent,
        ),
        (
            // Only the session with the result is another one.
            Box::new(move |body| {
                if body["status"] == "complete" {
                    body["nonce"] = json!(wrong_nonce);
                }
            }),
            "VER-215",
            Fault::CollateralPermanent,
        ),
        (
            Box::new(|body| body["accept"] = json!(["application/psa-attestation-token"])),
            "VER-208",
            Fault::CollateralPermanent,
        ),
        (
            Box::new(|body| drop(body.as_object_mut().unwrap().remove("result"))),
            "VER-218",
            Fault::CollateralPermanent,
        ),
        (
            Box::new(|body| {
                if body["status"] == "complete" {
                    body["status"] = json!("failed");
                }
            }),
            "VER-216",
            Fault::CollateralTransient,
        ),
        (Box::new(|body| body["status"] = json!("done")), "VER-213", Fault::CollateralPermanent),
    ];
    for (change, code, fault) in cases {
        let double = Double::start().await;
        double.change_session(change);
        let error = service_error(&client(&double)).await;
        assert_eq!((error.code(), error.fault()), (code, fault), "{error}");
    }
}

#[tokio::test]
async fn a_result_that_is_no_signed_token_is_refused() {
    let double = Double::start().await;
    let client = client(&double);
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let ear = part(double::good_ear(&challenge()));
    for (result, why) in [
        (format!("{}.{ear}.", part(json!({"alg": "none"}))), "none"),
        (format!("{}.{ear}.AAAA", part(json!({"alg": "HS256"}))), "HS256"),
        (format!("{}.{ear}.AAAA", part(json!({"alg": "ES256", "crit": ["x"], "x": 1}))), "crit"),
        ("not a token".to_owned(), "three parts"),
        (String::new(), "three parts"),
    ] {
        *double.result.lock().unwrap() = Some(result);
        let error = service_error(&client).await;
        assert_eq!((error.code(), error.fault()), ("VER-221", Fault::CollateralPermanent), "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_trusted() {
    let double = Double::start().await;
    let client = client(&double);
    good(&client).await;
    let stranger = key();
    let extras = json!({"jwk": stranger.public_jwk()});
    let signed = stranger.sign_jwt(extras.as_object().unwrap(), &double::good_ear(&challenge())).unwrap();
    *double.result.lock().unwrap() = Some(signed);
    let error = service_error(&client).await;
    assert_eq!((error.code(), error.fault()), ("VER-222", Fault::CollateralPermanent));
}

#[tokio::test]
async fn an_algorithm_that_does_not_fit_the_key_is_refused() {
    let double = Double::start().await;
    let other = assay_token::SigningKey::generate(assay_token::SigningAlgorithm::Es384).unwrap();
    *double.signer.lock().unwrap() = Arc::new(other);
    let error = service_error(&client(&double)).await;
    assert_eq!(error.code(), "VER-222");
    assert!(error.to_string().contains("ES384"), "{error}");
}

#[tokio::test]
async fn a_new_key_is_asked_for_at_most_once_a_minute() {
    let double = Double::start().await;
    let (clock, client) = client_with(settings(&double));
    let discovered = || double.asked("GET /veraison/.well-known");
    good(&client).await;
    good(&client).await;
    assert_eq!(discovered(), 1, "the key is kept");

    let new = key();
    *double.signer.lock().unwrap() = Arc::clone(&new);
    assert_eq!(service_error(&client).await.code(), "VER-222");
    assert_eq!(discovered(), 1, "it was asked for less than a minute ago");
    clock.advance(60);
    assert_eq!(service_error(&client).await.code(), "VER-222");
    assert_eq!(discovered(), 2, "the service still names the old one");
    *double.published.lock().unwrap() = new;
    clock.advance(59);
    double.change_ear(|ear| ear["iat"] = json!(NOW.0 + 119));
    assert_eq!(service_error(&client).await.code(), "VER-222");
    assert_eq!(discovered(), 2);
    clock.advance(1);
    good(&client).await;
    good(&client).await;
    assert_eq!(discovered(), 3);
    // After its time it is asked for again, fitting or not.
    clock.advance(3600);
    double.change_ear(|ear| ear["iat"] = json!(NOW.0 + 3720));
    good(&client).await;
    assert_eq!(discovered(), 4);
}

#[tokio::test]
async fn a_pinned_key_is_the_only_one() {
    let double = Double::start().await;
    let pinned = double.signer.lock().unwrap().public_jwk().clone();
    let settings = VeraisonSettings { pinned_ear_key: Some(pinned), ..settings(&double) };
    let (_, client) = client_with(settings);
    good(&client).await;
    let new = key();
    *double.signer.lock().unwrap() = Arc::clone(&new);
    *double.published.lock().unwrap() = new;
    let error = service_error(&client).await;
    assert_eq!(error.code(), "VER-222");
    assert!(error.to_string().contains("pinned"), "{error}");
    assert_eq!(double.asked("GET"), 0, "nobody is asked for a key");
}

#[tokio::test]
async fn each_fault_of_a_result_has_its_code() {
    let cases: Vec<(&str, Change)> = vec![
        ("VER-223", Box::new(|ear| *ear = json!({}))),
        ("VER-223", Box::new(|ear| ear["iat"] = json!("now"))),
        ("VER-224", Box::new(|ear| ear["eat_profile"] = json!("tag:example.com,2026:x"))),
        ("VER-225", Box::new(|ear| ear["eat_nonce"] = json!(BASE64_URL_SAFE_NO_PAD.encode([7; 64])))),
        // The nonce without its padding of zeros is another one.
        ("VER-225", Box::new(|ear| ear["eat_nonce"] = json!(BASE64_URL_SAFE_NO_PAD.encode([7; 48])))),
        ("VER-226", Box::new(|ear| ear["iat"] = json!(NOW.0 + 61))),
        ("VER-226", Box::new(|ear| ear["iat"] = json!(NOW.0 - 61))),
        ("VER-226", Box::new(|ear| ear["nbf"] = json!(NOW.0 + 61))),
        ("VER-226", Box::new(|ear| ear["exp"] = json!(NOW.0 - 60))),
        ("VER-227", Box::new(|ear| drop(ear["submods"].as_object_mut().unwrap().remove("CCA_REALM")))),
        (
            "VER-228",
            Box::new(|ear| {
                ear["submods"]["CCA_REALM"]["ear.trustworthiness-vector"]["executables"] = json!(33)
            }),
        ),
        (
            "VER-229",
            Box::new(|ear| {
                ear["submods"]["CCA_REALM"]["ear.trustworthiness-vector"] = json!({"executables": -1})
            }),
        ),
        (
            "VER-223",
            Box::new(|ear| {
                ear["submods"]["CCA_REALM"]["ear.veraison.annotated-evidence"] = json!({});
            }),
        ),
        (
            "VER-223",
            Box::new(|ear| {
                ear["submods"]["CCA_REALM"]["ear.veraison.annotated-evidence"]["cca-realm-challenge"] =
                    json!("AAAA");
            }),
        ),
    ];
    for (code, change) in cases {
        let double = Double::start().await;
        double.change_ear(change);
        let error = service_error(&client(&double)).await;
        let fault = if code == "VER-229" { Fault::CollateralTransient } else { Fault::CollateralPermanent };
        assert_eq!((error.code(), error.fault()), (code, fault), "{error}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_the_skew_and_a_result_ends_with_its_exp() {
    for (iat, exp, from, to) in [(60, None, 0, 360), (-60, None, -60, 240), (0, Some(100), 0, 100)] {
        let double = Double::start().await;
        double.change_ear(move |ear| {
            ear["iat"] = json!(NOW.0 + iat);
            if let Some(exp) = exp {
                ear["exp"] = json!(NOW.0 + exp);
            }
        });
        let authenticated = good(&client(&double)).await;
        let expected = Validity { not_before: NOW.plus(from), not_after: NOW.plus(to) };
        assert_eq!(authenticated.facts().validity, expected, "{iat} {exp:?}");
    }
}

#[tokio::test]
async fn evidence_that_the_service_refuses_is_rejected_with_its_reason() {
    for (vector, status) in [(99, "contraindicated"), (0, "none"), (1, "none")] {
        let double = Double::start().await;
        double.change_ear(move |ear| {
            ear["submods"] = json!({"ARM_CCA": {
                "ear.status": status,
                "ear.trustworthiness-vector": {"instance-identity": vector, "hardware": vector},
                "ear.veraison.policy-claims": {"problem": "no trust anchor for evidence"},
            }});
        });
        let error = rejected(&client(&double), &binding()).await;
        assert_eq!(failed(&error), ["VER-010"]);
        assert!(error.to_string().contains("no trust anchor for evidence"), "{error}");
    }
}

#[tokio::test]
async fn a_verifier_that_failed_is_not_the_evidence_s_fault() {
    let double = Double::start().await;
    double.change_ear(|ear| {
        ear["submods"] = json!({"ARM_CCA": {
            "ear.status": "none", "ear.trustworthiness-vector": {"hardware": -1},
        }});
    });
    let error = service_error(&client(&double)).await;
    assert_eq!((error.code(), error.fault()), ("VER-229", Fault::CollateralTransient));
}

#[tokio::test]
async fn a_layer_that_is_not_authentic_or_not_appraised_is_rejected() {
    for (vector, status, part) in [
        (json!({"instance-identity": 99, "executables": 99}), "contraindicated", "cryptographic"),
        (json!({"instance-identity": 99, "executables": 2}), "contraindicated", "cryptographic"),
        (json!({"instance-identity": 0}), "none", "did not appraise"),
        (json!({}), "affirming", "did not appraise"),
    ] {
        for submodule in ["CCA_SSD_PLATFORM", "CCA_REALM"] {
            let double = Double::start().await;
            let vector = vector.clone();
            double.change_ear(move |ear| {
                ear["submods"][submodule]["ear.trustworthiness-vector"] = vector.clone();
                ear["submods"][submodule]["ear.status"] = json!(status);
            });
            let error = rejected(&client(&double), &binding()).await;
            assert_eq!(failed(&error), ["VER-010"], "{error}");
            let text = error.to_string();
            assert!(text.contains(part) && text.contains(submodule), "{text}");
        }
    }
}

#[tokio::test]
async fn a_contraindicated_layer_is_a_vector_for_policy_and_no_error() {
    let double = Double::start().await;
    double.change_ear(|ear| {
        ear["submods"]["CCA_SSD_PLATFORM"]["ear.trustworthiness-vector"]["runtime-opaque"] = json!(96);
        ear["submods"]["CCA_SSD_PLATFORM"]["ear.status"] = json!("contraindicated");
        ear["submods"]["CCA_REALM"]["ear.status"] = json!("warning");
    });
    let authenticated = good(&client(&double)).await;
    let appraisal = authenticated.facts().appraiser.as_ref().unwrap().appraise(&NoValues, NOW);
    assert_eq!(appraisal.layers[0].trust_vector.runtime_opaque, 96);
    assert_eq!(appraisal.layers[1].trust_vector.status(), TrustTier::Warning, "the status alone counts, too");
    let failed: Vec<_> = appraisal
        .findings
        .iter()
        .filter(|f| f.finding.failed())
        .map(|f| (f.claim.as_str(), f.finding.code.as_ref()))
        .collect();
    assert_eq!(
        failed,
        [("runtime-opaque", "VER-106"), ("instance-identity", "VER-101"), ("executables", "VER-103")]
    );
}

#[tokio::test]
async fn a_token_for_another_challenge_is_rejected_though_the_service_took_it() {
    let double = Double::start().await;
    double.change_ear(|ear| {
        ear["submods"]["CCA_REALM"]["ear.veraison.annotated-evidence"]["cca-realm-challenge"] =
            json!(BASE64_STANDARD.encode([9; 64]));
    });
    let error = rejected(&client(&double), &binding()).await;
    assert_eq!(failed(&error), ["VER-011"]);
}

#[tokio::test]
async fn init_data_are_compared_with_the_personalisation_value() {
    let double = Double::start().await;
    let client = client(&double);
    let digest = Digest::sha384(b"init data");
    let binding = Binding { init_data: Some(digest.clone()), ..binding() };
    let error = rejected(&client, &binding).await;
    assert_eq!(failed(&error), ["VER-012"]);

    let padded = [digest.as_bytes(), &[0; 16]].concat();
    let name = "cca-realm-personalization-value";
    for (value, passes) in [
        (json!(BASE64_STANDARD.encode(&padded)), true),
        (json!(BASE64_STANDARD.encode([digest.as_bytes(), &[1; 16]].concat())), false),
        (Value::Null, false),
    ] {
        double.change_ear(move |ear| {
            let evidence =
                ear["submods"]["CCA_REALM"]["ear.veraison.annotated-evidence"].as_object_mut().unwrap();
            match &value {
                Value::Null => drop(evidence.remove(name)),
                value => drop(evidence.insert(name.into(), value.clone())),
            }
        });
        match client.verify(TOKEN, &binding).await {
            Ok(all) => {
                assert!(passes);
                assert_eq!(all[0].facts().init_data, Some(hex::encode(&padded)));
            }
            Err(VeraisonFailure::Evidence(error)) => {
                assert!(!passes);
                assert_eq!(failed(&error), ["VER-012"]);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn https_needs_the_right_root() {
    let identity = https::Identity::new(1);
    let url = identity.serve("no session").await;
    let with = |pem: String| VeraisonSettings {
        ca_certificate: Some(pem.into_bytes()),
        ..VeraisonSettings::new(url.clone())
    };
    // The server says 200 to everything: TLS held.
    let error = service_error(&client_with(with(identity.pem())).1).await;
    assert_eq!(error.code(), "VER-207", "{error}");
    let error = service_error(&client_with(with(https::Identity::new(1).pem())).1).await;
    assert_eq!((error.code(), error.fault()), ("VER-203", Fault::CollateralPermanent), "{error}");
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let refused = |settings: VeraisonSettings| {
        let clock = Arc::new(FixedClock::new(NOW));
        let error = VeraisonClient::new(settings, clock).unwrap_err();
        assert_eq!((error.code(), error.fault()), ("VER-201", Fault::Internal));
        error.to_string()
    };
    let good = || VeraisonSettings::new("https://veraison.example");
    assert!(refused(VeraisonSettings::new("http://veraison.example")).contains("base_url"));
    assert!(refused(VeraisonSettings { media_type: "cca".into(), ..good() }).contains("media_type"));
    let pem = VeraisonSettings { ca_certificate: Some(b"no PEM".to_vec()), ..good() };
    assert!(refused(pem).contains("ca_certificate"));
    let mut jwk = key().public_jwk().clone();
    jwk.usage = Some("enc".into());
    assert!(refused(VeraisonSettings { pinned_ear_key: Some(jwk), ..good() }).contains("pinned_ear_key"));
}
