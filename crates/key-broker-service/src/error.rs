//! Everything that can go wrong with a request.

use assay_access::AccessError;
use assay_attestation_service::{EvaluationError, PolicySetError};
use assay_audit::AuditError;
use assay_policy::PolicyError;
use assay_reference_values::ReferenceValueError;
use assay_secret_backends::BackendError;
use assay_store::StoreError;
use assay_telemetry::Unready;
use assay_token::jwe::JweError;
use assay_token::{NotAcceptable, TokenError};
use assay_types::{Coded, Fault, Finding, NotAResourcePath, TrustTier, UnixTime, UnknownTee};

/// Why a request was not served. The [`Fault`] gives the status, in one place (`problem`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// `KBS-001`: the body is not the JSON that it must be.
    #[error("the body is not the JSON expected here: {detail}")]
    Json {
        /// What the parser says.
        detail: String,
    },
    /// `KBS-002`: a protocol version that is not spoken here.
    #[error("protocol version {found:?} is not spoken here; spoken are {spoken}")]
    Version {
        /// The client's, cut after 64 characters.
        found: String,
        /// Ours, separated by commas.
        spoken: String,
    },
    /// `KBS-003`: no TEE has that name.
    #[error(transparent)]
    UnknownTee(#[from] UnknownTee),
    /// `KBS-004`: the TEE exists, but its evidence is not taken here.
    #[error("evidence of {tee} is not taken here; taken are {taken}")]
    TeeNotTaken {
        /// The TEE.
        tee: assay_types::Tee,
        /// The TEEs whose evidence is taken, separated by commas.
        taken: String,
    },
    /// `KBS-005`: `attest` without the cookie of `auth`.
    #[error("no cookie kbs-session-id: call auth first and send back its cookie")]
    NoCookie,
    /// `KBS-006`: the cookie is not one of ours, or was changed.
    #[error("the cookie kbs-session-id is forged or damaged ({why}): call auth again")]
    ForgedCookie {
        /// What is wrong with it.
        why: &'static str,
    },
    /// `KBS-007`: the cookie was sealed with a key that this server does not have.
    #[error("the cookie kbs-session-id was sealed by another server, or too long ago: call auth again")]
    ForeignCookie,
    /// `KBS-008`: the cookie's time is over.
    #[error("the session ended at {ended}, and now it is {now}: call auth again")]
    StaleCookie {
        /// When it ended.
        ended: UnixTime,
        /// The time of the request.
        now: UnixTime,
    },
    /// `KBS-009`: the runtime data name another nonce than the cookie.
    #[error("the nonce in runtime-data is not the one of this session: call auth again")]
    WrongNonce,
    /// `KBS-010`: the challenge gave its one token already.
    #[error("challenge already used: call auth again")]
    ChallengeUsed,
    /// `KBS-011`: neither a session cookie nor a bearer token.
    #[error("no attestation: send the cookie of an attested session, or a token as Authorization: Bearer")]
    NoCredentials,
    /// `KBS-012`: the session exists, but has not attested.
    #[error("the session has not attested: call attest first")]
    NotAttested,
    /// `KBS-013`: the token is good but names no usable guest key.
    #[error("the token names no guest key that a secret could be encrypted to")]
    NoGuestKey,
    /// `KBS-014`: the resource policy says no.
    #[error("the resource policy {policy:?} denies {path}: {}", why(unaffirmed))]
    Denied {
        /// The path.
        path: String,
        /// The policy that decided.
        policy: String,
        /// The submodules that are not affirming, with their status.
        unaffirmed: Vec<(String, TrustTier)>,
        /// The failed findings of the verdict behind the token.
        findings: Vec<Finding>,
    },
    /// `KBS-015`: the resource policy cannot be used; nothing is released.
    #[error("the resource policy {policy:?} cannot be used: {error}")]
    ResourcePolicy {
        /// The policy.
        policy: String,
        /// Why.
        error: PolicyError,
    },
    /// `KBS-016`: the path is not a resource path.
    #[error(transparent)]
    ResourcePath(#[from] NotAResourcePath),
    /// `KBS-017`: the path has escapes that are not allowed.
    #[error("the path cannot be read: {why}")]
    PathEncoding {
        /// What is wrong.
        why: &'static str,
    },
    /// `KBS-018`: nothing is there.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// `resource`, `attestation policy`, …
        what: &'static str,
        /// Its name, cut after 256 characters.
        name: String,
    },
    /// `KBS-019`: no endpoint and no plugin has this path.
    #[error("nothing is served at this path")]
    NoEndpoint,
    /// `KBS-020`: the path is served, but not with this method.
    #[error("this path is not served with the method {method}")]
    Method {
        /// The method, cut after 16 characters.
        method: String,
    },
    /// `KBS-021`: the body is too large.
    #[error("the body is larger than {limit} bytes, the most that is taken here")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// `KBS-022`: the body did not arrive in time.
    #[error("the body did not arrive within {seconds} seconds")]
    BodyTimeout {
        /// The time allowed.
        seconds: u64,
    },
    /// `KBS-023`: the body ended before it was complete.
    #[error("the body was cut off")]
    BodyCutOff,
    /// `KBS-024`: too many requests from this address.
    #[error("too many requests from this address; try again in {retry_after} seconds")]
    RateLimited {
        /// How long to wait, in seconds, at least 1.
        retry_after: u64,
    },
    /// `KBS-025`: the work took too long.
    #[error("the request took longer than {seconds} seconds")]
    TookTooLong {
        /// The time allowed.
        seconds: u64,
    },
    /// `KBS-031`: a member is not base64url without padding.
    #[error("{member:?} is not base64url without padding")]
    Base64 {
        /// The member.
        member: &'static str,
    },
    /// `KBS-032`: a policy that is not text.
    #[error("the policy is not UTF-8 text")]
    PolicyNotText,
    /// `KBS-033`: a policy in another language.
    #[error("policies of the type {found:?} are not known; known is \"rego\"")]
    PolicyType {
        /// The type, cut after 64 characters.
        found: String,
    },
    /// `KBS-034`: the query string cannot be read.
    #[error("the query string cannot be read: {why}")]
    Query {
        /// What is wrong.
        why: &'static str,
    },
    /// `KBS-035`: the server is about to stop.
    #[error("the server is stopping")]
    Draining,
    /// `KBS-036`: something that the service needs is not there.
    #[error("not everything that the service needs is there")]
    NotReady {
        /// What is not.
        failing: Vec<Unready>,
    },
    /// `KBS-037`: what must not happen.
    #[error("{what}")]
    Internal {
        /// What happened.
        what: String,
    },
    /// `KBS-038`: the `Accept` header does not take the answer.
    #[error("the answer is {offered}, which the Accept header does not take")]
    NotAcceptable {
        /// The media type of the answer.
        offered: &'static str,
    },
    /// `KBS-039`: the body is of a media type that is not taken here.
    #[error("the media type {found:?} is not taken here; taken are {}", list(taken))]
    MediaType {
        /// The media type, cut to what an error may carry.
        found: String,
        /// Those that are taken.
        taken: &'static [&'static str],
    },
    /// `KBS-040`: the nonce that was asked for cannot be.
    #[error("the nonce: {why}")]
    Nonce {
        /// What is wrong.
        why: String,
    },
    /// `KBS-041`: the identifier of a challenge-response session is no UUID.
    #[error("the session's identifier is not a UUID")]
    SessionId,
    /// `KBS-042`: the challenge-response session is not there, or has ended.
    #[error("there is no such session, or it has ended: begin a new one")]
    NoChallengeResponseSession,
    /// `KBS-043`: the challenge-response session took its evidence already.
    #[error("this session has taken its evidence; a nonce serves once: begin a new session")]
    EvidenceTaken,
    /// `KBS-044`: the body is empty.
    #[error("the body is empty; {expected} is expected")]
    NoBody {
        /// What is expected.
        expected: &'static str,
    },
    /// `KBS-045`: the wrapper around evidence cannot be read.
    #[error("the CMW cannot be read: {why}")]
    Cmw {
        /// What is wrong.
        why: String,
    },
    /// `KBS-046`: the nonce in the runtime data is no challenge of this service.
    #[error(
        "the nonce in runtime_data is not a challenge of this service ({why}): ask for one at /challenge"
    )]
    NotAChallenge {
        /// What is wrong with it.
        why: &'static str,
    },
    /// `KBS-047`: the challenge's time is over.
    #[error("the challenge ended at {ended}, and now it is {now}: ask for a new one at /challenge")]
    StaleChallenge {
        /// When it ended.
        ended: UnixTime,
        /// The time of the request.
        now: UnixTime,
    },
    /// `KBS-048`: the challenge of the passport interface gave its one token already.
    #[error("this challenge gave its token already: ask for a new one at /challenge")]
    PassportGiven,
    /// `KBS-049`: runtime data that a token cannot rest on.
    #[error(
        "no token can rest on these runtime_data: {why}; needed is \"structured\", an object with the challenge as \
         nonce and the guest's public key as tee-pubkey"
    )]
    RuntimeData {
        /// What is wrong with them.
        why: &'static str,
    },
    /// `KBS-050`: not exactly one piece of evidence.
    #[error("{found} verification_requests; exactly one is taken, that of the CPU")]
    VerificationRequests {
        /// How many there are.
        found: usize,
    },
    /// `KBS-051`: evidence of another TEE than the challenge's.
    #[error("the challenge was asked for {challenged}, and this is evidence of {found}")]
    OtherTee {
        /// The challenge's.
        challenged: assay_types::Tee,
        /// The evidence's.
        found: assay_types::Tee,
    },
    /// `KBS-052`: a digest of init data that is none of a known algorithm.
    #[error("init_data_digest has {found} bytes; digests of 32, 48 or 64 bytes are known")]
    InitDataDigest {
        /// Its length.
        found: usize,
    },
    /// The caller is no administrator, or not for this.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The attestation service gave no token.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The attestation token does not hold.
    #[error("the attestation token does not hold: {0}")]
    Token(#[from] TokenError),
    /// The secret could not be encrypted for the guest.
    #[error(transparent)]
    Jwe(#[from] JweError),
    /// Every form of attestation result is one that the client does not accept.
    #[error(transparent)]
    NoSuchForm(#[from] NotAcceptable),
    /// The policy was not taken.
    #[error(transparent)]
    PolicySet(#[from] PolicySetError),
    /// The reference values were not taken.
    #[error(transparent)]
    ReferenceValues(#[from] ReferenceValueError),
    /// What must be recorded cannot be.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place where the resource's secret is kept failed; where that is the own store, it is
    /// [`RequestError::Store`].
    #[error(transparent)]
    Backend(BackendError),
    /// A place of secrets cannot serve.
    #[error("a secret back end cannot serve: {0}")]
    BackendNotReady(BackendError),
}

impl From<BackendError> for RequestError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Store(error) => RequestError::Store(error),
            other => RequestError::Backend(other),
        }
    }
}

/// Media types in a row.
fn list(types: &[&str]) -> String {
    if types.is_empty() { "none".to_owned() } else { types.join(", ") }
}

/// The reason of a denial in words.
fn why(unaffirmed: &[(String, TrustTier)]) -> String {
    if unaffirmed.is_empty() {
        return "every attester is affirming, and the policy's own rules decide".to_owned();
    }
    let parts: Vec<String> = unaffirmed.iter().map(|(name, tier)| format!("{name} is {tier}")).collect();
    parts.join(", ")
}

impl RequestError {
    /// `text`, cut to what an error may carry.
    pub(crate) fn shown(text: &str) -> String {
        text.chars().take(64).collect()
    }

    /// Nothing is there under this name.
    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        RequestError::NotFound { what, name: name.chars().take(256).collect() }
    }

    /// What must not happen, happened.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        RequestError::Internal { what: what.into() }
    }

    /// The findings behind it, the failed ones first.
    pub(crate) fn findings(&self) -> Vec<&Finding> {
        let all = match self {
            RequestError::Evaluation(error) => error.findings(),
            RequestError::Denied { findings, .. } => findings,
            _ => &[],
        };
        let mut sorted: Vec<&Finding> = all.iter().collect();
        sorted.sort_by_key(|finding| match finding.outcome {
            assay_types::Outcome::Failed => 0,
            assay_types::Outcome::NotChecked => 1,
            assay_types::Outcome::Passed => 2,
        });
        sorted
    }

    /// The last part of `type`: Trustee's name where it has one that fits.
    pub(crate) fn variant(&self) -> &'static str {
        match self {
            RequestError::Json { .. }
            | RequestError::Base64 { .. }
            | RequestError::Query { .. }
            | RequestError::Nonce { .. }
            | RequestError::SessionId
            | RequestError::NoBody { .. }
            | RequestError::Cmw { .. }
            | RequestError::MediaType { .. }
            | RequestError::NotAcceptable { .. }
            | RequestError::InitDataDigest { .. }
            | RequestError::BodyCutOff => "SerdeError",
            RequestError::Version { .. }
            | RequestError::UnknownTee(_)
            | RequestError::TeeNotTaken { .. }
            | RequestError::NoCookie
            | RequestError::ForgedCookie { .. }
            | RequestError::ForeignCookie
            | RequestError::StaleCookie { .. }
            | RequestError::WrongNonce
            | RequestError::ChallengeUsed
            | RequestError::NoSuchForm(_)
            | RequestError::NoChallengeResponseSession
            | RequestError::EvidenceTaken
            | RequestError::NotAChallenge { .. }
            | RequestError::StaleChallenge { .. }
            | RequestError::PassportGiven
            | RequestError::RuntimeData { .. }
            | RequestError::VerificationRequests { .. }
            | RequestError::OtherTee { .. }
            | RequestError::Evaluation(_) => "AttestationError",
            RequestError::NoCredentials | RequestError::NotAttested => "TokenNotFound",
            RequestError::NoGuestKey | RequestError::Token(_) => "TokenVerifierError",
            RequestError::Denied { .. } => "PolicyDeny",
            RequestError::ResourcePolicy { .. } => "PolicyEngineError",
            RequestError::PolicySet(_) | RequestError::PolicyNotText | RequestError::PolicyType { .. } => {
                "ParsePolicyError"
            }
            RequestError::ResourcePath(_) | RequestError::PathEncoding { .. } => "InvalidRequestPath",
            RequestError::NotFound { what: "resource", .. } => "ResourceNotFound",
            RequestError::NotFound { .. } => "NotFound",
            RequestError::NoEndpoint | RequestError::Method { .. } => "PluginNotFound",
            RequestError::Access(_) => "AdminAuthAccess",
            RequestError::ReferenceValues(_) => "RvpsError",
            RequestError::Jwe(_) => "JweError",
            RequestError::BodyTooLarge { .. }
            | RequestError::BodyTimeout { .. }
            | RequestError::RateLimited { .. } => "RequestLimit",
            RequestError::TookTooLong { .. }
            | RequestError::Draining
            | RequestError::NotReady { .. }
            | RequestError::Internal { .. }
            | RequestError::Audit(_)
            | RequestError::Store(_)
            | RequestError::Backend(_)
            | RequestError::BackendNotReady(_) => "ServiceError",
        }
    }
}

