//! The endorsements of an emulated platform and realm as CoRIM (draft-ydb-rats-cca-endorsements).

use std::convert::Infallible;

use assay_corim::{
    Comid, Corim, CryptoKey, Digest, DigestAlgorithm, Environment, Identifier, KeyHint, KeyTriple,
    Measurement, MeasurementKey, MeasurementValues, Meta, Profile, RawValue, Tag, ValueTriple, Version,
};
use assay_tee_cca::endorsement::{PLATFORM_PROFILE, PLATFORM_PROFILE_04, REALM_PROFILE, REALM_PROFILE_04};
use assay_tee_cca::{PlatformClaims, RealmClaims, SoftwareComponent};
use assay_types::HashAlgorithm;

use super::content::algorithm_name;
use super::guest::CcaGuest;
use crate::ec_key::EcKey;
use crate::snp::AUTHORITY_VALIDITY;

/// The signer's name in emulated CoRIMs.
pub const SIGNER: &str = "Assay emulator";

/// The keys of measurements.
pub mod mkey {
    /// A piece of firmware.
    pub const SOFTWARE_COMPONENT: &str = "cca.software-component";
    /// The configuration of the platform.
    pub const PLATFORM_CONFIG: &str = "cca.platform-config";
    /// The initial measurement of a realm.
    pub const RIM: &str = "cca.rim";
    /// The extensible measurements of a realm.
    pub const REM: [&str; 4] = ["cca.rem0", "cca.rem1", "cca.rem2", "cca.rem3"];
    /// The personalization value of a realm.
    pub const RPV: &str = "cca.rpv";
}

/// What a CoRIM is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CorimKind {
    /// Reference values of the platform: firmware and configuration.
    Platform,
    /// Reference values of the realm: initial and extensible measurements, personalization value.
    Realm,
    /// The platform's attestation key.
    TrustAnchor,
    /// [`CorimKind::Platform`] and [`CorimKind::TrustAnchor`] in one document, a CoMID each.
    PlatformWithKey,
    /// All of it, a CoMID each, without a profile: there is none for platform and realm together, so
    /// that whoever goes by Arm's profiles refuses it.
    All,
}

/// A CoRIM before it is encoded. Everything of it can be changed.
///
/// It has the form that Veraison reads: digests by algorithm number, the configuration with its mask
/// (of ones) beside it. [`CorimTemplate::as_draft_04`] gives it the form of the draft.
///
/// ```
/// use assay_emulator::cca::{Cca, CorimKind};
/// use assay_emulator::{CcaSilicon, Seed};
///
/// let silicon = CcaSilicon::new(Seed::DEVELOPMENT);
/// let mut corim = silicon.guest(Cca::Mixed).corim(CorimKind::Platform);
/// corim.component_mut("RMM").unwrap().values.version = None;
/// assert_eq!(corim.unsigned()[..3], [0xd9, 0x01, 0xf5]);
/// ```
#[derive(Clone, Debug)]
pub struct CorimTemplate {
    /// The document. Its validity is [`AUTHORITY_VALIDITY`] unless it is set.
    pub corim: Corim,
    /// The signer's name, and the validity of the signature: none is stated unless it is set.
    pub meta: Meta,
    /// What the signature says of its key. Default nothing.
    pub key: KeyHint,
    /// The key that signs. Default [`CcaSilicon::corim_signer`](super::CcaSilicon::corim_signer).
    pub signer: EcKey,
    /// Whether a bit of the signature is flipped.
    pub broken_signature: bool,
}

impl CorimKind {
    /// Every kind.
    pub const ALL: [CorimKind; 5] = [
        CorimKind::Platform,
        CorimKind::Realm,
        CorimKind::TrustAnchor,
        CorimKind::PlatformWithKey,
        CorimKind::All,
    ];

    /// Its name, part of the document's id.
    pub const fn as_str(self) -> &'static str {
        match self {
            CorimKind::Platform => "platform",
            CorimKind::Realm => "realm",
            CorimKind::TrustAnchor => "trust-anchor",
            CorimKind::PlatformWithKey => "platform-with-key",
            CorimKind::All => "all",
        }
    }
}

