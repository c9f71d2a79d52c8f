//! What the default policy makes of SGX claims: each expectation alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod named_values;

use named_values::{Case, Values};
use serde_json::{Value, json};

fn hex(byte: u8, len: usize) -> String {
    format!("{byte:02x}").repeat(len)
}

/// An enclave that is known by its measurement.
fn good() -> Case {
    let input = json!({
        "sgx": {
            "header": {
                "version": "0300", "att_key_type": "0200", "att_key_data_0": "00000000", "qe_svn": "0800",
                "pce_svn": "0d00", "vendor_id": "939a7233f79c4ca9940a0db3957f0607", "user_data": hex(0, 20),
            },
            "body": {
                "cpu_svn": hex(6, 16), "misc_select": "00000000", "attributes.flags": "0500000000000000",
                "attributes.xfrm": "e700000000000000", "mr_enclave": hex(0xe1, 32), "mr_signer": hex(0xe2, 32),
                "config_id": hex(0, 64), "isv_prod_id": "0700", "isv_svn": "0300", "config_svn": "0000",
                "report_data": hex(0x11, 64),
            },
            "sgx_attributes": {
                "init": true, "debug": false, "mode64bit": true, "provision_key": false, "einittoken_key": false,
                "cet": false, "kss": false, "aex_notify": false, "unknown_bits": [],
            },
            "sgx_isv_prod_id": 7, "sgx_isv_svn": 3, "sgx_config_svn": 0,
            "tcb_status": "UpToDate", "advisory_ids": [], "collateral_expiration_status": "0",
        },
        "report_data": hex(0x11, 64),
        "init_data": hex(0, 64),
    });
    Case { input, values: Values([("sgx_mr_enclave", json!([hex(0xe1, 32)]))].into_iter().collect()) }
}

/// An enclave that is known by its signer.
fn signed() -> Case {
    good()
        .not_registered("sgx_mr_enclave")
        .registered("sgx_mr_signer", json!([hex(0xe2, 32)]))
        .registered("sgx_isv_prod_id", json!([7]))
        .registered("sgx_minimum_isv_svn", json!(3))
}

#[test]
fn an_enclave_is_known_by_its_measurement_or_by_its_signer() {
    good().gives(3, 2, 3, &[]);
    signed().gives(3, 2, 3, &[]);
    signed().registered("sgx_mr_enclave", json!([hex(0xe1, 32)])).gives(3, 2, 3, &[]);
    signed().registered("sgx_isv_prod_id", json!(7)).registered("sgx_minimum_isv_svn", json!([2])).gives(
        3,
        2,
        3,
        &[],
    );
}

#[test]
fn known_attributes_are_an_approved_configuration() {
    let named = || good().registered("sgx_attributes_flags", json!(["0500000000000000"]));
    named().registered("sgx_attributes_xfrm", json!(["e700000000000000"])).gives(3, 2, 2, &[]);
    named().registered("sgx_attributes_xfrm", json!(["e702000000000000"])).gives(3, 2, 3, &[]);
    named().gives(3, 2, 3, &[]);
}

#[test]
fn without_reference_values_no_enclave_is_known() {
    good().not_registered("sgx_mr_enclave").gives(33, 2, 3, &["APR-SGX-005"]);
    // A part of what a signer is known by.
    for name in ["sgx_mr_signer", "sgx_isv_prod_id", "sgx_minimum_isv_svn"] {
        signed().not_registered(name).gives(33, 2, 3, &["APR-SGX-005"]);
    }
}

