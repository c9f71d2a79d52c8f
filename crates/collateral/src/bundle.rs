//! Bundles: collateral as a signed file, for sites that no network reaches.
//!
//! A bundle is a COSE_Sign1 (RFC 9052) of an operator, ES256 or ES384, with the content type
//! [`CONTENT_TYPE`] and the payload
//!
//! ```text
//! {"format": "assay-collateral-bundle-v1", "created": seconds,
//!  "items": [{"request": CollateralRequest, "bytes": base64, "fetched": seconds}]}
//! ```
//! Times are seconds since 1970-01-01T00:00:00Z, base64 is the standard one with padding. The signature
//! says who put the bundle together. What is in it is signed by its vendor, and inspected when it is
//! taken over.

use assay_cbor::{Limits, Value, read};
use assay_cose::{PublicKey, Sign1, header, sign1};
use assay_types::{Coded, CollateralRequest, Fault, UnixTime};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bundle_signer::BundleSigner;

/// The content type in the protected header.
pub const CONTENT_TYPE: &str = "application/vnd.assay.collateral-bundle+json";
/// The format that the payload names.
const FORMAT: &str = "assay-collateral-bundle-v1";
/// The longest bundle, in bytes (32 MiB).
pub const MAX_BUNDLE_LEN: usize = 32 << 20;
/// The most pieces in a bundle.
pub const MAX_BUNDLE_ITEMS: usize = 4096;

/// A piece of collateral with what it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleItem {
    /// What it answers.
    pub request: CollateralRequest,
    /// The piece, as a cache keeps it.
    pub bytes: Bytes,
    /// When it was fetched.
    pub fetched: UnixTime,
}

/// What a bundle holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// When it was put together.
    pub created: UnixTime,
    /// The pieces.
    pub items: Vec<BundleItem>,
}

/// Why bytes are no bundle, or none to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It is not a COSE_Sign1 with the content type of bundles, or too large.
    #[error("not a collateral bundle: {why}")]
    Form {
        /// Why.
        why: String,
    },
    /// Its signature is none of those that are believed.
    #[error("the bundle's signature is not believed: {why}")]
    Signature {
        /// Why.
        why: String,
    },
    /// Its payload is not that of a bundle.
    #[error("the bundle's content: {why}")]
    Content {
        /// Why, and where.
        why: String,
    },
    /// The key cannot sign bundles.
    #[error("the key for bundles: {why}")]
    Key {
        /// Why. The key is not shown.
        why: String,
    },
}

impl Coded for BundleError {
    fn code(&self) -> &'static str {
        match self {
            BundleError::Form { .. } => "COL-008",
            BundleError::Signature { .. } => "COL-009",
            BundleError::Content { .. } => "COL-010",
            BundleError::Key { .. } => "COL-011",
        }
    }

    fn fault(&self) -> Fault {
        Fault::BadRequest
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    format: String,
    created: UnixTime,
    items: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    request: CollateralRequest,
    bytes: String,
    fetched: UnixTime,
}

impl Bundle {
    /// The signed bundle.
    ///
    /// # Errors
    /// [`BundleError::Content`] when it has too many pieces or becomes too large; [`BundleError::Key`] when
    /// the signature cannot be made.
    pub fn sign(&self, signer: &BundleSigner) -> Result<Vec<u8>, BundleError> {
        let content = |why| BundleError::Content { why };
        if self.items.len() > MAX_BUNDLE_ITEMS {
            return Err(content(format!("{} pieces; at most {MAX_BUNDLE_ITEMS}", self.items.len())));
        }
        let item = |item: &BundleItem| Item {
            request: item.request.clone(),
            bytes: BASE64_STANDARD.encode(&item.bytes),
            fetched: item.fetched,
        };
        let payload = Payload {
            format: FORMAT.to_owned(),
            created: self.created,
            items: self.items.iter().map(item).collect(),
        };
        let payload = serde_json::to_vec(&payload).map_err(|error| content(error.to_string()))?;
        let protected = vec![
            (header::ALG.into(), signer.algorithm().id().into()),
            (header::CONTENT_TYPE.into(), CONTENT_TYPE.into()),
            (header::KID.into(), signer.public_key().fingerprint().into()),
        ];
        let encoded = sign1(protected, Vec::new(), &payload, |message| signer.sign(message))?;
        if encoded.len() > MAX_BUNDLE_LEN {
            return Err(content(format!("{} bytes; at most {MAX_BUNDLE_LEN}", encoded.len())));
        }
        Ok(encoded)
    }

