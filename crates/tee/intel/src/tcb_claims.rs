//! The claims about collateral and TCB, under the names that Trustee gives to what Intel's quote
//! verification library calls supplemental data.

use assay_types::{Claims, TeeClaimText, UnixTime};
use serde_json::{Map, Value, json};

use crate::certified::Certified;
use crate::tcb::{Part, TcbEvaluation};

/// Adds the claims:
/// - `tcb_status`, `advisory_ids`, `tcb_date`, `tcb_eval_num`: the whole, merged by Intel's rules;
/// - `collateral_expiration_status`: always `"0"`, since expired collateral is rejected;
/// - `earliest_issue_date`, `latest_issue_date`, `earliest_expiration_date` over all collateral;
/// - `pck_crl_num`, `root_ca_crl_num`, `root_key_id`, `platform_provider_id`, `platform_instance_id`,
///   `sgx_type`, `is_dynamic_platform`, `is_cached_keys`, `is_smt_enabled`;
/// - for TD 1.5 `tcb_status_current`, `tcb_date_current`, `advisory_ids_current`: as if launched now.
///
/// Beyond Trustee's: `tcb_levels`, the parts that the status is merged of; and where a part is out of
/// date `tcb_outdated_since` and `tcb_outdated_seconds`, by which a policy can grant a time to update.
pub(crate) fn add(claims: &mut Claims, certified: &Certified, tcb: &TcbEvaluation, now: UnixTime) {
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    let date = |time: Option<UnixTime>| time.map(|time| json!(time.to_string()));

    put("tcb_status", tcb.status.map(|status| json!(status.as_str())));
    put("advisory_ids", Some(json!(tcb.advisories)));
    put("tcb_date", date(tcb.date));
    if let Some(current) = &tcb.current {
        put("tcb_status_current", Some(json!(current.status.as_str())));
        put("tcb_date_current", date(Some(current.date)));
        put("advisory_ids_current", Some(json!(current.advisories)));
    }
    put("tcb_levels", Some(levels(tcb)));
    put("tcb_outdated_since", date(tcb.outdated_since));
    let seconds = tcb.outdated_since.map(|since| json!(now.0.saturating_sub(since.0).max(0)));
    put("tcb_outdated_seconds", seconds);

    let supplement = certified.supplement();
    put("tcb_eval_num", supplement.evaluation_number.map(Value::from));
    put("collateral_expiration_status", Some(json!("0")));
    put("earliest_issue_date", date(supplement.earliest_issue));
    put("latest_issue_date", date(supplement.latest_issue));
    put("earliest_expiration_date", date(supplement.earliest_expiration));
    put("pck_crl_num", supplement.pck_crl_number.map(Value::from));
    put("root_ca_crl_num", supplement.root_crl_number.map(Value::from));
    put("root_key_id", supplement.root_key_id.as_ref().map(|id| json!(id.to_hex())));

    let Some(pck) = certified.pck_extensions() else { return };
    put("fmspc", Some(json!(pck.fmspc.to_claim())));
    put("platform_provider_id", Some(json!(pck.ppid.to_claim())));
    // Trustee reads the certificate's 16 bytes as a little-endian number and writes a big-endian one.
    let instance = pck.platform_instance_id.map(|id| u128::from_le_bytes(id).to_be_bytes());
    put("platform_instance_id", instance.map(|id| json!(id.to_claim())));
    put("sgx_type", Some(json!(pck.sgx_type.as_str())));
    if let Some(configuration) = &pck.configuration {
        put("is_dynamic_platform", configuration.dynamic_platform.map(Value::from));
        put("is_cached_keys", configuration.cached_keys.map(Value::from));
        put("is_smt_enabled", configuration.smt_enabled.map(Value::from));
    }
}

/// `{"platform": {"status", "date", "advisory_ids"}, "qe": {…}, "tdx_module": {…}}`, each where there is one.
fn levels(tcb: &TcbEvaluation) -> Value {
    let mut parts = Map::new();
    for (name, part) in [("platform", &tcb.platform), ("qe", &tcb.qe), ("tdx_module", &tcb.module)] {
        if let Some(Part { status, date, advisories, .. }) = part {
            let value =
                json!({ "status": status.as_str(), "date": date.to_string(), "advisory_ids": advisories });
            parts.insert(name.to_owned(), value);
        }
    }
    Value::Object(parts)
}
