//! The claims of a realm token.

use assay_cbor::Value;
use assay_types::HashAlgorithm;

use crate::profile::RealmProfile;

/// The claims of a realm token, read by its profile (draft-ffm-rats-cca-token-04, 4.8).
#[derive(Clone, Debug, PartialEq)]
pub struct RealmClaims {
    /// 265: the profile.
    pub profile: &'static RealmProfile,
    /// 10: the challenge of the relying party.
    pub challenge: [u8; 64],
    /// 44235: the personalization value (RPV), which the host sets.
    pub personalization_value: [u8; 64],
    /// 44236: the algorithm of the measurements.
    pub hash_algorithm: HashAlgorithm,
    /// 44237: the realm attestation key (RAK) as it came: a point on P-384 of 97 bytes, or an encoded
    /// COSE_Key. `None` in the direct model only.
    pub public_key: Option<Vec<u8>>,
    /// 44240: the algorithm of the RAK's hash in the platform token. `None` in the direct model only.
    pub public_key_hash_algorithm: Option<HashAlgorithm>,
    /// 44238: the initial measurement (RIM), 32, 48 or 64 bytes.
    pub initial_measurement: Vec<u8>,
    /// 44239: the extensible measurements (REM), 32, 48 or 64 bytes each, all of one length.
    pub extensible_measurements: [Vec<u8>; 4],
    /// 256: which realm; the first byte is 01.
    pub instance_id: Option<[u8; 33]>,
    /// 44243: whether the realm has a memory encryption context of its own.
    pub mec_policy: Option<MecPolicy>,
    /// 44244: the policy on live firmware activation, 0 or 1.
    pub lfa_policy: Option<u64>,
    /// 44257: the hash of the token of assigned devices.
    pub devices_token_hash: Option<Vec<u8>>,
    /// Claims that no profile has, as they came.
    pub unknown: Vec<(Value, Value)>,
}

/// Whether a realm's memory is encrypted for it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MecPolicy {
    /// 0: with other realms.
    Shared,
    /// 1: for this realm.
    Private,
}

impl MecPolicy {
    /// Its name in claims.
    pub const fn as_str(self) -> &'static str {
        match self {
            MecPolicy::Shared => "shared",
            MecPolicy::Private => "private",
        }
    }
}
