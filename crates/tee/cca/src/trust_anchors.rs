//! Finding the key of a platform: among stored endorsements, among files given by hand, among an
//! emulator's anchors.

use std::sync::Arc;

use assay_cose::PublicKey;
use assay_types::{
    CollateralItem, CollateralKind, CollateralOrigin, CollateralRequest, CollateralSet, CollateralUse,
    Digest, UnixTime, Validity, Vendor,
};
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::Value;

use crate::PlatformClaims;
use crate::endorsement::{self, Endorsement, SignatureState, TrustAnchor, trust_anchor_group};

/// The longest stored trust anchor, in bytes.
const MAX_VALUE_LEN: usize = 64 << 10;

/// Trust anchors of an emulator, admitted by a danger option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmulatedAnchors(Vec<TrustAnchor>);

/// An entry of an anchors file that is not what the emulator writes.
#[derive(Debug, thiserror::Error)]
#[error("not the trust anchors of emulated CCA platforms: {0}")]
pub struct AnchorsError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    trust_anchors: Vec<Value>,
}

impl EmulatedAnchors {
    /// Reads the entry `cca` of an anchors file: `{"trust-anchors": [{"implementation-id",
    /// "instance-id", "pkey"}]}`, identifiers in hexadecimal, the key as JWK.
    ///
    /// # Errors
    /// [`AnchorsError`].
    pub fn read(entry: &Value) -> Result<Self, AnchorsError> {
        let entry = Entry::deserialize(entry).map_err(|error| AnchorsError(error.to_string()))?;
        let anchor = |value: &Value| match Endorsement::from_value(value) {
            Ok(Endorsement::TrustAnchor(anchor)) => Ok(anchor),
            Ok(_) => Err(AnchorsError("an entry is no trust anchor".to_owned())),
            Err(error) => Err(AnchorsError(error.to_string())),
        };
        entry.trust_anchors.iter().map(anchor).collect::<Result<_, _>>().map(EmulatedAnchors)
    }

    pub(crate) fn has(&self, key: &PublicKey) -> bool {
        self.0.iter().any(|anchor| anchor.key == *key)
    }
}

/// What a verifier asks its caller for: the stored endorsements of this platform.
pub(crate) fn request(platform: &PlatformClaims) -> CollateralRequest {
    let group = trust_anchor_group(&platform.implementation_id, &platform.instance_id);
    CollateralRequest {
        vendor: Vendor::Arm,
        kind: CollateralKind::TrustAnchors,
        description: format!("attestation key of the CCA platform {group}"),
        cache_key: group,
        offline_paths: Vec::new(),
        service_path: String::new(),
        chain_headers: Vec::new(),
        required: false,
        max_len: MAX_VALUE_LEN,
    }
}

/// A key that may be the platform's.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) key: PublicKey,
    pub(crate) emulated: bool,
    pub(crate) used: CollateralUse,
}

/// All that was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    /// Collateral that cannot be read, or is not valid now: where it came from, and why.
    pub(crate) unusable: Vec<String>,
    /// Files given by hand in which a key was found, with what is known of their signatures.
    pub(crate) by_hand: Vec<String>,
    /// Platforms that there are keys for, for the error when none fits.
    pub(crate) others: usize,
}

/// What was read out of an item. Stored ones are kept by their digest: reading a key costs a good part of
/// a verification.
pub(crate) enum Read {
    /// A stored trust anchor. Whoever brings it knows that it is in force.
    Stored(Box<TrustAnchor>),
    /// The trust anchors of a document.
    Document { anchors: Vec<TrustAnchor>, validity: Validity, signature: String },
    /// A bare key, which names no platform.
    Key(PublicKey),
}

impl Read {
    fn anchors(&self) -> &[TrustAnchor] {
        match self {
            Read::Stored(anchor) => std::slice::from_ref(anchor),
            Read::Document { anchors, .. } => anchors,
            Read::Key(_) => &[],
        }
    }
}

pub(crate) type ReadCache = Cache<[u8; 32], Arc<Read>>;

