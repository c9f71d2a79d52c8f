//! The admin keys of the store: made once, shared by all replicas, rotated, revoked.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_store::{KeyRecord, Store, StoreError};
use assay_token::{Jwk, JwkSet, SigningAlgorithm};
use assay_types::{Clock, SecretBytes, UnixTime};

use crate::{AdminKey, AdminKeyError, MAX_ADMIN_TOKEN_SECONDS};

/// What admin keys are kept under in the store.
pub const ADMIN_KEY_PURPOSE: &str = "admin";

/// What is remembered of files that were taken in, for good: a key that was revoked does not come back
/// with its file. The records have no secret.
const IMPORTED_PURPOSE: &str = "admin-file";

/// The end of a key that is not rotated: 9999-12-31T23:59:59Z.
const FAR: UnixTime = UnixTime(253_402_300_799);

/// The keys that sign admin tokens, in the store under [`ADMIN_KEY_PURPOSE`]. The newest signs; a
/// token of each is accepted until that key ends.
///
/// Private halves stay in the store: this holds public ones, of one moment. [`AdminKeys::reload`]
/// takes up what others changed.
pub struct AdminKeys {
    store: Store,
    clock: Arc<dyn Clock>,
    made: bool,
    public: ArcSwap<PublicKeys>,
}

/// The public halves at one moment.
pub(crate) struct PublicKeys(Vec<PublicKey>);

struct PublicKey {
    jwk: Jwk,
    expires: UnixTime,
}

impl PublicKeys {
    pub(crate) fn jwks(&self) -> JwkSet {
        JwkSet { keys: self.0.iter().map(|key| key.jwk.clone()).collect() }
    }

    /// Whether tokens of that key are accepted.
    pub(crate) fn accepts(&self, kid: &str, now: UnixTime) -> bool {
        self.0.iter().any(|key| key.jwk.kid.as_deref() == Some(kid) && now < key.expires)
    }
}

impl AdminKeys {
    /// Reads the keys, and makes the first where there is none, or none that still signs. Of several
    /// processes that start on an empty store, one key wins for all.
    ///
    /// # Errors
    /// [`AdminKeyError`].
    pub async fn load(store: Store, clock: Arc<dyn Clock>) -> Result<Self, AdminKeyError> {
        let key = AdminKey::generate()?;
        let record = record(&key, clock.now())?;
        let first = store.first_key(ADMIN_KEY_PURPOSE, || Ok::<_, AdminKeyError>(record)).await?;
        let mut keys = AdminKeys {
            made: first.kid == key.kid(),
            public: ArcSwap::from_pointee(PublicKeys(Vec::new())),
            store,
            clock,
        };
        match keys.newest().await {
            Ok(_) => keys.reload().await?,
            Err(AdminKeyError::NoKey) => {
                keys.rotate(false).await?;
                keys.made = true;
            }
            Err(error) => return Err(error),
        }
        Ok(keys)
    }

    /// Whether [`AdminKeys::load`] made the key that signs: nobody can have a token yet.
    pub fn made(&self) -> bool {
        self.made
    }

