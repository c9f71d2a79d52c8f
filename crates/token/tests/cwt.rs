//! Attestation results as CWTs: read by another library, made by one, and refused for one fault each.
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

use assay_cbor::{Limits, Value as Cbor, diagnostic, read};
use assay_token::{
    Algorithm, Appraised, EarClaims, EarDialect, Issuer, JwkSet, SigningAlgorithm, SigningKey, Submodule,
    TokenVerifier, TrustedKeys, VerifierId,
};
use assay_types::{Coded as _, Digest, TrustVector, UnixTime};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature;
use ciborium::value::{Integer, Value as Other};
use coset::TaggedCborSerializable as _;
use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Map, Value, json};

/// A name, what is changed, the code and a part of the message.
type Fault<'a> = (&'a str, &'a dyn Fn(&mut EarClaims), &'a str, &'a str);

const NOW: UnixTime = UnixTime(1_760_426_134);

fn ear() -> EarClaims {
    let vector = TrustVector { executables: 33, hardware: -2, ..TrustVector::default() };
    let evidence = json!({ "snp": { "svn": 3, "debug": false, "list": [1.5, null, -7, "x"] } });
    let mut submodule = Submodule::new(vector, "default,strict".into(), evidence);
    submodule.appraised = Appraised {
        evidence: Some(Digest::sha256(b"e")),
        verifier: "assay 0.1.0".into(),
        ..Appraised::default()
    };
    submodule.extensions = Map::from_iter([
        ("ear.veraison.policy-claims".to_owned(), json!({ "a": 1 })),
        ("ear.veraison.key-attestation".to_owned(), json!({ "akpub": "AAECAw" })),
        ("ear.trustee.own_name".to_owned(), json!(true)),
        ("-70003".to_owned(), json!("tee-info")),
    ]);
    EarClaims {
        eat_profile: EarDialect::Ietf.profile().into(),
        iat: NOW,
        nbf: NOW,
        exp: Some(NOW.plus(300)),
        iss: "assay".into(),
        jti: "b8".into(),
        eat_nonce: Some((0..8).collect()),
        verifier_id: VerifierId { developer: "https://d.example".into(), build: "b 1".into() },
        submods: BTreeMap::from([("cpu0".to_owned(), submodule)]),
        extra: Map::from_iter([
            ("ear.raw-evidence".to_owned(), json!(["application/x", "AAEC"])),
            ("sub".to_owned(), json!("who")),
        ]),
    }
}

fn issuer(algorithm: SigningAlgorithm) -> Issuer {
    Issuer::new(SigningKey::generate(algorithm).unwrap(), None).unwrap()
}

fn trusting(issuers: &[&Issuer]) -> TokenVerifier {
    let jwks = JwkSet { keys: issuers.iter().map(|issuer| issuer.key().public_jwk().clone()).collect() };
    TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap()
}

#[test]
fn the_claims_have_the_drafts_integer_keys() {
    let claims = read(&ear().to_cwt_claims().unwrap(), Limits::DEFAULT).unwrap();
    assert_eq!(
        diagnostic(&claims),
        concat!(
            r#"{1: "assay", 2: "who", 4: 1760426434, 5: 1760426134, 6: 1760426134, 7: h'6238', 10: h'0001020304050607', "#,
            r#"265: "tag:ietf.org,2026:rats/ear#04", 266: {"cpu0": {1000: 32, "#,
            r#"1001: {0: 0, 1: 0, 2: 33, 3: 0, 4: -2, 5: 0, 6: 0, 7: 0}, 1003: ["default", "strict"], "#,
            r#"-70000: {"snp": {"svn": 3, "list": [1.5, null, -7, "x"], "debug": false}}, -70001: {"a": 1}, "#,
            r#"-70002: {"akpub": h'00010203'}, -70003: "tee-info", "ear_assay_emulated": false, "#,
            r#""ear_assay_verifier": "assay 0.1.0", "ear.trustee.own_name": true, "ear_assay_evidence_digest": "#,
            r#""sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"}}, "#,
            r#"1002: ["application/x", h'000102'], 1004: {0: "https://d.example", 1: "b 1"}}"#,
        )
    );
}

