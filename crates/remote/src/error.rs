//! What a call of another part may come to.

use std::error::Error as _;
use std::time::Duration;

use assay_types::{Coded, Fault};
use tonic::{Code, Status, TimeoutExpired};

use crate::codec::Undecodable;

/// The entry of an error's metadata that holds its stable code, such as `RV-004`.
pub const CODE_HEADER: &str = "assay-code";

/// The entry of an error's metadata that holds its fault, in the form of [`Fault`]'s JSON.
pub const FAULT_HEADER: &str = "assay-fault";

/// The most characters of somebody else's text that are shown.
const SHOWN: usize = 512;

/// Why a call of another part gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// `RPC-001`: it cannot be reached, or says that it cannot serve now.
    #[error("the {part} cannot be reached: {why}")]
    Unreachable {
        /// Which part.
        part: &'static str,
        /// Why.
        why: String,
    },
    /// `RPC-002`: there was no answer in time.
    #[error("the {part} gave no answer within {} ms", deadline.as_millis())]
    TimedOut {
        /// Which part.
        part: &'static str,
        /// The time it had.
        deadline: Duration,
    },
    /// `RPC-003`: it does not take calls from us: no or wrong credentials, or no right.
    #[error("the {part} refuses this caller; see the token or certificate it is shown: {message}")]
    CallerRefused {
        /// Which part.
        part: &'static str,
        /// Its words, cut.
        message: String,
    },
    /// `RPC-004`: it refuses what it was asked.
    #[error("the {part} refuses: {message}")]
    Refused {
        /// Which part.
        part: &'static str,
        /// Its words, cut.
        message: String,
        /// The code of its error, where it said one.
        code: Option<String>,
        /// Who is at fault.
        fault: Fault,
    },
    /// `RPC-005`: its answer cannot be used, or it failed.
    #[error("the answer of the {part} cannot be used: {why}")]
    Answer {
        /// Which part.
        part: &'static str,
        /// Why.
        why: String,
    },
    /// `RPC-006`: a setting cannot be used.
    #[error("{setting} of the {part}: {why}")]
    Setting {
        /// Which part.
        part: &'static str,
        /// The setting.
        setting: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl Coded for RemoteError {
    fn code(&self) -> &'static str {
        match self {
            RemoteError::Unreachable { .. } => "RPC-001",
            RemoteError::TimedOut { .. } => "RPC-002",
            RemoteError::CallerRefused { .. } => "RPC-003",
            RemoteError::Refused { .. } => "RPC-004",
            RemoteError::Answer { .. } => "RPC-005",
            RemoteError::Setting { .. } => "RPC-006",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            RemoteError::Unreachable { .. }
            | RemoteError::TimedOut { .. }
            | RemoteError::CallerRefused { .. } => Fault::Unavailable,
            RemoteError::Refused { fault, .. } => *fault,
            RemoteError::Answer { .. } => Fault::BadGateway,
            RemoteError::Setting { .. } => Fault::Internal,
        }
    }
}

impl RemoteError {
    /// What a status means for a caller that gave it `deadline`.
    pub(crate) fn of(part: &'static str, deadline: Duration, status: &Status) -> Self {
        let message = shown(status.message());
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => RemoteError::CallerRefused { part, message },
            Code::DeadlineExceeded => RemoteError::TimedOut { part, deadline },
            _ if caused_by::<Undecodable>(status) => RemoteError::Answer { part, why: message },
            _ if caused_by::<TimeoutExpired>(status) => RemoteError::TimedOut { part, deadline },
            Code::Unavailable | Code::Cancelled => {
                RemoteError::Unreachable { part, why: with_causes(status) }
            }
            // An error of the connection has a cause; one that somebody sent has none.
            _ if status.source().is_some() => RemoteError::Unreachable { part, why: with_causes(status) },
            code => match refused(code) {
                Some(by_code) => RemoteError::Refused {
                    part,
                    message,
                    code: header(status, CODE_HEADER).map(|code| shown(&code)),
                    fault: header(status, FAULT_HEADER).and_then(|text| fault(&text)).unwrap_or(by_code),
                },
                None => RemoteError::Answer { part, why: format!("{code:?}: {message}") },
            },
        }
    }
}

/// Whose fault a refusal is by its code alone; `None` where it is the other part's.
fn refused(code: Code) -> Option<Fault> {
    match code {
        Code::InvalidArgument => Some(Fault::BadRequest),
        Code::NotFound => Some(Fault::NotFound),
        Code::AlreadyExists => Some(Fault::Conflict),
        Code::OutOfRange => Some(Fault::TooLarge),
        Code::ResourceExhausted => Some(Fault::RateLimited),
        // All errors of Trustee's parts are `ABORTED`.
        Code::FailedPrecondition | Code::Aborted => Some(Fault::Unprocessable),
        _ => None,
    }
}

fn header(status: &Status, name: &str) -> Option<String> {
    Some(status.metadata().get(name)?.to_str().ok()?.to_owned())
}

fn fault(text: &str) -> Option<Fault> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

/// Whether it was this that went wrong at this end.
fn caused_by<E: std::error::Error + 'static>(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(cause) = next {
        if cause.is::<E>() {
            return true;
        }
        next = cause.source();
    }
    false
}

fn with_causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut next = status.source();
    while let Some(cause) = next.filter(|_| text.len() < SHOWN) {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    shown(&text)
}

/// Somebody else's text as it may be shown: without control characters, cut after 512 characters.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::metadata::{AsciiMetadataValue, MetadataMap};

    fn of(status: &Status) -> RemoteError {
        RemoteError::of("part", Duration::from_secs(1), status)
    }

    #[test]
    fn each_status_says_who_is_at_fault() {
        for (code, ours, fault) in [
            (Code::Unauthenticated, "RPC-003", Fault::Unavailable),
            (Code::PermissionDenied, "RPC-003", Fault::Unavailable),
            (Code::Unavailable, "RPC-001", Fault::Unavailable),
            (Code::DeadlineExceeded, "RPC-002", Fault::Unavailable),
            (Code::Cancelled, "RPC-001", Fault::Unavailable),
            (Code::InvalidArgument, "RPC-004", Fault::BadRequest),
            (Code::Aborted, "RPC-004", Fault::Unprocessable),
            (Code::NotFound, "RPC-004", Fault::NotFound),
            (Code::OutOfRange, "RPC-004", Fault::TooLarge),
            (Code::Unimplemented, "RPC-005", Fault::BadGateway),
            (Code::Internal, "RPC-005", Fault::BadGateway),
            (Code::Unknown, "RPC-005", Fault::BadGateway),
        ] {
            let error = of(&Status::new(code, "because"));
            assert_eq!((error.code(), error.fault()), (ours, fault), "{code:?}");
        }
    }

    #[test]
    fn a_refusal_may_name_its_code_and_fault() {
        let metadata = |fault: &'static str| {
            let mut map = MetadataMap::new();
            map.insert(CODE_HEADER, AsciiMetadataValue::from_static("RV-004"));
            map.insert(FAULT_HEADER, AsciiMetadataValue::from_static(fault));
            map
        };
        let status = |fault| Status::with_metadata(Code::InvalidArgument, "no\nno", metadata(fault));
        let RemoteError::Refused { message, code, fault, .. } = of(&status("unprocessable")) else {
            panic!()
        };
        assert_eq!((message.as_str(), code.as_deref()), ("no no", Some("RV-004")));
        assert_eq!(fault, Fault::Unprocessable);
        assert_eq!(of(&status("whatever")).fault(), Fault::BadRequest);
        assert_eq!(shown(&"x".repeat(1000)).len(), SHOWN);
    }
}
