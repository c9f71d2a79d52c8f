//! HTTP to Vault: bounds, and what the statuses mean that mean the same everywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use assay_types::{UnixTime, parse_retry_after};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, Url};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::connection::{api, client, namespace, setting, trouble};
use crate::error::shown;
use crate::{SecretText, VaultError, VaultSettings};

/// The longest body of an error that is read, in bytes.
const MAX_PROBLEM: usize = 64 << 10;

/// Vault.
pub(crate) struct Transport {
    base: Url,
    client: reqwest::Client,
    namespace: Option<HeaderValue>,
    max_answer: usize,
    permits: Semaphore,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.base)
    }
}

/// A body that is wiped when the last copy is dropped.
#[derive(Clone)]
pub(crate) struct Body(Bytes);

impl Body {
    /// JSON made of pieces that need no escapes, or are escaped already.
    pub(crate) fn of(pieces: &[&str]) -> Self {
        let mut text = Zeroizing::new(Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum()));
        for piece in pieces {
            text.extend_from_slice(piece.as_bytes());
        }
        Body(Bytes::from_owner(text))
    }
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// Below `/v1/`; checked before.
    pub(crate) path: &'a str,
    /// Whether it is a listing.
    pub(crate) list: bool,
    pub(crate) body: Option<Body>,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Ask { method: Method::GET, path, list: false, body: None }
    }

    pub(crate) fn post(path: &'a str, body: Body) -> Self {
        Ask { method: Method::POST, path, list: false, body: Some(body) }
    }
}

/// An answer of Vault itself: success, or one of the refusals that mean something of their own where it
/// was asked (400, 403, 404, 405, 412).
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Zeroizing<Vec<u8>>,
    path: String,
}

/// What all refusals of Vault carry.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    errors: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer as JSON of this form. The error does not show what stood there.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, VaultError> {
        serde_json::from_slice(&self.body).map_err(|error| VaultError::NotTheApi {
            path: self.path.clone(),
            why: match error.classify() {
                serde_json::error::Category::Data => {
                    format!("a member is missing or of another type (line {})", error.line())
                }
                _ => "it is no JSON".to_owned(),
            },
        })
    }

    /// The member `data` in this form.
    pub(crate) fn data<T: DeserializeOwned>(&self) -> Result<T, VaultError> {
        #[derive(Deserialize)]
        struct Enveloped<T> {
            data: T,
        }
        self.read::<Enveloped<T>>().map(|envelope| envelope.data)
    }

    /// What Vault says with a refusal: errors, else warnings.
    pub(crate) fn said(&self) -> String {
        said(&self.body)
    }

    /// The error for a refusal that has no meaning of its own here.
    pub(crate) fn refusal(&self, operation: &'static str) -> VaultError {
        match self.status {
            403 => VaultError::PermissionDenied { operation, path: self.path.clone() },
            status => VaultError::Refused { path: self.path.clone(), status, detail: self.said() },
        }
    }

    /// Whether a 404 is Vault's: it has `errors`, or the `data` of a deleted version, and is not something
    /// else at that address.
    pub(crate) fn check_not_found(&self) -> Result<(), VaultError> {
        let members: BTreeMap<String, IgnoredAny> = self.read()?;
        if members.contains_key("errors") || members.contains_key("data") {
            return Ok(());
        }
        let why = "status 404 without the member errors".to_owned();
        Err(VaultError::NotTheApi { path: self.path.clone(), why })
    }
}

fn said(body: &[u8]) -> String {
    let said: Said = serde_json::from_slice(body).unwrap_or_default();
    let errors = said.errors.filter(|errors| !errors.is_empty()).or(said.warnings).unwrap_or_default();
    shown(&errors.join("; "))
}

impl Transport {
    pub(crate) fn new(settings: &VaultSettings) -> Result<Self, VaultError> {
        let base = api(settings)?;
        Ok(Transport {
            client: client(&base, settings)?,
            base,
            namespace: namespace(settings)?,
            max_answer: settings.max_answer_bytes,
            permits: Semaphore::new(settings.max_concurrent_requests.clamp(1, Semaphore::MAX_PERMITS)),
        })
    }

    /// Asks and reads the answer. The caller sets the deadline.
    pub(crate) async fn ask(&self, ask: &Ask<'_>, token: Option<&SecretText>) -> Result<Answer, VaultError> {
        // Until the answer is read; the semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let answer = self.send(ask, token, self.namespace.as_ref()).await?;
        let status = answer.status().as_u16();
        if matches!(status, 200..300 | 400 | 403 | 404 | 405 | 412) {
            let body = self.body(answer, self.max_answer).await?;
            return Ok(Answer { status, body, path: ask.path.to_owned() });
        }
        let mut error = self.refusal(ask, answer).await;
        // What a server sends back is not ours to trust: it may hold what we sent.
        if let (VaultError::Failed { detail, .. } | VaultError::ValueTooLarge { detail }, Some(token)) =
            (&mut error, token)
        {
            *detail = detail.replace(token.expose(), "(not shown)");
        }
        Err(error)
    }

    /// Status alone, without token and namespace: `sys/health`.
    pub(crate) async fn status(&self, path: &str) -> Result<(u16, Zeroizing<Vec<u8>>), VaultError> {
        let _permit = self.permits.acquire().await;
        let answer = self.send(&Ask::get(path), None, None).await?;
        let status = answer.status().as_u16();
        Ok((status, self.body(answer, MAX_PROBLEM).await?))
    }

