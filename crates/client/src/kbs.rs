//! The guest's client.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_token::jwe::KeyAlgorithm;
use assay_types::{Clock, ResourcePath, Response, SecretBytes};
use http::header::{ACCEPT, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::connection::{Answer, Ask, ConnectionOptions, Trouble, bearer, protocol};
use crate::error::{Attempt, ClientError};
use crate::evidence::EvidenceProvider;
use crate::handshake::{Guest, Session};
use crate::retry::{RetryPolicy, SystemWaiting, Waiting, retrying};
use crate::sessions::{Sessions, State, Want};
use crate::token::Token;

/// The longest answer with a verdict, in bytes.
const MAX_VERDICT: usize = 4 * 1024 * 1024;

/// A guest's client of one key broker service. Clones share the token.
#[derive(Clone)]
pub struct KbsClient {
    sessions: Arc<Sessions>,
    max_resource_answer: usize,
}

/// Makes a [`KbsClient`].
pub struct KbsClientBuilder {
    options: ConnectionOptions,
    provider: Option<Arc<dyn EvidenceProvider>>,
    key_algorithm: KeyAlgorithm,
    policy: RetryPolicy,
    waiting: Arc<dyn Waiting>,
    refresh_ahead: Duration,
    max_resource_answer: usize,
}

impl KbsClientBuilder {
    /// Where evidence comes from. Must be set.
    #[must_use]
    pub fn evidence_provider(mut self, provider: Arc<dyn EvidenceProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The clock. Must be set; it need not be right, as the life of a token counts from when the token
    /// was asked for, but it must not stand still.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.options.clock = Some(clock);
        self
    }

    /// The kind of the guest's keys, [`KeyAlgorithm::EcdhP256`] unless set.
    #[must_use]
    pub fn key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.key_algorithm = algorithm;
        self
    }

    /// Adds the certificates in this PEM text to the **only** roots of TLS; the system's do not count.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when there is no certificate in it or one cannot be read.
    pub fn ca_certificate(mut self, pem: &[u8]) -> Result<Self, ClientError> {
        self.options.add_roots(pem)?;
        Ok(self)
    }

    /// Uses the system's roots of TLS, which is also what counts unless roots are given.
    #[must_use]
    pub fn system_roots(mut self) -> Self {
        self.options.roots = None;
        self
    }

    /// How long one request may take, 30 s unless set. What a call may take in all is in the
    /// [`RetryPolicy`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// When and how often to try again.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How to wait between attempts; [`SystemWaiting`] unless set.
    #[must_use]
    pub fn waiting(mut self, waiting: Arc<dyn Waiting>) -> Self {
        self.waiting = waiting;
        self
    }

    /// How long before its end a token is renewed: 30 s unless set, and at most a quarter of its life.
    #[must_use]
    pub fn refresh_ahead(mut self, time: Duration) -> Self {
        self.refresh_ahead = time;
        self
    }

    /// The longest answer with a secret, in bytes of its JSON form: 4 MiB unless set.
    #[must_use]
    pub fn max_resource_answer(mut self, bytes: usize) -> Self {
        self.max_resource_answer = bytes;
        self
    }

    /// Allows plain `http` to hosts other than loopback: everyone on the way can then take the token
    /// and pose as the server.
    #[must_use]
    pub fn allow_plain_http_to_remote_hosts_danger(mut self) -> Self {
        self.options.plain_http_to_remote_hosts = true;
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when something is missing or cannot be used.
    pub fn build(self) -> Result<KbsClient, ClientError> {
        let missing = |what: &str| ClientError::Configuration(format!("no {what} is set"));
        let provider = self.provider.ok_or_else(|| missing("evidence provider"))?;
        let clock = self.options.clock.clone().ok_or_else(|| missing("clock"))?;
        let connection = self.options.build()?;
        Ok(KbsClient {
            sessions: Arc::new(Sessions {
                guest: Guest { connection, provider, key_algorithm: self.key_algorithm, clock },
                policy: self.policy,
                waiting: self.waiting,
                refresh_ahead: self.refresh_ahead,
                state: Mutex::new(State::default()),
            }),
            max_resource_answer: self.max_resource_answer,
        })
    }
}

impl KbsClient {
    /// A builder of a client of the server at `url`: `https://host[:port][/path]`; `http` to loopback.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when it is no such URL.
    pub fn builder(url: &str) -> Result<KbsClientBuilder, ClientError> {
        Ok(KbsClientBuilder {
            options: ConnectionOptions::new(url)?,
            provider: None,
            key_algorithm: KeyAlgorithm::default(),
            policy: RetryPolicy::default(),
            waiting: Arc::new(SystemWaiting),
            refresh_ahead: Duration::from_secs(30),
            max_resource_answer: 4 * 1024 * 1024,
        })
    }

    /// The attestation token: the one at hand while it is valid, else a new one. Callers at the same
    /// time share one attestation; one that goes away does not end it.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::NotFound`], [`ClientError::Jwe`] and
    /// [`ClientError::Argument`].
    pub async fn token(&self) -> Result<Token, ClientError> {
        Ok(self.sessions.get(Want::Ahead, None).await?.token.clone())
    }

    /// A new token, by evidence made for this call, whatever token is at hand.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn attest(&self) -> Result<Token, ClientError> {
        Ok(self.sessions.attest().await?.token.clone())
    }

    /// The secret at `path`, decrypted. Attests first when there is no valid token.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Argument`].
    pub async fn resource(&self, path: &ResourcePath) -> Result<SecretBytes, ClientError> {
        let [repository, kind, tag] = path.segments();
        let segments = ["kbs", "v0", "resource", repository, kind, tag];
        let (session, answer) = self.get(&segments, self.max_resource_answer, false).await?;
        let what = format!("GET /kbs/v0/resource/{path}");
        // Members that would change how it is decrypted, and that no server of this protocol sends.
        let extra: Extra = answer.json(&what)?;
        if let Some(member) = extra.first() {
            return Err(protocol(
                &what,
                format!("the JWE has the member {member:?}, which is not supported"),
            ));
        }
        let message: Response = answer.json(&what)?;
        session.key.decrypt(&message).map_err(|error| ClientError::Jwe { what, error })
    }

    /// What the server holds about the verdict on this guest: its findings, for display.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Jwe`] and [`ClientError::Argument`].
    pub async fn verdict(&self) -> Result<Value, ClientError> {
        let (_, answer) = self.get(&["kbs", "v0", "verdict"], MAX_VERDICT, true).await?;
        answer.json("GET /kbs/v0/verdict")
    }

    /// Gets something with the token. When the server does not accept it: once more with a new one.
    ///
    /// The cookie goes along only `with_cookie`: servers prefer it to the token, and it ends earlier.
    async fn get(
        &self,
        segments: &[&str],
        limit: usize,
        with_cookie: bool,
    ) -> Result<(Arc<Session>, Answer), ClientError> {
        let ask = |session: &Session| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            bearer(&mut headers, session.token.as_str())?;
            if with_cookie {
                headers.insert(COOKIE, session.cookie.clone());
            }
            Ok::<_, ClientError>(headers)
        };
        let deadline = self.sessions.deadline();
        let session = self.session(None, deadline).await?;
        match self.get_once(ask(&session)?, segments, limit, deadline).await {
            Ok(answer) => Ok((session, answer)),
            Err(Trouble::Unauthenticated { what, problem }) => {
                tracing::debug!(what, detail = problem.detail, "the token is not accepted; attesting anew");
                let session = self.session(Some(&session), deadline).await?;
                let answer = self.get_once(ask(&session)?, segments, limit, deadline).await?;
                Ok((session, answer))
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn session(
        &self,
        refused: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Arc<Session>, ClientError> {
        timeout_at(deadline, self.sessions.get(Want::Valid, refused)).await.unwrap_or_else(|_| {
            let (what, outcome) = ("attestation".to_owned(), "no token before the deadline".to_owned());
            Err(ClientError::Unavailable { attempts: vec![Attempt { what, outcome }], retry_after: None })
        })
    }

    async fn get_once(
        &self,
        headers: HeaderMap,
        segments: &[&str],
        limit: usize,
        deadline: Instant,
    ) -> Result<Answer, Trouble> {
        let connection = &self.sessions.guest.connection;
        let url = connection.url(segments.iter().copied())?;
        let once = || {
            connection.send(Ask {
                method: Method::GET,
                url: url.clone(),
                headers: headers.clone(),
                body: None,
                limit,
                deadline: Some(deadline),
            })
        };
        retrying(&self.sessions.policy, &*self.sessions.waiting, deadline, once).await
    }
}

impl fmt::Debug for KbsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KbsClient")
            .field("url", &self.sessions.guest.connection.base().as_str())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KbsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KbsClientBuilder").finish_non_exhaustive()
    }
}

/// Members of a JWE in JSON form (RFC 7516, 7.2) that are not [`Response`]'s.
#[derive(Deserialize)]
struct Extra {
    aad: Option<IgnoredAny>,
    header: Option<IgnoredAny>,
    unprotected: Option<IgnoredAny>,
    recipients: Option<IgnoredAny>,
}

impl Extra {
    fn first(&self) -> Option<&'static str> {
        [
            ("aad", self.aad.is_some()),
            ("header", self.header.is_some()),
            ("unprotected", self.unprotected.is_some()),
            ("recipients", self.recipients.is_some()),
        ]
        .into_iter()
        .find_map(|(name, there)| there.then_some(name))
    }
}
