//! A platform, a realm, and reference values that they match; tests break one thing.

use std::collections::BTreeMap;

use assay_types::{
    AskedReferenceValue, Digest, EndorsedAppraisal, EndorsedAppraiser as _, Finding, HashAlgorithm,
    LayerAppraisal, Lookup, ReferenceValueSnapshot, TrustVector, UnixTime,
};
use serde_json::Value;

use crate::endorsement::{
    ComponentReference, ConfigReference, Endorsement, MeasuredDigest, Measurement, PlatformReference,
    RealmReference, platform_group, realm_group,
};
use crate::profile::{PlatformProfile, RealmProfile};
use crate::{CcaAppraiser, Lifecycle, MecPolicy, PlatformClaims, RealmClaims, SoftwareComponent};

pub(super) const NOW: UnixTime = UnixTime(1_790_000_000);
pub(super) const ENDS: UnixTime = UnixTime(1_800_000_000);
pub(super) const PLATFORM_SET: &str = "acme/platform-1";
pub(super) const REALM_SET: &str = "acme/realm-1";

#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) platform: PlatformClaims,
    pub(super) realm: RealmClaims,
    pub(super) platform_set: PlatformReference,
    pub(super) realm_set: RealmReference,
}

/// What is stored, by name.
#[derive(Debug, Default)]
pub(super) struct Shelf(pub(super) BTreeMap<String, (Value, UnixTime)>);

impl ReferenceValueSnapshot for Shelf {
    fn query(&self, id: &str, now: UnixTime) -> Lookup {
        match self.0.get(id) {
            None => Lookup::Missing,
            Some((_, expires)) if *expires <= now => Lookup::Expired { since: *expires },
            Some((value, expires)) => Lookup::Found { value: value.clone(), expires: *expires },
        }
    }

    fn group(&self, group: &str, now: UnixTime) -> Vec<AskedReferenceValue> {
        let of_group = |id: &&String| id.split_once('#').is_some_and(|(name, _)| name == group);
        let ids = self.0.keys().filter(of_group);
        ids.map(|id| AskedReferenceValue { id: id.clone(), answer: self.query(id, now) }).collect()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"shelf")
    }
}

impl Shelf {
    pub(super) fn put(&mut self, origin: &str, expires: UnixTime, endorsement: Endorsement) {
        let group = match &endorsement {
            Endorsement::Platform(set) => platform_group(&set.implementation_id),
            Endorsement::Realm(set) => realm_group(&set.initial_measurement.0[0].value),
            Endorsement::TrustAnchor(_) => unreachable!("no attestation keys in these tests"),
        };
        self.0.insert(format!("{group}#{origin}"), (endorsement.to_value(), expires));
    }
}

pub(super) fn measurement(byte: u8) -> Measurement {
    Measurement(vec![MeasuredDigest { algorithm: Some(HashAlgorithm::Sha256), value: vec![byte; 32] }])
}

pub(super) fn component(component_type: Option<&str>, byte: u8) -> SoftwareComponent {
    SoftwareComponent {
        component_type: component_type.map(Into::into),
        measurement: vec![byte; 32],
        version: Some("1.2.3".into()),
        signer_id: vec![0x51; 32],
        hash_algorithm: None,
        live_activation: None,
        counter_signers: Vec::new(),
        unknown: Vec::new(),
    }
}

pub(super) fn wanted(name: Option<&str>, byte: u8) -> ComponentReference {
    ComponentReference {
        name: name.map(Into::into),
        version: None,
        measurement: measurement(byte),
        signer_id: vec![0x51; 32],
    }
}

