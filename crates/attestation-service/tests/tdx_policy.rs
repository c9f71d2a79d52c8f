//! What the default policy makes of TDX claims: each expectation alone, and Trustee's reference values.
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

fn kernel(index: u32, digest: u8) -> Value {
    json!({
        "index": index, "type_name": "EV_EFI_BOOT_SERVICES_APPLICATION", "source": "firmware", "alg": "SHA-384",
        "digest": hex(digest, 48), "digest_matches_event": false,
        "label": "VenMedia(1428F772-B64A-441E-B8C3-9EBDD7F893C7)/File(kernel)",
    })
}

fn command_line(index: u32, digest: u8) -> Value {
    json!({
        "index": index, "type_name": "EV_EVENT_TAG", "source": "linux-stub", "alg": "SHA-384",
        "digest": hex(digest, 48), "digest_matches_event": false, "label": "LOADED_IMAGE::LoadOptions",
    })
}

/// A TD that boots a kernel from the hypervisor, with the reference values that Trustee's policy asks for.
fn good() -> Case {
    let flags = ["debug", "hgs_plus_prof", "perf_prof", "pmt_prof", "icssd", "servtd_ext", "lass"];
    let more = ["migratable", "protection_keys", "key_locker", "tpa", "perfmon"];
    let flags = flags.into_iter().chain(more).map(|name| (name.to_owned(), json!(false)));
    let mut td_attributes: Value = flags.collect::<serde_json::Map<_, _>>().into();
    td_attributes["septve_disable"] = json!(true);
    td_attributes["unknown_bits"] = json!([]);
    let input = json!({
        "tdx": {
            "quote": {
                "header": {
                    "version": "0500", "att_key_type": "0200", "tee_type": "81000000", "reserved": "00000000",
                    "vendor_id": "939a7233f79c4ca9940a0db3957f0607", "user_data": hex(0, 20),
                },
                "body": {
                    "tcb_svn": hex(3, 16), "mr_seam": hex(0x5e, 48), "mrsigner_seam": hex(0, 48),
                    "seam_attributes": hex(0, 8), "td_attributes": "0000001000000000", "xfam": "e702060000000000",
                    "mr_td": hex(0x7d, 48), "mr_config_id": hex(0, 48), "mr_owner": hex(0, 48),
                    "mr_owner_config": hex(0, 48), "rtmr_0": hex(0xa0, 48), "rtmr_1": hex(0xa1, 48),
                    "rtmr_2": hex(0xa2, 48), "rtmr_3": hex(0xa3, 48), "report_data": hex(0x11, 64),
                    "tee_tcb_svn2": hex(3, 16), "mr_servicetd": hex(0, 48),
                },
            },
            "td_attributes": td_attributes,
            "tcb_status": "UpToDate", "advisory_ids": [], "collateral_expiration_status": "0",
            "uefi_event_logs": [],
            "boot_components": {
                "kernel": [kernel(2, 0xb1)], "kernel_command_line": [command_line(3, 0xb2)],
                "initrd": [], "boot_loader": [], "boot_loader_commands": [],
            },
        },
        "report_data": hex(0x11, 64),
        "init_data": hex(0, 48),
    });
    let values = [
        ("mr_td", json!([hex(0x7c, 48), hex(0x7d, 48)])),
        ("rtmr_1", json!([hex(0xa1, 48)])),
        ("rtmr_2", json!([hex(0xa2, 48)])),
        ("xfam", json!(["e702060000000000"])),
        ("tdvfkernel", json!(hex(0xb1, 48))),
        ("tdvfkernelparams", json!(hex(0xb2, 48))),
    ];
    Case { input, values: Values(values.into_iter().collect()) }
}

const BODY: &str = "/tdx/quote/body";
const KERNELS: &str = "/tdx/boot_components/kernel";
const COMMAND_LINES: &str = "/tdx/boot_components/kernel_command_line";

#[test]
fn trustees_reference_values_affirm_a_good_td() {
    good().gives(3, 2, 2, &[]);
    let lists = good()
        .registered("tdvfkernel", json!([hex(1, 48), hex(0xb1, 48)]))
        .registered("tdvfkernelparams", json!([hex(0xb2, 48)]));
    lists.gives(3, 2, 2, &[]);
}

#[test]
fn without_reference_values_nothing_is_affirmed() {
    let mut case = good();
    case.values = Values::default();
    case.gives(33, 97, 36, &["APR-TDX-001", "APR-TDX-002", "APR-TDX-003", "APR-TDX-018"]);
}