impl CcaGuest<'_> {
    /// A CoRIM that endorses this realm and its platform: what it says are the typed claims as they
    /// stand now. Edits of members and bytes do not reach it.
    pub fn corim(&self, kind: CorimKind) -> CorimTemplate {
        let (platform, realm) = (self.platform_claims(), self.realm_claims());
        let key = || trust_anchor_comid(platform, self.platform_key());
        let comids = match kind {
            CorimKind::Platform => vec![platform_comid(platform)],
            CorimKind::Realm => vec![realm_comid(realm)],
            CorimKind::TrustAnchor => vec![key()],
            CorimKind::PlatformWithKey => vec![platform_comid(platform), key()],
            CorimKind::All => vec![platform_comid(platform), realm_comid(realm), key()],
        };
        let profile = match kind {
            CorimKind::Platform | CorimKind::TrustAnchor | CorimKind::PlatformWithKey => {
                Some(PLATFORM_PROFILE)
            }
            CorimKind::Realm => Some(REALM_PROFILE),
            CorimKind::All => None,
        };
        let id = format!("assay-emulator-cca-{}-{}", kind.as_str(), short(&platform.implementation_id));
        CorimTemplate {
            corim: Corim {
                id: id.as_str().into(),
                tags: comids.into_iter().map(Tag::Comid).collect(),
                profile: profile.map(|profile| Profile::Uri(profile.into())),
                validity: Some(AUTHORITY_VALIDITY),
                entities: Vec::new(),
                notes: Vec::new(),
            },
            meta: Meta::of(SIGNER),
            key: KeyHint::default(),
            signer: self.corim_signer(),
            broken_signature: false,
        }
    }
}