#[test]
fn what_is_signed_is_verified_and_read_again() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Es384] {
        let issuer = issuer(algorithm);
        let verifier = trusting(&[&self::issuer(algorithm), &issuer]);
        let token = issuer.sign_cwt(&ear()).unwrap();
        let tagged = [&[0xd8, 61][..], &token].concat();
        for token in [token, tagged] {
            let verified = verifier.verify_cwt(&token, NOW).unwrap();
            assert_eq!(EarClaims::from_value(&verified.claims).unwrap(), ear());
            assert_eq!(verified.kid, issuer.key().kid());
            assert_eq!(Some(verified.algorithm), Algorithm::from_name(algorithm.as_str()));
            assert_eq!(verified.expires, NOW.plus(300));
            assert_eq!((verified.not_before, verified.issued_at), (Some(NOW), Some(NOW)));
            // Policies see Trustee's names.
            let cpu = &verified.claims["submods"]["cpu0"];
            assert_eq!(cpu["ear.status"], "warning");
            assert_eq!(cpu["ear.appraisal-policy-id"], "default,strict");
            assert_eq!(cpu["ear.veraison.annotated-evidence"]["snp"]["svn"], 3);
        }
    }
}

#[test]
fn the_profile_is_the_drafts_whatever_the_claims_came_from() {
    let trustees = EarClaims { eat_profile: EarDialect::Trustee2024.profile().into(), ..ear() };
    let back = EarClaims::from_cwt_claims(&trustees.to_cwt_claims().unwrap()).unwrap();
    assert_eq!(back, ear());
}

#[test]
fn another_library_reads_the_token() {
    let issuer = issuer(SigningAlgorithm::Es256);
    let token = issuer.sign_cwt(&ear()).unwrap();
    let message = coset::CoseSign1::from_tagged_slice(&token).unwrap();
    let header = &message.protected.header;
    assert_eq!(header.alg, Some(coset::RegisteredLabelWithPrivate::Assigned(coset::iana::Algorithm::ES256)));
    assert_eq!(header.key_id, issuer.key().kid().as_bytes());
    assert_eq!(header.content_type, None);
    assert_eq!(header.rest, [(coset::Label::Int(16), Other::Text("application/eat+cwt".into()))]);
    assert!(message.unprotected.is_empty());
    let jwk = serde_json::to_value(issuer.key().public_jwk()).unwrap();
    let key = assay_cose::PublicKey::from_jwk(&jwk).unwrap();
    message
        .verify_signature(b"", |signature, message| {
            signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key.point())
                .verify(message, signature)
        })
        .unwrap();
    // (The claims set of coset refuses the draft's keys, which are not registered yet.)
    let Other::Map(all) = ciborium::from_reader(message.payload.as_deref().unwrap()).unwrap() else {
        panic!()
    };
    let integer = |number: i64| Other::Integer(Integer::from(number));
    let member = |number: i64| {
        let member = all.iter().find(|(key, _)| *key == integer(number));
        member.unwrap_or_else(|| panic!("{number}")).1.clone()
    };
    assert_eq!(member(1), Other::Text("assay".into()));
    assert_eq!(member(2), Other::Text("who".into()));
    assert_eq!(member(4), integer(NOW.0 + 300));
    assert_eq!(member(6), integer(NOW.0));
    assert_eq!(member(7), Other::Bytes(b"b8".to_vec()));
    assert_eq!(member(10), Other::Bytes((0..8).collect()));
    assert_eq!(member(265), Other::Text(EarDialect::Ietf.profile().into()));
    let Other::Map(submods) = member(266) else { panic!() };
    assert_eq!(submods[0].0, Other::Text("cpu0".into()));
    let Other::Map(appraisal) = &submods[0].1 else { panic!() };
    assert_eq!(appraisal[0], (integer(1000), integer(32)));
    let Other::Map(vector) = &appraisal[1].1 else { panic!() };
    assert_eq!((vector.len(), &vector[4]), (8, &(integer(4), integer(-2))));
}