impl Scene {
    /// All is as endorsed.
    pub(super) fn new() -> Self {
        let parts = [("BL", 1), ("M1", 2), ("M2", 3), ("M3", 4)];
        let platform = PlatformClaims {
            profile: PlatformProfile::from_name("tag:arm.com,2023:cca_platform#1.0.0").unwrap(),
            challenge: Some(vec![7; 32]),
            workload_binding: None,
            implementation_id: [0x1d; 32],
            instance_id: [1; 33],
            config: vec![0xcf; 4],
            lifecycle: 0x3003,
            lifecycle_state: Lifecycle::Secured,
            components: parts.map(|(name, byte)| component(Some(name), byte)).to_vec(),
            hash_algorithm: HashAlgorithm::Sha256,
            verification_service: None,
            client_id: None,
            manufacturing_config: None,
            extension: None,
            tbb_rotpk: None,
            peer_signers: Vec::new(),
            tpm_binding: None,
            unknown: Vec::new(),
        };
        let realm = RealmClaims {
            profile: RealmProfile::from_name(Some("tag:arm.com,2023:realm#1.0.0")).unwrap(),
            challenge: [9; 64],
            personalization_value: [0xab; 64],
            hash_algorithm: HashAlgorithm::Sha256,
            public_key: None,
            public_key_hash_algorithm: None,
            initial_measurement: vec![0x11; 64],
            extensible_measurements: [0x20, 0x21, 0x22, 0x23].map(|byte| vec![byte; 64]),
            instance_id: None,
            mec_policy: Some(MecPolicy::Private),
            lfa_policy: None,
            devices_token_hash: None,
            unknown: Vec::new(),
        };
        // What the evidence calls SHA-256 is of 64 bytes, as real attesters have it.
        let long = |byte| {
            let digest = MeasuredDigest { algorithm: Some(HashAlgorithm::Sha512), value: vec![byte; 64] };
            Measurement(vec![digest])
        };
        Scene {
            platform_set: PlatformReference {
                implementation_id: platform.implementation_id,
                components: parts.map(|(name, byte)| wanted(Some(name), byte)).to_vec(),
                config: Some(ConfigReference { value: vec![0xcf; 4], mask: None }),
            },
            realm_set: RealmReference {
                initial_measurement: long(0x11),
                extensible_measurements: [0x20, 0x21, 0x22, 0x23].map(|byte| Some(long(byte))),
                personalization_value: Some([0xab; 64]),
            },
            platform,
            realm,
        }
    }

    pub(super) fn lifecycle(&mut self, value: u16) {
        self.platform.lifecycle = value;
        self.platform.lifecycle_state = Lifecycle::of(value).unwrap();
    }

    /// With both sets in store.
    pub(super) fn shelf(&self) -> Shelf {
        let mut shelf = Shelf::default();
        shelf.put(PLATFORM_SET, ENDS, Endorsement::Platform(self.platform_set.clone()));
        shelf.put(REALM_SET, ENDS, Endorsement::Realm(self.realm_set.clone()));
        shelf
    }

    pub(super) fn appraise(&self) -> EndorsedAppraisal {
        self.appraise_by(&self.shelf())
    }

    pub(super) fn appraise_by(&self, shelf: &Shelf) -> EndorsedAppraisal {
        let appraiser = CcaAppraiser::new(self.platform.clone(), self.realm.clone());
        appraiser.appraise(shelf, NOW)
    }
}

pub(super) fn vectors(appraisal: &EndorsedAppraisal) -> (TrustVector, TrustVector) {
    let vector = |name: &str| {
        let mut layers = appraisal.layers.iter();
        let of = |layer: &&LayerAppraisal| layer.layer == name;
        layers.find(of).unwrap().trust_vector
    };
    (vector("platform"), vector("realm"))
}

/// The findings with this outcome being "failed", by code.
pub(super) fn failed(appraisal: &EndorsedAppraisal) -> Vec<&Finding> {
    appraisal.findings.iter().map(|reason| &reason.finding).filter(|finding| finding.failed()).collect()
}

pub(super) fn failed_codes(appraisal: &EndorsedAppraisal) -> Vec<&str> {
    failed(appraisal).into_iter().map(|finding| finding.code.as_ref()).collect()
}
