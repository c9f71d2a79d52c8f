//! Who a caller is, and what it may do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

#[path = "../../listener/tests/certificates/mod.rs"]
mod certificates;
mod place;

use assay_access::{
    ADMIN_ISSUER, AccessError, AdminKey, ClientRule, ClientRuleError, MAX_ADMIN_TOKEN_SECONDS, Role,
};
use assay_token::{SigningAlgorithm, SigningKey};
use assay_types::{Coded as _, Fault};
use certificates::Ca;
use place::{HERE, NOW, Place};
use serde_json::{Map, Value, json};

fn rule(san: &str, roles: &[Role]) -> ClientRule {
    ClientRule { san: san.to_owned(), roles: roles.to_vec() }
}

fn good() -> Value {
    json!({"iss": ADMIN_ISSUER, "aud": HERE, "iat": NOW.0, "exp": NOW.0 + 60, "role": "admin", "jti": "x"})
}

/// The admin key as a key that signs any claims.
fn signer(key: &AdminKey) -> SigningKey {
    SigningKey::from_pkcs8(SigningAlgorithm::Es256, &key.to_pkcs8().unwrap()).unwrap()
}

#[tokio::test]
async fn each_claim_of_a_token_counts() {
    let place = Place::new();
    let authority = place.authority(&place.open().await, Vec::new()).await;
    let key = authority.keys().newest().await.unwrap();
    let token = key.mint(Role::Auditor, 60, HERE, NOW).unwrap();
    let caller = authority.identify(Some(&token), None, NOW).unwrap();
    assert_eq!(caller.roles(), [Role::Auditor]);
    assert!(
        caller.name().starts_with("token ") && caller.name().len() == "token ".len() + 16,
        "{}",
        caller.name()
    );
    let sign = |claims: &Value| signer(&key).sign_jwt(&Map::new(), claims).unwrap();
    assert_eq!(place.refusal(&authority, &sign(&good())), "");
    for (name, value, code) in [
        ("iss", json!("CoCo-Attestation-Service"), "KBS-027"),
        ("aud", json!("elsewhere"), "KBS-027"),
        ("aud", Value::Null, "KBS-027"),
        ("iat", Value::Null, "KBS-028"),
        ("iat", json!(NOW.0 + 60 - MAX_ADMIN_TOKEN_SECONDS - 1), "KBS-028"),
        ("exp", json!(NOW.0 - 31), "KBS-027"),
        ("exp", Value::Null, "KBS-027"),
        ("nbf", json!(NOW.0 + 31), "KBS-027"),
        ("role", json!("root"), "KBS-029"),
        ("role", json!(["admin"]), "KBS-029"),
        ("role", Value::Null, "KBS-029"),
    ] {
        let mut claims = good();
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            ref value => claims.as_object_mut().unwrap().insert(name.to_owned(), value.clone()),
        };
        assert_eq!(place.refusal(&authority, &sign(&claims)), code, "{name}: {value}");
    }
}

#[tokio::test]
async fn the_leeway_is_half_a_minute_on_both_sides() {
    let place = Place::new();
    let authority = place.authority(&place.open().await, Vec::new()).await;
    let token = authority.keys().newest().await.unwrap().mint(Role::Admin, 60, HERE, NOW).unwrap();
    for (seconds, held) in [(-31, false), (-30, true), (0, true), (89, true), (91, false)] {
        assert_eq!(authority.identify(Some(&token), None, NOW.plus(seconds)).is_ok(), held, "{seconds}");
    }
}

#[tokio::test]
async fn tokens_of_other_keys_and_no_tokens_are_refused() {
    let place = Place::new();
    let authority = place.authority(&place.open().await, Vec::new()).await;
    let stranger = AdminKey::generate().unwrap();
    let own_jwk = serde_json::to_value(signer(&stranger).public_jwk()).unwrap();
    let with_own_jwk = Map::from_iter([("jwk".to_owned(), own_jwk)]);
    for token in [
        stranger.mint(Role::Admin, 60, HERE, NOW).unwrap(),
        signer(&stranger).sign_jwt(&with_own_jwk, &good()).unwrap(),
        String::new(),
        "let me in".to_owned(),
        "e30.e30.".to_owned(),
    ] {
        let error = authority.identify(Some(&token), None, NOW).unwrap_err();
        assert_eq!((error.code(), error.fault()), ("KBS-027", Fault::Unauthenticated), "{token}: {error}");
    }
    let error = authority.identify(None, None, NOW).unwrap_err();
    assert_eq!((error.code(), error.fault()), ("KBS-026", Fault::Unauthenticated));
}

