//! What measurements of platforms and realms have in common.

use assay_corim::{CryptoKey, Digest, DigestAlgorithm, Measurement as Entry, MeasurementKey, RawValue};
use assay_types::HashAlgorithm;

use super::{Problems, checks};
use crate::endorsement::value::{DIGEST_LENGTHS, MAX_CONFIG, algorithm_of_name};
use crate::endorsement::{ConfigReference, MeasuredDigest, Measurement};

/// The members of a measurement that a profile may have a use for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Version,
    Digests,
    RawValue,
    Mask,
    Name,
    CryptoKeys,
}

/// The name under which a measurement goes, when it is a text.
pub(super) fn key<'m>(entry: &'m Entry, path: &str, problems: &mut Problems) -> Option<&'m str> {
    let found = match &entry.key {
        Some(MeasurementKey::Text(text)) => return Some(text),
        Some(other) => other.describe(),
        None => "nothing".to_owned(),
    };
    problems.add(&checks::MKEY, format!("{path}.mkey"), "a text string", found);
    None
}

/// Refuses members that are not in `known`: what they ask for would not be looked at.
pub(super) fn only(known: &[Member], entry: &Entry, path: &str, problems: &mut Problems) {
    let values = &entry.values;
    let there = [
        (Member::Version, "version", values.version.is_some()),
        (Member::Digests, "digests", values.digests.is_some()),
        (Member::RawValue, "raw-value", values.raw_value.is_some()),
        (Member::Mask, "raw-value-mask", values.raw_value_mask.is_some()),
        (Member::Name, "name", values.name.is_some()),
        (Member::CryptoKeys, "cryptokeys", values.crypto_keys.is_some()),
    ];
    for (_, name, _) in there.iter().filter(|(member, _, there)| *there && !known.contains(member)) {
        problems.add(&checks::MEMBERS, format!("{path}.mval.{name}"), "nothing", "a value");
    }
    for (key, _) in &values.other {
        let key: String = assay_cbor::diagnostic(key).chars().take(64).collect();
        problems.add(
            &checks::MEMBERS,
            format!("{path}.mval"),
            "no other member",
            format!("the member {key}"),
        );
    }
    if !entry.authorized_by.is_empty() {
        problems.add(&checks::MEMBERS, format!("{path}.authorized-by"), "nothing", "keys");
    }
}

/// The digests of a measurement.
pub(super) fn digests(entry: &Entry, path: &str, problems: &mut Problems) -> Option<Measurement> {
    let path = format!("{path}.mval.digests");
    let Some(digests) = entry.values.digests.as_deref().filter(|digests| !digests.is_empty()) else {
        problems.add(&checks::DIGESTS, path, "one digest or more", "nothing");
        return None;
    };
    let mut measured: Vec<MeasuredDigest> = Vec::with_capacity(digests.len());
    for Digest { algorithm, value } in digests {
        let algorithm = known_algorithm(algorithm);
        let length = value.len();
        let fits = match algorithm {
            Some(algorithm) => algorithm.digest_len() == length,
            None => DIGEST_LENGTHS.contains(&length),
        };
        if !fits {
            let expected = match algorithm {
                Some(algorithm) => format!("{} bytes ({algorithm})", algorithm.digest_len()),
                None => "32, 48 or 64 bytes".to_owned(),
            };
            problems.add(&checks::DIGEST_LENGTH, &path, expected, format!("{length} bytes"));
            return None;
        }
        if algorithm.is_some() && measured.iter().any(|other| other.algorithm == algorithm)
            || measured.iter().any(|other| other.value == *value)
        {
            problems.add(&checks::DIGESTS, path, "one digest for each algorithm", "two of one algorithm");
            return None;
        }
        measured.push(MeasuredDigest { algorithm, value: value.clone() });
    }
    Some(Measurement(measured))
}

/// By name, by number among IANA's named information hashes, or among COSE's algorithms (RFC 9054).
fn known_algorithm(algorithm: &DigestAlgorithm) -> Option<HashAlgorithm> {
    match algorithm {
        DigestAlgorithm::Name(name) => algorithm_of_name(name),
        DigestAlgorithm::Id(1 | -16) => Some(HashAlgorithm::Sha256),
        DigestAlgorithm::Id(7 | -43) => Some(HashAlgorithm::Sha384),
        DigestAlgorithm::Id(8 | -44) => Some(HashAlgorithm::Sha512),
        DigestAlgorithm::Id(_) => None,
    }
}

/// The signer id of a software component.
pub(super) fn signer_id(entry: &Entry, path: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    let found = match entry.values.crypto_keys.as_deref() {
        Some([CryptoKey::Bytes(id)]) if DIGEST_LENGTHS.contains(&id.len()) => return Some(id.clone()),
        Some([one]) => one.describe(),
        Some(all) => format!("{} keys", all.len()),
        None => "nothing".to_owned(),
    };
    let expected = "one signer id: bytes (tag 560), 32, 48 or 64 of them";
    problems.add(&checks::SIGNER_ID, format!("{path}.mval.cryptokeys"), expected, found);
    None
}

/// The personalization value of a realm.
pub(super) fn personalization_value(entry: &Entry, path: &str, problems: &mut Problems) -> Option<[u8; 64]> {
    let path = format!("{path}.mval.raw-value");
    let found = match &entry.values.raw_value {
        Some(RawValue::Bytes(bytes)) => {
            let value = <[u8; 64]>::try_from(bytes.as_slice()).ok();
            if value.is_none() {
                problems.add(&checks::RPV_LENGTH, path, "64 bytes", format!("{} bytes", bytes.len()));
            }
            return value;
        }
        Some(other) => other.describe(),
        None => "nothing".to_owned(),
    };
    problems.add(&checks::RAW_VALUE, path, "bytes (tag 560)", found);
    None
}

/// The configuration of a platform, its mask in tag 563 (the draft) or beside it (Veraison).
pub(super) fn config(entry: &Entry, path: &str, problems: &mut Problems) -> Option<ConfigReference> {
    let path = format!("{path}.mval.raw-value");
    let beside = entry.values.raw_value_mask.as_ref();
    let (value, mask) = match &entry.values.raw_value {
        Some(RawValue::Bytes(value)) => (value, beside),
        Some(RawValue::Masked { value, mask }) => {
            if beside.is_some() {
                problems.add(&checks::CONFIG, path, "one mask", "one in tag 563 and one in raw-value-mask");
                return None;
            }
            (value, Some(mask))
        }
        other => {
            let found = other.as_ref().map_or_else(|| "nothing".to_owned(), RawValue::describe);
            problems.add(&checks::RAW_VALUE, path, "bytes (tag 560), or a value and a mask (tag 563)", found);
            return None;
        }
    };
    if !(1..=MAX_CONFIG).contains(&value.len()) {
        problems.add(&checks::CONFIG, path, format!("1 to {MAX_CONFIG} bytes"), value.len().to_string());
        return None;
    }
    if let Some(mask) = mask.filter(|mask| mask.len() != value.len()) {
        let expected = format!("a mask of {} bytes", value.len());
        problems.add(&checks::CONFIG, path, expected, format!("one of {} bytes", mask.len()));
        return None;
    }
    Some(ConfigReference { value: value.clone(), mask: mask.cloned() })
}
