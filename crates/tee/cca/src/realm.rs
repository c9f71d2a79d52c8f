//! The claims of a realm token.

use assay_cbor::{Value, diagnostic};
use assay_types::{Finding, HashAlgorithm, Outcome};

use crate::claim_reader::{self, ClaimReader, HASH_LENGTHS};
use crate::profile::{Generation, Model, REALM_PROFILES, RealmProfile};
use crate::{checks, names};

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

impl RealmClaims {
    /// Reads encoded claims by themselves: the payload of a realm token in this attestation model.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_cbor(bytes: &[u8], model: Model) -> Result<Self, Vec<Finding>> {
        claim_reader::alone(bytes, &checks::REALM_TYPES, |map, findings| {
            RealmClaims::read(map, model, findings)
        })
    }

    /// Reads a map of claims of a realm in this attestation model. What is wrong is added to
    /// `findings`; then there are no claims.
    pub(crate) fn read(map: &Value, model: Model, findings: &mut Vec<Finding>) -> Option<Self> {
        let Some(members) = map.as_map() else {
            let found = map.describe();
            findings.push(Finding::new(
                &checks::REALM_TYPES,
                Outcome::Failed,
                "a map",
                found,
                "the claims of the realm token",
            ));
            return None;
        };
        let mut claims = ClaimReader::new(
            members,
            names::REALM,
            "realm token",
            &checks::REALM_MANDATORY,
            &checks::REALM_TYPES,
        );
        let Some(profile) = profile(&mut claims) else {
            findings.extend(claims.findings);
            return None;
        };
        let v2 = profile.generation == Generation::V2;
        // In the direct model there is no key.
        let signed = model != Model::Direct;
        let public_key = if signed {
            claims.mandatory(44237, "a byte string", claim_reader::bytes)
        } else {
            claims.optional(44237, "a byte string", claim_reader::bytes)
        };
        let public_key_hash_algorithm =
            if signed { claims.algorithm(44240) } else { claims.optional_algorithm(44240) };
        let instance_id =
            if v2 { claims.instance_id(256) } else { claims.foreign(256, claim_reader::instance_id) };
        let mec_policy = if v2 {
            claims.mandatory(44243, "0 (shared) or 1 (private)", mec_policy)
        } else {
            claims.foreign(44243, mec_policy)
        };
        let lfa = |value: &Value| value.as_u64().filter(|policy| *policy <= 1);
        let lfa_policy = if v2 { claims.optional(44244, "0 or 1", lfa) } else { claims.foreign(44244, lfa) };
        let devices_token_hash =
            if v2 { claims.optional_hash(44257) } else { claims.foreign(44257, claim_reader::hash) };
        let challenge = claims.exactly(10);
        let personalization_value = claims.exactly(44235);
        let hash_algorithm = claims.algorithm(44236);
        let initial_measurement = claims.hash(44238);
        let extensible_measurements = extensible_measurements(&mut claims);
        let (unknown, wrong) = claims.finish();
        let sound = wrong.is_empty();
        findings.extend(wrong);
        if !sound {
            return None;
        }
        Some(RealmClaims {
            profile,
            challenge: challenge?,
            personalization_value: personalization_value?,
            hash_algorithm: hash_algorithm?,
            public_key,
            public_key_hash_algorithm,
            initial_measurement: initial_measurement?,
            extensible_measurements: extensible_measurements?,
            instance_id,
            mec_policy,
            lfa_policy,
            devices_token_hash,
            unknown,
        })
    }
}

fn profile(claims: &mut ClaimReader<'_>) -> Option<&'static RealmProfile> {
    let present = claims.has(265);
    let name = claims.optional(265, "a text string", Value::as_text);
    if present && name.is_none() {
        return None;
    }
    let profile = RealmProfile::from_name(name);
    if profile.is_none() {
        let known: Vec<&str> = REALM_PROFILES.iter().filter_map(|profile| profile.name).collect();
        let name: String = name.unwrap_or_default().chars().take(100).collect();
        let expected = format!("no such claim, or {}", known.join(" | "));
        claims.fail(&checks::REALM_PROFILE, 265, &expected, &diagnostic(&Value::from(name)));
    }
    profile
}

/// Exactly four, all of one length.
fn extensible_measurements(claims: &mut ClaimReader<'_>) -> Option<[Vec<u8>; 4]> {
    let items = claims.mandatory(44239, "an array of byte strings", |value| {
        value.as_array()?.iter().map(claim_reader::bytes).collect::<Option<Vec<_>>>()
    })?;
    let lengths: Vec<usize> = items.iter().map(Vec::len).collect();
    let first = lengths.first().copied().unwrap_or_default();
    let right = HASH_LENGTHS.contains(&first) && lengths.iter().all(|length| *length == first);
    match <[Vec<u8>; 4]>::try_from(items) {
        Ok(four) if right => Some(four),
        _ => {
            let shown: Vec<String> = lengths.iter().take(8).map(ToString::to_string).collect();
            let found = format!("{} of {} bytes", lengths.len(), shown.join(", "));
            claims.fail(&checks::REMS, 44239, "4, all of 32, 48 or 64 bytes", &found);
            None
        }
    }
}

/// An integer; from September 2025 to July 2026 the Realm Management Monitor sent text.
fn mec_policy(value: &Value) -> Option<MecPolicy> {
    match (value.as_u64(), value.as_text()) {
        (Some(0), _) | (_, Some("shared")) => Some(MecPolicy::Shared),
        (Some(1), _) | (_, Some("private")) => Some(MecPolicy::Private),
        _ => None,
    }
}
