//! Secrets by URI from any plugin, and the token with its key.
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

use assay_client::ClientError;
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{ResourceUri, SecretBytes, TeePubKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use double::{SECRET, Say, World};
use futures_util::future::join_all;

fn uri(text: &str) -> ResourceUri {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_uri_is_asked_for_as_it_stands_whatever_its_host() {
    for (text, asked) in [
        ("kbs:///r/t/t", "GET /kbs/v0/resource/r/t/t"),
        ("kbs://elsewhere.example:1/r/t/t", "GET /kbs/v0/resource/r/t/t"),
        ("kbs:///r/t/t?a=b&c=%20%2F+d&c", "GET /kbs/v0/resource/r/t/t?a=b&c=%20%2F+d&c"),
        ("kbs+pki:///ca/sign?name=n&ip=1.2.3.4", "GET /kbs/v0/pki/ca/sign?name=n&ip=1.2.3.4"),
        ("kbs+pki:///ca/sign", "GET /kbs/v0/pki/ca/sign"),
    ] {
        let world = World::new().await;
        assert_eq!(world.client().get(&uri(text)).await.unwrap().expose(), SECRET, "{text}");
        assert_eq!(world.kbs.all().last().unwrap(), asked);
        assert!(world.kbs.asked(asked)[0].header("authorization").starts_with("Bearer "));
    }
}

#[tokio::test]
async fn escapes_are_kept_and_not_escaped_again() {
    let world = World::new().await;
    let error = world.client().get(&uri("kbs+x:///a%20b/c%2Fd")).await.unwrap_err();
    assert!(matches!(error, ClientError::NotFound { .. }), "{error}");
    assert_eq!(world.kbs.all().last().unwrap(), "GET /kbs/v0/x/a%20b/c%2Fd");
}

#[tokio::test]
async fn what_no_url_carries_unchanged_is_refused_and_nothing_is_asked_for() {
    for (text, part) in [
        ("kbs:///a/%2e%2e/c", "path"),
        ("kbs:///a/%2E/c", "path"),
        ("kbs:///a/.%2e/c", "path"),
        ("kbs:///a\\b/c/d", "path"),
        ("kbs:///a/b\"/c", "path"),
        ("kbs:///a/b/c?\"", "query"),
        ("kbs:///a/b/c?<", "query"),
        ("kbs:///a/b/c?'", "query"),
    ] {
        let world = World::new().await;
        match world.client().get(&uri(text)).await.unwrap_err() {
            ClientError::Argument(why) => assert!(why.contains(part), "{text}: {why}"),
            other => panic!("{text}: {other}"),
        }
        assert!(world.kbs.all().iter().all(|asked| !asked.starts_with("GET")), "{text}");
    }
}

#[tokio::test]
async fn a_base_path_stands_before_the_uris() {
    let world = World::new().await;
    for base in ["/prefix", "/prefix/"] {
        let url = format!("{}{base}", world.kbs.url);
        let client = world.set(assay_client::KbsClient::builder(&url).unwrap()).build().unwrap();
        world.kbs.script("/prefix/kbs/v0/auth", [Say::text(403, "")]);
        client.get(&uri("kbs:///r/t/t")).await.unwrap_err();
        assert_eq!(world.kbs.all().last().unwrap(), "POST /prefix/kbs/v0/auth");
    }
}

#[tokio::test]
async fn other_plugins_are_classified_like_secrets() {
    const SIGN: &str = "/kbs/v0/pki/ca/sign";
    for (say, code) in [
        (Say::problem(403, "PolicyDeny", "no"), "CLI-001"),
        (Say::problem(404, "PluginNotFound", "no"), "CLI-002"),
        (Say::text(301, "").with("location", "https://elsewhere.example"), "CLI-005"),
        (Say::text(200, "<html>log in</html>"), "CLI-005"),
        (Say::text(200, "-----BEGIN CERTIFICATE-----"), "CLI-005"),
        (Say::text(200, ""), "CLI-005"),
        (Say { status: 200, endless: true, ..Say::default() }, "CLI-005"),
    ] {
        let world = World::new().await;
        world.kbs.script(SIGN, [say]);
        let error = world.client().get(&uri("kbs+pki:///ca/sign?a=secret")).await.unwrap_err();
        assert_eq!(assay_types::Coded::code(&error), code, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(world.waited().is_empty());
    }
}

fn key_of(pem: &SecretBytes) -> (String, Vec<u8>) {
    let text = std::str::from_utf8(pem.expose()).unwrap();
    let label = text.lines().next().unwrap().to_owned();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    (label, BASE64_STANDARD.decode(body).unwrap())
}

#[tokio::test]
async fn the_key_is_that_of_the_token_it_comes_with() {
    for algorithm in KeyAlgorithm::ALL {
        let world = World::new().await;
        let client = world.builder().key_algorithm(algorithm).build().unwrap();
        let both = client.token_and_key().await.unwrap();
        assert_eq!(both.token.as_str(), client.token().await.unwrap().as_str());
        let sent = &world.kbs.asked("POST /kbs/v0/attest")[0].json()["runtime-data"]["tee-pubkey"];
        let sent: TeePubKey = serde_json::from_value(sent.clone()).unwrap();
        let (label, der) = key_of(&both.tee_keypair);
        if algorithm == KeyAlgorithm::RsaOaep256 {
            assert_eq!(label, "-----BEGIN RSA PRIVATE KEY-----");
            continue;
        }
        assert_eq!(label, "-----BEGIN PRIVATE KEY-----");
        let key = DecryptionKey::from_pkcs8(algorithm, &SecretBytes::new(der)).unwrap();
        assert_eq!(*key.public_jwk(), sent, "{algorithm}");
        assert_eq!(world.kbs.all().len(), 2);
    }
}

/// A token of one handshake never comes with the key of another, whatever goes on at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn token_and_key_belong_together_also_while_others_attest() {
    let world = World::new().await;
    let client = world.client();
    let mixed = join_all((0..16).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            if n % 2 == 0 {
                client.attest().await.unwrap();
            }
            client.token_and_key().await.unwrap()
        })
    }))
    .await;
    let mut pairs = std::collections::BTreeMap::new();
    for both in mixed.into_iter().map(Result::unwrap) {
        let key =
            pairs.entry(both.token.id().unwrap().to_owned()).or_insert_with(|| both.tee_keypair.clone());
        assert!(*key == both.tee_keypair, "one token, two keys");
    }
    let keys: std::collections::BTreeSet<&[u8]> = pairs.values().map(SecretBytes::expose).collect();
    assert_eq!(keys.len(), pairs.len(), "two tokens, one key");
}

#[tokio::test]
async fn neither_token_nor_key_is_shown() {
    let world = World::new().await;
    let both = world.client().token_and_key().await.unwrap();
    let shown = format!("{both:?}");
    assert!(!shown.contains(both.token.as_str()) && !shown.contains("BEGIN"), "{shown}");
    let (_, der) = key_of(&both.tee_keypair);
    assert!(!shown.contains(&format!("{}, {}, {}", der[0], der[1], der[2])), "{shown}");
}
