//! Why a token, a key or a certificate is refused.

use assay_types::{Coded, Fault, UnixTime, Validity};

/// Why a token cannot be issued or is not accepted, and why a key or certificate is not.
///
/// Text taken from a token is cut after 64 characters before it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not `header.payload.signature`, each in base64url without padding.
    #[error("not a compact JWS (RFC 7515, 7.1): {why}")]
    Malformed {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Longer than a token may be.
    #[error("the {part} has {found} bytes; at most {limit} are accepted")]
    TooLarge {
        /// `token` or `header`.
        part: &'static str,
        /// Its length.
        found: usize,
        /// The greatest length accepted.
        limit: usize,
    },
    /// The header is not a JSON object with the members a JWS header must have.
    #[error("the token's header cannot be read: {why}")]
    Header {
        /// What the JSON parser says.
        why: String,
    },
    /// An algorithm that is not accepted: `none`, a symmetric one, or an unknown one.
    #[error("the algorithm {alg:?} is not accepted")]
    UnsupportedAlgorithm {
        /// The header's `alg`.
        alg: String,
    },
    /// The header has `crit`; no extension is understood (RFC 7515, 4.1.11).
    #[error("the header demands an extension (crit); none is understood")]
    CriticalHeader,
    /// The algorithm does not belong to the key (RFC 8725, 3.1).
    #[error("the algorithm {alg} does not belong to the key, which is {key}")]
    AlgorithmMismatch {
        /// The header's `alg`.
        alg: &'static str,
        /// The key's type, and its `alg` where it is bound to one.
        key: String,
    },
    /// Neither `kid`, nor `jwk`, nor `x5c`.
    #[error("the token names no key: kid, jwk and x5c are all missing")]
    NoKeyNamed,
    /// The named key is not a trusted one.
    #[error("the key {kid:?} is not among the trusted keys")]
    UnknownKey {
        /// The header's `kid`.
        kid: String,
    },
    /// The token brings its own key, and nothing trusted vouches for it.
    #[error("the token is signed by the key in its own header, for which nothing trusted vouches")]
    HeaderKeyUntrusted,
    /// A certificate cannot be read.
    #[error("the certificate cannot be read: {why}")]
    CertificateMalformed {
        /// What is wrong with it.
        why: String,
    },
    /// The certificate in the header belongs to another key than the header's `jwk`.
    #[error("the certificate in x5c belongs to another key than jwk")]
    CertificateKeyDiffers,
    /// The certificate is not a trusted one, and none of those issued it.
    #[error("the certificate in x5c is not trusted: {why}")]
    CertificateUntrusted {
        /// Which rule of the path validation (RFC 5280, 6.1) does not hold.
        why: &'static str,
    },
    /// The certificate, or the one that issued it, is not valid now.
    #[error("the certificate is valid from {validity}, and now it is {now}")]
    CertificateNotValidNow {
        /// The span of the certificate.
        validity: Validity,
        /// The time of the verification.
        now: UnixTime,
    },
    /// The signature does not hold.
    #[error("the token's signature does not hold under the key {kid:?}")]
    BadSignature {
        /// The trusted key.
        kid: String,
    },
    /// The payload is not a JSON object or a map in CBOR, or a registered claim has the wrong type.
    #[error("the token's claims cannot be read: {why}")]
    Claims {
        /// What is wrong with them.
        why: String,
    },
    /// A claim that must be there is not.
    #[error("the token has no claim {claim:?}")]
    MissingClaim {
        /// The claim's name.
        claim: &'static str,
    },
    /// The token has ended.
    #[error("the token ended at {exp}, and now it is {now}")]
    Expired {
        /// The token's end.
        exp: UnixTime,
        /// The time of the verification.
        now: UnixTime,
    },
    /// The token has not begun.
    #[error("the token begins at {nbf}, and now it is {now}")]
    NotYetValid {
        /// The token's begin.
        nbf: UnixTime,
        /// The time of the verification.
        now: UnixTime,
    },
    /// The token claims to be issued later than now.
    #[error("the token says it was issued at {iat}, and now it is {now}")]
    IssuedInTheFuture {
        /// When the token says it was issued.
        iat: UnixTime,
        /// The time of the verification.
        now: UnixTime,
    },
    /// Another issuer than the pinned one.
    #[error("the token's issuer is {found:?}, not {expected:?}")]
    WrongIssuer {
        /// The pinned issuer.
        expected: String,
        /// The token's.
        found: String,
    },
    /// The token is meant for someone else.
    #[error("the token's audience is {found:?}, not {expected:?}")]
    WrongAudience {
        /// The verifier's own name; empty where it has none, and then no token with an audience is
        /// meant for it (RFC 7519, 4.1.3).
        expected: String,
        /// The token's, separated by commas.
        found: String,
    },
    /// A public key that is none, or that may not be used so.
    #[error("not a usable public key (JWK): {why}")]
    InvalidKey {
        /// What is wrong with it.
        why: String,
    },
    /// A private key that cannot be read.
    #[error("not a usable private key (PKCS#8) for {algorithm}")]
    InvalidPrivateKey {
        /// The algorithm it was to serve.
        algorithm: &'static str,
    },
    /// Claims or header members that cannot be written.
    #[error("the token cannot be written: {why}")]
    Unserialisable {
        /// What the JSON writer says.
        why: String,
    },
    /// The claims are no attestation result.
    #[error("the claims are not an EAT attestation result (EAR): {why}")]
    NotAnAttestationResult {
        /// What is wrong with them.
        why: String,
    },
    /// Not a CWT as it is read here: a COSE_Sign1 with its tag.
    #[error("not a CWT (RFC 8392, section 7.2): {why}")]
    Cwt {
        /// What is wrong with it.
        why: String,
    },
    /// The CWT's header says that it is something else.
    #[error("the token's header says that it is {found} (typ), not application/eat+cwt or application/cwt")]
    WrongType {
        /// The header's `typ`.
        found: String,
    },
    /// A member of an attestation result is there in both spellings.
    #[error("the claims have both {dotted:?} and {underscored:?}, which are one member")]
    BothNames {
        /// Its name with dots.
        dotted: String,
        /// Its name with underscores.
        underscored: String,
    },
    /// The cryptographic library failed at what cannot fail by the input.
    #[error("{operation} failed")]
    Cryptography {
        /// What was attempted.
        operation: &'static str,
    },
}

