//! What an emulated platform and realm are made of unless something is set, and how their claims are
//! written.

use assay_cbor::Value;
use assay_tee_cca::{MecPolicy, PlatformClaims, RealmClaims, SoftwareComponent};
use assay_types::{Digest, HashAlgorithm};

use super::claim::{component, platform, realm};
use super::members::Members;

/// A piece of emulated firmware, the same for every seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Its role.
    pub component_type: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Whose key signed it: the signer id is the SHA-256 of `assay emulator signer <this>`.
    pub signer: &'static str,
}

/// The firmware of an emulated platform, in the order of its boot.
pub const COMPONENTS: [Firmware; 4] = [
    Firmware { component_type: "BL1", version: "1.2.0", signer: "silicon vendor" },
    Firmware { component_type: "BL2", version: "2.12.1", signer: "silicon vendor" },
    Firmware { component_type: "RMM", version: "0.9.0", signer: "realm manager" },
    Firmware { component_type: "HW_CONFIG", version: "7", signer: "silicon vendor" },
];

/// The configuration of an emulated platform.
pub const PLATFORM_CONFIG: [u8; 8] = [0x00, 0x01, 0x00, 0x3f, 0x10, 0x00, 0xcf, 0xcf];

/// The lifecycle of an emulated platform: secured.
pub(super) const LIFECYCLE: u16 = 0x3003;

impl Firmware {
    /// Its measurement: the digest of `assay emulator firmware <type> <version>`.
    pub fn measurement(&self, algorithm: HashAlgorithm) -> Digest {
        let text = format!("assay emulator firmware {} {}", self.component_type, self.version);
        algorithm.digest(text.as_bytes())
    }

    /// Its signer's id, 32 bytes.
    pub fn signer_id(&self) -> Digest {
        Digest::sha256(format!("assay emulator signer {}", self.signer).as_bytes())
    }

    /// The claim about it.
    pub(super) fn claim(&self, algorithm: HashAlgorithm) -> SoftwareComponent {
        SoftwareComponent {
            component_type: Some(self.component_type.into()),
            measurement: self.measurement(algorithm).as_bytes().to_vec(),
            version: Some(self.version.into()),
            signer_id: self.signer_id().as_bytes().to_vec(),
            hash_algorithm: None,
            live_activation: None,
            counter_signers: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

/// The initial measurement of an emulated realm: the digest of `assay emulator realm`.
pub fn realm_measurement(algorithm: HashAlgorithm) -> Digest {
    algorithm.digest(b"assay emulator realm")
}

/// The name of an algorithm in claims (IANA, named information hash algorithms).
pub(super) const fn algorithm_name(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha384 => "sha-384",
        HashAlgorithm::Sha512 => "sha-512",
        _ => "sha-256",
    }
}

/// Adds a member where there is a value.
fn optional(members: &mut Members, key: i64, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        members.add(key, value);
    }
}

fn list(items: &[Vec<u8>]) -> Option<Vec<Value>> {
    (!items.is_empty()).then(|| items.iter().map(|item| item.clone().into()).collect())
}

/// The claims of a platform as a map.
pub(super) fn platform_members(claims: &PlatformClaims) -> Members {
    let mut members = Members::default();
    members.add(platform::PROFILE, claims.profile.name);
    optional(&mut members, platform::CHALLENGE, claims.challenge.clone());
    optional(&mut members, platform::WORKLOAD_BINDING, claims.workload_binding.clone());
    members.add(platform::IMPLEMENTATION_ID, claims.implementation_id);
    members.add(platform::INSTANCE_ID, claims.instance_id);
    optional(&mut members, platform::CLIENT_ID, claims.client_id);
    members.add(platform::CONFIG, claims.config.clone());
    members.add(platform::LIFECYCLE, u64::from(claims.lifecycle));
    members.add(platform::HASH_ALGORITHM, algorithm_name(claims.hash_algorithm));
    let components: Vec<Value> = claims.components.iter().map(component_value).collect();
    members.add(platform::SW_COMPONENTS, components);
    optional(&mut members, platform::VERIFICATION_SERVICE, claims.verification_service.clone());
    optional(&mut members, platform::MANUFACTURING_CONFIG, claims.manufacturing_config.clone());
    optional(&mut members, platform::EXTENSION, claims.extension.clone());
    optional(&mut members, platform::TBB_ROTPK, claims.tbb_rotpk.clone());
    optional(&mut members, platform::PEER_SIGNERS, list(&claims.peer_signers));
    optional(&mut members, platform::TPM_BINDING, claims.tpm_binding.clone());
    members.0.extend_from_slice(&claims.unknown);
    members
}

fn component_value(claims: &SoftwareComponent) -> Value {
    let mut members = Members::default();
    optional(&mut members, component::TYPE, claims.component_type.clone());
    members.add(component::MEASUREMENT, claims.measurement.clone());
    optional(&mut members, component::VERSION, claims.version.clone());
    members.add(component::SIGNER_ID, claims.signer_id.clone());
    optional(&mut members, component::HASH_ALGORITHM, claims.hash_algorithm.map(algorithm_name));
    optional(&mut members, component::LIVE_ACTIVATION, claims.live_activation);
    optional(&mut members, component::COUNTER_SIGNERS, list(&claims.counter_signers));
    members.0.extend_from_slice(&claims.unknown);
    Value::Map(members.0)
}

/// The claims of a realm as a map.
pub(super) fn realm_members(claims: &RealmClaims) -> Members {
    let mut members = Members::default();
    members.add(realm::CHALLENGE, claims.challenge);
    optional(&mut members, realm::PROFILE, claims.profile.name);
    optional(&mut members, realm::INSTANCE_ID, claims.instance_id);
    members.add(realm::PERSONALIZATION_VALUE, claims.personalization_value);
    members.add(realm::INITIAL_MEASUREMENT, claims.initial_measurement.clone());
    let extensible: Vec<Value> = claims.extensible_measurements.iter().cloned().map(Value::from).collect();
    members.add(realm::EXTENSIBLE_MEASUREMENTS, extensible);
    members.add(realm::HASH_ALGORITHM, algorithm_name(claims.hash_algorithm));
    optional(&mut members, realm::PUBLIC_KEY, claims.public_key.clone());
    let algorithm = claims.public_key_hash_algorithm.map(algorithm_name);
    optional(&mut members, realm::PUBLIC_KEY_HASH_ALGORITHM, algorithm);
    optional(&mut members, realm::MEC_POLICY, claims.mec_policy.map(mec_policy));
    optional(&mut members, realm::LFA_POLICY, claims.lfa_policy);
    optional(&mut members, realm::DEVICES_TOKEN_HASH, claims.devices_token_hash.clone());
    members.0.extend_from_slice(&claims.unknown);
    members
}

fn mec_policy(policy: MecPolicy) -> Value {
    Value::Unsigned(match policy {
        MecPolicy::Shared => 0,
        MecPolicy::Private => 1,
    })
}
