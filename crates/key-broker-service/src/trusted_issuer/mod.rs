//! Whose tokens are believed beside our own: the keys and certificates of another attestation service.
//!
//! Keys come from a file or from an address, certificates from files; what is read again replaces what was
//! there, and what cannot be read leaves it. A token of an unknown key has the source asked again, at most
//! once a second: the service may have a new one. An address that does not answer when this program starts
//! does not keep it from starting; until it does, nobody's token is believed.

mod error;
mod source;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use assay_attestation_service::Gate;
use assay_token::{TokenError, TokenVerifier, TrustedKeys, VerifiedToken};
use assay_types::{Clock, UnixTime};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::Mutex;

pub use error::TrustError;
use source::{Found, Source};

/// What is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuerSettings {
    /// A file of keys (JWKS), or an address: `https://…`, or `http://` to loopback. The address is that of
    /// the keys, or of an OpenID discovery document, or ends with `/` and has that document below it.
    pub keys: Option<String>,
    /// The only certificate authority to believe at the address (PEM); the system's when `None`.
    pub ca_certificate: Option<PathBuf>,
    /// Files of certificates (PEM): of signing keys, or of authorities that issue theirs directly.
    pub certificates: Vec<PathBuf>,
    /// The one issuer (`iss`) that is accepted; the discovery document's when `None`, else any.
    pub issuer: Option<String>,
    /// How far the clocks may differ, in seconds.
    pub leeway_seconds: u32,
    /// How long to wait for the address.
    pub deadline: Duration,
}

impl Default for TrustedIssuerSettings {
    /// Nobody; a minute between clocks, five seconds for an answer.
    fn default() -> Self {
        TrustedIssuerSettings {
            keys: None,
            ca_certificate: None,
            certificates: Vec::new(),
            issuer: None,
            leeway_seconds: 60,
            deadline: Duration::from_secs(5),
        }
    }
}

/// Verifies the tokens of another attestation service.
pub struct TrustedIssuer {
    settings: TrustedIssuerSettings,
    source: Option<Source>,
    current: ArcSwapOption<TokenVerifier>,
    /// Held while the source is asked: who waits finds the answer.
    asking: Mutex<()>,
    gate: Gate,
    clock: Arc<dyn Clock>,
}

impl TrustedIssuer {
    /// Reads what is in files. Nothing is sent yet.
    ///
    /// # Errors
    /// [`TrustError`] when a setting or a file cannot be used, and where nothing is trusted at all.
    pub fn new(settings: TrustedIssuerSettings, clock: Arc<dyn Clock>) -> Result<Self, TrustError> {
        if settings.keys.is_none() && settings.certificates.is_empty() {
            return Err(TrustError::Nothing);
        }
        let source = match &settings.keys {
            Some(text) => Some(Source::new(text, &settings)?),
            None => None,
        };
        let issuer = TrustedIssuer {
            source,
            settings,
            current: ArcSwapOption::empty(),
            asking: Mutex::new(()),
            gate: Gate::new(),
            clock,
        };
        let found = match &issuer.source {
            Some(Source::File(file)) => Some(source::read(file)?),
            // Certificates serve without the keys.
            Some(Source::Address { .. }) if issuer.settings.certificates.is_empty() => return Ok(issuer),
            Some(Source::Address { .. }) | None => None,
        };
        issuer.put_in_force(found)?;
        Ok(issuer)
    }

    /// How far the clocks may differ, in seconds.
    pub(crate) fn leeway(&self) -> i64 {
        i64::from(self.settings.leeway_seconds)
    }

    /// Reads or asks again.
    ///
    /// # Errors
    /// [`TrustError`]; what was in force stays then.
    pub async fn refresh(&self) -> Result<(), TrustError> {
        let before = self.current.load_full();
        let _asking = self.asking.lock().await;
        let now = self.current.load_full();
        let learned = match (&before, &now) {
            (Some(before), Some(now)) => !Arc::ptr_eq(before, now),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if learned {
            return Ok(());
        }
        let found = match &self.source {
            Some(source) => Some(source.ask(&self.settings).await?),
            None => None,
        };
        self.put_in_force(found)
    }

    /// Whether tokens can be verified.
    ///
    /// # Errors
    /// [`TrustError`] when the keys could never be had.
    pub async fn ready(&self) -> Result<(), TrustError> {
        if self.current.load().is_some() {
            return Ok(());
        }
        self.refresh().await
    }

    /// Verifies a token at the time `now`.
    ///
    /// # Errors
    /// [`TrustError::Token`] when it does not hold; others when there are no keys to verify it with.
    pub async fn verify(&self, token: &str, now: UnixTime) -> Result<VerifiedToken, TrustError> {
        let Some(verifier) = self.current.load_full() else {
            if !self.gate.pass(self.clock.now()) {
                return Err(TrustError::NotYet);
            }
            self.refresh().await?;
            return self.verify_once(token, now);
        };
        match verifier.verify(token, now) {
            // Perhaps a new key. Strangers can ask for this, so at most once a second.
            Err(error) if unknown_key(&error) && self.gate.pass(self.clock.now()) => {
                if let Err(error) = self.refresh().await {
                    tracing::warn!(%error, "the keys of the attestation service in use stay in use");
                }
                self.verify_once(token, now)
            }
            other => Ok(other?),
        }
    }

    fn verify_once(&self, token: &str, now: UnixTime) -> Result<VerifiedToken, TrustError> {
        let verifier = self.current.load_full().ok_or(TrustError::NotYet)?;
        Ok(verifier.verify(token, now)?)
    }

    fn put_in_force(&self, found: Option<Found>) -> Result<(), TrustError> {
        let mut certificates = Vec::new();
        for file in &self.settings.certificates {
            let wrong = |why: String| TrustError::File { path: file.clone(), why };
            let read = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| wrong(error.to_string()))?;
            if read.is_empty() {
                return Err(wrong("it holds no certificate".to_owned()));
            }
            certificates.extend(read.into_iter().map(|certificate| certificate.to_vec()));
        }
        let (jwks, issuer) = found.map(|found| (found.keys, found.issuer)).unwrap_or_default();
        let verifier = TokenVerifier::new(TrustedKeys {
            jwks,
            certificates,
            issuer: self.settings.issuer.clone().or(issuer),
            audience: None,
            leeway_seconds: self.settings.leeway_seconds,
        })?;
        self.current.store(Some(Arc::new(verifier)));
        Ok(())
    }
}

/// Whether another set of keys might help.
pub(crate) fn unknown_key(error: &TokenError) -> bool {
    matches!(error, TokenError::UnknownKey { .. } | TokenError::HeaderKeyUntrusted | TokenError::NoKeyNamed)
}
