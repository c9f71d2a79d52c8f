//! Real reports with their real certificates, against AMD's pinned roots.
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

use std::path::{Path, PathBuf};
use std::process::Command;

use assay_tee_snp::evidence::{CertType, Report, SnpEvidence};
use assay_types::{Binding, CollateralSet, Outcome, Verifier};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;
use support::{amd, at, certificates, entry, failed, outcome, vectors, verify};

struct Vector {
    report: &'static str,
    certificate: &'static str,
    cert_type: CertType,
    product: &'static str,
    version: u32,
    now: &'static str,
}

const VECTORS: [Vector; 5] = [
    Vector {
        report: "test-report.bin",
        certificate: "test-vcek.der",
        cert_type: CertType::Vcek,
        product: "Milan",
        version: 2,
        now: "2026-06-01T00:00:00Z",
    },
    Vector {
        report: "milan_oc_release_evidence.report.bin",
        certificate: "milan_oc_release_evidence.vcek.der",
        cert_type: CertType::Vcek,
        product: "Milan",
        version: 3,
        now: "2026-06-01T00:00:00Z",
    },
    Vector {
        report: "genoa_oc_evidence.report.bin",
        certificate: "genoa_oc_evidence.vcek.der",
        cert_type: CertType::Vcek,
        product: "Genoa",
        version: 5,
        now: "2026-06-01T00:00:00Z",
    },
    Vector {
        report: "turin_oc_evidence.report.bin",
        certificate: "turin_oc_evidence.vcek.der",
        cert_type: CertType::Vcek,
        product: "Turin",
        version: 5,
        now: "2026-06-01T00:00:00Z",
    },
    Vector {
        report: "test-vlek-report.bin",
        certificate: "test-vlek.der",
        cert_type: CertType::Vlek,
        product: "Milan",
        version: 3,
        now: "2025-06-01T00:00:00Z",
    },
];

fn load(folder: &Path, vector: &Vector) -> (Vec<u8>, Vec<u8>) {
    (
        std::fs::read(folder.join(vector.report)).unwrap(),
        std::fs::read(folder.join(vector.certificate)).unwrap(),
    )
}

fn none() -> CollateralSet {
    CollateralSet::default()
}

#[test]
fn every_real_report_verifies_raw_and_in_json_with_and_without_its_authorities() {
    let Some(folder) = vectors() else { return };
    for vector in &VECTORS {
        let (report, certificate) = load(&folder, vector);
        let now = at(vector.now);
        let verifier = amd();
        let chain = std::fs::read(folder.join(format!("{}_ask_ark_asvk.pem", vector.product.to_lowercase())))
            .unwrap();

        let parsed = SnpEvidence::from_raw(&report).unwrap();
        assert_eq!(parsed.report.version, vector.version);
        let entries = Some(vec![entry(vector.cert_type, &certificate)]);
        let json = SnpEvidence::new(parsed.report.clone(), entries.clone()).to_json();
        let mut raw_with_table = SnpEvidence::from_raw(&report).unwrap();
        raw_with_table.cert_chain = entries;

        let binding = Binding {
            report_data: Some(parsed.report.report_data.to_vec()),
            init_data: Some(
                assay_types::Digest::new(
                    assay_types::HashAlgorithm::Sha256,
                    parsed.report.host_data.to_vec(),
                )
                .unwrap(),
            ),
        };
        for (evidence, collateral) in [
            (report.clone(), certificates(&[&certificate])),
            (report.clone(), certificates(&[&certificate, &chain])),
            (json.clone(), none()),
            (json, certificates(&[&chain])),
            (raw_with_table.to_raw(), none()),
        ] {
            for _ in ["cold", "cached"] {
                let result = verify(&verifier, &evidence, &collateral, &binding, now);
                let accepted = result.unwrap_or_else(|e| panic!("{}: {e}", vector.report));
                assert_eq!(accepted.facts().claims["product"], vector.product);
                assert!(!accepted.facts().emulated);
                assert_eq!(outcome(accepted.findings(), "SNP-029"), Some(Outcome::Passed));
                assert!(accepted.facts().validity.contains(now));
                assert_eq!(accepted.facts().collateral.len(), 3);
            }
        }
    }
}

