//! The fields of CCA evidence that can be set by text.
//!
//! What is set is what the emulated firmware says, so the evidence stays genuine, and it is for the
//! appraisal to refuse it. Profiles, algorithms that nobody knows, `binding`, `cpak.seed` and `splice`
//! make a token that does not hold together.

use assay_cbor::Value;
use assay_cose::Curve;
use assay_tee_cca::{PlatformClaims, RealmClaims, SoftwareComponent};
use assay_types::{Digest, HashAlgorithm, ReportData, Tee};

use super::claim::{platform, realm};
use super::content::algorithm_name;
use super::generation::{Cca, Wrapper};
use super::guest::CcaGuest;
use super::silicon::CcaSilicon;
use crate::set::{Field, Setting, settings};
use crate::{EmulatorError, Seed};

macro_rules! fields {
    ($($name:literal: $meaning:literal,)*) => {
        &[$(Field { name: $name, meaning: $meaning }),*]
    };
}

/// Every field.
pub(crate) const FIELDS: &[Field] = fields! {
    "generation": "profiles and wrapper: rmm-1.0, draft-2023, mixed (default), rmm-2.0-2024, rmm-2.0-2026, direct-2024, direct-2026, hesrak-2026",
    "wrapper": "tag of the collection: 399 or 907; follows generation unless set",
    "cpak": "curve of the key that signs the platform token: p256, p384 (default), p521",
    "cpak.seed": "seed of another platform whose key signs the platform token, 32 bytes in hexadecimal",
    "splice": "seed of another platform whose realm token is put in, 32 bytes in hexadecimal",
    "platform.profile": "profile of the platform token, text; the rest stays as generation says",
    "realm.profile": "profile of the realm token, text; the rest stays as generation says",
    "implementation-id": "implementation of the platform, 32 bytes in hexadecimal",
    "instance-id": "instance of the platform, 33 bytes in hexadecimal, 01 first",
    "lifecycle": "lifecycle of the platform, 16 bits; default 0x3003 (secured)",
    "config": "configuration of the platform, at most 256 bytes in hexadecimal",
    "hash-algorithm": "algorithm of the firmware's measurements, which follow: sha-256 (default), sha-384, sha-512; any other text is written as it is",
    "component.0.type": "role of the firmware component, text; default BL1",
    "component.0.measurement": "measurement of the firmware component, at most 64 bytes in hexadecimal",
    "component.0.version": "version of the firmware component, text",
    "component.0.signer-id": "signer of the firmware component, at most 64 bytes in hexadecimal",
    "component.1.type": "role of the firmware component, text; default BL2",
    "component.1.measurement": "measurement of the firmware component, at most 64 bytes in hexadecimal",
    "component.1.version": "version of the firmware component, text",
    "component.1.signer-id": "signer of the firmware component, at most 64 bytes in hexadecimal",
    "component.2.type": "role of the firmware component, text; default RMM",
    "component.2.measurement": "measurement of the firmware component, at most 64 bytes in hexadecimal",
    "component.2.version": "version of the firmware component, text",
    "component.2.signer-id": "signer of the firmware component, at most 64 bytes in hexadecimal",
    "component.3.type": "role of the firmware component, text; default HW_CONFIG",
    "component.3.measurement": "measurement of the firmware component, at most 64 bytes in hexadecimal",
    "component.3.version": "version of the firmware component, text",
    "component.3.signer-id": "signer of the firmware component, at most 64 bytes in hexadecimal",
    "components.remove": "number of the firmware component that is left out, 0 to 3",
    "challenge": "challenge of the realm, at most 64 bytes in hexadecimal, zeros fill up on the right",
    "rim": "initial measurement of the realm, at most 64 bytes in hexadecimal",
    "rem0": "first extensible measurement of the realm, at most 64 bytes in hexadecimal; default zeros",
    "rem1": "second extensible measurement of the realm, at most 64 bytes in hexadecimal; default zeros",
    "rem2": "third extensible measurement of the realm, at most 64 bytes in hexadecimal; default zeros",
    "rem3": "fourth extensible measurement of the realm, at most 64 bytes in hexadecimal; default zeros",
    "rpv": "personalization value of the realm, at most 64 bytes in hexadecimal, zeros fill up on the right",
    "realm.hash-algorithm": "algorithm of the realm's measurements, which follow: sha-256 (default), sha-384, sha-512; any other text is written as it is",
    "rak.hash-algorithm": "algorithm of the realm key's hash, which follows: sha-256 (default), sha-384, sha-512; any other text is written as it is",
    "binding": "what the platform token binds, at most 64 bytes in hexadecimal; default the hash of the realm's key, or of its claims",
    "realm.instance-id": "instance of the realm, 33 bytes in hexadecimal, 01 first",
    "mec-policy": "memory encryption policy of the realm, a number: 0 shared, 1 private; any other text is written as it is",
    "lfa-policy": "policy of the realm on live firmware activation, 64 bits: 0 or 1; absent unless set",
};

