//! Endorsements as stored reference values, and back.

use assay_cose::PublicKey;
use assay_types::HashAlgorithm;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::entry::{
    ComponentEntry, DigestEntry, JwkEntry, MeasurementEntry, PlatformEntry, RealmEntry, TrustAnchorEntry,
};
use super::{
    ComponentReference, ConfigReference, Endorsement, EntryProblem, MeasuredDigest, Measurement,
    PlatformReference, RealmReference, TrustAnchor,
};

/// The lengths of measurements and signer ids in bytes.
pub(super) const DIGEST_LENGTHS: [usize; 3] = [32, 48, 64];

/// The longest configuration in bytes.
pub(super) const MAX_CONFIG: usize = 16 << 10;

/// The longest name or version in bytes.
pub(super) const MAX_TEXT: usize = 1024;

/// The name of an algorithm in endorsements (IANA, Named Information Hash Algorithm).
pub(super) const fn algorithm_name(algorithm: HashAlgorithm) -> Option<&'static str> {
    match algorithm {
        HashAlgorithm::Sha256 => Some("sha-256"),
        HashAlgorithm::Sha384 => Some("sha-384"),
        HashAlgorithm::Sha512 => Some("sha-512"),
        _ => None,
    }
}

/// The algorithm of that name.
pub(super) fn algorithm_of_name(name: &str) -> Option<HashAlgorithm> {
    HashAlgorithm::ALL.into_iter().find(|algorithm| algorithm_name(*algorithm) == Some(name))
}

impl Endorsement {
    /// The stored form: the members of the JSON stores of rust-ccatoken and Trustee where they have
    /// one, and besides
    /// - `platform-configuration-mask`,
    /// - measurements as `[{"algorithm", "value"}, …]` where algorithms are stated; as text otherwise,
    /// - `null` for an extensible measurement that may be anything.
    ///
    /// What may be anything is left out. Hexadecimal digits are in lower case.
    pub fn to_value(&self) -> Value {
        match self {
            Endorsement::TrustAnchor(anchor) => json!({
                "implementation-id": hex::encode(anchor.implementation_id),
                "instance-id": hex::encode(anchor.instance_id),
                "pkey": anchor.key.to_jwk(),
            }),
            Endorsement::Platform(platform) => json!(platform_entry(platform)),
            Endorsement::Realm(realm) => json!(realm_entry(realm)),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// The first thing that is wrong: a member that is not known, a length, a key that is none.
    pub fn from_value(value: &Value) -> Result<Self, EntryProblem> {
        let mut problems = Problems::default();
        let malformed = |error: serde_json::Error| problem(String::new(), error.to_string());
        let endorsement = if value.get("pkey").is_some() {
            let entry = TrustAnchorEntry::deserialize(value).map_err(malformed)?;
            trust_anchor(&entry, "", &mut problems).map(Endorsement::TrustAnchor)
        } else if value.get("sw-components").is_some() {
            let entry = PlatformEntry::deserialize(value).map_err(malformed)?;
            platform(entry, "", &mut problems).map(Endorsement::Platform)
        } else if value.get("initial-measurement").is_some() {
            let entry = RealmEntry::deserialize(value).map_err(malformed)?;
            if entry.rak_hash_algorithm.is_some() {
                return Err(problem(
                    "rak-hash-algorithm".to_owned(),
                    "is read in JSON stores only".to_owned(),
                ));
            }
            realm(&entry, "", &mut problems).map(Endorsement::Realm)
        } else {
            None
        };
        match (endorsement, problems.0.into_iter().next()) {
            (_, Some(first)) => Err(first),
            (Some(endorsement), None) => Ok(endorsement),
            (None, None) => Err(problem(
                String::new(),
                "an endorsement is an object with pkey, sw-components or initial-measurement".to_owned(),
            )),
        }
    }
}

fn problem(path: String, detail: String) -> EntryProblem {
    EntryProblem { path, detail }
}

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<EntryProblem>);

/// More problems than this are not worth reading.
const MAX_PROBLEMS: usize = 1000;

impl Problems {
    pub(super) fn add(&mut self, path: &str, member: &str, detail: impl Into<String>) {
        if self.0.len() < MAX_PROBLEMS {
            let dot = if path.is_empty() || member.is_empty() { "" } else { "." };
            self.0.push(problem(format!("{path}{dot}{member}"), detail.into()));
        }
    }