#[test]
fn an_expired_vlek_is_refused_by_its_date_alone() {
    let Some(folder) = vectors() else { return };
    let (report, certificate) = load(&folder, &VECTORS[4]);
    let verifier = amd();
    let given = certificates(&[&certificate]);
    // Also when the chain is remembered from when it was valid.
    for (now, codes) in [
        ("2025-12-10T22:14:21Z", vec![]),
        ("2025-12-10T22:14:22Z", vec!["SNP-015"]),
        ("2024-12-10T22:14:20Z", vec!["SNP-015"]),
    ] {
        let result = verify(&verifier, &report, &given, &Binding::default(), at(now));
        assert_eq!(failed(&result), codes, "{now}");
    }
}

#[test]
fn a_certificate_of_another_tcb_version_or_chip_is_named_in_every_part_that_differs() {
    let Some(folder) = vectors() else { return };
    let report = std::fs::read(folder.join("test-report.bin")).unwrap();
    for (certificate, codes) in [
        ("test-vcek-invalid-legacy.der", ["SNP-011", "SNP-024", "SNP-025", "SNP-028", "SNP-029"].as_slice()),
        ("test-vcek-invalid-new.der", &["SNP-011", "SNP-022", "SNP-024", "SNP-025", "SNP-028", "SNP-029"]),
        ("milan_oc_release_evidence.vcek.der", &["SNP-022", "SNP-024", "SNP-025", "SNP-028", "SNP-029"]),
    ] {
        let given = certificates(&[&std::fs::read(folder.join(certificate)).unwrap()]);
        let result = verify(&amd(), &report, &given, &Binding::default(), at("2026-06-01T00:00:00Z"));
        assert_eq!(failed(&result), codes, "{certificate}");
    }
}

#[test]
fn of_several_certificates_the_fitting_one_is_chosen() {
    let Some(folder) = vectors() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let others = [
        read("test-vcek-invalid-legacy.der"),
        read("milan_oc_release_evidence.vcek.der"),
        read("test-vcek.der"),
    ];
    let given = certificates(&others.each_ref().map(|c| c.as_slice()));
    verify(&amd(), &read("test-report.bin"), &given, &Binding::default(), at("2026-06-01T00:00:00Z"))
        .unwrap();
}

#[test]
fn several_faults_are_all_reported() {
    let Some(folder) = vectors() else { return };
    let (report, certificate) = load(&folder, &VECTORS[4]);
    let binding =
        Binding { report_data: Some(vec![1; 48]), init_data: Some(assay_types::Digest::sha384(b"x")) };
    let verifier = assay_tee_snp::SnpVerifier::new(assay_tee_snp::SnpSettings::production());
    let mut broken = report;
    broken[0x90] ^= 1;
    let result =
        verify(&verifier, &broken, &certificates(&[&certificate]), &binding, at("2026-06-01T00:00:00Z"));
    assert_eq!(failed(&result), ["SNP-015", "SNP-029", "SNP-030", "SNP-031", "SNP-032"]);
    let error = result.unwrap_err();
    let init = error.findings().iter().find(|f| f.code == "SNP-032").unwrap();
    assert!(init.detail.contains("first 32 bytes"), "{init:?}");
}

#[test]
fn any_flipped_byte_of_the_report_is_refused_with_a_code() {
    let Some(folder) = vectors() else { return };
    let (report, certificate) = load(&folder, &VECTORS[2]);
    let verifier = amd();
    let given = certificates(&[&certificate]);
    let now = at(VECTORS[2].now);
    for offset in 0..report.len() {
        let mut broken = report.clone();
        broken[offset] ^= 0x40;
        let result = verify(&verifier, &broken, &given, &Binding::default(), now);
        let codes = failed(&result);
        assert!(!codes.is_empty(), "byte {offset:#x}");
        let reserved =
            matches!(offset, 0x4c..0x50 | 0x18b..0x1a0 | 0x208..0x2a0 | 0x2d0..0x2e8 | 0x318..0x4a0);
        if reserved {
            assert!(codes.contains(&"SNP-004".to_owned()), "byte {offset:#x}: {codes:?}");
        } else if (0x50..0x140).contains(&offset) {
            assert_eq!(codes, ["SNP-029"], "byte {offset:#x}");
        }
    }
}

