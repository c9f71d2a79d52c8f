//! Which keys can change while the server runs.

use anyhow::Context as _;
use serde_json::Value;

use crate::settings::Settings;

/// The keys whose change takes effect while the server runs. All others wait for the next start.
const HOT: [&str; 11] = [
    "access.clients",
    "corim.signers",
    "limits.attestations_per_minute",
    "limits.body_bytes",
    "limits.challenge_response_seconds",
    "limits.challenge_response_sessions",
    "limits.request_seconds",
    "log.level",
    "server.public_url",
    "server.trusted_proxies",
    "telemetry.sample_ratio",
];

/// Whether a change of `key` takes effect while the server runs.
pub(crate) fn is_hot(key: &str) -> bool {
    HOT.contains(&key)
}

/// The settings in force with what of `found` can change now; and the other keys in which the two differ.
pub(super) fn merged(in_force: &Settings, found: &Settings) -> anyhow::Result<(Settings, Vec<String>)> {
    let mut next = serde_json::to_value(in_force)?;
    let mut cold = Vec::new();
    merge(&mut next, &serde_json::to_value(found)?, "", &mut cold);
    let next = serde_json::from_value(next).context("the settings with what has changed")?;
    Ok((next, cold))
}

/// Both trees have the same members: they are made from the same type.
fn merge(next: &mut Value, found: &Value, path: &str, cold: &mut Vec<String>) {
    match (next, found) {
        (Value::Object(next), Value::Object(found)) => {
            for (name, value) in next {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                merge(value, found.get(name).unwrap_or(&Value::Null), &path, cold);
            }
        }
        (next, found) if *next == *found => (),
        (next, found) if is_hot(path) => *next = found.clone(),
        _ => cold.push(path.to_owned()),
    }
}
