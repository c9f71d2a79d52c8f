//! Real quotes: read, written again, cut at every place, compared with dcap-qvl and Trustee's claims.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod quote_support;

use assay_tee_intel::quote::{Body, CertificationData, INTEL_VENDOR_ID, Quote, QuoteError};
use assay_tee_intel::{checks, quote_claims};
use assay_types::{Claims, Tee, TeeClaimText};
use bytes::Bytes;
use dcap_qvl::quote as oracle;
use quote_support::{samples, vectors};
use serde_json::{Value, json};

struct Real {
    name: &'static str,
    bytes: Bytes,
    version: u16,
    body_type: u16,
    padding: usize,
}

/// Name, version, body type, padding.
const VECTORS: [(&str, u16, u16, usize); 5] = [
    ("cos-113-tdx-quote.dat", 4, 2, 3065),
    ("occlum_quote.dat", 3, 1, 0),
    ("tdx_quote_4.dat", 4, 2, 0),
    ("tdx_quote_5.dat", 5, 3, 0),
    ("tdx_quote_6.dat", 4, 2, 70),
];
const SAMPLES: [(&str, u16, u16, usize); 6] = [
    ("sgx_quote", 3, 1, 0),
    ("tdx_quote", 4, 2, 70),
    ("tdx_quote_outdated", 5, 3, 0),
    ("tdx_quote_td15ex", 5, 4, 0),
    ("quote-from-tappd.hex", 4, 2, 70),
    ("tdx-quote.hex", 4, 2, 70),
];

fn real_quotes() -> Vec<Real> {
    let mut all = Vec::new();
    for (folder, table) in [(vectors(), VECTORS.as_slice()), (samples(), SAMPLES.as_slice())] {
        let Some(folder) = folder else { continue };
        for &(name, version, body_type, padding) in table {
            let mut bytes = std::fs::read(folder.join(name)).unwrap();
            if name.ends_with(".hex") {
                let text = String::from_utf8(bytes).unwrap();
                bytes = hex::decode(text.trim().trim_start_matches("0x")).unwrap();
            }
            all.push(Real { name, bytes: bytes.into(), version, body_type, padding });
        }
    }
    all
}