#[tokio::test]
async fn a_certificate_has_the_roles_of_its_names() {
    let place = Place::new();
    let authority = place
        .authority(
            &place.open().await,
            vec![
                rule("kbs.example.org", &[Role::Evaluator]),
                rule("spiffe://example.org/as", &[Role::ReferenceValueReader, Role::Auditor]),
                rule("both.example.org", &[Role::Evaluator, Role::PolicyWriter]),
            ],
        )
        .await;
    let ca = Ca::new("clients");
    let identify = |names: &[&str]| authority.identify(None, Some(&ca.issue(names).certificate), NOW);
    for (names, name, roles) in [
        (&["kbs.example.org"][..], "certificate kbs.example.org", &[Role::Evaluator][..]),
        (&["KBS.Example.ORG"], "certificate kbs.example.org", &[Role::Evaluator]),
        (&["a.example.org", "kbs.example.org"], "certificate kbs.example.org", &[Role::Evaluator]),
        (
            &["spiffe://example.org/as"],
            "certificate spiffe://example.org/as",
            &[Role::ReferenceValueReader, Role::Auditor],
        ),
        (
            &["both.example.org", "kbs.example.org"],
            "certificate both.example.org, kbs.example.org",
            &[Role::PolicyWriter, Role::Evaluator],
        ),
    ] {
        let caller = identify(names).unwrap();
        assert_eq!((caller.name(), caller.roles()), (name, roles), "{names:?}");
    }
    for names in [
        &[][..],
        &["example.org"],
        &["a.kbs.example.org"],
        &["kbs.example.org.evil.example"],
        &["kbs.example.org."],
        &["*.example.org"],
        &["spiffe://example.org/as/"],
        &["spiffe://example.org/AS"],
        &["spiffe://example.org"],
        // The name of a rule for DNS, as a URI, is another name.
        &["dns:kbs.example.org"],
    ] {
        let error = identify(names).unwrap_err();
        assert_eq!((error.code(), error.fault()), ("ACC-002", Fault::Forbidden), "{names:?}: {error}");
    }
    for bytes in [&b""[..], b"\x30\x00", &ca.issue(&["kbs.example.org"]).certificate[..100]] {
        assert_eq!(authority.identify(None, Some(bytes), NOW).unwrap_err().code(), "ACC-001");
    }
    let names: Vec<String> = (0..65).map(|n| format!("{n}.example.org")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["kbs.example.org"]).collect();
    assert_eq!(identify(&names).unwrap_err().code(), "ACC-001");
}

#[tokio::test]
async fn a_token_that_is_shown_counts_alone() {
    let place = Place::new();
    let authority = place.authority(&place.open().await, vec![rule("a.example.org", &[Role::Admin])]).await;
    let client = Ca::new("clients").issue(&["a.example.org"]).certificate;
    let token = authority.keys().newest().await.unwrap().mint(Role::Auditor, 60, HERE, NOW).unwrap();
    let caller = authority.identify(Some(&token), Some(&client), NOW).unwrap();
    assert_eq!(caller.roles(), [Role::Auditor]);
    assert!(authority.identify(Some("no token"), Some(&client), NOW).is_err());
    assert!(authority.identify(None, Some(&client), NOW).unwrap().has(Role::Admin));
}

#[tokio::test]
async fn rules_change_while_it_runs() {
    let place = Place::new();
    let authority = place.authority(&place.open().await, Vec::new()).await;
    let client = Ca::new("clients").issue(&["a.example.org"]).certificate;
    let code = || authority.identify(None, Some(&client), NOW).err().map_or("", |error| error.code());
    assert_eq!(code(), "ACC-002");
    authority.set_clients(vec![rule("a.example.org", &[Role::Auditor])]).unwrap();
    assert_eq!(code(), "");
    let refused = authority.set_clients(vec![rule("*", &[Role::Admin])]);
    assert!(matches!(refused, Err(ClientRuleError::Name { .. })));
    assert_eq!(code(), "", "those that were in force stay");
    authority.set_clients(Vec::new()).unwrap();
    assert_eq!(code(), "ACC-002");
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    let some = &[Role::Auditor];
    for (rules, code) in [
        (vec![rule("", some)], "ACC-011"),
        (vec![rule("*.example.org", some)], "ACC-011"),
        (vec![rule("a b", some)], "ACC-011"),
        (vec![rule("ä.example.org", some)], "ACC-011"),
        (vec![rule(&"a".repeat(513), some)], "ACC-011"),
        (vec![rule("a", &[])], "ACC-012"),
        (vec![rule("a", some), rule("b", some), rule("A", some)], "ACC-013"),
        (vec![rule("u:a", some), rule("u:a", some)], "ACC-013"),
        ((0..1025).map(|n| rule(&n.to_string(), some)).collect(), "ACC-014"),
    ] {
        assert_eq!(ClientRule::check(&rules).unwrap_err().code(), code, "{:?}", rules[0].san);
    }
    ClientRule::check(&[rule("a", some), rule("u:a", some), rule("u:A", some)]).unwrap();
}

/// Every role, by token and by certificate, on every right.
#[tokio::test]
async fn each_role_may_what_it_is_for() {
    let place = Place::new();
    let rules = Role::ALL.map(|role| rule(&format!("{role}.example.org"), &[role]));
    let authority = place.authority(&place.open().await, rules.to_vec()).await;
    let key = authority.keys().newest().await.unwrap();
    let ca = Ca::new("clients");
    for own in Role::ALL {
        let token = key.mint(own, 60, HERE, NOW).unwrap();
        let client = ca.issue(&[&format!("{own}.example.org")]).certificate;
        for caller in [
            authority.identify(Some(&token), None, NOW).unwrap(),
            authority.identify(None, Some(&client), NOW).unwrap(),
        ] {
            assert_eq!(caller.roles(), [own]);
            for asked in Role::ALL {
                let may = own == Role::Admin || own == asked;
                assert_eq!(caller.has(asked), may, "{own} {asked}");
                match caller.require(&[asked], "set policies") {
                    Ok(()) => assert!(may),
                    Err(error) => {
                        assert!(!may && matches!(error, AccessError::Forbidden { .. }));
                        assert_eq!((error.code(), error.fault()), ("KBS-030", Fault::Forbidden));
                        assert_eq!(error.to_string(), format!("the role {own} may not set policies"));
                    }
                }
                let others: Vec<Role> = Role::ALL.into_iter().filter(|role| *role != asked).collect();
                assert_eq!(caller.require(&others, "x").is_ok(), own == Role::Admin || own != asked);
            }
            assert_eq!(caller.require(&[], "x").is_ok(), own == Role::Admin);
        }
    }
}