/// The first eight bytes in hexadecimal: enough to tell documents apart.
fn short(bytes: &[u8]) -> String {
    bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn platform_comid(claims: &PlatformClaims) -> Comid {
    let mut comid = Comid::new(format!("cca-platform-{}", short(&claims.implementation_id)).as_str());
    let mut measurements: Vec<Measurement> =
        claims.components.iter().map(|component| component_measurement(component, claims)).collect();
    measurements.push(measurement(
        mkey::PLATFORM_CONFIG,
        MeasurementValues {
            raw_value: Some(RawValue::Bytes(claims.config.clone())),
            raw_value_mask: Some(vec![0xff; claims.config.len()]),
            ..MeasurementValues::default()
        },
    ));
    let environment = Environment::of_class(Identifier::Bytes(claims.implementation_id.to_vec()));
    comid.triples.reference = vec![ValueTriple { environment, measurements }];
    comid
}

fn component_measurement(component: &SoftwareComponent, claims: &PlatformClaims) -> Measurement {
    let algorithm = component.hash_algorithm.unwrap_or(claims.hash_algorithm);
    let version = |version: &String| Version { version: version.clone(), scheme: None };
    measurement(
        mkey::SOFTWARE_COMPONENT,
        MeasurementValues {
            version: component.version.as_ref().map(version),
            digests: Some(vec![digest(algorithm, &component.measurement)]),
            name: component.component_type.clone(),
            crypto_keys: Some(vec![CryptoKey::Bytes(component.signer_id.clone())]),
            ..MeasurementValues::default()
        },
    )
}

fn realm_comid(claims: &RealmClaims) -> Comid {
    let mut comid = Comid::new(format!("cca-realm-{}", short(&claims.initial_measurement)).as_str());
    let of_digest = |key, value: &[u8]| {
        let digests = Some(vec![digest(claims.hash_algorithm, value)]);
        measurement(key, MeasurementValues { digests, ..MeasurementValues::default() })
    };
    let mut measurements = vec![of_digest(mkey::RIM, &claims.initial_measurement)];
    for (key, value) in mkey::REM.into_iter().zip(&claims.extensible_measurements) {
        measurements.push(of_digest(key, value));
    }
    measurements.push(measurement(
        mkey::RPV,
        MeasurementValues {
            raw_value: Some(RawValue::Bytes(claims.personalization_value.to_vec())),
            ..MeasurementValues::default()
        },
    ));
    let environment = Environment::of_class(Identifier::Bytes(claims.initial_measurement.clone()));
    comid.triples.reference = vec![ValueTriple { environment, measurements }];
    comid
}

fn trust_anchor_comid(claims: &PlatformClaims, key: &EcKey) -> Comid {
    let id = format!("cca-trust-anchor-{}", short(claims.instance_id.get(1..).unwrap_or_default()));
    let mut comid = Comid::new(id.as_str());
    let mut environment = Environment::of_class(Identifier::Bytes(claims.implementation_id.to_vec()));
    environment.instance = Some(Identifier::Ueid(claims.instance_id.to_vec()));
    let keys = vec![CryptoKey::PkixBase64Key(key.public_key().to_pem())];
    comid.triples.attest_key = vec![KeyTriple { environment, keys, conditions: None }];
    comid
}

fn measurement(key: &str, values: MeasurementValues) -> Measurement {
    Measurement { key: Some(MeasurementKey::Text(key.into())), values, authorized_by: Vec::new() }
}

fn digest(algorithm: HashAlgorithm, value: &[u8]) -> Digest {
    // IANA, "Named Information Hash Algorithm Registry".
    let id = match algorithm {
        HashAlgorithm::Sha384 => 7,
        HashAlgorithm::Sha512 => 8,
        _ => 1,
    };
    Digest { algorithm: DigestAlgorithm::Id(id), value: value.to_vec() }
}

impl CorimTemplate {
    /// The encoded CoRIM with its tag 501.
    pub fn unsigned(&self) -> Vec<u8> {
        self.corim.encode_unsigned()
    }

    /// The encoded CoRIM in a COSE_Sign1, signed by `signer`.
    pub fn signed(&self) -> Vec<u8> {
        let sign = |message: &[u8]| Ok::<_, Infallible>(self.signer.sign(message));
        let Ok(mut encoded) = self.corim.encode_signed(&self.meta, self.signer.algorithm(), &self.key, sign);
        // The signature is the last thing in the message.
        if let (true, Some(last)) = (self.broken_signature, encoded.last_mut()) {
            *last ^= 1;
        }
        encoded
    }

    /// Every measurement of every CoMID.
    pub fn measurements_mut(&mut self) -> impl Iterator<Item = &mut Measurement> {
        let comids = self.corim.tags.iter_mut().filter_map(|tag| match tag {
            Tag::Comid(comid) => Some(comid),
            Tag::Other { .. } => None,
        });
        comids
            .flat_map(|comid| comid.triples.reference.iter_mut())
            .flat_map(|triple| triple.measurements.iter_mut())
    }

    /// The first measurement with that key, see [`mkey`].
    pub fn measurement_mut(&mut self, key: &str) -> Option<&mut Measurement> {
        self.measurements_mut()
            .find(|found| matches!(&found.key, Some(MeasurementKey::Text(text)) if text == key))
    }

    /// The first firmware component of that name.
    pub fn component_mut(&mut self, name: &str) -> Option<&mut Measurement> {
        self.measurements_mut().find(|found| found.values.name.as_deref() == Some(name))
    }

    /// The first CoMID, to add triples or to take them away.
    pub fn comid_mut(&mut self) -> Option<&mut Comid> {
        self.corim.tags.iter_mut().find_map(|tag| match tag {
            Tag::Comid(comid) => Some(comid),
            Tag::Other { .. } => None,
        })
    }

    /// Masks the platform's configuration: bits that `mask` has not set do not count. In the form of
    /// Veraison, with the mask beside the value.
    pub fn mask_config(&mut self, mask: &[u8]) {
        if let Some(found) = self.measurement_mut(mkey::PLATFORM_CONFIG) {
            found.values.raw_value_mask = Some(mask.to_vec());
        }
    }

    /// Leaves the mask of the platform's configuration out.
    pub fn unmask_config(&mut self) {
        if let Some(found) = self.measurement_mut(mkey::PLATFORM_CONFIG) {
            found.values.raw_value_mask = None;
        }
    }

    /// Takes on the form of draft-ydb-rats-cca-endorsements-04: its names of profiles, digests by name
    /// of algorithm, value and mask of the configuration in one (tag 563).
    pub fn as_draft_04(&mut self) {
        self.name_algorithms();
        if let Some(found) = self.measurement_mut(mkey::PLATFORM_CONFIG)
            && let Some(RawValue::Bytes(value)) = &found.values.raw_value
        {
            let mask = found.values.raw_value_mask.take().unwrap_or_else(|| vec![0xff; value.len()]);
            found.values.raw_value = Some(RawValue::Masked { value: value.clone(), mask });
        }
        if let Some(Profile::Uri(uri)) = &mut self.corim.profile {
            *uri = match uri.as_str() {
                PLATFORM_PROFILE => PLATFORM_PROFILE_04.into(),
                REALM_PROFILE => REALM_PROFILE_04.into(),
                _ => return,
            };
        }
    }

    /// Writes the algorithms of digests by name (`sha-256`), as the draft does, not by number.
    pub fn name_algorithms(&mut self) {
        let digests = self.measurements_mut().flat_map(|found| found.values.digests.iter_mut().flatten());
        for digest in digests {
            let algorithm = match digest.algorithm {
                DigestAlgorithm::Id(1) => HashAlgorithm::Sha256,
                DigestAlgorithm::Id(7) => HashAlgorithm::Sha384,
                DigestAlgorithm::Id(8) => HashAlgorithm::Sha512,
                _ => continue,
            };
            digest.algorithm = DigestAlgorithm::Name(algorithm_name(algorithm).into());
        }
    }
}
