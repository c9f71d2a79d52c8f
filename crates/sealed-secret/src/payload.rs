//! What a sealed secret says, version 0.1.0.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use assay_types::{ResourcePath, ResourceUri};

use crate::error::shown;
use crate::{SealedSecretError, VERSION, unambiguous};

/// The longest name of a secret or key, in bytes.
const MAX_NAME_BYTES: usize = ResourceUri::MAX_LEN;

/// The longest name of a provider, in bytes.
const MAX_PROVIDER_BYTES: usize = 64;

/// The longest encrypted data key, in bytes. Key management services wrap in a few hundred.
const MAX_ENCRYPTED_KEY_BYTES: usize = 16 << 10;

/// Where a secret or a key is kept, by the name on the wire. `kbs` is the key broker service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Provider(String);

impl Provider {
    /// The key broker service.
    pub fn kbs() -> Self {
        Provider("kbs".to_owned())
    }

    /// The name on the wire, at most 64 bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn must_be_kbs(&self, of: &'static str) -> Result<(), SealedSecretError> {
        if self.0 == "kbs" {
            return Ok(());
        }
        Err(SealedSecretError::Provider { of, found: shown(&self.0) })
    }
}

/// How the secret in an envelope is encrypted, under a key of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrapType {
    /// AES-256-GCM: iv of 12 bytes, ciphertext followed by the tag of 16.
    A256Gcm,
    /// AES-256-CTR: initial counter block of 16 bytes, ciphertext. Nothing authenticates it.
    A256Ctr,
}

impl WrapType {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            WrapType::A256Gcm => "A256GCM",
            WrapType::A256Ctr => "A256CTR",
        }
    }

    /// The length of the iv in bytes.
    pub const fn iv_len(self) -> usize {
        match self {
            WrapType::A256Gcm => 12,
            WrapType::A256Ctr => 16,
        }
    }
}

/// A secret that is kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Its name there. Of the provider `kbs`: the URI of a resource, or its path alone, `a/b/c`.
    pub name: String,
    /// Where it is kept.
    pub provider: Provider,
    /// What the provider needs to be asked; `kbs` needs nothing.
    pub provider_settings: Map<String, Value>,
    /// Anything; what is not there is empty.
    pub annotations: Map<String, Value>,
}

/// A secret that is encrypted in the text itself, under a data key that is encrypted beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The name of the key that encrypts the data key. Of the provider `kbs`: the URI of a resource.
    pub key_id: String,
    /// The data key, encrypted as its provider does.
    pub encrypted_key: Vec<u8>,
    /// The secret, encrypted under the data key.
    pub encrypted_data: Vec<u8>,
    /// How the secret is encrypted.
    pub wrap_type: WrapType,
    /// [`WrapType::iv_len`] bytes.
    pub iv: Vec<u8>,
    /// Who decrypts the data key.
    pub provider: Provider,
    /// What the provider needs to be asked; `kbs` needs nothing.
    pub provider_settings: Map<String, Value>,
    /// Anything; what is not there is empty.
    pub annotations: Map<String, Value>,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("key_id", &self.key_id)
            .field("provider", &self.provider)
            .field("wrap_type", &self.wrap_type)
            .field("encrypted_data", &format_args!("{} bytes", self.encrypted_data.len()))
            .finish_non_exhaustive()
    }
}

/// What a sealed secret says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Where the secret is kept.
    Vault(Vault),
    /// The secret, encrypted.
    Envelope(Envelope),
}

/// The members that say what the others mean.
#[derive(Deserialize)]
struct Head {
    version: String,
    #[serde(rename = "type")]
    kind: String,
}

/// A vault on the wire, its members in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireVault {
    version: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    provider: Provider,
    provider_settings: Map<String, Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

/// An envelope on the wire, its members in the order in which they are written. Bytes are standard base64
/// with padding.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEnvelope {
    version: String,
    #[serde(rename = "type")]
    kind: String,
    key_id: String,
    encrypted_key: String,
    encrypted_data: String,
    wrap_type: String,
    iv: String,
    provider: Provider,
    provider_settings: Map<String, Value>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

fn unreadable(error: &serde_json::Error) -> SealedSecretError {
    SealedSecretError::Payload { why: shown(&error.to_string()) }
}

