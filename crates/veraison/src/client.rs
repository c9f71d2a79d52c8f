//! The challenge-response exchange.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Authenticated, Binding, Clock, ReportData, TeeClaimText as _};
use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, Url};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base64_text::encode_url;
use crate::claims::{Asked, authenticate};
use crate::ear::AttestationResult;
use crate::error::shown;
use crate::evidence::token_bytes;
use crate::http::{Answer, Ask, Service};
use crate::key::EarKey;
use crate::{
    MediaType, SESSION_MEDIA_TYPE, Session, SessionStatus, Step, VeraisonError, VeraisonFailure,
    VeraisonSettings,
};

/// The API, below the service.
const API: &str = "challenge-response/v1/";

/// The longest `Location`, in characters.
const MAX_LOCATION: usize = 1024;

/// The longest pause between two questions for a result.
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// How long the deletion of a session may take.
const DELETE_TIME: Duration = Duration::from_secs(5);

/// A client of one Veraison service. Cheap to share behind an `Arc`; it holds connections and the key
/// of attestation results.
pub struct VeraisonClient {
    service: Arc<Service>,
    key: EarKey,
    permits: Semaphore,
    media_type: MediaType,
    settings: VeraisonSettings,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for VeraisonClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VeraisonClient({:?})", self.service)
    }
}

