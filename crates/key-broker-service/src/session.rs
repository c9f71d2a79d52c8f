//! Who is asking: from a cookie or a token to claims that were verified.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use assay_access::bearer;
use assay_attestation_service::AttestationService;
use assay_store::Store;
use assay_token::jwe::read_tee_public_key;
use assay_token::{EarClaims, KeySet, TokenError, TokenVerifier, TrustedKeys, tee_public_key};
use assay_types::{TeePubKey, UnixTime};
use axum::extract::FromRequestParts;
use http::request::Parts;
use moka::sync::Cache;
use serde_json::Value;

use crate::challenge::{Gate, sha256};
use crate::credentials::session_cookie;
use crate::{KeyBroker, RequestError};

/// How many bytes of tokens the cache may hold, about; their claims take a few times as much.
const CACHE_BYTES: u64 = 8 << 20;

/// How long a token that nobody shows stays in the cache.
const IDLE: Duration = Duration::from_secs(120);

/// What an attested guest is: the claims of a token that was verified. It has no other constructor
/// than the verification.
pub(crate) struct Attested {
    claims: Value,
    jti: String,
    expires: UnixTime,
    guest_key: Option<TeePubKey>,
}

impl Attested {
    /// The token's claims.
    pub(crate) fn claims(&self) -> &Value {
        &self.claims
    }

    /// The token's id.
    pub(crate) fn jti(&self) -> &str {
        &self.jti
    }

    /// The guest's public key.
    pub(crate) fn guest_key(&self) -> Option<&TeePubKey> {
        self.guest_key.as_ref()
    }
}

/// By what an entry of the cache was found. Sessions are named by the hash of their id, tokens by
/// their own hash; the two never mix.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Shown {
    Session([u8; 32]),
    Token([u8; 32]),
}

/// The verifier for the signing keys of one moment.
struct Trusted {
    keys: Arc<KeySet>,
    verifier: TokenVerifier,
}

/// Finds and verifies the tokens that requests rest on. Each token is verified once; its claims are
/// remembered until it ends.
pub(crate) struct Sessions {
    attestation: Arc<AttestationService>,
    store: Store,
    trusted: ArcSwap<Trusted>,
    verified: Cache<Shown, Arc<Attested>>,
    reload: Gate,
}

impl Sessions {
    pub(crate) fn new(attestation: Arc<AttestationService>, store: Store) -> Result<Self, TokenError> {
        let trusted = trusted(&attestation)?;
        let verified = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|_, attested: &Arc<Attested>| weight(attested))
            .time_to_idle(IDLE)
            .build();
        Ok(Sessions {
            attestation,
            store,
            trusted: ArcSwap::from_pointee(trusted),
            verified,
            reload: Gate::new(),
        })
    }

    /// The guest behind a session.
    pub(crate) async fn by_session(
        &self,
        hash: [u8; 32],
        now: UnixTime,
    ) -> Result<Arc<Attested>, RequestError> {
        if let Some(attested) = self.remembered(Shown::Session(hash), now)? {
            return Ok(attested);
        }
        let session = self.store.session(&hash).await?.ok_or(RequestError::NotAttested)?;
        self.verify(Shown::Session(hash), &session.token, now).await
    }

    /// The guest behind a token.
    pub(crate) async fn by_token(&self, token: &str, now: UnixTime) -> Result<Arc<Attested>, RequestError> {
        let shown = Shown::Token(sha256(token.as_bytes()));
        match self.remembered(shown, now)? {
            Some(attested) => Ok(attested),
            None => self.verify(shown, token, now).await,
        }
    }

    /// Whether this session is known to have attested, without asking the store.
    pub(crate) fn is_remembered(&self, hash: [u8; 32]) -> bool {
        self.verified.contains_key(&Shown::Session(hash))
    }

    /// Lets the cache drop what is idle.
    pub(crate) fn shrink(&self) {
        self.verified.run_pending_tasks();
    }

    fn remembered(&self, shown: Shown, now: UnixTime) -> Result<Option<Arc<Attested>>, RequestError> {
        match self.verified.get(&shown) {
            Some(attested) if now < attested.expires => Ok(Some(attested)),
            Some(attested) => Err(TokenError::Expired { exp: attested.expires, now }.into()),
            None => Ok(None),
        }
    }

    async fn verify(&self, shown: Shown, token: &str, now: UnixTime) -> Result<Arc<Attested>, RequestError> {
        let trusted = self.trusted()?;
        let verified = match trusted.verifier.verify(token, now) {
            // Perhaps a replica's new key. Strangers can ask for this, so at most once a second.
            Err(TokenError::UnknownKey { .. } | TokenError::HeaderKeyUntrusted) if self.reload.pass(now) => {
                if let Err(error) = self.attestation.keys().reload().await {
                    tracing::error!(%error, "reading the token-signing keys failed");
                }
                self.trusted()?.verifier.verify(token, now)?
            }
            other => other?,
        };
        // Policies, and the places of the guest's key, are written for dotted names.
        let claims = EarClaims::normalised(verified.claims)?;
        let jti = claims.get("jti").and_then(Value::as_str);
        let jti = jti.ok_or(TokenError::MissingClaim { claim: "jti" })?.to_owned();
        let guest_key = tee_public_key(&claims).and_then(|key| read_tee_public_key(key).ok());
        let attested = Arc::new(Attested { jti, expires: verified.expires, guest_key, claims });
        self.verified.insert(shown, Arc::clone(&attested));
        Ok(attested)
    }

    /// The verifier for the keys in force; made anew only when those changed.
    fn trusted(&self) -> Result<Arc<Trusted>, TokenError> {
        let current = self.trusted.load_full();
        if Arc::ptr_eq(&current.keys, &self.attestation.keys().current()) {
            return Ok(current);
        }
        let made = Arc::new(trusted(&self.attestation)?);
        self.trusted.store(Arc::clone(&made));
        Ok(made)
    }
}

fn trusted(attestation: &AttestationService) -> Result<Trusted, TokenError> {
    let verifier = TokenVerifier::new(TrustedKeys {
        jwks: attestation.keys().jwks(),
        certificates: Vec::new(),
        issuer: Some(attestation.token_settings().issuer.clone()),
        audience: None,
        leeway_seconds: 0,
    })?;
    Ok(Trusted { keys: attestation.keys().current(), verifier })
}

/// About how large the claims are.
fn weight(attested: &Attested) -> u32 {
    fn nodes(value: &Value) -> u32 {
        match value {
            Value::Array(items) => items.iter().map(nodes).fold(1, u32::saturating_add),
            Value::Object(members) => members.values().map(nodes).fold(2, u32::saturating_add),
            Value::String(text) => u32::try_from(text.len() / 32).unwrap_or(u32::MAX).saturating_add(1),
            _ => 1,
        }
    }
    nodes(&attested.claims).saturating_mul(32).saturating_add(512)
}

impl FromRequestParts<KeyBroker> for Arc<Attested> {
    type Rejection = RequestError;

    /// The session cookie has the first choice, then a bearer token.
    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        let now = broker.now();
        let by_cookie = match session_cookie(&parts.headers) {
            Some(cookie) => match broker.sealer().open(cookie, now).await {
                Ok(challenge) => Some(broker.sessions().by_session(challenge.session_hash(), now).await),
                Err(error) => Some(Err(error)),
            },
            None => None,
        };
        match (by_cookie, bearer(&parts.headers)) {
            (Some(Ok(attested)), _) => Ok(attested),
            (_, Some(token)) => broker.sessions().by_token(token, now).await,
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(RequestError::NoCredentials),
        }
    }
}
