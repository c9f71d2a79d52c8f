//! One origin over HTTP, with its pacing.

use std::error::Error;
use std::io;
use std::sync::Arc;

use assay_types::{Clock, CollateralRequest, parse_retry_after};
use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::chain::plausible;
use crate::configuration_error::ConfigurationError;
use crate::error::AttemptOutcome;
use crate::http_settings::{HttpSettings, SecretHeader};
use crate::pacing::Pacer;

/// One origin.
pub(crate) struct Endpoint {
    pub(crate) base: Url,
    client: reqwest::Client,
    secret_header: Option<SecretHeader>,
    permits: Semaphore,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
}

impl Endpoint {
    pub(crate) fn new(
        base_url: &str,
        settings: &HttpSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigurationError> {
        let base = base(base_url, settings)?;
        Ok(Endpoint {
            client: client(&base, settings)?,
            base,
            secret_header: settings.secret_header.clone(),
            permits: Semaphore::new(settings.max_concurrent_requests.clamp(1, Semaphore::MAX_PERMITS)),
            pacer: Pacer::new(Arc::clone(&clock)),
            clock,
        })
    }

    /// Asks, unless the origin is to be left alone: the answer's headers and body. Ends by `end` at the
    /// latest.
    pub(crate) async fn get(
        &self,
        url: Url,
        request: &CollateralRequest,
        max_len: usize,
        end: Instant,
    ) -> Result<(HeaderMap, Bytes), AttemptOutcome> {
        self.may_ask()?;
        let _permit = match timeout_at(end, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            // The semaphore is never closed, so this is the time that ran out.
            _ => return Err(AttemptOutcome::TimedOut),
        };
        // Those that went before may have been told to wait.
        self.may_ask()?;
        let exchange = self.exchange(url, request, max_len);
        let answer = timeout_at(end, exchange).await.unwrap_or(Err(AttemptOutcome::TimedOut));
        match &answer {
            Err(
                AttemptOutcome::TimedOut
                | AttemptOutcome::Unreachable { .. }
                | AttemptOutcome::Untrusted { .. }
                | AttemptOutcome::Failed { .. },
            ) => self.pacer.failed(),
            Err(AttemptOutcome::RateLimited { .. }) => {}
            _ => self.pacer.answered(),
        }
        answer
    }

    fn may_ask(&self) -> Result<(), AttemptOutcome> {
        self.pacer.remaining().map_or(Ok(()), |wait| Err(AttemptOutcome::Paused { wait }))
    }

    async fn exchange(
        &self,
        url: Url,
        request: &CollateralRequest,
        max_len: usize,
    ) -> Result<(HeaderMap, Bytes), AttemptOutcome> {
        let mut message = self.client.get(url);
        if let Some((name, value)) = self.secret_header.as_ref().and_then(SecretHeader::pair) {
            message = message.header(name, value);
        }
        let mut answer = message.send().await.map_err(outcome)?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(self.refusal(&answer));
        }
        let media_type = answer.headers().get(header::CONTENT_TYPE).map(|v| v.as_bytes());
        if media_type.is_some_and(|v| v.get(..9).is_some_and(|v| v.eq_ignore_ascii_case(b"text/html"))) {
            return Err(AttemptOutcome::Html);
        }
        let too_large = || AttemptOutcome::TooLarge { limit: request.max_len };
        let limit = u64::try_from(max_len).unwrap_or(u64::MAX);
        if answer.content_length().is_some_and(|announced| announced > limit) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(outcome)? {
            if bytes.len().saturating_add(chunk.len()) > max_len {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        plausible(&bytes, max_len)?;
        Ok((answer.headers().clone(), bytes.freeze()))
    }

    /// What an answer other than 200 means; sets the pause that it asks for.
    fn refusal(&self, answer: &reqwest::Response) -> AttemptOutcome {
        let status = answer.status();
        let text = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let retry_after =
            text(header::RETRY_AFTER).and_then(|value| parse_retry_after(value, self.clock.now()));
        if status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && retry_after.is_some()) {
            let wait = self.pacer.rate_limited(retry_after);
            return AttemptOutcome::RateLimited { status: status.as_u16(), wait };
        }
        match status.as_u16() {
            status @ (408 | 500..=599) => AttemptOutcome::Failed { status },
            status @ 400..=499 => AttemptOutcome::Refused { status },
            status => AttemptOutcome::Redirected {
                status,
                location: text(header::LOCATION).unwrap_or_default().chars().take(200).collect(),
            },
        }
    }
}

fn base(text: &str, settings: &HttpSettings) -> Result<Url, ConfigurationError> {
    let wrong = |why: &str| ConfigurationError::Url { url: text.to_owned(), why: why.to_owned() };
    let base = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        // The URL itself stays out of the error: it holds a password.
        let (url, why) = ("(not shown)".to_owned(), "it holds a user name or password".to_owned());
        return Err(ConfigurationError::Url { url, why });
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("it has a query or a fragment"));
    }
    match base.scheme() {
        "https" => Ok(base),
        "http" if is_loopback(&base) || settings.allow_plain_http_to_remote_hosts_danger => Ok(base),
        "http" => Err(ConfigurationError::PlainHttp { url: text.to_owned() }),
        _ => Err(wrong("only https, and http to loopback, are spoken")),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn client(base: &Url, settings: &HttpSettings) -> Result<reqwest::Client, ConfigurationError> {
    let tls = |cause: String| ConfigurationError::Tls { cause };
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider is in place, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("assay-collateral/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy();
    if let Some(pem) = &settings.ca_certificates {
        let roots =
            reqwest::Certificate::from_pem_bundle(pem).map_err(|error| tls(causes(&error.without_url())))?;
        if roots.is_empty() {
            return Err(tls("the text of TLS roots holds no PEM certificate".to_owned()));
        }
        builder = builder.tls_certs_only(roots);
    } else if base.scheme() == "http" {
        // No TLS is spoken, so a machine without system roots will do.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| tls(causes(&error.without_url())))
}

/// What a failed exchange means.
fn outcome(error: reqwest::Error) -> AttemptOutcome {
    if error.is_timeout() {
        return AttemptOutcome::TimedOut;
    }
    if let Some(rustls::Error::InvalidCertificate(cause)) = tls_error(&error) {
        return AttemptOutcome::Untrusted { cause: cause.to_string() };
    }
    AttemptOutcome::Unreachable { cause: causes(&error.without_url()) }
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
fn causes(error: &(dyn Error + 'static)) -> String {
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
