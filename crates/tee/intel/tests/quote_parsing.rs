//! Quotes of every form: round trips, lengths that lie, tables of what is refused, no bytes that panic.
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

use assay_tee_intel::quote::{Body, EnclaveReport, MAX_QUOTE_LEN, Quote, QuoteError};
use assay_tee_intel::{checks, quote_claims};
use bytes::Bytes;
use proptest::prelude::*;
use quote_support::{FORMS, quote, quotes};

fn parse(bytes: &[u8]) -> Result<Quote, QuoteError> {
    Quote::parse(Bytes::copy_from_slice(bytes))
}

#[test]
fn every_form_is_read_as_it_was_written() {
    for quote in quotes() {
        let read = parse(quote.bytes()).unwrap();
        assert_eq!(read, quote);
        assert_eq!(read.signed_bytes(), Quote::bytes_to_sign(&quote.header, &quote.body));
        assert_eq!(read.bytes(), quote.bytes());
    }
}

#[test]
fn what_is_signed_ends_with_the_body() {
    for ((version, body), len) in FORMS.into_iter().zip([432, 432, 632, 438, 638, 702, 939]) {
        let quote = quote(version, body, 5);
        assert_eq!(quote.signed_bytes().len(), len, "version {version}, body {body}");
        assert_eq!(quote.signed_bytes(), &quote.bytes()[..len]);
        assert_eq!(quote.report_data(), &quote.bytes()[report_data_at(version, body)..][..64]);
    }
}

fn report_data_at(version: u16, body: u16) -> usize {
    let body_at = if version == 5 { 54 } else { 48 };
    body_at + if body == 1 { 320 } else { 520 }
}

#[test]
fn fields_stand_where_the_specification_says() {
    let mut bytes = quote(3, 1, 5).bytes().to_vec();
    // Offsets of SGX's REPORTBODY, behind the header's 48 bytes.
    for (at, value) in [(0, 1), (16, 2), (32, 3), (48, 4), (64, 5), (128, 6), (192, 7), (256, 8), (258, 9)] {
        bytes[48 + at] = value;
    }
    for (at, value) in [(260, 10), (304, 11), (320, 12)] {
        bytes[48 + at] = value;
    }
    let Body::Sgx(report) = parse(&bytes).unwrap().body else { panic!("not SGX") };
    let EnclaveReport { cpu_svn, misc_select, isv_ext_prod_id, attributes, mr_enclave, mr_signer, .. } =
        &report;
    assert_eq!([cpu_svn[0], misc_select.to_le_bytes()[0], isv_ext_prod_id[0]], [1, 2, 3]);
    assert_eq!([attributes[0], mr_enclave[0], mr_signer[0], report.config_id[0]], [4, 5, 6, 7]);
    let numbers =
        [report.isv_prod_id, report.isv_svn, report.config_svn].map(|number| number.to_le_bytes()[0]);
    assert_eq!(numbers, [8, 9, 10]);
    assert_eq!([report.isv_family_id[0], report.report_data[0]], [11, 12]);

    let mut bytes = quote(5, 4, 5).bytes().to_vec();
    let at = [
        0, 16, 64, 112, 120, 128, 136, 184, 232, 280, 328, 376, 424, 472, 520, 584, 600, 648, 649, 681, 729,
        777, 785, 801, 817, 829, 877,
    ];
    for (at, value) in at.into_iter().zip(1..) {
        bytes[54 + at] = value;
    }
    let Body::Td(td) = parse(&bytes).unwrap().body else { panic!("not TDX") };
    let (v15, ext) = (td.v15.clone().unwrap(), td.extension.clone().unwrap());
    let found = [
        td.tee_tcb_svn[0],
        td.mr_seam[0],
        td.mrsigner_seam[0],
        td.seam_attributes[0],
        td.td_attributes[0],
        td.xfam[0],
        td.mr_td[0],
        td.mr_config_id[0],
        td.mr_owner[0],
        td.mr_owner_config[0],
        td.rtmrs[0][0],
        td.rtmrs[1][0],
        td.rtmrs[2][0],
        td.rtmrs[3][0],
        td.report_data[0],
        v15.tee_tcb_svn2[0],
        v15.mr_servicetd[0],
        ext.vm_id,
        ext.td_id[0],
        ext.device_info[0],
        ext.init_servicetd_hash[0],
        ext.init_servicetd_attributes[0],
        ext.init_cpu_svn[0],
        ext.init_tee_tcb_svn[0],
        ext.init_tee_fmspc[0],
        ext.current_servicetd_hash[0],
        ext.current_servicetd_attributes[0],
    ];
    assert_eq!(found.to_vec(), (1..=27).collect::<Vec<u8>>());
}

#[test]
fn a_quote_cut_anywhere_is_refused() {
    for quote in quotes() {
        for len in 0..quote.bytes().len() {
            let error = parse(&quote.bytes()[..len]).unwrap_err();
            let QuoteError::Truncated { offset, expected, found, .. } = error else {
                panic!("{len} bytes: {error}");
            };
            assert!(expected > found && offset + found == len, "{len} bytes: {error:?}");
            assert_eq!(error.check(), &checks::EVIDENCE_FORM);
        }
    }
}