#[test]
fn each_wrong_claim_is_found_alone() {
    let other = json!(hex(0xee, 48));
    let attribute = |name: &str| format!("/tdx/td_attributes/{name}");
    let with = |pointer: String, claim: &Value| good().with(&pointer, claim.clone());
    let t = &json!(true);
    for (case, executables, hardware, configuration, code) in [
        // The initial content counts for executables and hardware.
        (with(format!("{BODY}/mr_td"), &other), 33, 97, 2, "APR-TDX-001"),
        (with(format!("{BODY}/rtmr_1"), &other), 33, 2, 2, "APR-TDX-002"),
        (with(format!("{BODY}/rtmr_2"), &other), 33, 2, 2, "APR-TDX-003"),
        (good().registered("rtmr_0", json!([hex(1, 48)])), 33, 2, 2, "APR-TDX-004"),
        (with(KERNELS.into(), &json!([kernel(2, 1)])), 33, 2, 2, "APR-TDX-005"),
        (with(KERNELS.into(), &json!([kernel(2, 0xb1), kernel(2, 1)])), 33, 2, 2, "APR-TDX-005"),
        (with(COMMAND_LINES.into(), &json!([command_line(3, 1)])), 33, 2, 2, "APR-TDX-006"),
        (with(KERNELS.into(), &json!([kernel(3, 0xb1)])), 33, 2, 2, "APR-TDX-007"),
        (with(COMMAND_LINES.into(), &json!([command_line(2, 0xb2)])), 33, 2, 2, "APR-TDX-008"),
        (with("/tdx/quote/header/tee_type".into(), &json!("00000000")), 3, 97, 2, "APR-TDX-009"),
        (with("/tdx/quote/header/vendor_id".into(), &json!(hex(0, 16))), 3, 97, 2, "APR-TDX-010"),
        (good().registered("mr_seam", json!([hex(1, 48)])), 3, 97, 2, "APR-TDX-011"),
        (good().registered("tcb_svn", json!([hex(1, 16)])), 3, 97, 2, "APR-TDX-012"),
        (with("/tdx/tcb_status".into(), &json!("OutOfDate")), 3, 97, 2, "APR-TDX-013"),
        (with("/tdx/tcb_status".into(), &json!("ConfigurationNeeded")), 3, 97, 2, "APR-TDX-013"),
        (with("/tdx/tcb_status".into(), &json!("Revoked")), 3, 97, 2, "APR-TDX-013"),
        (with("/tdx/tcb_status".into(), &json!(null)), 3, 97, 2, "APR-TDX-013"),
        (with("/tdx/collateral_expiration_status".into(), &json!("1")), 3, 97, 2, "APR-TDX-016"),
        (with("/tdx/collateral_expiration_status".into(), &json!(0)), 3, 97, 2, "APR-TDX-016"),
        (good().without("/tdx/collateral_expiration_status"), 3, 97, 2, "APR-TDX-016"),
        (with(attribute("debug"), t), 3, 2, 96, "APR-TDX-017"),
        (with(format!("{BODY}/xfam"), &json!(hex(0, 8))), 3, 2, 36, "APR-TDX-018"),
        (with(attribute("hgs_plus_prof"), t), 3, 2, 36, "APR-TDX-019"),
        (with(attribute("perf_prof"), t), 3, 2, 36, "APR-TDX-019"),
        (with(attribute("pmt_prof"), t), 3, 2, 36, "APR-TDX-019"),
        (with(attribute("unknown_bits"), &json!([1])), 3, 2, 36, "APR-TDX-020"),
        (with(attribute("migratable"), t), 3, 2, 36, "APR-TDX-021"),
        (good().registered("mr_servicetd", json!([hex(1, 48)])), 3, 2, 36, "APR-TDX-021"),
    ] {
        case.gives(executables, hardware, configuration, &[code]);
    }
}

#[test]
fn each_missing_reference_value_is_found_alone() {
    good().not_registered("mr_td").gives(33, 97, 2, &["APR-TDX-001"]);
    good().not_registered("rtmr_1").gives(33, 2, 2, &["APR-TDX-002"]);
    good().not_registered("rtmr_2").gives(33, 2, 2, &["APR-TDX-003"]);
    good().not_registered("xfam").gives(3, 2, 36, &["APR-TDX-018"]);
    // Kernel and command line: the registers still hold them.
    good().not_registered("tdvfkernel").gives(4, 2, 2, &[]);
    good().not_registered("tdvfkernelparams").gives(4, 2, 2, &[]);
}

