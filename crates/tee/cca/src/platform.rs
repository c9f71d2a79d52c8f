//! The claims of a platform token.

use assay_cbor::{Value, diagnostic};
use assay_types::{Finding, HashAlgorithm, Outcome};

use crate::claim_reader::{self, ClaimReader};
use crate::lifecycle::Lifecycle;
use crate::profile::{BindingClaim, Generation, Model, PLATFORM_PROFILES, PlatformProfile};
use crate::{checks, names};

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
            BindingClaim::Challenge => self.challenge.as_deref(),
            BindingClaim::Workload => self.workload_binding.as_deref(),
        }
    }
}

/// The most software components of a token.
const MAX_COMPONENTS: usize = 256;

impl PlatformClaims {
    /// Reads encoded claims by themselves: the payload of a platform token.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        claim_reader::alone(bytes, &checks::PLATFORM_TYPES, PlatformClaims::read)
    }

    /// Reads a map of claims. What is wrong is added to `findings`; then there are no claims.
    pub(crate) fn read(map: &Value, findings: &mut Vec<Finding>) -> Option<Self> {
        let Some(members) = map.as_map() else {
            let found = map.describe();
            findings.push(Finding::new(
                &checks::PLATFORM_TYPES,
                Outcome::Failed,
                "a map",
                found,
                "the claims of the platform token",
            ));
            return None;
        };
        let mut claims = ClaimReader::new(
            members,
            names::PLATFORM,
            "platform token",
            &checks::PLATFORM_MANDATORY,
            &checks::PLATFORM_TYPES,
        );
        let profile = profile(&mut claims);
        let Some(profile) = profile else {
            // Without its profile, what the other claims must be is not known.
            findings.extend(claims.findings);
            return None;
        };
        let v2 = profile.generation == Generation::V2;
        let challenge = claims.optional_hash(10);
        let workload_binding = claims.optional_hash(2408);
        check_binding(&mut claims, profile);
        let lifecycle =
            claims.mandatory(2395, "an integer of 16 bits", |value| u16::try_from(value.as_u64()?).ok());
        let lifecycle_state = lifecycle.and_then(Lifecycle::of);
        if let (Some(value), None) = (lifecycle, lifecycle_state) {
            let found = format!("{value:#06x}");
            claims.fail(&checks::LIFECYCLE, 2395, "0x00xx, 0x10xx, … or 0x60xx", &found);
        }
        let client_id = if v2 {
            claims.mandatory(2394, "the integer 1", |value| value.as_i64().filter(|id| *id == 1))
        } else {
            claims.foreign(2394, Value::as_i64)
        };
        // Bytes of the later profiles.
        let mut late = |key| {
            if v2 {
                claims.optional(key, "a byte string", claim_reader::bytes)
            } else {
                claims.foreign(key, claim_reader::bytes)
            }
        };
        let (manufacturing_config, tpm_binding) = (late(2403), late(2407));
        let array = |value: &Value| value.as_array().map(|_| value.clone());
        let mut late = |key| {
            if v2 { claims.optional(key, "an array", array) } else { claims.foreign(key, array) }
        };
        let (extension, tbb_rotpk) = (late(2404), late(2405));
        let signers = "an array of byte strings";
        let peer_signers =
            if v2 { claims.optional(2406, signers, peers) } else { claims.foreign(2406, peers) };
        let implementation_id = claims.exactly(2396);
        let instance_id = claims.instance_id(256);
        let config = claims.mandatory(2401, "a byte string", claim_reader::bytes);
        let components = components(&mut claims);
        let hash_algorithm = claims.algorithm(2402);
        let verification_service = claims.optional(2400, "a text string", claim_reader::text);
        let (unknown, wrong) = claims.finish();
        let sound = wrong.is_empty();
        findings.extend(wrong);
        if !sound {
            return None;
        }
        Some(PlatformClaims {
            profile,
            challenge,
            workload_binding,
            implementation_id: implementation_id?,
            instance_id: instance_id?,
            config: config?,
            lifecycle: lifecycle?,
            lifecycle_state: lifecycle_state?,
            components: components?,
            hash_algorithm: hash_algorithm?,
            verification_service,
            client_id,
            manufacturing_config,
            extension,
            tbb_rotpk,
            peer_signers: peer_signers.unwrap_or_default(),
            tpm_binding,
            unknown,
        })
    }
}

