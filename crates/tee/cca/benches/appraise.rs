//! What the appraisal of CCA claims costs with few and with many sets of other implementations and
//! realms in the snapshot: it must not depend on their number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;

use assay_tee_cca::endorsement::{
    ComponentReference, ConfigReference, Endorsement, MeasuredDigest, Measurement, PlatformReference,
    RealmReference, platform_group, realm_group,
};
use assay_tee_cca::profile::{PlatformProfile, RealmProfile};
use assay_tee_cca::{CcaAppraiser, Lifecycle, PlatformClaims, RealmClaims, SoftwareComponent};
use assay_types::{
    AskedReferenceValue, Digest, EndorsedAppraiser, HashAlgorithm, Lookup, ReferenceValueSnapshot, TrustTier,
    UnixTime,
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::Value;

const NOW: UnixTime = UnixTime(1_790_000_000);
const PARTS: u8 = 13;

#[derive(Default)]
struct Snapshot(BTreeMap<String, Value>);

impl ReferenceValueSnapshot for Snapshot {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        match self.0.get(id) {
            Some(value) => Lookup::Found { value: value.clone(), expires: UnixTime::MAX },
            None => Lookup::Missing,
        }
    }

    fn group(&self, group: &str, now: UnixTime) -> Vec<AskedReferenceValue> {
        let start = format!("{group}#");
        let ids = self.0.range(start.clone()..).map(|(id, _)| id).take_while(|id| id.starts_with(&start));
        ids.map(|id| AskedReferenceValue { id: id.clone(), answer: self.query(id, now) }).collect()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"snapshot")
    }
}

fn measurement(value: Vec<u8>) -> Measurement {
    Measurement(vec![MeasuredDigest { algorithm: None, value }])
}

/// An identifier for each number.
fn id(number: u32) -> [u8; 32] {
    let mut id = [0x1d; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

fn platform_set(number: u32) -> PlatformReference {
    let component = |part| ComponentReference {
        name: Some(format!("PART_{part}")),
        version: None,
        measurement: measurement(vec![part; 32]),
        signer_id: vec![0x51; 32],
    };
    PlatformReference {
        implementation_id: id(number),
        components: (0..PARTS).map(component).collect(),
        config: Some(ConfigReference { value: vec![0xcf; 4], mask: None }),
    }
}

fn realm_set(number: u32) -> RealmReference {
    RealmReference {
        initial_measurement: measurement(id(number).to_vec()),
        extensible_measurements: [1, 2, 3, 4].map(|byte| Some(measurement(vec![byte; 32]))),
        personalization_value: Some([0xab; 64]),
    }
}

fn snapshot(sets: u32) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for number in 0..sets {
        let (platform, realm) = (platform_set(number), realm_set(number));
        let group = platform_group(&platform.implementation_id);
        snapshot.0.insert(format!("{group}#acme/{number}"), Endorsement::Platform(platform).to_value());
        let group = realm_group(&realm.initial_measurement.0[0].value);
        snapshot.0.insert(format!("{group}#acme/{number}"), Endorsement::Realm(realm).to_value());
    }
    snapshot
}

fn appraiser() -> CcaAppraiser {
    let component = |part| SoftwareComponent {
        component_type: Some(format!("PART_{part}")),
        measurement: vec![part; 32],
        version: Some("1.2.3".into()),
        signer_id: vec![0x51; 32],
        hash_algorithm: None,
        live_activation: None,
        counter_signers: Vec::new(),
        unknown: Vec::new(),
    };
    let platform = PlatformClaims {
        profile: PlatformProfile::from_name("tag:arm.com,2023:cca_platform#1.0.0").unwrap(),
        challenge: Some(vec![7; 32]),
        workload_binding: None,
        implementation_id: id(5),
        instance_id: [1; 33],
        config: vec![0xcf; 4],
        lifecycle: 0x3003,
        lifecycle_state: Lifecycle::Secured,
        components: (0..PARTS).rev().map(component).collect(),
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
        initial_measurement: id(5).to_vec(),
        extensible_measurements: [1, 2, 3, 4].map(|byte| vec![byte; 32]),
        instance_id: None,
        mec_policy: None,
        lfa_policy: None,
        devices_token_hash: None,
        unknown: Vec::new(),
    };
    CcaAppraiser::new(platform, realm)
}

fn appraise(c: &mut Criterion) {
    let appraiser = appraiser();
    let mut group = c.benchmark_group("cca appraise");
    for sets in [10, 10_000] {
        let snapshot = snapshot(sets);
        let said = appraiser.appraise(&snapshot, NOW);
        assert_eq!(said.combined().status(), TrustTier::Affirming, "{:#?}", said.findings);
        group.bench_function(format!("{sets} sets each for platforms and realms"), |b| {
            b.iter(|| black_box(&appraiser).appraise(&snapshot, NOW));
        });
    }
    group.finish();
}

criterion_group!(benches, appraise);
criterion_main!(benches);