    /// Takes the key of an earlier release's file into the store, once: its tokens are accepted then,
    /// and it signs only where there is no other key, so call it before [`AdminKeys::load`]. True when
    /// it was taken in now. A file that is not there is no error; one that was taken in before is left
    /// alone, even when its key was revoked since.
    ///
    /// # Errors
    /// [`AdminKeyError`]: a file that others can read, or that holds no key.
    pub async fn import_file(store: &Store, clock: &dyn Clock, path: &Path) -> Result<bool, AdminKeyError> {
        let key = match AdminKey::load(path) {
            Ok(key) => key,
            Err(AdminKeyError::File { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let imported = store.keys(IMPORTED_PURPOSE).await?;
        if imported.iter().any(|record| record.kid == key.kid()) {
            return Ok(false);
        }
        let known = store.keys(ADMIN_KEY_PURPOSE).await?;
        let now = clock.now();
        // Older than all others, so that it is never the newest beside one.
        let created = known.iter().map(|record| record.created.plus(-1)).min().unwrap_or(now);
        let new = record(&key, created)?;
        let mark = KeyRecord {
            purpose: IMPORTED_PURPOSE.to_owned(),
            secret: SecretBytes::new(Vec::new()),
            created: now,
            sign_until: now,
            ..new.clone()
        };
        // The key first: were it the other way round, a crash in between would lose it.
        let added = put_once(store, new).await?;
        put_once(store, mark).await?;
        if added {
            tracing::warn!(
                file = %path.display(), kid = key.kid(),
                "the admin key of an earlier release was taken into the store; its file is of no use any more, \
                 remove it"
            );
        }
        Ok(added)
    }

    /// The key that signs now, with its private half: for whoever mints tokens.
    ///
    /// # Errors
    /// [`AdminKeyError::NoKey`] when all keys have ended; others when the store fails.
    pub async fn newest(&self) -> Result<AdminKey, AdminKeyError> {
        let now = self.clock.now();
        let records = self.store.keys(ADMIN_KEY_PURPOSE).await?;
        let newest = records.into_iter().find(|record| now < record.sign_until);
        stored(&newest.ok_or(AdminKeyError::NoKey)?)
    }

    /// Puts a new key in force and gives the id of the key that signs from now on. The keys before it end when the last token they can
    /// have signed has ended, a day later; at once with `revoke`, and with them all tokens.
    ///
    /// Of several processes that do this at once, each makes a key, and one of them stays.
    ///
    /// # Errors
    /// [`AdminKeyError`]. Where not all the keys before could be ended, doing it again ends them.
    pub async fn rotate(&self, revoke: bool) -> Result<String, AdminKeyError> {
        let key = AdminKey::generate()?;
        let now = self.clock.now();
        let before = self.store.keys(ADMIN_KEY_PURPOSE).await?;
        // Later than the key it replaces, even when both are made within one second: the newest signs.
        let newest = before.first().map(|record| record.created.plus(1));
        let new = record(&key, newest.map_or(now, |after| after.max(now)))?;
        self.store.put_key(new).await?;
        let end = if revoke { now } else { now.plus(MAX_ADMIN_TOKEN_SECONDS) };
        // Read again: others may have made keys in between, and the newest of all stays. Whoever wrote
        // last sees all of them here, so no other is left over.
        let mut all = self.store.keys(ADMIN_KEY_PURPOSE).await?.into_iter();
        let stays = all.next().ok_or(AdminKeyError::NoKey)?;
        for old in all.filter(|old| old.expires > end) {
            self.store.retire_key(ADMIN_KEY_PURPOSE, &old.kid, end).await?;
        }
        self.reload().await?;
        Ok(stays.kid)
    }

    /// Reads the keys again: another process may have rotated them.
    ///
    /// # Errors
    /// [`AdminKeyError`]; what was read before stays in use then.
    pub async fn reload(&self) -> Result<(), AdminKeyError> {
        let now = self.clock.now();
        let records = self.store.keys(ADMIN_KEY_PURPOSE).await?;
        let keys = records
            .iter()
            .filter(|record| now < record.expires)
            .map(|record| {
                Ok(PublicKey { jwk: stored(record)?.public_jwk().clone(), expires: record.expires })
            })
            .collect::<Result<Vec<_>, AdminKeyError>>()?;
        self.public.store(Arc::new(PublicKeys(keys)));
        Ok(())
    }

    pub(crate) fn public(&self) -> Arc<PublicKeys> {
        self.public.load_full()
    }
}

/// True when it was not there.
async fn put_once(store: &Store, key: KeyRecord) -> Result<bool, StoreError> {
    match store.put_key(key).await {
        Ok(()) => Ok(true),
        Err(StoreError::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn record(key: &AdminKey, created: UnixTime) -> Result<KeyRecord, AdminKeyError> {
    Ok(KeyRecord {
        purpose: ADMIN_KEY_PURPOSE.to_owned(),
        kid: key.kid().to_owned(),
        algorithm: SigningAlgorithm::Es256.as_str().to_owned(),
        secret: key.to_pkcs8()?,
        certificate: None,
        created,
        sign_until: FAR,
        expires: FAR,
    })
}

fn stored(record: &KeyRecord) -> Result<AdminKey, AdminKeyError> {
    let failed = |why: String| AdminKeyError::Stored { kid: record.kid.clone(), why };
    if record.algorithm != SigningAlgorithm::Es256.as_str() {
        return Err(failed("its algorithm is not ES256".to_owned()));
    }
    AdminKey::from_pkcs8(&record.secret).map_err(|error| failed(error.to_string()))
}
