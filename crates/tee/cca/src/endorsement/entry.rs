//! The JSON of endorsements, as text and numbers. What they mean, and whether they can be, is for
//! [`super::value`] to say.

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// An attestation key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TrustAnchorEntry {
    pub(super) implementation_id: String,
    pub(super) instance_id: String,
    pub(super) pkey: JwkEntry,
}

/// A JWK of an elliptic curve key. A private key (`d`) is refused, as any other member is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JwkEntry {
    pub(super) kty: String,
    pub(super) crv: String,
    pub(super) x: String,
    pub(super) y: String,
}

/// Reference values of a platform.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PlatformEntry {
    pub(super) implementation_id: String,
    pub(super) sw_components: Vec<ComponentEntry>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) platform_configuration: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) platform_configuration_mask: Option<String>,
}

/// A piece of firmware.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ComponentEntry {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) component_type: Option<String>,
    pub(super) measurement_value: MeasurementEntry,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) signer_id: String,
}

/// Reference values of a realm.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RealmEntry {
    pub(super) initial_measurement: MeasurementEntry,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) extensible_measurements: Option<Vec<Option<MeasurementEntry>>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) personalization_value: Option<String>,
    /// In the JSON stores only: how the realm's key is hashed in the platform token.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) rak_hash_algorithm: Option<String>,
}

/// A measurement: a digest whose algorithm is not stated, as text, or several digests.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum MeasurementEntry {
    Plain(String),
    Digests(Vec<DigestEntry>),
}

/// A digest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DigestEntry {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) algorithm: Option<String>,
    pub(super) value: String,
}

/// The most digests of one measurement: one for each algorithm that is known, and one for none.
const MAX_DIGESTS: usize = 16;

/// A member that may be left out, but is not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for MeasurementEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MeasurementVisitor)
    }
}

struct MeasurementVisitor;

impl<'de> Visitor<'de> for MeasurementVisitor {
    type Value = MeasurementEntry;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hexadecimal text, or an array of {\"algorithm\",\"value\"}")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(MeasurementEntry::Plain(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut digests = Vec::new();
        while let Some(digest) = access.next_element::<DigestEntry>()? {
            if digests.len() == MAX_DIGESTS {
                return Err(A::Error::custom(format!("more than {MAX_DIGESTS} digests of one measurement")));
            }
            digests.push(digest);
        }
        Ok(MeasurementEntry::Digests(digests))
    }
}