/// A realm with this challenge and personalization value, and what is set.
pub(crate) fn guest(
    silicon: &CcaSilicon,
    challenge: ReportData,
    init_data: Option<&Digest>,
    set: &[(String, String)],
) -> Result<CcaGuest<'static>, EmulatorError> {
    let settings = settings(Tee::Cca, FIELDS, set)?;
    let find = |name| settings.iter().find(|setting| setting.name == name);
    // First what decides the defaults of all the rest.
    let generation = match find("generation") {
        Some(setting) => setting.one_of(&Cca::ALL.map(|generation| (generation.as_str(), generation)))?,
        None => Cca::Mixed,
    };
    let personalization = ReportData::padded(init_data.map(Digest::as_bytes).unwrap_or_default())?;
    let mut guest = silicon.guest(generation).realm(|realm| {
        realm.challenge = *challenge.as_bytes();
        realm.personalization_value = *personalization.as_bytes();
    });
    let curve = match find("cpak") {
        Some(setting) => {
            setting.one_of(&[("p256", Curve::P256), ("p384", Curve::P384), ("p521", Curve::P521)])?
        }
        None => Curve::P384,
    };
    let signer = match find("cpak.seed") {
        Some(setting) => other(setting)?,
        None => silicon.clone(),
    };
    guest = guest.cpak(signer.cpak(curve));
    // Then algorithms, because measurements follow; at last the component that is left out, because the
    // numbers of the others are those of all.
    let order = |setting: &&Setting<'_>| match setting.name {
        name if name.ends_with("hash-algorithm") => 0,
        "components.remove" => 2,
        _ => 1,
    };
    let mut rest: Vec<&Setting<'_>> = settings.iter().collect();
    rest.sort_by_key(order);
    for setting in rest {
        guest = apply(guest, setting)?;
    }
    Ok(guest)
}

fn apply(guest: CcaGuest<'static>, setting: &Setting<'_>) -> Result<CcaGuest<'static>, EmulatorError> {
    match setting.name {
        "generation" | "cpak" | "cpak.seed" => Ok(guest),
        "wrapper" => Ok(guest.wrapper(setting.one_of(&[("399", Wrapper::Eat), ("907", Wrapper::Cmw)])?)),
        "splice" => Ok(guest.splice(&other(setting)?)),
        "platform.profile" => {
            let text = setting.text()?.to_owned();
            Ok(guest.platform_members(|claims| claims.set(platform::PROFILE, text)))
        }
        "realm.profile" => {
            let text = setting.text()?.to_owned();
            Ok(guest.realm_members(|claims| claims.set(realm::PROFILE, text)))
        }
        "hash-algorithm" => match algorithm(setting)? {
            Ok(algorithm) => Ok(guest.platform_hash(algorithm)),
            Err(text) => Ok(guest.platform_members(|claims| claims.set(platform::HASH_ALGORITHM, text))),
        },
        "realm.hash-algorithm" => match algorithm(setting)? {
            Ok(algorithm) => Ok(guest.realm_hash(algorithm)),
            Err(text) => Ok(guest.realm_members(|claims| claims.set(realm::HASH_ALGORITHM, text))),
        },
        "rak.hash-algorithm" => match algorithm(setting)? {
            Ok(algorithm) => Ok(guest.rak_hash(algorithm)),
            Err(text) => Ok(guest.realm_members(|claims| claims.set(realm::PUBLIC_KEY_HASH_ALGORITHM, text))),
        },
        "mec-policy" => {
            let text = setting.text()?;
            let value: Value = match text.parse::<u64>() {
                Ok(number) => number.into(),
                Err(_) => text.into(),
            };
            Ok(guest.realm_members(|claims| claims.set(realm::MEC_POLICY, value)))
        }
        "binding" => {
            let bytes = setting.some_bytes(64)?;
            let key = guest.platform_claims().profile.binding.key();
            Ok(guest.platform_members(move |claims| claims.set(key, bytes)))
        }
        _ => {
            let mut outcome = Ok(());
            let realm = matches!(
                setting.name,
                "challenge"
                    | "rim"
                    | "rem0"
                    | "rem1"
                    | "rem2"
                    | "rem3"
                    | "rpv"
                    | "realm.instance-id"
                    | "lfa-policy"
            );
            let guest = if realm {
                guest.realm(|claims| outcome = realm_field(claims, setting))
            } else {
                guest.platform(|claims| outcome = platform_field(claims, setting))
            };
            outcome.map(|()| guest)
        }
    }
}

