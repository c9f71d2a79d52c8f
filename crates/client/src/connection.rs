//! HTTP to one server: bounds, and what each status means.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Clock, ErrorInformation, ResourceUri, parse_retry_after};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Url;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::error::{Attempt, ClientError, Told, is_policy};

/// The longest body of an error that is read, in bytes.
const MAX_PROBLEM: usize = 256 * 1024;
/// The most characters of an error's text that are kept.
const MAX_DETAIL: usize = 2000;
/// A server.
pub(crate) struct Connection {
    base: Url,
    client: reqwest::Client,
    timeout: Duration,
    clock: Option<Arc<dyn Clock>>,
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer, by what follows from it.
pub(crate) enum Trouble {
    /// Another attempt may succeed.
    Passing {
        /// This attempt; one for each address where the service has several.
        attempts: Vec<Attempt>,
        /// What the server asks for.
        retry_after: Option<Duration>,
    },
    /// 401: other credentials may help.
    Unauthenticated {
        /// What was asked.
        what: String,
        /// What the server says.
        problem: Box<ErrorInformation>,
    },
    /// TLS does not accept the server's certificate. Waiting changes nothing, another address may.
    Certificate {
        /// What was asked.
        what: String,
        /// Why it is not accepted.
        detail: String,
    },
    /// That is that.
    Final(ClientError),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Trouble::Final(error)
    }
}

impl From<Trouble> for ClientError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Passing { attempts, retry_after } => ClientError::Unavailable { attempts, retry_after },
            Trouble::Certificate { what, detail } => ClientError::Protocol { what, detail },
            Trouble::Unauthenticated { what, problem } => ClientError::Unauthenticated { what, problem },
            Trouble::Final(error) => error,
        }
    }
}

/// A request to be sent.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// From [`Connection::url`].
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Media type and bytes.
    pub(crate) body: Option<(&'a str, bytes::Bytes)>,
    /// The longest successful answer, in bytes.
    pub(crate) limit: usize,
    /// When the request ends at the latest; it may end earlier by the connection's own timeout.
    pub(crate) deadline: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(
        base: Url,
        client: reqwest::Client,
        timeout: Duration,
        clock: Option<Arc<dyn Clock>>,
    ) -> Self {
        Connection { base, client, timeout, clock }
    }

    /// The base URL.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// The URL of `segments` below the base URL, each escaped as needed.
    ///
    /// # Errors
    /// [`ClientError::Argument`] for a segment that is empty, `.` or `..`: servers and URL libraries
    /// would make another path of it.
    pub(crate) fn url<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Result<Url, ClientError> {
        let mut url = self.base.clone();
        {
            let refused = || ClientError::Configuration("the server's URL has no path".to_owned());
            let mut path = url.path_segments_mut().map_err(|()| refused())?;
            path.pop_if_empty();
            for segment in segments {
                if matches!(segment, "" | "." | "..") {
                    return Err(ClientError::Argument(format!("{segment:?} cannot be part of a name")));
                }
                path.push(segment);
            }
        }
        Ok(url)
    }

    /// The URL that a key broker serves a resource URI at, path and query as they stand in it. The host
    /// in the URI is for people and has no part in it.
    ///
    /// # Errors
    /// [`ClientError::Argument`] where a URL would have to have another path or query: an escaped `..`,
    /// a backslash, quotation marks.
    pub(crate) fn resource_url(&self, uri: &ResourceUri) -> Result<Url, ClientError> {
        let mut url = self.base.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        let path = format!("{prefix}/kbs/v0/{}/{}", uri.plugin(), uri.segments().join("/"));
        url.set_path(&path);
        url.set_query(uri.query());
        let refused = |part: &str| {
            Err(ClientError::Argument(format!(
                "the {part} of the resource URI would be sent changed: escape its characters that URLs do not \
                 have, and leave out dots as segments"
            )))
        };
        if url.path() != path {
            return refused("path");
        }
        if url.query() != uri.query() {
            return refused("query");
        }
        Ok(url)
    }

    /// Sends a request and takes the answer if it is 2xx.
    pub(crate) async fn send(&self, ask: Ask<'_>) -> Result<Answer, Trouble> {
        let what = format!("{} {}", ask.method, ask.url.path());
        let left = ask.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.unwrap_or(self.timeout).min(self.timeout);
        let limit = ask.limit;
        let mut request = self.client.request(ask.method, ask.url).headers(ask.headers).timeout(timeout);
        if let Some((media_type, body)) = ask.body {
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        let mut answer = request.send().await.map_err(|error| trouble(&what, error))?;
        let status = answer.status();
        if status.is_success() {
            let headers = std::mem::take(answer.headers_mut());
            return match read(&mut answer, limit).await {
                Ok(Some(body)) => Ok(Answer { headers, body }),
                Ok(None) => Err(protocol(&what, format!("the answer is longer than {limit} bytes")).into()),
                Err(error) => Err(trouble(&what, error)),
            };
        }
        Err(self.refusal(what, status, answer).await)
    }

    /// What a status other than 2xx means.
    async fn refusal(&self, what: String, status: StatusCode, mut answer: reqwest::Response) -> Trouble {
        let text = |name| answer.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        if !status.is_client_error() && !status.is_server_error() {
            let location: String = text(LOCATION).unwrap_or_default().chars().take(200).collect();
            let code = status.as_u16();
            let detail = format!("answered {code}, pointing to {location:?}; redirects are not followed");
            return protocol(&what, detail).into();
        }
        let retry_after = text(RETRY_AFTER).and_then(|value| match &self.clock {
            Some(clock) => parse_retry_after(value, clock.now()),
            None => value.parse().ok().map(Duration::from_secs),
        });
        // What the server says is worth having, but the status counts also without it.
        let body = read(&mut answer, MAX_PROBLEM).await.ok().flatten().unwrap_or_default();
        let problem = Box::new(problem(&body));
        match status.as_u16() {
            429 | 500.. => {
                let outcome = format!("answered {}: {}", status.as_u16(), Told(&problem));
                Trouble::Passing { attempts: vec![Attempt { what, outcome }], retry_after }
            }
            // Trustee answers 401 when the policy says no. A new attestation says the same.
            401 if !is_policy(&problem) => Trouble::Unauthenticated { what, problem },
            404 => Trouble::Final(ClientError::NotFound { what, problem }),
            status => Trouble::Final(ClientError::Denied { what, status, problem }),
        }
    }
}

impl Answer {
    /// The body as text, which may be empty. Nothing of it is shown in the error.
    pub(crate) fn text(&self, what: &str) -> Result<&str, ClientError> {
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| protocol(what, "the answer is not UTF-8 text".to_owned()))?;
        if text.trim_ascii_start().starts_with('<') {
            let detail =
                "the answer is an HTML page instead of text: is there a proxy or a login page in between?";
            return Err(protocol(what, detail));
        }
        Ok(text)
    }

    /// The body as JSON. Nothing of it is shown in the error: it may be a secret.
    pub(crate) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let begin = self.body.trim_ascii_start();
            let detail = if begin.is_empty() {
                "the answer is empty instead of JSON".to_owned()
            } else if begin.starts_with(b"<") {
                "the answer is an HTML page instead of JSON: is there a proxy or a login page in between?"
                    .to_owned()
            } else {
                let (line, column) = (error.line(), error.column());
                let fault = if error.is_data() { "not the JSON expected here" } else { "not JSON" };
                format!("the answer is {fault} (at line {line}, column {column})")
            };
            protocol(what, detail)
        })
    }
}

