//! Every field of TDX and SGX evidence that can be set by text takes effect, and nothing else changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use std::collections::BTreeSet;

use assay_emulator::intel::COLLATERAL_VALIDITY;
use assay_emulator::{Emulator, EmulatorError, Seed};
use assay_types::{Digest, Tee};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::{ProptestConfig, proptest};
use serde_json::Value;

fn emulator() -> Emulator {
    Emulator::new(Seed::DEVELOPMENT)
}

fn pairs(set: &[(&str, &str)]) -> Vec<(String, String)> {
    set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn evidence(tee: Tee, set: &[(&str, &str)]) -> Result<Value, EmulatorError> {
    emulator().evidence(tee, &[7; 48], None, &pairs(set))
}

fn bytes(evidence: &Value, member: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(evidence[member].as_str().unwrap()).unwrap()
}

fn quote(tee: Tee, set: &[(&str, &str)]) -> Vec<u8> {
    bytes(&evidence(tee, set).unwrap(), "quote")
}

/// How long the signed part is.
fn signed_len(quote: &[u8]) -> usize {
    match (quote[0], u32::from_le_bytes(quote[4..8].try_into().unwrap())) {
        (2 | 3, _) => 48 + 384,
        (5, _) => 54 + u32::from_le_bytes(quote[50..54].try_into().unwrap()) as usize,
        _ => 48 + 584,
    }
}

/// Where the signed parts of two quotes differ: first and one past the last place.
fn span(before: &[u8], after: &[u8]) -> Option<(usize, usize)> {
    let len = signed_len(before);
    assert_eq!(signed_len(after), len);
    let differs = |at: &usize| before[*at] != after[*at];
    Some(((0..len).find(differs)?, (0..len).rfind(differs)? + 1))
}

const B16: &str = "a1a2a3a4a5a6a7a8a9aaabacadaeafb0";

fn hex_of(len: usize) -> String {
    B16.repeat(len.div_ceil(16))[..2 * len].to_owned()
}

/// A field, another value, beside what, and where in the quote it shows.
type Case = (&'static str, String, &'static [(&'static str, &'static str)], (usize, usize));

fn case(
    name: &'static str,
    value: impl Into<String>,
    with: &'static [(&'static str, &'static str)],
    at: (usize, usize),
) -> Case {
    (name, value.into(), with, at)
}

fn check(tee: Tee, cases: &[Case]) -> BTreeSet<&'static str> {
    cases
        .iter()
        .map(|(name, value, with, (from, to))| {
            let mut set = vec![(*name, value.as_str())];
            set.extend_from_slice(with);
            let (before, after) = (quote(tee, with), quote(tee, &set));
            let (first, last) = span(&before, &after).unwrap_or_else(|| panic!("{name}={value}: no effect"));
            assert!(*from <= first && last <= *to, "{name}={value}: {first}..{last}, not in {from}..{to}");
            if value.len() == 2 * (to - from) {
                assert_eq!(hex::encode(&after[*from..*to]), *value, "{name}");
            }
            *name
        })
        .collect()
}

fn names(tee: Tee) -> BTreeSet<&'static str> {
    Emulator::fields(tee).iter().map(|field| field.name).collect()
}

