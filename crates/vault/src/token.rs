//! A token and how long it lives.

use assay_types::UnixTime;
use serde::Deserialize;

use crate::SecretText;

/// A token of Vault.
pub(crate) struct Token {
    pub(crate) text: SecretText,
    /// When it was obtained.
    pub(crate) obtained: UnixTime,
    /// When it ends; `None` for one without an end.
    pub(crate) ends: Option<UnixTime>,
    pub(crate) renewable: bool,
    /// When it is to be renewed or replaced.
    pub(crate) due: Option<UnixTime>,
}

/// The member `auth` of a login or renewal.
#[derive(Deserialize)]
pub(crate) struct Auth {
    pub(crate) client_token: SecretText,
    #[serde(default)]
    pub(crate) lease_duration: i64,
    #[serde(default)]
    pub(crate) renewable: bool,
}

/// The member `data` of `auth/token/lookup-self`, as far as it matters.
#[derive(Deserialize)]
pub(crate) struct Lookup {
    #[serde(default)]
    pub(crate) ttl: i64,
    #[serde(default)]
    pub(crate) renewable: bool,
}

impl Token {
    /// A token with so many seconds to live from `now`; 0 is one without an end.
    pub(crate) fn new(text: SecretText, seconds: i64, renewable: bool, now: UnixTime) -> Self {
        let seconds = (seconds > 0).then_some(seconds);
        Token {
            text,
            obtained: now,
            ends: seconds.map(|seconds| now.plus(seconds)),
            renewable,
            // Two thirds of its life: time for more attempts.
            due: seconds.map(|seconds| now.plus(seconds.saturating_mul(2) / 3)),
        }
    }

    /// Whether it need not be renewed yet.
    pub(crate) fn is_fresh(&self, now: UnixTime) -> bool {
        self.due.is_none_or(|due| now < due)
    }

    /// Whether it may still be used.
    pub(crate) fn is_usable(&self, now: UnixTime) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(seconds: i64) -> Token {
        Token::new(SecretText::new("t".into()), seconds, true, UnixTime(1000))
    }

    #[test]
    fn a_token_is_due_after_two_thirds_of_its_life() {
        let long = token(3600);
        assert!(long.is_fresh(UnixTime(3399)) && !long.is_fresh(UnixTime(3400)));
        assert!(long.is_usable(UnixTime(4599)) && !long.is_usable(UnixTime(4600)));
        // Too short to keep: each call renews it, and it serves that call.
        assert!(!token(1).is_fresh(UnixTime(1000)) && token(1).is_usable(UnixTime(1000)));
        let endless = token(0);
        assert!(endless.is_fresh(UnixTime(i64::MAX)) && endless.is_usable(UnixTime(i64::MAX)));
        assert!(token(i64::MAX).is_usable(UnixTime(i64::MAX - 1)));
    }
}