    fn bytes(&mut self, text: &str, path: &str, member: &str) -> Option<Vec<u8>> {
        match hex::decode(text) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.add(path, member, format!("not hexadecimal: {error}"));
                None
            }
        }
    }

    fn array<const N: usize>(&mut self, text: &str, path: &str, member: &str) -> Option<[u8; N]> {
        let bytes = self.bytes(text, path, member)?;
        let found = bytes.len();
        let array = bytes.try_into().ok();
        if array.is_none() {
            self.add(path, member, format!("expected {N} bytes, found {found}"));
        }
        array
    }

    fn digest(&mut self, text: &str, path: &str, member: &str) -> Option<Vec<u8>> {
        let bytes = self.bytes(text, path, member)?;
        if DIGEST_LENGTHS.contains(&bytes.len()) {
            return Some(bytes);
        }
        self.add(path, member, format!("expected 32, 48 or 64 bytes, found {}", bytes.len()));
        None
    }

    fn text(&mut self, text: Option<String>, path: &str, member: &str) -> Option<String> {
        if let Some(text) = text.as_ref().filter(|text| !(1..=MAX_TEXT).contains(&text.len())) {
            self.add(path, member, format!("expected 1 to {MAX_TEXT} bytes, found {}", text.len()));
        }
        text
    }
}

pub(super) fn trust_anchor(
    entry: &TrustAnchorEntry,
    path: &str,
    problems: &mut Problems,
) -> Option<TrustAnchor> {
    let implementation_id = problems.array(&entry.implementation_id, path, "implementation-id");
    let instance_id = problems.array::<33>(&entry.instance_id, path, "instance-id").filter(|id| {
        let random = id.first() == Some(&1);
        if !random {
            problems.add(path, "instance-id", "expected a UEID of type 01 as its first byte");
        }
        random
    });
    let JwkEntry { kty, crv, x, y } = &entry.pkey;
    let key = PublicKey::from_jwk(&json!({ "kty": kty, "crv": crv, "x": x, "y": y }));
    let key = key.map_err(|error| problems.add(path, "pkey", error.to_string())).ok();
    Some(TrustAnchor { implementation_id: implementation_id?, instance_id: instance_id?, key: key? })
}

pub(super) fn platform(
    entry: PlatformEntry,
    path: &str,
    problems: &mut Problems,
) -> Option<PlatformReference> {
    let implementation_id = problems.array(&entry.implementation_id, path, "implementation-id");
    if entry.sw_components.is_empty() {
        problems.add(path, "sw-components", "expected one component or more, found none");
    }
    let count = entry.sw_components.len();
    let dot = if path.is_empty() { "" } else { "." };
    let components: Vec<ComponentReference> = entry
        .sw_components
        .into_iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            component(entry, &format!("{path}{dot}sw-components[{index}]"), problems)
        })
        .collect();
    let config = config(&entry.platform_configuration, &entry.platform_configuration_mask, path, problems);
    (components.len() == count).then_some(())?;
    Some(PlatformReference { implementation_id: implementation_id?, components, config: config? })
}

fn component(entry: ComponentEntry, path: &str, problems: &mut Problems) -> Option<ComponentReference> {
    let measurement = measurement(&entry.measurement_value, path, "measurement-value", problems);
    let signer_id = problems.digest(&entry.signer_id, path, "signer-id");
    let name = problems.text(entry.component_type, path, "component-type");
    let version = problems.text(entry.version, path, "version");
    Some(ComponentReference { name, version, measurement: measurement?, signer_id: signer_id? })
}

/// `None` when there is something wrong.
fn config(
    value: &Option<String>,
    mask: &Option<String>,
    path: &str,
    problems: &mut Problems,
) -> Option<Option<ConfigReference>> {
    let Some(value) = value else {
        if mask.is_some() {
            problems.add(path, "platform-configuration-mask", "there is no platform-configuration");
            return None;
        }
        return Some(None);
    };
    let value = problems.bytes(value, path, "platform-configuration")?;
    if !(1..=MAX_CONFIG).contains(&value.len()) {
        let detail = format!("expected 1 to {MAX_CONFIG} bytes, found {}", value.len());
        problems.add(path, "platform-configuration", detail);
        return None;
    }
    let mask = match mask {
        Some(mask) => Some(problems.bytes(mask, path, "platform-configuration-mask")?),
        None => None,
    };
    if let Some(mask) = mask.as_ref().filter(|mask| mask.len() != value.len()) {
        let detail = format!("the configuration has {} bytes, the mask {}", value.len(), mask.len());
        problems.add(path, "platform-configuration-mask", detail);
        return None;
    }
    Some(Some(ConfigReference { value, mask }))
}