/// A message signed by `issuer`, whatever it says.
fn message(issuer: &Issuer, protected: coset::Header, unprotected: coset::Header, claims: &[u8]) -> Vec<u8> {
    let key = issuer.key().to_pkcs8().unwrap();
    let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, key.expose());
    coset::CoseSign1Builder::new()
        .protected(protected)
        .unprotected(unprotected)
        .payload(claims.to_vec())
        .create_signature(b"", |message| {
            pair.unwrap().sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
        })
        .build()
        .to_tagged_vec()
        .unwrap()
}

fn header() -> coset::HeaderBuilder {
    coset::HeaderBuilder::new().algorithm(coset::iana::Algorithm::ES256)
}

/// Claims as another library writes them: the example of the draft, with an end.
fn foreign() -> Vec<(Other, Other)> {
    let text = |text: &str| Other::Text(text.into());
    let key = |n: i64| Other::Integer(n.into());
    vec![
        (key(265), text("tag:ietf.org,2026:rats/ear#04")),
        (key(6), key(NOW.0)),
        (key(4), key(NOW.0 + 300)),
        (
            key(1004),
            Other::Map(vec![(key(0), text("https://veraison-project.org")), (key(1), text("vts 0.0.1"))]),
        ),
        (key(1002), Other::Bytes(b"evidence".to_vec())),
        (
            key(266),
            Other::Map(vec![(
                text("PSA"),
                Other::Map(vec![
                    (key(1000), key(96)),
                    (key(1001), Other::Map(vec![(key(0), key(2)), (key(2), key(96)), (key(4), key(2))])),
                    (key(1003), Other::Array(vec![text("https://veraison.example/policy/1/60a0068d")])),
                ]),
            )]),
        ),
    ]
}

fn encoded(claims: &[(Other, Other)]) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(&Other::Map(claims.to_vec()), &mut out).unwrap();
    out
}

#[test]
fn the_token_of_another_library_is_read() {
    let issuer = issuer(SigningAlgorithm::Es256);
    let verifier = trusting(&[&issuer]);
    let kid = issuer.key().kid().as_bytes().to_vec();
    let typ = |value: Other| header().key_id(kid.clone()).value(16, value).build();
    for (protected, unprotected) in [
        (header().key_id(kid.clone()).build(), coset::Header::default()),
        (header().build(), coset::HeaderBuilder::new().key_id(kid.clone()).build()),
        (typ(Other::Text("Application/EAT+CWT; eat_profile=\"x\"".into())), coset::Header::default()),
        (typ(Other::Integer(263.into())), coset::Header::default()),
        (typ(Other::Integer(61.into())), coset::Header::default()),
    ] {
        let token = message(&issuer, protected, unprotected, &encoded(&foreign()));
        let ear = EarClaims::from_value(&verifier.verify_cwt(&token, NOW).unwrap().claims).unwrap();
        assert_eq!(ear.submods["PSA"].trust_vector.executables, 96);
        assert_eq!(ear.submods["PSA"].appraisal_policy_id, "https://veraison.example/policy/1/60a0068d");
        assert_eq!(ear.extra["ear.raw-evidence"], "ZXZpZGVuY2U");
    }
}

