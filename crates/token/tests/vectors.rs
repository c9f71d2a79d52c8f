//! The vectors of the RFCs.
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

use assay_token::{Algorithm, CompactJws, Jwk, JwkSet, TokenError, VerifyingKey};
use assay_types::Coded as _;

const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

const ES512_KEY: &str = r#"{"kty":"EC","crv":"P-521",
    "x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
const ES512: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";

const EDDSA_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

const RSA_KEY: &str = r#"{"kty":"RSA","alg":"RS256","kid":"2011-04-29","e":"AQAB",
    "n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;

fn key(json: &str) -> VerifyingKey {
    VerifyingKey::new(&Jwk::from_json(json).unwrap()).unwrap()
}

#[test]
fn the_signatures_of_rfc_7515_a3_and_a4_and_rfc_8037_a4_hold() {
    for (name, jwk, token, payload) in [
        (Algorithm::Es256, ES256_KEY, ES256, &b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,"[..]),
        (Algorithm::Es512, ES512_KEY, ES512, b"Payload"),
        (Algorithm::EdDsa, EDDSA_KEY, EDDSA, b"Example of Ed25519 signing"),
    ] {
        let jws = CompactJws::parse(token).unwrap();
        assert_eq!(jws.algorithm(), name);
        assert!(jws.verify(&key(jwk)).unwrap().starts_with(payload), "{name}");
    }
}

#[test]
fn any_changed_character_of_the_signature_is_refused() {
    for (jwk, token) in [(ES256_KEY, ES256), (ES512_KEY, ES512), (EDDSA_KEY, EDDSA)] {
        let key = key(jwk);
        let start = token.rfind('.').unwrap() + 1;
        for position in (start..token.len()).step_by(5) {
            let mut changed = token.as_bytes().to_vec();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let refused = CompactJws::parse(&changed).and_then(|jws| jws.verify(&key).map(<[u8]>::len));
            assert!(refused.is_err(), "{position}");
        }
    }
}

#[test]
fn a_key_of_another_type_is_refused_before_the_signature_is_looked_at() {
    let keys = [ES256_KEY, ES512_KEY, EDDSA_KEY, RSA_KEY];
    for (of_token, token) in [(0, ES256), (1, ES512), (2, EDDSA)] {
        let jws = CompactJws::parse(token).unwrap();
        for (position, other) in keys.iter().enumerate() {
            if position != of_token {
                let error = jws.verify(&key(other)).unwrap_err();
                assert!(matches!(error, TokenError::AlgorithmMismatch { .. }), "{error}");
                assert_eq!(error.code(), "TOK-006");
            }
        }
    }
}

#[test]
fn the_thumbprints_of_rfc_7638_and_rfc_8037_hold() {
    let rsa = Jwk::from_json(RSA_KEY).unwrap();
    assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(rsa.name(), "2011-04-29");
    let ed = Jwk::from_json(EDDSA_KEY).unwrap();
    assert_eq!(ed.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(ed.name(), ed.thumbprint());
}

#[test]
fn keys_are_written_as_they_were_read() {
    for json in [ES256_KEY, ES512_KEY, EDDSA_KEY, RSA_KEY] {
        let key = Jwk::from_json(json).unwrap();
        let written = serde_json::to_string(&key).unwrap();
        assert_eq!(Jwk::from_json(&written).unwrap(), key);
        let before: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), before);
        assert_eq!(serde_json::from_str::<Jwk>(json).unwrap(), key);
    }
    let full = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","alg":"ES256","use":"sig","kid":"k","x5c":["AQI="]}"#;
    assert_eq!(serde_json::to_string(&Jwk::from_json(full).unwrap()).unwrap(), full);
}

