//! The event log of a TD: compared with the registers of its quote, and split into what they prove and
//! what they do not.

use assay_eventlog::{EventLog, boot_claims, event_claims, unbound_event_claims};
use assay_types::{Checks, Claims, HashAlgorithm, TeeClaimText};
use bytes::Bytes;

use crate::checks;

/// The indices of a CCEL that stand for RTMR 0 to 3 (Intel TDX virtual firmware design guide, 8.1; UEFI
/// 2.10, 38.4.1). Index 0 is MRTD, which no event extends.
const REGISTERS: std::ops::RangeInclusive<u32> = 1..=4;

/// Records INTEL's checks of the log; returns it when its events are proven by the registers.
pub(crate) fn check(checks: &mut Checks, log: Option<&Bytes>, rtmrs: &[[u8; 48]; 4]) -> Option<EventLog> {
    let Some(log) = log else {
        let why = "the evidence carries no event log";
        checks.not_checked(&checks::EVENT_LOG_FORM, why);
        checks.not_checked(&checks::EVENT_LOG_REPLAY, why);
        return None;
    };
    let log = match EventLog::parse(log.clone()) {
        Ok(log) => log,
        Err(error) => {
            checks.fail(&checks::EVENT_LOG_FORM, "", "", error.to_string());
            checks.not_checked(&checks::EVENT_LOG_REPLAY, "the event log cannot be read");
            return None;
        }
    };
    checks.pass(&checks::EVENT_LOG_FORM, format!("{} events", log.events().len()));
    let replayed = match log.replay(HashAlgorithm::Sha384) {
        Ok(replayed) => replayed,
        Err(error) => {
            checks.fail(&checks::EVENT_LOG_REPLAY, "", "", error.to_string());
            return None;
        }
    };
    let (mut expected, mut found, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for ((number, index), rtmr) in (0..).zip(REGISTERS).zip(rtmrs) {
        let value = replayed.value(index);
        if value != rtmr {
            names.push(format!("RTMR{number}"));
            expected.push(format!("RTMR{number} {}", rtmr.to_claim()));
            found.push(format!("RTMR{number} {}", value.to_claim()));
        }
    }
    if names.is_empty() {
        checks.pass(&checks::EVENT_LOG_REPLAY, "RTMR0 to RTMR3");
        return Some(log);
    }
    let detail = format!(
        "the log does not give {}; expected is the quote's value, found what the log replays to",
        names.join(", ")
    );
    checks.fail(&checks::EVENT_LOG_REPLAY, expected.join("; "), found.join("; "), detail);
    None
}

/// `uefi_event_logs`: the events that the registers prove; `unbound_event_logs`: the others, each with
/// the reason; `boot_components`: kernel, command line, initrd and what loaded them, from the former.
pub(crate) fn add_claims(claims: &mut Claims, log: &EventLog) {
    let algorithm = HashAlgorithm::Sha384;
    let mut put = |name: &str, value| claims.insert(name.to_owned(), value);
    put("uefi_event_logs", event_claims(log.bound(algorithm, REGISTERS), algorithm));
    put("unbound_event_logs", unbound_event_claims(log.unbound(algorithm, REGISTERS), algorithm));
    // RTMR3 is for what runs after the boot. SHA-384 can always be computed.
    let components = log.boot_components(algorithm, 1..=3).unwrap_or_default();
    put("boot_components", boot_claims(&components, algorithm));
}
