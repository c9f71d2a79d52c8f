//! The production verifiers take the emulator's evidence under its anchors, and under no others.
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

use assay_emulator::snp::{Certificates, GuestEvidence, oid};
use assay_emulator::{Emulator, Seed, SnpSilicon};
use assay_tee_sample::SampleVerifier;
use assay_tee_snp::{KeyKind, Product, SnpAnchors, SnpSettings, SnpVerifier, VmplPolicy};
use assay_types::{
    Authenticated, Binding, CollateralSet, Digest, RawEvidence, Tee, UnixTime, Verifier, VerifyError,
};

/// 2026-01-01.
const NOW: UnixTime = UnixTime(1_767_225_600);

fn emulator(place: usize) -> Emulator {
    Emulator::new(Seed::PUBLISHED[place].clone())
}

fn anchors_of(place: usize) -> SnpAnchors {
    SnpAnchors::emulated_only(&emulator(place).anchors().anchors[&Tee::Snp]).unwrap()
}

fn verifier(anchors: SnpAnchors) -> SnpVerifier {
    SnpVerifier::new(SnpSettings { anchors, ..SnpSettings::production() })
}

fn verify(
    verifier: &dyn Verifier,
    evidence: impl Into<Vec<u8>>,
    binding: &Binding,
) -> Result<Authenticated, VerifyError> {
    let parsed = verifier.parse(&RawEvidence::new(verifier.tee(), evidence.into()))?;
    Ok(parsed.verify(binding, &CollateralSet::default(), NOW)?.remove(0))
}

fn failures(result: Result<Authenticated, VerifyError>) -> Vec<String> {
    result.unwrap_err().failures().map(|f| f.code.to_string()).collect()
}

#[test]
fn evidence_of_every_product_key_and_version_is_genuine_under_its_own_anchors_only() {
    let own = verifier(anchors_of(0));
    let both = verifier(SnpAnchors::amd().with_emulated(&emulator(0).anchors().anchors[&Tee::Snp]).unwrap());
    let strangers = [verifier(SnpAnchors::amd()), verifier(anchors_of(1))];
    let init_data = Digest::sha384(b"init data");
    let binding = Binding { report_data: Some(vec![7; 48]), init_data: Some(init_data.clone()) };
    let emulator = emulator(0);
    for product in Product::ALL {
        for kind in KeyKind::ALL {
            for version in 2..=5 {
                let set = [
                    ("product", product.as_str().to_lowercase()),
                    ("signer", kind.path().to_owned()),
                    ("version", version.to_string()),
                ];
                let set = set.map(|(name, value)| (name.to_owned(), value));
                let evidence = emulator.evidence(Tee::Snp, &[7; 48], Some(&init_data), &set).unwrap();
                let text = evidence.to_string();
                let what = format!("{product} {kind} version {version}");
                for verifier in [&own, &both] {
                    let good =
                        verify(verifier, text.clone(), &binding).unwrap_or_else(|e| panic!("{what}: {e}"));
                    assert!(good.facts().emulated, "{what}");
                    assert_eq!(
                        good.facts().claims["measurement"],
                        hex::encode(assay_emulator::snp::LAUNCH_MEASUREMENT)
                    );
                }
                for stranger in &strangers {
                    let codes = failures(verify(stranger, text.clone(), &binding));
                    // The root that the certificates name is another one of that name.
                    assert!(codes.contains(&"SNP-010".to_owned()), "{what}: {codes:?}");
                }
            }
        }
    }
}

fn silicon() -> SnpSilicon {
    emulator(0).snp()
}

fn raw(evidence: &GuestEvidence) -> Result<Authenticated, VerifyError> {
    verify(&verifier(anchors_of(0)), evidence.to_raw(), &Binding::default())
}

#[test]
fn the_raw_form_the_full_chain_and_a_list_are_good_too() {
    for product in Product::ALL {
        for kind in KeyKind::ALL {
            let guest = silicon().guest(product).signed_by(kind).certificates(Certificates::Full).crl(|_| {});
            let evidence = guest.build().unwrap();
            raw(&evidence).unwrap_or_else(|e| panic!("{product} {kind}: {e}"));
        }
    }
}

