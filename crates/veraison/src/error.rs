//! What can be wrong with a Veraison service, and who is at fault.

use std::fmt;
use std::time::Duration;

use assay_token::TokenError;
use assay_types::{Coded, Fault, TrustTier, UnixTime, Validity, VerifyError};

/// A step of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `GET …/.well-known/veraison/verification`.
    Discovery,
    /// `POST …/newSession`.
    NewSession,
    /// `POST …/session/…` with the evidence.
    Evidence,
    /// `GET …/session/…`, for the result.
    Result,
    /// `DELETE …/session/…`. Its failure is never reported.
    Delete,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Discovery => "asking for the key of attestation results",
            Step::NewSession => "making a session",
            Step::Evidence => "sending the evidence",
            Step::Result => "asking for the result",
            Step::Delete => "deleting the session",
        })
    }
}

/// Why there are no claims.
#[derive(Debug, thiserror::Error)]
pub enum VeraisonFailure {
    /// The evidence's fault.
    #[error(transparent)]
    Evidence(#[from] VerifyError),
    /// The service's fault, or ours; nothing is known of the evidence.
    #[error(transparent)]
    Service(#[from] VeraisonError),
}

/// What is wrong with a Veraison service, with what it answered or with how it was to be asked. Text
/// of the service is cut and free of control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VeraisonError {
    /// A setting that cannot be used.
    #[error("the setting {setting} cannot be used: {why}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No connection, or it broke.
    #[error("{step}: the Veraison service cannot be reached: {cause}")]
    Unreachable {
        /// When.
        step: Step,
        /// What the network says.
        cause: String,
    },
    /// The service's TLS certificate is not trusted.
    #[error("{step}: the certificate of the Veraison service is not trusted: {cause}; check ca_certificate")]
    Untrusted {
        /// When.
        step: Step,
        /// What TLS says.
        cause: String,
    },
    /// The deadline passed.
    #[error("{step}: the Veraison service did not answer within the {} ms allowed", deadline.as_millis())]
    TimedOut {
        /// When.
        step: Step,
        /// For the whole exchange.
        deadline: Duration,
    },
    /// The service wants to be left alone.
    #[error("{step}: the Veraison service takes no more requests now{}{}", status_text(*status), wait_text(*retry_after))]
    RateLimited {
        /// When.
        step: Step,
        /// What it answered; `None` when it was not asked, because of an earlier answer.
        status: Option<u16>,
        /// For how long, by its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The service failed.
    #[error("{step}: the Veraison service failed with status {status}{}", detail_text(detail))]
    Failed {
        /// When.
        step: Step,
        /// 408 or 5xx.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// The service does not want what we sent.
    #[error("{step}: the Veraison service answered {status}, not {expected}{}", detail_text(detail))]
    Refused {
        /// When.
        step: Step,
        /// What it answered.
        status: u16,
        /// What it should have.
        expected: &'static str,
        /// What it says.
        detail: String,
    },
    /// The service does not take evidence of this kind.
    #[error("the Veraison service does not take {media_type}; it takes {}", list(accepted))]
    MediaTypeRefused {
        /// The evidence's.
        media_type: String,
        /// Those that it takes, some of them at least.
        accepted: Vec<String>,
    },
    /// The service does not speak this version of the API.
    #[error(
        "{step}: the Veraison service cannot answer with {media_type} (status 406){}",
        detail_text(detail)
    )]
    NotAcceptable {
        /// When.
        step: Step,
        /// What it was asked for.
        media_type: &'static str,
        /// What it says.
        detail: String,
    },
    /// The session that was just made is not there any more.
    #[error(
        "{step}: the session is gone (status 404): it expired, or another instance of the service made it"
    )]
    SessionGone {
        /// When.
        step: Step,
    },
    /// The service sends us elsewhere. Evidence is not sent there.
    #[error(
        "{step}: the Veraison service redirects (status {status}) to {location:?}; set base_url to where it is"
    )]
    Redirected {
        /// When.
        step: Step,
        /// 3xx.
        status: u16,
        /// Where to.
        location: String,
    },
    /// The answer is longer than allowed.
    #[error("{step}: the answer of the Veraison service has more than {limit} bytes")]
    TooLarge {
        /// When.
        step: Step,
        /// The greatest length.
        limit: usize,
    },
    /// The answer is not of the API: another media type, or other JSON.
    #[error("{step}: the answer is not {expected}: {why}; is base_url that of a Veraison service?")]
    NotTheApi {
        /// When.
        step: Step,
        /// The media type that it must be.
        expected: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// `Location` does not lead to a session of this service.
    #[error("making a session: {why}: {location:?}")]
    WrongLocation {
        /// As received.
        location: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The session is for another nonce.
    #[error("{step}: the session is for the nonce {found}, not {expected}")]
    SessionNonce {
        /// When.
        step: Step,
        /// Ours, hex.
        expected: String,
        /// The session's, hex.
        found: String,
    },
    /// The service gave up on the session.
    #[error("{step}: the session has failed; see the log of the Veraison service")]
    SessionFailed {
        /// When.
        step: Step,
    },
    /// The service was not done by the deadline.
    #[error("the Veraison service was still working on the evidence after {} ms", deadline.as_millis())]
    NotFinished {
        /// For the whole exchange.
        deadline: Duration,
    },
    /// The session is complete and holds no result.
    #[error("{step}: the session is complete, but holds no attestation result")]
    NoResult {
        /// When.
        step: Step,
    },
    /// The attestation result is no signed JWT.
    #[error("the attestation result is not one: {0}")]
    NotAToken(TokenError),
    /// The attestation result is not signed by the service's key.
    #[error("the attestation result does not verify under {key}: {cause}")]
    UnknownKey {
        /// Which key, and where it is from.
        key: String,
        /// Why it does not.
        cause: TokenError,
    },
    /// The claims are no attestation result.
    #[error("the attestation result (EAR) cannot be read: {why}")]
    NotAnEar {
        /// What is wrong with them.
        why: String,
    },
    /// A profile that is not known.
    #[error("the attestation result has the profile {found:?}; known are {known}", known = crate::KNOWN_PROFILES.join(", "))]
    UnknownProfile {
        /// As received.
        found: String,
    },
    /// The result was made for another nonce.
    #[error("the attestation result is for the nonce {found}, not {expected}")]
    EarNonce {
        /// Ours, hex.
        expected: String,
        /// The result's, hex.
        found: String,
    },
    /// The result was not made during this session, or has ended.
    #[error(
        "the attestation result holds from {validity}, and it was asked for at {asked_at}, at {now} it is here"
    )]
    EarTime {
        /// From `iat` (or `nbf`, if that is later) to `exp`.
        validity: Validity,
        /// When the session was asked for.
        asked_at: UnixTime,
        /// When the result was there.
        now: UnixTime,
    },
    /// Other submodules than a CCA token's.
    #[error(
        "the attestation result has {}; expected are CCA_SSD_PLATFORM and CCA_REALM, or ARM_CCA alone",
        submodules(found)
    )]
    WrongSubmodules {
        /// Their names.
        found: Vec<String>,
    },
    /// A status that the vector does not bear out.
    #[error("the attestation result says {status} of {submodule}, but its trust vector says {vector}")]
    StatusBetterThanVector {
        /// Which one.
        submodule: String,
        /// Its status.
        status: TrustTier,
        /// The worst tier of its vector.
        vector: TrustTier,
    },
    /// The verifier says that it failed itself.
    #[error("the verifier failed while it appraised {submodule} (AR4SI, -1){}", detail_text(detail))]
    Malfunction {
        /// Which submodule.
        submodule: &'static str,
        /// What it says.
        detail: String,
    },
    /// There is no nonce to ask with.
    #[error("a Veraison service needs the expected challenge of the token: {why}")]
    NoChallenge {
        /// What is wrong with it.
        why: String,
    },
}

