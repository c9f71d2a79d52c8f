//! Every field that can be set by text takes effect, and nothing else can be set.
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

use std::collections::BTreeSet;
use std::sync::LazyLock;

use assay_emulator::{Emulator, EmulatorError, Seed, snp};
use assay_types::{Digest, Tee};
use proptest::prelude::{ProptestConfig, proptest};
use serde_json::{Value, json};

fn emulator() -> &'static Emulator {
    static EMULATOR: LazyLock<Emulator> = LazyLock::new(|| Emulator::new(Seed::DEVELOPMENT));
    &EMULATOR
}

fn pairs(set: &[(&str, &str)]) -> Vec<(String, String)> {
    set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn evidence(tee: Tee, set: &[(&str, &str)]) -> Result<Value, EmulatorError> {
    emulator().evidence(tee, &[7; 48], None, &pairs(set))
}

fn report(set: &[(&str, &str)]) -> Value {
    evidence(Tee::Snp, set).unwrap()["attestation_report"].clone()
}

/// Where the report differs, as JSON pointers; the signature left out.
fn differences(a: &Value, b: &Value) -> BTreeSet<String> {
    fn walk(path: String, a: &Value, b: &Value, out: &mut BTreeSet<String>) {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                for (name, value) in a {
                    walk(format!("{path}.{name}"), value, &b[name], out);
                }
            }
            _ if a != b => {
                out.insert(path);
            }
            _ => {}
        }
    }
    let mut out = BTreeSet::new();
    walk(String::new(), a, b, &mut out);
    out.into_iter()
        .map(|path| path.trim_start_matches('.').to_owned())
        .filter(|path| !path.starts_with("signature"))
        .collect()
}

const B16: &str = "0102030405060708090a0b0c0d0e0f10";

fn repeated(len: usize) -> (String, Value) {
    (B16.repeat(len / 16), Value::from((0..len).map(|i| (i % 16 + 1) as u64).collect::<Vec<_>>()))
}

/// Sets the field beside `with` and expects exactly `changes` in the report.
fn changes(name: &str, value: &str, with: &[(&str, &str)], expected: &[(&str, Value)]) {
    let before = report(with);
    let mut set = vec![(name, value)];
    set.extend_from_slice(with);
    let after = report(&set);
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for (path, value) in expected {
        let found = path.split('.').fold(&after, |value, member| &value[member]);
        assert_eq!(found, value, "{name}={value}: {path}");
        wanted.insert(path.to_string());
    }
    assert_eq!(differences(&before, &after), wanted, "{name}={value}");
}

