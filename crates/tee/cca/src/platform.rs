//! The claims of a platform token.

use assay_cbor::Value;
use assay_types::HashAlgorithm;

use crate::lifecycle::Lifecycle;
use crate::profile::PlatformProfile;

/// The claims of a platform token, read by its profile (draft-ffm-rats-cca-token-04, 4.2 to 4.7).
#[derive(Clone, Debug, PartialEq)]
pub struct PlatformClaims {
    /// 265: the profile.
    pub profile: &'static PlatformProfile,
    /// 10: the challenge, 32, 48 or 64 bytes: the binding of the realm, or the challenge of the relying
    /// party, by profile.
    pub challenge: Option<Vec<u8>>,
    /// 2408: the binding of the realm in profiles of 2026, 32, 48 or 64 bytes.
    pub workload_binding: Option<Vec<u8>>,
    /// 2396: which implementation.
    pub implementation_id: [u8; 32],
    /// 256: which instance; the first byte is 01.
    pub instance_id: [u8; 33],
    /// 2401: the configuration, in the implementation's own form.
    pub config: Vec<u8>,
    /// 2395: the lifecycle as it stands in the claim.
    pub lifecycle: u16,
    /// What `lifecycle` means.
    pub lifecycle_state: Lifecycle,
    /// 2399: the firmware; one component or more.
    pub components: Vec<SoftwareComponent>,
    /// 2402: the algorithm of the measurements.
    pub hash_algorithm: HashAlgorithm,
    /// 2400: where to find a verifier.
    pub verification_service: Option<String>,
    /// 2394: the caller of the root of trust, always 1.
    pub client_id: Option<i64>,
    /// 2403: a record of production.
    pub manufacturing_config: Option<Vec<u8>>,
    /// 2404: extensions of the platform by assigned devices, as they came.
    pub extension: Option<Value>,
    /// 2405: the keys of trusted boot, as they came.
    pub tbb_rotpk: Option<Value>,
    /// 2406: the signers of peers.
    pub peer_signers: Vec<Vec<u8>>,
    /// 2407: the binding of a discrete TPM.
    pub tpm_binding: Option<Vec<u8>>,
    /// Claims that no profile has, as they came.
    pub unknown: Vec<(Value, Value)>,
}

/// A piece of firmware that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftwareComponent {
    /// 1: its role, such as `BL2`.
    pub component_type: Option<String>,
    /// 2: its measurement, 32, 48 or 64 bytes.
    pub measurement: Vec<u8>,
    /// 4: its version.
    pub version: Option<String>,
    /// 5: who signed it, 32, 48 or 64 bytes.
    pub signer_id: Vec<u8>,
    /// 6: the algorithm of its measurement, where it is not the token's.
    pub hash_algorithm: Option<HashAlgorithm>,
    /// 7: whether it can be exchanged while the platform runs.
    pub live_activation: Option<bool>,
    /// 8: who signed it besides.
    pub counter_signers: Vec<Vec<u8>>,
    /// Members that no profile has, as they came.
    pub unknown: Vec<(Value, Value)>,
}

impl PlatformClaims {
    /// The value of the claim that binds the realm; `None` where it is absent.
    pub fn binding(&self) -> Option<&[u8]> {
        match self.profile.binding {
            crate::profile::BindingClaim::Challenge => self.challenge.as_deref(),
            crate::profile::BindingClaim::Workload => self.workload_binding.as_deref(),
        }
    }
}