/// What the quoting enclave's report says, its signature data, and the PCK certificate: not in the signed part.
const BEHIND: [(&str, &str); 23] = [
    ("ca", "processor"),
    ("fmspc", "010203040506"),
    ("pce_id", "0102"),
    ("ppid", B16),
    ("cpu_svn", B16),
    ("tcb_components", B16),
    ("pce_svn", "99"),
    ("sgx_type", "0"),
    ("platform_instance_id", B16),
    ("dynamic_platform", "false"),
    ("cached_keys", "false"),
    ("smt_enabled", "false"),
    ("pck.not_before", "2026-01-01T00:00:00Z"),
    ("pck.not_after", "2026-01-01T00:00:00Z"),
    ("certification", "3"),
    ("auth_data", "00"),
    ("qe.misc_select", "1"),
    ("qe.attributes.debug", "true"),
    ("qe.mr_enclave", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("qe.mr_signer", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("qe.isv_prod_id", "9"),
    ("qe.isv_svn", "9"),
    ("tcb", "out-of-date"),
];

/// Fields that show behind the signed part, and there only, unless the report of the enclave follows them.
fn check_behind(tee: Tee, done: &mut BTreeSet<&'static str>) {
    let before = quote(tee, &[]);
    for (name, value) in BEHIND {
        let after = quote(tee, &[(name, value)]);
        let len = signed_len(&before);
        assert_ne!(before[len..], after[len..], "{name}");
        let follows = name == "tcb" || (name == "cpu_svn" && tee == Tee::Sgx);
        assert_eq!(before[..len] != after[..len], follows, "{name}");
        done.insert(name);
    }
    // Another platform, which the vendor's lists always hold.
    let listed = |revoked: &str| {
        let guest = emulator().intel_guest(tee, &[], None, &pairs(&[("pck_revoked", revoked)])).unwrap();
        let serial = emulator().intel().pck_serial(guest.current_platform());
        let list = guest.collateral(COLLATERAL_VALIDITY).platform_crl;
        list.revoked.iter().any(|entry| entry.serial == serial)
    };
    assert!(!listed("false") && listed("true"));
    done.insert("pck_revoked");
}

const BODY_15: &[(&str, &str)] = &[("body", "1.5")];

#[test]
fn every_field_of_a_td_takes_effect_in_its_place() {
    let mut cases = vec![
        case("attestation_key_type", "3", &[], (2, 4)),
        case("tee_type", "0x82", &[], (4, 8)),
        case("vendor_id", B16, &[], (12, 28)),
        case("user_data", hex_of(20), &[], (28, 48)),
        case("td_attributes", "3", &[], (168, 176)),
        case("td_attributes.debug", "true", &[], (168, 169)),
        case("td_attributes.septve_disable", "false", &[], (171, 172)),
        case("td_attributes.migratable", "true", &[], (171, 172)),
        case("td_attributes.protection_keys", "true", &[], (171, 172)),
        case("td_attributes.key_locker", "true", &[], (171, 172)),
        case("td_attributes.perfmon", "true", &[], (175, 176)),
        case("xfam", "0xff", &[], (176, 184)),
        case("report_data", hex_of(64), &[], (568, 632)),
        case("tee_tcb_svn2", B16, BODY_15, (638, 654)),
        case("mr_servicetd", hex_of(48), BODY_15, (654, 702)),
        // What is booted shows in its register.
        case("secure_boot", "true", &[], (376, 424)),
        case("kernel", "another", &[], (424, 472)),
        case("kernel.cmdline", "quiet", &[], (472, 520)),
        case("initrd", "another", &[], (472, 520)),
        case("aael", "domain operation some content", &[], (520, 568)),
    ];
    let mut at = 48;
    for (name, len) in [
        ("tcb_svn", 16),
        ("mr_seam", 48),
        ("mrsigner_seam", 48),
        ("seam_attributes", 8),
        ("", 8 + 8),
        ("mr_td", 48),
        ("mr_config_id", 48),
        ("mr_owner", 48),
        ("mr_owner_config", 48),
        ("rtmr_0", 48),
        ("rtmr_1", 48),
        ("rtmr_2", 48),
        ("rtmr_3", 48),
    ] {
        if !name.is_empty() {
            cases.push(case(name, hex_of(len), &[], (at, at + len)));
        }
        at += len;
    }
    let mut done = check(Tee::Tdx, &cases);
    check_behind(Tee::Tdx, &mut done);

    let kind = |set: &[(&str, &str)]| {
        let quote = quote(Tee::Tdx, set);
        (quote[0], quote[48], signed_len(&quote))
    };
    assert_eq!(kind(&[]).0, 4);
    assert_eq!(kind(&[("body", "1.0")]), kind(&[]));
    assert_eq!(kind(&[("quote_version", "5")]), (5, 2, 638));
    assert_eq!(kind(BODY_15), (5, 3, 702));
    done.extend(["quote_version", "body", "event_log"]);
    assert_eq!(done, names(Tee::Tdx));
}

#[test]
fn every_field_of_an_enclave_takes_effect_in_its_place() {
    let cases = [
        case("quote_version", "2", &[], (0, 2)),
        case("attestation_key_type", "3", &[], (2, 4)),
        case("tee_type", "0x81", &[], (4, 8)),
        case("qe_svn", "0x0102", &[], (8, 10)),
        case("header.pce_svn", "0x0102", &[], (10, 12)),
        case("vendor_id", B16, &[], (12, 28)),
        case("user_data", hex_of(20), &[], (28, 48)),
        case("report.cpu_svn", B16, &[], (48, 64)),
        case("misc_select", "7", &[], (64, 68)),
        case("isv_ext_prod_id", B16, &[], (80, 96)),
        case("attributes.flags", "0x1", &[], (96, 104)),
        case("attributes.debug", "true", &[], (96, 97)),
        case("attributes.mode64bit", "false", &[], (96, 97)),
        case("attributes.provision_key", "true", &[], (96, 97)),
        case("attributes.einittoken_key", "true", &[], (96, 97)),
        case("attributes.kss", "true", &[], (96, 97)),
        case("attributes.xfrm", "3", &[], (104, 112)),
        case("mr_enclave", hex_of(32), &[], (112, 144)),
        case("mr_signer", hex_of(32), &[], (176, 208)),
        case("config_id", hex_of(64), &[], (240, 304)),
        case("isv_prod_id", "0x0203", &[], (304, 306)),
        case("isv_svn", "0x0203", &[], (306, 308)),
        case("config_svn", "0x0203", &[], (308, 310)),
        case("isv_family_id", B16, &[], (352, 368)),
        case("report_data", hex_of(64), &[], (368, 432)),
    ];
    let mut done = check(Tee::Sgx, &cases);
    check_behind(Tee::Sgx, &mut done);
    assert_eq!(done, names(Tee::Sgx));
}

#[test]
fn the_event_log_is_what_was_asked_for() {
    let of = |mode: &str| evidence(Tee::Tdx, &[("event_log", mode)]).unwrap();
    let plain = of("present");
    assert_eq!(plain, evidence(Tee::Tdx, &[]).unwrap());
    assert!(of("none")["cc_eventlog"].is_null());
    let log = bytes(&plain, "cc_eventlog");
    let mut seen = BTreeSet::new();
    for mode in ["tampered", "altered-text", "unbound", "unbound-5", "other-algorithm"] {
        let changed = of(mode);
        assert_eq!(changed["quote"], plain["quote"], "{mode}");
        let changed = bytes(&changed, "cc_eventlog");
        assert_ne!(changed, log, "{mode}");
        assert!(seen.insert(changed), "{mode}");
    }
    let long = |mode: &str| bytes(&of(mode), "cc_eventlog").len();
    assert_eq!(long("tampered"), log.len());
    assert!(long("unbound") > log.len());
    assert_eq!(long("unbound"), long("unbound-5"));
}

#[test]
fn settings_take_effect_in_any_order() {
    for set in [
        [("rtmr_1", hex_of(48)), ("kernel", "another".into())],
        [("tcb_components", B16.into()), ("cpu_svn", hex_of(16).replace("a1", "00"))],
        [("tcb", "out-of-date".into()), ("cpu_svn", B16.into())],
        [("ca", "processor".into()), ("platform_instance_id", B16.into())],
        [("ca", "processor".into()), ("smt_enabled", "true".into())],
        [("td_attributes.debug", "true".into()), ("td_attributes", "0".into())],
        [("body", "1.5".into()), ("tcb", "revoked".into())],
        [("body", "1.5".into()), ("tcb_svn", B16.into())],
        [("body", "1.5".into()), ("quote_version", "4".into())],
        [("event_log", "tampered".into()), ("kernel.cmdline", "quiet".into())],
    ] {
        let [(a, b), (c, d)] = &set;
        let one = evidence(Tee::Tdx, &[(a, b), (c, d)]).unwrap();
        assert_eq!(one, evidence(Tee::Tdx, &[(c, d), (a, b)]).unwrap(), "{a}, {c}");
        assert_ne!(one, evidence(Tee::Tdx, &[(a, b)]).unwrap(), "{a}, {c}");
        assert_ne!(one, evidence(Tee::Tdx, &[(c, d)]).unwrap(), "{a}, {c}");
    }
}

#[test]
fn report_data_and_init_data_go_where_they_belong() {
    let place = |tee: Tee, init: &Digest, at: usize, len: usize| {
        let evidence = emulator().evidence(tee, &[7; 48], Some(init), &[]).unwrap();
        bytes(&evidence, "quote")[at..at + len].to_vec()
    };
    let padded = |digest: &Digest, len: usize| {
        let mut bytes = digest.as_bytes().to_vec();
        bytes.resize(len, 0);
        bytes
    };
    let [short, middle] = [Digest::sha256(b"init"), Digest::sha384(b"init")];
    let long = assay_types::HashAlgorithm::Sha512.digest(b"init");
    for digest in [&short, &middle, &long] {
        // The longest is cut to MRCONFIGID.
        assert_eq!(place(Tee::Tdx, digest, 232, 48), padded(digest, 48));
        assert_eq!(place(Tee::Sgx, digest, 240, 64), padded(digest, 64));
    }
    let report_data = [vec![7; 48], vec![0; 16]].concat();
    assert_eq!(place(Tee::Tdx, &short, 568, 64), report_data);
    assert_eq!(place(Tee::Sgx, &short, 368, 64), report_data);
    for tee in [Tee::Tdx, Tee::Sgx] {
        let error = emulator().evidence(tee, &[7; 65], None, &[]).unwrap_err();
        assert!(matches!(error, EmulatorError::TooLong(_)), "{error}");
        let raw = emulator().raw_evidence(tee, &[7; 48], None, &[]).unwrap();
        assert_eq!(raw, quote(tee, &[]));
    }
}

#[test]
fn unknown_doubled_and_bad_settings_are_refused() {
    for (tee, name, value) in [
        (Tee::Tdx, "body", "2.0"),
        (Tee::Tdx, "tee_tcb_svn2", B16),
        (Tee::Tdx, "mr_servicetd", "00"),
        (Tee::Tdx, "mr_td", "00"),
        (Tee::Tdx, "rtmr_0", ""),
        (Tee::Tdx, "td_attributes.debug", "1"),
        (Tee::Tdx, "tcb", "UpToDate"),
        (Tee::Tdx, "event_log", "yes"),
        (Tee::Tdx, "aael", "domain operation"),
        (Tee::Tdx, "certification", "6"),
        (Tee::Tdx, "report_data", "zz"),
        (Tee::Sgx, "config_id", "00"),
        (Tee::Sgx, "isv_svn", "65536"),
        (Tee::Sgx, "sgx_type", "256"),
        (Tee::Sgx, "pck.not_after", "tomorrow"),
    ] {
        let error = evidence(tee, &[(name, value)]).unwrap_err();
        assert!(
            matches!(&error, EmulatorError::BadValue { name: n, .. } if n == name),
            "{name}={value}: {error}"
        );
    }
    for (tee, name) in [(Tee::Tdx, "mr_enclave"), (Tee::Sgx, "mr_td"), (Tee::Sgx, "event_log")] {
        assert!(matches!(evidence(tee, &[(name, "1")]), Err(EmulatorError::UnknownField { .. })));
    }
    let twice = evidence(Tee::Sgx, &[("isv_svn", "1"), ("isv_svn", "1")]);
    assert_eq!(twice, Err(EmulatorError::FieldTwice { name: "isv_svn".into() }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_set_gives_evidence_or_an_error(
        tdx: bool,
        place: proptest::sample::Index,
        value in "true|false|0x[0-9a-f]{1,17}|[0-9]{1,20}|([0-9a-f]{2}){0,65}|[a-z]{0,8}|[a-z]{1,4} [a-z]{1,4} \\PC{0,5}|\\PC{0,12}",
    ) {
        let tee = if tdx { Tee::Tdx } else { Tee::Sgx };
        let field = place.get(Emulator::fields(tee));
        match evidence(tee, &[(field.name, &value)]) {
            Ok(made) => assert!(made["quote"].is_string()),
            Err(EmulatorError::BadValue { name, .. }) => assert_eq!(name, field.name),
            Err(other) => panic!("{other}"),
        }
    }
}
