//! For every check of the catalogue, evidence in which that check alone fails: good evidence of the
//! emulator with one thing broken.
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

mod support;

use std::collections::BTreeSet;

use assay_emulator::snp::{Authority, Certificates, ENDORSEMENT_VALIDITY, Guest, oid};
use assay_emulator::{Seed, SnpSilicon};
use assay_tee_snp::evidence::CertType;
use assay_tee_snp::{CHECKS, CrlPolicy, Product, SnpSettings, SnpVerifier};
use assay_types::{Binding, CollateralSet, Digest, Outcome, UnixTime};
use support::{emulated_anchors, emulated_settings, entry, failed, now, verify};

const REPORT_DATA: [u8; 48] = [7; 48];
const INIT_DATA: &[u8] = b"init data";

/// A case: everything good until it is changed.
struct Case {
    code: &'static str,
    evidence: Vec<u8>,
    settings: SnpSettings,
    binding: Binding,
    now: UnixTime,
}

impl Case {
    fn new(code: &'static str, evidence: Vec<u8>) -> Self {
        Case { code, evidence, settings: emulated_settings(), binding: binding(), now: now() }
    }

    fn guest(code: &'static str, guest: Guest<'_>) -> Self {
        Case::new(code, guest.build().unwrap().to_raw())
    }
}

fn binding() -> Binding {
    Binding { report_data: Some(REPORT_DATA.to_vec()), init_data: Some(Digest::sha256(INIT_DATA)) }
}

fn bound(guest: Guest<'_>) -> Guest<'_> {
    guest.report(|r| {
        r.report_data[..48].copy_from_slice(&REPORT_DATA);
        r.host_data.copy_from_slice(Digest::sha256(INIT_DATA).as_bytes());
    })
}

fn milan(silicon: &SnpSilicon) -> Guest<'_> {
    bound(silicon.guest(Product::Milan))
}

fn cases(silicon: &SnpSilicon) -> Vec<Case> {
    let good = milan(silicon).build().unwrap();
    let mut cases = form_cases(silicon);

    // The chain.
    let mut mislabelled = good.clone();
    mislabelled.cert_chain.as_mut().unwrap().push(entry(CertType::Vcek, b"x"));
    cases.push(Case::new("SNP-006", mislabelled.to_raw()));
    cases.push(Case::guest("SNP-007", milan(silicon).certificates(Certificates::None)));
    cases.push(Case::guest("SNP-008", milan(silicon).report(|r| r.key_info = 1 << 2)));
    cases.push(Case {
        settings: SnpSettings {
            anchors: emulated_anchors(Seed::PUBLISHED[1].clone()),
            ..emulated_settings()
        },
        ..Case::guest("SNP-009", milan(silicon).certificates(Certificates::Full))
    });
    cases.push(Case::guest("SNP-010", milan(silicon).authority(|c| c.broken_signature = true)));
    cases.push(Case::guest("SNP-011", milan(silicon).vek(|c| c.broken_signature = true)));
    cases.push(Case::guest("SNP-012", milan(silicon).vek(|c| c.subject.common_name = "SEV-VCEX".into())));
    cases.push(Case::guest(
        "SNP-013",
        milan(silicon).authority(|c| c.remove_extension(oid::BASIC_CONSTRAINTS)),
    ));
    // Only the outer algorithm identifier is changed, which is not signed: a salt of 32.
    let mut other_salt = good.clone();
    let ask =
        other_salt.cert_chain.as_mut().unwrap().iter_mut().find(|e| e.cert_type == CertType::Ask).unwrap();
    let salt = ask.data.windows(5).rposition(|w| w == [0xa2, 3, 2, 1, 0x30]).unwrap();
    ask.data[salt + 4] = 0x20;
    cases.push(Case::new("SNP-014", other_salt.to_raw()));
    cases.push(Case { now: ENDORSEMENT_VALIDITY.not_after.plus(1), ..Case::new("SNP-015", good.to_raw()) });

    // Revocation.
    cases.push(Case {
        settings: SnpSettings { crl: CrlPolicy::Required, ..emulated_settings() },
        ..Case::new("SNP-016", good.to_raw())
    });
    cases.push(Case::guest("SNP-017", milan(silicon).crl(|c| c.broken_signature = true)));
    cases.push(Case::guest("SNP-018", milan(silicon).crl(|c| c.next_update = Some(now().plus(-1)))));
    cases.push(Case::guest("SNP-019", milan(silicon).revoke_authority()));

    // What the certificate says of key and platform.
    cases.push(Case::guest("SNP-020", milan(silicon).vek(|c| c.remove_extension(oid::STRUCT_VERSION))));
    cases.push(Case::guest("SNP-021", milan(silicon).vek(|c| c.set_text(oid::PRODUCT_NAME, "Genoa"))));
    cases.push(Case::guest("SNP-022", milan(silicon).vek(|c| c.set_number(oid::BOOTLOADER, 99))));
    cases.push(Case::guest("SNP-023", milan(silicon).vek(|c| c.set_number(oid::TEE, 99))));
    cases.push(Case::guest("SNP-024", milan(silicon).vek(|c| c.set_number(oid::SNP, 99))));
    cases.push(Case::guest("SNP-025", milan(silicon).vek(|c| c.set_number(oid::MICROCODE, 99))));
    let turin = bound(silicon.guest(Product::Turin));
    cases.push(Case::guest("SNP-026", turin.vek(|c| c.set_number(oid::FMC, 99))));
    cases.push(Case::guest("SNP-027", milan(silicon).vek(|c| c.set_number(oid::RESERVED[0], 1))));
    cases
        .push(Case::guest("SNP-028", milan(silicon).vek(|c| c.set_extension(oid::HARDWARE_ID, vec![1; 64]))));

    // What the report says.
    let mut unsigned = good.clone();
    unsigned.bytes[0x2a0] ^= 1;
    cases.push(Case::new("SNP-029", unsigned.to_raw()));
    cases.push(Case::guest("SNP-030", milan(silicon).report(|r| r.vmpl = 1)));
    let other = Binding { report_data: Some(vec![8; 48]), ..binding() };
    cases.push(Case { binding: other, ..Case::new("SNP-031", good.to_raw()) });
    let other = Binding { init_data: Some(Digest::sha256(b"other init data")), ..binding() };
    cases.push(Case { binding: other, ..Case::new("SNP-032", good.to_raw()) });
    cases
}