#[test]
fn a_reference_value_that_may_be_left_out_is_met_where_it_is_registered() {
    good()
        .registered("rtmr_0", json!([hex(0xa0, 48)]))
        .registered("mr_seam", json!([hex(0x5e, 48)]))
        .registered("tcb_svn", json!([hex(3, 16)]))
        .registered("mr_servicetd", json!([hex(0, 48)]))
        .gives(3, 2, 2, &[]);
}

#[test]
fn a_td_that_migrates_needs_its_service_td_named() {
    let migratable = good().with("/tdx/td_attributes/migratable", json!(true));
    migratable.clone().registered("mr_servicetd", json!([hex(0, 48)])).gives(3, 2, 2, &[]);
    // A quote of TDX 1.0 does not say which service TD there is.
    let unsaid =
        migratable.registered("mr_servicetd", json!([hex(0, 48)])).without("/tdx/quote/body/mr_servicetd");
    unsaid.gives(3, 2, 36, &["APR-TDX-021"]);
}

#[test]
fn a_td_that_boots_otherwise_or_sends_no_log_is_known_by_its_registers() {
    good().without("/tdx/boot_components").gives(4, 2, 2, &[]);
    let grub = json!([{ "index": 3, "source": "grub", "digest": hex(7, 48), "label": "/vmlinuz" }]);
    let nameless = json!([{ "index": 2, "source": "firmware", "digest": hex(7, 48) }]);
    for other in [grub, nameless, json!([])] {
        good().with(KERNELS, other).gives(4, 2, 2, &[]);
    }
    good().with(COMMAND_LINES, json!([])).gives(4, 2, 2, &[]);
    good().without("/tdx/boot_components").with("/tdx/quote/body/rtmr_2", json!("")).gives(
        33,
        2,
        2,
        &["APR-TDX-003"],
    );
}

/// What Trustee's policy takes for a measured kernel is nothing to ours: events that no register proves have
/// no part in `boot_components`.
#[test]
fn raw_events_prove_no_kernel() {
    let event = |index: u32, name: &str, details: Value, digest: u8| {
        json!({ "index": index, "type_name": name, "details": details, "digest_matches_event": false,
                "digests": [{ "alg": "SHA-384", "digest": hex(digest, 48) }], "event": "" })
    };
    let events = json!([
        event(9, "EV_EFI_BOOT_SERVICES_APPLICATION", json!({ "device_paths": ["File(kernel)"] }), 0xb1),
        event(9, "EV_EVENT_TAG", json!({ "string": "LOADED_IMAGE::LoadOptions" }), 0xb2),
    ]);
    good().with("/tdx/uefi_event_logs", events).without("/tdx/boot_components").gives(4, 2, 2, &[]);
}

fn outdated(status: &str) -> Case {
    good().with("/tdx/tcb_status", json!(status)).with("/tdx/tcb_outdated_seconds", json!(1000))
}

#[test]
fn an_outdated_tcb_has_the_time_that_is_registered() {
    for grace in [json!(1000), json!([1000]), json!([1, 5000])] {
        outdated("OutOfDate").registered("tdx_tcb_grace_seconds", grace.clone()).gives(3, 2, 2, &[]);
        outdated("TDRelaunchAdvised").registered("tdx_tcb_grace_seconds", grace).gives(3, 2, 2, &[]);
    }
    for grace in [json!(999), json!([999]), json!("5000"), json!([]), json!(["5000"]), json!({ "a": 5000 })] {
        let case = outdated("OutOfDate").registered("tdx_tcb_grace_seconds", grace);
        case.gives(3, 97, 2, &["APR-TDX-014"]);
    }
    // Not known for how long, or not a number.
    let graced = || outdated("OutOfDate").registered("tdx_tcb_grace_seconds", json!(5000));
    graced().without("/tdx/tcb_outdated_seconds").gives(3, 97, 2, &["APR-TDX-014"]);
    for seconds in [json!(null), json!("1"), json!(false)] {
        graced().with("/tdx/tcb_outdated_seconds", seconds).gives(3, 97, 2, &["APR-TDX-014"]);
    }
}

