//! The client of an attestation service alone, for who only hands tokens on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use assay_token::jwe::KeyAlgorithm;
use assay_types::Clock;

use crate::builder::KbsClientBuilder;
use crate::error::ClientError;
use crate::evidence::EvidenceProvider;
use crate::retry::{RetryPolicy, Waiting};
use crate::sessions::{Sessions, Want};
use crate::token::Token;
use crate::token_and_key::TokenAndKey;

/// A guest's client of an attestation service: tokens for relying parties of whatever kind (the passport
/// model of RFC 9334). Clones share the token.
#[derive(Clone)]
pub struct PassportClient {
    sessions: Arc<Sessions>,
    url: Arc<str>,
}

/// Makes a [`PassportClient`]. The settings are those of [`KbsClientBuilder`].
pub struct PassportClientBuilder {
    inner: KbsClientBuilder,
    urls: Vec<String>,
    roots: Option<Vec<u8>>,
}

impl PassportClient {
    /// A builder of a client of the attestation service at `url`, whose paths are `/challenge` and
    /// `/attestation` below it.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when it is no URL as in
    /// [`KbsClient::builder`](crate::KbsClient::builder).
    pub fn builder(url: &str) -> Result<PassportClientBuilder, ClientError> {
        Self::builder_of(&[url])
    }

    /// The same with several addresses of one service, as in
    /// [`KbsClient::builder_of`](crate::KbsClient::builder_of).
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when one is no such URL, and for none.
    pub fn builder_of(urls: &[&str]) -> Result<PassportClientBuilder, ClientError> {
        Ok(PassportClientBuilder {
            inner: KbsClientBuilder::new(urls)?,
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            roots: None,
        })
    }

    /// The token: the one at hand while it is valid, else a new one. Callers at the same time share one
    /// attestation.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::NotFound`], [`ClientError::Jwe`] and
    /// [`ClientError::Argument`].
    pub async fn token(&self) -> Result<Token, ClientError> {
        Ok(self.sessions.get(Want::Ahead, None).await?.token.clone())
    }

    /// [`token`](Self::token), with the private key of the very handshake that gave it.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn token_and_key(&self) -> Result<TokenAndKey, ClientError> {
        TokenAndKey::of(&*self.sessions.get(Want::Ahead, None).await?)
    }

    /// A new token, by evidence made for this call, whatever token is at hand.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn attest(&self) -> Result<Token, ClientError> {
        Ok(self.sessions.attest().await?.token.clone())
    }

    /// Forgets the token at hand, because what the guest is has changed: an event was measured. The next call
    /// attests anew.
    pub fn forget_token(&self) {
        self.sessions.forget();
    }
}

impl PassportClientBuilder {
    /// Where evidence comes from. Must be set.
    #[must_use]
    pub fn evidence_provider(self, provider: Arc<dyn EvidenceProvider>) -> Self {
        PassportClientBuilder { inner: self.inner.evidence_provider(provider), ..self }
    }

    /// The clock. Must be set.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        PassportClientBuilder { inner: self.inner.clock(clock), ..self }
    }

    /// The kind of the guest's keys.
    #[must_use]
    pub fn key_algorithm(self, algorithm: KeyAlgorithm) -> Self {
        PassportClientBuilder { inner: self.inner.key_algorithm(algorithm), ..self }
    }

    /// The certificates in this PEM text are the **only** roots of TLS; the system's unless set.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when there is no certificate in it or one cannot be read.
    pub fn ca_certificate(self, pem: &[u8]) -> Result<Self, ClientError> {
        let mut roots = self.roots.unwrap_or_default();
        roots.extend_from_slice(pem);
        Ok(PassportClientBuilder { inner: self.inner.ca_certificate(pem)?, roots: Some(roots), ..self })
    }

    /// How long one request may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        PassportClientBuilder { inner: self.inner.timeout(timeout), ..self }
    }

    /// When and how often to try again.
    #[must_use]
    pub fn retry(self, policy: RetryPolicy) -> Self {
        PassportClientBuilder { inner: self.inner.retry(policy), ..self }
    }

    /// How to wait between attempts.
    #[must_use]
    pub fn waiting(self, waiting: Arc<dyn Waiting>) -> Self {
        PassportClientBuilder { inner: self.inner.waiting(waiting), ..self }
    }

    /// How long before its end a token is renewed.
    #[must_use]
    pub fn refresh_ahead(self, time: Duration) -> Self {
        PassportClientBuilder { inner: self.inner.refresh_ahead(time), ..self }
    }

    /// Allows plain `http` to hosts other than loopback: everyone on the way can then take the token and
    /// pose as the service.
    #[must_use]
    pub fn allow_plain_http_to_remote_hosts_danger(self) -> Self {
        PassportClientBuilder { inner: self.inner.allow_plain_http_to_remote_hosts_danger(), ..self }
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when something is missing or cannot be used.
    pub fn build(self) -> Result<PassportClient, ClientError> {
        let urls: Vec<&str> = self.urls.iter().map(String::as_str).collect();
        let (sessions, _) = self.inner.passport_of(&urls, self.roots.as_deref())?.parts()?;
        let url = sessions.guest.addresses.shown().into();
        Ok(PassportClient { sessions, url })
    }
}

impl fmt::Debug for PassportClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassportClient").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for PassportClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassportClientBuilder").finish_non_exhaustive()
    }
}