fn realm_field(claims: &mut RealmClaims, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    let padded = || Ok::<_, EmulatorError>(*ReportData::padded(&setting.some_bytes(64)?)?.as_bytes());
    let [first, second, third, fourth] = &mut claims.extensible_measurements;
    match setting.name {
        "challenge" => claims.challenge = padded()?,
        "rpv" => claims.personalization_value = padded()?,
        "rim" => claims.initial_measurement = setting.some_bytes(64)?,
        "rem0" => *first = setting.some_bytes(64)?,
        "rem1" => *second = setting.some_bytes(64)?,
        "rem2" => *third = setting.some_bytes(64)?,
        "rem3" => *fourth = setting.some_bytes(64)?,
        "realm.instance-id" => claims.instance_id = Some(setting.bytes()?),
        "lfa-policy" => claims.lfa_policy = Some(setting.number()?),
        _ => return Err(unhandled(setting)),
    }
    Ok(())
}

fn platform_field(claims: &mut PlatformClaims, setting: &Setting<'_>) -> Result<(), EmulatorError> {
    match setting.name {
        "implementation-id" => claims.implementation_id = setting.bytes()?,
        "instance-id" => claims.instance_id = setting.bytes()?,
        "lifecycle" => claims.lifecycle = setting.number()?,
        "config" => claims.config = setting.some_bytes(256)?,
        "components.remove" => {
            let number = usize::from(setting.number::<u8>()?);
            if number >= claims.components.len() {
                return Err(setting.bad("the number of a component, 0 to 3"));
            }
            claims.components.remove(number);
        }
        name => {
            let part = name.strip_prefix("component.").and_then(|rest| rest.split_once('.'));
            let found = part.and_then(|(number, part)| {
                let component = claims.components.get_mut(number.parse::<usize>().ok()?)?;
                Some((component, part))
            });
            let (component, part) = found.ok_or_else(|| unhandled(setting))?;
            component_field(component, part, setting)?;
        }
    }
    Ok(())
}

fn component_field(
    component: &mut SoftwareComponent,
    part: &str,
    setting: &Setting<'_>,
) -> Result<(), EmulatorError> {
    match part {
        "type" => component.component_type = Some(setting.text()?.into()),
        "measurement" => component.measurement = setting.some_bytes(64)?,
        "version" => component.version = Some(setting.text()?.into()),
        "signer-id" => component.signer_id = setting.some_bytes(64)?,
        _ => return Err(unhandled(setting)),
    }
    Ok(())
}

/// The algorithm of that name, or the text when there is none.
fn algorithm(setting: &Setting<'_>) -> Result<Result<HashAlgorithm, String>, EmulatorError> {
    let text = setting.text()?;
    let known = HashAlgorithm::ALL.into_iter().find(|algorithm| algorithm_name(*algorithm) == text);
    Ok(known.ok_or_else(|| text.to_owned()))
}

/// The platform of another seed.
fn other(setting: &Setting<'_>) -> Result<CcaSilicon, EmulatorError> {
    Ok(CcaSilicon::new(Seed::new(setting.bytes()?)))
}

/// A name in [`FIELDS`] that nothing above knows; a test sets every one of them.
fn unhandled(setting: &Setting<'_>) -> EmulatorError {
    EmulatorError::UnknownField { tee: Tee::Cca, name: setting.name.into(), known: String::new() }
}