#[test]
fn the_time_is_for_outdated_tcbs_only() {
    for status in ["ConfigurationNeeded", "SWHardeningNeeded", "Revoked", "OutOfDateConfigurationNeeded", ""]
    {
        let case = outdated(status).registered("tdx_tcb_grace_seconds", json!(5000));
        case.gives(3, 97, 2, &["APR-TDX-013"]);
    }
    // What is left once the platform is updated is allowed.
    for status in ["OutOfDateConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded"] {
        let allowed = outdated(status).registered("tdx_allowed_tcb_status", json!(["ConfigurationNeeded"]));
        allowed.clone().gives(3, 97, 2, &["APR-TDX-013"]);
        allowed.clone().registered("tdx_tcb_grace_seconds", json!(5000)).gives(3, 2, 2, &[]);
        allowed.registered("tdx_tcb_grace_seconds", json!(5)).gives(3, 97, 2, &["APR-TDX-014"]);
    }
}

#[test]
fn a_status_can_be_allowed_by_name() {
    let case = || good().with("/tdx/tcb_status", json!("SWHardeningNeeded"));
    case().registered("tdx_allowed_tcb_status", json!(["SWHardeningNeeded"])).gives(3, 2, 2, &[]);
    case().registered("tdx_allowed_tcb_status", json!("SWHardeningNeeded")).gives(3, 2, 2, &[]);
    case().registered("tdx_allowed_tcb_status", json!(["OutOfDate"])).gives(3, 97, 2, &["APR-TDX-013"]);
}

#[test]
fn advisories_must_be_allowed_unless_the_tcb_is_up_to_date() {
    let ids = json!(["INTEL-SA-00837", "INTEL-SA-00960"]);
    good().with("/tdx/advisory_ids", ids.clone()).gives(3, 2, 2, &[]);
    let graced = || outdated("OutOfDate").registered("tdx_tcb_grace_seconds", json!(5000));
    let advised = || graced().with("/tdx/advisory_ids", ids.clone());
    advised().gives(3, 97, 2, &["APR-TDX-015"]);
    advised().registered("tdx_allowed_advisories", json!(["INTEL-SA-00837"])).gives(
        3,
        97,
        2,
        &["APR-TDX-015"],
    );
    advised().registered("tdx_allowed_advisories", ids.clone()).gives(3, 2, 2, &[]);
    // Not known which.
    let allowed = || graced().registered("tdx_allowed_advisories", ids.clone());
    allowed().without("/tdx/advisory_ids").gives(3, 97, 2, &["APR-TDX-015"]);
    allowed().with("/tdx/advisory_ids", json!("INTEL-SA-00837")).gives(3, 97, 2, &["APR-TDX-015"]);
}

#[test]
fn null_claims_meet_no_missing_reference_value() {
    let mut case = good();
    case.values = Values::default();
    for pointer in ["mr_td", "rtmr_0", "rtmr_1", "rtmr_2", "xfam"] {
        case = case.with(&format!("{BODY}/{pointer}"), json!(null));
    }
    let (executables, hardware, configuration, _) = case.verdict();
    assert_eq!((executables, hardware, configuration), (33, 97, 36));
}

/// As long a log as there may be leaves room under the policy's limits.
#[test]
fn a_long_boot_is_judged_within_the_limits() {
    let commands: Value = (0..2_000).map(|n| json!({ "index": 3, "text": format!("command {n}") })).collect();
    let events: Value =
        (0..4_000).map(|n| json!({ "index": 3, "event": "AAAA".repeat(100), "n": n })).collect();
    good()
        .with("/tdx/boot_components/boot_loader_commands", commands)
        .with("/tdx/uefi_event_logs", events)
        .gives(3, 2, 2, &[]);
    let kernels: Value = (0..64).map(|_| kernel(2, 0xb1)).collect();
    good().with(KERNELS, kernels).gives(3, 2, 2, &[]);
}

#[test]
fn hundreds_of_reference_values_do_not_spoil_the_explanation() {
    let many: Value = (0..500).map(|n| json!(format!("{n:096x}"))).collect();
    let mut case = good();
    for name in ["mr_td", "rtmr_0", "rtmr_1", "rtmr_2", "xfam", "tdvfkernel", "tdvfkernelparams", "mr_seam"] {
        case = case.registered(name, many.clone());
    }
    let codes = ["001", "002", "003", "004", "005", "006", "011", "018"].map(|n| format!("APR-TDX-{n}"));
    case.gives(33, 97, 36, &codes.each_ref().map(String::as_str));
}