/// Every length field of a quote: where it is, how many bytes it has, what it is called.
fn lengths(quote: &Quote) -> Vec<(usize, usize, &'static str)> {
    let mut at = quote.signed_bytes().len();
    let mut lengths = Vec::new();
    if quote.header.version == 5 {
        lengths.push((50, 4, "body size"));
    }
    lengths.push((at, 4, "signature data length"));
    at += 4 + 64 + 64;
    if quote.header.version > 3 {
        lengths.push((at + 2, 4, "outer certification data length"));
        at += 6;
    }
    at += 384 + 64;
    lengths.push((at, 2, "QE authentication data length"));
    at += 2 + quote.signature.qe_auth_data.len();
    lengths.push((at + 2, 4, "certification data length"));
    lengths
}

fn with_length(quote: &Quote, at: usize, width: usize, value: u32) -> Vec<u8> {
    let mut bytes = quote.bytes().to_vec();
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    bytes
}

fn length(quote: &Quote, at: usize, width: usize) -> u32 {
    let mut value = [0; 4];
    value[..width].copy_from_slice(&quote.bytes()[at..at + width]);
    u32::from_le_bytes(value)
}

#[test]
fn lengths_that_lie_are_refused_with_their_place() {
    for quote in quotes() {
        for (at, width, name) in lengths(&quote) {
            let right = length(&quote, at, width);
            let most = if width == 2 { 0xffff } else { u32::MAX };
            for wrong in [0, right - 1, right + 1, right + 9, 0x7fff, most / 2, most] {
                let found = parse(&with_length(&quote, at, width, wrong));
                let error = found.expect_err(&format!("{name} {wrong} instead of {right}"));
                assert!(error.to_string().contains("offset"), "{name} {wrong}: {error}");
                assert_ne!(error.expected(), error.found());
            }
        }
    }
}

#[test]
fn a_length_is_reported_with_what_it_should_be() {
    let body = quote(5, 3, 5);
    assert_eq!(
        parse(&with_length(&body, 50, 4, 584)).unwrap_err(),
        QuoteError::Length { field: "body size", offset: 50, expected: 648, found: 584 }
    );
    let mut longer = quote(3, 1, 5).bytes().to_vec();
    let right = length(&quote(3, 1, 5), 432, 4);
    longer.extend([0; 3]);
    longer[432..436].copy_from_slice(&(right + 3).to_le_bytes());
    assert_eq!(
        parse(&longer).unwrap_err(),
        QuoteError::Length {
            field: "signature data length",
            offset: 432,
            expected: right as usize,
            found: right as usize + 3
        }
    );
    assert_eq!(
        parse(&with_length(&quote(3, 1, 5), 432, 4, u32::MAX)).unwrap_err(),
        QuoteError::Truncated {
            field: "signature data",
            offset: 436,
            expected: u32::MAX as usize,
            found: right as usize
        }
    );
}

fn changed(of: &Quote, at: usize, value: &[u8]) -> QuoteError {
    let mut bytes = of.bytes().to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    parse(&bytes).unwrap_err()
}

#[test]
fn what_is_not_supported_is_told_apart_from_what_is_malformed() {
    let (sgx, tdx, tdx5) = (quote(3, 1, 5), quote(4, 2, 5), quote(5, 3, 5));
    let inner = |of: &Quote| lengths(of).last().unwrap().0 - 2;
    let outer = lengths(&tdx)[1].0 - 2;
    let cases = [
        (changed(&sgx, 0, &[2, 0]), &checks::QUOTE_VERSION, true),
        (changed(&sgx, 0, &[6, 0]), &checks::QUOTE_VERSION, true),
        (changed(&sgx, 0, &[3, 1]), &checks::QUOTE_VERSION, true),
        (changed(&tdx5, 48, &[0, 0]), &checks::QUOTE_VERSION, true),
        (changed(&tdx5, 48, &[5, 0]), &checks::QUOTE_VERSION, true),
        (changed(&sgx, 4, &[0x81]), &checks::TEE_TYPE, false),
        (changed(&sgx, 4, &[1]), &checks::TEE_TYPE, false),
        (changed(&tdx, 4, &[0x82]), &checks::TEE_TYPE, false),
        (changed(&tdx, 5, &[1]), &checks::TEE_TYPE, false),
        (changed(&tdx5, 4, &[0]), &checks::TEE_TYPE, false),
        (changed(&tdx5, 48, &[1]), &checks::TEE_TYPE, false),
        (changed(&tdx, 2, &[3]), &checks::ATTESTATION_KEY_TYPE, true),
        (changed(&tdx, 2, &[0]), &checks::ATTESTATION_KEY_TYPE, true),
        (changed(&tdx, outer, &[5]), &checks::CERTIFICATION_DATA, true),
        (changed(&tdx, inner(&tdx), &[6]), &checks::CERTIFICATION_DATA, true),
        (changed(&tdx, inner(&tdx), &[7]), &checks::CERTIFICATION_DATA, true),
        (changed(&sgx, inner(&sgx), &[7]), &checks::CERTIFICATION_DATA, true),
        (changed(&sgx, inner(&sgx), &[0]), &checks::CERTIFICATION_DATA, true),
        (changed(&sgx, inner(&sgx), &[8]), &checks::CERTIFICATION_DATA, true),
        (changed(&sgx, inner(&sgx), &[1]), &checks::EVIDENCE_FORM, false),
    ];
    for (error, check, unsupported) in cases {
        assert_eq!((error.check(), error.is_unsupported()), (check, unsupported), "{error}");
        assert!(error.to_string().contains("offset") && !error.found().is_empty(), "{error}");
    }
    assert!(changed(&sgx, inner(&sgx), &[7]).to_string().contains("platform manifest"));
}