fn profile(claims: &mut ClaimReader<'_>) -> Option<&'static PlatformProfile> {
    let name = claims.mandatory(265, "a text string", Value::as_text)?;
    let profile = PlatformProfile::from_name(name);
    if profile.is_none() {
        let known: Vec<&str> = PLATFORM_PROFILES.iter().map(|profile| profile.name).collect();
        let found = diagnostic(&Value::from(name.chars().take(100).collect::<String>()));
        claims.fail(&checks::PLATFORM_PROFILE, 265, &known.join(" | "), &found);
    }
    profile
}

/// Never whichever claim is there: the profile says which must be, and which must not.
fn check_binding(claims: &mut ClaimReader<'_>, profile: &PlatformProfile) {
    let (binding, other) = match profile.binding {
        BindingClaim::Challenge => (10, 2408),
        BindingClaim::Workload => (2408, 10),
    };
    let by_profile = profile.name;
    if !claims.has(binding) {
        let expected = format!("claim {binding}, by the profile {by_profile}");
        claims.fail(&checks::BINDING_CLAIM, binding, &expected, "nothing");
    }
    match (profile.model, claims.has(other)) {
        (Model::HesRak, false) => {
            let expected = format!("the challenge, by the profile {by_profile}");
            claims.fail(&checks::BINDING_CLAIM, other, &expected, "nothing");
        }
        (Model::Delegated | Model::Direct, true) => {
            let expected = format!("no claim {other}, by the profile {by_profile}");
            claims.fail(&checks::BINDING_CLAIM, other, &expected, "the claim");
        }
        (Model::HesRak, true) | (Model::Delegated | Model::Direct, false) => {}
    }
}

fn components(claims: &mut ClaimReader<'_>) -> Option<Vec<SoftwareComponent>> {
    let expected = format!("an array of 1 to {MAX_COMPONENTS} maps");
    let items = claims.mandatory(2399, &expected, |value| {
        let items = value.as_array()?;
        let maps = items.iter().map(Value::as_map).collect::<Option<Vec<_>>>()?;
        (1..=MAX_COMPONENTS).contains(&maps.len()).then_some(maps)
    })?;
    let mut components = Vec::with_capacity(items.len());
    for (index, members) in items.into_iter().enumerate() {
        let mut reader = ClaimReader::new(
            members,
            names::COMPONENT,
            format!("platform token, software component {index}"),
            &checks::PLATFORM_MANDATORY,
            &checks::PLATFORM_TYPES,
        );
        let component_type = reader.optional(1, "a text string", claim_reader::text);
        let measurement = reader.hash(2);
        let version = reader.optional(4, "a text string", claim_reader::text);
        let signer_id = reader.hash(5);
        let hash_algorithm = reader.optional_algorithm(6);
        let live_activation = reader.optional(7, "a boolean", Value::as_bool);
        let counter_signers = reader
            .optional(8, "an array of byte strings of 32, 48 or 64 bytes", claim_reader::hashes)
            .unwrap_or_default();
        let (unknown, wrong) = reader.finish();
        claims.findings.extend(wrong);
        let (Some(measurement), Some(signer_id)) = (measurement, signer_id) else { continue };
        components.push(SoftwareComponent {
            component_type,
            measurement,
            version,
            signer_id,
            hash_algorithm,
            live_activation,
            counter_signers,
            unknown,
        });
    }
    Some(components)
}

fn peers(value: &Value) -> Option<Vec<Vec<u8>>> {
    value.as_array()?.iter().map(claim_reader::bytes).collect()
}
