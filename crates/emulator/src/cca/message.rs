//! A COSE_Sign1 message before it is signed.

use assay_cbor::Value;
use assay_cose::{TAG_SIGN1, header, to_be_signed};

use super::members::Members;
use crate::ec_key::EcKey;

/// A COSE_Sign1 before it is signed (RFC 9052, section 4.2). Each part can be changed alone; the
/// signature covers what was changed.
#[derive(Clone, Debug)]
pub struct Message {
    /// The tag; none leaves the array bare.
    pub tag: Option<u64>,
    /// The protected header.
    pub protected: Members,
    /// The encoding of the protected header, where it is to be another than that of `protected`.
    pub protected_bytes: Option<Vec<u8>>,
    /// The unprotected header.
    pub unprotected: Members,
    /// The payload.
    pub payload: Vec<u8>,
    /// Whether `null` stands in place of the payload, which is signed all the same.
    pub detached: bool,
    /// The key that signs.
    pub signer: EcKey,
    /// Whether a bit of the signature is flipped.
    pub broken_signature: bool,
    /// What stands in place of the signature.
    pub signature: Option<Vec<u8>>,
}

impl Message {
    /// A message whose only header parameter is the algorithm of `signer`.
    pub fn new(payload: Vec<u8>, signer: EcKey) -> Self {
        let mut protected = Members::default();
        protected.set(header::ALG, signer.algorithm().id());
        Message {
            tag: Some(TAG_SIGN1),
            protected,
            protected_bytes: None,
            unprotected: Members::default(),
            payload,
            detached: false,
            signer,
            broken_signature: false,
            signature: None,
        }
    }

    /// Moves the algorithm into the unprotected header.
    pub fn unprotect_algorithm(&mut self) {
        if let Some(algorithm) = self.protected.get(header::ALG).cloned() {
            self.protected.remove(header::ALG);
            self.unprotected.set(header::ALG, algorithm);
        }
    }

    /// Leaves the algorithm out.
    pub fn remove_algorithm(&mut self) {
        self.protected.remove(header::ALG);
    }

    /// The encoded message, signed.
    pub fn sign(&self) -> Vec<u8> {
        let protected = match &self.protected_bytes {
            Some(bytes) => bytes.clone(),
            // An empty map is written as an empty string (RFC 9052, section 3).
            None if self.protected.0.is_empty() => Vec::new(),
            None => self.protected.encode(),
        };
        let mut signature = match &self.signature {
            Some(signature) => signature.clone(),
            None => self.signer.sign(&to_be_signed(&protected, &self.payload)),
        };
        if let (true, Some(last)) = (self.broken_signature, signature.last_mut()) {
            *last ^= 1;
        }
        let payload = if self.detached { Value::Null } else { self.payload.clone().into() };
        let array = Value::Array(vec![
            protected.into(),
            Value::Map(self.unprotected.0.clone()),
            payload,
            signature.into(),
        ]);
        match self.tag {
            Some(tag) => Value::tagged(tag, array).encode(),
            None => array.encode(),
        }
    }
}
