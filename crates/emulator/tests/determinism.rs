//! The emulator is a function of its seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use assay_emulator::intel::COLLATERAL_VALIDITY;
use assay_emulator::{Emulator, IntelSilicon, Seed};
use assay_tee_snp::evidence::SIGNED_LEN;
use assay_tee_snp::{KeyKind, Product};
use assay_types::{AnchorsFile, Digest, Tee};

fn emulator(place: usize) -> Emulator {
    Emulator::new(Seed::PUBLISHED[place].clone())
}

fn set(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn one_seed_gives_the_same_bytes_every_time() {
    for (signer, crl) in [("vcek", "present"), ("vlek", "revoked")] {
        let set = set(&[("signer", signer), ("certs", "full"), ("crl", crl)]);
        let make = || emulator(0).evidence(Tee::Snp, b"data", Some(&Digest::sha384(b"init")), &set).unwrap();
        assert_eq!(make(), make());
    }
    assert_eq!(emulator(0).anchors(), emulator(0).anchors());
}

/// Guards keys, certificates and signatures against a change that goes unnoticed: published anchors
/// and recorded evidence must stay good.
#[test]
fn the_bytes_of_the_development_seed_are_the_published_ones() {
    let anchors = serde_json::to_vec(&emulator(0).anchors()).unwrap();
    let evidence = emulator(0).snp().guest(Product::Milan).build().unwrap().to_raw();
    let intel = emulator(0).intel();
    let td = intel.td().build().unwrap().to_json().to_string();
    let enclave = intel.enclave().build().unwrap().to_json().to_string();
    let collateral = intel.collateral(&intel.platform(), COLLATERAL_VALIDITY).to_json(Tee::Tdx).unwrap();
    let bytes = [anchors, evidence, td.into(), enclave.into(), collateral.to_string().into()];
    assert_eq!(
        bytes.map(|bytes| Digest::sha256(&bytes).to_hex()),
        [
            "0781e4cfcffc8d23f771bead45addee7b47654512a57dbffa6bf19fdd1aae932",
            "f6f9f0e846501d705db8ecacc566c12ef3d99ceb9c02a0fe20e3e82c4db14c7d",
            "ea104327c75a6373bfe63a6015b9262d7d62f6a53936346b82cda73c80caba01",
            "c94028aa7c9b8042545260d14bf03bffebd27e036bbff80dab6572e08e0c348c",
            "f19006573f13d1d9600332947bbcca0f6aa13496dceccba1187c66551b33b057"
        ]
    );
}

#[test]
fn another_seed_gives_other_keys_and_signatures_but_the_same_measurement() {
    let [a, b] = [0, 1].map(|place| emulator(place).snp().guest(Product::Milan).build().unwrap());
    assert_ne!(a.cert_chain, b.cert_chain);
    assert_ne!(a.report.signature, b.report.signature);
    assert_ne!(a.report.chip_id, b.report.chip_id);
    assert_eq!(a.report.measurement, b.report.measurement);
    assert_eq!(a.report.measurement, assay_emulator::snp::LAUNCH_MEASUREMENT);
    assert_eq!(
        Digest::sha384(b"assay emulator launch measurement").as_bytes(),
        assay_emulator::snp::LAUNCH_MEASUREMENT
    );
    assert_ne!(emulator(0).anchors().anchors[&Tee::Snp], emulator(1).anchors().anchors[&Tee::Snp]);
}

#[test]
fn a_seed_that_is_not_published_is_searched_for_and_found_again() {
    let make = || {
        let silicon = Emulator::new(Seed::new([0x5a; 32])).snp();
        silicon.guest(Product::Genoa).build().unwrap().to_raw()
    };
    assert_eq!(make(), make());
}

#[test]
fn another_chip_or_tcb_has_another_key() {
    let silicon = emulator(0).snp();
    let key = |edit: fn(&mut assay_tee_snp::evidence::Report)| {
        let id = silicon.guest(Product::Milan).report(edit).endorsement_key_id();
        silicon.endorsement_key(&id).public_key_info()
    };
    let plain = key(|_| {});
    assert_eq!(plain, key(|r| r.vmpl = 3));
    assert_eq!(plain, key(|r| r.chip_id = [0; 64]), "a hidden chip is still the same chip");
    assert_ne!(plain, key(|r| r.chip_id = [1; 64]));
    assert_ne!(plain, key(|r| r.reported_tcb.snp += 1));
    let id = silicon.guest(Product::Milan).signed_by(KeyKind::Vlek).endorsement_key_id();
    assert_ne!(plain, silicon.endorsement_key(&id).public_key_info());
}

#[test]
fn raw_bytes_and_json_say_the_same() {
    for product in Product::ALL {
        for version in 2..=5 {
            let evidence = emulator(0).snp().guest(product).version(version).build().unwrap();
            assert_eq!(evidence.bytes, evidence.report.to_bytes());
            assert_ne!(evidence.bytes[SIGNED_LEN..SIGNED_LEN + 48], [0; 48]);
            assert_eq!(
                assay_tee_snp::evidence::Report::from_bytes(&evidence.bytes).unwrap(),
                evidence.report
            );
            let read = assay_tee_snp::evidence::SnpEvidence::parse(&evidence.to_raw()).unwrap();
            assert_eq!(read.report, evidence.report);
            assert_eq!(read.cert_chain, evidence.cert_chain);
            let json = evidence.to_json().to_string();
            let read = assay_tee_snp::evidence::SnpEvidence::parse(json.as_bytes()).unwrap();
            assert_eq!(read.report, evidence.report);
            assert_eq!(read.cert_chain, evidence.cert_chain);
        }
    }
}

#[test]
fn the_file_of_anchors_survives_a_round_trip_and_says_that_it_is_emulated() {
    let anchors = emulator(2).anchors();
    assert!(anchors.emulated);
    assert_eq!(AnchorsFile::from_json(&serde_json::to_vec(&anchors).unwrap()).unwrap(), anchors);
    let arks = anchors.anchors[&Tee::Snp]["arks"].as_array().unwrap();
    let products: Vec<&str> = arks.iter().map(|ark| ark["product"].as_str().unwrap()).collect();
    assert_eq!(products, ["Milan", "Genoa", "Turin"]);
    assert_eq!(anchors.anchors[&Tee::Sample], serde_json::json!({}));
}

#[test]
fn private_keys_and_seeds_are_not_in_debug_output() {
    let silicon = Emulator::new(Seed::new([0xab; 32])).snp();
    let key = silicon.endorsement_key(&silicon.guest(Product::Milan).endorsement_key_id());
    assert_eq!(format!("{key:?}"), "EndorsementKey(private)");
    assert!(!format!("{silicon:?}").contains("abab"));
    let intel = IntelSilicon::new(Seed::new([0xab; 32]));
    assert!(!format!("{intel:?}").contains("abab"));
    assert_eq!(format!("{:?}", intel.attestation_key()), "EcKey(P-256, private)");
    assert!(!format!("{:?}", Emulator::new(Seed::new([0xab; 32]))).contains("abab"));
}
