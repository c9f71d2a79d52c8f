//! Who is at fault. Every error of the services has one [`Fault`] and one stable code; HTTP status
//! and exit code follow from the fault, in one place each.

use serde::{Deserialize, Serialize};

/// Who is at fault, and so what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The attester's: its evidence cannot be read or does not hold. New evidence may help.
    Evidence,
    /// The vendor's or ours to fetch; trying again may help.
    CollateralTransient,
    /// The vendor's or ours to fetch; trying again does not help.
    CollateralPermanent,
    /// The evidence is genuine, but no reference value matches it.
    ReferenceMismatch,
    /// A policy said no.
    PolicyDenied,
    /// The caller's: not understood (400).
    BadRequest,
    /// The caller's: a new attestation or other credentials would help (401).
    Unauthenticated,
    /// The caller's: not allowed, whatever it sends (403).
    Forbidden,
    /// The caller's: nothing there (404).
    NotFound,
    /// The caller's: not with this method (405).
    MethodNotAllowed,
    /// The caller's: not in any form that it accepts (406).
    NotAcceptable,
    /// The caller's: it took too long to send its request (408).
    RequestTimeout,
    /// The caller's: it is there already, or was used already (409).
    Conflict,
    /// The caller's: too large (413).
    TooLarge,
    /// The caller's: not in this format (415).
    UnsupportedMediaType,
    /// The caller's: understood, but it cannot be done (422).
    Unprocessable,
    /// The caller's: too often (429).
    RateLimited,
    /// The caller's: too many header bytes (431).
    HeadersTooLarge,
    /// A dependency's: the store or a remote part; trying again may help (503).
    Unavailable,
    /// A dependency's: a remote part answered, but not what it must (502).
    BadGateway,
    /// A dependency's: no answer in time (504).
    DependencyTimeout,
    /// Ours (500).
    Internal,
}

/// An error with a fault and a code.
pub trait Coded: std::error::Error {
    /// The stable code, such as `KBS-004`, documented in `docs/catalogue.md`.
    fn code(&self) -> &'static str;

    /// Who is at fault.
    fn fault(&self) -> Fault;
}
