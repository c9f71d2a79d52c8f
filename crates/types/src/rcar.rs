//! The messages of the RCAR protocol (Request, Challenge, Attestation, Response), as Trustee and
//! guest-components exchange them. Member names mix hyphens and underscores; both are the wire's.
//! Unknown members are ignored, as the peers do.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::Tee;

/// The protocol version that this implementation speaks.
pub const PROTOCOL_VERSION: &str = "0.4.0";

/// The versions whose bodies are those of [`PROTOCOL_VERSION`] and that a server therefore accepts.
/// 0.1.x to 0.3.x have other `tee-evidence` layouts or another hash and are not among them.
pub const COMPATIBLE_VERSIONS: &[&str] = &["0.4.0"];

/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "kbs-session-id";

/// Body of `POST /kbs/v0/auth`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The protocol version, by semantic versioning.
    pub version: String,
    /// The guest's TEE.
    pub tee: Tee,
    /// Any JSON; guests send `{"supported-hash-algorithms":[…]}` or `""`.
    #[serde(rename = "extra-params")]
    pub extra_params: Value,
}

/// Answer of `POST /kbs/v0/auth`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 random bytes in standard base64 (44 characters); for Secure Execution a JSON text.
    pub nonce: String,
    /// `""`, or `{"selected-hash-algorithm":"sha512"}`.
    #[serde(rename = "extra-params")]
    pub extra_params: Value,
}

/// Body of `POST /kbs/v0/attest`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attestation {
    /// The init data in clear, when the guest has any.
    #[serde(rename = "init-data", default)]
    pub init_data: Option<InitDataMessage>,
    /// What the report data are the digest of.
    #[serde(rename = "runtime-data")]
    pub runtime_data: RuntimeData,
    /// The evidence.
    #[serde(rename = "tee-evidence")]
    pub tee_evidence: CompositeEvidence,
}

/// Init data as sent along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitDataMessage {
    /// Only `toml` exists.
    pub format: String,
    /// The text; its digest is over exactly these bytes.
    pub body: String,
}

/// The runtime data of an attestation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuntimeData {
    /// The challenge's nonce.
    pub nonce: String,
    /// The public half of the guest's key as a JWK, kept as sent because its digest is bound.
    #[serde(rename = "tee-pubkey")]
    pub tee_pubkey: Value,
}

/// The evidence of the CPU and of the devices.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompositeEvidence {
    /// The CPU's evidence: JSON of the TEE's own form, kept as sent.
    pub primary_evidence: Box<RawValue>,
    /// Empty, or a JSON text `{"<tee>": evidence, …}`. The runtime-data digest takes it as text:
    /// never write it anew.
    #[serde(default)]
    pub additional_evidence: String,
}

/// Answer of `POST /kbs/v0/attest`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationAnswer {
    /// The attestation result token, a JWT.
    pub token: String,
}

impl fmt::Debug for AttestationAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttestationAnswer {{ token: {} bytes }}", self.token.len())
    }
}

/// The guest's public key (`tee-pubkey`), a JWK (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum TeePubKey {
    /// An RSA key (RFC 7518, 6.3).
    RSA {
        /// `RSA-OAEP-256`; `RSA1_5` parses and is refused later.
        alg: String,
        /// Modulus, base64url without padding, big endian.
        n: String,
        /// Public exponent, base64url without padding, big endian.
        e: String,
    },
    /// An elliptic curve key (RFC 7518, 6.2).
    EC {
        /// `P-256`, `P-384` or `P-521`.
        crv: String,
        /// `ECDH-ES+A256KW`.
        alg: String,
        /// X coordinate, base64url without padding, as long as the field.
        x: String,
        /// Y coordinate, base64url without padding, as long as the field.
        y: String,
    },
}

/// A secret for the guest: a flattened JWE (RFC 7516, 7.2.2). All members are base64url without
/// padding; the additional authenticated data are the ASCII bytes of `protected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The protected header. Clients write its JSON anew before they decrypt, so a server must use
    /// exactly the member order `alg`, `enc`, `epk{crv,kty,x,y}`, without white space.
    pub protected: String,
    /// The wrapped content encryption key.
    pub encrypted_key: String,
    /// 12 bytes.
    pub iv: String,
    /// The encrypted secret.
    pub ciphertext: String,
    /// 16 bytes.
    pub tag: String,
}

/// Body of every error: RFC 9457 problem details that also carry what Trustee's clients read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorInformation {
    /// `https://github.com/confidential-containers/kbs/errors/<Variant>`.
    #[serde(rename = "type")]
    pub error_type: String,
    /// What went wrong, in words.
    pub detail: String,
    /// Everything else: `title`, `status`, `code`, `request-id`, `findings`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A byte string that is wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq, Zeroize)]
#[zeroize(drop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        SecretBytes(bytes)
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}