#[test]
fn any_flipped_byte_of_a_certificate_is_refused_with_a_code() {
    let Some(folder) = vectors() else { return };
    let pem = String::from_utf8(std::fs::read(folder.join("turin_ask_ark_asvk.pem")).unwrap()).unwrap();
    let (report, vcek) = load(&folder, &VECTORS[3]);
    let now = at(VECTORS[3].now);
    let mut all: Vec<(CertType, Vec<u8>)> = vec![(CertType::Vcek, vcek)];
    for (cert_type, block) in
        [CertType::Ask, CertType::Ark].into_iter().zip(pem.split("-----END CERTIFICATE-----"))
    {
        use base64::Engine as _;
        let body: String =
            block.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap().split_whitespace().collect();
        all.push((cert_type, base64::engine::general_purpose::STANDARD.decode(body).unwrap()));
    }
    let report = SnpEvidence::from_raw(&report).unwrap().report;
    for broken in 0..all.len() {
        for offset in 0..all[broken].1.len() {
            let mut chain = all.clone();
            chain[broken].1[offset] ^= 1;
            let entries = chain.iter().map(|(cert_type, der)| entry(*cert_type, der)).collect();
            let evidence = SnpEvidence::new(report.clone(), Some(entries)).to_raw();
            let result = verify(&amd(), &evidence, &none(), &Binding::default(), now);
            assert!(!failed(&result).is_empty(), "byte {offset} of {:?}", all[broken].0);
        }
    }
}

#[test]
fn the_collateral_a_bare_report_needs_is_named_as_trustee_names_it() {
    let Some(folder) = vectors() else { return };
    let needed = |vector: &Vector| {
        let (report, _) = load(&folder, vector);
        amd()
            .parse(&assay_types::RawEvidence::new(assay_types::Tee::Snp, report))
            .unwrap()
            .collateral_needed(at(vector.now))
    };
    let turin = needed(&VECTORS[3]);
    assert_eq!(turin.len(), 1);
    assert!(turin[0].required);
    let hwid = "3b42092f69c656d3";
    assert_eq!(
        turin[0].offline_paths,
        [format!("vcek/{hwid}/bl01_tee00_snp02_ucode71_fmc00_vcek.der"), format!("vcek/{hwid}/vcek.der")]
    );
    assert_eq!(
        turin[0].service_path,
        format!("/vcek/v1/Turin/{hwid}?fmcSPL=00&blSPL=01&teeSPL=00&snpSPL=02&ucodeSPL=71")
    );
    let milan = needed(&VECTORS[1]);
    assert!(milan[0].service_path.ends_with("?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"), "{milan:?}");
    // Version 2 does not name the product; a VLEK cannot be asked for.
    let version_2 = needed(&VECTORS[0]);
    assert_eq!(version_2.iter().map(|r| r.required).collect::<Vec<_>>(), [false, false]);
    assert!(needed(&VECTORS[4]).is_empty());
}

#[test]
fn the_sev_crate_reads_and_writes_the_same() {
    let Some(folder) = vectors() else { return };
    for vector in &VECTORS {
        let (bytes, _) = load(&folder, vector);
        let ours = Report::from_bytes(&bytes).unwrap();
        assert_eq!(ours.to_bytes().as_slice(), bytes, "{}", vector.report);
        let theirs = AttestationReport::from_bytes(&bytes).unwrap();
        // Byte for byte, member order included.
        assert_eq!(serde_json::to_string(&ours).unwrap(), sev_json(&theirs), "{}", vector.report);
        assert_eq!(theirs.to_bytes().unwrap(), ours.to_bytes());
    }
}