impl VeraisonClient {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`VeraisonError::Setting`].
    pub fn new(settings: VeraisonSettings, clock: Arc<dyn Clock>) -> Result<Self, VeraisonError> {
        let media_type = MediaType::read(&settings.media_type).ok_or_else(|| VeraisonError::Setting {
            setting: "media_type",
            why: "it is no media type (RFC 9110, 8.3.1)".to_owned(),
        })?;
        Ok(VeraisonClient {
            service: Arc::new(Service::new(&settings, Arc::clone(&clock))?),
            key: EarKey::new(&settings, Arc::clone(&clock))?,
            permits: Semaphore::new(settings.max_concurrent_sessions.clamp(1, Semaphore::MAX_PERMITS)),
            media_type,
            settings,
            clock,
        })
    }

    /// Has `evidence` (see [`token_bytes`] for its two forms) verified by the service, against the
    /// challenge in `binding`. There is always one set of claims; see [`authenticate`].
    ///
    /// It ends by the deadline of the settings. The session is deleted at the service afterwards, in
    /// the background, whatever came of it; if this future is dropped before, the service forgets it by
    /// itself.
    ///
    /// # Errors
    /// [`VeraisonFailure`]. [`VeraisonError::NoChallenge`] when `binding` has no report data: the
    /// service compares the challenge, and there is no other proof of freshness.
    pub async fn verify(
        &self,
        evidence: &[u8],
        binding: &Binding,
    ) -> Result<Vec<Authenticated>, VeraisonFailure> {
        let token = Bytes::from(token_bytes(evidence)?);
        let asked = Asked {
            nonce: Asked::nonce_of(binding)?,
            init_data: binding.init_data.clone(),
            media_type: self.media_type.clone(),
            asked_at: self.clock.now(),
            clock_skew_seconds: self.settings.clock_skew_seconds,
            lifetime_seconds: self.settings.result_lifetime_seconds,
        };
        let deadline = Instant::now().checked_add(self.settings.deadline);
        let end = deadline.ok_or_else(|| VeraisonError::Setting {
            setting: "deadline",
            why: "it is too long".to_owned(),
        })?;
        let _permit = match timeout_at(end, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            // The semaphore is never closed, so this is the time that ran out.
            _ => return Err(self.service.timed_out(Step::NewSession).into()),
        };
        let session = self.open(&asked.nonce, end).await?;
        let result = self.result(&session, token, &asked.nonce, end).await;
        self.delete(session);
        let (payload, signed_by) = self.key.verify(&result?, &self.service, end).await?;
        let ear = AttestationResult::read(&payload)?;
        Ok(vec![authenticate(ear, &signed_by, &asked, self.clock.now())?])
    }

    /// Makes a session for the nonce; its URL.
    async fn open(&self, nonce: &ReportData, end: Instant) -> Result<Url, VeraisonError> {
        let mut url = self.service.url(&format!("{API}newSession"))?;
        url.query_pairs_mut().append_pair("nonce", &encode_url(nonce.as_bytes()));
        let answer = self.ask(Step::NewSession, Method::POST, url, None, &[201], end).await?;
        let url = self.location(&answer.headers)?;
        let usable = read(Step::NewSession, &answer, nonce).and_then(|session| {
            let accepted = session.accepts(&self.media_type);
            if accepted { Ok(()) } else { Err(self.media_type_refused(session.accept)) }
        });
        match usable {
            Ok(()) => Ok(url),
            Err(error) => {
                self.delete(url);
                Err(error)
            }
        }
    }

    fn media_type_refused(&self, accepted: Vec<String>) -> VeraisonError {
        let accepted = accepted.iter().take(16).map(|text| shown(text)).collect();
        VeraisonError::MediaTypeRefused { media_type: self.media_type.to_string(), accepted }
    }

    /// The session's URL: relative to the API, or whole, but never anywhere else.
    fn location(&self, headers: &HeaderMap) -> Result<Url, VeraisonError> {
        let text = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wrong = |why| VeraisonError::WrongLocation { location: shown(text), why };
        if text.is_empty() || text.len() > MAX_LOCATION {
            return Err(wrong("Location is missing or too long"));
        }
        let api = self.service.url(API)?;
        let url = api.join(text).map_err(|_| wrong("Location is no URL"))?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let session = url.path().strip_prefix(api.path()).and_then(|path| path.strip_prefix("session/"));
        if url.origin() != api.origin() || !plain || session.is_none_or(str::is_empty) {
            return Err(wrong("Location does not lead to a session of this service"));
        }
        Ok(url)
    }

    /// Sends the evidence and waits for the result.
    async fn result(
        &self,
        session: &Url,
        token: Bytes,
        nonce: &ReportData,
        end: Instant,
    ) -> Result<String, VeraisonError> {
        let mut step = Step::Evidence;
        let body = Some((self.settings.media_type.clone(), token));
        let answer = self.ask(step, Method::POST, session.clone(), body, &[200, 202], end).await;
        let mut answer = answer.map_err(|error| match error {
            VeraisonError::MediaTypeRefused { accepted, .. } => self.media_type_refused(accepted),
            other => other,
        })?;
        let mut pause = self.settings.poll_interval;
        loop {
            let body = read(step, &answer, nonce)?;
            match body.status {
                SessionStatus::Complete => return body.result.ok_or(VeraisonError::NoResult { step }),
                SessionStatus::Failed => return Err(VeraisonError::SessionFailed { step }),
                SessionStatus::Waiting | SessionStatus::Processing => {}
            }
            let not_finished = || VeraisonError::NotFinished { deadline: self.settings.deadline };
            let wait = answer.retry_after(self.clock.now()).map_or(pause, |asked| asked.max(pause));
            let next = Instant::now().checked_add(wait).filter(|next| *next < end);
            let Some(next) = next else { return Err(not_finished()) };
            sleep_until(next).await;
            pause = pause.saturating_mul(2).min(LONGEST_POLL);
            step = Step::Result;
            let asked = self.ask(step, Method::GET, session.clone(), None, &[200, 202], end).await;
            answer = asked.map_err(|error| match error {
                VeraisonError::TimedOut { .. } => not_finished(),
                other => other,
            })?;
        }
    }

    async fn ask(
        &self,
        step: Step,
        method: Method,
        url: Url,
        body: Option<(String, Bytes)>,
        success: &'static [u16],
        end: Instant,
    ) -> Result<Answer, VeraisonError> {
        self.service
            .ask(Ask { step, method, url, accept: Some(SESSION_MEDIA_TYPE), body, success }, end)
            .await
    }

    /// Deletes the session in the background. If that fails, the service forgets it by itself.
    fn delete(&self, session: Url) {
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            let Some(end) = Instant::now().checked_add(DELETE_TIME) else { return };
            let (step, method) = (Step::Delete, Method::DELETE);
            let ask = Ask { step, method, url: session, accept: None, body: None, success: &[200, 204] };
            let _ = service.ask(ask, end).await;
        });
    }
}

/// The session in an answer, if it is ours.
fn read(step: Step, answer: &Answer, nonce: &ReportData) -> Result<Session, VeraisonError> {
    let session = Session::read(&answer.body).map_err(|why| VeraisonError::NotTheApi {
        step,
        expected: SESSION_MEDIA_TYPE,
        why: shown(&why),
    })?;
    if session.nonce != nonce.as_bytes() {
        let (expected, found) = (nonce.to_string(), session.nonce.to_claim());
        return Err(VeraisonError::SessionNonce { step, expected, found });
    }
    Ok(session)
}
