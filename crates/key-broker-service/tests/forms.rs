//! Attestation results in the forms that clients ask for, and back as credentials.
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

use assay_token::{EarClaims, EarDialect, EarForm, TokenVerifier, TrustedKeys, decode_unverified};
use assay_types::{Clock as _, Tee};
use serde_json::{Value, json};
use world::{ALLOW_ALL, Answer, Guest, World};

const SECRET: &str = "/kbs/v0/resource/default/key/1";

/// Releases to who is seen under Trustee's names, and to nobody else.
const DOTTED_ONLY: &str = r#"package policy
import rego.v1
default allow := false
allow if {
    cpu := input.submods.cpu0
    cpu["ear.appraisal-policy-id"] == "default"
    cpu["ear.trustworthiness-vector"].hardware >= 0
    cpu["ear.veraison.annotated-evidence"].sample
    not cpu.ear_status
}
"#;

async fn attest(world: &World, guest: &Guest, accept: &[&str]) -> Answer {
    let cookie = format!("kbs-session-id={}", guest.cookie);
    let mut headers = vec![("cookie", cookie.as_str())];
    headers.extend(accept.iter().map(|accept| ("accept", *accept)));
    world.call("POST", "/kbs/v0/attest", &headers, world.attestation(guest, &[]).to_string()).await
}

fn eat(kind: &str, dialect: EarDialect) -> String {
    format!("application/eat+{kind}; eat_profile=\"{}\"", dialect.profile())
}

fn verifier(world: &World) -> TokenVerifier {
    let jwks = world.attestation.keys().jwks();
    TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap()
}

/// The claims without what each attestation has of its own.
fn comparable(mut claims: Value) -> Value {
    for name in ["jti", "eat_profile"] {
        claims.as_object_mut().unwrap().remove(name).unwrap();
    }
    let cpu = claims["submods"]["cpu0"].as_object_mut().unwrap();
    cpu.remove("ear.veraison.annotated-evidence").unwrap();
    cpu.remove("ear.assay.evidence-digest").unwrap();
    claims
}

#[tokio::test]
async fn who_does_not_ask_gets_what_was_always_given() {
    let world = World::new().await;
    for accept in [&[][..], &["*/*"], &["application/json"], &["text/html, */*;q=0.1"]] {
        let guest = world.guest(Tee::Sample).await;
        let answer = attest(&world, &guest, accept).await.ok();
        assert_eq!(answer.header("content-type"), "application/json");
        let token = answer.token();
        assert_eq!(answer.text(), format!(r#"{{"token":"{token}"}}"#));
        let (_, claims) = decode_unverified(&token).unwrap();
        assert_eq!(claims["eat_profile"], EarDialect::Trustee2024.profile());
    }
}

#[tokio::test]
async fn the_token_comes_alone_in_the_form_asked_for() {
    let world = World::new().await;
    let usual = attest(&world, &world.guest(Tee::Sample).await, &[]).await.token();
    let usual = comparable(decode_unverified(&usual).unwrap().1);
    for (dialect, status) in [
        (EarDialect::Trustee2024, "ear.status"),
        (EarDialect::Veraison2023, "ear.status"),
        (EarDialect::Ietf, "ear_status"),
    ] {
        let guest = world.guest(Tee::Sample).await;
        let answer = attest(&world, &guest, &["text/plain", &eat("jwt", dialect)]).await.ok();
        assert_eq!(answer.header("content-type"), eat("jwt", dialect));
        assert_eq!(answer.cookie(), guest.cookie);
        let claims = verifier(&world).verify(&answer.text(), world.clock.now()).unwrap().claims;
        assert_eq!(claims["eat_profile"], dialect.profile());
        assert!(claims["submods"]["cpu0"].get(status).is_some(), "{claims}");
        assert_eq!(comparable(EarClaims::normalised(claims).unwrap()), usual);
    }
    let answer = attest(&world, &world.guest(Tee::Sample).await, &["application/jwt"]).await.ok();
    assert_eq!(answer.header("content-type"), "application/jwt");
    decode_unverified(&answer.text()).unwrap();
    let answer = attest(&world, &world.guest(Tee::Sample).await, &["application/eat+cwt"]).await.ok();
    assert_eq!(answer.header("content-type"), eat("cwt", EarDialect::Ietf));
    let claims = verifier(&world).verify_cwt(&answer.body, world.clock.now()).unwrap().claims;
    assert_eq!(comparable(claims), usual);
}

#[tokio::test]
async fn a_form_that_nobody_writes_leaves_the_challenge_unused() {
    let world = World::new().await;
    let guest = world.guest(Tee::Sample).await;
    for accept in ["text/html", r#"application/eat+jwt; eat_profile="tag:example.com,2020:x""#] {
        let answer = attest(&world, &guest, &[accept]).await;
        assert_eq!(answer.refusal(), (406, "TOK-030".to_owned()));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(EarForm::ALL.iter().all(|form| detail.contains(&form.content_type())), "{detail}");
    }
    attest(&world, &guest, &[]).await.ok();
}

#[tokio::test]
async fn policies_see_the_names_they_know_whatever_token_is_shown() {
    let world = World::with_resource_policies(&[("resource-policy", DOTTED_ONLY)]).await;
    world.set_resource("default/key/1", b"x").await;
    for dialect in EarDialect::ALL {
        let guest = world.guest(Tee::Sample).await;
        let token = attest(&world, &guest, &[&eat("jwt", dialect)]).await.ok().text();
        assert_eq!(guest.decrypt(&world.get_with_token(&token, SECRET).await), b"x", "{dialect}");
        // The session has the token of the usual form.
        assert_eq!(guest.decrypt(&world.get(&guest, SECRET).await), b"x", "{dialect}");
    }
}

#[tokio::test]
async fn a_token_with_both_names_is_refused() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    let token = attest(&world, &world.guest(Tee::Sample).await, &[]).await.token();
    let mut claims = decode_unverified(&token).unwrap().1;
    claims["submods"]["cpu0"]["ear_status"] = json!("affirming");
    let forged = world.attestation.keys().current().current().sign(&claims).unwrap();
    assert_eq!(world.get_with_token(&forged, SECRET).await.refusal(), (401, "TOK-027".to_owned()));
}
