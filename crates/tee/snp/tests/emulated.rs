//! Evidence of the emulator: what is accepted, what is claimed of it, and the rules that no published
//! evidence shows.
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

use assay_emulator::snp::{Certificates, ENDORSEMENT_VALIDITY, oid};
use assay_emulator::{Emulator, Seed, SnpSilicon};
use assay_tee_snp::evidence::{CertEntry, CertType, SnpEvidence};
use assay_tee_snp::{CrlPolicy, KeyKind, Product, SnpAnchors, SnpSettings, SnpVerifier, VmplPolicy};
use assay_types::{
    Binding, CollateralOrigin, CollateralSet, Digest, HashAlgorithm, Outcome, RawEvidence, Tee, Verifier,
    VerifyError,
};
use base64::Engine as _;
use support::{amd, certificates, emulated, emulated_settings, entry, failed, now, outcome, vectors, verify};

fn silicon() -> SnpSilicon {
    SnpSilicon::new(Seed::DEVELOPMENT)
}

fn none() -> CollateralSet {
    CollateralSet::default()
}

fn check(evidence: &[u8]) -> Result<assay_types::Authenticated, VerifyError> {
    verify(&emulated(), evidence, &none(), &Binding::default(), now())
}

#[test]
fn every_product_key_and_version_is_accepted_in_both_forms() {
    let silicon = silicon();
    let verifier = emulated();
    for product in Product::ALL {
        for kind in KeyKind::ALL {
            for version in 2..=5 {
                for certificates in [Certificates::Chain, Certificates::Full] {
                    let guest = silicon.guest(product).signed_by(kind).version(version);
                    let evidence = guest.certificates(certificates).crl(|_| {}).build().unwrap();
                    let json = serde_json::to_vec(&evidence.to_json()).unwrap();
                    for bytes in [json, evidence.to_raw()] {
                        let accepted = verify(&verifier, &bytes, &none(), &Binding::default(), now())
                            .unwrap_or_else(|e| panic!("{product} {kind} version {version}: {e}"));
                        let facts = accepted.facts();
                        assert!(facts.emulated);
                        assert_eq!(facts.claims["product"], product.as_str());
                        assert_eq!(facts.claims["signing_key"], kind.as_str());
                        assert_eq!(facts.claims.contains_key("reported_tcb_fmc"), product == Product::Turin);
                        assert_eq!(facts.claims.contains_key("launch_mit_vector"), version == 5);
                        assert_eq!(facts.claims.contains_key("csp_id"), kind == KeyKind::Vlek);
                        assert_eq!(facts.validity, ENDORSEMENT_VALIDITY);
                        assert_eq!(facts.collateral.len(), 4);
                    }
                }
            }
        }
    }
}