    async fn send(
        &self,
        ask: &Ask<'_>,
        token: Option<&SecretText>,
        namespace: Option<&HeaderValue>,
    ) -> Result<Response, VaultError> {
        let mut url = self.base.join(ask.path).map_err(|error| setting("path", error.to_string()))?;
        if ask.list {
            url.set_query(Some("list=true"));
        }
        // Vault's agent and proxy can be told to ask for this header, against forged requests.
        let mut request = self.client.request(ask.method.clone(), url).header("X-Vault-Request", "true");
        if let Some(namespace) = namespace {
            request = request.header("X-Vault-Namespace", namespace.clone());
        }
        if let Some(token) = token {
            let value = token.header().ok_or_else(|| setting("token", "it cannot be a header"))?;
            request = request.header("X-Vault-Token", value);
        }
        if let Some(Body(body)) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        request.send().await.map_err(trouble)
    }

    async fn body(&self, mut answer: Response, limit: usize) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let too_large = || VaultError::AnswerTooLarge { limit };
        let announced = answer.content_length().unwrap_or_default();
        let room = usize::try_from(announced).ok().filter(|room| *room <= limit).ok_or_else(too_large)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        while let Some(chunk) = answer.chunk().await.map_err(trouble)? {
            let needed = bytes.len().saturating_add(chunk.len());
            if needed > limit {
                return Err(too_large());
            }
            if needed > bytes.capacity() {
                // Growing in place would leave the old copy behind, unwiped.
                let mut larger = Zeroizing::new(Vec::with_capacity(needed.saturating_mul(2)));
                larger.extend_from_slice(&bytes);
                bytes = larger;
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn refusal(&self, ask: &Ask<'_>, answer: Response) -> VaultError {
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let location = header(LOCATION).map(shown).unwrap_or_default();
        let retry_after = header(RETRY_AFTER).and_then(|value| parse_retry_after(value, UnixTime(i64::MAX)));
        // What the server says is a courtesy: without it the status must do.
        let detail = self.body(answer, MAX_PROBLEM).await.map(|body| said(&body)).unwrap_or_default();
        meaning(status, ask.path, detail, location, retry_after)
    }
}

/// What a status means whatever was asked.
fn meaning(
    status: u16,
    path: &str,
    detail: String,
    location: String,
    retry_after: Option<Duration>,
) -> VaultError {
    match status {
        300..400 => VaultError::Redirected { status, location },
        413 => VaultError::ValueTooLarge { detail },
        429 => VaultError::RateLimited { retry_after },
        472 | 474 | 530 => VaultError::NotServing { status },
        501 => VaultError::NotInitialised,
        503 if detail.contains("not initialized") => VaultError::NotInitialised,
        503 if detail.contains("sealed") => VaultError::Sealed,
        500..600 if detail.contains("too large") => VaultError::ValueTooLarge { detail },
        500..600 => VaultError::Failed { status, detail },
        _ => VaultError::Refused { path: path.to_owned(), status, detail },
    }
}

#[cfg(test)]
mod tests {
    use assay_types::{Coded as _, Fault};

    use super::*;

    #[test]
    fn each_status_has_one_meaning() {
        for (status, detail, code, fault) in [
            (307, "", "VLT-020", Fault::BadGateway),
            (413, "request body too large", "VLT-022", Fault::TooLarge),
            (429, "", "VLT-009", Fault::Unavailable),
            (474, "", "VLT-008", Fault::Unavailable),
            (501, "", "VLT-007", Fault::Unavailable),
            (503, "Vault is sealed", "VLT-006", Fault::Unavailable),
            (503, "Vault is not initialized", "VLT-007", Fault::Unavailable),
            (503, "no healthy upstream", "VLT-010", Fault::Unavailable),
            (504, "", "VLT-010", Fault::Unavailable),
            (500, "internal error", "VLT-010", Fault::BadGateway),
            (500, "put failed due to value being too large", "VLT-022", Fault::TooLarge),
            (418, "", "VLT-024", Fault::BadGateway),
        ] {
            let error = meaning(status, "a/b", detail.into(), "https://other/".into(), None);
            assert_eq!((error.code(), error.fault()), (code, fault), "{status} {detail}");
        }
    }

    #[test]
    fn what_stood_in_an_answer_is_in_no_error() {
        for body in ["{\"data\":\"hunter2\"}", "{\"data\":{\"data\":\"hunter2\"", "hunter2"] {
            let body = Zeroizing::new(body.as_bytes().to_vec());
            let answer = Answer { status: 200, body, path: "secret/a".into() };
            let error = answer.data::<Vec<u32>>().unwrap_err();
            assert_eq!(error.code(), "VLT-023");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_vault_says_is_one_short_line() {
        assert_eq!(
            said(br#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#),
            "1 error occurred: * permission denied"
        );
        assert_eq!(said(br#"{"errors":[],"warnings":["Invalid path"]}"#), "Invalid path");
        assert_eq!(said(b"<html>"), "");
        let long = format!("{{\"errors\":[\"{}\"]}}", "x".repeat(5000));
        assert_eq!(said(long.as_bytes()).len(), 300);
    }
}
