//! The key of attestation results: pinned, or as the service names it.

use std::sync::{Arc, Mutex, PoisonError};

use assay_token::{CompactJws, TokenError, VerifyingKey};
use assay_types::{Clock, UnixTime};
use reqwest::Method;
use tokio::time::{Instant, timeout_at};

use crate::discovery::{DISCOVERY_MEDIA_TYPE, DISCOVERY_PATH, Discovery};
use crate::error::shown;
use crate::http::{Ask, Service};
use crate::{Step, VeraisonError, VeraisonSettings};

/// The shortest time between two questions for the key, in seconds: results that do not verify must
/// not make us ask again and again.
const PAUSE: i64 = 60;

/// Where the key is from.
pub(crate) enum EarKey {
    Pinned(Arc<VerifyingKey>),
    Discovered(Discovered),
}

pub(crate) struct Discovered {
    known: Mutex<Option<Known>>,
    /// Held while the service is asked, so that those who come in the meantime wait for its answer
    /// and do not ask themselves.
    asking: tokio::sync::Mutex<()>,
    lifetime: i64,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Known {
    key: Arc<VerifyingKey>,
    since: UnixTime,
}

impl EarKey {
    pub(crate) fn new(settings: &VeraisonSettings, clock: Arc<dyn Clock>) -> Result<Self, VeraisonError> {
        let Some(jwk) = &settings.pinned_ear_key else {
            return Ok(EarKey::Discovered(Discovered {
                known: Mutex::new(None),
                asking: tokio::sync::Mutex::new(()),
                lifetime: i64::from(settings.ear_key_lifetime_seconds),
                clock,
            }));
        };
        let key = VerifyingKey::new(jwk)
            .map_err(|error| VeraisonError::Setting { setting: "pinned_ear_key", why: error.to_string() })?;
        Ok(EarKey::Pinned(Arc::new(key)))
    }

    /// The payload of a result and the name of the key that signed it.
    ///
    /// The key never comes from the token. When a discovered one does not fit, the service is asked
    /// for it once more, at most once a minute: it may have changed.
    pub(crate) async fn verify(
        &self,
        token: &str,
        service: &Service,
        end: Instant,
    ) -> Result<(Vec<u8>, String), VeraisonError> {
        let token = CompactJws::parse(token).map_err(VeraisonError::NotAToken)?;
        let discovered = match self {
            EarKey::Pinned(key) => {
                return open(&token, key).map_err(|cause| unknown("the pinned key", key, cause));
            }
            EarKey::Discovered(discovered) => discovered,
        };
        let known = discovered.current(service, end).await?;
        let cause = match open(&token, &known.key) {
            Ok(opened) => return Ok(opened),
            Err(cause) => cause,
        };
        let Some(newer) = discovered.newer(&known, service, end).await? else {
            return Err(unknown("the key that the service names", &known.key, cause));
        };
        open(&token, &newer).map_err(|cause| unknown("the key that the service names now", &newer, cause))
    }
}

fn open(token: &CompactJws<'_>, key: &VerifyingKey) -> Result<(Vec<u8>, String), TokenError> {
    Ok((token.verify(key)?.to_vec(), key.name().to_owned()))
}

fn unknown(which: &str, key: &VerifyingKey, cause: TokenError) -> VeraisonError {
    VeraisonError::UnknownKey { key: format!("{which}, {:?}", shown(key.name())), cause }
}

impl Discovered {
    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key, asked for if there is none or if it is too old.
    async fn current(&self, service: &Service, end: Instant) -> Result<Known, VeraisonError> {
        let fresh = |known: &Known| self.clock.now() < known.since.plus(self.lifetime);
        if let Some(known) = self.known().filter(fresh) {
            return Ok(known);
        }
        let _asking = self.turn(service, end).await?;
        match self.known().filter(fresh) {
            Some(known) => Ok(known),
            None => self.fetch(service, end).await,
        }
    }

    /// The key, if it is another than `seen` by now.
    async fn newer(
        &self,
        seen: &Known,
        service: &Service,
        end: Instant,
    ) -> Result<Option<Arc<VerifyingKey>>, VeraisonError> {
        let _asking = self.turn(service, end).await?;
        let differs = |known: Known| (known.key.material() != seen.key.material()).then_some(known.key);
        // Another caller may have asked in the meantime.
        if let Some(key) = self.known().and_then(differs) {
            return Ok(Some(key));
        }
        let since = self.known().map_or(seen.since, |known| known.since);
        if self.clock.now() < since.plus(PAUSE) {
            return Ok(None);
        }
        Ok(differs(self.fetch(service, end).await?))
    }

    async fn turn(
        &self,
        service: &Service,
        end: Instant,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, VeraisonError> {
        timeout_at(end, self.asking.lock()).await.map_err(|_| service.timed_out(Step::Discovery))
    }

    async fn fetch(&self, service: &Service, end: Instant) -> Result<Known, VeraisonError> {
        let step = Step::Discovery;
        let answer = service
            .ask(
                Ask {
                    step,
                    method: Method::GET,
                    url: service.url(DISCOVERY_PATH)?,
                    accept: Some(DISCOVERY_MEDIA_TYPE),
                    body: None,
                    success: &[200],
                },
                end,
            )
            .await?;
        let wrong = |why: String| VeraisonError::NotTheApi { step, expected: DISCOVERY_MEDIA_TYPE, why };
        let document = Discovery::read(&answer.body).map_err(wrong)?;
        let key =
            VerifyingKey::new(&document.ear_verification_key).map_err(|error| wrong(error.to_string()))?;
        let known = Known { key: Arc::new(key), since: self.clock.now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }
}
