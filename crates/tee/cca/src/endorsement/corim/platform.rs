//! The platform profile: software components, the configuration, and the key.

use std::collections::BTreeMap;

use assay_corim::{CryptoKey, Identifier, KeyTriple, Measurement as Entry, ValueTriple};
use assay_cose::PublicKey;

use super::measurement::{self, Member, config, digests, only, signer_id};
use super::{Problems, checks, class_bytes};
use crate::endorsement::{ComponentReference, ConfigReference, Endorsement, PlatformReference, TrustAnchor};

const SOFTWARE_COMPONENT: &str = "cca.software-component";
const PLATFORM_CONFIG: &str = "cca.platform-config";

#[derive(Default)]
struct Set {
    components: Vec<ComponentReference>,
    config: Option<ConfigReference>,
    /// Where its first measurement is.
    path: String,
    /// How many components there are, unusable ones among them.
    stated: usize,
}

/// One set for each implementation.
pub(super) fn reference_values(
    triples: &[ValueTriple],
    path: &str,
    problems: &mut Problems,
) -> Vec<Endorsement> {
    let mut sets: BTreeMap<[u8; 32], Set> = BTreeMap::new();
    for (index, triple) in triples.iter().enumerate() {
        let path = format!("{path}.reference[{index}]");
        // The measurements of a class that is wrong are looked at too.
        let mut stray = Set::default();
        let set = match implementation_id(&triple.environment, false, &path, problems) {
            Some(id) => sets.entry(id).or_insert_with(|| Set { path: path.clone(), ..Set::default() }),
            None => &mut stray,
        };
        for (index, entry) in triple.measurements.iter().enumerate() {
            set.add(entry, &format!("{path}.measurements[{index}]"), problems);
        }
    }
    for set in sets.values().filter(|set| set.stated == 0) {
        problems.add(&checks::COMPONENTS, &set.path, "a cca.software-component", "none");
    }
    let endorsement = |(implementation_id, set): ([u8; 32], Set)| {
        Endorsement::Platform(PlatformReference {
            implementation_id,
            components: set.components,
            config: set.config,
        })
    };
    sets.into_iter().map(endorsement).collect()
}

impl Set {
    fn add(&mut self, entry: &Entry, path: &str, problems: &mut Problems) {
        match measurement::key(entry, path, problems) {
            Some(SOFTWARE_COMPONENT) => {
                self.stated += 1;
                self.components.extend(component(entry, path, problems));
            }
            Some(PLATFORM_CONFIG) => {
                only(&[Member::RawValue, Member::Mask], entry, path, problems);
                let config = config(entry, path, problems);
                if self.config.is_some() {
                    problems.add(&checks::ONCE, path, "one configuration", "a second one");
                }
                self.config = config;
            }
            Some(other) => {
                let expected = format!("{SOFTWARE_COMPONENT} or {PLATFORM_CONFIG}");
                let found: String = other.chars().take(64).collect();
                problems.add(&checks::MKEY_NAME, format!("{path}.mkey"), expected, format!("{found:?}"));
            }
            None => {}
        }
    }
}

fn component(entry: &Entry, path: &str, problems: &mut Problems) -> Option<ComponentReference> {
    only(&[Member::Digests, Member::CryptoKeys, Member::Name, Member::Version], entry, path, problems);
    let version = entry.values.version.as_ref();
    if version.is_some_and(|version| version.scheme.is_some()) {
        problems.add(&checks::VERSION, format!("{path}.mval.version.scheme"), "nothing", "a scheme");
    }
    let measurement = digests(entry, path, problems);
    let signer_id = signer_id(entry, path, problems);
    Some(ComponentReference {
        name: entry.values.name.clone(),
        version: version.map(|version| version.version.clone()),
        measurement: measurement?,
        signer_id: signer_id?,
    })
}

/// The attestation keys.
pub(super) fn trust_anchors(triples: &[KeyTriple], path: &str, problems: &mut Problems) -> Vec<Endorsement> {
    let mut anchors = Vec::with_capacity(triples.len());
    for (index, triple) in triples.iter().enumerate() {
        let path = format!("{path}.attest-key[{index}]");
        let implementation_id = implementation_id(&triple.environment, true, &path, problems);
        let instance_id = instance_id(triple.environment.instance.as_ref(), &path, problems);
        let key = key(&triple.keys, &path, problems);
        if triple.conditions.is_some() {
            problems.add(&checks::MEMBERS, format!("{path}.conditions"), "nothing", "conditions");
        }
        if let (Some(implementation_id), Some(instance_id), Some(key)) = (implementation_id, instance_id, key)
        {
            anchors.push(Endorsement::TrustAnchor(TrustAnchor { implementation_id, instance_id, key }));
        }
    }
    anchors
}

fn implementation_id(
    environment: &assay_corim::Environment,
    instance: bool,
    path: &str,
    problems: &mut Problems,
) -> Option<[u8; 32]> {
    let (check, expected) = (&checks::IMPLEMENTATION_ID, "bytes (tag 560) of 32 bytes");
    let bytes = class_bytes(environment, check, expected, instance, path, problems)?;
    let id = bytes.try_into().ok();
    if id.is_none() {
        let path = format!("{path}.environment.class.class-id");
        problems.add(check, path, expected, format!("{} bytes", bytes.len()));
    }
    id
}

fn instance_id(id: Option<&Identifier>, path: &str, problems: &mut Problems) -> Option<[u8; 33]> {
    if let Some(Identifier::Ueid(bytes)) = id
        && let Ok(ueid) = <[u8; 33]>::try_from(bytes.as_slice())
        && ueid.first() == Some(&1)
    {
        return Some(ueid);
    }
    let found = match id {
        Some(Identifier::Ueid(bytes)) if bytes.len() == 33 => "one of another type".to_owned(),
        Some(other) => other.describe(),
        None => "nothing".to_owned(),
    };
    let expected = "a UEID (tag 550) of 33 bytes and type 01";
    problems.add(&checks::INSTANCE, format!("{path}.environment.instance"), expected, found);
    None
}

fn key(keys: &[CryptoKey], path: &str, problems: &mut Problems) -> Option<PublicKey> {
    let found = match keys {
        [CryptoKey::PkixBase64Key(text)] => match PublicKey::from_pem(text) {
            Ok(key) => return Some(key),
            Err(error) => error.to_string(),
        },
        [other] => other.describe(),
        all => format!("{} keys", all.len()),
    };
    problems.add(&checks::KEY, format!("{path}.keys"), "one pkix-base64-key (tag 554)", found);
    None
}
