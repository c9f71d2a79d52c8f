//! Certificates in headers, judged against trusted ones; each test of a refusal breaks one thing only.
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
    Issuer, Jwk, SigningAlgorithm, SigningKey, TokenError, TokenVerifier, TrustedKeys, VerifiedToken,
};
use assay_types::{Coded as _, UnixTime, Validity};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

/// 2027-01-15T08:00:00Z.
const NOW: UnixTime = UnixTime(1_800_000_000);

const AROUND_NOW: Validity =
    Validity { not_before: UnixTime(NOW.0 - 1_000), not_after: UnixTime(NOW.0 + 1_000) };

fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = tlv(0x30, &[&tlv(0x06, &[&[0x55, 4, 3]]), &tlv(0x0c, &[common_name.as_bytes()])]);
    tlv(0x30, &[&tlv(0x31, &[&attribute])])
}

fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    tlv(0x30, &[&tlv(0x06, &[&[0x55, 0x1d, number]]), critical, &tlv(0x04, &[value])])
}

fn authority() -> Vec<u8> {
    extension(19, true, &[0x30, 0x03, 0x01, 0x01, 0xff])
}

fn key_usage(bits: u8) -> Vec<u8> {
    extension(15, true, &[0x03, 0x02, 0x00, bits])
}

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;

struct Certificate<'a> {
    issuer: &'a str,
    subject: &'a str,
    validity: (&'a str, &'a str),
    extensions: Vec<Vec<u8>>,
    key: &'a SigningKey,
    signer: &'a SigningKey,
}

fn pair(key: &SigningKey) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.to_pkcs8().unwrap().expose()).unwrap()
}

impl Certificate<'_> {
    fn build(&self) -> Vec<u8> {
        let algorithm = tlv(0x30, &[&tlv(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]])]);
        let (from, to) = self.validity;
        let validity = tlv(0x30, &[&tlv(0x17, &[from.as_bytes()]), &tlv(0x17, &[to.as_bytes()])]);
        let key = pair(self.key);
        let public = key.public_key().as_der().unwrap();
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa3, &[&tlv(0x30, &[&self.extensions.concat()])])
        };
        let signed = tlv(
            0x30,
            &[
                &[0xa0, 3, 2, 1, 2],
                &[2, 1, 7],
                &algorithm,
                &name(self.issuer),
                &validity,
                &name(self.subject),
                public.as_ref(),
                &extensions,
            ],
        );
        let signature = pair(self.signer).sign(&SystemRandom::new(), &signed).unwrap();
        tlv(0x30, &[&signed, &algorithm, &tlv(0x03, &[&[0], signature.as_ref()])])
    }
}

const GOOD: (&str, &str) = ("260101000000Z", "280101000000Z");

/// An authority and the key it vouches for.
struct World {
    root: SigningKey,
    leaf: SigningKey,
}

impl World {
    fn new() -> Self {
        World { root: key(), leaf: key() }
    }

    fn root(&self) -> Certificate<'_> {
        Certificate {
            issuer: "root",
            subject: "root",
            validity: GOOD,
            extensions: vec![authority(), key_usage(KEY_CERT_SIGN)],
            key: &self.root,
            signer: &self.root,
        }
    }

    fn leaf(&self) -> Certificate<'_> {
        Certificate {
            issuer: "root",
            subject: "attestation service",
            validity: GOOD,
            extensions: vec![key_usage(DIGITAL_SIGNATURE)],
            key: &self.leaf,
            signer: &self.root,
        }
    }
}

fn key() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256).unwrap()
}

fn copy(key: &SigningKey) -> SigningKey {
    SigningKey::from_pkcs8(key.algorithm(), &key.to_pkcs8().unwrap()).unwrap()
}

fn claims() -> serde_json::Value {
    json!({ "exp": NOW.0 + 300 })
}

fn judge(key: &SigningKey, x5c: Vec<u8>, trusted: Vec<Vec<u8>>) -> Result<VerifiedToken, TokenError> {
    let token = Issuer::new(copy(key), Some(vec![x5c])).unwrap().sign(&claims()).unwrap();
    let trusted = TrustedKeys { certificates: trusted, ..TrustedKeys::default() };
    TokenVerifier::new(trusted).unwrap().verify(&token, NOW)
}

#[test]
fn a_self_signed_certificate_is_its_own_trust_anchor() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Es384] {
        let key = SigningKey::generate(algorithm).unwrap();
        let certificate = key.self_signed_certificate("Assay Attestation Service", AROUND_NOW).unwrap();
        let verified = judge(&key, certificate.clone(), vec![certificate]).unwrap();
        assert_eq!(verified.kid, key.kid());
    }
}