#[test]
fn zeros_behind_a_quote_are_padding_and_nothing_else_is() {
    for quote in quotes() {
        let mut bytes = quote.bytes().to_vec();
        bytes.resize(8000, 0);
        let read = parse(&bytes).unwrap();
        assert_eq!(read, quote);
        assert_eq!(read.bytes(), quote.bytes());
        *bytes.last_mut().unwrap() = 0x2a;
        assert_eq!(parse(&bytes), Err(QuoteError::Trailing { offset: 7999, found: 0x2a }));
    }
}

#[test]
fn a_quote_has_at_most_128_kib() {
    let mut bytes = quote(4, 2, 5).bytes().to_vec();
    bytes.resize(MAX_QUOTE_LEN, 0);
    assert!(parse(&bytes).is_ok());
    bytes.push(0);
    assert_eq!(parse(&bytes), Err(QuoteError::TooLong { found: MAX_QUOTE_LEN + 1 }));
}

#[test]
fn what_is_too_long_for_its_length_does_not_read_again() {
    let good = quote(4, 2, 5);
    let mut signature = good.signature.clone();
    for (len, fits) in [(0xffff, true), (0x1_0000, false), (0x1_0001, false)] {
        signature.qe_auth_data = vec![0; len].into();
        let written = Quote::new(good.header.clone(), good.body.clone(), signature.clone());
        assert_eq!(parse(written.bytes()).is_ok(), fits, "{len}");
    }
}

fn read_and_show(bytes: Vec<u8>) {
    if let Ok(quote) = Quote::parse(bytes.into()) {
        let again = Quote::new(quote.header.clone(), quote.body.clone(), quote.signature.clone());
        assert_eq!(again, quote);
        assert!(!quote_claims(&quote).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        read_and_show(bytes);
    }

    /// Whatever is written over a quote: it is refused, or reads as what it then is.
    #[test]
    fn no_change_makes_the_parser_panic(
        form in prop::sample::select(FORMS.as_slice()),
        of in 1_u16..=5,
        at in any::<prop::sample::Index>(),
        piece in prop::collection::vec(any::<u8>(), 1..8),
        cut in 0_usize..9,
    ) {
        let mut bytes = quote(form.0, form.1, of).bytes().to_vec();
        let start = at.index(bytes.len());
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, piece);
        read_and_show(bytes);
    }

    /// A length that says anything but the truth is refused.
    #[test]
    fn any_wrong_length_is_refused(
        form in prop::sample::select(FORMS.as_slice()),
        of in 1_u16..=5,
        which in any::<prop::sample::Index>(),
        wrong in prop_oneof![any::<u32>(), 0_u32..2_000],
    ) {
        let quote = quote(form.0, form.1, of);
        let lengths = lengths(&quote);
        let (at, width, name) = lengths[which.index(lengths.len())];
        let wrong = if width == 2 { wrong & 0xffff } else { wrong };
        prop_assume!(wrong != length(&quote, at, width));
        prop_assert!(parse(&with_length(&quote, at, width, wrong)).is_err(), "{} {}", name, wrong);
    }

    /// Fields of any content survive.
    #[test]
    fn any_content_is_read_as_it_was_written(
        form in prop::sample::select(FORMS.as_slice()),
        of in 1_u16..=5,
        body in prop::collection::vec(any::<u8>(), 885),
        auth in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let quote = quote(form.0, form.1, of);
        let start = quote.signed_bytes().len() - quote.body.len() as usize;
        let mut bytes = quote.bytes().to_vec();
        let len = quote.body.len() as usize;
        bytes[start..start + len].copy_from_slice(&body[..len]);
        let read = parse(&bytes).unwrap();
        prop_assert_eq!(read.body.to_bytes(), &body[..len]);
        let mut signature = read.signature.clone();
        signature.qe_auth_data = auth.into();
        let written = Quote::new(read.header, read.body, signature);
        prop_assert_eq!(parse(written.bytes()).unwrap(), written);
    }
}
