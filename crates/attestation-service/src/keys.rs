//! The keys that sign tokens: kept in the store, rotated, published until their tokens ended.

use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_store::{KeyRecord, Store, StoreError};
use assay_token::{Issuer, JwkSet, KeySet, RetiredKey, SigningAlgorithm, SigningKey, TokenError};
use assay_types::{Clock, Coded, Fault, UnixTime, Validity};

const PURPOSE: &str = "token-signing";

/// How signing keys are made and how long they serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// The algorithm of new keys.
    pub algorithm: SigningAlgorithm,
    /// How long a key signs, in seconds.
    pub sign_for: i64,
    /// How long a key stays published after it signed its last token, in seconds: the longest life
    /// of a token.
    pub publish_after: i64,
}

impl Default for KeySettings {
    /// ES256, 90 days, one day.
    fn default() -> Self {
        KeySettings { algorithm: SigningAlgorithm::Es256, sign_for: 90 * 86_400, publish_after: 86_400 }
    }
}

/// Why the signing keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made or read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store has no key although one was just made: somebody deletes keys.
    #[error("the store has no signing key")]
    NoKey,
    /// The store names an algorithm that this build does not have.
    #[error("signing key {kid} has the unknown algorithm {algorithm:?}")]
    Algorithm {
        /// The key.
        kid: String,
        /// The algorithm.
        algorithm: String,
    },
}

impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            KeyError::Store(error) => error.code(),
            KeyError::Token(error) => error.code(),
            KeyError::Algorithm { .. } => "AS-030",
            KeyError::NoKey => "AS-031",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            KeyError::Store(error) => error.fault(),
            KeyError::Token(_) | KeyError::Algorithm { .. } | KeyError::NoKey => Fault::Internal,
        }
    }
}

/// The keys at one moment.
struct Snapshot {
    keys: Arc<KeySet>,
    created: UnixTime,
    sign_until: UnixTime,
}

/// The keys that sign tokens.
pub struct TokenKeys {
    store: Store,
    settings: KeySettings,
    name: String,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
}

impl TokenKeys {
    /// Reads the keys, and makes the first one where there is none. `name` is the common name of
    /// the certificates: the issuer.
    ///
    /// # Errors
    /// [`KeyError`], see there.
    pub async fn load(
        store: Store,
        settings: KeySettings,
        name: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        let now = clock.now();
        // Of several processes that start on an empty store, one key wins for all.
        store.first_key(PURPOSE, || new_key(&settings, name, now)).await?;
        let snapshot = read(&store).await?;
        let keys = TokenKeys {
            store,
            settings,
            name: name.to_owned(),
            clock,
            snapshot: ArcSwap::from_pointee(snapshot),
        };
        keys.rotate_if_due().await?;
        Ok(keys)
    }

    /// The keys in force; [`KeySet::current`] signs.
    pub fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.snapshot.load().keys)
    }

    /// The published keys (RFC 7517, section 5).
    pub fn jwks(&self) -> JwkSet {
        self.snapshot.load().keys.jwks(self.clock.now())
    }

    /// Puts a new key in force; the old ones stay published until their tokens ended.
    ///
    /// # Errors
    /// [`KeyError`]; the old key stays in force then.
    pub async fn rotate(&self) -> Result<(), KeyError> {
        // Later than the key it replaces, even when both are made within one second: the newest signs.
        let created = self.clock.now().max(self.snapshot.load().created.plus(1));
        self.store.put_key(new_key(&self.settings, &self.name, created)?).await?;
        self.reload().await
    }

    /// Rotates when the current key signed long enough, and forgets keys whose tokens ended. True
    /// when it rotated.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn rotate_if_due(&self) -> Result<bool, KeyError> {
        let now = self.clock.now();
        self.store.delete_expired_keys(now).await?;
        if now < self.snapshot.load().sign_until {
            return Ok(false);
        }
        self.rotate().await?;
        Ok(true)
    }

    /// Reads the keys again: another process may have rotated them.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn reload(&self) -> Result<(), KeyError> {
        let snapshot = read(&self.store).await?;
        self.snapshot.store(Arc::new(snapshot));
        Ok(())
    }
}

fn new_key(settings: &KeySettings, name: &str, now: UnixTime) -> Result<KeyRecord, KeyError> {
    let key = SigningKey::generate(settings.algorithm)?;
    let sign_until = now.plus(settings.sign_for);
    let expires = sign_until.plus(settings.publish_after);
    // Relying parties check the certificate's dates: it outlives the last token by its own margin.
    let validity = Validity { not_before: now.plus(-300), not_after: expires };
    Ok(KeyRecord {
        purpose: PURPOSE.to_owned(),
        kid: key.kid().to_owned(),
        algorithm: settings.algorithm.as_str().to_owned(),
        certificate: Some(key.self_signed_certificate(name, validity)?),
        secret: key.to_pkcs8()?,
        created: now,
        sign_until,
        expires,
    })
}

async fn read(store: &Store) -> Result<Snapshot, KeyError> {
    // Newest first: the first one signs.
    let mut records = store.keys(PURPOSE).await?.into_iter();
    let newest = records.next().ok_or(KeyError::NoKey)?;
    let retired = records
        .map(|record| {
            Ok(RetiredKey { jwk: signing_key(&record)?.public_jwk().clone(), until: record.expires })
        })
        .collect::<Result<Vec<_>, KeyError>>()?;
    let key = signing_key(&newest)?;
    let issuer = Issuer::new(key, newest.certificate.map(|certificate| vec![certificate]))?;
    Ok(Snapshot {
        keys: Arc::new(KeySet::new(issuer, retired)),
        created: newest.created,
        sign_until: newest.sign_until,
    })
}

fn signing_key(record: &KeyRecord) -> Result<SigningKey, KeyError> {
    let algorithm = SigningAlgorithm::from_name(&record.algorithm).ok_or_else(|| KeyError::Algorithm {
        kid: record.kid.clone(),
        algorithm: record.algorithm.clone(),
    })?;
    Ok(SigningKey::from_pkcs8(algorithm, &record.secret)?)
}