/// `text`, cut to what an error may carry.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Coded for TokenError {
    fn code(&self) -> &'static str {
        match self {
            TokenError::Malformed { .. } => "TOK-001",
            TokenError::TooLarge { .. } => "TOK-002",
            TokenError::Header { .. } => "TOK-003",
            TokenError::UnsupportedAlgorithm { .. } => "TOK-004",
            TokenError::CriticalHeader => "TOK-005",
            TokenError::AlgorithmMismatch { .. } => "TOK-006",
            TokenError::NoKeyNamed => "TOK-007",
            TokenError::UnknownKey { .. } => "TOK-008",
            TokenError::HeaderKeyUntrusted => "TOK-009",
            TokenError::CertificateMalformed { .. } => "TOK-010",
            TokenError::CertificateKeyDiffers => "TOK-011",
            TokenError::CertificateUntrusted { .. } => "TOK-012",
            TokenError::CertificateNotValidNow { .. } => "TOK-013",
            TokenError::BadSignature { .. } => "TOK-014",
            TokenError::Claims { .. } => "TOK-015",
            TokenError::MissingClaim { .. } => "TOK-016",
            TokenError::Expired { .. } => "TOK-017",
            TokenError::NotYetValid { .. } => "TOK-018",
            TokenError::IssuedInTheFuture { .. } => "TOK-019",
            TokenError::WrongIssuer { .. } => "TOK-020",
            TokenError::WrongAudience { .. } => "TOK-021",
            TokenError::InvalidKey { .. } => "TOK-022",
            TokenError::InvalidPrivateKey { .. } => "TOK-023",
            TokenError::Unserialisable { .. } => "TOK-024",
            TokenError::NotAnAttestationResult { .. } => "TOK-025",
            TokenError::Cryptography { .. } => "TOK-026",
            TokenError::BothNames { .. } => "TOK-027",
            TokenError::Cwt { .. } => "TOK-028",
            TokenError::WrongType { .. } => "TOK-029",
        }
    }

    /// Whatever is wrong with a token, another one may help; what is wrong with a key in the
    /// configuration or with what we were about to sign is not the caller's fault.
    fn fault(&self) -> Fault {
        match self {
            TokenError::InvalidKey { .. } => Fault::Unprocessable,
            TokenError::InvalidPrivateKey { .. }
            | TokenError::Unserialisable { .. }
            | TokenError::Cryptography { .. } => Fault::Internal,
            _ => Fault::Unauthenticated,
        }
    }
}
