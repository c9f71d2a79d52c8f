//! Attestation results as JSON.
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

use std::collections::BTreeMap;

use assay_token::{
    Appraised, EarClaims, Issuer, JwkSet, SigningAlgorithm, SigningKey, Submodule, TRUSTEE_PROFILE,
    TokenVerifier, TrustedKeys, VerifierId, jwe, tee_public_key,
};
use assay_types::{Check, Coded as _, Digest, Finding, Outcome, TrustTier, TrustVector, UnixTime};
use serde_json::{Map, Value, json};

/// One thing that is changed.
type Change = Box<dyn Fn(&mut Value)>;

const NOW: UnixTime = UnixTime(1_760_426_134);

fn vector() -> TrustVector {
    TrustVector { configuration: 36, executables: 33, hardware: 97, ..TrustVector::default() }
}

fn ear() -> EarClaims {
    let evidence = json!({
        "snp": { "measurement": "00" },
        "report_data": "00",
        "init_data": "00",
        "runtime_data_claims": { "nonce": "n", "tee-pubkey":
            { "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": "x", "y": "y" } },
    });
    EarClaims {
        eat_profile: TRUSTEE_PROFILE.into(),
        iat: NOW,
        nbf: NOW,
        exp: Some(NOW.plus(300)),
        iss: "CoCo-Attestation-Service".into(),
        jti: "b8".into(),
        eat_nonce: None,
        verifier_id: VerifierId {
            developer: "https://confidentialcontainers.org".into(),
            build: "attestation-service 0.1.0".into(),
        },
        submods: BTreeMap::from([("cpu0".to_owned(), Submodule::new(vector(), "default".into(), evidence))]),
        extra: Map::new(),
    }
}

