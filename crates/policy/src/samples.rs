//! The inputs on which a policy is tried out before it is admitted: claims in the shape of every TEE,
//! with debugging on and off, with reference values missing, few and many.

use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, Tee, UnixTime};
use serde_json::{Value, json};

use crate::PolicyKind;

/// One input with its data, by a name that tells people what it is.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) input: Value,
    /// Only for resource policies.
    pub(crate) data: Value,
    pub(crate) values: SampleValues,
}

/// Reference values that do not depend on their name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SampleValues {
    Missing,
    Few,
    Many,
}

impl ReferenceValueSnapshot for SampleValues {
    fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
        let digests = |n: u32| (0..n).map(|i| json!(format!("{i:096x}")));
        let value = match self {
            SampleValues::Missing => return Lookup::Missing,
            SampleValues::Few => digests(4).chain([json!(0), json!(1), json!(true)]).collect(),
            SampleValues::Many => digests(500).collect(),
        };
        Lookup::Found { value: Value::Array(value), expires: UnixTime::MAX }
    }

    /// Policies ask by name only.
    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"sample reference values")
    }
}

/// All samples for a kind of policy.
pub(crate) fn samples(kind: PolicyKind) -> Vec<Sample> {
    match kind {
        PolicyKind::Attestation => attestation(),
        PolicyKind::Resource => resource(),
    }
}

fn attestation() -> Vec<Sample> {
    let mut samples = Vec::new();
    for tee in Tee::ALL {
        for debug in [false, true] {
            for values in [SampleValues::Missing, SampleValues::Few, SampleValues::Many] {
                samples.push(Sample {
                    name: format!("{tee}, debug {debug}, reference values {values:?}").to_lowercase(),
                    input: input(tee, debug),
                    data: Value::Null,
                    values,
                });
            }
        }
    }
    for (name, input) in [("an empty input", json!({})), ("an input that is null", Value::Null)] {
        samples.push(Sample {
            name: name.to_owned(),
            input,
            data: Value::Null,
            values: SampleValues::Missing,
        });
    }
    samples
}

fn hex(byte: u8, len: usize) -> String {
    hex::encode(vec![byte; len])
}

/// The input for one submodule, as the attestation service builds it.
fn input(tee: Tee, debug: bool) -> Value {
    json!({
        tee.as_str(): claims(tee, debug),
        "report_data": hex(0x11, 64),
        "init_data": hex(0x22, 48),
        "init_data_claims": {
            "cdh.toml": { "kbc": { "name": "cc_kbc", "url": "http://127.0.0.1:8080" } },
            "agent_policy_claims": { "containers": containers() },
        },
        "runtime_data_claims": { "nonce": "bm9uY2U=", "tee-pubkey": { "kty": "EC", "crv": "P-256" } },
    })
}

fn containers() -> Value {
    let container = |n: u32| {
        json!({ "OCI": {
            "Annotations": {
                "io.kubernetes.cri.image-name": format!("registry.example/app{n}@sha256:{n:064x}"),
                "io.kubernetes.cri.container-type": if n == 0 { "sandbox" } else { "container" },
            },
            "Process": {
                "Args": ["/bin/app", "--serve"],
                "Env": ["PATH=/bin", "HOME=/"],
                "User": { "UID": n, "GID": n, "AdditionalGids": [n] },
            },
            "Mounts": [{ "destination": "/etc", "type": "bind", "options": ["ro"] }],
        } })
    };
    (0..8).map(container).collect()
}