/// `text`, cut, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn status_text(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" (status {status})"))
}

fn wait_text(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!("; try again in {} s", wait.as_secs()))
}

fn detail_text(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

fn list(accepted: &[String]) -> String {
    if accepted.is_empty() { "none that it names".to_owned() } else { accepted.join(", ") }
}

fn submodules(found: &[String]) -> String {
    if found.is_empty() { "no submodule".to_owned() } else { format!("the submodules {}", found.join(", ")) }
}

impl VeraisonError {
    /// How long the service asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            VeraisonError::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Coded for VeraisonError {
    fn code(&self) -> &'static str {
        match self {
            VeraisonError::Setting { .. } => "VER-201",
            VeraisonError::Unreachable { .. } => "VER-202",
            VeraisonError::Untrusted { .. } => "VER-203",
            VeraisonError::TimedOut { .. } => "VER-204",
            VeraisonError::RateLimited { .. } => "VER-205",
            VeraisonError::Failed { .. } => "VER-206",
            VeraisonError::Refused { .. } => "VER-207",
            VeraisonError::MediaTypeRefused { .. } => "VER-208",
            VeraisonError::NotAcceptable { .. } => "VER-209",
            VeraisonError::SessionGone { .. } => "VER-210",
            VeraisonError::Redirected { .. } => "VER-211",
            VeraisonError::TooLarge { .. } => "VER-212",
            VeraisonError::NotTheApi { .. } => "VER-213",
            VeraisonError::WrongLocation { .. } => "VER-214",
            VeraisonError::SessionNonce { .. } => "VER-215",
            VeraisonError::SessionFailed { .. } => "VER-216",
            VeraisonError::NotFinished { .. } => "VER-217",
            VeraisonError::NoResult { .. } => "VER-218",
            VeraisonError::NotAToken(_) => "VER-221",
            VeraisonError::UnknownKey { .. } => "VER-222",
            VeraisonError::NotAnEar { .. } => "VER-223",
            VeraisonError::UnknownProfile { .. } => "VER-224",
            VeraisonError::EarNonce { .. } => "VER-225",
            VeraisonError::EarTime { .. } => "VER-226",
            VeraisonError::WrongSubmodules { .. } => "VER-227",
            VeraisonError::StatusBetterThanVector { .. } => "VER-228",
            VeraisonError::Malfunction { .. } => "VER-229",
            VeraisonError::NoChallenge { .. } => "VER-230",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            VeraisonError::Setting { .. } => Fault::Internal,
            VeraisonError::NoChallenge { .. } => Fault::Unprocessable,
            VeraisonError::Unreachable { .. }
            | VeraisonError::TimedOut { .. }
            | VeraisonError::RateLimited { .. }
            | VeraisonError::Failed { .. }
            // A new session may last.
            | VeraisonError::SessionGone { .. }
            | VeraisonError::SessionFailed { .. }
            | VeraisonError::NotFinished { .. }
            | VeraisonError::Malfunction { .. } => Fault::CollateralTransient,
            _ => Fault::CollateralPermanent,
        }
    }
}
