//! Policies, claims and reference values for the tests and benches of this crate.

#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, UnixTime};
use serde_json::{Value, json};

/// A policy in the manner of Trustee's default CPU policy: the same rule names, input and reference
/// values, for `sample` and `snp`.
pub const TRUSTEE_LIKE: &str = include_str!("trustee_like.rego");

pub const NOW: UnixTime = UnixTime(1_767_225_600);

/// Reference values from a table.
#[derive(Default)]
pub struct Table(pub BTreeMap<String, Lookup>);

impl Table {
    pub fn of(values: Value) -> Self {
        let values = values.as_object().unwrap().clone();
        let found = |value| Lookup::Found { value, expires: UnixTime::MAX };
        Table(values.into_iter().map(|(id, value)| (id, found(value))).collect())
    }

    pub fn without(mut self, id: &str) -> Self {
        assert!(self.0.remove(id).is_some());
        self
    }
}

impl ReferenceValueSnapshot for Table {
    fn query(&self, id: &str, _now: UnixTime) -> Lookup {
        self.0.get(id).cloned().unwrap_or(Lookup::Missing)
    }

    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }

    fn digest(&self) -> Digest {
        Digest::sha384(b"table")
    }
}

/// An SNP input as the attestation service builds it.
pub fn snp_input() -> Value {
    let mut snp = json!({
        "measurement": "ab".repeat(48),
        "reported_tcb_bootloader": 3, "reported_tcb_tee": 0, "reported_tcb_snp": 8, "reported_tcb_microcode": 115,
        "policy_debug_allowed": false, "policy_migrate_ma": false, "policy_smt_allowed": true,
        "policy_abi_major": 0, "policy_abi_minor": 31, "policy_single_socket": false,
        "platform_smt_enabled": true, "platform_tsme_enabled": false,
    });
    // The further claims of a real report, so that the size of the input is right.
    for n in 0..60 {
        snp[format!("further_claim_{n}")] = json!(format!("{n:064x}"));
    }
    json!({
        "snp": snp,
        "report_data": "11".repeat(64),
        "init_data": "22".repeat(32),
        "runtime_data_claims": { "nonce": "bm9uY2U=", "tee-pubkey": { "kty": "EC", "crv": "P-256", "x": "x", "y": "y" } },
    })
}

pub fn snp_values() -> Table {
    Table::of(json!({
        "snp_launch_measurement": ["cd".repeat(48), "ab".repeat(48)],
        "snp_bootloader": [3], "snp_microcode": [115], "snp_snp_svn": [8], "snp_tee_svn": [0],
        "snp_smt_enabled": true, "snp_tsme_enabled": false, "snp_guest_abi_major": 0, "snp_guest_abi_minor": 31,
        "snp_single_socket": false, "snp_smt_allowed": true,
    }))
}

pub fn sample_input(debug: bool) -> Value {
    json!({ "sample": {
        "launch_digest": "abcde", "svn": 1, "debug": debug,
        "platform_version": { "major": 1, "minor": 5 },
    }})
}

pub fn sample_values() -> Table {
    Table::of(
        json!({ "launch_digest": ["abcde"], "svn": [1, 2], "major_version": 1, "minimum_minor_version": 4 }),
    )
}
