//! How the double behaves.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::{failed, with_status};

/// The longest wait, ten minutes: what is longer is a mistake in the unit.
const MAX_DELAY_MS: u32 = 600_000;

/// How the double behaves. The default is to do what is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Whether it is sealed.
    pub sealed: bool,
    /// Whether it was initialised at all.
    pub initialised: bool,
    /// Whether it calls itself a standby. It serves all the same, as a standby that passes requests on.
    pub standby: bool,
    /// How long it waits before each answer, in milliseconds.
    pub delay_ms: u32,
    /// The status of every answer; without it, it answers as Vault does.
    pub fail_status: Option<u16>,
    /// What the answers say that fail by `fail_status`.
    pub fail_text: String,
    /// The beginnings of the paths (without `/v1/`) that policies deny.
    pub deny: Vec<String>,
    /// Whether it answers with a page of HTML instead.
    pub garbage: bool,
    /// So many megabytes instead of an answer.
    pub huge_megabytes: u32,
    /// Whether it redirects elsewhere.
    pub redirect: bool,
    /// Whether it keeps to itself that a token is not valid, as Vault did before 1.13.
    pub vague: bool,
    /// How long the tokens of logins live, in seconds; 0 is for ever.
    pub lease_seconds: i64,
    /// How long a token lives at most, however often it is renewed; 0 is for ever.
    pub longest_life_seconds: i64,
    /// Whether the tokens of logins can be renewed.
    pub renewable: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            sealed: false,
            initialised: true,
            standby: false,
            delay_ms: 0,
            fail_status: None,
            fail_text: "internal error".into(),
            deny: Vec::new(),
            garbage: false,
            huge_megabytes: 0,
            redirect: false,
            vague: false,
            lease_seconds: 3600,
            longest_life_seconds: 0,
            renewable: true,
        }
    }
}

impl Behaviour {
    /// The behaviour with the members of `change` in place of its own.
    pub(super) fn changed(&self, change: Map<String, Value>) -> Result<Self, String> {
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(members) = whole.as_object_mut() {
            members.extend(change);
        }
        let after: Behaviour = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        if after.delay_ms > MAX_DELAY_MS {
            return Err(format!("delay_ms is more than {MAX_DELAY_MS}"));
        }
        if after.fail_status.is_some_and(|status| !(400..600).contains(&status)) {
            return Err("fail_status is not 400 to 599".to_owned());
        }
        if after.huge_megabytes > 256 {
            return Err("huge_megabytes is more than 256".to_owned());
        }
        Ok(after)
    }

    /// Whether policies deny a path.
    pub(super) fn denies(&self, path: &str) -> bool {
        self.deny.iter().any(|beginning| path.starts_with(beginning.as_str()))
    }

    /// `sys/health`.
    pub(super) fn health(&self) -> Response {
        if self.garbage {
            return page();
        }
        let status = match (self.initialised, self.sealed, self.standby) {
            (false, ..) => 501,
            (_, true, _) => 503,
            (.., true) => 429,
            _ => 200,
        };
        let body = json!({
            "initialized": self.initialised, "sealed": self.sealed || !self.initialised, "standby": self.standby,
            "performance_standby": false, "replication_performance_mode": "disabled",
            "replication_dr_mode": "disabled", "server_time_utc": 1_790_000_000, "version": "1.20.0",
            "cluster_name": "double", "cluster_id": "00000000-0000-4000-8000-000000000000",
        });
        with_status(status, &body)
    }

    /// What it answers instead of what was asked for.
    pub(super) fn instead(&self, path: &str) -> Option<Response> {
        if !self.initialised {
            return Some(failed(503, "Vault is not initialized"));
        }
        if let Some(status) = self.fail_status {
            return Some(failed(status, &self.fail_text));
        }
        if self.garbage {
            return Some(page());
        }
        if self.huge_megabytes > 0 {
            let length = usize::try_from(self.huge_megabytes).unwrap_or_default() << 20;
            return Some(with_status(200, &json!({ "data": "x".repeat(length) })));
        }
        if self.redirect {
            let location = format!("https://active.vault.example/v1/{path}");
            let built =
                Response::builder().status(307).header(header::LOCATION, location).body(Body::empty());
            return Some(built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()));
        }
        None
    }
}

fn page() -> Response {
    let html = "<!doctype html><title>Sign in</title>";
    ([(header::CONTENT_TYPE, "text/html")], html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: Value) -> Map<String, Value> {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_not_named_stays_and_nonsense_changes_nothing() {
        let before = Behaviour { sealed: true, ..Behaviour::default() };
        let after = before.changed(change(json!({ "deny": ["secret/"], "fail_status": 500 }))).unwrap();
        assert_eq!(
            after,
            Behaviour { deny: vec!["secret/".into()], fail_status: Some(500), ..before.clone() }
        );
        assert_eq!(after.changed(change(json!({ "fail_status": null }))).unwrap().fail_status, None);
        for nonsense in [
            json!({ "seeled": true }),
            json!({ "fail_status": 99 }),
            json!({ "delay_ms": 700_000 }),
            json!({ "sealed": null }),
        ] {
            assert!(before.changed(change(nonsense)).is_err());
        }
    }
}