#[test]
fn every_real_quote_is_read_and_written_again() {
    for Real { name, bytes, version, body_type, padding } in real_quotes() {
        let quote = Quote::parse(bytes.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((quote.header.version, quote.body.type_number()), (version, body_type), "{name}");
        assert_eq!(bytes.len() - quote.bytes().len(), padding, "{name}");
        assert_eq!(quote.header.vendor_id, INTEL_VENDOR_ID, "{name}");
        assert_eq!(quote.tee(), if body_type == 1 { Tee::Sgx } else { Tee::Tdx }, "{name}");
        let CertificationData::PckChain(chain) = &quote.signature.certification else { panic!("{name}") };
        assert!(chain.starts_with(b"-----BEGIN CERTIFICATE-----"), "{name}");
        let again = Quote::new(quote.header.clone(), quote.body.clone(), quote.signature.clone());
        assert_eq!(again, quote, "{name}");
        assert!(bytes.starts_with(again.bytes()), "{name}");
    }
}

#[test]
fn a_real_quote_cut_anywhere_is_refused() {
    for Real { name, bytes, padding, .. } in real_quotes() {
        for len in 0..bytes.len() - padding {
            let error = Quote::parse(bytes.slice(..len)).unwrap_err();
            assert!(matches!(error, QuoteError::Truncated { .. }), "{name}, {len} bytes: {error}");
            assert_eq!(error.check(), &checks::EVIDENCE_FORM);
        }
        for len in bytes.len() - padding..bytes.len() {
            assert!(Quote::parse(bytes.slice(..len)).is_ok(), "{name}, {len} bytes");
        }
    }
}

#[test]
fn dcap_qvl_reads_the_same() {
    for Real { name, bytes, .. } in real_quotes() {
        let ours = Quote::parse(bytes.clone()).unwrap();
        let theirs = oracle::Quote::parse(&bytes).unwrap();
        assert_eq!(ours.signed_bytes(), &bytes[..theirs.signed_length()], "{name}");
        match (&ours.body, &theirs.report) {
            (Body::Sgx(ours), oracle::Report::SgxEnclave(theirs)) => {
                assert_eq!(ours.attributes, theirs.attributes, "{name}");
                assert_eq!(
                    (ours.mr_enclave, ours.mr_signer),
                    (theirs.mr_enclave, theirs.mr_signer),
                    "{name}"
                );
                assert_eq!((ours.isv_prod_id, ours.isv_svn), (theirs.isv_prod_id, theirs.isv_svn), "{name}");
                assert_eq!(ours.report_data, theirs.report_data, "{name}");
            }
            (Body::Td(ours), theirs) => {
                let td10 = theirs.as_td10().unwrap();
                assert_eq!(ours.tee_tcb_svn, td10.tee_tcb_svn, "{name}");
                assert_eq!(ours.td_attributes, td10.td_attributes, "{name}");
                assert_eq!(ours.rtmrs, [td10.rt_mr0, td10.rt_mr1, td10.rt_mr2, td10.rt_mr3], "{name}");
                assert_eq!((ours.mr_td, ours.report_data), (td10.mr_td, td10.report_data), "{name}");
                let td15 = ours.v15.as_ref().map(|v15| (v15.tee_tcb_svn2, v15.mr_servicetd));
                assert_eq!(
                    td15,
                    theirs.as_td15().map(|td15| (td15.tee_tcb_svn2, td15.mr_service_td)),
                    "{name}"
                );
                let ext = ours.extension.as_ref().map(|ext| (ext.td_id, ext.current_servicetd_attributes));
                let their_ext = theirs.as_td15_ex().map(|ext| (ext.td_id, ext.cur_service_td_attributes));
                assert_eq!(ext, their_ext, "{name}");
            }
            _ => panic!("{name}: bodies differ"),
        }
        let CertificationData::PckChain(chain) = &ours.signature.certification else { panic!("{name}") };
        assert_eq!(chain.as_ref(), theirs.raw_cert_chain().unwrap(), "{name}");
        assert_eq!(&ours.signature.qe_report_bytes, theirs.qe_report(), "{name}");
        let data = theirs.auth_data.into_v3();
        assert_eq!(ours.signature.signature, data.ecdsa_signature, "{name}");
        assert_eq!(ours.signature.attestation_key, data.ecdsa_attestation_key, "{name}");
        assert_eq!(ours.signature.qe_report_signature, data.qe_report_signature, "{name}");
        assert_eq!(ours.signature.qe_auth_data, data.qe_auth_data.data, "{name}");
    }
}

/// Every member of `expected` is in `found`, with the same value.
fn contains(found: &Value, expected: &Value, path: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                let found = found.get(name).unwrap_or_else(|| panic!("{path}/{name} is missing"));
                contains(found, expected, &format!("{path}/{name}"));
            }
        }
        _ => assert_eq!(found, expected, "{path}"),
    }
}

fn claims(name: &str) -> Option<(Quote, Claims)> {
    let quote = Quote::parse(std::fs::read(vectors()?.join(name)).unwrap().into()).unwrap();
    let claims = quote_claims(&quote);
    Some((quote, claims))
}

