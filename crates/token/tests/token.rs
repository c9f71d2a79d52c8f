//! Issuing and verifying tokens; each test of a refusal breaks one thing only.
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

use assay_token::{
    Algorithm, Issuer, Jwk, JwkSet, KeySet, MAX_HEADER_BYTES, MAX_TOKEN_BYTES, RetiredKey, SigningAlgorithm,
    SigningKey, TokenError, TokenVerifier, TrustedKeys, decode_unverified,
};
use assay_types::{Coded as _, Fault, SecretBytes, UnixTime, Validity};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::{ProptestConfig, proptest};
use serde_json::{Map, Value, json};

const NOW: UnixTime = UnixTime(1_800_000_000);

fn claims() -> Value {
    json!({ "iss": "CoCo-Attestation-Service", "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 300, "n": 1 })
}

fn key() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256).unwrap()
}

fn trusting(keys: &[&SigningKey]) -> TokenVerifier {
    let jwks = JwkSet { keys: keys.iter().map(|key| key.public_jwk().clone()).collect() };
    TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap()
}

/// A token with that header, signed by `key` as ES256.
fn with_header(key: &SigningKey, header: &str, payload: &str) -> String {
    let input =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload));
    let pair = signature::EcdsaKeyPair::from_pkcs8(
        &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        key.to_pkcs8().unwrap().expose(),
    )
    .unwrap();
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn header_text(token: &str) -> String {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

fn code_of(verifier: &TokenVerifier, token: &str) -> &'static str {
    verifier.verify(token, NOW).unwrap_err().code()
}

#[test]
fn a_token_is_accepted_under_its_trusted_key() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Es384] {
        let key = SigningKey::generate(algorithm).unwrap();
        let verifier = trusting(&[&self::key(), &key]);
        let issuer = Issuer::new(key, None).unwrap();
        let token = issuer.sign(&claims()).unwrap();
        let verified = verifier.verify(&token, NOW).unwrap();
        assert_eq!(verified.claims, claims());
        assert_eq!(verified.kid, issuer.key().kid());
        assert_eq!(verified.expires, UnixTime(NOW.0 + 300));
        assert_eq!(verified.not_before, Some(NOW));
        assert_eq!(verified.issued_at, Some(NOW));
        assert_eq!(Some(verified.algorithm), Algorithm::from_name(algorithm.as_str()));
        let (header, unverified) = decode_unverified(&token).unwrap();
        assert_eq!(header["kid"], issuer.key().kid());
        assert_eq!(unverified, claims());
    }
}

#[test]
fn the_header_has_its_members_in_the_order_that_clients_know() {
    let key = key();
    let jwk = serde_json::to_value(key.public_jwk()).unwrap();
    let (x, y, kid) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap(), key.kid().to_owned());
    let public = format!(r#""kty":"EC","crv":"P-256","x":"{x}","y":"{y}","alg":"ES256""#);
    let certificate =
        key.self_signed_certificate("assay", Validity { not_before: NOW, not_after: NOW.plus(60) }).unwrap();
    let pkcs8 = key.to_pkcs8().unwrap();

    let token = Issuer::new(key, None).unwrap().sign(&claims()).unwrap();
    assert_eq!(
        header_text(&token),
        format!(r#"{{"typ":"JWT","alg":"ES256","jwk":{{{public}}},"kid":"{kid}"}}"#)
    );

    let key = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap();
    let token = Issuer::new(key, Some(vec![certificate.clone()])).unwrap().sign(&claims()).unwrap();
    let x5c = BASE64_STANDARD.encode(certificate);
    assert_eq!(
        header_text(&token),
        format!(r#"{{"typ":"JWT","alg":"ES256","jwk":{{{public},"x5c":["{x5c}"]}},"kid":"{kid}"}}"#)
    );
}

#[test]
fn a_key_survives_pkcs8_and_is_named_by_its_thumbprint() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Es384] {
        let key = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert_eq!(again.kid(), key.public_jwk().thumbprint());
        assert_eq!(again.public_jwk(), key.public_jwk());
        let other = match algorithm {
            SigningAlgorithm::Es256 => SigningAlgorithm::Es384,
            SigningAlgorithm::Es384 => SigningAlgorithm::Es256,
        };
        let error = SigningKey::from_pkcs8(other, &key.to_pkcs8().unwrap()).unwrap_err();
        assert_eq!(error.code(), "TOK-023");
        assert_eq!(error.fault(), Fault::Internal);
        assert!(!format!("{key:?}").contains(&hex::encode(key.to_pkcs8().unwrap().expose())));
    }
    for bytes in [vec![], vec![0], vec![0x30; 100_000]] {
        assert!(SigningKey::from_pkcs8(SigningAlgorithm::Es256, &SecretBytes::new(bytes)).is_err());
    }
}

