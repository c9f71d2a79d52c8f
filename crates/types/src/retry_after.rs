//! The HTTP header `Retry-After` (RFC 9110, 10.2.3), which every client of a busy service obeys.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::UnixTime;

/// How long to wait, by the header's `value` as received at `now`. It is a number of seconds, or
/// a date in the form that RFC 9110, 5.6.7 prefers (`Sun, 06 Nov 1994 08:49:37 GMT`); a date that
/// has passed means no wait. `None` for anything else, the two obsolete forms of dates included.
pub fn parse_retry_after(value: &str, now: UnixTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are still a number: a very long wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    if !value.ends_with(" GMT") {
        return None;
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    let seconds = date.unix_timestamp().saturating_sub(now.0);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now = UnixTime::parse_rfc3339("1994-11-06T08:49:00Z").unwrap();
        for (value, seconds) in [
            ("0", 0),
            (" 120 ", 120),
            ("99999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
            ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
        ] {
            assert_eq!(parse_retry_after(value, now), Some(Duration::from_secs(seconds)), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_wait_at_all() {
        for value in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "06 Nov 1994 08:49:37 +0000",
        ] {
            assert_eq!(parse_retry_after(value, UnixTime(0)), None, "{value}");
        }
    }
}
