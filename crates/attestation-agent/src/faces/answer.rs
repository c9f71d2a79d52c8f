//! The one table from an error to a status: ttRPC's, gRPC's and HTTP's.
//!
//! | outcome | RPC | HTTP | the caller |
//! |---|---|---|---|
//! | invalid | 3 INVALID_ARGUMENT | 400 | mends its request |
//! | too large | 3 INVALID_ARGUMENT | 413 | sends less |
//! | denied | 7 PERMISSION_DENIED | 403 | stops: its own rules, or the key broker's verdict on this guest, say no |
//! | missing | 5 NOT_FOUND | 404 | stops |
//! | not believed | 16 UNAUTHENTICATED | 502 | tells the operator: the key broker does not take the agent's token |
//! | conflict | 9 FAILED_PRECONDITION | 409 | stops: what is asked for contradicts what is |
//! | not possible | 9 FAILED_PRECONDITION | 422 | stops: understood, and cannot be done here |
//! | exhausted | 8 RESOURCE_EXHAUSTED | 429 | comes back later |
//! | late | 4 DEADLINE_EXCEEDED | 504 | may try again |
//! | unavailable | 14 UNAVAILABLE | 503 | may try again |
//! | bad dependency | 9 FAILED_PRECONDITION | 502 | tells the operator |
//! | internal | 13 INTERNAL | 500 | reports a defect |
//!
//! A workload has no credentials of its own to show, so no status 401 is ever sent.

use assay_attester::AttesterError;
use assay_client::ClientError;
use assay_types::{Coded, Fault};
use http::StatusCode;
use tonic::Code;

use crate::error::AgentError;

/// The longest text of an error on the wire, in bytes; gRPC carries it in a header.
const MAX_TEXT: usize = 4096;

/// How a request failed, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The request is not understood.
    Invalid,
    /// The request is too large.
    TooLarge,
    /// Not allowed, here or by the key broker.
    Denied,
    /// Nothing there.
    Missing,
    /// The key broker does not take the agent's token.
    NotBelieved,
    /// It contradicts what is.
    Conflict,
    /// Understood, and cannot be done.
    NotPossible,
    /// Too much at once.
    Exhausted,
    /// No answer in time.
    Late,
    /// Not now.
    Unavailable,
    /// A dependency is not as it must be, and will not be later.
    BadDependency,
    /// Ours.
    Internal,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 12] = [
        Outcome::Invalid,
        Outcome::TooLarge,
        Outcome::Denied,
        Outcome::Missing,
        Outcome::NotBelieved,
        Outcome::Conflict,
        Outcome::NotPossible,
        Outcome::Exhausted,
        Outcome::Late,
        Outcome::Unavailable,
        Outcome::BadDependency,
        Outcome::Internal,
    ];

    /// That of an error.
    pub fn of(error: &AgentError) -> Self {
        match error {
            AgentError::TookTooLong { .. } | AgentError::Attester(AttesterError::Deadline { .. }) => {
                Outcome::Late
            }
            AgentError::Client(error) => Outcome::of_client(error),
            _ => Outcome::of_fault(error.fault()),
        }
    }

    /// Where the other side faults what the *agent* sent, its caller can do nothing about it.
    fn of_client(error: &ClientError) -> Self {
        match error {
            ClientError::Evidence(_) => Outcome::Unavailable,
            ClientError::Configuration(_) => Outcome::Internal,
            ClientError::Protocol { .. } | ClientError::Jwe { .. } => Outcome::BadDependency,
            _ => match error.fault() {
                Fault::MethodNotAllowed
                | Fault::NotAcceptable
                | Fault::RequestTimeout
                | Fault::Conflict
                | Fault::TooLarge
                | Fault::UnsupportedMediaType
                | Fault::HeadersTooLarge => Outcome::BadDependency,
                fault => Outcome::of_fault(fault),
            },
        }
    }

    /// That of a fault.
    pub const fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::BadRequest
            | Fault::MethodNotAllowed
            | Fault::NotAcceptable
            | Fault::UnsupportedMediaType
            | Fault::HeadersTooLarge => Outcome::Invalid,
            Fault::TooLarge => Outcome::TooLarge,
            Fault::Evidence | Fault::ReferenceMismatch | Fault::PolicyDenied | Fault::Forbidden => {
                Outcome::Denied
            }
            Fault::NotFound => Outcome::Missing,
            Fault::Unauthenticated => Outcome::NotBelieved,
            Fault::Conflict => Outcome::Conflict,
            Fault::Unprocessable => Outcome::NotPossible,
            Fault::RateLimited => Outcome::Exhausted,
            Fault::RequestTimeout => Outcome::Late,
            Fault::CollateralTransient | Fault::Unavailable => Outcome::Unavailable,
            Fault::CollateralPermanent => Outcome::BadDependency,
            _ => Outcome::Internal,
        }
    }

    /// The status of ttRPC and gRPC.
    pub const fn rpc(self) -> Code {
        match self {
            Outcome::Invalid | Outcome::TooLarge => Code::InvalidArgument,
            Outcome::Denied => Code::PermissionDenied,
            Outcome::Missing => Code::NotFound,
            Outcome::NotBelieved => Code::Unauthenticated,
            Outcome::Conflict | Outcome::NotPossible | Outcome::BadDependency => Code::FailedPrecondition,
            Outcome::Exhausted => Code::ResourceExhausted,
            Outcome::Late => Code::DeadlineExceeded,
            Outcome::Unavailable => Code::Unavailable,
            Outcome::Internal => Code::Internal,
        }
    }

    /// The status of HTTP.
    pub const fn http(self) -> StatusCode {
        match self {
            Outcome::Invalid => StatusCode::BAD_REQUEST,
            Outcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Outcome::Denied => StatusCode::FORBIDDEN,
            Outcome::Missing => StatusCode::NOT_FOUND,
            Outcome::NotBelieved | Outcome::BadDependency => StatusCode::BAD_GATEWAY,
            Outcome::Conflict => StatusCode::CONFLICT,
            Outcome::NotPossible => StatusCode::UNPROCESSABLE_ENTITY,
            Outcome::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            Outcome::Late => StatusCode::GATEWAY_TIMEOUT,
            Outcome::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Outcome::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The text of an error on the RPC faces: `<CODE>: <cause>`, at most 4096 bytes.
pub(crate) fn text(error: &AgentError) -> String {
    cut(format!("{}: {error}", error.code()))
}

/// Cuts a text to what the wire takes, and shows that it did.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let mut end = MAX_TEXT - '…'.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character_and_say_so() {
        assert_eq!(cut("ü".repeat(2048)), "ü".repeat(2048));
        let long = cut(format!("a{}", "ü".repeat(2048)));
        assert!(long.len() <= MAX_TEXT && long.ends_with("ü…"), "{}", long.len());
    }

    #[test]
    fn no_status_is_ever_401_and_every_outcome_is_an_error() {
        for outcome in Outcome::ALL {
            let status = outcome.http();
            assert!(
                (400..600).contains(&status.as_u16()) && status != StatusCode::UNAUTHORIZED,
                "{outcome:?}"
            );
            assert_ne!(outcome.rpc(), Code::Ok, "{outcome:?}");
        }
    }
}