pub(super) fn realm(entry: &RealmEntry, path: &str, problems: &mut Problems) -> Option<RealmReference> {
    let initial_measurement = measurement(&entry.initial_measurement, path, "initial-measurement", problems);
    let mut extensible_measurements = [None, None, None, None];
    let mut complete = true;
    if let Some(all) = &entry.extensible_measurements {
        if all.len() != 4 {
            let detail = format!("expected 4 measurements, found {}", all.len());
            problems.add(path, "extensible-measurements", detail);
            complete = false;
        }
        for (index, (slot, entry)) in extensible_measurements.iter_mut().zip(all).enumerate() {
            let Some(entry) = entry else { continue };
            *slot = measurement(entry, path, &format!("extensible-measurements[{index}]"), problems);
            complete &= slot.is_some();
        }
    }
    let personalization_value = match &entry.personalization_value {
        Some(text) => Some(problems.array(text, path, "personalization-value")?),
        None => None,
    };
    complete.then_some(())?;
    Some(RealmReference {
        initial_measurement: initial_measurement?,
        extensible_measurements,
        personalization_value,
    })
}

fn measurement(
    entry: &MeasurementEntry,
    path: &str,
    member: &str,
    problems: &mut Problems,
) -> Option<Measurement> {
    let digests = match entry {
        MeasurementEntry::Plain(text) => {
            let value = problems.digest(text, path, member)?;
            return Some(Measurement(vec![MeasuredDigest { algorithm: None, value }]));
        }
        MeasurementEntry::Digests(digests) => digests,
    };
    if digests.is_empty() {
        problems.add(path, member, "expected one digest or more, found none");
    }
    let mut measured: Vec<MeasuredDigest> = Vec::with_capacity(digests.len());
    for (index, entry) in digests.iter().enumerate() {
        let member = format!("{member}[{index}]");
        let value = problems.digest(&entry.value, path, &member)?;
        let algorithm = match &entry.algorithm {
            Some(name) => {
                let known = algorithm_of_name(name);
                if known.is_none() {
                    problems.add(path, &member, "algorithm: known are sha-256, sha-384, sha-512");
                }
                Some(known?)
            }
            None => None,
        };
        if let Some(algorithm) = algorithm.filter(|algorithm| algorithm.digest_len() != value.len()) {
            problems.add(path, &member, format!("a {algorithm} digest has {} bytes", algorithm.digest_len()));
            return None;
        }
        if measured.iter().any(|other| other.algorithm == algorithm && algorithm.is_some()) {
            problems.add(path, &member, "a second digest of one algorithm");
            return None;
        }
        measured.push(MeasuredDigest { algorithm, value });
    }
    (!measured.is_empty()).then_some(Measurement(measured))
}

fn platform_entry(platform: &PlatformReference) -> PlatformEntry {
    let component = |component: &ComponentReference| ComponentEntry {
        component_type: component.name.clone(),
        measurement_value: measurement_entry(&component.measurement),
        version: component.version.clone(),
        signer_id: hex::encode(&component.signer_id),
    };
    let config = platform.config.as_ref();
    PlatformEntry {
        implementation_id: hex::encode(platform.implementation_id),
        sw_components: platform.components.iter().map(component).collect(),
        platform_configuration: config.map(|config| hex::encode(&config.value)),
        platform_configuration_mask: config.and_then(|config| config.mask.as_ref()).map(hex::encode),
    }
}

fn realm_entry(realm: &RealmReference) -> RealmEntry {
    let extensible = &realm.extensible_measurements;
    let any = extensible.iter().any(Option::is_some);
    RealmEntry {
        initial_measurement: measurement_entry(&realm.initial_measurement),
        extensible_measurements: any
            .then(|| extensible.iter().map(|one| one.as_ref().map(measurement_entry)).collect()),
        personalization_value: realm.personalization_value.map(hex::encode),
        rak_hash_algorithm: None,
    }
}

fn measurement_entry(measurement: &Measurement) -> MeasurementEntry {
    match measurement.0.as_slice() {
        [MeasuredDigest { algorithm: None, value }] => MeasurementEntry::Plain(hex::encode(value)),
        digests => MeasurementEntry::Digests(
            digests
                .iter()
                .map(|digest| DigestEntry {
                    algorithm: digest.algorithm.and_then(algorithm_name).map(str::to_owned),
                    value: hex::encode(&digest.value),
                })
                .collect(),
        ),
    }
}
