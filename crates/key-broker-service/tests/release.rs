//! Who gets a resource, and what the others are told.
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
use assay_token::{SigningAlgorithm, SigningKey, decode_unverified};
use assay_types::{Clock as _, Tee};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Map, Value, json};
use world::{ALLOW_ALL, DENY_ALL, World, base64url};

const SECRET: &str = "/kbs/v0/resource/default/key/1";

#[tokio::test]
async fn a_guest_that_is_not_affirming_is_denied_with_every_reason() {
    let world = World::new().await;
    world.register_good_guests().await;
    world.set_resource("default/key/1", b"x").await;
    for (set, code) in [
        (("measurement", "00".repeat(48)), "APR-SNP-001"),
        (("policy.debug", "true".to_owned()), "APR-SNP-007"),
    ] {
        let guest = world.attested(Tee::Snp, &[(set.0, &set.1)]).await;
        let answer = world.get(&guest, SECRET).await;
        assert_eq!(answer.refusal(), (403, "KBS-014".to_owned()));
        let problem = answer.json();
        assert!(problem["type"].as_str().unwrap().ends_with("/PolicyDeny"));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("\"resource-policy\" denies default/key/1: cpu0 is "), "{detail}");
        let findings = problem["findings"].as_array().unwrap();
        assert!(findings.iter().all(|finding| finding["outcome"] == "failed"));
        let finding =
            findings.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("{findings:?}"));
        for member in ["check", "expected", "found", "detail", "remedy"] {
            assert!(!finding[member].as_str().unwrap().is_empty(), "{member}: {finding}");
        }
    }
    let good = world.attested(Tee::Snp, &[]).await;
    assert_eq!(good.decrypt(&world.get(&good, SECRET).await), b"x");
}

#[tokio::test]
async fn without_reference_values_nobody_gets_anything() {
    let world = World::new().await;
    world.set_resource("default/key/1", b"x").await;
    for tee in [Tee::Sample, Tee::Snp] {
        let guest = world.attested(tee, &[]).await;
        assert_eq!(world.get(&guest, SECRET).await.refusal(), (403, "KBS-014".to_owned()));
    }
}

#[tokio::test]
async fn whether_a_resource_is_there_is_told_only_to_those_who_may_have_it() {
    let world = World::new().await;
    world.register_good_guests().await;
    world.set_resource("default/key/1", b"x").await;
    let wrong = world.attested(Tee::Snp, &[("policy.debug", "true")]).await;
    let good = world.attested(Tee::Snp, &[]).await;
    let (there, missing) =
        (world.get(&wrong, SECRET).await, world.get(&wrong, "/kbs/v0/resource/default/key/2").await);
    assert_eq!(there.refusal(), missing.refusal());
    let answer = world.get(&good, "/kbs/v0/resource/default/key/2").await;
    assert_eq!(answer.refusal(), (404, "KBS-018".to_owned()));
    assert!(answer.json()["type"].as_str().unwrap().ends_with("/ResourceNotFound"));
}