#[test]
fn the_claims_have_the_names_and_the_order_of_trustees_tokens() {
    let text = serde_json::to_string(&ear()).unwrap();
    assert_eq!(
        text.split_once(r#","ear.veraison.annotated-evidence":"#).unwrap().0,
        concat!(
            r#"{"eat_profile":"tag:github.com,2024:confidential-containers/Trustee","iat":1760426134,"nbf":1760426134,"exp":1760426434,"#,
            r#""iss":"CoCo-Attestation-Service","jti":"b8","#,
            r#""ear.verifier-id":{"developer":"https://confidentialcontainers.org","build":"attestation-service 0.1.0"},"#,
            r#""submods":{"cpu0":{"ear.status":"contraindicated","#,
            r#""ear.trustworthiness-vector":{"instance-identity":0,"configuration":36,"executables":33,"file-system":0,"hardware":97,"runtime-opaque":0,"storage-opaque":0,"sourced-data":0},"#,
            r#""ear.appraisal-policy-id":"default""#,
        )
    );
    assert!(text.ends_with(r#""ear.assay.emulated":false}}}"#), "{text}");
}

#[test]
fn what_an_appraisal_rests_on_is_named() {
    const CHECK: Check = Check { code: "SNP-001", name: "structure", remedy: "r", source: "s" };
    let mut ear = ear();
    let cpu = ear.submods.get_mut("cpu0").unwrap();
    cpu.identifiers = json!({ "validated": { "container_uids": [0] } }).as_object().unwrap().clone();
    cpu.extensions.insert("ear.other".into(), json!(1));
    cpu.appraised = Appraised {
        evidence: Some(Digest::sha384(b"e")),
        collateral: Some(Digest::sha384(b"c")),
        policy: Some(Digest::sha384(b"p")),
        reference_values: Some(Digest::sha384(b"r")),
        verifier: "assay-tee-snp 0.1.0".into(),
        emulated: true,
        not_checked: vec!["SNP-020".into()],
        findings: vec![Finding::new(&CHECK, Outcome::Passed, "", "ok", "")],
    };
    ear.extra.insert("other".into(), json!("n"));
    let value = serde_json::to_value(&ear).unwrap();
    let cpu = &value["submods"]["cpu0"];
    assert_eq!(cpu["ear.assay.evidence-digest"], json!(Digest::sha384(b"e").to_string()));
    assert_eq!(cpu["ear.assay.collateral-digest"], json!(Digest::sha384(b"c").to_string()));
    assert_eq!(cpu["ear.assay.policy-digest"], json!(Digest::sha384(b"p").to_string()));
    assert_eq!(cpu["ear.assay.reference-values-digest"], json!(Digest::sha384(b"r").to_string()));
    assert_eq!(cpu["ear.assay.verifier"], "assay-tee-snp 0.1.0");
    assert_eq!(cpu["ear.assay.emulated"], true);
    assert_eq!(cpu["ear.assay.not-checked"], json!(["SNP-020"]));
    assert_eq!(cpu["ear.assay.findings"][0]["code"], "SNP-001");
    assert_eq!(cpu["ear.trustee.identifiers"]["validated"]["container_uids"], json!([0]));
    assert_eq!(cpu["ear.other"], 1);
    assert_eq!(value["other"], "n");
    assert_eq!(EarClaims::from_value(&value).unwrap(), ear);
}

#[test]
fn a_token_of_trustee_is_read() {
    let claims = json!({
        "eat_profile": TRUSTEE_PROFILE, "iat": 1760426134, "exp": 1760426434, "iss": "CoCo-Attestation-Service",
        "ear.verifier-id": { "developer": "https://confidentialcontainers.org", "build": "attestation-service 0.1.0" },
        "submods": { "cpu0": {
            "ear.status": "contraindicated",
            "ear.trustworthiness-vector": vector(),
            "ear.appraisal-policy-id": "default",
            "ear.veraison.annotated-evidence": { "snp": {} },
        } },
    });
    let ear = EarClaims::from_value(&claims).unwrap();
    assert_eq!(ear.nbf, NOW);
    assert_eq!(ear.jti, "");
    assert_eq!(ear.status(), TrustTier::Contraindicated);
    assert_eq!(ear.submods["cpu0"].appraised, Appraised::default());
}

#[test]
fn the_worst_submodule_decides() {
    let mut ear = ear();
    assert_eq!(ear.status(), TrustTier::Contraindicated);
    let good = TrustVector { hardware: 2, ..TrustVector::default() };
    ear.submods.insert("cpu0".into(), Submodule::new(good, "default".into(), Value::Null));
    assert_eq!(ear.status(), TrustTier::Affirming);
    ear.submods.insert("gpu0".into(), Submodule::new(vector(), "default".into(), Value::Null));
    assert_eq!(ear.status(), TrustTier::Contraindicated);
    ear.submods.clear();
    assert_eq!(ear.status(), TrustTier::None);
}

#[test]
fn what_is_no_attestation_result_is_refused() {
    let good = serde_json::to_value(ear()).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut claims = good.clone();
        change(&mut claims);
        EarClaims::from_value(&claims).unwrap_err()
    };
    let mut cases: Vec<Change> = vec![
        Box::new(|claims| *claims = json!([])),
        Box::new(|claims| claims["submods"] = json!({})),
        Box::new(|claims| claims["submods"]["cpu0"]["ear.status"] = json!("excellent")),
        Box::new(|claims| claims["submods"]["cpu0"]["ear.status"] = json!("affirming")),
        Box::new(|claims| claims["submods"]["cpu0"]["ear.trustworthiness-vector"]["hardware"] = json!(258)),
        Box::new(|claims| claims["submods"]["cpu0"]["ear.assay.evidence-digest"] = json!("sha384:00")),
    ];
    for member in ["eat_profile", "iat", "ear.verifier-id", "submods"] {
        cases.push(Box::new(move |claims| drop(claims.as_object_mut().unwrap().remove(member))));
    }
    cases.push(Box::new(|claims| {
        drop(claims["submods"]["cpu0"].as_object_mut().unwrap().remove("ear.status"));
    }));
    for (number, case) in cases.iter().enumerate() {
        assert_eq!(refused(case).code(), "TOK-025", "{number}");
    }
}

#[test]
fn no_member_is_written_twice() {
    let issuer = Issuer::new(SigningKey::generate(SigningAlgorithm::Es256).unwrap(), None).unwrap();
    for name in ["iss", "exp", "submods", "ear.verifier-id"] {
        let mut ear = ear();
        ear.extra.insert(name.into(), json!("x"));
        assert_eq!(issuer.sign(&ear).unwrap_err().code(), "TOK-024", "{name}");
    }
    for name in ["ear.status", "ear.veraison.annotated-evidence", "ear.assay.emulated", "ear.assay.new"] {
        let mut ear = ear();
        ear.submods.get_mut("cpu0").unwrap().extensions.insert(name.into(), json!("x"));
        assert_eq!(issuer.sign(&ear).unwrap_err().code(), "TOK-024", "{name}");
    }
}

#[test]
fn from_claims_to_token_to_the_guests_key() {
    let mut ear = ear();
    let guest = jwe::DecryptionKey::generate(jwe::KeyAlgorithm::EcdhP256).unwrap();
    let cpu = ear.submods.get_mut("cpu0").unwrap();
    cpu.annotated_evidence["runtime_data_claims"]["tee-pubkey"] =
        serde_json::to_value(guest.public_jwk()).unwrap();
    let issuer = Issuer::new(SigningKey::generate(SigningAlgorithm::Es256).unwrap(), None).unwrap();
    let token = issuer.sign(&ear).unwrap();

    let jwks = JwkSet { keys: vec![issuer.key().public_jwk().clone()] };
    let issuer_name = Some("CoCo-Attestation-Service".to_owned());
    let verifier =
        TokenVerifier::new(TrustedKeys { jwks, issuer: issuer_name, ..TrustedKeys::default() }).unwrap();
    let verified = verifier.verify(&token, NOW).unwrap();
    assert_eq!(EarClaims::from_value(&verified.claims).unwrap(), ear);
    let key = jwe::read_tee_public_key(tee_public_key(&verified.claims).unwrap()).unwrap();
    let message = jwe::encrypt(&key, b"the secret").unwrap();
    assert_eq!(guest.decrypt(&message).unwrap().expose(), b"the secret");
}