#[test]
fn a_certificate_issued_by_a_trusted_authority_is_trusted() {
    let world = World::new();
    let root = world.root().build();
    assert!(judge(&world.leaf, world.leaf().build(), vec![root.clone()]).is_ok());
    // Extensions are optional in the leaf, and keyUsage in the authority.
    let bare = Certificate { extensions: vec![], ..world.leaf() }.build();
    assert!(judge(&world.leaf, bare.clone(), vec![root]).is_ok());
    let root = Certificate { extensions: vec![authority()], ..world.root() }.build();
    assert!(judge(&world.leaf, bare, vec![root]).is_ok());
}

#[test]
fn another_authority_of_the_same_name_does_not_hide_the_right_one() {
    let (world, other) = (World::new(), World::new());
    let trusted = vec![other.root().build(), world.root().build()];
    assert!(judge(&world.leaf, world.leaf().build(), trusted).is_ok());
}

#[test]
fn each_rule_of_the_path_alone_refuses_the_token() {
    let (world, other) = (World::new(), World::new());
    let good_root = world.root().build();
    let cases: Vec<(&str, Vec<u8>, Vec<u8>, &str)> = vec![
        (
            "issuer's name",
            Certificate { issuer: "else", ..world.leaf() }.build(),
            good_root.clone(),
            "TOK-012",
        ),
        ("forged", Certificate { signer: &other.root, ..world.leaf() }.build(), good_root.clone(), "TOK-012"),
        (
            "leaf ended",
            Certificate { validity: ("260101000000Z", "260102000000Z"), ..world.leaf() }.build(),
            good_root.clone(),
            "TOK-013",
        ),
        (
            "leaf not begun",
            Certificate { validity: ("270116000000Z", "280101000000Z"), ..world.leaf() }.build(),
            good_root.clone(),
            "TOK-013",
        ),
        (
            "leaf's usage",
            Certificate { extensions: vec![key_usage(KEY_CERT_SIGN)], ..world.leaf() }.build(),
            good_root.clone(),
            "TOK-012",
        ),
        (
            "leaf's critical extension",
            Certificate { extensions: vec![extension(30, true, &[0x30, 0])], ..world.leaf() }.build(),
            good_root,
            "TOK-012",
        ),
        (
            "root ended",
            world.leaf().build(),
            Certificate { validity: ("260101000000Z", "260102000000Z"), ..world.root() }.build(),
            "TOK-013",
        ),
        (
            "root no authority",
            world.leaf().build(),
            Certificate { extensions: vec![], ..world.root() }.build(),
            "TOK-012",
        ),
        (
            "root may not sign",
            world.leaf().build(),
            Certificate { extensions: vec![authority(), key_usage(DIGITAL_SIGNATURE)], ..world.root() }
                .build(),
            "TOK-012",
        ),
        (
            "root's critical extension",
            world.leaf().build(),
            Certificate { extensions: vec![authority(), extension(30, true, &[0x30, 0])], ..world.root() }
                .build(),
            "TOK-012",
        ),
        ("another root", world.leaf().build(), other.root().build(), "TOK-012"),
    ];
    for (what, leaf, root, code) in cases {
        let error = judge(&world.leaf, leaf, vec![root]).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
}

#[test]
fn every_changed_byte_of_the_certificate_is_refused() {
    let world = World::new();
    let (leaf, root) = (world.leaf().build(), world.root().build());
    for position in (0..leaf.len()).step_by(3) {
        let mut changed = leaf.clone();
        changed[position] ^= 1;
        let jwk = Jwk { x5c: vec![changed], ..Jwk::new(world.leaf.public_jwk().material.clone()) };
        let header = format!(r#"{{"alg":"ES256","jwk":{}}}"#, serde_json::to_string(&jwk).unwrap());
        let error = verify_with_header(&world.leaf, &header, vec![root.clone()]).unwrap_err();
        assert!(["TOK-010", "TOK-011", "TOK-012", "TOK-013"].contains(&error.code()), "{position}: {error}");
    }
}

fn verify_with_header(
    key: &SigningKey,
    header: &str,
    certificates: Vec<Vec<u8>>,
) -> Result<VerifiedToken, TokenError> {
    let input = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(header),
        BASE64_URL_SAFE_NO_PAD.encode(claims().to_string())
    );
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.to_pkcs8().unwrap().expose());
    let signature = pair.unwrap().sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    let token = format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    TokenVerifier::new(TrustedKeys { certificates, ..TrustedKeys::default() }).unwrap().verify(&token, NOW)
}