#[test]
fn every_field_of_the_report_changes_itself_and_nothing_else() {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (name, value, found) in [
        ("guest_svn", "7", json!(7)),
        ("policy", "0x20000", json!(0x2_0000)),
        ("vmpl", "3", json!(3)),
        ("sig_algo", "2", json!(2)),
        ("plat_info", "0x1", json!(1)),
        ("key_info", "5", json!(5)),
        ("cpuid_fam_id", "1", json!(1)),
        ("cpuid_mod_id", "0xf", json!(15)),
        ("cpuid_step", "9", json!(9)),
    ] {
        changes(name, value, &[], &[(name, found)]);
        done.insert(name);
    }
    for (name, len) in [
        ("family_id", 16),
        ("image_id", 16),
        ("report_data", 64),
        ("measurement", 48),
        ("host_data", 32),
        ("id_key_digest", 48),
        ("author_key_digest", 48),
        ("report_id", 32),
        ("report_id_ma", 32),
        ("chip_id", 64),
    ] {
        let (text, found) = repeated(len);
        changes(name, &text, &[], &[(name, found)]);
        done.insert(name);
    }
    for (name, value, whole) in [
        ("policy.abi_major", "1", 0x3_0100_u64),
        ("policy.abi_minor", "55", 0x3_0037),
        ("policy.smt", "false", 0x2_0000),
        ("policy.migrate_ma", "true", 0x7_0000),
        ("policy.debug", "true", 0xb_0000),
        ("policy.single_socket", "true", 0x13_0000),
        ("policy.cxl_allow", "true", 0x23_0000),
        ("policy.mem_aes_256_xts", "true", 0x43_0000),
        ("policy.rapl_dis", "true", 0x83_0000),
        ("policy.ciphertext_hiding", "true", 0x103_0000),
        ("policy.page_swap_disable", "true", 0x203_0000),
        ("plat_info.smt_en", "false", 0x24),
        ("plat_info.tsme_en", "true", 0x27),
        ("plat_info.ecc_en", "false", 0x21),
        ("plat_info.rapl_dis", "true", 0x2d),
        ("plat_info.ciphertext_hiding_en", "true", 0x35),
        ("plat_info.alias_check_complete", "false", 0x05),
        ("plat_info.tio_en", "true", 0xa5),
    ] {
        changes(name, value, &[], &[(name.split_once('.').unwrap().0, json!(whole))]);
        done.insert(name);
    }
    for name in ["launch_mit_vector", "current_mit_vector"] {
        changes(name, "0xffffffffffffffff", &[("version", "5")], &[(name, json!(u64::MAX))]);
        done.insert(name);
    }
    for name in snp_fields() {
        let Some((group, part)) = name.split_once('.') else { continue };
        let turin: &[(&str, &str)] = if part == "fmc" { &[("product", "turin")] } else { &[] };
        match group {
            "current" | "committed" | "current_tcb" | "committed_tcb" | "launch_tcb" => {
                changes(name, "201", turin, &[(name, json!(201))]);
            }
            "reported_tcb" => {
                let all = ["reported_tcb", "current_tcb", "committed_tcb", "launch_tcb"];
                let all = all.map(|group| format!("{group}.{part}"));
                changes(name, "201", turin, &all.each_ref().map(|path| (path.as_str(), json!(201))));
            }
            _ => continue,
        }
        done.insert(name);
    }
    // The tests below have these.
    let others = |name: &str| {
        name.starts_with("cert.") || ["product", "signer", "version", "certs", "crl"].contains(&name)
    };
    let missing: Vec<&str> = snp_fields().filter(|name| !others(name) && !done.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "fields without a row in this test");
}

fn snp_fields() -> impl Iterator<Item = &'static str> {
    Emulator::fields(Tee::Snp).iter().map(|field| field.name)
}

#[test]
fn the_other_tcb_versions_follow_the_silicon_unless_set_in_whatever_order() {
    for set in [
        [("launch_tcb.snp", "20"), ("reported_tcb.snp", "30")],
        [("reported_tcb.snp", "30"), ("launch_tcb.snp", "20")],
    ] {
        let report = report(&set);
        assert_eq!(report["launch_tcb"]["snp"], 20);
        assert_eq!(report["current_tcb"]["snp"], 30);
    }
}

#[test]
fn product_signer_and_version_decide_the_rest() {
    for (product, family, model) in [("milan", 0x19, 1), ("genoa", 0x19, 0x11), ("turin", 0x1a, 2)] {
        let r = report(&[("product", product)]);
        assert_eq!((&r["cpuid_fam_id"], &r["cpuid_mod_id"]), (&json!(family), &json!(model)));
        assert_eq!(r["reported_tcb"]["fmc"].is_null(), product != "turin");
        let id = r["chip_id"].as_array().unwrap();
        assert_eq!(id[8..].iter().all(|b| b == 0), product == "turin");
    }
    assert_eq!(report(&[("signer", "vcek")])["key_info"], 0);
    assert_eq!(report(&[("signer", "vlek")])["key_info"], 4);
    for (version, cpuid, mitigations) in
        [("2", false, false), ("3", true, false), ("4", true, false), ("5", true, true)]
    {
        let r = report(&[("version", version)]);
        assert_eq!(r["version"].to_string(), version);
        assert_eq!(!r["cpuid_step"].is_null(), cpuid);
        assert_eq!(!r["launch_mit_vector"].is_null(), mitigations);
    }
}

#[test]
fn report_data_and_init_data_go_where_they_belong() {
    let init = Digest::sha384(b"init data");
    let made = emulator().evidence(Tee::Snp, &[7; 48], Some(&init), &[]).unwrap();
    let r = &made["attestation_report"];
    let mut padded = vec![7; 48];
    padded.resize(64, 0);
    assert_eq!(r["report_data"], json!(padded));
    assert_eq!(r["host_data"], json!(init.as_bytes()[..32]));
    assert_eq!(r["measurement"], json!(snp::LAUNCH_MEASUREMENT.as_slice()));
    let short = report(&[("report_data", "ff")]);
    assert_eq!(short["report_data"][0], 255);
    assert_eq!(short["report_data"][1], 0);
    assert!(matches!(emulator().evidence(Tee::Snp, &[0; 65], None, &[]), Err(EmulatorError::TooLong(_))));
}

