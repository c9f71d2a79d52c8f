//! The keys that sign tokens: kept in the store, rotated, published until their tokens ended.

use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_store::{KeyRecord, Store, StoreError};
use assay_token::{Issuer, JwkSet, KeySet, RetiredKey, SigningAlgorithm, SigningKey, TokenError};
use assay_types::{Clock, Coded, Fault, UnixTime, Validity};

/// The purpose of these keys in the store.
pub const TOKEN_SIGNING_PURPOSE: &str = "token-signing";

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

/// How long a new key is published before it signs, in seconds: until then every replica has read it, and
/// whoever fetched the published keys a moment ago.
pub const PUBLISH_AHEAD: i64 = 5;

/// The keys of one reading.
struct Snapshot {
    /// From when on which set is in force, the newest first. All sets publish the same keys.
    steps: Vec<(UnixTime, Arc<KeySet>)>,
    /// The newest key.
    kid: String,
    created: UnixTime,
    sign_until: UnixTime,
}

impl Snapshot {
    /// The set in force; the oldest when none is yet (the clock of whoever made it is ahead).
    fn at(&self, now: UnixTime) -> Option<&Arc<KeySet>> {
        self.steps.iter().find(|(from, _)| *from <= now).or(self.steps.last()).map(|(_, keys)| keys)
    }
}

/// The keys that sign tokens.
pub struct TokenKeys {
    store: Store,
    settings: KeySettings,
    name: String,
    clock: Arc<dyn Clock>,
    first: Arc<KeySet>,
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
        store.first_key(TOKEN_SIGNING_PURPOSE, || new_key(&settings, name, now)).await?;
        let snapshot = read(&store).await?;
        let first = Arc::clone(snapshot.at(now).ok_or(KeyError::NoKey)?);
        let keys = TokenKeys {
            store,
            settings,
            name: name.to_owned(),
            clock,
            first,
            snapshot: ArcSwap::from_pointee(snapshot),
        };
        keys.rotate_if_due().await?;
        Ok(keys)
    }

    /// The keys in force; [`KeySet::current`] signs.
    pub fn current(&self) -> Arc<KeySet> {
        let snapshot = self.snapshot.load();
        match snapshot.at(self.clock.now()) {
            Some(keys) => Arc::clone(keys),
            // Reading them gives one at least.
            None => Arc::clone(&self.first),
        }
    }

    /// The published keys (RFC 7517, section 5).
    pub fn jwks(&self) -> JwkSet {
        self.current().jwks(self.clock.now())
    }

    /// Makes a new key. It is published at once and signs [`PUBLISH_AHEAD`] seconds later; the old ones
    /// stay published until their tokens ended. Returns its id.
    ///
    /// # Errors
    /// [`KeyError`]; the old key stays in force then.
    pub async fn rotate(&self) -> Result<String, KeyError> {
        let key = self.next_key()?;
        let kid = key.kid.clone();
        self.store.put_key(key).await?;
        self.reload().await?;
        Ok(kid)
    }

    fn next_key(&self) -> Result<KeyRecord, KeyError> {
        // Later than the key it replaces, even when both are made within one second: the newest signs.
        let from = self.clock.now().plus(PUBLISH_AHEAD).max(self.snapshot.load().created.plus(1));
        new_key(&self.settings, &self.name, from)
    }

    /// Rotates when the newest key signed long enough, and forgets keys whose tokens ended. True
    /// when it rotated.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn rotate_if_due(&self) -> Result<bool, KeyError> {
        let now = self.clock.now();
        let newest = self.snapshot.load_full();
        let due = now >= newest.sign_until;
        // Other replicas find the same: one of them makes the key. Before the old ones go.
        let made = due && self.store.put_next_key(self.next_key()?, &newest.kid).await?;
        self.store.delete_expired_keys(now).await?;
        if due {
            self.reload().await?;
        }
        Ok(made)
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
        purpose: TOKEN_SIGNING_PURPOSE.to_owned(),
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
    // Newest first.
    let records = store.keys(TOKEN_SIGNING_PURPOSE).await?;
    let newest = records.first().ok_or(KeyError::NoKey)?;
    let mut steps = Vec::with_capacity(records.len());
    for record in &records {
        let others = records
            .iter()
            .filter(|other| other.kid != record.kid)
            .map(|other| {
                Ok(RetiredKey { jwk: signing_key(other)?.public_jwk().clone(), until: other.expires })
            })
            .collect::<Result<Vec<_>, KeyError>>()?;
        let chain = record.certificate.clone().map(|certificate| vec![certificate]);
        let issuer = Issuer::new(signing_key(record)?, chain)?;
        steps.push((record.created, Arc::new(KeySet::new(issuer, others))));
    }
    Ok(Snapshot { steps, kid: newest.kid.clone(), created: newest.created, sign_until: newest.sign_until })
}

fn signing_key(record: &KeyRecord) -> Result<SigningKey, KeyError> {
    let algorithm = SigningAlgorithm::from_name(&record.algorithm).ok_or_else(|| KeyError::Algorithm {
        kid: record.kid.clone(),
        algorithm: record.algorithm.clone(),
    })?;
    Ok(SigningKey::from_pkcs8(algorithm, &record.secret)?)
}
