//! Points and spans of time, and the clock as a parameter.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

/// A text that is not an RFC 3339 date and time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 date and time such as 2026-01-31T12:00:00Z")]
pub struct NotRfc3339 {
    /// The text as received, cut after 64 characters.
    pub text: String,
}

impl UnixTime {
    /// Later than any time that can occur.
    pub const MAX: UnixTime = UnixTime(253_402_300_799);

    /// Reads RFC 3339 text (`2026-01-31T12:00:00Z`), fractions of a second cut off.
    ///
    /// # Errors
    /// [`NotRfc3339`] when the text is anything else.
    pub fn parse_rfc3339(text: &str) -> Result<Self, NotRfc3339> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(|t| UnixTime(t.unix_timestamp()))
            .map_err(|_| NotRfc3339 { text: text.chars().take(64).collect() })
    }

    /// This time, `seconds` later (earlier when negative), stopping at the ends of the range.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        UnixTime(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC; a number of seconds where the year has no four digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.0).ok().and_then(|t| t.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}s", self.0),
        }
    }
}

/// A span of time; both ends belong to it (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Validity {
    /// First moment of the span.
    pub not_before: UnixTime,
    /// Last moment of the span.
    pub not_after: UnixTime,
}

impl Validity {
    /// The span that excludes nothing.
    pub const ALWAYS: Validity = Validity { not_before: UnixTime(0), not_after: UnixTime::MAX };

    /// Whether `now` lies within the span.
    pub fn contains(&self, now: UnixTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// The span in which both hold. It may be empty (`not_after < not_before`).
    #[must_use]
    pub fn intersect(self, other: Validity) -> Validity {
        Validity {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.not_before, self.not_after)
    }
}

/// Where the time comes from. Only binaries read the system's clock.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> UnixTime;
}

/// A clock that stands still until it is set: for tests and for verification at a chosen date.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows `now`.
    pub const fn new(now: UnixTime) -> Self {
        FixedClock(AtomicI64::new(now.0))
    }

    /// Sets the clock.
    pub fn set(&self, now: UnixTime) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock forward by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_both_ways() {
        let t = UnixTime::parse_rfc3339("2026-01-31T12:00:00+02:00").unwrap();
        assert_eq!(t.to_string(), "2026-01-31T10:00:00Z");
        assert!(UnixTime::parse_rfc3339("2026-01-31").is_err());
        assert!(UnixTime::parse_rfc3339("").is_err());
        assert_eq!(UnixTime(i64::MAX).to_string(), format!("{}s", i64::MAX));
    }

    #[test]
    fn spans_intersect() {
        let a = Validity { not_before: UnixTime(10), not_after: UnixTime(20) };
        let b = Validity { not_before: UnixTime(15), not_after: UnixTime(30) };
        let both = a.intersect(b);
        assert_eq!(both, Validity { not_before: UnixTime(15), not_after: UnixTime(20) });
        assert!(both.contains(UnixTime(15)) && both.contains(UnixTime(20)));
        assert!(!both.contains(UnixTime(14)) && !both.contains(UnixTime(21)));
    }
}