fn claims(tee: Tee, debug: bool) -> Value {
    let snp = || {
        json!({
            "measurement": hex(0, 48), "reported_tcb_bootloader": 3, "reported_tcb_tee": 0,
            "reported_tcb_snp": 8, "reported_tcb_microcode": 115, "policy_debug_allowed": debug,
            "policy_migrate_ma": false, "policy_smt_allowed": true, "policy_abi_major": 0, "policy_abi_minor": 31,
            "policy_single_socket": false, "platform_smt_enabled": true, "platform_tsme_enabled": false,
            "report_data": hex(0x11, 64), "init_data": hex(0x22, 32),
        })
    };
    match tee {
        Tee::Sample | Tee::SampleDevice => json!({
            "launch_digest": hex(0, 48), "svn": "1", "major_version": "1", "minimum_minor_version": "4",
            "debug": debug, "platform_version": { "major": 1, "minor": 4 }, "report_data": "",
        }),
        Tee::Snp => snp(),
        Tee::AzSnpVtpm => {
            json!({ "measurement": hex(0, 48), "reported_tcb_bootloader": 3, "policy_debug_allowed": debug,
                                  "tpm": { "pcr11": hex(5, 32), "pcr04": hex(6, 32) }, "platform_smt_enabled": true })
        }
        Tee::Tdx => tdx(debug),
        Tee::AzTdxVtpm => {
            let mut claims = tdx(debug);
            if let Some(map) = claims.as_object_mut() {
                map.insert("tpm".to_owned(), json!({ "pcr11": hex(5, 32) }));
            }
            claims
        }
        Tee::Sgx => sgx(debug),
        Tee::Cca => cca(debug),
        Tee::Csv => {
            json!({ "measure": hex(0, 32), "policy": { "nodbg": if debug { 0 } else { 1 } }, "serial_number": "x" })
        }
        Tee::Se => {
            json!({ "version": 256, "tag": hex(0, 16), "image_phkh": hex(1, 32), "attestation_phkh": hex(1, 32) })
        }
        Tee::Tpm => json!({ "tpm": { "pcr11": hex(5, 32) }, "ak_public": hex(6, 32), "quote": {} }),
        Tee::Nvidia | Tee::NvidiaDpu | Tee::HygonDcu => json!({
            "x-nvidia-gpu-driver-version": "570.0", "x-nvidia-gpu-vbios-version": "96.00", "dbgstat": if debug { "enabled" } else { "disabled" },
            "secboot": true, "measres": "success", "hwmodel": "GH100", "x-nvidia-gpu-arch-check": true,
        }),
        _ => json!({ "debug": debug }),
    }
}

fn cca(debug: bool) -> Value {
    let component = |n: u32| {
        json!({ "measurement-type": format!("part {n}"), "measurement-value": format!("{n:043}="),
                "signer-id": format!("{n:043}="), "version": "1.2.3" })
    };
    let status = |value: u8| if value == 2 { "affirming" } else { "warning" };
    let opaque = if debug { 32 } else { 2 };
    let vector = |hardware: u8, runtime_opaque: u8| {
        json!({ "instance-identity": 2, "configuration": hardware, "executables": 2, "file-system": 0,
                "hardware": hardware, "runtime-opaque": runtime_opaque, "storage-opaque": hardware,
                "sourced-data": 0 })
    };
    json!({
        "platform": {
            "cca-platform-profile": "tag:arm.com,2023:cca_platform#1.0.0",
            "cca-platform-implementation-id": format!("{:043}=", 1),
            "cca-platform-instance-id": format!("{:044}", 1),
            "cca-platform-config": "z8/Pzw==",
            "cca-platform-lifecycle": if debug { 0x4000 } else { 0x3003 },
            "cca-platform-sw-components": (0..16).map(component).collect::<Value>(),
            "cca-platform-hash-algo-id": "sha-256",
        },
        "realm": {
            "cca-realm-initial-measurement": hex(0, 32),
            "cca-realm-extensible-measurements": [hex(0, 32), hex(1, 32), hex(2, 32), hex(3, 32)],
            "cca-realm-personalization-value": format!("{:086}==", 1),
            "cca-realm-hash-algo-id": "sha-256",
        },
        "appraisal": {
            "platform": { "vector": vector(2, opaque), "status": status(opaque) },
            "realm": { "vector": vector(0, if debug { 32 } else { 0 }), "status": status(opaque) },
            "combined": vector(2, opaque),
            "details": {
                "lifecycle-state": if debug { "non-cca-platform-rot-debug" } else { "secured" },
                "platform-set": "cca/platform/00#acme/1", "platform-set-closest": null,
                "platform-sets-tried": 1, "realm-set": null, "realm-set-closest": null, "realm-sets-tried": 0,
                "missing-components": [], "unexpected-components": [], "differing-components": ["part 1"],
                "duplicate-components": [], "rems-unappraised": [0, 1],
            },
        },
    })
}