fn certificates(set: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let made = evidence(Tee::Snp, set).unwrap();
    let list = made["cert_chain"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|entry| {
            let data = entry["data"].as_array().unwrap().iter().map(|b| b.as_u64().unwrap() as u8).collect();
            (entry["cert_type"].as_str().unwrap().to_owned(), data)
        })
        .collect()
}

fn types(set: &[(&str, &str)]) -> String {
    certificates(set).into_iter().map(|(cert_type, _)| cert_type).collect::<Vec<_>>().join(" ")
}

#[test]
fn certificates_and_lists_come_along_as_asked() {
    assert!(evidence(Tee::Snp, &[("certs", "none")]).unwrap()["cert_chain"].is_null());
    assert_eq!(types(&[]), "ASK VCEK");
    assert_eq!(types(&[("certs", "chain")]), "ASK VCEK");
    assert_eq!(types(&[("certs", "vek"), ("signer", "vlek")]), "VLEK");
    assert_eq!(types(&[("certs", "full"), ("crl", "present")]), "ARK ASK VCEK CRL");
    assert_eq!(types(&[("certs", "none"), ("crl", "revoked")]), "CRL");
    assert_eq!(types(&[("crl", "none")]), "ASK VCEK");
    let list = |crl| certificates(&[("certs", "none"), ("crl", crl)])[0].1.len();
    assert!(list("revoked") > list("present"));
}

#[test]
fn fields_of_the_certificate_change_it_and_not_the_report() {
    let contains = |der: &[u8], part: &[u8]| der.windows(part.len()).any(|window| window == part);
    let mut done = BTreeSet::new();
    for (name, value, with, part) in [
        // The last arcs of the object identifier, OCTET STRING, INTEGER.
        ("cert.tcb.fmc", "77", "turin", vec![0x01, 0x03, 0x09, 0x04, 0x03, 0x02, 0x01, 77]),
        ("cert.tcb.bootloader", "77", "milan", vec![0x01, 0x03, 0x01, 0x04, 0x03, 0x02, 0x01, 77]),
        ("cert.tcb.tee", "77", "milan", vec![0x01, 0x03, 0x02, 0x04, 0x03, 0x02, 0x01, 77]),
        ("cert.tcb.snp", "77", "genoa", vec![0x01, 0x03, 0x03, 0x04, 0x03, 0x02, 0x01, 77]),
        ("cert.tcb.microcode", "200", "milan", vec![0x01, 0x03, 0x08, 0x04, 0x04, 0x02, 0x02, 0, 200]),
        ("cert.hwid", "0a0b0c", "milan", vec![0x01, 0x04, 0x04, 0x03, 10, 11, 12]),
        ("cert.product_name", "Venice", "milan", b"\x16\x06Venice".to_vec()),
        ("cert.csp_id", "CN=x", "milan", b"\x16\x04CN=x".to_vec()),
        ("cert.serial", "77", "milan", vec![0xa0, 3, 2, 1, 2, 2, 1, 77]),
        ("cert.not_before", "2025-02-03T04:05:06Z", "milan", b"250203040506Z".to_vec()),
        ("cert.not_after", "2026-02-03T04:05:06Z", "milan", b"260203040506Z".to_vec()),
    ] {
        let (plain, set) = ([("product", with)], [("product", with), (name, value)]);
        let certificate = |set: &[(&str, &str)]| certificates(set)[1].1.clone();
        assert!(!contains(&certificate(&plain), &part), "{name}");
        assert!(contains(&certificate(&set), &part), "{name}");
        assert_eq!(report(&plain), report(&set), "{name}");
        done.insert(name);
    }
    let all: BTreeSet<&str> = snp_fields().filter(|name| name.starts_with("cert.")).collect();
    assert_eq!(done, all);
}