fn bounded(part: &'static str, found: usize, max: usize) -> Result<(), SealedSecretError> {
    if found > max { Err(SealedSecretError::TooLarge { part, found, max }) } else { Ok(()) }
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, SealedSecretError> {
    BASE64_STANDARD.decode(text).map_err(|_| SealedSecretError::Encoding {
        part,
        expected: "standard base64 with padding",
        why: "it has other characters (- and _ are base64url's), or its padding (=) is missing",
    })
}

impl Payload {
    /// Reads the JSON of a payload. All sizes are bounded by that of the text, and those of names closer.
    pub(crate) fn read(json: &[u8]) -> Result<Self, SealedSecretError> {
        unambiguous::check(json).map_err(|why| SealedSecretError::Payload { why })?;
        let head: Head = serde_json::from_slice(json).map_err(|e| unreadable(&e))?;
        if head.version != VERSION {
            return Err(SealedSecretError::Version { found: shown(&head.version) });
        }
        match head.kind.as_str() {
            "vault" => {
                let wire: WireVault = serde_json::from_slice(json).map_err(|e| unreadable(&e))?;
                bounded("name", wire.name.len(), MAX_NAME_BYTES)?;
                bounded("provider", wire.provider.0.len(), MAX_PROVIDER_BYTES)?;
                let WireVault { name, provider, provider_settings, annotations, .. } = wire;
                Ok(Payload::Vault(Vault { name, provider, provider_settings, annotations }))
            }
            "envelope" => {
                let wire: WireEnvelope = serde_json::from_slice(json).map_err(|e| unreadable(&e))?;
                Envelope::from_wire(wire).map(Payload::Envelope)
            }
            other => Err(SealedSecretError::Type { found: shown(other) }),
        }
    }

    /// The JSON, without white space.
    pub(crate) fn write(&self) -> Result<Vec<u8>, SealedSecretError> {
        let (version, wrote) = (VERSION.to_owned(), |e: serde_json::Error| unreadable(&e));
        match self.clone() {
            Payload::Vault(Vault { name, provider, provider_settings, annotations }) => {
                let kind = "vault".to_owned();
                let wire = WireVault { version, kind, name, provider, provider_settings, annotations };
                serde_json::to_vec(&wire).map_err(wrote)
            }
            Payload::Envelope(envelope) => serde_json::to_vec(&WireEnvelope {
                version,
                kind: "envelope".to_owned(),
                key_id: envelope.key_id,
                encrypted_key: BASE64_STANDARD.encode(envelope.encrypted_key),
                encrypted_data: BASE64_STANDARD.encode(envelope.encrypted_data),
                wrap_type: envelope.wrap_type.as_str().to_owned(),
                iv: BASE64_STANDARD.encode(envelope.iv),
                provider: envelope.provider,
                provider_settings: envelope.provider_settings,
                annotations: envelope.annotations,
            })
            .map_err(wrote),
        }
    }
}

impl Vault {
    /// What to ask the key broker for: `name` is a URI, or the path `a/b/c` alone.
    ///
    /// # Errors
    /// [`SealedSecretError::Provider`] when it is kept elsewhere, [`SealedSecretError::ResourceUri`],
    /// [`SealedSecretError::ResourcePath`] or [`SealedSecretError::NotASecret`] when the name is none.
    pub fn resource(&self) -> Result<ResourceUri, SealedSecretError> {
        self.provider.must_be_kbs("vault")?;
        if self.name.contains("://") {
            return uri("name", &self.name);
        }
        let path: ResourcePath = self
            .name
            .parse()
            .map_err(|why| SealedSecretError::ResourcePath { found: shown(&self.name), why })?;
        Ok(ResourceUri::of(&path))
    }
}

impl Envelope {
    fn from_wire(wire: WireEnvelope) -> Result<Self, SealedSecretError> {
        bounded("key_id", wire.key_id.len(), MAX_NAME_BYTES)?;
        bounded("provider", wire.provider.0.len(), MAX_PROVIDER_BYTES)?;
        let wrap_type = [WrapType::A256Gcm, WrapType::A256Ctr]
            .into_iter()
            .find(|known| known.as_str() == wire.wrap_type)
            .ok_or_else(|| SealedSecretError::WrapType { found: shown(&wire.wrap_type) })?;
        let encrypted_key = decode("encrypted_key", &wire.encrypted_key)?;
        bounded("encrypted_key", encrypted_key.len(), MAX_ENCRYPTED_KEY_BYTES)?;
        let iv = decode("iv", &wire.iv)?;
        if iv.len() != wrap_type.iv_len() {
            let (expected, found) = (wrap_type.iv_len(), iv.len());
            return Err(SealedSecretError::Length { what: "iv", expected, found });
        }
        Ok(Envelope {
            key_id: wire.key_id,
            encrypted_key,
            encrypted_data: decode("encrypted_data", &wire.encrypted_data)?,
            wrap_type,
            iv,
            provider: wire.provider,
            provider_settings: wire.provider_settings,
            annotations: wire.annotations,
        })
    }

    /// Which key-encryption key to ask the key broker for.
    ///
    /// # Errors
    /// [`SealedSecretError::Provider`] when another provider decrypts the data key,
    /// [`SealedSecretError::ResourceUri`] or [`SealedSecretError::NotASecret`] when `key_id` is no URI of a
    /// resource.
    pub fn key_resource(&self) -> Result<ResourceUri, SealedSecretError> {
        self.provider.must_be_kbs("envelope")?;
        uri("key_id", &self.key_id)
    }
}

fn uri(member: &'static str, text: &str) -> Result<ResourceUri, SealedSecretError> {
    let uri: ResourceUri =
        text.parse().map_err(|why| SealedSecretError::ResourceUri { member, found: shown(text), why })?;
    // The paths of other plugins are theirs to judge.
    if uri.plugin() == "resource" {
        uri.resource_path().map_err(|why| SealedSecretError::NotASecret {
            member,
            found: shown(text),
            why,
        })?;
    }
    Ok(uri)
}
