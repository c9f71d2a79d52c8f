//! The head of a chain: how long it is and the hash of its last record, signed.
//!
//! The signature is a compact JWS (RFC 7515) of ES256 whose payload is the one claim
//! `assay-audit-head` with the members `chain`, `length`, `hash` and `updated`.

use assay_store::AuditHead;
use assay_token::{CompactJws, SigningKey};
use assay_types::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::{AuditError, AuditKeys, ChainId, HeadRef, RecordHash};

/// A head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The chain.
    pub chain: ChainId,
    /// The number of its records, at least 1.
    pub length: u64,
    /// The hash of record `length - 1`.
    pub hash: RecordHash,
    /// When it was signed.
    pub updated: UnixTime,
}

impl Head {
    /// Without its time.
    pub fn reference(&self) -> HeadRef {
        HeadRef { chain: self.chain, length: self.length, hash: self.hash }
    }
}

/// A head with its signature. Nothing of it is verified until [`SignedHead::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// The signature.
    pub signature: String,
}

/// The payload.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    #[serde(rename = "assay-audit-head")]
    head: Head,
}

impl SignedHead {
    /// Signs a head.
    pub(crate) fn sign(head: Head, key: &SigningKey) -> Result<Self, AuditError> {
        let claims = Claims { head };
        let signature = key.sign_jwt(&Map::new(), &claims)?;
        Ok(SignedHead { head: claims.head, signature })
    }

    /// Whether one of `keys` signed exactly this head; `Err` says why not.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn verify(&self, keys: &AuditKeys) -> Result<(), String> {
        let jws = CompactJws::parse(&self.signature).map_err(|error| error.to_string())?;
        let kid = jws.kid().ok_or_else(|| "its signature names no key".to_owned())?;
        let key =
            keys.get(kid).ok_or_else(|| format!("it is signed by {kid:?}, which is no key of the log"))?;
        let payload = jws.verify(key).map_err(|error| error.to_string())?;
        let signed: Claims = serde_json::from_slice(payload)
            .map_err(|error| format!("what was signed is no head: {error}"))?;
        if signed.head != self.head {
            return Err("what was signed is another head".to_owned());
        }
        Ok(())
    }

    pub(crate) fn row(&self) -> AuditHead {
        AuditHead {
            chain: *self.head.chain.as_bytes(),
            length: self.head.length,
            hash: *self.head.hash.as_bytes(),
            updated: self.head.updated,
            signature: self.signature.clone(),
        }
    }
}

impl From<AuditHead> for SignedHead {
    fn from(row: AuditHead) -> Self {
        let head =
            Head { chain: row.chain.into(), length: row.length, hash: row.hash.into(), updated: row.updated };
        SignedHead { head, signature: row.signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_token::SigningAlgorithm;

    #[test]
    fn only_what_was_signed_verifies() {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let other = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let keys = AuditKeys::new(&[key.public_jwk().clone()]).unwrap();
        let head = Head {
            chain: ChainId::new([7; 16]),
            length: 3,
            hash: RecordHash::new([9; 48]),
            updated: UnixTime(5),
        };
        let signed = SignedHead::sign(head.clone(), &key).unwrap();
        signed.verify(&keys).unwrap();
        assert_eq!(SignedHead::from(signed.row()), signed);
        let text = serde_json::to_string(&signed).unwrap();
        assert_eq!(serde_json::from_str::<SignedHead>(&text).unwrap(), signed);
        let changed = [
            Head { chain: ChainId::new([8; 16]), ..head.clone() },
            Head { length: 2, ..head.clone() },
            Head { hash: RecordHash::new([8; 48]), ..head.clone() },
            Head { updated: UnixTime(6), ..head.clone() },
        ];
        for head in changed {
            assert!(SignedHead { head, ..signed.clone() }.verify(&keys).is_err());
        }
        assert!(SignedHead::sign(head.clone(), &other).unwrap().verify(&keys).is_err());
        // A token of the same key that is no head.
        let token = key.sign_jwt(&Map::new(), &serde_json::json!({"chain": head.chain})).unwrap();
        assert!(SignedHead { head, signature: token }.verify(&keys).is_err());
    }
}
