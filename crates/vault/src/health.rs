//! `sys/health`.

use serde::Deserialize;

use crate::VaultError;

/// What a node of Vault says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It serves (200).
    Active,
    /// It passes requests on to the active node (429).
    Standby,
    /// It serves reads and passes writes on (473).
    PerformanceStandby,
    /// It is a secondary for disasters and serves nothing (472).
    DisasterRecoverySecondary,
    /// It is a standby that does not reach the active node (474).
    StandbyCutOff,
    /// It was never initialised (501).
    NotInitialised,
    /// It is sealed (503).
    Sealed,
    /// It was removed from its cluster (530).
    Removed,
}

impl Health {
    /// Reads status and body of `sys/health`. The body must be Vault's: any proxy can say 503.
    pub(crate) fn read(status: u16, body: &[u8]) -> Result<Self, VaultError> {
        #[derive(Deserialize)]
        struct Said {
            initialized: bool,
            sealed: bool,
        }
        let not = |why: String| VaultError::NotTheApi { path: "sys/health".to_owned(), why };
        let said: Said = serde_json::from_slice(body)
            .map_err(|_| not(format!("status {status} without the members initialized and sealed")))?;
        let health = match status {
            200 => Health::Active,
            429 => Health::Standby,
            472 => Health::DisasterRecoverySecondary,
            473 => Health::PerformanceStandby,
            474 => Health::StandbyCutOff,
            501 => Health::NotInitialised,
            503 => Health::Sealed,
            530 => Health::Removed,
            _ => return Err(not(format!("status {status}"))),
        };
        if health.serves() && (said.sealed || !said.initialized) {
            return Err(not(format!("status {status} of a node that is sealed or not initialised")));
        }
        Ok(health)
    }

    /// Whether requests to this node are answered, by itself or by the node it passes them on to.
    pub fn serves(self) -> bool {
        matches!(self, Health::Active | Health::Standby | Health::PerformanceStandby)
    }

    /// # Errors
    /// The reason why this node does not serve.
    pub fn ready(self) -> Result<(), VaultError> {
        match self {
            Health::Active | Health::Standby | Health::PerformanceStandby => Ok(()),
            Health::Sealed => Err(VaultError::Sealed),
            Health::NotInitialised => Err(VaultError::NotInitialised),
            Health::DisasterRecoverySecondary => Err(VaultError::NotServing { status: 472 }),
            Health::StandbyCutOff => Err(VaultError::NotServing { status: 474 }),
            Health::Removed => Err(VaultError::NotServing { status: 530 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statuses_are_told_apart() {
        let good = br#"{"initialized":true,"sealed":false,"standby":false}"#;
        let sealed = br#"{"initialized":true,"sealed":true}"#;
        let empty = br#"{"initialized":false,"sealed":true}"#;
        for (status, body, health, serves) in [
            (200, &good[..], Health::Active, true),
            (429, good, Health::Standby, true),
            (473, good, Health::PerformanceStandby, true),
            (472, good, Health::DisasterRecoverySecondary, false),
            (474, good, Health::StandbyCutOff, false),
            (530, good, Health::Removed, false),
            (501, empty, Health::NotInitialised, false),
            (503, sealed, Health::Sealed, false),
        ] {
            let found = Health::read(status, body).unwrap();
            assert_eq!((found, found.serves(), found.ready().is_ok()), (health, serves, serves));
        }
        for (status, body) in [
            (200, &b"<html>"[..]),
            (503, b"no upstream"),
            (204, good),
            (200, sealed),
            (429, empty),
            (200, b"{}"),
        ] {
            assert!(Health::read(status, body).is_err(), "{status}");
        }
    }
}