#[tokio::test]
async fn the_most_specific_policy_decides_alone() {
    let world = World::with_resource_policies(&[
        ("resource-policy", DENY_ALL),
        ("tenant-a", ALLOW_ALL),
        ("tenant-a/keys", DENY_ALL),
        ("tenant-a/keys/open", ALLOW_ALL),
        ("tenant-ab", DENY_ALL),
    ])
    .await;
    let guest = world.attested(Tee::Sample, &[]).await;
    for (path, allowed) in [
        ("default/key/1", false),
        ("tenant-a/other/1", true),
        ("tenant-a/keys/1", false),
        ("tenant-a/keys/open", true),
        ("tenant-a/keysx/1", true),
        ("tenant-ab/x/1", false),
        ("tenant/a/1", false),
    ] {
        world.set_resource(path, b"x").await;
        let answer = world.get(&guest, &format!("/kbs/v0/resource/{path}")).await;
        assert_eq!(answer.status == 200, allowed, "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn the_policy_sees_plugin_path_query_and_claims() {
    const POLICY: &str = r#"package policy
import rego.v1
default allow := false
allow if {
    data.plugin == "resource"
    data["resource-path"] == ["a", "b", "c"]
    data.query.purpose == "boot now"
    input.submods.cpu0["ear.veraison.annotated-evidence"].sample.svn == "7"
}
"#;
    let world = World::with_resource_policies(&[("resource-policy", POLICY)]).await;
    world.set_resource("a/b/c", b"x").await;
    world.set_resource("a/b/d", b"x").await;
    let seven = world.attested(Tee::Sample, &[("svn", "7")]).await;
    let other = world.attested(Tee::Sample, &[]).await;
    for (guest, path, status) in [
        (&seven, "a/b/c?purpose=boot+now", 200),
        (&seven, "a/b/c?purpose=boot%20now", 200),
        (&seven, "a/b/c", 403),
        (&seven, "a/b/d?purpose=boot+now", 403),
        (&other, "a/b/c?purpose=boot+now", 403),
        (&seven, "a/b/c?purpose=boot+now&purpose=x", 400),
    ] {
        assert_eq!(world.get(guest, &format!("/kbs/v0/resource/{path}")).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_policy_that_fails_releases_nothing_and_hides_its_inside() {
    let broken = "package policy\nthis is no rego";
    let endless = "package policy\nimport rego.v1\nallow if {\n\tsome i in numbers.range(1, 1000)\n\tsome j in numbers.range(1, 1000)\n\ti * j == 0\n}\n";
    let no_boolean = "package policy\nimport rego.v1\nallow := \"true\"\n";
    let world =
        World::with_resource_policies(&[("broken", broken), ("endless", endless), ("text", no_boolean)])
            .await;
    let guest = world.attested(Tee::Sample, &[]).await;
    for (path, status) in [("broken/b/c", 500), ("endless/b/c", 500), ("text/b/c", 403)] {
        world.set_resource(path, b"x").await;
        let answer = world.get(&guest, &format!("/kbs/v0/resource/{path}")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.text().contains("rego"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_changed_policy_counts_at_once_and_its_deletion_too() {
    let world = World::with_resource_policies(&[("resource-policy", DENY_ALL)]).await;
    world.set_resource("default/key/1", b"x").await;
    let guest = world.attested(Tee::Sample, &[]).await;
    assert_eq!(world.get(&guest, SECRET).await.status, 403);
    let body = json!({ "policy": base64url(ALLOW_ALL) }).to_string();
    world.administer(Role::PolicyWriter, "POST", "/kbs/v0/resource-policy", body).await.ok();
    assert_eq!(guest.decrypt(&world.get(&guest, SECRET).await), b"x");
    let path = "/kbs/v0/resource-policy/resource-policy";
    assert_eq!(world.administer(Role::Auditor, "GET", path, "").await.ok().text(), ALLOW_ALL);
    world.administer(Role::PolicyWriter, "DELETE", path, "").await.ok();
    let bundled = world.administer(Role::Auditor, "GET", path, "").await.ok().text();
    assert!(bundled.contains("affirming"), "the bundled policy comes back");
    assert_eq!(world.get(&guest, SECRET).await.status, 403);
}

/// A good token, and the same claims in tokens that must not be believed.
#[tokio::test]
async fn only_tokens_of_our_own_keys_are_believed() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("default/key/1", b"x").await;
    let guest = world.guest(Tee::Sample).await;
    let token = world.attest(&guest, &[]).await.token();
    world.get_with_token(&token, SECRET).await.ok();

    let (header, claims) = decode_unverified(&token).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let with_header = |header: &Value, signature: &str| {
        format!("{}.{}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()), parts[1])
    };
    let stranger = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let own_jwk = serde_json::to_value(stranger.public_jwk()).unwrap();
    let with_jwk = Map::from_iter([("jwk".to_owned(), own_jwk)]);
    let mut same_kid = header.clone();
    same_kid["jwk"] = serde_json::to_value(stranger.public_jwk()).unwrap();
    let mut longer = claims.clone();
    longer["exp"] = json!(4_000_000_000_u64);
    let longer = format!("{}.{}.{}", parts[0], BASE64_URL_SAFE_NO_PAD.encode(longer.to_string()), parts[2]);
    // Never the character that stands there already: one signature in 64 has an A in this place.
    let other = if parts[2].as_bytes()[20] == b'A' { 'B' } else { 'A' };
    let flipped = format!("{}.{}.{}{other}{}", parts[0], parts[1], &parts[2][..20], &parts[2][21..]);
    for (what, token, codes) in [
        ("alg none", with_header(&json!({"alg": "none"}), ""), &["TOK-004"][..]),
        ("alg HS256", with_header(&json!({"alg": "HS256"}), parts[2]), &["TOK-004"]),
        (
            "self-signed by header key",
            stranger.sign_jwt(&with_jwk, &claims).unwrap(),
            &["TOK-009", "TOK-008"],
        ),
        ("unknown key", stranger.sign_jwt(&Map::new(), &claims).unwrap(), &["TOK-008"]),
        ("header key swapped", with_header(&same_kid, parts[2]), &["TOK-014"]),
        ("claims changed", longer, &["TOK-014"]),
        ("signature changed", flipped, &["TOK-014"]),
        ("admin token", world.admin_token(Role::Admin), &["TOK-008"]),
        ("no token", "abc".to_owned(), &["TOK-001"]),
        ("empty parts", "..".to_owned(), &["TOK-003"]),
    ] {
        for _ in 0..2 {
            let answer = world.get_with_token(&token, SECRET).await;
            let (status, code) = answer.refusal();
            assert!(status == 401 && codes.contains(&code.as_str()), "{what}: {}", answer.text());
            assert!(answer.json()["type"].as_str().unwrap().ends_with("/TokenVerifierError"));
        }
    }
    world.clock.advance(-10);
    let early = world.replica().await;
    let answer = early.get_with_token(&token, SECRET).await;
    assert_eq!(answer.refusal(), (401, "TOK-018".to_owned()), "not yet valid");
    early.clock.advance(10_000);
    assert_eq!(early.get_with_token(&token, SECRET).await.refusal().1, "TOK-017");
    assert!(early.clock.now().0 > 0);
}

#[tokio::test]
async fn a_session_that_has_not_attested_has_nothing() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("default/key/1", b"x").await;
    let guest = world.guest(Tee::Sample).await;
    assert_eq!(world.get(&guest, SECRET).await.refusal(), (401, "KBS-012".to_owned()));
    assert_eq!(world.call("GET", SECRET, &[], "").await.refusal(), (401, "KBS-011".to_owned()));
    let basic = [("authorization", "Basic dXNlcjpwYXNz")];
    assert_eq!(world.call("GET", SECRET, &basic, "").await.refusal(), (401, "KBS-011".to_owned()));
}
