//! The clients against servers that do wrong, and settings that are refused.
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

#[allow(dead_code, reason = "each test file uses its part of it")]
mod double;

use std::time::Duration;

use assay_client::{AdminClient, ClientError, KbsClient, RetryPolicy};
use assay_token::jwe::{DecryptionKey, JweError, KeyAlgorithm, encrypt};
use assay_types::{Coded, ResourcePath, Response};
use double::{Say, World, jwt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const AUTH: &str = "/kbs/v0/auth";
const ATTEST: &str = "/kbs/v0/attest";
const RESOURCE: &str = "/kbs/v0/resource/r/t/t";

fn path() -> ResourcePath {
    "r/t/t".parse().unwrap()
}

/// The detail of a violation of the protocol, which is never retried.
async fn violation(path_of: &str, say: Say) -> String {
    let world = World::new().await;
    world.kbs.script(path_of, [say]);
    match world.client().resource(&path()).await.unwrap_err() {
        ClientError::Protocol { what, detail } => {
            assert!(what.contains(path_of), "{what}");
            assert!(world.waited().is_empty());
            assert_eq!(world.kbs.all().iter().filter(|asked| asked.ends_with(path_of)).count(), 1);
            detail
        }
        other => panic!("{other}"),
    }
}

fn challenge() -> Say {
    Say::json(200, &json!({ "nonce": "bm9uY2U=", "extra-params": "" }))
}

#[tokio::test]
async fn challenges_that_are_none_are_named_precisely() {
    let cookie = ("set-cookie", "kbs-session-id=1");
    for (say, detail) in [
        (challenge(), "sets no cookie kbs-session-id"),
        (challenge().with("set-cookie", "other=1"), "sets no cookie kbs-session-id"),
        (challenge().with("set-cookie", "kbs-session-id=a b"), "not of the form of RFC 6265"),
        (Say::json(200, &json!({ "nonce": "", "extra-params": "" })).with(cookie.0, cookie.1), "empty nonce"),
        (Say::json(200, &json!({ "nonce": 5, "extra-params": "" })), "not the JSON expected here"),
        (
            Say::json(200, &json!({ "nonce": "a", "extra-params": { "selected-hash-algorithm": "md5" } })),
            "unknown hash algorithm \"md5\"",
        ),
        (Say::text(200, ""), "empty instead of JSON"),
        (Say::text(200, " <!doctype html>"), "HTML page instead of JSON"),
        (Say::text(200, "{"), "not JSON (at line 1, column 1)"),
        (Say::text(404, "nothing"), "there is no key broker service at this URL"),
        (Say { status: 200, endless: true, ..Say::default() }, "longer than 65536 bytes"),
        (Say::text(200, &" ".repeat(70_000)), "longer than 65536 bytes"),
    ] {
        let found = violation(AUTH, say).await;
        assert!(found.contains(detail), "{found} / {detail}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [301, 302, 307, 308] {
        let say = Say::text(status, "").with("location", "https://elsewhere.example/kbs/v0/auth");
        let found = violation(AUTH, say).await;
        assert!(found.contains("https://elsewhere.example") && found.contains("not followed"), "{found}");
    }
}

#[tokio::test]
async fn tokens_that_are_none_are_refused_and_not_shown() {
    let token = |token: Value| Say::json(200, &json!({ "token": token }));
    for (say, detail) in [
        (token(json!("geheim")), "the token is not a JWT"),
        (token(json!("geheim.geheim.geheim")), "the token is not a JWT"),
        (token(json!(["geheim"])), "not the JSON expected here"),
        (Say::json(200, &json!("geheim")), "not the JSON expected here"),
        (token(json!(jwt(&json!({ "iat": 5 })))), "no expiry"),
        (token(json!(jwt(&json!({ "exp": "tomorrow" })))), "no expiry"),
        (token(json!(jwt(&json!({ "exp": double::NOW })))), "before it begins"),
        (token(json!(jwt(&json!({ "exp": 100, "iat": 200 })))), "before it begins"),
        (Say { status: 200, endless: true, ..Say::default() }, "longer than 1048576 bytes"),
    ] {
        let found = violation(ATTEST, say).await;
        assert!(found.contains(detail) && !found.contains("geheim"), "{found} / {detail}");
    }
}

#[tokio::test]
async fn a_jwe_that_was_tampered_with_is_refused() {
    let other = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    let foreign = serde_json::to_value(encrypt(other.public_jwk(), b"secret").unwrap()).unwrap();
    let change = |member: &str, text: &str| {
        let mut jwe = foreign.clone();
        jwe[member] = json!(text);
        jwe
    };
    for (jwe, expected) in [
        (foreign.clone(), "JWE-013"),
        (change("protected", "e30"), "JWE-007"),
        (change("protected", "=="), "JWE-006"),
        (change("iv", "AA"), "JWE-011"),
        (change("encrypted_key", "AAAA"), "JWE-011"),
    ] {
        let world = World::new().await;
        world.kbs.script(RESOURCE, [Say::json(200, &jwe)]);
        match world.client().resource(&path()).await.unwrap_err() {
            ClientError::Jwe { error, .. } => assert_eq!(error.code(), expected),
            other => panic!("{other}"),
        }
        assert_eq!(world.kbs.count("GET /kbs/v0/resource/r/t/t"), 1);
    }
}

#[tokio::test]
async fn a_jwe_for_this_guest_with_one_byte_changed_is_refused() {
    let world = World::new().await;
    let client = world.client();
    client.token().await.unwrap();
    let key = world.kbs.asked("POST /kbs/v0/attest")[0].json()["runtime-data"]["tee-pubkey"].clone();
    let jwe = encrypt(&serde_json::from_value(key).unwrap(), b"secret").unwrap();
    let good = |jwe: &Response| Say::json(200, &serde_json::to_value(jwe).unwrap());
    world.kbs.script(RESOURCE, [good(&jwe)]);
    assert_eq!(client.resource(&path()).await.unwrap().expose(), b"secret");
    let flipped = |text: &str| format!("{}{}", if text.starts_with('A') { 'B' } else { 'A' }, &text[1..]);
    for (changed, expected) in [
        (Response { ciphertext: flipped(&jwe.ciphertext), ..jwe.clone() }, JweError::Decrypt),
        (Response { tag: flipped(&jwe.tag), ..jwe.clone() }, JweError::Decrypt),
        (Response { iv: flipped(&jwe.iv), ..jwe.clone() }, JweError::Decrypt),
        (Response { encrypted_key: flipped(&jwe.encrypted_key), ..jwe.clone() }, JweError::Unwrap),
    ] {
        world.kbs.script(RESOURCE, [good(&changed)]);
        match client.resource(&path()).await.unwrap_err() {
            ClientError::Jwe { error, .. } => assert_eq!(error, expected),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn secrets_in_another_form_are_refused() {
    let jwe = json!({ "protected": "", "encrypted_key": "", "iv": "", "ciphertext": "", "tag": "" });
    for member in ["aad", "header", "unprotected", "recipients"] {
        let mut jwe = jwe.clone();
        jwe[member] = json!("x");
        let found = violation(RESOURCE, Say::json(200, &jwe)).await;
        assert!(found.contains(&format!("the member {member:?}")), "{found}");
    }
    for (say, detail) in [
        (Say::text(200, "the plain secret"), "not JSON (at line 1"),
        (Say::json(200, &json!({ "protected": "" })), "not the JSON expected here"),
        (Say::text(200, "<html>log in</html>"), "proxy or a login page"),
        (Say { status: 200, endless: true, ..Say::default() }, "longer than 4194304 bytes"),
    ] {
        let found = violation(RESOURCE, say).await;
        assert!(found.contains(detail) && !found.contains("plain secret"), "{found} / {detail}");
    }
}

#[tokio::test]
async fn errors_in_any_form_keep_their_status() {
    for (say, detail) in [
        (Say::text(403, "plain words"), "plain words"),
        (Say::text(403, ""), "the server gives no reason"),
        (Say::text(403, "<html>\u{7}</html>"), "<html> </html>"),
        (Say { status: 403, endless: true, ..Say::default() }, "the server gives no reason"),
    ] {
        let world = World::new().await;
        world.kbs.script(RESOURCE, [say]);
        match world.client().resource(&path()).await.unwrap_err() {
            ClientError::Denied { status: 403, problem, .. } => assert_eq!(problem.detail, detail),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn connections_that_break_are_unavailable_with_their_cause() {
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"garbage\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
            }
        });
        let world = World::new().await;
        let client = KbsClient::builder(&url)
            .unwrap()
            .evidence_provider(world.guest.clone())
            .clock(world.kbs.clock.clone())
            .waiting(world.waits.clone())
            .retry(RetryPolicy { max_attempts: 3, ..RetryPolicy::default() })
            .build()
            .unwrap();
        match client.token().await.unwrap_err() {
            ClientError::Unavailable { attempts, .. } => {
                assert_eq!(attempts.len(), 3);
                assert!(attempts[0].outcome.contains(':'), "{}", attempts[0].outcome);
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_never_answers_meets_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let world = World::new().await;
    let client = KbsClient::builder(&url)
        .unwrap()
        .evidence_provider(world.guest.clone())
        .clock(world.kbs.clock.clone())
        .timeout(Duration::from_millis(50))
        .retry(RetryPolicy { max_attempts: 1, ..RetryPolicy::default() })
        .build()
        .unwrap();
    let error = client.token().await.unwrap_err();
    assert_eq!(error.to_string(), "unavailable: attempt 1: POST /kbs/v0/auth: no answer in time");
    drop(listener);
}

#[tokio::test]
async fn servers_that_must_not_be_spoken_to_are_refused() {
    let world = World::new().await;
    let build = |url: &str| {
        KbsClient::builder(url).and_then(|builder| {
            builder.evidence_provider(world.guest.clone()).clock(world.kbs.clock.clone()).build()
        })
    };
    for url in
        ["http://kbs.example", "http://10.0.0.1:8080", "http://127.0.0.1.example", "http://localhost.example"]
    {
        let error = build(url).unwrap_err();
        assert!(error.to_string().contains("plain http"), "{url}: {error}");
        let admin = AdminClient::builder(url).unwrap().token("t").build().unwrap_err();
        assert_eq!(admin.code(), "CLI-008");
        let builder = KbsClient::builder(url).unwrap().evidence_provider(world.guest.clone());
        let allowed = builder.clock(world.kbs.clock.clone()).allow_plain_http_to_remote_hosts_danger();
        assert!(allowed.build().is_ok());
        assert!(
            AdminClient::builder(url)
                .unwrap()
                .token("t")
                .allow_plain_http_to_remote_hosts_danger()
                .build()
                .is_ok()
        );
    }
    for url in ["http://127.0.0.1:1", "http://[::1]:1/prefix", "http://localhost"] {
        assert!(build(url).is_ok(), "{url}");
    }
    for url in
        ["", "kbs", "ftp://127.0.0.1", "https://", "http://127.0.0.1?a", "http://127.0.0.1#a", "unix:/x"]
    {
        assert!(matches!(build(url), Err(ClientError::Configuration(_))), "{url}");
    }
    let error = build("http://user:geheim@127.0.0.1").unwrap_err();
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[tokio::test]
async fn settings_that_are_missing_or_wrong_are_named() {
    let world = World::new().await;
    let builder = || KbsClient::builder("http://127.0.0.1:1").unwrap();
    let error = builder().clock(world.kbs.clock.clone()).build().unwrap_err();
    assert!(error.to_string().contains("no evidence provider is set"), "{error}");
    let error = builder().evidence_provider(world.guest.clone()).build().unwrap_err();
    assert!(error.to_string().contains("no clock is set"), "{error}");
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert!(
            matches!(builder().ca_certificate(pem.as_bytes()), Err(ClientError::Configuration(_))),
            "{pem}"
        );
    }
    for token in ["", " \n", "a\nb"] {
        let built = AdminClient::builder("http://127.0.0.1:1").unwrap().token(token).build();
        assert!(matches!(built, Err(ClientError::Configuration(_))), "{token:?}");
    }
}
