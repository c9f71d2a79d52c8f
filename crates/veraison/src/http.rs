//! HTTP to the service: TLS roots, bounds, and what each status means.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use assay_types::{Clock, UnixTime, parse_retry_after};
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use crate::connection::{base, causes, client, setting, tls_error};
use crate::error::shown;
use crate::{MediaType, Step, VeraisonError, VeraisonSettings};

/// The longest body of an error that is read, in bytes.
const MAX_PROBLEM: usize = 64 << 10;

/// The longest pause whatever `Retry-After` says, in seconds, so that a slip of the service does not
/// stop us for a year.
const LONGEST_PAUSE: u64 = 3600;

/// The service.
pub(crate) struct Service {
    base: Url,
    client: reqwest::Client,
    max_answer: usize,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    /// Until when the service is left alone, as it asked.
    paused_until: AtomicI64,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.base)
    }
}

/// A request.
pub(crate) struct Ask {
    pub(crate) step: Step,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The media type of the answer; `None` when it does not matter.
    pub(crate) accept: Option<&'static str>,
    /// Media type and bytes.
    pub(crate) body: Option<(String, Bytes)>,
    /// The statuses that mean success.
    pub(crate) success: &'static [u16],
}

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// How long the service asks to wait.
    pub(crate) fn retry_after(&self, now: UnixTime) -> Option<Duration> {
        parse_retry_after(header(&self.headers, RETRY_AFTER)?, now)
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Service {
    pub(crate) fn new(settings: &VeraisonSettings, clock: Arc<dyn Clock>) -> Result<Self, VeraisonError> {
        let base = base(&settings.base_url)?;
        Ok(Service {
            client: client(&base, settings)?,
            base,
            max_answer: settings.max_answer_bytes,
            deadline: settings.deadline,
            clock,
            paused_until: AtomicI64::new(i64::MIN),
        })
    }

    /// The URL of `path` below the service.
    pub(crate) fn url(&self, path: &str) -> Result<Url, VeraisonError> {
        self.base.join(path).map_err(|error| setting("base_url", error.to_string()))
    }

    pub(crate) fn timed_out(&self, step: Step) -> VeraisonError {
        VeraisonError::TimedOut { step, deadline: self.deadline }
    }

    /// Asks, and reads the answer, by `end` at the latest.
    pub(crate) async fn ask(&self, ask: Ask, end: Instant) -> Result<Answer, VeraisonError> {
        let step = ask.step;
        let pause = self.paused_until.load(Ordering::Relaxed).saturating_sub(self.clock.now().0);
        if let Some(seconds) = u64::try_from(pause).ok().filter(|seconds| *seconds > 0) {
            let retry_after = Some(Duration::from_secs(seconds));
            return Err(VeraisonError::RateLimited { step, status: None, retry_after });
        }
        timeout_at(end, self.exchange(ask)).await.unwrap_or_else(|_| Err(self.timed_out(step)))
    }

    async fn exchange(&self, ask: Ask) -> Result<Answer, VeraisonError> {
        let step = ask.step;
        let mut request =
            self.client.request(ask.method, ask.url).header(ACCEPT, ask.accept.unwrap_or("*/*"));
        if let Some((media_type, body)) = ask.body {
            request = request.header(CONTENT_TYPE, media_type).body(body);
        }
        let mut answer = request.send().await.map_err(|error| self.trouble(step, error))?;
        if !ask.success.contains(&answer.status().as_u16()) {
            return Err(self.refusal(step, ask.accept, ask.success, answer).await);
        }
        let body = self.body(step, &mut answer, self.max_answer).await?;
        if let Some(expected) = ask.accept {
            check_media_type(step, answer.headers(), expected)?;
        }
        Ok(Answer { headers: answer.headers().clone(), body })
    }

    async fn body(&self, step: Step, answer: &mut Response, limit: usize) -> Result<Bytes, VeraisonError> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX);
        if answer.content_length().is_some_and(|announced| announced > most) {
            return Err(VeraisonError::TooLarge { step, limit });
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.trouble(step, error))? {
            if bytes.len().saturating_add(chunk.len()) > limit {
                return Err(VeraisonError::TooLarge { step, limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// What a status that is no success means; remembers the pause that it asks for.
    async fn refusal(
        &self,
        step: Step,
        media_type: Option<&'static str>,
        success: &'static [u16],
        mut answer: Response,
    ) -> VeraisonError {
        let status = answer.status();
        let code = status.as_u16();
        let now = self.clock.now();
        let retry_after = header(answer.headers(), RETRY_AFTER)
            .and_then(|value| parse_retry_after(value, now))
            .map(|wait| Duration::from_secs(wait.as_secs().clamp(1, LONGEST_PAUSE)));
        if status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && retry_after.is_some()) {
            if let Some(wait) = retry_after {
                let until = now.plus(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
                // Never shortened: a later answer may have been under way before.
                self.paused_until.fetch_max(until.0, Ordering::Relaxed);
            }
            return VeraisonError::RateLimited { step, status: Some(code), retry_after };
        }
        let accepted = header(answer.headers(), ACCEPT).map(list).unwrap_or_default();
        let location = header(answer.headers(), LOCATION).map(shown).unwrap_or_default();
        // What the service says is a courtesy: without it the status must do.
        let body = self.body(step, &mut answer, MAX_PROBLEM).await.unwrap_or_default();
        let detail = problem(&body);
        match (code, step) {
            (408 | 500..=599, _) => VeraisonError::Failed { step, status: code, detail },
            (404, Step::Evidence | Step::Result) => VeraisonError::SessionGone { step },
            (406, _) => {
                VeraisonError::NotAcceptable { step, media_type: media_type.unwrap_or("*/*"), detail }
            }
            (415, Step::Evidence) => {
                VeraisonError::MediaTypeRefused { media_type: "the evidence's type".into(), accepted }
            }
            (300..=399, _) => VeraisonError::Redirected { step, status: code, location },
            _ => VeraisonError::Refused { step, status: code, expected: expected(success), detail },
        }
    }

    fn trouble(&self, step: Step, error: reqwest::Error) -> VeraisonError {
        if error.is_timeout() {
            return self.timed_out(step);
        }
        if let Some(rustls::Error::InvalidCertificate(cause)) = tls_error(&error) {
            return VeraisonError::Untrusted { step, cause: cause.to_string() };
        }
        VeraisonError::Unreachable { step, cause: causes(&error.without_url()) }
    }
}

fn expected(success: &[u16]) -> &'static str {
    match success {
        [201] => "201",
        [200, 202] => "200 or 202",
        [204] => "204",
        _ => "200",
    }
}

/// The `detail` of problem details (RFC 9457), else their `title`.
fn problem(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    problem.and_then(|p| p.detail.or(p.title)).map(|text| shown(&text)).unwrap_or_default()
}

/// Some of the media types in a header's list; commas within quotes are part of one.
fn list(value: &str) -> Vec<String> {
    let mut quoted = false;
    value
        .split(|c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(|one| shown(one.trim()))
        .take(16)
        .collect()
}

fn check_media_type(step: Step, headers: &HeaderMap, expected: &'static str) -> Result<(), VeraisonError> {
    let text = header(headers, CONTENT_TYPE);
    let found = text.and_then(MediaType::read);
    if found.is_some_and(|found| found.essence() == expected) {
        return Ok(());
    }
    let why = text.map_or_else(|| "it has no media type".to_owned(), |text| format!("it is {}", shown(text)));
    Err(VeraisonError::NotTheApi { step, expected, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_media_types_is_split_outside_of_quotes() {
        assert_eq!(list("a/b; p=\"x,y\", c/d ,e/f"), ["a/b; p=\"x,y\"", "c/d", "e/f"]);
        assert_eq!(list(&"a/b,".repeat(100)).len(), 16);
    }

    #[test]
    fn only_problem_details_speak() {
        assert_eq!(problem(br#"{"title":"a","detail":"b\nc"}"#), "b c");
        assert_eq!(problem(br#"{"title":"a"}"#), "a");
        assert_eq!(problem(b"<html>"), "");
    }
}