/// An error about what a server does.
pub(crate) fn protocol(what: &str, detail: impl Into<String>) -> ClientError {
    ClientError::Protocol { what: what.to_owned(), detail: detail.into() }
}

/// The header `Authorization: Bearer <token>`, marked as not to be shown.
pub(crate) fn bearer(headers: &mut HeaderMap, token: &str) -> Result<(), ClientError> {
    let refused = |_| ClientError::Configuration("the token has characters that no token has".to_owned());
    let text = zeroize::Zeroizing::new(format!("Bearer {token}"));
    let mut value = HeaderValue::from_str(&text).map_err(refused)?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

/// The body; `None` when it is longer than `limit`.
async fn read(answer: &mut reqwest::Response, limit: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let announced = answer.content_length().unwrap_or(0);
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// What the server says, also when it does not say it in JSON.
fn problem(body: &[u8]) -> ErrorInformation {
    let mut problem: ErrorInformation = serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(body);
        let detail = match text.trim() {
            "" => "the server gives no reason".to_owned(),
            text => text.chars().take(200).collect(),
        };
        ErrorInformation { error_type: "about:blank".to_owned(), detail, more: serde_json::Map::new() }
    });
    // It ends up in terminals and logs.
    problem.detail =
        problem.detail.chars().take(MAX_DETAIL).map(|c| if c.is_control() { ' ' } else { c }).collect();
    problem
}

/// What a failed exchange means.
fn trouble(what: &str, error: reqwest::Error) -> Trouble {
    if let Some(rustls::Error::InvalidCertificate(cause)) = tls_error(&error) {
        let detail = format!("the server's TLS certificate is not accepted: {cause}");
        return Trouble::Certificate { what: what.to_owned(), detail };
    }
    let error = error.without_url();
    let outcome = if error.is_timeout() { "no answer in time".to_owned() } else { causes(&error) };
    Trouble::Passing { attempts: vec![Attempt { what: what.to_owned(), outcome }], retry_after: None }
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error that wraps another gives the source of that other as its own.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The error and its causes, each once, outermost first.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}
