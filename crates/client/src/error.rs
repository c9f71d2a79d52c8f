//! What can go wrong for a client, by what the caller can do about it.

use std::fmt;
use std::time::Duration;

use assay_token::jwe::JweError;
use assay_types::{Coded, ErrorInformation, Fault};

use crate::evidence::EvidenceError;

/// One attempt that failed in a way that a later one may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was done, such as `POST /kbs/v0/attest`.
    pub what: String,
    /// How it ended, in words.
    pub outcome: String,
}

/// An error of [`KbsClient`](crate::KbsClient) or [`AdminClient`](crate::AdminClient).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server understood and refused: evidence not accepted, policy, request not acceptable.
    /// It is not asked again.
    #[error("denied: {what} was answered {status}: {}", Told(problem))]
    Denied {
        /// What was asked.
        what: String,
        /// The HTTP status, 4xx.
        status: u16,
        /// What the server says, with its findings where it sent any.
        problem: Box<ErrorInformation>,
    },
    /// What was asked for does not exist.
    #[error("not found: {what}: {}", Told(problem))]
    NotFound {
        /// What was asked.
        what: String,
        /// What the server says.
        problem: Box<ErrorInformation>,
    },
    /// The server does not accept the token, not even a new one.
    #[error("not authenticated: {what} was answered 401: {}", Told(problem))]
    Unauthenticated {
        /// What was asked.
        what: String,
        /// What the server says.
        problem: Box<ErrorInformation>,
    },
    /// The server cannot be reached or cannot answer now.
    #[error("unavailable: {}", Listed(attempts))]
    Unavailable {
        /// Every attempt, in order.
        attempts: Vec<Attempt>,
        /// When to try again, where the server said so.
        retry_after: Option<Duration>,
    },
    /// The server does not speak the protocol as it must.
    #[error("protocol violated: {what}: {detail}")]
    Protocol {
        /// What was asked.
        what: String,
        /// What is wrong with the answer.
        detail: String,
    },
    /// The secret came, but cannot be decrypted.
    #[error("{what}: the secret cannot be decrypted: {error}")]
    Jwe {
        /// What was asked.
        what: String,
        /// Why.
        #[source]
        error: JweError,
    },
    /// There is no evidence, or no key to go with it.
    #[error("no evidence: {0}")]
    Evidence(#[source] EvidenceError),
    /// The client's settings cannot be used.
    #[error("client configuration: {0}")]
    Configuration(String),
    /// An argument cannot be sent.
    #[error("argument: {0}")]
    Argument(String),
}

/// The longest code that is shown: longer ones are none of a server like ours.
const MAX_CODE: usize = 32;

/// What the server says, after its code where it sent one.
pub(crate) struct Told<'a>(pub(crate) &'a ErrorInformation);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |code: &&str| {
            code.len() <= MAX_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if let Some(code) = self.0.more.get("code").and_then(serde_json::Value::as_str).filter(plain) {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.0.detail)
    }
}

impl ClientError {
    /// What the server said, where it said anything.
    pub fn problem(&self) -> Option<&ErrorInformation> {
        match self {
            ClientError::Denied { problem, .. }
            | ClientError::NotFound { problem, .. }
            | ClientError::Unauthenticated { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anyone doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, ClientError::Unavailable { .. })
    }
}

impl Coded for ClientError {
    fn code(&self) -> &'static str {
        match self {
            ClientError::Denied { .. } => "CLI-001",
            ClientError::NotFound { .. } => "CLI-002",
            ClientError::Unauthenticated { .. } => "CLI-003",
            ClientError::Unavailable { .. } => "CLI-004",
            ClientError::Protocol { .. } => "CLI-005",
            ClientError::Jwe { .. } => "CLI-006",
            ClientError::Evidence(_) => "CLI-007",
            ClientError::Configuration(_) => "CLI-008",
            ClientError::Argument(_) => "CLI-009",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ClientError::Denied { status, problem, .. } => match status {
                401 => Fault::Evidence,
                403 if is_policy(problem) => Fault::PolicyDenied,
                403 => Fault::Forbidden,
                405 => Fault::MethodNotAllowed,
                406 => Fault::NotAcceptable,
                408 => Fault::RequestTimeout,
                409 => Fault::Conflict,
                413 => Fault::TooLarge,
                415 => Fault::UnsupportedMediaType,
                422 => Fault::Unprocessable,
                431 => Fault::HeadersTooLarge,
                _ => Fault::BadRequest,
            },
            ClientError::NotFound { .. } => Fault::NotFound,
            ClientError::Unauthenticated { .. } => Fault::Unauthenticated,
            // The server is the dependency here, also when it speaks nonsense.
            ClientError::Unavailable { .. } | ClientError::Protocol { .. } | ClientError::Jwe { .. } => {
                Fault::Unavailable
            }
            ClientError::Evidence(_) => Fault::Evidence,
            ClientError::Configuration(_) | ClientError::Argument(_) => Fault::BadRequest,
        }
    }
}

/// Whether the server's policy said no. Trustee says so in the type, with the status 401.
pub(crate) fn is_policy(problem: &ErrorInformation) -> bool {
    problem.error_type.ends_with("/PolicyDeny") || problem.more.contains_key("findings")
}

/// "attempt 1: POST …: answered 503; attempt 2: …".
struct Listed<'a>(&'a [Attempt]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let number = index.saturating_add(1);
            write!(f, "{separator}attempt {number}: {}: {}", attempt.what, attempt.outcome)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_servers_code_stands_before_what_it_says_unless_it_is_none() {
        for (code, shown) in [
            (json!("RVP-012"), "denied: it was answered 422: RVP-012: why"),
            (json!(12), "denied: it was answered 422: why"),
            (json!("two\nlines"), "denied: it was answered 422: why"),
            (json!("A".repeat(33)), "denied: it was answered 422: why"),
            (json!(null), "denied: it was answered 422: why"),
        ] {
            let mut problem = ErrorInformation { detail: "why".into(), ..ErrorInformation::default() };
            problem.more.insert("code".into(), code);
            let error = ClientError::Denied { what: "it".into(), status: 422, problem: Box::new(problem) };
            assert_eq!(error.to_string(), shown);
        }
    }
}