/// What `serde` derives for the report of the `sev` crate (its feature `serde` is not built here):
/// the members of the structures in the order of their declaration.
fn sev_json(r: &AttestationReport) -> String {
    let option = |value: Option<u64>| value.map_or("null".to_owned(), |v| v.to_string());
    let tcb = |t: &sev::firmware::host::TcbVersion| {
        let fmc = option(t.fmc.map(u64::from));
        format!(
            r#"{{"fmc":{fmc},"bootloader":{},"tee":{},"snp":{},"microcode":{}}}"#,
            t.bootloader, t.tee, t.snp, t.microcode
        )
    };
    let version = |v: &sev::firmware::guest::Version| {
        format!(r#"{{"major":{},"minor":{},"build":{}}}"#, v.major, v.minor, v.build)
    };
    let bytes = |b: &[u8]| format!("{b:?}").replace(' ', "");
    let members = [
        ("version", r.version.to_string()),
        ("guest_svn", r.guest_svn.to_string()),
        ("policy", u64::from(r.policy).to_string()),
        ("family_id", bytes(&r.family_id)),
        ("image_id", bytes(&r.image_id)),
        ("vmpl", r.vmpl.to_string()),
        ("sig_algo", r.sig_algo.to_string()),
        ("current_tcb", tcb(&r.current_tcb)),
        ("plat_info", u64::from(r.plat_info).to_string()),
        ("key_info", u32::from(r.key_info).to_string()),
        ("report_data", bytes(&r.report_data)),
        ("measurement", bytes(&r.measurement)),
        ("host_data", bytes(&r.host_data)),
        ("id_key_digest", bytes(&r.id_key_digest)),
        ("author_key_digest", bytes(&r.author_key_digest)),
        ("report_id", bytes(&r.report_id)),
        ("report_id_ma", bytes(&r.report_id_ma)),
        ("reported_tcb", tcb(&r.reported_tcb)),
        ("cpuid_fam_id", option(r.cpuid_fam_id.map(u64::from))),
        ("cpuid_mod_id", option(r.cpuid_mod_id.map(u64::from))),
        ("cpuid_step", option(r.cpuid_step.map(u64::from))),
        ("chip_id", bytes(&r.chip_id)),
        ("committed_tcb", tcb(&r.committed_tcb)),
        ("current", version(&r.current)),
        ("committed", version(&r.committed)),
        ("launch_tcb", tcb(&r.launch_tcb)),
        ("launch_mit_vector", option(r.launch_mit_vector)),
        ("current_mit_vector", option(r.current_mit_vector)),
        ("signature", format!(r#"{{"r":{},"s":{}}}"#, bytes(r.signature.r()), bytes(r.signature.s()))),
    ];
    let members: Vec<String> = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn the_report_carried_by_the_sev_crate_verifies() {
    let Some(folder) = sev_package() else {
        println!("skipped: the source of the sev crate is not at hand");
        return;
    };
    let data = folder.join("tests/certs_data");
    let (Ok(report), Ok(vcek)) =
        (std::fs::read(data.join("report_milan.hex")), std::fs::read(data.join("vcek_milan.der")))
    else {
        println!("skipped: this release of the sev crate carries no report");
        return;
    };
    let report = match std::str::from_utf8(&report).ok().and_then(|text| hex::decode(text.trim()).ok()) {
        Some(bytes) => bytes,
        None => report,
    };
    let now = at("2026-06-01T00:00:00Z");
    verify(&amd(), &report, &certificates(&[&vcek]), &Binding::default(), now).unwrap();
    let mut broken = report;
    broken[0x60] ^= 1;
    let result = verify(&amd(), &broken, &certificates(&[&vcek]), &Binding::default(), now);
    assert_eq!(failed(&result), ["SNP-029"]);
}

/// Where cargo keeps the source of the `sev` crate.
fn sev_package() -> Option<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let package = metadata["packages"].as_array()?.iter().find(|p| p["name"] == "sev")?;
    Some(Path::new(package["manifest_path"].as_str()?).parent()?.to_path_buf())
}