fn form_cases(silicon: &SnpSilicon) -> Vec<Case> {
    vec![
        Case::new("SNP-001", milan(silicon).build().unwrap().bytes[..1183].to_vec()),
        Case::guest("SNP-002", milan(silicon).report(|r| r.version = 6)),
        Case::guest("SNP-003", milan(silicon).report(|r| r.cpuid_mod_id = Some(0x50))),
        Case::guest("SNP-004", milan(silicon).unsigned_bytes(|b| b[0x4c] = 1)),
        Case::guest("SNP-005", milan(silicon).report(|r| r.sig_algo = 2)),
    ]
}

#[test]
fn the_evidence_that_the_cases_start_from_is_good() {
    let silicon = SnpSilicon::new(Seed::DEVELOPMENT);
    for guest in [milan(&silicon), milan(&silicon).crl(|_| {}), bound(silicon.guest(Product::Turin))] {
        let evidence = guest.build().unwrap().to_raw();
        let verifier = SnpVerifier::new(emulated_settings());
        let accepted = verify(&verifier, &evidence, &CollateralSet::default(), &binding(), now()).unwrap();
        assert!(accepted.facts().emulated);
    }
}

#[test]
fn each_check_fails_alone() {
    let silicon = SnpSilicon::new(Seed::DEVELOPMENT);
    // The keys of the other seed's roots are made while these are.
    assert_ne!(
        silicon.authority_public_key(Product::Milan, Authority::Ark),
        SnpSilicon::new(Seed::PUBLISHED[1].clone()).authority_public_key(Product::Milan, Authority::Ark)
    );
    let mut covered = BTreeSet::new();
    for case in cases(&silicon) {
        let verifier = SnpVerifier::new(case.settings);
        let result = verify(&verifier, &case.evidence, &CollateralSet::default(), &case.binding, case.now);
        assert_eq!(failed(&result), [case.code], "{result:#?}");
        let error = result.unwrap_err();
        let finding = error.failures().next().unwrap();
        let says = [&finding.expected, &finding.found, &finding.detail].iter().any(|text| !text.is_empty());
        assert!(says && !finding.remedy.is_empty(), "{finding:?}");
        assert!(error.findings().iter().all(|f| f.code == case.code || f.outcome != Outcome::Failed));
        covered.insert(case.code);
    }
    let catalogue: BTreeSet<&str> = CHECKS.iter().map(|check| check.code).collect();
    assert_eq!(covered, catalogue, "every check has a case, and every case a check");
}

#[test]
fn codes_and_names_of_the_catalogue_are_unique() {
    let codes: BTreeSet<&str> = CHECKS.iter().map(|check| check.code).collect();
    let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!((codes.len(), names.len()), (CHECKS.len(), CHECKS.len()));
    assert!(CHECKS.iter().all(|check| !check.remedy.is_empty() && !check.source.is_empty()));
}