#[test]
fn a_token_signed_by_its_own_header_key_is_refused() {
    // Trustee's `insecure_header_jwk`: whoever makes a key signs whatever it likes.
    let ours = key();
    let token = Issuer::new(key(), None).unwrap().sign(&claims()).unwrap();
    assert_eq!(trusting(&[&ours]).verify(&token, NOW), Err(TokenError::HeaderKeyUntrusted));
    assert_eq!(trusting(&[]).verify(&token, NOW), Err(TokenError::HeaderKeyUntrusted));

    // Also with a certificate that the key signed for itself.
    let stranger = key();
    let forever = Validity { not_before: UnixTime(0), not_after: UnixTime::MAX };
    let certificate = stranger.self_signed_certificate("CoCo-Attestation-Service", forever).unwrap();
    let token = Issuer::new(stranger, Some(vec![certificate])).unwrap().sign(&claims()).unwrap();
    assert_eq!(trusting(&[&ours]).verify(&token, NOW), Err(TokenError::HeaderKeyUntrusted));
}

#[test]
fn a_strangers_key_under_a_trusted_name_is_refused() {
    let (ours, stranger) = (key(), key());
    let jwk = serde_json::to_string(stranger.public_jwk()).unwrap();
    let header = format!(r#"{{"alg":"ES256","kid":"{}","jwk":{jwk}}}"#, ours.kid());
    let token = with_header(&stranger, &header, &claims().to_string());
    assert_eq!(
        trusting(&[&ours]).verify(&token, NOW),
        Err(TokenError::BadSignature { kid: ours.kid().to_owned() })
    );
}

#[test]
fn a_header_key_that_is_a_trusted_one_needs_no_kid() {
    // Trustee's own tokens have `jwk` and no `kid`.
    let ours = key();
    let jwk = serde_json::to_string(&Jwk::new(ours.public_jwk().material.clone())).unwrap();
    let token =
        with_header(&ours, &format!(r#"{{"typ":"JWT","alg":"ES256","jwk":{jwk}}}"#), &claims().to_string());
    assert_eq!(trusting(&[&ours]).verify(&token, NOW).unwrap().kid, ours.kid());
}

#[test]
fn the_key_must_be_named_and_known() {
    let ours = key();
    let verifier = trusting(&[&ours]);
    let payload = claims().to_string();
    let token = with_header(&ours, r#"{"alg":"ES256","kid":"someone-else"}"#, &payload);
    assert_eq!(verifier.verify(&token, NOW), Err(TokenError::UnknownKey { kid: "someone-else".into() }));
    let token = with_header(&ours, r#"{"alg":"ES256"}"#, &payload);
    assert_eq!(verifier.verify(&token, NOW), Err(TokenError::NoKeyNamed));
    let long = "k".repeat(1_000);
    let token = with_header(&ours, &format!(r#"{{"alg":"ES256","kid":"{long}"}}"#), &payload);
    assert_eq!(verifier.verify(&token, NOW), Err(TokenError::UnknownKey { kid: "k".repeat(64) }));
}

#[test]
fn algorithms_that_prove_nothing_are_refused() {
    let ours = key();
    let verifier = trusting(&[&ours]);
    for alg in ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "es256", "ES256K", "RSA-OAEP"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"{}"}}"#, ours.kid());
        let token = with_header(&ours, &header, &claims().to_string());
        assert_eq!(verifier.verify(&token, NOW), Err(TokenError::UnsupportedAlgorithm { alg: alg.into() }));
        // The usual form of such a token: no signature at all.
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(code_of(&verifier, &unsigned), "TOK-004");
    }
}

#[test]
fn the_algorithm_must_belong_to_the_named_key() {
    let ours = key();
    let verifier = trusting(&[&ours]);
    for alg in ["ES384", "ES512", "RS256", "PS512", "EdDSA"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"{}"}}"#, ours.kid());
        let token = with_header(&ours, &header, &claims().to_string());
        assert_eq!(code_of(&verifier, &token), "TOK-006", "{alg}");
    }
}

#[test]
fn of_two_keys_with_one_name_the_algorithm_chooses() {
    let es384 = SigningKey::generate(SigningAlgorithm::Es384).unwrap();
    let es256 = key();
    let named = |key: &SigningKey| Jwk { kid: Some("shared".into()), ..key.public_jwk().clone() };
    let jwks = JwkSet { keys: vec![named(&es384), named(&es256)] };
    let verifier = TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap();
    let token = with_header(&es256, r#"{"alg":"ES256","kid":"shared"}"#, &claims().to_string());
    assert!(verifier.verify(&token, NOW).is_ok());
}

#[test]
fn critical_extensions_are_refused() {
    let ours = key();
    for crit in [r#"["b64"]"#, "[]", "null", r#""exp""#] {
        let header = format!(r#"{{"alg":"ES256","kid":"{}","b64":false,"crit":{crit}}}"#, ours.kid());
        let token = with_header(&ours, &header, &claims().to_string());
        assert_eq!(trusting(&[&ours]).verify(&token, NOW), Err(TokenError::CriticalHeader));
    }
}

#[test]
fn what_is_no_compact_jws_is_refused() {
    let ours = key();
    let verifier = trusting(&[&ours]);
    let token = ours.sign_jwt(&Map::new(), &claims()).unwrap();
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = rest.split_once('.').unwrap();
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        rest.into(),
        format!("{token}."),
        format!("{token}.{signature}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{signature}\n"),
        format!(" {token}"),
        format!("ä{token}"),
        format!("{header}.ä.{signature}"),
    ] {
        let code = code_of(&verifier, &text);
        // An empty header decodes, and is then no JSON.
        assert!(code == "TOK-001" || (text == ".." && code == "TOK-003"), "{text:?}: {code}");
        assert!(decode_unverified(&text).is_err() || text.contains(signature), "{text:?}");
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let ours = key();
    let kid = ours.kid().to_owned();
    for header in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"alg":5}"#,
        r#"{"alg":"ES256","kid":5}"#,
        r#"{"alg":"ES256","alg":"ES256"}"#,
        r#"{"alg":"ES256","x5c":"AA"}"#,
        &format!(r#"{{"alg":"ES256","kid":"{kid}"}} "x""#),
        "\u{feff}{\"alg\":\"ES256\"}",
    ] {
        let token = with_header(&ours, header, &claims().to_string());
        assert_eq!(code_of(&trusting(&[&ours]), &token), "TOK-003", "{header:.80}");
    }
}

#[test]
fn deep_nesting_is_answered() {
    let ours = key();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, ours.kid());
    let token = with_header(&ours, &header, &format!(r#"{{"exp":1,"x":{deep}}}"#));
    assert_eq!(code_of(&trusting(&[&ours]), &token), "TOK-015");
    assert_eq!(decode_unverified(&token).unwrap_err().code(), "TOK-015");
    // In a header, members that are of no interest are skipped without recursion.
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let header = format!(r#"{{"alg":"ES256","kid":"{}","x":{deep}}}"#, ours.kid());
    let token = with_header(&ours, &header, &claims().to_string());
    assert!(trusting(&[&ours]).verify(&token, NOW).is_ok());
    let header = format!(r#"{{"alg":"ES256","kid":"k","jwk":{{"kty":"EC","x":{deep}}}}}"#);
    assert_eq!(code_of(&trusting(&[&ours]), &with_header(&ours, &header, "{}")), "TOK-022");
    assert_eq!(decode_unverified(&with_header(&ours, &header, "{}")).unwrap_err().code(), "TOK-003");
}

#[test]
fn a_wrong_key_in_the_header_is_refused_where_it_would_be_used() {
    let ours = key();
    for jwk in [r#"{"kty":"oct","k":"AA"}"#, "{}", "5", r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#] {
        let token = with_header(&ours, &format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#), &claims().to_string());
        assert_eq!(code_of(&trusting(&[&ours]), &token), "TOK-022", "{jwk}");
    }
}

#[test]
fn oversized_tokens_and_headers_are_refused_unread() {
    let ours = key();
    let verifier = trusting(&[&ours]);
    let huge = "A".repeat(MAX_TOKEN_BYTES + 1);
    assert_eq!(
        verifier.verify(&huge, NOW),
        Err(TokenError::TooLarge { part: "token", found: MAX_TOKEN_BYTES + 1, limit: MAX_TOKEN_BYTES })
    );
    assert_eq!(decode_unverified(&huge).unwrap_err().code(), "TOK-002");
    let header = "A".repeat(MAX_HEADER_BYTES + 1);
    assert_eq!(
        verifier.verify(&format!("{header}.AA.AA"), NOW),
        Err(TokenError::TooLarge { part: "header", found: MAX_HEADER_BYTES + 1, limit: MAX_HEADER_BYTES })
    );
    // What would be too large to verify is not issued either; just below, both work.
    let issuer = Issuer::new(ours, None).unwrap();
    let sized = |n: usize| json!({ "exp": NOW.0 + 1, "x": "x".repeat(n) });
    assert_eq!(issuer.sign(&sized(MAX_TOKEN_BYTES)).unwrap_err().code(), "TOK-002");
    let token = issuer.sign(&sized(MAX_TOKEN_BYTES / 4 * 3 - 1_000)).unwrap();
    assert!(token.len() > MAX_TOKEN_BYTES - 2_000);
    assert!(verifier.verify(&token, NOW).is_ok());
}

#[test]
fn a_tampered_token_is_refused() {
    let ours = key();
    let verifier = trusting(&[&ours]);
    let token = ours.sign_jwt(&Map::new(), &claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let mut changed = claims();
    changed["n"] = json!(2);
    let payload = BASE64_URL_SAFE_NO_PAD.encode(changed.to_string());
    let kid = ours.kid().to_owned();
    assert_eq!(
        verifier.verify(&format!("{}.{payload}.{}", parts[0], parts[2]), NOW),
        Err(TokenError::BadSignature { kid: kid.clone() })
    );
    // Another header is another signing input, even if it says the same.
    let header = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#));
    assert_eq!(code_of(&verifier, &format!("{header}.{}.{}", parts[1], parts[2])), "TOK-014");
    // A signature of another length, none, or one of zeros.
    let signature = BASE64_URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    for other in [vec![], vec![0; 64], signature[..63].to_vec(), [&signature[..], &[0]].concat()] {
        let other = BASE64_URL_SAFE_NO_PAD.encode(other);
        assert_eq!(code_of(&verifier, &format!("{}.{}.{other}", parts[0], parts[1])), "TOK-014");
    }
}

#[test]
fn the_claims_are_judged_after_the_signature() {
    let ours = key();
    let jwks = JwkSet { keys: vec![ours.public_jwk().clone()] };
    let trusted = TrustedKeys {
        jwks,
        issuer: Some("CoCo-Attestation-Service".into()),
        audience: Some("kbs".into()),
        leeway_seconds: 10,
        ..TrustedKeys::default()
    };
    let verifier = TokenVerifier::new(trusted).unwrap();
    let judge = |member: &str, value: Value| {
        let mut claims = claims();
        claims["aud"] = json!("kbs");
        claims[member] = value;
        verifier.verify(&ours.sign_jwt(&Map::new(), &claims).unwrap(), NOW).map_err(|error| error.code())
    };
    assert!(judge("n", json!(1)).is_ok());
    assert_eq!(judge("exp", json!(NOW.0 - 10)), Err("TOK-017"));
    assert!(judge("exp", json!(NOW.0 - 9)).is_ok());
    assert_eq!(judge("nbf", json!(NOW.0 + 11)), Err("TOK-018"));
    assert_eq!(judge("iat", json!(NOW.0 + 11)), Err("TOK-019"));
    assert_eq!(judge("iss", json!("someone")), Err("TOK-020"));
    assert_eq!(judge("aud", json!(["someone"])), Err("TOK-021"));
    assert_eq!(judge("exp", json!("tomorrow")), Err("TOK-015"));

    let none = trusting(&[&ours]);
    let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, ours.kid());
    for payload in ["", "[]", "5", "{", "{\"exp\":1}x", "\u{0}"] {
        assert_eq!(code_of(&none, &with_header(&ours, &header, payload)), "TOK-015", "{payload:?}");
    }
    assert_eq!(code_of(&none, &with_header(&ours, &header, "{}")), "TOK-016");
}

#[test]
fn a_token_for_administrators_is_no_attestation_result_and_the_reverse() {
    // One key signs both kinds in a small installation; the audience keeps them apart.
    let ours = key();
    let attestation = trusting(&[&ours]);
    let trusted = TrustedKeys {
        jwks: JwkSet { keys: vec![ours.public_jwk().clone()] },
        audience: Some("assay-admin".into()),
        ..TrustedKeys::default()
    };
    let admin = TokenVerifier::new(trusted).unwrap();
    let mut claims = claims();
    let result = ours.sign_jwt(&Map::new(), &claims).unwrap();
    claims["aud"] = json!("assay-admin");
    claims["role"] = json!("admin");
    let role = ours.sign_jwt(&Map::new(), &claims).unwrap();
    assert!(admin.verify(&role, NOW).is_ok() && attestation.verify(&result, NOW).is_ok());
    assert_eq!(code_of(&admin, &result), "TOK-016");
    assert_eq!(code_of(&attestation, &role), "TOK-021");
}

#[test]
fn rsa_tokens_of_other_issuers_are_accepted() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let (n, e) = rsa_components(pair.public_key().as_ref());
    let jwk = json!({ "kty": "RSA", "kid": "r", "n": BASE64_URL_SAFE_NO_PAD.encode(n), "e": BASE64_URL_SAFE_NO_PAD.encode(e) });
    let jwks = JwkSet { keys: vec![Jwk::from_json(&jwk.to_string()).unwrap()] };
    let verifier = TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap();
    let encodings: [(&str, &'static signature::RsaSignatureEncoding); 6] = [
        ("RS256", &signature::RSA_PKCS1_SHA256),
        ("RS384", &signature::RSA_PKCS1_SHA384),
        ("RS512", &signature::RSA_PKCS1_SHA512),
        ("PS256", &signature::RSA_PSS_SHA256),
        ("PS384", &signature::RSA_PSS_SHA384),
        ("PS512", &signature::RSA_PSS_SHA512),
    ];
    for (made_as, encoding) in encodings {
        for (said_to_be, _) in encodings {
            let header = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{said_to_be}","kid":"r"}}"#));
            let input = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims().to_string()));
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
            let token = format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
            let outcome = verifier.verify(&token, NOW);
            if made_as == said_to_be {
                assert!(outcome.is_ok(), "{made_as}");
            } else {
                assert_eq!(outcome.unwrap_err().code(), "TOK-014", "{made_as} as {said_to_be}");
            }
        }
    }
}

/// Modulus and exponent of an `RSAPublicKey` whose lengths take two bytes and one byte.
fn rsa_components(der: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(&der[..2], [0x30, 0x82]);
    assert_eq!(&der[4..9], [0x02, 0x82, 0x01, 0x01, 0x00]);
    let (n, rest) = der[9..].split_at(256);
    assert_eq!(rest[..2], [0x02, 0x03]);
    (n, &rest[2..])
}

#[test]
fn header_members_of_the_callers_stand_after_ours() {
    let ours = key();
    let extras = json!({ "cty": "x" });
    let token = ours.sign_jwt(extras.as_object().unwrap(), &claims()).unwrap();
    assert_eq!(
        header_text(&token),
        format!(r#"{{"typ":"JWT","alg":"ES256","kid":"{}","cty":"x"}}"#, ours.kid())
    );
    for taken in ["typ", "alg", "kid", "crit"] {
        let extras = json!({ taken: "x" });
        assert_eq!(ours.sign_jwt(extras.as_object().unwrap(), &claims()).unwrap_err().code(), "TOK-024");
    }
    for not_an_object in [json!(5), json!([]), json!("x"), Value::Null] {
        assert_eq!(ours.sign_jwt(&Map::new(), &not_an_object).unwrap_err().code(), "TOK-024");
    }
}

#[test]
fn retired_keys_stay_until_their_tokens_ended() {
    let (first, second, third) = (key(), key(), key());
    let kids = [first.kid().to_owned(), second.kid().to_owned(), third.kid().to_owned()];
    let set = KeySet::new(Issuer::new(first, None).unwrap(), Vec::new());
    let old_token = set.current().sign(&claims()).unwrap();
    let set = set.rotate(Issuer::new(second, None).unwrap(), NOW.plus(300));
    let set = set.rotate(Issuer::new(third, None).unwrap(), NOW.plus(600));
    let names = |now| set.jwks(now).keys.iter().map(Jwk::name).collect::<Vec<_>>();
    assert_eq!(names(NOW), [kids[2].clone(), kids[0].clone(), kids[1].clone()]);
    assert_eq!(names(NOW.plus(299)).len(), 3);
    assert_eq!(names(NOW.plus(300)), [kids[2].clone(), kids[1].clone()]);
    assert_eq!(names(NOW.plus(600)), [kids[2].clone()]);

    let verifier =
        |now| TokenVerifier::new(TrustedKeys { jwks: set.jwks(now), ..TrustedKeys::default() }).unwrap();
    assert!(verifier(NOW).verify(&old_token, NOW).is_ok());
    assert_eq!(verifier(NOW.plus(300)).verify(&old_token, NOW), Err(TokenError::HeaderKeyUntrusted));

    // What the store keeps: the retired ones as JSON.
    let kept = serde_json::to_string(set.retired()).unwrap();
    let back: Vec<RetiredKey> = serde_json::from_str(&kept).unwrap();
    assert_eq!(back, set.retired());
    let set = set.prune(NOW.plus(300));
    assert_eq!(set.retired().len(), 1);

    // The current key is never also a retired one.
    let current = key();
    let own = RetiredKey { jwk: current.public_jwk().clone(), until: UnixTime::MAX };
    assert!(KeySet::new(Issuer::new(current, None).unwrap(), vec![own]).retired().is_empty());
}

#[test]
fn a_verifier_is_not_made_of_keys_it_cannot_use() {
    let bad = Jwk { alg: Some("ES384".into()), ..key().public_jwk().clone() };
    let trusted = |jwk: Jwk| TrustedKeys { jwks: JwkSet { keys: vec![jwk] }, ..TrustedKeys::default() };
    assert_eq!(TokenVerifier::new(trusted(bad)).unwrap_err().code(), "TOK-022");
    // An encryption key is none of a verifier's business.
    let encryption =
        Jwk { usage: Some("enc".into()), alg: Some("ECDH-ES".into()), ..key().public_jwk().clone() };
    assert!(TokenVerifier::new(trusted(encryption)).is_ok());
    let certificates = vec![b"not a certificate".to_vec()];
    let error = TokenVerifier::new(TrustedKeys { certificates, ..TrustedKeys::default() }).unwrap_err();
    assert_eq!(error.code(), "TOK-010");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_claims_come_through(name: String, text: String, number: i64) {
        let ours = key();
        let mut claims = json!({ "exp": NOW.0 + 1 });
        claims[format!("x{name}")] = json!([text, number]);
        let token = ours.sign_jwt(&Map::new(), &claims).unwrap();
        assert_eq!(trusting(&[&ours]).verify(&token, NOW).unwrap().claims, claims);
    }

    #[test]
    fn any_text_is_answered(text: String, header: Vec<u8>, payload: Vec<u8>) {
        let verifier = trusting(&[&key()]);
        assert!(verifier.verify(&text, NOW).is_err());
        let encode = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        assert!(verifier.verify(&format!("{}.{}.{text}", encode(header), encode(payload)), NOW).is_err());
    }
}
