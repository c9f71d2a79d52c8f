//! Signing keys on the NIST curves.

use std::fmt;
use std::sync::Arc;

use assay_cose::{Algorithm, Curve, PublicKey};
use p256::ecdsa::signature::Signer as _;
use rand_chacha::rand_core::Rng as _;

use crate::{Seed, asn1};

/// A private key. Clones share it; `Debug` shows the curve alone.
#[derive(Clone)]
pub struct EcKey(Arc<Secret>);

enum Secret {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

impl fmt::Debug for EcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EcKey({}, private)", self.curve())
    }
}

impl EcKey {
    /// The key that follows from the seed and the label.
    pub(crate) fn derive(seed: &Seed, label: &str, curve: Curve) -> Self {
        let mut stream = seed.stream(label);
        let mut scalar = vec![0; curve.coordinate_len()];
        loop {
            stream.fill_bytes(&mut scalar);
            if let (Curve::P521, Some(first)) = (curve, scalar.first_mut()) {
                // The order has 521 bits.
                *first &= 1;
            }
            // Refused are zero and what is not below the order, with a probability of 2^-32 at most.
            let secret = match curve {
                Curve::P256 => p256::ecdsa::SigningKey::from_slice(&scalar).ok().map(Secret::P256),
                Curve::P384 => p384::ecdsa::SigningKey::from_slice(&scalar).ok().map(Secret::P384),
                Curve::P521 => p521::ecdsa::SigningKey::from_slice(&scalar).ok().map(Secret::P521),
            };
            if let Some(secret) = secret {
                return EcKey(Arc::new(secret));
            }
        }
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        match *self.0 {
            Secret::P256(_) => Curve::P256,
            Secret::P384(_) => Curve::P384,
            Secret::P521(_) => Curve::P521,
        }
    }

    /// The algorithm of its signatures.
    pub fn algorithm(&self) -> Algorithm {
        Algorithm::of(self.curve())
    }

    /// The public key.
    #[expect(clippy::expect_used, reason = "the public key of a private key lies on its curve")]
    pub fn public_key(&self) -> PublicKey {
        let point = match &*self.0 {
            Secret::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        };
        PublicKey::from_point(self.curve(), &point).expect("a point of the curve")
    }

    /// ECDSA over `message`, with the hash of the curve and without randomness (RFC 6979): `r || s`,
    /// each of full length (RFC 9053, section 2.1).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &*self.0 {
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    /// The same signature as certificates carry it: Ecdsa-Sig-Value (RFC 3279, section 2.2.3), DER.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let fixed = self.sign(message);
        let (r, s) = fixed.split_at(fixed.len() / 2);
        asn1::sequence(&[&asn1::unsigned(r), &asn1::unsigned(s)])
    }

    /// The public key as SubjectPublicKeyInfo (RFC 5480): id-ecPublicKey, a named curve, uncompressed; DER.
    pub fn public_key_info(&self) -> Vec<u8> {
        let curve = match self.curve() {
            Curve::P256 => oid::P256,
            Curve::P384 => oid::P384,
            Curve::P521 => oid::P521,
        };
        asn1::sequence(&[
            &asn1::sequence(&[&asn1::oid(&oid::EC_PUBLIC_KEY), &asn1::oid(&curve)]),
            &asn1::bit_string(self.public_key().point()),
        ])
    }

    /// The AlgorithmIdentifier of [`EcKey::sign_der`] (RFC 5758, section 3.2), DER.
    pub(crate) fn signature_algorithm(&self) -> Vec<u8> {
        let algorithm = match self.curve() {
            Curve::P256 => oid::ECDSA_SHA256,
            Curve::P384 => oid::ECDSA_SHA384,
            Curve::P521 => oid::ECDSA_SHA512,
        };
        asn1::sequence(&[&asn1::oid(&algorithm)])
    }
}

/// Object identifiers of keys and signatures.
mod oid {
    use der::asn1::ObjectIdentifier;

    const fn oid(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }

    pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
    pub(super) const P256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
    pub(super) const P384: ObjectIdentifier = oid("1.3.132.0.34");
    pub(super) const P521: ObjectIdentifier = oid("1.3.132.0.35");
    pub(super) const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
    pub(super) const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
    pub(super) const ECDSA_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
}