#[test]
fn a_trusted_certificate_that_ended_no_longer_counts() {
    let key = key();
    let past = Validity { not_before: NOW.plus(-100), not_after: NOW.plus(-1) };
    let certificate = key.self_signed_certificate("assay", past).unwrap();
    assert_eq!(
        judge(&key, certificate.clone(), vec![certificate]),
        Err(TokenError::CertificateNotValidNow { validity: past, now: NOW })
    );
}

#[test]
fn a_certificate_of_another_key_lends_no_trust() {
    let (ours, stranger) = (key(), key());
    let certificate = ours.self_signed_certificate("assay", AROUND_NOW).unwrap();
    // The issuer notices its own mistake …
    let error = Issuer::new(copy(&stranger), Some(vec![certificate.clone()])).unwrap_err();
    assert_eq!(error, TokenError::CertificateKeyDiffers);
    assert_eq!(Issuer::new(copy(&stranger), Some(vec![])).unwrap_err().code(), "TOK-010");
    // … and the verifier the intention, whether the header repeats the key or not.
    let jwk = Jwk { x5c: vec![certificate.clone()], ..Jwk::new(stranger.public_jwk().material.clone()) };
    let header = format!(r#"{{"alg":"ES256","jwk":{}}}"#, serde_json::to_string(&jwk).unwrap());
    assert_eq!(
        verify_with_header(&stranger, &header, vec![certificate.clone()]),
        Err(TokenError::CertificateKeyDiffers)
    );
    let header = format!(r#"{{"alg":"ES256","x5c":["{}"]}}"#, BASE64_STANDARD.encode(&certificate));
    assert_eq!(
        verify_with_header(&stranger, &header, vec![certificate.clone()]),
        Err(TokenError::BadSignature { kid: ours.kid().to_owned() })
    );
    assert!(verify_with_header(&ours, &header, vec![certificate]).is_ok());
}

#[test]
fn what_is_no_certificate_is_refused() {
    let ours = key();
    let trusted = ours.self_signed_certificate("assay", AROUND_NOW).unwrap();
    for bytes in [
        vec![],
        vec![0x30],
        vec![0x30; 17_000],
        trusted[..trusted.len() - 1].to_vec(),
        [&trusted[..], &[0]].concat(),
    ] {
        let header = format!(r#"{{"alg":"ES256","x5c":["{}"]}}"#, BASE64_STANDARD.encode(&bytes));
        let error = verify_with_header(&ours, &header, vec![trusted.clone()]).unwrap_err();
        assert_eq!(error.code(), "TOK-010", "{} bytes", bytes.len());
    }
    for header in [r#"{"alg":"ES256","x5c":[]}"#, r#"{"alg":"ES256","x5c":["*"]}"#] {
        assert_eq!(verify_with_header(&ours, header, vec![trusted.clone()]).unwrap_err().code(), "TOK-010");
    }
}

#[test]
fn impossible_certificates_are_not_made() {
    let key = key();
    for (name, validity) in [
        ("", AROUND_NOW),
        ("n".repeat(65).as_str(), AROUND_NOW),
        ("n", Validity { not_before: NOW, not_after: NOW.plus(-1) }),
        ("n", Validity { not_before: UnixTime(-1), not_after: NOW }),
        ("n", Validity { not_before: NOW, not_after: UnixTime(i64::MAX) }),
    ] {
        assert_eq!(key.self_signed_certificate(name, validity).unwrap_err().code(), "TOK-024");
    }
    assert!(key.self_signed_certificate("ü, CN=+\"\\", Validity::ALWAYS).is_ok());
}

/// What Trustee's verifiers do with OpenSSL: the trusted certificate is the only one in the store.
#[test]
fn openssl_accepts_a_self_signed_certificate_as_its_own_trust_anchor() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Es384] {
        let key = SigningKey::generate(algorithm).unwrap();
        let certificate = key.self_signed_certificate("Assay Attestation Service", Validity::ALWAYS).unwrap();
        let text = BASE64_STANDARD.encode(certificate);
        let file = std::env::temp_dir().join(format!("assay-{}-{algorithm}.pem", key.kid()));
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        std::fs::write(&file, pem).unwrap();
        let output =
            std::process::Command::new("openssl").arg("verify").arg("-CAfile").arg(&file).arg(&file).output();
        std::fs::remove_file(&file).unwrap();
        match output {
            Err(error) => println!("skipped: the openssl command is not there ({error})"),
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}
