//! A token and its parts.

use assay_cbor::Value;
use serde_json::{Value as Json, json};

use super::members::Members;

/// The collection of the two tokens before it is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection {
    /// The tag; none leaves the map bare.
    pub tag: Option<u64>,
    /// The members: 44234 the platform token, 44241 the realm token.
    pub members: Members,
}

/// A token and its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct CcaEvidence {
    /// The whole token.
    pub token: Vec<u8>,
    /// The platform token, a COSE_Sign1.
    pub platform_token: Vec<u8>,
    /// The realm token, a COSE_Sign1; in the direct model the encoded claims.
    pub realm_token: Vec<u8>,
    /// The claims of the platform as they were set, before edits of bytes.
    pub platform_claims: Members,
    /// The claims of the realm as they were set, before edits of bytes.
    pub realm_claims: Members,
}

impl Collection {
    /// The encoded collection.
    pub fn encode(&self) -> Vec<u8> {
        let map = Value::Map(self.members.0.clone());
        match self.tag {
            Some(tag) => Value::tagged(tag, map).encode(),
            None => map.encode(),
        }
    }
}

impl CcaEvidence {
    /// The JSON of the wire: `{"token": [byte, …]}`.
    pub fn to_json(&self) -> Json {
        json!({ "token": self.token })
    }
}