/// With debugging the TCB is outdated as well, so that what depends on it is tried too.
fn tcb(claims: &mut Value, debug: bool) {
    let Some(claims) = claims.as_object_mut() else { return };
    let ids: &[&str] = if debug { &["INTEL-SA-00837", "INTEL-SA-00960"] } else { &[] };
    claims.insert("tcb_status".to_owned(), json!(if debug { "OutOfDate" } else { "UpToDate" }));
    claims.insert("advisory_ids".to_owned(), json!(ids));
    claims.insert("tcb_date".to_owned(), json!("2026-05-13T00:00:00Z"));
    claims.insert("tcb_eval_num".to_owned(), json!(20));
    claims.insert("collateral_expiration_status".to_owned(), json!("0"));
    if debug {
        claims.insert("tcb_outdated_seconds".to_owned(), json!(86_400));
    }
}

fn tdx(debug: bool) -> Value {
    let component = |index: u32, label: &str| {
        json!({ "index": index, "type_name": "EV_EFI_BOOT_SERVICES_APPLICATION", "source": "firmware",
                "alg": "SHA-384", "digest": format!("{index:096x}"), "digest_matches_event": false, "label": label })
    };
    let command = |n: u32| {
        json!({ "index": 3, "type_name": "EV_IPL", "source": "grub", "alg": "SHA-384", "digest": format!("{n:096x}"),
                "digest_matches_event": false, "text": format!("grub_cmd: command {n}"), "digest_matches_text": true })
    };
    let mut claims = json!({
        "quote": {
            "header": { "version": "0400", "att_key_type": "0200", "tee_type": "81000000", "reserved": hex(0, 4),
                        "vendor_id": "939a7233f79c4ca9940a0db3957f0607", "user_data": hex(0, 20) },
            "body": { "tcb_svn": hex(3, 16), "mr_td": hex(0, 48), "mr_seam": hex(1, 48), "mrsigner_seam": hex(0, 48),
                      "seam_attributes": hex(0, 8), "td_attributes": hex(0, 8), "xfam": "e718060000000000",
                      "mr_config_id": hex(0, 48), "mr_owner": hex(0, 48), "mr_owner_config": hex(0, 48),
                      "rtmr_0": hex(2, 48), "rtmr_1": hex(3, 48), "rtmr_2": hex(4, 48), "rtmr_3": hex(5, 48),
                      "report_data": hex(0x11, 64), "tee_tcb_svn2": hex(3, 16), "mr_servicetd": hex(0, 48) },
        },
        "td_attributes": { "debug": debug, "septve_disable": true, "hgs_plus_prof": false, "perf_prof": false,
                           "pmt_prof": false, "migratable": debug, "protection_keys": false, "key_locker": false,
                           "perfmon": false, "unknown_bits": if debug { json!([1]) } else { json!([]) } },
        "xfam_features": ["x87", "sse", "avx"],
        "uefi_event_logs": events(),
        "boot_components": {
            "kernel": (0..4).map(|n| component(n, "VenMedia(1428F772)/File(kernel)")).collect::<Value>(),
            "kernel_command_line": (0..4).map(|n| component(n, "LOADED_IMAGE::LoadOptions")).collect::<Value>(),
            "initrd": [component(3, "Linux initrd")],
            "boot_loader": [component(2, "File(shim)")],
            "boot_loader_commands": (0..64).map(command).collect::<Value>(),
        },
    });
    tcb(&mut claims, debug);
    claims
}