#[test]
fn a_td_has_trustees_claims() {
    let Some((quote, claims)) = claims("tdx_quote_4.dat") else { return };
    let text = std::fs::read(vectors().unwrap().join("parse_tdx_claims_expected.json")).unwrap();
    let mut golden: Value = serde_json::from_slice(&text).unwrap();
    // What event log and PCK certificate say is not the quote's.
    let golden_members = golden.as_object_mut().unwrap();
    for other in ["uefi_event_logs", "platform_instance_id"] {
        golden_members.remove(other).unwrap();
    }
    assert_eq!(golden_members.remove("report_data").unwrap(), quote.report_data().to_claim());
    let Body::Td(td) = &quote.body else { panic!("not TDX") };
    assert_eq!(golden_members.remove("init_data").unwrap(), td.mr_config_id.to_claim());
    let claims = Value::Object(claims);
    contains(&claims, &golden, "");
    // Nothing of ours stands inside Trustee's header and body.
    assert_eq!(claims["quote"], golden["quote"]);
    let ours = json!({
        "hgs_plus_prof": false, "perf_prof": false, "pmt_prof": false, "icssd": false, "servtd_ext": false,
        "lass": false, "migratable": false, "tpa": false, "unknown_bits": []
    });
    contains(&claims["td_attributes"], &ours, "td_attributes");
    let mut features = vec!["x87", "sse", "avx", "avx512_opmask", "avx512_zmm_hi256", "avx512_hi16_zmm"];
    features.extend(["pkru", "uintr", "amx_tilecfg", "amx_tiledata"]);
    assert_eq!(claims["xfam_features"], json!(features));
    assert_eq!(claims["seam_attributes"], json!({ "unknown_bits": [] }));
}

#[test]
fn version_5_adds_type_and_size_and_tdx_15_its_fields() {
    let Some((quote, claims)) = claims("tdx_quote_5.dat") else { return };
    assert_eq!(claims["quote"]["type"], "0300");
    assert_eq!(claims["quote"]["size"], "88020000");
    assert_eq!(claims["quote"]["header"]["version"], "0500");
    assert_eq!(claims["quote"]["body"]["tee_tcb_svn2"], quote.bytes()[54 + 584..][..16].to_claim());
    assert_eq!(claims["quote"]["body"]["mr_servicetd"], quote.bytes()[54 + 600..][..48].to_claim());
    assert_eq!(claims["quote"]["body"].get("td_id"), None);
}

#[test]
fn an_enclave_has_trustees_claims() {
    let Some((_, claims)) = claims("occlum_quote.dat") else { return };
    let expected = json!({
        "header": {
            "version": "0300",
            "att_key_type": "0200",
            "att_key_data_0": "00000000",
            "qe_svn": "0800",
            "pce_svn": "0d00",
            "vendor_id": "939a7233f79c4ca9940a0db3957f0607",
            "user_data": "dccde9b31ce8860548173bb4a2a57a1600000000"
        },
        "body": {
            "cpu_svn": "06060c0cffff00000000000000000000",
            "misc_select": "01000000",
            "reserved1": "00".repeat(12),
            "isv_ext_prod_id": "00".repeat(16),
            "attributes.flags": "0700000000000000",
            "attributes.xfrm": "e700000000000000",
            "mr_enclave": "8f173e4613ff05c52aaf04162d234edae8c9977eae47eb2299ae16a553011c68",
            "reserved2": "00".repeat(32),
            "mr_signer": "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e",
            "reserved3": "00".repeat(32),
            "config_id": "00".repeat(64),
            "isv_prod_id": "0000",
            "isv_svn": "0000",
            "config_svn": "0000",
            "reserved4": "00".repeat(42),
            "isv_family_id": "00".repeat(16),
            "report_data": format!("74657374{}", "00".repeat(60))
        },
        "sgx_attributes": {
            "init": true, "debug": true, "mode64bit": true, "provision_key": false, "einittoken_key": false,
            "cet": false, "kss": false, "aex_notify": false, "unknown_bits": []
        },
        "xfrm_features": ["x87", "sse", "avx", "avx512_opmask", "avx512_zmm_hi256", "avx512_hi16_zmm"],
        "misc_features": ["exinfo"],
        "sgx_isv_prod_id": 0,
        "sgx_isv_svn": 0,
        "sgx_config_svn": 0
    });
    assert_eq!(Value::Object(claims), expected);
}
