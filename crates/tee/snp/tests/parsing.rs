//! The wire forms: round trips, tables of what is refused, and that no bytes make the parser panic.
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

use assay_tee_snp::evidence::{
    CertEntry, CertType, FirmwareVersion, Guid, REPORT_LEN, Report, ReportError, Signature, SnpEvidence,
    TcbLayout, TcbVersion,
};
use assay_tee_snp::{Product, SnpSettings, SnpVerifier};
use assay_types::{Binding, CollateralSet, RawEvidence, Tee, UnixTime, Verifier, VerifyError};
use proptest::array::{uniform16, uniform32};
use proptest::prelude::*;
use serde_json::{Value, json};

fn good() -> Report {
    Report {
        version: 3,
        policy: 0x3_0000,
        sig_algo: 1,
        cpuid_fam_id: Some(0x19),
        cpuid_mod_id: Some(0x01),
        cpuid_step: Some(1),
        chip_id: [9; 64],
        ..Report::default()
    }
}

fn good_json() -> Value {
    let text =
        SnpEvidence::new(good(), Some(vec![CertEntry { cert_type: CertType::Vcek, data: vec![1, 2] }]))
            .to_json();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn the_json_has_the_members_of_the_sev_crate_in_its_order() {
    let chain = vec![
        CertEntry { cert_type: CertType::Vcek, data: vec![0, 255] },
        CertEntry { cert_type: CertType::Empty, data: vec![] },
        CertEntry { cert_type: CertType::Other(Guid([0x11; 16])), data: vec![3] },
    ];
    let text = String::from_utf8(SnpEvidence::new(good(), Some(chain)).to_json()).unwrap();
    assert!(text.starts_with(
        r#"{"attestation_report":{"version":3,"guest_svn":0,"policy":196608,"family_id":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"image_id":["#
    ));
    assert!(text.contains(
        r#""current_tcb":{"fmc":null,"bootloader":0,"tee":0,"snp":0,"microcode":0},"plat_info":0,"key_info":0,"report_data":["#
    ));
    assert!(text.contains(r#""cpuid_fam_id":25,"cpuid_mod_id":1,"cpuid_step":1,"chip_id":[9,"#));
    assert!(text.contains(r#""current":{"major":0,"minor":0,"build":0},"committed":{"#));
    assert!(text.contains(r#""launch_mit_vector":null,"current_mit_vector":null,"signature":{"r":[0,"#));
    assert!(text.ends_with(
        r#""cert_chain":[{"cert_type":"VCEK","data":[0,255]},{"cert_type":"Empty","data":[]},{"cert_type":{"OTHER":"11111111-1111-1111-1111-111111111111"},"data":[3]}]}"#
    ));
    assert!(
        String::from_utf8(SnpEvidence::new(good(), None).to_json())
            .unwrap()
            .ends_with(r#""cert_chain":null}"#)
    );
}

#[test]
fn json_without_chain_or_with_unknown_members_is_read() {
    let mut json = good_json();
    json.as_object_mut().unwrap().remove("cert_chain");
    json["attestation_report"]["new_field"] = json!({"deep": [1, 2, {"x": null}]});
    json["other"] = json!("text");
    let evidence = SnpEvidence::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!((evidence.report, evidence.cert_chain), (good(), None));
    let mut spaced = good_json().to_string().replace(',', " ,\n ").into_bytes();
    spaced.splice(0..0, *b" \t\r\n");
    assert!(SnpEvidence::parse(&spaced).is_ok());
}

#[test]
fn mitigation_vectors_that_older_guests_leave_out_count_as_zero() {
    let report = of(Product::Genoa, 5);
    let mut json: Value = serde_json::from_slice(&SnpEvidence::new(report.clone(), None).to_json()).unwrap();
    let members = json["attestation_report"].as_object_mut().unwrap();
    members.remove("launch_mit_vector");
    members["current_mit_vector"] = Value::Null;
    assert_eq!(SnpEvidence::parse(json.to_string().as_bytes()).unwrap().report, report);
}

/// JSON that differs from the good one in one place, and what the error says. Deep nesting only
/// gets past the parser where it is skipped, and skipping does not recurse.
#[test]
fn json_that_is_not_evidence_is_refused() {
    let set = |path: &str, value: Value| {
        let mut json = good_json();
        *json.pointer_mut(path).unwrap() = value;
        json.to_string()
    };
    let without = |member: &str| {
        let mut json = good_json();
        json["attestation_report"].as_object_mut().unwrap().remove(member);
        json.to_string()
    };
    let r = |name: &str| format!("/attestation_report/{name}");
    let good = good_json().to_string();
    for (text, what) in [
        (good[..good.len() - 1].to_owned(), "EOF"),
        (format!("{good}x"), "trailing"),
        (format!("{good}{good}"), "trailing"),
        ("{}".to_owned(), "missing field"),
        ("{\"attestation_report\":null}".to_owned(), "invalid type"),
        ("{\"attestation_report\":[]}".to_owned(), "invalid"),
        ("{".repeat(100_000), "key must be a string"),
        (format!("{{\"x\":{}", "[".repeat(100_000)), "EOF"),
        (without("version"), "missing field"),
        (without("signature"), "missing field"),
        (without("report_data"), "missing field"),
        (good.replacen("\"version\":3", "\"version\":3,\"version\":3", 1), "duplicate field"),
        (set(&r("version"), json!(-1)), "invalid value"),
        (set(&r("version"), json!(3.0)), "invalid type"),
        (set(&r("version"), json!("3")), "invalid type"),
        (set(&r("version"), json!(1_u64 << 32)), "invalid value"),
        (set(&r("policy"), json!(1e300)), "invalid type"),
        (set(&r("report_data"), json!([0, 0, 0])), "invalid length"),
        (set(&r("report_data"), json!(vec![0; 63])), "invalid length"),
        (set(&r("report_data"), json!(vec![0; 65])), "invalid length"),
        (set(&r("report_data"), json!("00")), "invalid type"),
        (set(&r("report_data/0"), json!(256)), "invalid value"),
        (set(&r("report_data/0"), json!(-1)), "invalid value"),
        (set(&r("report_data/0"), json!(1.5)), "invalid type"),
        (set(&r("report_data/63"), Value::Null), "invalid type"),
        (set(&r("signature/r"), json!(vec![0; 71])), "invalid length"),
        (set(&r("cpuid_fam_id"), Value::Null), "must be numbers"),
        (set(&r("launch_mit_vector"), json!(1)), "must be null"),
        (set(&r("reported_tcb/fmc"), json!(1)), "fmc of the TCB versions must be null"),
        (set("/cert_chain", json!({})), "invalid type"),
        (set("/cert_chain", json!("x")), "invalid type"),
        (set("/cert_chain/0/cert_type", json!("PEM")), "unknown variant"),
        (set("/cert_chain/0/cert_type", json!({"OTHER": "1"})), "GUID"),
        (set("/cert_chain/0/cert_type", json!({"OTHER": "1111111111111111-1111-1111-11111111"})), "GUID"),
        (set("/cert_chain/0/data", json!("MAA=")), "invalid type"),
        (set("/cert_chain/0/data", json!([256])), "invalid value"),
        (set("/cert_chain/0/data", json!(vec![0; 16385])), "more than 16384 bytes"),
        (set("/cert_chain", json!(vec![json!({"cert_type": "VCEK", "data": []}); 17])), "more than 16"),
    ] {
        let shown: String = text.chars().take(80).collect();
        match SnpEvidence::parse(text.as_bytes()) {
            Err(e) => assert!(e.to_string().contains(what), "{shown}: {e}"),
            Ok(_) => panic!("accepted: {shown}, expected {what}"),
        }
    }
}

#[test]
fn reports_of_every_wrong_length_are_refused() {
    let bytes = good().to_bytes();
    for len in (0..REPORT_LEN).step_by(7).chain([REPORT_LEN - 1]) {
        assert_eq!(Report::from_bytes(&bytes[..len]), Err(ReportError::Length { found: len }));
        assert!(SnpEvidence::parse(&bytes[..len]).is_err());
    }
    for extra in [1, 23, 24 * 40] {
        let long = [bytes.as_slice(), &vec![1; extra]].concat();
        assert_eq!(Report::from_bytes(&long), Err(ReportError::Length { found: REPORT_LEN + extra }));
        assert!(SnpEvidence::parse(&long).is_err());
    }
}

#[test]
fn versions_and_processors_that_are_unknown_are_refused() {
    for version in [0, 1, 6, 7, 256, u32::MAX] {
        let report = Report { version, ..good() };
        let bytes = report.to_bytes();
        assert_eq!(Report::from_bytes(&bytes), Err(ReportError::Version { found: version }));
        assert_eq!(report.check_form(), Err(ReportError::Version { found: version }));
    }
    for (family, model) in [(0x17, 0x31), (0x19, 0x20), (0x1a, 0x12), (0x1a, 0x50), (0, 0)] {
        let report = Report { cpuid_fam_id: Some(family), cpuid_mod_id: Some(model), ..good() };
        assert_eq!(Report::from_bytes(&report.to_bytes()), Err(ReportError::Processor { family, model }));
    }
}

#[test]
fn every_reserved_byte_is_looked_at() {
    let layouts = [
        (Product::Milan, 2, 0x38 + 2..0x38 + 6),
        (Product::Milan, 3, 0x180 + 2..0x180 + 6),
        (Product::Milan, 4, 0x1f8..0x208),
        (Product::Milan, 2, 0x188..0x18b),
        (Product::Turin, 5, 0x1e0 + 4..0x1e0 + 7),
        (Product::Turin, 5, 0x1f0 + 4..0x1f0 + 7),
        (Product::Turin, 5, 0x208..0x2a0),
        (Product::Genoa, 5, 0x00c..0x010),
        (Product::Genoa, 5, 0x049..0x050),
        (Product::Genoa, 5, 0x18b..0x1a0),
        (Product::Genoa, 5, 0x1eb..0x1ec),
        (Product::Genoa, 5, 0x1ef..0x1f0),
        (Product::Genoa, 5, 0x2d0..0x2e8),
        (Product::Genoa, 5, 0x318..0x4a0),
    ];
    for (product, version, range) in layouts {
        let good = of(product, version).to_bytes();
        assert!(Report::from_bytes(&good).is_ok());
        for offset in range {
            let mut bytes = good;
            bytes[offset] |= 0x80;
            match Report::from_bytes(&bytes) {
                Err(ReportError::Reserved(byte)) => assert_eq!(byte.offset, offset),
                other => panic!("{product} {version} {offset:#x}: {other:?}"),
            }
        }
    }
    let mut policy_bit_17 = of(Product::Milan, 3).to_bytes();
    policy_bit_17[0x0a] &= !2;
    assert!(matches!(Report::from_bytes(&policy_bit_17), Err(ReportError::Reserved(b)) if b.offset == 0x0a));
    // Platform information grows with the firmware; Turin's sets a bit that is not documented.
    let mut platform = of(Product::Turin, 5).to_bytes();
    platform[0x40..0x48].fill(0xff);
    assert_eq!(Report::from_bytes(&platform).unwrap().plat_info, u64::MAX);
}

fn of(product: Product, version: u32) -> Report {
    let fmc = (product == Product::Turin).then_some(0);
    let tcb = TcbVersion { fmc, ..TcbVersion::default() };
    let (family, model) = match product {
        Product::Milan => (0x19, 0x01),
        Product::Genoa => (0x19, 0xa0),
        Product::Turin => (0x1a, 0x02),
    };
    let mut chip_id = [0; 64];
    chip_id[..product.hwid_len()].fill(7);
    Report {
        version,
        policy: 0x2_0000,
        current_tcb: tcb,
        reported_tcb: tcb,
        committed_tcb: tcb,
        launch_tcb: tcb,
        cpuid_fam_id: (version >= 3).then_some(family),
        cpuid_mod_id: (version >= 3).then_some(model),
        cpuid_step: (version >= 3).then_some(1),
        launch_mit_vector: (version >= 5).then_some(0),
        current_mit_vector: (version >= 5).then_some(0),
        chip_id,
        ..Report::default()
    }
}

#[test]
fn certificate_tables_that_lead_astray_are_refused() {
    let report = good().to_bytes();
    let evidence = SnpEvidence::new(
        good(),
        Some(vec![
            CertEntry { cert_type: CertType::Vcek, data: vec![1; 40] },
            CertEntry { cert_type: CertType::Other(Guid([5; 16])), data: vec![] },
            CertEntry { cert_type: CertType::Crl, data: vec![2; 7] },
        ]),
    );
    let raw = evidence.to_raw();
    assert_eq!(SnpEvidence::parse(&raw).unwrap(), evidence);
    let with = |entries: &[(u32, u32)], end: bool, data: usize| {
        let mut out = report.to_vec();
        for (offset, len) in entries {
            out.extend_from_slice(&CertType::Vcek.guid().0);
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&len.to_le_bytes());
        }
        out.extend(vec![0; if end { 24 } else { 0 } + data]);
        out
    };
    for (bytes, what) in [
        (with(&[], false, 1), "ends before"),
        (with(&[(0, 0)], false, 0), "ends before"),
        (with(&[(48, 10)], true, 9), "outside"),
        (with(&[(u32::MAX, 10)], true, 9), "outside"),
        (with(&[(48, u32::MAX)], true, 9), "more than 16384"),
        (with(&[(0, 0); 17], true, 0), "more than 16"),
        (raw[..raw.len() - 1].to_vec(), "outside"),
    ] {
        let error = SnpEvidence::parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn guids_stand_in_the_order_of_their_text() {
    let guid = CertType::Vcek.guid();
    assert_eq!(guid.to_string(), "63da758d-e664-4564-adc5-f4b93be8accd");
    assert_eq!(guid.0[0], 0x63);
    for known in
        [CertType::Empty, CertType::Ark, CertType::Ask, CertType::Vcek, CertType::Vlek, CertType::Crl]
    {
        assert_eq!(CertType::from_guid(known.guid()), known);
    }
}

#[test]
fn malformed_and_unsupported_are_told_apart() {
    let verifier = SnpVerifier::new(SnpSettings::production());
    let parse = |bytes: Vec<u8>| verifier.parse(&RawEvidence::new(Tee::Snp, bytes)).map(|_| ()).unwrap_err();
    assert!(matches!(parse(vec![]), VerifyError::Malformed(_)));
    assert!(matches!(parse(b"{}".to_vec()), VerifyError::Malformed(_)));
    assert!(matches!(parse(vec![0; RawEvidence::MAX_LEN + 1]), VerifyError::Malformed(_)));
    assert!(matches!(
        parse(Report { version: 6, ..good() }.to_bytes().to_vec()),
        VerifyError::Unsupported(_)
    ));
    let mut json = good_json();
    json["attestation_report"]["version"] = json!(9);
    assert!(matches!(parse(json.to_string().into_bytes()), VerifyError::Unsupported(_)));
    json["attestation_report"]["version"] = json!(3);
    json["attestation_report"]["cpuid_mod_id"] = json!(0x77);
    assert!(matches!(parse(json.to_string().into_bytes()), VerifyError::Unsupported(_)));
}

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    proptest::collection::vec(any::<u8>(), N).prop_map(|v| v.try_into().unwrap())
}

fn tcb(turin: bool) -> impl Strategy<Value = TcbVersion> {
    any::<[u8; 5]>().prop_map(move |[fmc, bootloader, tee, snp, microcode]| TcbVersion {
        fmc: turin.then_some(fmc),
        bootloader,
        tee,
        snp,
        microcode,
    })
}

fn firmware() -> impl Strategy<Value = FirmwareVersion> {
    any::<[u8; 3]>().prop_map(|[major, minor, build]| FirmwareVersion { major, minor, build })
}

fn report() -> impl Strategy<Value = Report> {
    let product = prop_oneof![Just(Product::Milan), Just(Product::Genoa), Just(Product::Turin)];
    (product, 2_u32..=5).prop_flat_map(|(product, version)| {
        let turin = product == Product::Turin;
        let numbers = (any::<u32>(), 0_u64..1 << 26, any::<u32>(), any::<u32>(), any::<u64>(), 0_u32..32);
        let tcbs = (tcb(turin), tcb(turin), tcb(turin), tcb(turin));
        let ids =
            (uniform16(any::<u8>()), uniform16(any::<u8>()), uniform32(any::<u8>()), uniform32(any::<u8>()));
        let long = (
            bytes::<64>(),
            bytes::<48>(),
            uniform32(any::<u8>()),
            bytes::<48>(),
            bytes::<48>(),
            bytes::<64>(),
        );
        let rest = (firmware(), firmware(), any::<[u64; 2]>(), bytes::<96>());
        (numbers, tcbs, ids, long, rest).prop_map(move |(n, t, i, l, r)| {
            let mut report = Report {
                guest_svn: n.0,
                policy: n.1 | 1 << 17,
                vmpl: n.2,
                sig_algo: n.3,
                plat_info: n.4,
                key_info: n.5,
                current_tcb: t.0,
                reported_tcb: t.1,
                committed_tcb: t.2,
                launch_tcb: t.3,
                family_id: i.0,
                image_id: i.1,
                report_id: i.2,
                report_id_ma: i.3,
                report_data: l.0,
                measurement: l.1,
                host_data: l.2,
                id_key_digest: l.3,
                author_key_digest: l.4,
                current: r.0,
                committed: r.1,
                launch_mit_vector: (version >= 5).then_some(r.2[0]),
                current_mit_vector: (version >= 5).then_some(r.2[1]),
                signature: Signature::from_fixed(&r.3),
                ..of(product, version)
            };
            // Neither hidden nor in the other shape: version 2 takes its layout from it.
            report.chip_id[..product.hwid_len()].copy_from_slice(&l.5[..product.hwid_len()]);
            report.chip_id[0] |= 1;
            report.chip_id[63] |= u8::from(!turin);
            report
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_report_survives_bytes_and_json(report in report()) {
        prop_assert_eq!(report.check_form(), Ok(()));
        let bytes = report.to_bytes();
        prop_assert_eq!(&Report::from_bytes(&bytes).unwrap(), &report);
        let from_json = SnpEvidence::from_json(&SnpEvidence::new(report.clone(), None).to_json()).unwrap();
        prop_assert_eq!(&from_json.report, &report);
        prop_assert_eq!(from_json.report_bytes(), &bytes);
        prop_assert_eq!(Signature::from_fixed(&report.signature.to_fixed().unwrap()), report.signature);
    }

    #[test]
    fn a_tcb_version_survives_its_bytes(bytes in any::<[u8; 8]>()) {
        for layout in [TcbLayout::Legacy, TcbLayout::Turin] {
            let mut expected = bytes;
            expected[layout.reserved().0..layout.reserved().1].fill(0);
            prop_assert_eq!(TcbVersion::from_bytes(bytes, layout).to_bytes(layout), expected);
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), version in 0_u8..8) {
        let _ = SnpEvidence::parse(&bytes);
        let mut report = bytes;
        report.resize(REPORT_LEN + 60, 0);
        report[..4].copy_from_slice(&[version, 0, 0, 0]);
        report[0x188..0x18a].copy_from_slice(&[0x19, 0x11]);
        let verifier = SnpVerifier::new(SnpSettings::production());
        let none = CollateralSet::default();
        for len in [REPORT_LEN, report.len()] {
            let raw = RawEvidence::new(Tee::Snp, report[..len].to_vec());
            if let Ok(parsed) = verifier.parse(&raw) {
                let _ = parsed.collateral_needed(UnixTime(0));
                prop_assert!(parsed.verify(&Binding::default(), &none, UnixTime(0)).is_err());
            }
        }
    }

    #[test]
    fn arbitrary_certificates_do_not_panic(
        data in proptest::collection::vec(any::<u8>(), 0..300),
        kind in 0_usize..5,
    ) {
        let types = [CertType::Ark, CertType::Ask, CertType::Vcek, CertType::Vlek, CertType::Crl];
        let mut der = vec![0x30, 0x82, 1, 0];
        der.extend_from_slice(&data);
        let chain = [data, der].map(|data| CertEntry { cert_type: types[kind], data }).to_vec();
        let evidence = SnpEvidence::new(good(), Some(chain)).to_raw();
        let verifier = SnpVerifier::new(SnpSettings::production());
        let parsed = verifier.parse(&RawEvidence::new(Tee::Snp, evidence)).unwrap();
        prop_assert!(parsed.verify(&Binding::default(), &CollateralSet::default(), UnixTime(0)).is_err());
    }
}