#[test]
fn each_wrong_claim_is_found_alone() {
    let attribute = |name: &str| format!("/sgx/sgx_attributes/{name}");
    let with = |pointer: String, claim: Value| good().with(&pointer, claim);
    let status = |status: &str| good().with("/sgx/tcb_status", json!(status));
    for (case, executables, hardware, configuration, code) in [
        (with("/sgx/body/mr_enclave".into(), json!(hex(1, 32))), 33, 2, 3, "APR-SGX-001"),
        (signed().with("/sgx/body/mr_signer", json!(hex(1, 32))), 33, 2, 3, "APR-SGX-002"),
        (signed().with("/sgx/sgx_isv_prod_id", json!(8)), 33, 2, 3, "APR-SGX-003"),
        (signed().with("/sgx/sgx_isv_svn", json!(2)), 33, 2, 3, "APR-SGX-004"),
        (signed().with("/sgx/sgx_isv_svn", json!("0300")), 33, 2, 3, "APR-SGX-004"),
        (signed().registered("sgx_minimum_isv_svn", json!("3")), 33, 2, 3, "APR-SGX-004"),
        (signed().registered("sgx_minimum_isv_svn", json!([])), 33, 2, 3, "APR-SGX-004"),
        // What is registered beside the measurement must be met too.
        (good().registered("sgx_mr_signer", json!([hex(1, 32)])), 33, 2, 3, "APR-SGX-002"),
        (good().registered("sgx_isv_prod_id", json!([8])), 33, 2, 3, "APR-SGX-003"),
        (good().registered("sgx_minimum_isv_svn", json!(4)), 33, 2, 3, "APR-SGX-004"),
        (signed().registered("sgx_mr_enclave", json!([hex(1, 32)])), 33, 2, 3, "APR-SGX-001"),
        (with("/sgx/header/vendor_id".into(), json!(hex(0, 16))), 3, 97, 3, "APR-SGX-006"),
        (status("OutOfDate"), 3, 97, 3, "APR-SGX-007"),
        (status("ConfigurationAndSWHardeningNeeded"), 3, 97, 3, "APR-SGX-007"),
        (good().with("/sgx/tcb_status", json!(null)), 3, 97, 3, "APR-SGX-007"),
        (status("OutOfDate").registered("sgx_tcb_grace_seconds", json!(5)), 3, 97, 3, "APR-SGX-008"),
        (with("/sgx/collateral_expiration_status".into(), json!("1")), 3, 97, 3, "APR-SGX-010"),
        (good().without("/sgx/collateral_expiration_status"), 3, 97, 3, "APR-SGX-010"),
        (with(attribute("debug"), json!(true)), 3, 2, 96, "APR-SGX-011"),
        (with(attribute("provision_key"), json!(true)), 3, 2, 36, "APR-SGX-012"),
        (with(attribute("einittoken_key"), json!(true)), 3, 2, 36, "APR-SGX-012"),
        (with(attribute("unknown_bits"), json!([11])), 3, 2, 36, "APR-SGX-013"),
    ] {
        case.gives(executables, hardware, configuration, &[code]);
    }
}

#[test]
fn an_outdated_tcb_has_the_time_that_is_registered() {
    let outdated = |seconds: Value| {
        good()
            .with("/sgx/tcb_status", json!("OutOfDate"))
            .with("/sgx/tcb_outdated_seconds", json!(1000))
            .registered("sgx_tcb_grace_seconds", seconds)
    };
    outdated(json!(1000)).gives(3, 2, 3, &[]);
    outdated(json!(999)).gives(3, 97, 3, &["APR-SGX-008"]);
    // TDX's reference values are not SGX's.
    let other = outdated(json!(1000)).not_registered("sgx_tcb_grace_seconds");
    other.registered("tdx_tcb_grace_seconds", json!(1000)).gives(3, 97, 3, &["APR-SGX-007"]);
}

#[test]
fn a_status_can_be_allowed_with_its_advisories() {
    let hardened = || {
        good()
            .with("/sgx/tcb_status", json!("SWHardeningNeeded"))
            .with("/sgx/advisory_ids", json!(["INTEL-SA-00289", "INTEL-SA-00615"]))
            .registered("sgx_allowed_tcb_status", json!(["SWHardeningNeeded"]))
    };
    hardened().gives(3, 97, 3, &["APR-SGX-009"]);
    let allowed = json!(["INTEL-SA-00615", "INTEL-SA-00289"]);
    hardened().registered("sgx_allowed_advisories", json!(["INTEL-SA-00289"])).gives(
        3,
        97,
        3,
        &["APR-SGX-009"],
    );
    hardened().registered("sgx_allowed_advisories", allowed.clone()).gives(3, 2, 3, &[]);
    hardened().registered("sgx_allowed_advisories", allowed).without("/sgx/advisory_ids").gives(
        3,
        97,
        3,
        &["APR-SGX-009"],
    );
    good().with("/sgx/advisory_ids", json!(["INTEL-SA-00289"])).gives(3, 2, 3, &[]);
}
