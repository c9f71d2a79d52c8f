//! Endorsements of CCA platforms and realms: attestation keys and reference values, whatever document
//! they came in, and their form among the stored reference values.
//!
//! | endorsement | group of names | value |
//! |---|---|---|
//! | [`TrustAnchor`] | `cca/trust-anchor/<implementation id>/<instance id>` | `{"implementation-id","instance-id","pkey"}` |
//! | [`PlatformReference`] | `cca/platform/<implementation id>` | `{"implementation-id","sw-components",…}` |
//! | [`RealmReference`] | `cca/realm/<initial measurement>` | `{"initial-measurement",…}` |
//!
//! Identifiers are in lower case hexadecimal. A name is its group, `#`, and where it came from
//! ([`Origin`]), so that a document that is registered again replaces what it said before and nothing
//! else. Each value of a group is a set that evidence may match; sets are never mixed. A realm whose
//! initial measurement is given by several algorithms is in one group for each.
//!
//! They come from a CoRIM that follows one of Arm's profiles ([`of_corim`]) or from the JSON stores of
//! rust-ccatoken and Trustee ([`json_store`]); [`read_file`] takes either. [`Endorsement::to_value`] and
//! [`Endorsement::from_value`] are the form in which they are stored.

mod corim;
mod entry;
mod error;
mod file;
pub mod json_store;
mod names;
mod value;

pub use corim::{
    PLATFORM_PROFILE, PLATFORM_PROFILE_04, PROFILE_CHECKS, ProfileProblem, REALM_PROFILE, REALM_PROFILE_04,
    of_corim,
};
pub use error::{EndorsementError, EntryProblem};
pub use file::{EndorsementFile, SignatureState, read_file};
pub use names::{NamedEndorsement, NotAnOrigin};

use assay_cose::PublicKey;
use assay_types::HashAlgorithm;

/// What endorses something: one set of one document.
#[derive(Clone, Debug, PartialEq)]
pub enum Endorsement {
    /// An attestation key.
    TrustAnchor(TrustAnchor),
    /// Reference values for a platform.
    Platform(PlatformReference),
    /// Reference values for a realm.
    Realm(RealmReference),
}

/// Where an endorsement came from: the end of its name. 1 to 200 printable ASCII characters without
/// space: `<CoRIM id>/<tag id>`, or `json/<16 hexadecimal digits>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

/// An attestation key (CPAK) of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The platform's implementation.
    pub implementation_id: [u8; 32],
    /// The platform itself; the first byte is 01.
    pub instance_id: [u8; 33],
    /// The key that signs its platform tokens.
    pub key: PublicKey,
}

/// A set of reference values for the platforms of one implementation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformReference {
    /// The implementation.
    pub implementation_id: [u8; 32],
    /// The firmware. Components of one name are alternatives to each other.
    pub components: Vec<ComponentReference>,
    /// The configuration.
    pub config: Option<ConfigReference>,
}

/// A piece of firmware as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentReference {
    /// Its role; anything when `None`.
    pub name: Option<String>,
    /// Its version; anything when `None`.
    pub version: Option<String>,
    /// Its measurement, by one or more algorithms.
    pub measurement: Measurement,
    /// Who signed it.
    pub signer_id: Vec<u8>,
}

/// A configuration as it should be: evidence must have the length of `value`, and equal it in the bits
/// that `mask` has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigReference {
    /// The value.
    pub value: Vec<u8>,
    /// The mask, of the length of `value`; all bits count when `None`.
    pub mask: Option<Vec<u8>>,
}

/// A set of reference values for one realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmReference {
    /// The initial measurement.
    pub initial_measurement: Measurement,
    /// The extensible measurements; anything where `None`.
    pub extensible_measurements: [Option<Measurement>; 4],
    /// The personalization value; anything when `None`.
    pub personalization_value: Option<[u8; 64]>,
}

/// A measurement as it should be: one digest or more, each of another algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement(pub Vec<MeasuredDigest>);

/// A digest of a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredDigest {
    /// Its algorithm; `None` where the document names none that is known here. It is compared where
    /// the evidence's algorithm is known to fit its length, else value and length decide: attesters
    /// state SHA-256 over measurements of 64 bytes.
    pub algorithm: Option<HashAlgorithm>,
    /// 32, 48 or 64 bytes.
    pub value: Vec<u8>,
}

/// The group of the attestation keys of one platform.
pub fn trust_anchor_group(implementation_id: &[u8; 32], instance_id: &[u8; 33]) -> String {
    format!("cca/trust-anchor/{}/{}", hex::encode(implementation_id), hex::encode(instance_id))
}

/// The group of the reference values of one implementation.
pub fn platform_group(implementation_id: &[u8; 32]) -> String {
    format!("cca/platform/{}", hex::encode(implementation_id))
}

/// The group of the reference values of realms with this initial measurement.
pub fn realm_group(initial_measurement: &[u8]) -> String {
    format!("cca/realm/{}", hex::encode(initial_measurement))
}
