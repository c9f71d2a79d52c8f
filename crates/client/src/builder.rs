//! The settings of the guest's client.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_token::jwe::KeyAlgorithm;
use assay_types::Clock;
use reqwest::Url;

use crate::addresses::{Addresses, MAX_ADDRESSES};
use crate::error::ClientError;
use crate::evidence::EvidenceProvider;
use crate::handshake::{Guest, Handshake};
use crate::kbs::KbsClient;
use crate::options::{ConnectionOptions, base_url, read_roots};
use crate::retry::{RetryPolicy, SystemWaiting, Waiting};
use crate::sessions::{Sessions, State};

/// Makes a [`KbsClient`].
pub struct KbsClientBuilder {
    options: ConnectionOptions,
    urls: Vec<Url>,
    passport: Option<Passport>,
    provider: Option<Arc<dyn EvidenceProvider>>,
    key_algorithm: KeyAlgorithm,
    policy: RetryPolicy,
    waiting: Arc<dyn Waiting>,
    refresh_ahead: Duration,
    max_resource_answer: usize,
}

/// The attestation service that tokens come from.
struct Passport {
    urls: Vec<Url>,
    /// The only roots; the system's when `None`.
    roots: Option<Vec<reqwest::Certificate>>,
}

impl KbsClientBuilder {
    pub(crate) fn new(urls: &[&str]) -> Result<Self, ClientError> {
        let urls = read_urls(urls)?;
        let first = urls.first().map_or("", Url::as_str);
        Ok(KbsClientBuilder {
            options: ConnectionOptions::new(first)?,
            urls,
            passport: None,
            provider: None,
            key_algorithm: KeyAlgorithm::default(),
            policy: RetryPolicy::default(),
            waiting: Arc::new(SystemWaiting),
            refresh_ahead: Duration::from_secs(30),
            max_resource_answer: 4 * 1024 * 1024,
        })
    }

    /// Tokens come from the attestation service at `as_url`, not from the key broker, which is shown
    /// them as `Authorization: Bearer` (the passport model of RFC 9334). `as_roots` are the certificates
    /// in PEM text that are the only roots of TLS there; the system's when `None`. Every other setting
    /// is the same for both services.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] for a URL or text that cannot be used.
    pub fn passport(self, as_url: &str, as_roots: Option<&[u8]>) -> Result<Self, ClientError> {
        self.passport_of(&[as_url], as_roots)
    }

    /// [`passport`](Self::passport) with several addresses of one attestation service, as in
    /// [`KbsClient::builder_of`].
    ///
    /// # Errors
    /// [`ClientError::Configuration`] for a URL or text that cannot be used, and for no URL.
    pub fn passport_of(mut self, as_urls: &[&str], as_roots: Option<&[u8]>) -> Result<Self, ClientError> {
        let roots = as_roots.map(read_roots).transpose()?;
        self.passport = Some(Passport { urls: read_urls(as_urls)?, roots });
        Ok(self)
    }

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
    /// The attestation service of [`passport`](Self::passport) has its own.
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
        let max_resource_answer = self.max_resource_answer;
        let (sessions, kbs) = self.parts()?;
        Ok(KbsClient { sessions, kbs, max_resource_answer })
    }

    /// The sessions, and the addresses of the key broker.
    pub(crate) fn parts(self) -> Result<(Arc<Sessions>, Arc<Addresses>), ClientError> {
        let missing = |what: &str| ClientError::Configuration(format!("no {what} is set"));
        let provider = self.provider.ok_or_else(|| missing("evidence provider"))?;
        let clock = self.options.clock.clone().ok_or_else(|| missing("clock"))?;
        let kbs = Arc::new(connect(&self.options, self.urls)?);
        let (handshake, addresses) = match self.passport {
            None => (Handshake::Rcar, Arc::clone(&kbs)),
            Some(Passport { urls, roots }) => {
                let mut options = self.options;
                options.roots = roots;
                (Handshake::Passport, Arc::new(connect(&options, urls)?))
            }
        };
        let key_algorithm = self.key_algorithm;
        let sessions = Sessions {
            guest: Guest { handshake, addresses, provider, key_algorithm, clock },
            policy: self.policy,
            waiting: self.waiting,
            refresh_ahead: self.refresh_ahead,
            state: Mutex::new(State::default()),
        };
        Ok((Arc::new(sessions), kbs))
    }
}

fn read_urls(urls: &[&str]) -> Result<Vec<Url>, ClientError> {
    if !(1..=MAX_ADDRESSES).contains(&urls.len()) {
        let found = urls.len();
        return Err(ClientError::Configuration(format!(
            "{found} addresses of one service; 1 to {MAX_ADDRESSES} can be used"
        )));
    }
    urls.iter().map(|url| base_url(url)).collect()
}

fn connect(options: &ConnectionOptions, urls: Vec<Url>) -> Result<Addresses, ClientError> {
    let connections = urls.into_iter().map(|url| options.at(url).build()).collect::<Result<_, _>>()?;
    Ok(Addresses::new(connections))
}

impl fmt::Debug for KbsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KbsClientBuilder").finish_non_exhaustive()
    }
}