#[test]
fn each_fault_of_the_message_is_refused_by_its_own_name() {
    let issuer = issuer(SigningAlgorithm::Es256);
    let stranger = self::issuer(SigningAlgorithm::Es256);
    let other = self::issuer(SigningAlgorithm::Es384);
    let verifier = trusting(&[&issuer, &other]);
    let kid = || header().key_id(issuer.key().kid().as_bytes().to_vec());
    let claims = encoded(&foreign());
    let none = coset::Header::default;
    let good = message(&issuer, kid().build(), none(), &claims);
    verifier.verify_cwt(&good, NOW).unwrap();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let edited = |edit: &dyn Fn(&mut Vec<Cbor>)| {
        let Cbor::Tag(18, content) = read(&good, Limits::DEFAULT).unwrap() else { panic!() };
        let Cbor::Array(mut items) = *content else { panic!() };
        edit(&mut items);
        Cbor::tagged(18, items).encode()
    };
    // The stranger's own key comes along as COSE_Key and as certificates; nobody looks at it.
    let own_key = kid().value(33, Other::Bytes(vec![0x30])).value(-1, Other::Map(Vec::new())).build();
    let named = |kid: &[u8]| header().key_id(kid.to_vec()).build();
    let critical = |mut header: coset::Header| {
        header.crit.push(coset::RegisteredLabelWithPrivate::Text("x".into()));
        header.rest.push((coset::Label::Text("x".into()), Other::Null));
        header
    };
    let with_alg =
        |alg| coset::HeaderBuilder::new().algorithm(alg).key_id(issuer.key().kid().as_bytes().to_vec());
    for (name, token, code, part) in [
        ("nothing", Vec::new(), "TOK-028", "ends inside"),
        ("trailing byte", [&good[..], &[0]].concat(), "TOK-028", "after the end"),
        ("no tag", good[1..].to_vec(), "TOK-028", "tag 18"),
        ("another tag", [&[0xd1], &good[1..]].concat(), "TOK-028", "tag 18"),
        ("61 twice", [&[0xd8, 61, 0xd8, 61], &good[..]].concat(), "TOK-028", "tag 18"),
        ("a JWT", b"eyJhbGciOiJFUzI1NiJ9.e30.AA".to_vec(), "TOK-028", "CBOR"),
        ("too large", vec![0; assay_token::MAX_TOKEN_BYTES + 1], "TOK-002", "1048577"),
        ("signature changed", changed, "TOK-014", "does not hold"),
        ("signature short", edited(&|i| i[3] = vec![0; 63].into()), "TOK-014", "does not hold"),
        ("payload changed", edited(&|i| i[2] = vec![0xa0].into()), "TOK-014", "does not hold"),
        ("payload detached", edited(&|i| i[2] = Cbor::Null), "TOK-028", "payload"),
        ("no kid", message(&issuer, header().build(), none(), &claims), "TOK-007", "names no key"),
        ("unknown kid", message(&issuer, named(b"x"), none(), &claims), "TOK-008", "\"x\""),
        ("kid no text", message(&issuer, named(&[0xff]), none(), &claims), "TOK-008", "h'ff'"),
        (
            "kid is text",
            edited(&|i| {
                i[0] = vec![0xa1, 0x01, 0x26].into();
                i[1] = vec![(Cbor::from(4_i64), Cbor::from("x"))].into();
            }),
            "TOK-028",
            "kid is a text string",
        ),
        (
            "stranger's signature",
            message(&stranger, kid().build(), none(), &claims),
            "TOK-014",
            "does not hold",
        ),
        ("stranger's own key", message(&stranger, own_key, none(), &claims), "TOK-014", "does not hold"),
        (
            "no alg",
            message(
                &issuer,
                coset::HeaderBuilder::new().key_id(issuer.key().kid().as_bytes().to_vec()).build(),
                none(),
                &claims,
            ),
            "TOK-028",
            "no alg",
        ),
        (
            "alg unprotected",
            message(&issuer, coset::Header::default(), kid().build(), &claims),
            "TOK-028",
            "no alg",
        ),
        (
            "EdDSA",
            message(&issuer, with_alg(coset::iana::Algorithm::EdDSA).build(), none(), &claims),
            "TOK-004",
            "-8",
        ),
        (
            "HMAC",
            message(&issuer, with_alg(coset::iana::Algorithm::HMAC_256_256).build(), none(), &claims),
            "TOK-004",
            "5",
        ),
        (
            "alg of another curve",
            message(&issuer, with_alg(coset::iana::Algorithm::ES384).build(), none(), &claims),
            "TOK-006",
            "ES384",
        ),
        (
            "another trusted key's name",
            message(&issuer, named(other.key().kid().as_bytes()), none(), &claims),
            "TOK-006",
            "P-384",
        ),
        ("crit", message(&issuer, critical(kid().build()), none(), &claims), "TOK-005", "crit"),
        (
            "another type",
            message(
                &issuer,
                kid().value(16, Other::Text("application/rim+cose".into())).build(),
                none(),
                &claims,
            ),
            "TOK-029",
            "rim+cose",
        ),
        (
            "another content format",
            message(&issuer, kid().value(16, Other::Integer(60.into())).build(), none(), &claims),
            "TOK-029",
            "60",
        ),
        (
            "type is a map",
            message(&issuer, kid().value(16, Other::Map(Vec::new())).build(), none(), &claims),
            "TOK-029",
            "{}",
        ),
    ] {
        let error = verifier.verify_cwt(&token, NOW).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

#[test]
fn each_fault_of_the_claims_is_refused_by_its_own_name() {
    let issuer = issuer(SigningAlgorithm::Es256);
    let verifier = trusting(&[&issuer]);
    let header = header().key_id(issuer.key().kid().as_bytes().to_vec()).build();
    let n = |n: i64| Cbor::from(n);
    let good = read(&encoded(&foreign()), Limits::DEFAULT).unwrap();
    let set = |label: Cbor, value: Cbor| {
        let mut members = good.as_map().unwrap().to_vec();
        members.retain(|(l, _)| *l != label);
        members.push((label, value));
        Cbor::Map(members).encode()
    };
    let without = |number: i64| {
        let members = good.as_map().unwrap().iter().filter(|(l, _)| l.as_i64() != Some(number));
        Cbor::Map(members.cloned().collect()).encode()
    };
    let in_appraisal = |label: Cbor, value: Cbor| {
        let mut appraisal = good.get(266).unwrap().get_text("PSA").unwrap().as_map().unwrap().to_vec();
        appraisal.retain(|(l, _)| *l != label);
        appraisal.push((label, value));
        set(n(266), vec![(Cbor::from("PSA"), Cbor::Map(appraisal))].into())
    };
    let twice = {
        let mut members = good.as_map().unwrap().to_vec();
        members.push(members[0].clone());
        Cbor::Map(members).encode()
    };
    let set_two = |a: &str, b: &str| {
        let mut members = good.as_map().unwrap().to_vec();
        members.extend([(Cbor::from(a), n(1)), (Cbor::from(b), n(1))]);
        Cbor::Map(members).encode()
    };
    let one = |label: Cbor, value: Cbor| Cbor::Map(vec![(label, value)]);
    let both = |a: (Cbor, Cbor), b: (Cbor, Cbor)| Cbor::Map(vec![a, b]);
    let deep = (0..40).fold(Cbor::Null, |inner, _| Cbor::Array(vec![inner]));
    for (name, claims, code, part) in [
        ("no CBOR", vec![0xff], "TOK-015", "CBOR"),
        ("no map", n(1).encode(), "TOK-015", "expected a map"),
        ("trailing", [good.encode(), vec![0]].concat(), "TOK-015", "after the end"),
        ("indefinite", vec![0xbf, 0xff], "TOK-015", "indefinite"),
        ("key twice", twice, "TOK-015", "twice"),
        ("no end", without(4), "TOK-016", "exp"),
        ("ended", set(n(4), n(NOW.0)), "TOK-017", "ended"),
        ("not begun", set(n(5), n(NOW.0 + 1)), "TOK-018", "begins"),
        ("from the future", set(n(6), n(NOW.0 + 1)), "TOK-019", "issued"),
        ("for someone else", set(n(3), "them".into()), "TOK-021", "them"),
        ("fraction", set(n(4), Cbor::Float(2e9)), "TOK-015", "exp (4)"),
        ("tagged time", set(n(4), Cbor::tagged(1, n(2_000_000_000))), "TOK-015", "seconds"),
        ("end too great", set(n(4), Cbor::Unsigned(u64::MAX)), "TOK-015", "exp (4)"),
        ("issuer no text", set(n(1), n(1)), "TOK-015", "iss (1)"),
        ("cti is text", set(n(7), "x".into()), "TOK-015", "jti (7)"),
        ("cti is not UTF-8", set(n(7), vec![0xff].into()), "TOK-015", "UTF-8"),
        ("nonce is text", set(n(10), "AAECAwQFBgc".into()), "TOK-015", "eat_nonce (10)"),
        ("profile is an OID", set(n(265), vec![0x2a].into()), "TOK-015", "eat_profile (265)"),
        ("registered claim as text", set("exp".into(), n(NOW.0 + 900)), "TOK-015", "has the key 4"),
        ("claim of EAR as text", set("ear_verifier_id".into(), n(1)), "TOK-015", "has the key 1004"),
        ("its other spelling", set("ear.verifier-id".into(), n(1)), "TOK-015", "has the key 1004"),
        ("number as text", set("70000".into(), n(1)), "TOK-015", "is a number"),
        ("key of another kind", set(Cbor::Null, n(1)), "TOK-015", "neither text nor integer"),
        ("key too small", set(Cbor::Negative(u64::MAX), n(1)), "TOK-015", "neither text nor integer"),
        ("unknown claim that JSON has not", set(n(-80000), Cbor::Undefined), "TOK-015", "-80000"),
        ("no developer", set(n(1004), one(n(1), "b".into())), "TOK-015", "developer"),
        (
            "verifier more",
            set(n(1004), Cbor::Map(vec![(n(0), "d".into()), (n(1), "b".into()), (n(2), n(3))])),
            "TOK-015",
            "3 members",
        ),
        (
            "verifier by name",
            set(n(1004), both(("developer".into(), "d".into()), ("build".into(), "b".into()))),
            "TOK-015",
            "no developer",
        ),
        ("evidence is text", set(n(1002), "AA".into()), "TOK-015", "ear_raw_evidence"),
        (
            "record of three",
            set(n(1002), Cbor::Array(vec!["a".into(), vec![1].into(), n(1)])),
            "TOK-015",
            "[type, bytes]",
        ),
        ("submods a list", set(n(266), Cbor::Array(vec![])), "TOK-015", "submods (266)"),
        ("name no text", set(n(266), one(n(1), Cbor::Map(vec![]))), "TOK-015", "the name 1"),
        ("appraisal no map", set(n(266), one("a".into(), n(1))), "TOK-015", "a: expected a map"),
        ("unknown tier", in_appraisal(n(1000), n(3)), "TOK-015", "found 3"),
        ("tier as text", in_appraisal(n(1000), "affirming".into()), "TOK-015", "found \"affirming\""),
        ("status as text key", in_appraisal("ear_status".into(), n(2)), "TOK-015", "has the key 1000"),
        ("unknown trust claim", in_appraisal(n(1001), one(n(8), n(2))), "TOK-015", "no claim 8"),
        (
            "trust claim by name",
            in_appraisal(n(1001), one("hardware".into(), n(2))),
            "TOK-015",
            "no claim \"hardware\"",
        ),
        ("trust value too great", in_appraisal(n(1001), one(n(4), n(128))), "TOK-015", "found 128"),
        (
            "policy ids of numbers",
            in_appraisal(n(1003), Cbor::Array(vec![n(1)])),
            "TOK-015",
            "expected a text",
        ),
        ("no policy ids", in_appraisal(n(1003), Cbor::Array(vec![])), "TOK-025", "one at least"),
        ("no attested key", in_appraisal(n(-70002), Cbor::Map(vec![])), "TOK-015", "akpub"),
        (
            "attested key is text",
            in_appraisal(n(-70002), one("akpub".into(), "AA".into())),
            "TOK-015",
            "akpub",
        ),
        ("both spellings", set_two("ear.assay.x", "ear_assay_x"), "TOK-027", "ear_assay_x"),
        ("deep", in_appraisal(n(-70000), deep), "TOK-015", "levels"),
    ] {
        let token = message(&issuer, header.clone(), coset::Header::default(), &claims);
        let error = verifier.verify_cwt(&token, NOW).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

#[test]
fn the_issuer_and_the_audience_count_as_in_a_jwt() {
    let issuer = issuer(SigningAlgorithm::Es256);
    let jwks = JwkSet { keys: vec![issuer.key().public_jwk().clone()] };
    let pinned = |name: &str| {
        let trusted = TrustedKeys { jwks: jwks.clone(), issuer: Some(name.into()), ..TrustedKeys::default() };
        TokenVerifier::new(trusted).unwrap()
    };
    let token = issuer.sign_cwt(&ear()).unwrap();
    pinned("assay").verify_cwt(&token, NOW).unwrap();
    assert_eq!(pinned("another").verify_cwt(&token, NOW).unwrap_err().code(), "TOK-020");
    let mut meant = ear();
    meant.extra.insert("aud".into(), json!(["a", "b"]));
    let token = issuer.sign_cwt(&meant).unwrap();
    assert_eq!(pinned("assay").verify_cwt(&token, NOW).unwrap_err().code(), "TOK-021");
    let trusted = TrustedKeys { jwks, audience: Some("b".into()), ..TrustedKeys::default() };
    TokenVerifier::new(trusted).unwrap().verify_cwt(&token, NOW).unwrap();
}

#[test]
fn what_cannot_be_written_is_not_signed() {
    let issuer = issuer(SigningAlgorithm::Es256);
    let cpu = |ear: &mut EarClaims, name: &str, value: Value| {
        ear.submods.get_mut("cpu0").unwrap().extensions.insert(name.into(), value);
    };
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let cases: [Fault<'_>; 8] = [
        (
            "evidence",
            &|e| drop(e.extra.insert("ear.raw-evidence".into(), json!("+"))),
            "TOK-024",
            "base64url",
        ),
        (
            "record",
            &|e| drop(e.extra.insert("ear.raw-evidence".into(), json!([1, "AA"]))),
            "TOK-024",
            "[type, base64url]",
        ),
        ("audience", &|e| drop(e.extra.insert("sub".into(), json!(1))), "TOK-024", "sub: not a text"),
        ("number", &|e| drop(e.extra.insert("4".into(), json!(1))), "TOK-024", "the claim 4"),
        ("key", &|e| cpu(e, "ear.veraison.key-attestation", json!({ "akpub": 1 })), "TOK-024", "base64url"),
        ("nonce", &|e| cpu(e, "eat_nonce", json!("+")), "TOK-024", "cpu0: eat_nonce"),
        ("deep", &|e| cpu(e, "x", deep.clone()), "TOK-024", "levels"),
        ("long", &|e| cpu(e, "x", json!("x".repeat(1 << 20))), "TOK-002", "1048576"),
    ];
    for (name, change, code, part) in cases {
        let mut ear = ear();
        change(&mut ear);
        let error = issuer.sign_cwt(&ear).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_claims_come_through(
        nonce in proptest::option::of(proptest::collection::vec(any::<u8>(), 8..=64)),
        exp in proptest::option::of(any::<i64>()),
        (iat, nbf) in any::<(i64, i64)>(),
        hardware in any::<i8>(),
        names in proptest::collection::btree_set("(ear.(assay|trustee|other).)?[a-z.-]{1,9}|-?[1-9][0-9]{4}", 0..4),
        (text, number, float) in any::<(String, u64, f32)>(),
    ) {
        let vector = TrustVector { hardware, ..TrustVector::default() };
        let mut submodule = Submodule::new(vector, text.replace(',', ""), json!({ text.clone(): number }));
        submodule.extensions = names.iter().map(|name| (name.clone(), json!([float, name]))).collect();
        let claims = EarClaims {
            iat: UnixTime(iat), nbf: UnixTime(nbf), exp: exp.map(UnixTime), eat_nonce: nonce, jti: text.clone(),
            submods: BTreeMap::from([(text, submodule)]), ..ear()
        };
        let Ok(encoded) = claims.to_cwt_claims() else {
            // A name that is not free.
            assert!(claims.to_value(EarDialect::Ietf).is_err());
            return Ok(());
        };
        assert_eq!(EarClaims::from_cwt_claims(&encoded).unwrap(), claims);
        // Deterministic: reading and writing again changes nothing.
        assert_eq!(EarClaims::from_cwt_claims(&encoded).unwrap().to_cwt_claims().unwrap(), encoded);
    }

    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, at: usize, to: u8) {
        let issuer = issuer(SigningAlgorithm::Es256);
        let verifier = trusting(&[&issuer]);
        assert!(verifier.verify_cwt(&bytes, NOW).is_err());
        assert!(EarClaims::from_cwt_claims(&bytes).is_err());
        // A token with one byte changed: refused, or the byte was that one.
        let token = issuer.sign_cwt(&ear()).unwrap();
        let mut changed = token.clone();
        let at = at % changed.len();
        changed[at] = to;
        assert_eq!(verifier.verify_cwt(&changed, NOW).is_ok(), changed == token);
    }
}