/// Searches `collateral` and `emulated` for keys of this platform that are in force at the time `now`.
pub(crate) fn find(
    platform: &PlatformClaims,
    collateral: &CollateralSet,
    emulated: &EmulatedAnchors,
    cache: &ReadCache,
    now: UnixTime,
) -> Found {
    let mut found = Found::default();
    let ours = |anchor: &&TrustAnchor| {
        anchor.implementation_id == platform.implementation_id && anchor.instance_id == platform.instance_id
    };
    for item in &collateral.items {
        let digest = Digest::sha256(&item.bytes);
        let read = match read(item, &digest, cache) {
            Ok(Some(read)) => read,
            Ok(None) => continue,
            Err(why) => {
                found.unusable.push(format!("{}: {why}", origin(&item.origin)));
                continue;
            }
        };
        let (validity, by_hand) = match &*read {
            Read::Stored(_) => (Validity::ALWAYS, None),
            Read::Document { validity, signature, .. } => (*validity, Some(signature.as_str())),
            Read::Key(_) => (Validity::ALWAYS, Some("a bare key, for whatever platform")),
        };
        if !validity.contains(now) {
            found.unusable.push(format!("{}: it is valid {validity}", origin(&item.origin)));
            continue;
        }
        let mut keys: Vec<&PublicKey> =
            read.anchors().iter().filter(ours).map(|anchor| &anchor.key).collect();
        if let Read::Key(key) = &*read {
            keys.push(key);
        }
        match by_hand {
            _ if keys.is_empty() => found.others += read.anchors().len(),
            Some(how) => found.by_hand.push(format!("{} ({how})", origin(&item.origin))),
            None => {}
        }
        found.candidates.extend(keys.into_iter().map(|key| {
            let used = used(platform, key, digest.clone(), item.origin.clone(), validity);
            Candidate { key: key.clone(), emulated: emulated.has(key), used }
        }));
    }
    found.candidates.extend(emulated.0.iter().filter(ours).map(|anchor| {
        let digest = Digest::sha256(anchor.key.point());
        let used = used(platform, &anchor.key, digest, CollateralOrigin::Bundled, Validity::ALWAYS);
        Candidate { key: anchor.key.clone(), emulated: true, used }
    }));
    found
}

fn used(
    platform: &PlatformClaims,
    key: &PublicKey,
    digest: Digest,
    origin: CollateralOrigin,
    validity: Validity,
) -> CollateralUse {
    let name = format!("CPAK {} of platform {}", key.curve(), hex::encode(platform.instance_id));
    CollateralUse { name, digest, origin, validity }
}

fn origin(origin: &CollateralOrigin) -> String {
    match origin {
        CollateralOrigin::File(name) | CollateralOrigin::ReferenceValue(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

/// Reads an item: `None` for what is not for this verifier.
fn read(item: &CollateralItem, digest: &Digest, cache: &ReadCache) -> Result<Option<Arc<Read>>, String> {
    if !matches!(item.kind, CollateralKind::TrustAnchors | CollateralKind::Unclassified) {
        return Ok(None);
    }
    if item.kind == CollateralKind::Unclassified {
        return file(&item.bytes).map(|read| Some(Arc::new(read)));
    }
    let key: Option<[u8; 32]> = digest.as_bytes().try_into().ok();
    if let Some(read) = key.and_then(|key| cache.get(&key)) {
        return Ok(Some(read));
    }
    let read = Arc::new(stored(&item.bytes)?);
    if let Some(key) = key {
        cache.insert(key, Arc::clone(&read));
    }
    Ok(Some(read))
}

/// A stored value.
fn stored(bytes: &[u8]) -> Result<Read, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match Endorsement::from_value(&value) {
        Ok(Endorsement::TrustAnchor(anchor)) => Ok(Read::Stored(Box::new(anchor))),
        Ok(_) => Err("it is no trust anchor".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A file: a CoRIM, a JSON store, or a public key as JWK or PEM.
fn file(bytes: &[u8]) -> Result<Read, String> {
    if let Some(key) = bare_key(bytes) {
        return key.map(Read::Key);
    }
    let file = endorsement::read_file(bytes).map_err(|error| error.to_string())?;
    let signature = match file.signature {
        SignatureState::Unsigned => "nobody signed it".to_owned(),
        SignatureState::Unchecked { signer } => format!("signed by {signer:?}, which was not checked"),
    };
    let anchors = file.endorsements.into_iter().filter_map(|named| match named.endorsement {
        Endorsement::TrustAnchor(anchor) => Some(anchor),
        Endorsement::Platform(_) | Endorsement::Realm(_) => None,
    });
    Ok(Read::Document { anchors: anchors.collect(), validity: file.validity, signature })
}

/// The attestation keys in a file: a CoRIM, a JSON store, or a public key as JWK or PEM.
///
/// # Errors
/// Why it cannot be read.
pub fn keys_in(bytes: &[u8]) -> Result<Vec<PublicKey>, String> {
    Ok(match file(bytes)? {
        Read::Key(key) => vec![key],
        other => other.anchors().iter().map(|anchor| anchor.key.clone()).collect(),
    })
}

fn bare_key(bytes: &[u8]) -> Option<Result<PublicKey, String>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if text.starts_with("-----BEGIN PUBLIC KEY-----") {
        return Some(PublicKey::from_pem(text).map_err(|error| error.to_string()));
    }
    let jwk: Value = serde_json::from_str(text).ok()?;
    jwk.get("kty")?;
    Some(PublicKey::from_jwk(&jwk).map_err(|error| error.to_string()))
}
