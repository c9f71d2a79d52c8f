//! Evidence as requests bring it: bare, or in a wrapper whose inner type counts.

use assay_store::SubmittedEvidence;
use http::HeaderMap;

use super::cmw::{Cmw, CmwType, NotCmw};
use super::media_type::{self, MediaType};
use crate::RequestError;

/// The bit of a wrapper's indicator that says "evidence".
const EVIDENCE: u64 = 1 << 2;

/// How the body of a request is to be read.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// As evidence of this type.
    Bare(&'static str),
    /// As a wrapper, by this function.
    Wrapped(fn(&[u8]) -> Result<Cmw, NotCmw>),
}

impl Reading {
    /// What the request's `Content-Type` says. `taken` are the types of evidence that are taken.
    pub(super) fn of(headers: &HeaderMap, taken: &'static [&'static str]) -> Result<Self, RequestError> {
        let (found, text) = media_type::content_type(headers);
        let refused = || RequestError::MediaType { found: text.clone(), taken };
        let found = found.ok_or_else(refused)?;
        match found.essence() {
            "application/cmw" | "application/vnd.veraison.cmw" => Ok(Reading::Wrapped(Cmw::read)),
            "application/cmw+cbor" | "application/vnd.veraison.cmw+cbor" => {
                Ok(Reading::Wrapped(Cmw::from_cbor))
            }
            "application/cmw+json" | "application/vnd.veraison.cmw+json" => {
                Ok(Reading::Wrapped(Cmw::from_json))
            }
            _ => found.among(taken).map(Reading::Bare).ok_or_else(refused),
        }
    }

    /// Reads the body.
    pub(super) fn read(
        self,
        body: &[u8],
        taken: &'static [&'static str],
    ) -> Result<SubmittedEvidence, RequestError> {
        if body.is_empty() {
            return Err(RequestError::NoBody { expected: "evidence" });
        }
        let (media_type, bytes) = match self {
            Reading::Bare(media_type) => (media_type, body.to_vec()),
            Reading::Wrapped(read) => {
                let wrong = |why: String| RequestError::Cmw { why };
                let cmw = read(body).map_err(|error| wrong(error.to_string()))?;
                if cmw.indicator.is_some_and(|bits| bits & EVIDENCE == 0) {
                    return Err(wrong("its indicator says that it holds no evidence".to_owned()));
                }
                if cmw.value.is_empty() {
                    return Err(wrong("its value is empty".to_owned()));
                }
                let inner = match &cmw.message_type {
                    CmwType::MediaType(text) => MediaType::parse(text).and_then(|one| one.among(taken)),
                    // No scheme here has a content-format of its own.
                    CmwType::ContentFormat(_) => None,
                };
                let found = RequestError::shown(&cmw.message_type.to_string());
                (inner.ok_or(RequestError::MediaType { found, taken })?, cmw.value)
            }
        };
        Ok(SubmittedEvidence { media_type: media_type.to_owned(), bytes })
    }
}