    /// The content of a bundle that one of `signers` signed.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn open(encoded: &[u8], signers: &[PublicKey]) -> Result<Self, BundleError> {
        let message = message(encoded)?;
        let wrong = |why| BundleError::Signature { why };
        let algorithm = message.algorithm().map_err(|error| wrong(error.to_string()))?;
        let fit: Vec<&PublicKey> = signers.iter().filter(|key| key.curve() == algorithm.curve()).collect();
        if fit.is_empty() {
            return Err(wrong(format!("it is made with {algorithm}, and no signer has a key for that")));
        }
        if !fit.iter().any(|key| message.verify(key).is_ok()) {
            let named = message.protected().get(header::KID).and_then(Value::as_bytes);
            let named = named.map_or_else(String::new, |kid| {
                format!("; it names the key {}", hex::encode(kid.get(..32).unwrap_or(kid)))
            });
            return Err(wrong(format!("it is not by any of the {} signers{named}", signers.len())));
        }
        content(message.payload())
    }

    /// The content of a bundle, whoever signed it: to be shown, not to be used.
    ///
    /// # Errors
    /// [`BundleError::Form`], [`BundleError::Content`].
    pub fn read_unverified(encoded: &[u8]) -> Result<Self, BundleError> {
        content(message(encoded)?.payload())
    }
}

/// Whether the bytes begin like a bundle does: with the CBOR tag of a COSE_Sign1. JSON does not.
pub fn looks_like_bundle(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0xd2)
}

fn message(encoded: &[u8]) -> Result<Sign1, BundleError> {
    let form = |why: String| BundleError::Form { why };
    let limits = Limits { bytes: MAX_BUNDLE_LEN, depth: 8, items: 256 };
    let value = read(encoded, limits).map_err(|error| form(error.to_string()))?;
    let message = Sign1::from_value(&value).map_err(|error| form(error.to_string()))?;
    match message.protected().get(header::CONTENT_TYPE).and_then(Value::as_text) {
        Some(CONTENT_TYPE) => Ok(message),
        Some(other) => {
            let other: String = other.chars().take(64).collect();
            Err(form(format!("its content type is {other:?}; expected {CONTENT_TYPE:?}")))
        }
        None => Err(form(format!("it has no content type; expected {CONTENT_TYPE:?}"))),
    }
}

fn content(payload: &[u8]) -> Result<Bundle, BundleError> {
    let wrong = |why: String| BundleError::Content { why };
    let payload: Payload = serde_json::from_slice(payload).map_err(|error| wrong(error.to_string()))?;
    if payload.format != FORMAT {
        let found: String = payload.format.chars().take(64).collect();
        return Err(wrong(format!("its format is {found:?}; expected {FORMAT:?}")));
    }
    if payload.items.len() > MAX_BUNDLE_ITEMS {
        return Err(wrong(format!("{} pieces; at most {MAX_BUNDLE_ITEMS}", payload.items.len())));
    }
    let item = |(index, item): (usize, Item)| {
        let bytes = BASE64_STANDARD.decode(&item.bytes);
        let bytes = bytes.map_err(|error| wrong(format!("items[{index}].bytes: not base64: {error}")))?;
        Ok(BundleItem { request: item.request, bytes: bytes.into(), fetched: item.fetched })
    };
    let items = payload.items.into_iter().enumerate().map(item).collect::<Result<_, BundleError>>()?;
    Ok(Bundle { created: payload.created, items })
}
