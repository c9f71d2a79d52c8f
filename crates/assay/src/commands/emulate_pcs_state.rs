//! How the double of the provisioning certification service behaves, and what it was asked.

use std::collections::BTreeMap;

use assay_emulator::IntelSilicon;
use assay_emulator::intel::Collateral;
use assay_types::{UnixTime, Validity};
use serde::{Deserialize, Deserializer, Serialize};

use crate::cli::PcsArgs;

/// The longest wait, ten minutes: what is longer is a mistake in the unit.
const MAX_DELAY_MS: u32 = 600_000;

/// How it behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Behaviour {
    /// The status of every answer; `None` answers as the service does.
    pub(super) fail_status: Option<u16>,
    /// Retry-After in seconds, beside `fail_status`.
    pub(super) retry_after: Option<u32>,
    /// How long it waits before each answer.
    pub(super) delay_ms: u32,
    /// How long ago collateral was issued.
    pub(super) age_seconds: u32,
    /// How long after its issue the next collateral is due.
    pub(super) next_update_seconds: u32,
    /// Whether the platform's certificates are revoked.
    pub(super) revoked: bool,
}

impl Behaviour {
    /// As the options say.
    pub(super) fn of(args: &PcsArgs) -> Self {
        Behaviour {
            fail_status: args.fail_status,
            retry_after: args.retry_after,
            delay_ms: args.delay_ms,
            age_seconds: args.age_seconds,
            next_update_seconds: args.next_update_seconds,
            revoked: args.revoked,
        }
    }

    /// What is published `now`.
    pub(super) fn collateral(&self, silicon: &IntelSilicon, now: UnixTime) -> Collateral {
        let issued = now.plus(-i64::from(self.age_seconds));
        let validity =
            Validity { not_before: issued, not_after: issued.plus(self.next_update_seconds.into()) };
        let mut collateral = silicon.collateral(&silicon.platform(), validity);
        if self.revoked {
            collateral.revoke_every_level();
        }
        collateral
    }
}

/// A change of behaviour: what is not named stays, `null` takes away.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Change {
    #[serde(deserialize_with = "named")]
    fail_status: Option<Option<u16>>,
    #[serde(deserialize_with = "named")]
    retry_after: Option<Option<u32>>,
    delay_ms: Option<u32>,
    age_seconds: Option<u32>,
    next_update_seconds: Option<u32>,
    revoked: Option<bool>,
}

/// Tells a member that is `null` from one that is not there.
fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Change {
    /// The behaviour after it; the reason in words where it makes none.
    pub(super) fn apply(&self, before: &Behaviour) -> Result<Behaviour, String> {
        let after = Behaviour {
            fail_status: self.fail_status.unwrap_or(before.fail_status),
            retry_after: self.retry_after.unwrap_or(before.retry_after),
            delay_ms: self.delay_ms.unwrap_or(before.delay_ms),
            age_seconds: self.age_seconds.unwrap_or(before.age_seconds),
            next_update_seconds: self.next_update_seconds.unwrap_or(before.next_update_seconds),
            revoked: self.revoked.unwrap_or(before.revoked),
        };
        match &after {
            Behaviour { fail_status: Some(status), .. } if !(400..=599).contains(status) => {
                Err(format!("fail_status is {status}, not 400 to 599"))
            }
            Behaviour { fail_status: None, retry_after: Some(_), .. } => {
                Err("retry_after goes with fail_status only".into())
            }
            Behaviour { delay_ms, .. } if *delay_ms > MAX_DELAY_MS => {
                Err(format!("delay_ms is {delay_ms}, more than {MAX_DELAY_MS}"))
            }
            Behaviour { next_update_seconds: 0, .. } => Err("next_update_seconds is 0".into()),
            _ => Ok(after),
        }
    }
}

/// How often it was asked, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Requests {
    /// All requests but those to the control.
    pub(super) total: u64,
    /// By path; paths that mean nothing are `other`.
    pub(super) by_path: BTreeMap<&'static str, u64>,
}

/// The paths that are counted by themselves.
const PATHS: [&str; 8] = [
    "/sgx/certification/v4/tcb",
    "/tdx/certification/v4/tcb",
    "/sgx/certification/v4/qe/identity",
    "/tdx/certification/v4/qe/identity",
    "/sgx/certification/v4/pckcrl",
    "/sgx/certification/v4/pckcert",
    "/sgx/certification/v4/rootcacrl",
    "/IntelSGXRootCA.der",
];

impl Requests {
    pub(super) fn count(&mut self, path: &str) {
        let known = PATHS.into_iter().find(|known| *known == path).unwrap_or("other");
        self.total += 1;
        *self.by_path.entry(known).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Behaviour {
        Behaviour {
            fail_status: None,
            retry_after: None,
            delay_ms: 0,
            age_seconds: 0,
            next_update_seconds: 60,
            revoked: false,
        }
    }

    fn change(text: &str, before: &Behaviour) -> Result<Behaviour, String> {
        serde_json::from_str::<Change>(text).map_err(|error| error.to_string())?.apply(before)
    }

    #[test]
    fn what_is_named_changes_and_null_takes_away() {
        let failing = change(r#"{"fail_status":429,"retry_after":7}"#, &plain()).unwrap();
        assert_eq!(failing, Behaviour { fail_status: Some(429), retry_after: Some(7), ..plain() });
        assert_eq!(change("{}", &failing).unwrap(), failing);
        assert_eq!(change(r#"{"fail_status":null,"retry_after":null}"#, &failing).unwrap(), plain());
        let all = r#"{"delay_ms":5,"age_seconds":6,"next_update_seconds":7,"revoked":true}"#;
        let expected =
            Behaviour { delay_ms: 5, age_seconds: 6, next_update_seconds: 7, revoked: true, ..plain() };
        assert_eq!(change(all, &plain()).unwrap(), expected);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (text, reason) in [
            (r#"{"fail_status":200}"#, "fail_status is 200, not 400 to 599"),
            (r#"{"retry_after":1}"#, "retry_after goes with fail_status only"),
            (r#"{"delay_ms":600001}"#, "delay_ms is 600001, more than 600000"),
            (r#"{"next_update_seconds":0}"#, "next_update_seconds is 0"),
            (r#"{"fail":503}"#, "unknown field `fail`"),
            (r#"{"age_seconds":-1}"#, "invalid value"),
            (r#"{"revoked":null,"delay_ms":"1"}"#, "invalid type"),
            ("[", "EOF"),
        ] {
            let error = change(text, &plain()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn paths_that_mean_nothing_are_counted_together() {
        let mut requests = Requests::default();
        for path in ["/IntelSGXRootCA.der", "/a", "/b", "/IntelSGXRootCA.der"] {
            requests.count(path);
        }
        assert_eq!(requests.total, 4);
        assert_eq!(requests.by_path, BTreeMap::from([("/IntelSGXRootCA.der", 2), ("other", 2)]));
    }
}