fn sgx(debug: bool) -> Value {
    let mut claims = json!({
        "header": { "version": "0300", "att_key_type": "0200", "att_key_data_0": hex(0, 4), "qe_svn": "0800",
                    "pce_svn": "0d00", "vendor_id": "939a7233f79c4ca9940a0db3957f0607", "user_data": hex(0, 20) },
        "body": { "cpu_svn": hex(6, 16), "misc_select": hex(0, 4), "mr_enclave": hex(0, 32), "mr_signer": hex(1, 32),
                  "attributes.flags": if debug { "0700000000000000" } else { "0500000000000000" },
                  "attributes.xfrm": "e700000000000000", "config_id": hex(0, 64), "isv_prod_id": "0000",
                  "isv_svn": "0000", "config_svn": "0000", "report_data": hex(0x11, 64) },
        "sgx_attributes": { "init": true, "debug": debug, "mode64bit": true, "provision_key": debug,
                            "einittoken_key": false, "cet": false, "kss": false, "aex_notify": false,
                            "unknown_bits": if debug { json!([11]) } else { json!([]) } },
        "xfrm_features": ["x87", "sse", "avx"], "sgx_isv_prod_id": 0, "sgx_isv_svn": 0, "sgx_config_svn": 0,
    });
    tcb(&mut claims, debug);
    claims
}

fn events() -> Value {
    let event = |n: u32| {
        json!({ "index": n, "type_name": "EV_EVENT_TAG", "digests": [{ "alg": "SHA-384", "digest": format!("{n:096x}") }],
                "details": { "string": "console=hvc0 root=/dev/vda1", "unicode_name": "kernel", "data": [n] } })
    };
    (0..64).map(event).collect()
}

fn resource() -> Vec<Sample> {
    let mut samples = Vec::new();
    let statuses = ["affirming", "warning", "contraindicated", "none"];
    for tee in Tee::ALL {
        for status in statuses {
            for path in [["default", "key", "1"], ["tenant-a", "certificates", "tls.2026"]] {
                samples.push(Sample {
                    name: format!("{} for a token of {tee}, {status}", path.join("/")),
                    input: token(tee, status),
                    data: json!({ "plugin": "resource", "resource-path": path, "query": {} }),
                    values: SampleValues::Missing,
                });
            }
        }
    }
    samples.push(Sample {
        name: "another plugin, a token without claims".to_owned(),
        input: json!({}),
        data: json!({ "plugin": "pkcs11", "resource-path": [], "query": { "name": "x" } }),
        values: SampleValues::Missing,
    });
    samples
}

fn token(tee: Tee, status: &str) -> Value {
    let submodule = |tee: Tee| {
        json!({
            "ear.status": status,
            "ear.trustworthiness-vector": { "executables": 3, "hardware": 2, "configuration": 2, "file-system": 0,
                "instance-identity": 0, "runtime-opaque": 0, "storage-opaque": 0, "sourced-data": 0 },
            "ear.appraisal-policy-id": "default",
            "ear.trustee.identifiers": { "validated": { "container_images": ["registry.example/app@sha256:00"] } },
            "ear.veraison.annotated-evidence": input(tee, false),
        })
    };
    json!({
        "eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
        "iat": 1_760_426_134, "exp": 1_760_426_434, "iss": "CoCo-Attestation-Service",
        "ear.verifier-id": { "developer": "example", "build": "example" },
        "submods": { "cpu0": submodule(tee), "gpu0": submodule(Tee::Nvidia) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tee_has_its_own_claims_and_fits_the_limit_on_input() {
        for sample in samples(PolicyKind::Attestation).iter().chain(&samples(PolicyKind::Resource)) {
            let mut allowance = crate::value::Allowance::new(crate::Limits::DEFAULT.max_input);
            assert!(crate::value::to_rego(&sample.input, &mut allowance).is_ok(), "{}", sample.name);
        }
    }
}