#[test]
fn the_certificate_follows_the_silicon() {
    let contains = |set: &[(&str, &str)], part: &[u8]| {
        certificates(set)[1].1.windows(part.len()).any(|window| window == part)
    };
    let snp_77 = [0x01, 0x03, 0x03, 0x04, 0x03, 0x02, 0x01, 77];
    assert!(contains(&[("reported_tcb.snp", "77")], &snp_77));
    assert!(!contains(&[("current_tcb.snp", "77")], &snp_77));
    let (chip, _) = repeated(64);
    assert!(contains(&[("chip_id", &chip)], &hex::decode(&chip).unwrap()));
}

#[test]
fn fields_of_the_sample_take_effect() {
    assert_eq!(evidence(Tee::Sample, &[]).unwrap().as_object().unwrap().len(), 2);
    let made = evidence(
        Tee::Sample,
        &[
            ("svn", "9"),
            ("report_data", "00ff"),
            ("launch_digest", "other"),
            ("platform_version.major", "2"),
            ("platform_version.minor", "3"),
            ("debug", "true"),
        ],
    );
    assert_eq!(
        made.unwrap(),
        json!({
            "svn": "9", "report_data": "AP8=", "launch_digest": "other", "debug": true,
            "platform_version": {"major": 2, "minor": 3},
        })
    );
    assert_eq!(Emulator::fields(Tee::Sample).len(), 6);
    assert!(emulator().evidence(Tee::Sample, &[0; 4097], None, &[]).is_err());
}

#[test]
fn unknown_doubled_and_bad_settings_are_refused() {
    for (tee, name) in
        [(Tee::Snp, "Vmpl"), (Tee::Snp, "policy.foo"), (Tee::Sample, "vmpl"), (Tee::Sample, "")]
    {
        let error = evidence(tee, &[(name, "1")]).unwrap_err();
        assert!(matches!(&error, EmulatorError::UnknownField { .. }), "{error}");
        for field in Emulator::fields(tee) {
            assert!(error.to_string().contains(field.name), "the known ones are listed");
        }
    }
    assert_eq!(
        evidence(Tee::Snp, &[("vmpl", "1"), ("vmpl", "1")]),
        Err(EmulatorError::FieldTwice { name: "vmpl".into() })
    );
    for (name, value) in [
        ("product", "Milan"),
        ("signer", ""),
        ("version", "three"),
        ("vmpl", "4294967296"),
        ("policy", "0x1ffffffffffffffff"),
        ("policy.debug", "yes"),
        ("policy.abi_major", "256"),
        ("measurement", "00"),
        ("measurement", "zz"),
        ("report_data", &"00".repeat(65)),
        ("chip_id", &"00".repeat(63)),
        ("reported_tcb.snp", "256"),
        ("reported_tcb.fmc", "1"),
        ("launch_tcb.fmc", "1"),
        ("cert.tcb.fmc", "1"),
        ("cert.hwid", &"00".repeat(65)),
        ("cert.not_after", "tomorrow"),
        ("cert.product_name", &"x".repeat(257)),
        ("certs", "all"),
        ("crl", "yes"),
        ("current.major", "-1"),
    ] {
        let error = evidence(Tee::Snp, &[(name, value)]).unwrap_err();
        assert!(
            matches!(&error, EmulatorError::BadValue { name: n, .. } if n == name),
            "{name}={value}: {error}"
        );
    }
    assert!(matches!(evidence(Tee::Sample, &[("debug", "1")]).unwrap_err(), EmulatorError::BadValue { .. }));
    assert_eq!(evidence(Tee::Se, &[]), Err(EmulatorError::UnsupportedTee { tee: Tee::Se }));
    assert!(Emulator::fields(Tee::Se).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_set_gives_evidence_or_an_error(
        field in proptest::sample::select(Emulator::fields(Tee::Snp)),
        value in "true|false|0x[0-9a-f]{1,17}|[0-9]{1,20}|([0-9a-f]{2}){0,65}|[a-z]{0,8}|\\PC{0,12}",
        turin: bool,
    ) {
        let product = if turin { "turin" } else { "genoa" };
        let set = if field.name == "product" { vec![] } else { vec![("product", product)] };
        let set: Vec<(&str, &str)> = set.into_iter().chain([(field.name, value.as_str())]).collect();
        match evidence(Tee::Snp, &set) {
            Ok(made) => assert!(made["attestation_report"].is_object()),
            Err(EmulatorError::BadValue { name, .. }) => assert_eq!(name, field.name),
            Err(other) => panic!("{other}"),
        }
    }
}
