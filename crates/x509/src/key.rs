//! Public keys.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PSS_2048_8192_SHA384,
};
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// A public key, ready to verify.
#[derive(Clone)]
pub enum PublicKey {
    /// RSA with 4096 bits, for RSASSA-PSS with SHA-384; the bytes are an `RSAPublicKey` (RFC 8017).
    Rsa4096(ParsedPublicKey),
    /// On P-256, for ECDSA with SHA-256 and signatures of 64 bytes, r then s, big endian; the bytes
    /// are an uncompressed point (SEC 1, 2.3.3).
    P256(ParsedPublicKey),
    /// On P-384, for ECDSA with SHA-384 and signatures of 96 bytes.
    P384(ParsedPublicKey),
    /// Anything else, in words.
    Other(String),
}

impl PublicKey {
    /// From the bytes of an `RSAPublicKey` (RFC 8017, A.1.1).
    pub fn rsa(pkcs1: &[u8]) -> Self {
        let bits = SliceReader::new(pkcs1).and_then(|mut r| {
            r.sequence(|r| {
                let modulus = UintRef::decode(r)?;
                UintRef::decode(r)?;
                Ok::<_, der::Error>(modulus.as_bytes().len())
            })
        });
        match (bits, ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, pkcs1)) {
            (Ok(512), Ok(key)) => PublicKey::Rsa4096(key),
            (Ok(len), Ok(_)) => PublicKey::Other(format!("RSA with {} bits", len.saturating_mul(8))),
            _ => PublicKey::Other("unreadable RSA key".to_owned()),
        }
    }

    /// From an uncompressed point on P-256: 0x04, x, y, 65 bytes.
    pub fn p256(point: &[u8]) -> Self {
        match ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point) {
            Ok(key) if point.first() == Some(&4) => PublicKey::P256(key),
            _ => PublicKey::Other("a point that is not on P-256".to_owned()),
        }
    }

    pub(crate) fn read(spki: &SubjectPublicKeyInfoOwned) -> Self {
        let algorithm = &spki.algorithm;
        let Some(bytes) = spki.subject_public_key.as_bytes() else {
            return PublicKey::Other("key with unused bits".to_owned());
        };
        if algorithm.oid == RSA_ENCRYPTION {
            return PublicKey::rsa(bytes);
        }
        if algorithm.oid != EC_PUBLIC_KEY {
            return PublicKey::Other(format!("key of algorithm {}", algorithm.oid));
        }
        let curve = algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        match curve {
            Some(SECP256R1 | SECP384R1) if bytes.first() != Some(&4) => {
                PublicKey::Other("elliptic curve key of unknown form".to_owned())
            }
            Some(SECP256R1) => PublicKey::p256(bytes),
            Some(SECP384R1) => match ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, bytes) {
                Ok(key) => PublicKey::P384(key),
                Err(_) => PublicKey::Other("a point that is not on P-384".to_owned()),
            },
            Some(curve) => PublicKey::Other(format!("elliptic curve key on {curve}")),
            None => PublicKey::Other("elliptic curve key of unknown form".to_owned()),
        }
    }

    /// The bytes the key was made of.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            PublicKey::Rsa4096(key) | PublicKey::P256(key) | PublicKey::P384(key) => Some(key.as_ref()),
            PublicKey::Other(_) => None,
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublicKey::Rsa4096(_) => f.write_str("RSA with 4096 bits"),
            PublicKey::P256(_) => f.write_str("elliptic curve key on P-256"),
            PublicKey::P384(_) => f.write_str("elliptic curve key on P-384"),
            PublicKey::Other(what) => f.write_str(what),
        }
    }
}
