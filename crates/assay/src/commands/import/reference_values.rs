//! Reference values: value and end stay as they are.

use std::collections::HashSet;

use assay_reference_values::{CorimTrust, parse_message};
use assay_store::foreign::Entry;
use assay_store::foreign::trustee::TrusteeReferenceValue;
use assay_store::{NewReferenceValue, Store};
use assay_types::{SecretBytes, UnixTime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::kinds::{Plan, Reason};

/// Where the values came from, in their history.
const SOURCE: &str = "trustee";

pub(super) fn plan(entries: Vec<Entry>, trust: &CorimTrust, now: UnixTime) -> Plan<NewReferenceValue> {
    let mut plan = Plan::default();
    for Entry { key, value } in entries {
        let value = value.map_err(|error| Reason::of(&error));
        match value.and_then(|stored| read(&key, &stored, trust, now)) {
            Ok(value) => plan.wanted.push((key, value)),
            Err(reason) => plan.refuse(key, reason),
        }
    }
    plan
}

/// A stored value, through the same checks as one that an administrator registers.
fn read(
    key: &str,
    stored: &SecretBytes,
    trust: &CorimTrust,
    now: UnixTime,
) -> Result<NewReferenceValue, Reason> {
    const MEND: &str = "register it anew: `assay reference-value set`";
    let stored = TrusteeReferenceValue::parse(stored.expose())
        .map_err(|error| Reason::new(error.to_string(), MEND))?;
    if stored.name != key {
        return Err(Reason::new(format!("its name is another: {:?}", cut(&stored.name)), MEND));
    }
    if stored.expiration <= now {
        return Err(Reason::new(
            format!("it expired {}; Trustee goes on using such values, Assay does not", stored.expiration),
            "if it still holds, register it anew with a later end: `assay reference-value set --expires`",
        ));
    }
    let name = serde_json::to_string(key).map_err(|error| Reason::new(error.to_string(), MEND))?;
    let message = json!({
        "type": "sample",
        // As text, so that nothing of the value is rounded or dropped on the way.
        "payload": STANDARD.encode(format!("{{{name}:{}}}", stored.value)),
        "expires": stored.expiration.to_string(),
    });
    let registration = parse_message(message.to_string().as_bytes(), now, trust)
        .map_err(|error| Reason { instead: Some(MEND), ..Reason::of(&error) })?;
    match <[NewReferenceValue; 1]>::try_from(registration.values) {
        Ok([value]) => Ok(NewReferenceValue { source: SOURCE.to_owned(), ..value }),
        Err(_) => Err(Reason::new("it is not one value", MEND)),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The names of those that the store has already, with the same value and end.
pub(super) async fn unchanged(
    store: &Store,
    plan: &Plan<NewReferenceValue>,
) -> anyhow::Result<HashSet<String>> {
    let stored = store.all_reference_values().await?;
    let same = |wanted: &NewReferenceValue| {
        stored
            .binary_search_by(|stored| stored.id.as_str().cmp(&wanted.id))
            .ok()
            .and_then(|index| stored.get(index))
            .is_some_and(|stored| stored.value == wanted.value && stored.expires == wanted.expires)
    };
    Ok(plan.wanted.iter().filter(|(_, value)| same(value)).map(|(name, _)| name.clone()).collect())
}

pub(super) async fn write(
    store: &Store,
    plan: &Plan<NewReferenceValue>,
    same: &HashSet<String>,
    now: UnixTime,
) -> anyhow::Result<()> {
    let new: Vec<NewReferenceValue> =
        plan.wanted.iter().filter(|(name, _)| !same.contains(name)).map(|(_, value)| value.clone()).collect();
    if !new.is_empty() {
        store.put_reference_values(&new, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use assay_reference_values::CorimSettings;
    use assay_store::foreign::EntryError;

    use super::*;

    const NOW: UnixTime = UnixTime(1_700_000_000);

    fn one(key: &str, stored: &str) -> Result<NewReferenceValue, String> {
        let trust = CorimTrust::new(CorimSettings::default()).unwrap();
        let entry = Entry { key: key.to_owned(), value: Ok(SecretBytes::new(stored.as_bytes().to_vec())) };
        let mut plan = plan(vec![entry], &trust, NOW);
        match plan.wanted.pop() {
            Some((_, value)) => Ok(value),
            None => Err(serde_json::to_string(&plan.refused).unwrap()),
        }
    }

    fn stored(name: &str, value: &str) -> String {
        format!(
            r#"{{"version":"0.1.0","name":"{name}","expiration":"2027-08-21T10:05:00.5Z","value":{value}}}"#
        )
    }

    #[test]
    fn value_and_end_are_kept() {
        let value =
            one("tdx/mr_td:v1", &stored("tdx/mr_td:v1", r#"["ab", 1, {"b":null,"a":true}]"#)).unwrap();
        assert_eq!(value.value, json!(["ab", 1, { "a": true, "b": null }]));
        assert_eq!(value.expires.to_string(), "2027-08-21T10:05:00Z");
        assert_eq!((value.id.as_str(), value.source.as_str()), ("tdx/mr_td:v1", "trustee"));
        assert_eq!(one("n", &stored("n", "null")).unwrap().value, serde_json::Value::Null);
    }

    #[test]
    fn what_ours_refuses_is_refused_with_the_reason() {
        let deep = stored("n", &format!("{}{}", "[".repeat(17), "]".repeat(17)));
        let expired = stored("n", "1").replace("2027", "2020");
        let large = stored("n", &format!("\"{}\"", "x".repeat(70_000)));
        for (key, text, part) in [
            ("n", "{", "not a reference value"),
            ("n", &stored("m", "1"), "its name is another"),
            ("n", &expired, "expired 2020-08-21"),
            ("ü", &stored("ü", "1"), "RV-"),
            ("", &stored("", "1"), "RV-"),
            ("cca/realm/x", &stored("cca/realm/x", "1"), "RV-"),
            ("n", &stored("n", r#"{"a":1,"a":2}"#), "twice"),
            ("n", &stored("n", "18446744073709551616"), "exactly"),
            ("n", &deep, "levels"),
            ("n", &large, "RV-"),
        ] {
            let refused = one(key, text).unwrap_err();
            assert!(refused.contains(part), "{key} {text:.60}: {refused}");
        }
        let trust = CorimTrust::new(CorimSettings::default()).unwrap();
        let entry = Entry { key: "n".to_owned(), value: Err(EntryError::Base64) };
        let plan = plan(vec![entry], &trust, NOW);
        assert!(serde_json::to_string(&plan.refused).unwrap().contains("IMP-015"));
    }
}