impl Coded for RequestError {
    fn code(&self) -> &'static str {
        match self {
            RequestError::Json { .. } => "KBS-001",
            RequestError::Version { .. } => "KBS-002",
            RequestError::UnknownTee(_) => "KBS-003",
            RequestError::TeeNotTaken { .. } => "KBS-004",
            RequestError::NoCookie => "KBS-005",
            RequestError::ForgedCookie { .. } => "KBS-006",
            RequestError::ForeignCookie => "KBS-007",
            RequestError::StaleCookie { .. } => "KBS-008",
            RequestError::WrongNonce => "KBS-009",
            RequestError::ChallengeUsed => "KBS-010",
            RequestError::NoCredentials => "KBS-011",
            RequestError::NotAttested => "KBS-012",
            RequestError::NoGuestKey => "KBS-013",
            RequestError::Denied { .. } => "KBS-014",
            RequestError::ResourcePolicy { .. } => "KBS-015",
            RequestError::ResourcePath(_) => "KBS-016",
            RequestError::PathEncoding { .. } => "KBS-017",
            RequestError::NotFound { .. } => "KBS-018",
            RequestError::NoEndpoint => "KBS-019",
            RequestError::Method { .. } => "KBS-020",
            RequestError::BodyTooLarge { .. } => "KBS-021",
            RequestError::BodyTimeout { .. } => "KBS-022",
            RequestError::BodyCutOff => "KBS-023",
            RequestError::RateLimited { .. } => "KBS-024",
            RequestError::TookTooLong { .. } => "KBS-025",
            RequestError::Base64 { .. } => "KBS-031",
            RequestError::PolicyNotText => "KBS-032",
            RequestError::PolicyType { .. } => "KBS-033",
            RequestError::Query { .. } => "KBS-034",
            RequestError::Draining => "KBS-035",
            RequestError::NotReady { .. } => "KBS-036",
            RequestError::Internal { .. } => "KBS-037",
            RequestError::NotAcceptable { .. } => "KBS-038",
            RequestError::MediaType { .. } => "KBS-039",
            RequestError::Nonce { .. } => "KBS-040",
            RequestError::SessionId => "KBS-041",
            RequestError::NoChallengeResponseSession => "KBS-042",
            RequestError::EvidenceTaken => "KBS-043",
            RequestError::NoBody { .. } => "KBS-044",
            RequestError::Cmw { .. } => "KBS-045",
            RequestError::NotAChallenge { .. } => "KBS-046",
            RequestError::StaleChallenge { .. } => "KBS-047",
            RequestError::PassportGiven => "KBS-048",
            RequestError::RuntimeData { .. } => "KBS-049",
            RequestError::VerificationRequests { .. } => "KBS-050",
            RequestError::OtherTee { .. } => "KBS-051",
            RequestError::InitDataDigest { .. } => "KBS-052",
            RequestError::Access(error) => error.code(),
            RequestError::Evaluation(error) => error.code(),
            RequestError::Token(error) => error.code(),
            RequestError::Jwe(error) => error.code(),
            RequestError::NoSuchForm(error) => error.code(),
            RequestError::PolicySet(error) => error.code(),
            RequestError::ReferenceValues(error) => error.code(),
            RequestError::Audit(error) => error.code(),
            RequestError::Store(error) => error.code(),
            RequestError::Backend(error) | RequestError::BackendNotReady(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            RequestError::Json { .. }
            | RequestError::Version { .. }
            | RequestError::ResourcePath(_)
            | RequestError::PathEncoding { .. }
            | RequestError::BodyCutOff
            | RequestError::Base64 { .. }
            | RequestError::PolicyNotText
            | RequestError::Nonce { .. }
            | RequestError::SessionId
            | RequestError::NoBody { .. }
            | RequestError::Cmw { .. }
            | RequestError::Query { .. } => Fault::BadRequest,
            RequestError::UnknownTee(_)
            | RequestError::TeeNotTaken { .. }
            | RequestError::RuntimeData { .. }
            | RequestError::VerificationRequests { .. }
            | RequestError::OtherTee { .. }
            | RequestError::InitDataDigest { .. }
            | RequestError::PolicyType { .. } => Fault::Unprocessable,
            RequestError::NoCookie
            | RequestError::ForgedCookie { .. }
            | RequestError::ForeignCookie
            | RequestError::StaleCookie { .. }
            | RequestError::WrongNonce
            | RequestError::ChallengeUsed
            | RequestError::NotAChallenge { .. }
            | RequestError::StaleChallenge { .. }
            | RequestError::PassportGiven
            | RequestError::NoCredentials
            | RequestError::NotAttested => Fault::Unauthenticated,
            RequestError::NoGuestKey => Fault::Unprocessable,
            RequestError::Denied { .. } => Fault::PolicyDenied,
            RequestError::NotFound { .. }
            | RequestError::NoEndpoint
            | RequestError::NoChallengeResponseSession => Fault::NotFound,
            RequestError::NotAcceptable { .. } => Fault::NotAcceptable,
            RequestError::MediaType { .. } => Fault::UnsupportedMediaType,
            RequestError::EvidenceTaken => Fault::Conflict,
            RequestError::Method { .. } => Fault::MethodNotAllowed,
            RequestError::BodyTooLarge { .. } => Fault::TooLarge,
            RequestError::BodyTimeout { .. } => Fault::RequestTimeout,
            RequestError::RateLimited { .. } => Fault::RateLimited,
            RequestError::TookTooLong { .. } | RequestError::Draining | RequestError::NotReady { .. } => {
                Fault::Unavailable
            }
            RequestError::ResourcePolicy { .. } | RequestError::Internal { .. } => Fault::Internal,
            RequestError::Access(error) => error.fault(),
            RequestError::Evaluation(error) => error.fault(),
            RequestError::Token(error) => error.fault(),
            RequestError::Jwe(error) => error.fault(),
            RequestError::NoSuchForm(error) => error.fault(),
            RequestError::PolicySet(error) => error.fault(),
            RequestError::ReferenceValues(error) => error.fault(),
            RequestError::Audit(error) => error.fault(),
            RequestError::Store(error) => error.fault(),
            RequestError::Backend(error) => error.fault(),
            RequestError::BackendNotReady(_) => Fault::Unavailable,
        }
    }
}