#[test]
fn the_claims_have_trustees_names_and_types() {
    let evidence = silicon()
        .guest(Product::Milan)
        .report(|r| {
            r.policy |= 1 << 19;
            r.policy |= 0x0137;
            r.report_data = [5; 64];
            r.host_data = [6; 32];
        })
        .build()
        .unwrap();
    let accepted = check(&evidence.to_raw()).unwrap();
    let facts = accepted.facts();
    let claims = &facts.claims;
    for (name, value) in [
        ("policy_abi_major", serde_json::json!(1)),
        ("policy_abi_minor", serde_json::json!(0x37)),
        ("policy_smt_allowed", serde_json::json!(true)),
        ("policy_migrate_ma", serde_json::json!(false)),
        ("policy_debug_allowed", serde_json::json!(true)),
        ("policy_single_socket", serde_json::json!(false)),
        ("reported_tcb_bootloader", serde_json::json!(4)),
        ("reported_tcb_tee", serde_json::json!(0)),
        ("reported_tcb_snp", serde_json::json!(24)),
        ("reported_tcb_microcode", serde_json::json!(219)),
        ("platform_tsme_enabled", serde_json::json!(false)),
        ("platform_smt_enabled", serde_json::json!(true)),
        ("measurement", serde_json::json!(hex::encode(evidence.report.measurement))),
        ("chip_id", serde_json::json!(hex::encode(evidence.report.chip_id))),
        ("host_data", serde_json::json!("06".repeat(32))),
        ("current_version_build", serde_json::json!(43)),
        ("product_name", serde_json::json!("Milan-B0")),
        ("chip_id_masked", serde_json::json!(false)),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(facts.report_data.as_deref(), Some("05".repeat(64).as_str()));
    assert_eq!(facts.init_data.as_deref(), Some("06".repeat(32).as_str()));
    assert!(!claims.contains_key("report_data") && !claims.contains_key("init_data"));
}

#[test]
fn what_was_not_asked_for_is_named_as_not_checked() {
    let evidence = silicon().guest(Product::Genoa).build().unwrap().to_raw();
    let accepted = check(&evidence).unwrap();
    for code in ["SNP-016", "SNP-017", "SNP-018", "SNP-019", "SNP-031", "SNP-032"] {
        assert_eq!(outcome(accepted.findings(), code), Some(Outcome::NotChecked), "{code}");
    }
}

#[test]
fn anchors_decide_who_is_believed() {
    let file = Emulator::new(Seed::DEVELOPMENT).anchors();
    let anchors = &file.anchors[&Tee::Snp];
    let both = SnpVerifier::new(SnpSettings {
        anchors: SnpAnchors::amd().with_emulated(anchors).unwrap(),
        ..SnpSettings::production()
    });
    let evidence = silicon().guest(Product::Milan).build().unwrap().to_raw();
    assert!(verify(&both, &evidence, &none(), &Binding::default(), now()).unwrap().facts().emulated);
    let refused = verify(&amd(), &evidence, &none(), &Binding::default(), now());
    assert_eq!(failed(&refused), ["SNP-010", "SNP-012"]);
    let full = silicon().guest(Product::Milan).certificates(Certificates::Full).build().unwrap().to_raw();
    let refused = verify(&amd(), &full, &none(), &Binding::default(), now());
    assert_eq!(failed(&refused), ["SNP-009"]);
    // Without its authority it is held against AMD's.
    let alone = silicon().guest(Product::Milan).certificates(Certificates::Vek).build().unwrap().to_raw();
    let refused = verify(&both, &alone, &none(), &Binding::default(), now());
    assert_eq!(failed(&refused), ["SNP-011", "SNP-012"]);

    let Some(folder) = vectors() else { return };
    let report = std::fs::read(folder.join("milan_oc_release_evidence.report.bin")).unwrap();
    let vcek = std::fs::read(folder.join("milan_oc_release_evidence.vcek.der")).unwrap();
    let given = certificates(&[&vcek]);
    assert!(!verify(&both, &report, &given, &Binding::default(), now()).unwrap().facts().emulated);
    let refused = verify(&emulated(), &report, &given, &Binding::default(), now());
    assert_eq!(failed(&refused), ["SNP-007"]);
}

#[test]
fn anchors_of_another_shape_are_refused() {
    let good = Emulator::new(Seed::DEVELOPMENT).anchors().anchors[&Tee::Snp].clone();
    let milan = good["arks"][0]["certificate"].as_str().unwrap();
    let ask = silicon().guest(Product::Milan).build().unwrap();
    let ask = base64::engine::general_purpose::STANDARD.encode(ask.certificate(CertType::Ask).unwrap());
    for (entry, what) in [
        (serde_json::json!({}), "missing field"),
        (serde_json::json!({"arks": []}), "no root"),
        (serde_json::json!({"arks": [], "extra": 1}), "unknown field"),
        (serde_json::json!({"arks": [{"product": "Rome", "certificate": milan}]}), "unknown product"),
        (serde_json::json!({"arks": [{"product": "Genoa", "certificate": milan}]}), "not of ARK-Genoa"),
        (serde_json::json!({"arks": [{"product": "Milan", "certificate": "!"}]}), "not base64"),
        (serde_json::json!({"arks": [{"product": "Milan", "certificate": ""}]}), "not a certificate"),
        (
            serde_json::json!({"arks": [{"product": "Milan", "certificate": "A".repeat(1 << 20)}]}),
            "more than",
        ),
        (serde_json::json!({"arks": [{"product": "Milan", "certificate": ask}]}), "not of ARK-Milan"),
    ] {
        let error = SnpAnchors::emulated_only(&entry).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_hidden_chip_fails_with_a_vcek_and_does_not_matter_with_a_vlek() {
    let silicon = silicon();
    for product in Product::ALL {
        let masked = |kind| silicon.guest(product).signed_by(kind).report(|r| r.chip_id = [0; 64]).build();
        assert_eq!(failed(&check(&masked(KeyKind::Vcek).unwrap().to_raw())), ["SNP-028"], "{product}");
        let accepted = check(&masked(KeyKind::Vlek).unwrap().to_raw()).unwrap();
        assert_eq!(accepted.facts().claims["chip_id_masked"], true);
    }
}

#[test]
fn version_2_takes_its_product_from_the_certificate_and_the_chip_id_must_fit_it() {
    let silicon = silicon();
    let genoa = silicon.guest(Product::Genoa).version(2).build().unwrap();
    assert_eq!(check(&genoa.to_raw()).unwrap().facts().claims["product"], "Genoa");
    // A chip id in the shape of Turin's on Milan: the layout of the TCB versions is another.
    let milan = silicon.guest(Product::Milan).version(2).report(|r| r.chip_id[8..].fill(0)).build().unwrap();
    let codes = failed(&check(&milan.to_raw()));
    assert!(codes.contains(&"SNP-021".to_owned()), "{codes:?}");
    // A hidden chip id on Turin leaves the layout in doubt, and Turin never wrote version 2.
    let turin = silicon.guest(Product::Turin).signed_by(KeyKind::Vlek).version(2);
    let codes = failed(&check(&turin.report(|r| r.chip_id = [0; 64]).build().unwrap().to_raw()));
    assert!(!codes.is_empty());
}

#[test]
fn a_report_without_signature_or_of_a_reserved_key_is_refused() {
    for number in [2, 3, 4, 5, 6, 7] {
        let evidence = silicon().guest(Product::Milan).report(|r| r.key_info = number << 2).build().unwrap();
        let result = check(&evidence.to_raw());
        assert_eq!(failed(&result), ["SNP-008"], "{number}");
    }
    let mut unsigned = silicon().guest(Product::Milan).report(|r| r.key_info = 2 | 7 << 2).build().unwrap();
    unsigned.report.signature = Default::default();
    let json = serde_json::to_vec(&unsigned.to_json()).unwrap();
    assert_eq!(failed(&check(&json)), ["SNP-008", "SNP-029"]);
}

#[test]
fn a_vlek_where_a_vcek_signed_is_named() {
    let silicon = silicon();
    let vcek = silicon.guest(Product::Milan).build().unwrap();
    let vlek = silicon.guest(Product::Milan).signed_by(KeyKind::Vlek).build().unwrap();
    let evidence = SnpEvidence::new(vcek.report, vlek.cert_chain);
    assert_eq!(failed(&check(&evidence.to_json())), ["SNP-008", "SNP-029"]);
}

#[test]
fn the_hardware_id_is_read_bare_and_within_an_octet_string() {
    for product in Product::ALL {
        let wrapped = silicon().guest(product).vek(|c| {
            let id = c.extensions.iter_mut().find(|e| e.oid == oid::HARDWARE_ID).unwrap();
            id.value.splice(0..0, [4, u8::try_from(id.value.len()).unwrap()]);
        });
        check(&wrapped.build().unwrap().to_raw()).unwrap();
    }
}

#[test]
fn extensions_are_read_strictly() {
    let integer = |bytes: &[u8]| bytes.to_vec();
    for (oid, value) in [
        (oid::STRUCT_VERSION, integer(&[2, 1, 2])),
        (oid::BOOTLOADER, integer(&[2, 2, 0, 4])),
        (oid::BOOTLOADER, integer(&[2, 1, 0x84])),
        (oid::BOOTLOADER, integer(&[2, 1, 4, 0])),
        (oid::BOOTLOADER, integer(&[2, 2, 1, 4])),
        (oid::BOOTLOADER, integer(&[4, 1, 4])),
        (oid::BOOTLOADER, integer(&[])),
        (oid::PRODUCT_NAME, integer(b"\x0c\x05Milan")),
        (oid::PRODUCT_NAME, integer(b"\x16\x06Milan")),
        (oid::HARDWARE_ID, vec![0; 63]),
        (oid::HARDWARE_ID, vec![0; 66]),
        (oid::CSP_ID, integer(b"\x16\x01x")),
    ] {
        let guest = silicon().guest(Product::Milan).vek(|c| c.set_extension(oid, value.clone()));
        let codes = failed(&check(&guest.build().unwrap().to_raw()));
        assert_eq!(codes, ["SNP-020"], "{oid} {value:x?}");
    }
    for oid in [oid::BOOTLOADER, oid::TEE, oid::SNP, oid::MICROCODE, oid::PRODUCT_NAME, oid::HARDWARE_ID] {
        let guest = silicon().guest(Product::Milan).vek(|c| c.remove_extension(oid));
        assert_eq!(failed(&check(&guest.build().unwrap().to_raw())), ["SNP-020"], "{oid}");
    }
    let twice = silicon().guest(Product::Milan).vek(|c| c.extensions.push(c.extensions[0].clone()));
    assert_eq!(failed(&check(&twice.build().unwrap().to_raw())), ["SNP-006", "SNP-007"]);
    let fmc_on_milan = silicon().guest(Product::Milan).vek(|c| c.set_number(oid::FMC, 0));
    assert_eq!(failed(&check(&fmc_on_milan.build().unwrap().to_raw())), ["SNP-026"]);
    let no_fmc_on_turin = silicon().guest(Product::Turin).vek(|c| c.remove_extension(oid::FMC));
    assert_eq!(failed(&check(&no_fmc_on_turin.build().unwrap().to_raw())), ["SNP-020"]);
}

#[test]
fn bad_certificates_are_named_precisely() {
    let good = silicon().guest(Product::Milan).build().unwrap();
    let ask = good.certificate(CertType::Ask).unwrap().to_vec();
    let with = |entries: Vec<CertEntry>| SnpEvidence::new(good.report.clone(), Some(entries)).to_json();
    for (data, what) in [
        (vec![], "is empty"),
        (vec![0x30], "not a certificate"),
        (vec![0; 16384], "not a certificate"),
        (ask, "holds the certificate of"),
        (b"-----BEGIN CERTIFICATE-----\nMAA".to_vec(), "has no end"),
        (b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----".to_vec(), "neither"),
    ] {
        let error = check(&with(vec![entry(CertType::Vcek, &data)])).unwrap_err();
        let finding = error.findings().iter().find(|f| f.code == "SNP-006").unwrap();
        assert_eq!(finding.outcome, Outcome::Failed);
        assert!(finding.detail.contains(what) && finding.detail.contains("entry 0"), "{finding:?}");
    }
    let ten_megabytes = vec![0; 10 << 20];
    for (bytes, what) in [
        (with(vec![entry(CertType::Vcek, &ten_megabytes[..16385])]), "more than 16384 bytes"),
        (with(vec![entry(CertType::Other(CertType::Ask.guid()), b"x"); 17]), "more than 16 certificates"),
        (
            SnpEvidence::new(good.report.clone(), Some(vec![entry(CertType::Vcek, &ten_megabytes)])).to_raw(),
            "more than 16384",
        ),
    ] {
        let Err(VerifyError::Malformed(findings)) = check(&bytes) else { panic!("{what}") };
        assert_eq!(findings[0].code, "SNP-001");
        assert!(findings[0].detail.contains(what), "{findings:?}");
    }
    let huge = certificates(&[&ten_megabytes]);
    let result = verify(&emulated(), &good.to_raw(), &huge, &Binding::default(), now());
    assert_eq!(failed(&result), ["SNP-006"]);
}

#[test]
fn certificates_in_pem_are_read_too() {
    let good = silicon().guest(Product::Milan).certificates(Certificates::Full).crl(|_| {}).build().unwrap();
    let mut pem = String::new();
    for entry in good.cert_chain.as_ref().unwrap() {
        let label = if entry.cert_type == CertType::Crl { "X509 CRL" } else { "CERTIFICATE" };
        let body = base64::engine::general_purpose::STANDARD.encode(&entry.data);
        pem.push_str(&format!("text before\n-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"));
    }
    let given = certificates(&[pem.as_bytes()]);
    let settings = SnpSettings { crl: CrlPolicy::Required, ..emulated_settings() };
    let verifier = SnpVerifier::new(settings);
    let accepted = verify(&verifier, &good.bytes, &given, &Binding::default(), now()).unwrap();
    let origins: Vec<_> = accepted.facts().collateral.iter().map(|used| used.origin.clone()).collect();
    let given = CollateralOrigin::File("given".into());
    assert_eq!(origins, [given.clone(), CollateralOrigin::Bundled, given.clone(), given]);
}

#[test]
fn lists_of_others_are_left_alone_and_older_lists_still_revoke() {
    let silicon = silicon();
    let verifier = emulated();
    let good = silicon.guest(Product::Milan).build().unwrap().to_raw();
    let foreign = silicon.guest(Product::Genoa).crl(|_| {}).build().unwrap();
    let foreign = certificates(&[foreign.certificate(CertType::Crl).unwrap()]);
    let accepted = verify(&verifier, &good, &foreign, &Binding::default(), now()).unwrap();
    assert_eq!(outcome(accepted.findings(), "SNP-016"), Some(Outcome::NotChecked));

    let old = silicon.guest(Product::Milan).revoke_authority().crl(|c| c.next_update = Some(now().plus(-1)));
    let old = old.build().unwrap();
    let new = silicon.guest(Product::Milan).crl(|c| c.this_update = now().plus(-2)).build().unwrap();
    let lists =
        certificates(&[old.certificate(CertType::Crl).unwrap(), new.certificate(CertType::Crl).unwrap()]);
    assert_eq!(failed(&verify(&verifier, &good, &lists, &Binding::default(), now())), ["SNP-019"]);

    let of_ask = silicon.guest(Product::Milan).crl(|c| {
        c.issuer = assay_emulator::snp::Name::new("SEV-Milan");
        c.signer.1 = assay_emulator::snp::Authority::Ask;
        c.revoked.push((0, c.this_update));
    });
    let codes = failed(&check(&of_ask.build().unwrap().to_raw()));
    assert_eq!(codes, ["SNP-017", "SNP-019"], "the key usage of an ASK has no cRLSign");
    let endless = silicon.guest(Product::Milan).crl(|c| c.next_update = None);
    assert_eq!(failed(&check(&endless.build().unwrap().to_raw())), ["SNP-018"]);
}

#[test]
fn a_remembered_chain_does_not_outlive_its_dates_nor_hide_other_faults() {
    let verifier = emulated();
    let good = silicon().guest(Product::Milan).build().unwrap();
    let run = |evidence: &[u8], now| failed(&verify(&verifier, evidence, &none(), &Binding::default(), now));
    assert!(run(&good.to_raw(), now()).is_empty());
    assert!(run(&good.to_raw(), now()).is_empty());
    let mut forged = good.clone();
    forged.report.measurement[0] ^= 1;
    let json = SnpEvidence::new(forged.report, forged.cert_chain).to_json();
    assert_eq!(run(&json, now()), ["SNP-029"]);
    assert_eq!(run(&good.to_raw(), ENDORSEMENT_VALIDITY.not_after.plus(1)), ["SNP-015"]);
    assert!(run(&good.to_raw(), now()).is_empty());
}

#[test]
fn privilege_levels_are_a_setting() {
    for (allowed, level, accepted) in [
        (vec![0], 0, true),
        (vec![0], 1, false),
        (vec![1, 2], 2, true),
        (vec![1], 0, false),
        (vec![], 0, false),
        (vec![0, 1, 2, 3, 4], 4, false),
        (vec![0], u32::MAX, false),
    ] {
        let verifier =
            SnpVerifier::new(SnpSettings { vmpl: VmplPolicy::only(&allowed), ..emulated_settings() });
        let evidence = silicon().guest(Product::Milan).report(|r| r.vmpl = level).build().unwrap().to_raw();
        let result = verify(&verifier, &evidence, &none(), &Binding::default(), now());
        assert_eq!(result.is_ok(), accepted, "{allowed:?} {level}");
    }
}

#[test]
fn init_data_of_any_algorithm_is_compared_by_what_fits() {
    for algorithm in HashAlgorithm::ALL {
        let digest = algorithm.digest(b"init data");
        let guest = silicon().guest(Product::Milan);
        let evidence =
            guest.report(|r| r.host_data.copy_from_slice(&digest.as_bytes()[..32])).build().unwrap();
        let with = |init_data| Binding { report_data: None, init_data: Some(init_data) };
        let accepted = verify(&emulated(), &evidence.to_raw(), &none(), &with(digest), now()).unwrap();
        let finding = accepted.findings().iter().find(|f| f.code == "SNP-032").unwrap();
        assert_eq!(finding.found.contains("first 32 bytes"), algorithm != HashAlgorithm::Sha256);
        let other = with(Digest::sha256(b"other"));
        assert_eq!(failed(&verify(&emulated(), &evidence.to_raw(), &none(), &other, now())), ["SNP-032"]);
    }
}

#[test]
fn report_data_that_cannot_fit_fail_the_check() {
    let evidence = silicon().guest(Product::Milan).build().unwrap().to_raw();
    let binding = Binding { report_data: Some(vec![0; 65]), init_data: None };
    let error = verify(&emulated(), &evidence, &none(), &binding, now()).unwrap_err();
    let finding = error.failures().next().unwrap();
    assert_eq!(finding.code, "SNP-031");
    assert!(finding.detail.contains("65 bytes"), "{finding:?}");
}

#[test]
fn collateral_is_asked_for_only_where_it_lacks_and_can_be_had() {
    let silicon = silicon();
    let required = SnpSettings { crl: CrlPolicy::Required, ..emulated_settings() };
    let needed = |settings: &SnpSettings, guest: assay_emulator::snp::Guest<'_>| {
        let raw = guest.build().unwrap().to_raw();
        let parsed = SnpVerifier::new(settings.clone()).parse(&RawEvidence::new(Tee::Snp, raw)).unwrap();
        parsed.collateral_needed(now()).into_iter().map(|r| (r.service_path, r.required)).collect::<Vec<_>>()
    };
    let genoa = || silicon.guest(Product::Genoa);
    assert_eq!(needed(&emulated_settings(), genoa()), []);
    assert_eq!(needed(&required, genoa().crl(|_| {})), []);
    assert_eq!(needed(&required, genoa()), [("/vcek/v1/Genoa/crl".to_owned(), true)]);
    let vlek = genoa().signed_by(KeyKind::Vlek).certificates(Certificates::None);
    assert_eq!(needed(&required, vlek), [("/vlek/v1/Genoa/crl".to_owned(), true)]);
    let hidden = genoa().certificates(Certificates::None).report(|r| r.chip_id = [0; 64]);
    assert_eq!(needed(&emulated_settings(), hidden), []);
    let bare = needed(&emulated_settings(), genoa().certificates(Certificates::None));
    assert_eq!(bare.len(), 1);
    assert!(bare[0].1 && bare[0].0.starts_with("/vcek/v1/Genoa/"), "{bare:?}");
}