#[test]
fn silicon_with_other_fields_stays_genuine() {
    let (measurement, chip_id, hidden) = ("ab".repeat(48), "cd".repeat(64), "00".repeat(64));
    for set in [
        [("reported_tcb.snp", "30"), ("policy.debug", "true")],
        [("reported_tcb.microcode", "255"), ("reported_tcb.bootloader", "0")],
        [("measurement", &measurement), ("policy.migrate_ma", "true")],
        [("chip_id", &chip_id), ("guest_svn", "9")],
        [("product", "turin"), ("reported_tcb.fmc", "9")],
        [("signer", "vlek"), ("chip_id", &hidden)],
        [("current_tcb.snp", "99"), ("plat_info.tsme_en", "true")],
    ] {
        let pairs = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let evidence = emulator(0).evidence(Tee::Snp, &[7; 48], None, &pairs).unwrap();
        let result = verify(&verifier(anchors_of(0)), evidence.to_string(), &Binding::default());
        result.unwrap_or_else(|e| panic!("{set:?}: {e}"));
    }
}

#[test]
fn each_edit_breaks_its_own_check_and_no_other() {
    let silicon = silicon();
    let guest = || silicon.guest(Product::Milan);
    let other_key = silicon
        .endorsement_key(&silicon.guest(Product::Milan).report(|r| r.chip_id = [9; 64]).endorsement_key_id());
    for (code, guest) in [
        ("SNP-010", guest().authority(|c| c.broken_signature = true)),
        ("SNP-011", guest().vek(|c| c.broken_signature = true)),
        ("SNP-012", guest().vek(|c| c.issuer.organization.push('x'))),
        ("SNP-015", guest().vek(|c| c.validity.not_after = NOW.plus(-1))),
        ("SNP-017", guest().crl(|c| c.broken_signature = true)),
        ("SNP-018", guest().crl(|c| c.next_update = Some(NOW.plus(-1)))),
        ("SNP-019", guest().revoke_authority()),
        ("SNP-020", guest().vek(|c| c.remove_extension(oid::SNP))),
        ("SNP-024", guest().vek(|c| c.set_number(oid::SNP, 77))),
        ("SNP-028", guest().vek(|c| c.set_extension(oid::HARDWARE_ID, vec![1; 64]))),
        ("SNP-029", guest().vek(|c| c.public_key = other_key.public_key_info())),
        ("SNP-030", guest().report(|r| r.vmpl = 1)),
        ("SNP-004", guest().unsigned_bytes(|b| b[0x2a0 - 1] = 1)),
    ] {
        assert_eq!(failures(raw(&guest.build().unwrap())), [code]);
    }
    let mut flipped = guest().build().unwrap();
    flipped.bytes[0x90] ^= 1;
    assert_eq!(failures(raw(&flipped)), ["SNP-029"]);
}

#[test]
fn a_guest_at_another_privilege_level_is_good_where_the_level_is_allowed() {
    let evidence = silicon().guest(Product::Genoa).report(|r| r.vmpl = 2).build().unwrap();
    let settings =
        SnpSettings { anchors: anchors_of(0), vmpl: VmplPolicy::only(&[2]), ..SnpSettings::production() };
    verify(&SnpVerifier::new(settings), evidence.to_raw(), &Binding::default()).unwrap();
}

#[test]
fn sample_evidence_is_taken_by_its_verifier() {
    let set = [("debug".to_owned(), "true".to_owned()), ("launch_digest".to_owned(), "other".to_owned())];
    let evidence = emulator(0).evidence(Tee::Sample, &[7; 48], None, &set).unwrap();
    let binding = Binding { report_data: Some(vec![7; 48]), init_data: None };
    let good = verify(&SampleVerifier, evidence.to_string(), &binding).unwrap();
    assert_eq!(good.facts().claims["debug"], true);
    assert_eq!(good.facts().claims["launch_digest"], "other");
    let other = Binding { report_data: Some(vec![8; 48]), init_data: None };
    assert_eq!(failures(verify(&SampleVerifier, evidence.to_string(), &other)), ["SAMPLE-002"]);
}