#[test]
fn a_set_leaves_out_what_it_does_not_understand_and_nothing_else() {
    let secp256k1 = r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#;
    let octets = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let set = |keys: &str| JwkSet::from_json(&format!(r#"{{"keys":[{keys}]}}"#));
    let read = set(&format!("{secp256k1},{ES256_KEY},{octets},{RSA_KEY}")).unwrap();
    assert_eq!(read.keys.len(), 2);
    assert_eq!(JwkSet::from_json(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    let error = set(&format!(r#"{ES256_KEY},{{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#)).unwrap_err();
    assert!(error.to_string().contains("key 1 of the set"), "{error}");
    assert!(set(&vec![secp256k1; 257].join(",")).is_err());
    assert!(JwkSet::from_json("[]").is_err());
    assert!(JwkSet::from_json("{}").is_err());
}

#[test]
fn wrong_keys_are_refused_with_the_reason() {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let long = "A".repeat(1_399);
    let cases = [
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#), "no member \"y\""),
        (format!(r#"{{"kty":"EC","x":"{x}","y":"{y}"}}"#), "no member \"crv\""),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}=","y":"{y}"}}"#), "base64url"),
        (format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{y}"}}"#), "48 bytes"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"AA"}}"#), "private key"),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","x5c":["A-_="]}}"#), "standard base64"),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","x5c":["","","","","","","","",""]}}"#),
            "8 certificates",
        ),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","x":"{x}","y":"{y}"}}"#), "duplicate"),
        (r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.into(), "32 bytes"),
        (r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#.into(), "not supported"),
        (r#"{"kty":"oct","k":"AAAA"}"#.into(), "not supported"),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.into(), "2048 to 8192"),
        (format!(r#"{{"kty":"RSA","n":"_{long}","e":"AQAB"}}"#), "2048 to 8192"),
        (format!(r#"{{"kty":"RSA","n":"A{long}","e":"AQAB"}}"#), "leading zero"),
        (r#"{"kty":"RSA","n":"","e":"AQAB"}"#.into(), "empty"),
        ("[]".into(), "invalid"),
        ("{}".into(), "kty"),
    ];
    for (json, reason) in cases {
        let error = Jwk::from_json(&json).unwrap_err();
        assert_eq!(error.code(), "TOK-022", "{json}");
        assert!(error.to_string().contains(reason), "{json}: {error}");
    }
}

#[test]
fn a_key_that_may_not_verify_is_refused() {
    let with = |member: &str| {
        let json = ES256_KEY.replace(r#""kty":"EC","#, &format!(r#""kty":"EC",{member},"#));
        VerifyingKey::new(&Jwk::from_json(&json).unwrap()).map(|key| key.name().to_owned())
    };
    for member in [
        r#""use":"enc""#,
        r#""key_ops":["sign"]"#,
        r#""alg":"ECDH-ES+A256KW""#,
        r#""alg":"HS256""#,
        r#""alg":"ES384""#,
        r#""alg":"RS256""#,
    ] {
        assert_eq!(with(member).unwrap_err().code(), "TOK-022", "{member}");
    }
    for member in [r#""use":"sig""#, r#""key_ops":["verify"]"#, r#""alg":"ES256""#] {
        assert!(with(member).is_ok(), "{member}");
    }
    let off_curve = ES256_KEY.replace("x_FEzRu9", "x_FEzRu8");
    assert!(VerifyingKey::new(&Jwk::from_json(&off_curve).unwrap()).is_err());
}

#[test]
fn a_key_bound_to_one_algorithm_serves_no_other() {
    let ps256 = CompactJws::parse("eyJhbGciOiJQUzI1NiJ9.e30.AAAA").unwrap();
    let error = ps256.verify(&key(RSA_KEY)).unwrap_err();
    assert_eq!(
        error,
        TokenError::AlgorithmMismatch { alg: "PS256", key: "RSA of 2048 bits, bound to RS256".into() }
    );
    let rs256 = CompactJws::parse("eyJhbGciOiJSUzI1NiJ9.e30.AAAA").unwrap();
    assert!(matches!(rs256.verify(&key(RSA_KEY)), Err(TokenError::BadSignature { .. })));
}
