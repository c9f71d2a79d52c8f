//! One attestation result in every dialect: exact JSON, and what is read from it.
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
    Appraised, EarClaims, EarDialect, Issuer, JwkSet, SigningAlgorithm, SigningKey, Submodule,
    TRUSTEE_PROFILE, TokenVerifier, TrustedKeys, VerifierId,
};
use assay_types::{Coded as _, TrustTier, TrustVector, UnixTime};
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Map, Value, json};

/// One thing that is changed.
type Change = (&'static str, fn(&mut Value), &'static str, &'static str);

/// One thing that is changed before claims are written.
type ClaimsChange = fn(&mut EarClaims);

const NOW: UnixTime = UnixTime(1_760_426_134);

fn ear() -> EarClaims {
    let vector = TrustVector { executables: 33, hardware: 2, ..TrustVector::default() };
    let mut submodule = Submodule::new(vector, "default,strict".into(), json!({ "snp": { "svn": 3 } }));
    submodule.identifiers = Map::from_iter([("id".to_owned(), json!([7]))]);
    submodule.appraised = Appraised { verifier: "assay 0.1.0".into(), ..Appraised::default() };
    submodule.extensions = Map::from_iter([
        ("ear.veraison.policy-claims".to_owned(), json!({ "a_b": 1 })),
        ("ear.trustee.own_name".to_owned(), json!(true)),
        ("plain".to_owned(), json!(null)),
    ]);
    EarClaims {
        eat_profile: TRUSTEE_PROFILE.into(),
        iat: NOW,
        nbf: NOW,
        exp: Some(NOW.plus(300)),
        iss: "assay".into(),
        jti: "b8".into(),
        eat_nonce: Some((0..8).collect()),
        verifier_id: VerifierId { developer: "https://d.example".into(), build: "b 1".into() },
        submods: BTreeMap::from([("cpu0".to_owned(), submodule)]),
        extra: Map::from_iter([
            ("ear.raw-evidence".to_owned(), json!("AAEC")),
            ("aud".to_owned(), json!("x")),
        ]),
    }
}

const VECTOR: &str = r#"{"instance-identity":0,"configuration":0,"executables":33,"file-system":0,"hardware":2,"runtime-opaque":0,"storage-opaque":0,"sourced-data":0}"#;

#[test]
fn the_dotted_dialects_differ_in_the_profile_alone() {
    for dialect in [EarDialect::Trustee2024, EarDialect::Veraison2023] {
        let expected = [
            r#"{"eat_profile":""#, dialect.profile(),
            r#"","iat":1760426134,"nbf":1760426134,"exp":1760426434,"iss":"assay","jti":"b8","eat_nonce":"AAECAwQFBgc=","#,
            r#""ear.verifier-id":{"developer":"https://d.example","build":"b 1"},"submods":{"cpu0":{"ear.status":"warning","#,
            r#""ear.trustworthiness-vector":"#, VECTOR, r#","ear.appraisal-policy-id":"default,strict","#,
            r#""ear.trustee.identifiers":{"id":[7]},"ear.veraison.annotated-evidence":{"snp":{"svn":3}},"#,
            r#""ear.assay.verifier":"assay 0.1.0","ear.assay.emulated":false,"#,
            r#""ear.trustee.own_name":true,"ear.veraison.policy-claims":{"a_b":1},"plain":null}},"#,
            r#""aud":"x","ear.raw-evidence":"AAEC"}"#,
        ]
        .concat();
        assert_eq!(serde_json::to_string(&ear().in_dialect(dialect)).unwrap(), expected);
    }
    let own = EarClaims { eat_nonce: None, ..ear() };
    assert!(!serde_json::to_string(&own).unwrap().contains("eat_nonce"));
}

#[test]
fn the_drafts_dialect_has_underscores_and_a_list_of_policies() {
    let expected = json!({
        "eat_profile": "tag:ietf.org,2026:rats/ear#04",
        "iat": 1760426134, "nbf": 1760426134, "exp": 1760426434, "iss": "assay", "jti": "b8", "aud": "x",
        "eat_nonce": "AAECAwQFBgc",
        "ear_verifier_id": { "developer": "https://d.example", "build": "b 1" },
        "ear_raw_evidence": "AAEC",
        "submods": { "cpu0": {
            "ear_status": "warning",
            "ear_trustworthiness_vector": serde_json::from_str::<Value>(VECTOR).unwrap(),
            "ear_appraisal_policy_ids": ["default", "strict"],
            "ear_trustee_identifiers": { "id": [7] },
            "ear_veraison_annotated_evidence": { "snp": { "svn": 3 } },
            "ear_veraison_policy_claims": { "a_b": 1 },
            "ear_assay_verifier": "assay 0.1.0",
            "ear_assay_emulated": false,
            // No name with underscores leads back to this one.
            "ear.trustee.own_name": true,
            "plain": null,
        } },
    });
    assert_eq!(ear().to_value(EarDialect::Ietf).unwrap(), expected);
}

#[test]
fn what_is_read_is_the_same_in_every_dialect() {
    for dialect in EarDialect::ALL {
        let read = EarClaims::from_value(&ear().to_value(dialect).unwrap()).unwrap();
        assert_eq!(read.eat_profile, dialect.profile());
        assert_eq!(EarClaims { eat_profile: ear().eat_profile, ..read.clone() }, ear(), "{dialect}");
        // What was read is written again in its own dialect.
        assert_eq!(serde_json::to_value(&read).unwrap(), ear().to_value(dialect).unwrap());
    }
}

#[test]
fn policies_see_dotted_names() {
    let dotted = ear().to_value(EarDialect::Trustee2024).unwrap();
    assert_eq!(EarClaims::normalised(dotted.clone()).unwrap(), dotted);
    let mut read = EarClaims::normalised(ear().to_value(EarDialect::Ietf).unwrap()).unwrap();
    assert_eq!(read["submods"], dotted["submods"]);
    assert_eq!(read["eat_profile"], EarDialect::Ietf.profile());
    read["eat_profile"] = dotted["eat_profile"].clone();
    read["eat_nonce"] = dotted["eat_nonce"].clone();
    assert_eq!(read, dotted);
    // Other tokens stay as they are.
    for other in [json!([]), json!({ "submods": 3, "tdx": {} }), json!({ "submods": { "a": 1 } })] {
        assert_eq!(EarClaims::normalised(other.clone()).unwrap(), other);
    }
}

/// As the verification service of Veraison writes it.
fn veraison() -> Value {
    json!({
        "ear.verifier-id": { "build": "N/A", "developer": "Veraison Project" },
        "eat_nonce": "QUp8F0FBs9DpodKK8xUg8NQimf6sQAfe2J1ormzZLxk=",
        "eat_profile": "tag:github.com,2023:veraison/ear",
        "iat": 1760426134,
        "submods": {
            "CCA_REALM": {
                "ear.appraisal-policy-id": "policy:ARM_CCA",
                "ear.status": "none",
                "ear.veraison.policy-claims": { "x": 1 },
            },
            "CCA_SSD_PLATFORM": {
                "ear.appraisal-policy-id": "policy:ARM_CCA",
                "ear.status": "affirming",
                "ear.trustworthiness-vector": { "executables": 2, "hardware": 2, "instance-identity": 2 },
                "ear.veraison.annotated-evidence": { "cca-platform-lifecycle": 12288 },
            },
        },
    })
}

#[test]
fn what_veraison_leaves_out_may_be_missing() {
    let ear = EarClaims::from_value(&veraison()).unwrap();
    assert_eq!((ear.exp, ear.nbf, ear.iss.as_str(), ear.jti.as_str()), (None, NOW, "", ""));
    assert_eq!(ear.eat_nonce.as_ref().unwrap().len(), 32);
    let realm = &ear.submods["CCA_REALM"];
    assert_eq!((realm.status, realm.trust_vector), (TrustTier::None, TrustVector::default()));
    assert_eq!(realm.extensions["ear.veraison.policy-claims"], json!({ "x": 1 }));
    let platform = &ear.submods["CCA_SSD_PLATFORM"];
    assert_eq!(platform.trust_vector.hardware, 2);
    assert_eq!(platform.trust_vector.configuration, 0);
    let mut unpadded = veraison();
    unpadded["eat_nonce"] = json!("QUp8F0FBs9DpodKK8xUg8NQimf6sQAfe2J1ormzZLxk");
    assert_eq!(EarClaims::from_value(&unpadded).unwrap(), ear);
    assert_eq!(ear.status(), TrustTier::Affirming);
}

#[test]
fn the_example_of_the_draft_is_read() {
    let ear = EarClaims::from_value(&json!({
        "eat_profile": "tag:ietf.org,2026:rats/ear#03",
        "ear_status": "contraindicated",
        "iat": 1666529184,
        "ear_verifier_id": { "developer": "https://veraison-project.org", "build": "vts 0.0.1" },
        "ear_raw_evidence": "NzQ3MjY5NzM2NTYzNzQK",
        "submods": { "PSA": {
            "ear_status": "contraindicated",
            "ear_trustworthiness_vector": { "instance-identity": 2, "executables": 96, "hardware": 2 },
            "ear_appraisal_policy_ids": ["https://veraison.example/policy/1/60a0068d"],
        } },
    }))
    .unwrap();
    assert_eq!(ear.submods["PSA"].appraisal_policy_id, "https://veraison.example/policy/1/60a0068d");
    assert_eq!(ear.extra["ear.raw-evidence"], "NzQ3MjY5NzM2NTYzNzQK");
    assert_eq!(ear.status(), TrustTier::Contraindicated);
}

#[test]
fn the_status_of_the_whole_counts() {
    let mut claims = veraison();
    claims["ear.status"] = json!("warning");
    assert_eq!(EarClaims::from_value(&claims).unwrap().status(), TrustTier::Warning);
}

#[test]
fn a_token_without_end_is_read_and_never_accepted() {
    let issuer = Issuer::new(SigningKey::generate(SigningAlgorithm::Es256).unwrap(), None).unwrap();
    let token = issuer.sign(&veraison()).unwrap();
    let jwks = JwkSet { keys: vec![issuer.key().public_jwk().clone()] };
    let verifier = TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap();
    assert_eq!(verifier.verify(&token, NOW).unwrap_err().code(), "TOK-016");
}

fn cpu(claims: &mut Value) -> &mut Map<String, Value> {
    claims["submods"]["cpu0"].as_object_mut().unwrap()
}

#[test]
fn each_fault_of_the_drafts_dialect_is_refused_by_its_own_name() {
    let cases: &[Change] = &[
        (
            "two verifiers",
            |c| c["ear.verifier-id"] = c["ear_verifier_id"].clone(),
            "TOK-027",
            "ear.verifier-id",
        ),
        (
            "two statuses",
            |c| drop(cpu(c).insert("ear.status".into(), json!("warning"))),
            "TOK-027",
            "ear_status",
        ),
        (
            "two digests",
            |c| {
                cpu(c).insert("ear.assay.verifier".into(), json!("x"));
            },
            "TOK-027",
            "ear_assay_verifier",
        ),
        (
            "one text",
            |c| c["submods"]["cpu0"]["ear_appraisal_policy_ids"] = json!("a"),
            "TOK-025",
            "list of texts",
        ),
        (
            "no policy",
            |c| c["submods"]["cpu0"]["ear_appraisal_policy_ids"] = json!([]),
            "TOK-025",
            "one at least",
        ),
        (
            "numbers",
            |c| c["submods"]["cpu0"]["ear_appraisal_policy_ids"] = json!([1]),
            "TOK-025",
            "list of texts",
        ),
        (
            "a comma",
            |c| c["submods"]["cpu0"]["ear_appraisal_policy_ids"] = json!(["a,b"]),
            "TOK-025",
            "comma",
        ),
        (
            "a list with a dotted name",
            |c| {
                let ids = cpu(c).remove("ear_appraisal_policy_ids").unwrap();
                cpu(c).insert("ear.appraisal-policy-id".into(), ids);
            },
            "TOK-025",
            "expected a string",
        ),
        ("short nonce", |c| c["eat_nonce"] = json!("AAECAwQFBg"), "TOK-025", "7 bytes"),
        ("nonce in the other alphabet", |c| c["eat_nonce"] = json!("AAECAwQF+/8"), "TOK-025", "base64url"),
        ("several nonces", |c| c["eat_nonce"] = json!(["AAECAwQFBgc"]), "TOK-025", "expected a string"),
        ("no status", |c| drop(cpu(c).remove("ear_status")), "TOK-025", "ear.status"),
        (
            "better than its vector",
            |c| c["submods"]["cpu0"]["ear_status"] = json!("affirming"),
            "TOK-025",
            "better",
        ),
        ("the whole is better", |c| c["ear_status"] = json!("affirming"), "TOK-025", "better"),
        ("the whole is no tier", |c| c["ear_status"] = json!(2), "TOK-025", "ear.status"),
        (
            "vector out of range",
            |c| {
                c["submods"]["cpu0"]["ear_trustworthiness_vector"]["hardware"] = json!(128);
            },
            "TOK-025",
            "i8",
        ),
        (
            "half a verifier",
            |c| drop(c["ear_verifier_id"].as_object_mut().unwrap().remove("build")),
            "TOK-025",
            "build",
        ),
        ("fraction of a second", |c| c["exp"] = json!(1.5), "TOK-025", "floating point"),
    ];
    let good = ear().to_value(EarDialect::Ietf).unwrap();
    EarClaims::from_value(&good).unwrap();
    for (name, change, code, part) in cases {
        let mut claims = good.clone();
        change(&mut claims);
        let error = EarClaims::from_value(&claims).unwrap_err();
        assert_eq!(error.code(), *code, "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

#[test]
fn what_would_be_read_as_something_else_is_not_written() {
    let cases: [(&str, ClaimsChange); 7] = [
        ("policy of the whole", |e| drop(e.extra.insert("ear.appraisal-policy-id".into(), json!(5)))),
        ("nonce", |e| e.eat_nonce = Some(vec![0; 7])),
        ("nonce twice", |e| drop(e.extra.insert("eat_nonce".into(), json!("AAECAwQFBgc")))),
        ("claim", |e| drop(e.extra.insert("ear_verifier_id".into(), json!({})))),
        ("evidence", |e| drop(e.extra.insert("ear_raw_evidence".into(), json!("AA")))),
        ("status", |e| {
            e.submods.get_mut("cpu0").unwrap().extensions.insert("ear_status".into(), json!("affirming"));
        }),
        ("extension", |e| {
            e.submods.get_mut("cpu0").unwrap().extensions.insert("ear_trustee_x".into(), json!(1));
        }),
    ];
    for (name, change) in cases {
        let mut ear = ear();
        change(&mut ear);
        for dialect in EarDialect::ALL {
            assert_eq!(ear.to_value(dialect).unwrap_err().code(), "TOK-024", "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_result_is_the_same_in_every_dialect(
        nonce in proptest::option::of(proptest::collection::vec(any::<u8>(), 8..=64)),
        exp in proptest::option::of(any::<i64>()),
        (iat, nbf) in any::<(i64, i64)>(),
        vector in any::<[i8; 8]>(),
        ids in "[a-z:/]{0,6}(,[a-z]{0,3}){0,2}",
        names in proptest::collection::btree_set("(ear[._](assay|trustee|other)[._])?[a-z._-]{1,9}", 0..4),
        text in any::<String>(),
    ) {
        let [instance_identity, configuration, executables, file_system, hardware, runtime_opaque,
            storage_opaque, sourced_data] = vector;
        let vector = TrustVector { instance_identity, configuration, executables, file_system, hardware,
            runtime_opaque, storage_opaque, sourced_data };
        let mut submodule = Submodule::new(vector, ids, json!({ "x": text }));
        submodule.extensions = names.iter().map(|name| (name.clone(), json!(name))).collect();
        let claims = EarClaims {
            iat: UnixTime(iat), nbf: UnixTime(nbf), exp: exp.map(UnixTime), eat_nonce: nonce, iss: text.clone(),
            submods: BTreeMap::from([(text, submodule)]), ..ear()
        };
        // Names that are not free are refused in all or in none.
        let written: Vec<_> = EarDialect::ALL.iter().map(|d| claims.to_value(*d)).collect();
        for value in &written {
            assert_eq!(value.is_ok(), written[0].is_ok());
            let Ok(value) = value else { continue };
            let read = EarClaims::from_value(value).unwrap();
            assert_eq!(EarClaims { eat_profile: claims.eat_profile.clone(), ..read }, claims);
        }
    }
}
