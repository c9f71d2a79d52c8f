//! COSE_Sign1 (RFC 9052, section 4.2).

use assay_cbor::{Limits, Value, diagnostic, read};

use crate::{Algorithm, CoseError, PublicKey};

/// The CBOR tag of a COSE_Sign1.
pub const TAG_SIGN1: u64 = 18;

/// What a message and its header may be at the most: 1 MiB, 16 levels, 65 536 items.
pub const LIMITS: Limits = Limits::DEFAULT;

/// The labels of header parameters (RFC 9052, table 3; RFC 9360; RFC 9596; RFC 9597).
pub mod header {
    /// The algorithm.
    pub const ALG: i64 = 1;
    /// Parameters that must be understood.
    pub const CRIT: i64 = 2;
    /// The type of the payload.
    pub const CONTENT_TYPE: i64 = 3;
    /// The name of the key.
    pub const KID: i64 = 4;
    /// Signer and validity of a CoRIM (draft-ietf-rats-corim).
    pub const CORIM_META: i64 = 8;
    /// CWT claims (RFC 9597).
    pub const CWT_CLAIMS: i64 = 15;
    /// The type of the whole message (RFC 9596).
    pub const TYP: i64 = 16;
    /// A chain of certificates, the signer's first (RFC 9360).
    pub const X5CHAIN: i64 = 33;
}

/// A signed message in its parts. Nothing of it is verified yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Sign1 {
    protected: Vec<u8>,
    protected_header: Value,
    unprotected_header: Value,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

fn structure(what: &'static str, expected: &'static str, found: &Value) -> CoseError {
    CoseError::Structure { what, expected, found: found.describe() }
}

impl Sign1 {
    /// Reads an encoded message with its tag (18).
    ///
    /// # Errors
    /// [`CoseError::Cbor`], [`CoseError::Structure`], [`CoseError::HeaderTwice`],
    /// [`CoseError::Critical`]. The algorithm is looked at later.
    pub fn read(encoded: &[u8]) -> Result<Self, CoseError> {
        Sign1::from_value(&read(encoded, LIMITS)?)
    }

    /// Takes a message that was read as CBOR.
    ///
    /// # Errors
    /// As [`Sign1::read`].
    pub fn from_value(value: &Value) -> Result<Self, CoseError> {
        let Some((TAG_SIGN1, content)) = value.as_tag() else {
            return Err(structure("COSE_Sign1", "an item with tag 18", value));
        };
        let Some([protected, unprotected, payload, signature]) = content.as_array() else {
            return Err(structure("COSE_Sign1", "an array of 4 items", content));
        };
        let bytes = |what, value: &Value| {
            value.as_bytes().map(<[u8]>::to_vec).ok_or_else(|| structure(what, "a byte string", value))
        };
        let protected = bytes("protected header", protected)?;
        let protected_header =
            if protected.is_empty() { Value::Map(Vec::new()) } else { read(&protected, LIMITS)? };
        let map = |what, value: &Value| {
            let labels = value.as_map().ok_or_else(|| structure(what, "a map", value))?;
            match labels.iter().find(|(label, _)| label.as_text().is_none() && label.as_i64().is_none()) {
                Some((label, _)) => Err(structure(what, "labels that are integers or text", label)),
                None => Ok(()),
            }
        };
        map("protected header", &protected_header)?;
        map("unprotected header", unprotected)?;
        let both = |label: &Value| unprotected.as_map().unwrap_or_default().iter().any(|(l, _)| l == label);
        let labels = protected_header.as_map().unwrap_or_default();
        if let Some((label, _)) = labels.iter().find(|(label, _)| both(label)) {
            return Err(CoseError::HeaderTwice { label: cut(diagnostic(label)) });
        }
        if [&protected_header, unprotected].iter().any(|map| map.get(header::CRIT).is_some()) {
            return Err(CoseError::Critical);
        }
        Ok(Sign1 {
            payload: bytes("payload", payload)?,
            signature: bytes("signature", signature)?,
            unprotected_header: unprotected.clone(),
            protected,
            protected_header,
        })
    }

    /// The protected header, a map.
    pub fn protected(&self) -> &Value {
        &self.protected_header
    }

    /// The unprotected header, a map. Nobody vouches for it.
    pub fn unprotected(&self) -> &Value {
        &self.unprotected_header
    }

    /// The payload. It is only worth something after [`Sign1::verify`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What is signed (RFC 9052, section 4.4), for who verifies by other means than [`Sign1::verify`].
    pub fn signed_bytes(&self) -> Vec<u8> {
        to_be_signed(&self.protected, &self.payload)
    }

    /// The signature as it came.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The algorithm of the protected header.
    ///
    /// # Errors
    /// [`CoseError::NoAlgorithm`], [`CoseError::UnsupportedAlgorithm`].
    pub fn algorithm(&self) -> Result<Algorithm, CoseError> {
        let found = self.protected_header.get(header::ALG).ok_or(CoseError::NoAlgorithm)?;
        found
            .as_i64()
            .and_then(Algorithm::from_id)
            .ok_or_else(|| CoseError::UnsupportedAlgorithm { found: cut(diagnostic(found)) })
    }

    /// Checks the signature. There is no external additional data.
    ///
    /// # Errors
    /// Those of [`Sign1::algorithm`]; [`CoseError::AlgorithmMismatch`], [`CoseError::SignatureLength`],
    /// [`CoseError::BadSignature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), CoseError> {
        let algorithm = self.algorithm()?;
        if algorithm.curve() != key.curve() {
            return Err(CoseError::AlgorithmMismatch { algorithm, curve: key.curve() });
        }
        let expected = 2 * algorithm.curve().coordinate_len();
        if self.signature.len() != expected {
            return Err(CoseError::SignatureLength { algorithm, expected, found: self.signature.len() });
        }
        if key.holds(&self.signed_bytes(), &self.signature) { Ok(()) } else { Err(CoseError::BadSignature) }
    }
}

/// What is signed: the encoded `["Signature1", protected, h'', payload]` (RFC 9052, section 4.4), for
/// an encoded protected header.
pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Value::Array(vec!["Signature1".into(), protected.into(), Value::Bytes(Vec::new()), payload.into()])
        .encode()
}

/// Makes an encoded message with its tag. `sign` is given the bytes to be signed and returns the
/// signature, `r || s` of full length. `alg` is the caller's to put into `protected`.
///
/// # Errors
/// Those of `sign`.
pub fn sign1<E>(
    protected: Vec<(Value, Value)>,
    unprotected: Vec<(Value, Value)>,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let protected = if protected.is_empty() { Vec::new() } else { Value::Map(protected).encode() };
    let signature = sign(&to_be_signed(&protected, payload))?;
    let message = vec![protected.into(), Value::Map(unprotected), payload.into(), signature.into()];
    Ok(Value::tagged(TAG_SIGN1, message).encode())
}

fn cut(text: String) -> String {
    text.chars().take(64).collect()
}
