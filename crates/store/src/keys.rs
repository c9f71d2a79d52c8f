//! Table `keys`: signing and sealing keys, sealed.

use assay_types::{Digest, SecretBytes, UnixTime};

use crate::changes::Topic;
use crate::rows::{column, time};
use crate::seal::{Envelope, RecordName};
use crate::statement::{Row, Statement, statement};
use crate::{Store, StoreError};

/// A key with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// What it is for: `token-signing`, `session-sealing`, `admin`.
    pub purpose: String,
    /// Its id, unique within the purpose.
    pub kid: String,
    /// Its algorithm, such as `ES256`.
    pub algorithm: String,
    /// The secret half, in the form the caller chose (PKCS#8, raw).
    pub secret: SecretBytes,
    /// A certificate (DER), when there is one.
    pub certificate: Option<Vec<u8>>,
    /// When it was made.
    pub created: UnixTime,
    /// Until when it may be used for new signatures.
    pub sign_until: UnixTime,
    /// Until when what it signed is accepted. [`Store::delete_expired_keys`] removes it after that.
    pub expires: UnixTime,
}

impl Store {
    /// Stores a key.
    ///
    /// # Errors
    /// `AlreadyExists` when the purpose has a key of that id; others when it cannot be written.
    pub async fn put_key(&self, key: KeyRecord) -> Result<(), StoreError> {
        let description = description(&key.purpose, &key.kid);
        let insert = self.insert_key(&key)?;
        let mut writer = self.database().begin().await?;
        writer.execute(insert).await.map_err(|error| match error {
            StoreError::AlreadyExists { .. } => StoreError::AlreadyExists { record: description },
            other => other,
        })?;
        writer.touch(Topic::Keys).await?;
        writer.finish().await
    }

    /// Stores a key if `newest` is still the newest of its purpose, or there is none any more: of several
    /// processes that find it time for a new key, one makes it. Returns whether it was this one.
    ///
    /// # Errors
    /// As [`Store::put_key`].
    pub async fn put_next_key(&self, key: KeyRecord, newest: &str) -> Result<bool, StoreError> {
        let insert = self.insert_key(&key)?;
        let mut writer = self.database().begin().await?;
        let rows = writer.fetch_all(newest_first(&key.purpose)).await?;
        let found: Option<String> = rows.first().map(|row| column(row, 1)).transpose()?;
        if found.is_some_and(|found| found != newest) {
            writer.finish().await?;
            return Ok(false);
        }
        writer.execute(insert).await?;
        writer.touch(Topic::Keys).await?;
        writer.finish().await?;
        Ok(true)
    }

    /// All keys of a purpose, the newest first, expired ones among them.
    ///
    /// # Errors
    /// `Tampered` when one does not open, and others when the database cannot be read.
    pub async fn keys(&self, purpose: &str) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = self.database().fetch_all(newest_first(purpose)).await?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in &rows {
            keys.push(self.open_key(row).await?);
        }
        Ok(keys)
    }

    /// The newest key of a purpose; when there is none, `make` makes the first. When two processes
    /// do this at once, one key is stored and both get it.
    ///
    /// # Errors
    /// Those of `make`, and those of [`Store::put_key`] and [`Store::keys`].
    pub async fn first_key<F, E>(&self, purpose: &str, make: F) -> Result<KeyRecord, E>
    where
        F: FnOnce() -> Result<KeyRecord, E>,
        E: From<StoreError>,
    {
        if let Some(key) = self.keys(purpose).await?.into_iter().next() {
            return Ok(key);
        }
        // Making a key may take long: not while others wait to write.
        let made = make()?;
        Ok(self.store_first_key(purpose, made).await?)
    }

    async fn store_first_key(&self, purpose: &str, made: KeyRecord) -> Result<KeyRecord, StoreError> {
        if made.purpose != purpose {
            return Err(StoreError::Unexpected {
                detail: format!("a key for {purpose} was made for another purpose"),
            });
        }
        let insert = self.insert_key(&made)?;
        let mut writer = self.database().begin().await?;
        if let Some(row) = writer.fetch_all(newest_first(purpose)).await?.first() {
            let winner = self.open_key(row).await?;
            writer.finish().await?;
            return Ok(winner);
        }
        writer.execute(insert).await?;
        writer.touch(Topic::Keys).await?;
        writer.finish().await?;
        Ok(made)
    }

    /// Deletes the keys whose `expires` lies before `now`. Returns how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_expired_keys(&self, now: UnixTime) -> Result<u64, StoreError> {
        let mut writer = self.database().begin().await?;
        let removed = writer.execute(statement("DELETE FROM keys WHERE expires < $1").bind(now.0)).await?;
        if removed > 0 {
            writer.touch(Topic::Keys).await?;
        }
        writer.finish().await?;
        Ok(removed)
    }

    /// Lets a key end at `expires`, and sign no longer than that. A key that ends before then stays as it
    /// is. Returns whether there is such a key.
    ///
    /// # Errors
    /// `Tampered` when it does not open, and others when the database cannot be written.
    pub async fn retire_key(&self, purpose: &str, kid: &str, expires: UnixTime) -> Result<bool, StoreError> {
        let mut writer = self.database().begin().await?;
        let query = statement(ONE).bind(purpose).bind(kid);
        let rows = writer.fetch_all(query).await?;
        let Some(row) = rows.first() else {
            writer.finish().await?;
            return Ok(false);
        };
        let mut key = self.open_key(row).await?;
        if key.expires > expires {
            key.expires = expires;
            key.sign_until = key.sign_until.min(expires);
            // The dates belong to the name that it is sealed under.
            let envelope = self.sealer().seal(&record_name(&key), key.secret.expose())?;
            let update = statement(
                "UPDATE keys SET kek_id = $3, wrapped_key = $4, sealed = $5, sign_until = $6, expires = $7 \
                 WHERE purpose = $1 AND kid = $2",
            )
            .bind(purpose)
            .bind(kid)
            .bind(envelope.kek_id)
            .bind(envelope.wrapped_key)
            .bind(envelope.sealed)
            .bind(key.sign_until.0)
            .bind(key.expires.0);
            writer.execute(update).await?;
            writer.touch(Topic::Keys).await?;
        }
        writer.finish().await?;
        Ok(true)
    }

    fn insert_key(&self, key: &KeyRecord) -> Result<Statement, StoreError> {
        let envelope = self.sealer().seal(&record_name(key), key.secret.expose())?;
        Ok(statement(
            "INSERT INTO keys (purpose, kid, algorithm, kek_id, wrapped_key, sealed, certificate, created, \
             sign_until, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(key.purpose.clone())
        .bind(key.kid.clone())
        .bind(key.algorithm.clone())
        .bind(envelope.kek_id)
        .bind(envelope.wrapped_key)
        .bind(envelope.sealed)
        .bind(key.certificate.clone())
        .bind(key.created.0)
        .bind(key.sign_until.0)
        .bind(key.expires.0))
    }

    async fn open_key(&self, row: &Row) -> Result<KeyRecord, StoreError> {
        let mut key = KeyRecord {
            purpose: column(row, 0)?,
            kid: column(row, 1)?,
            algorithm: column(row, 2)?,
            secret: SecretBytes::new(Vec::new()),
            certificate: column(row, 6)?,
            created: time(row, 7)?,
            sign_until: time(row, 8)?,
            expires: time(row, 9)?,
        };
        let envelope =
            Envelope { kek_id: column(row, 3)?, wrapped_key: column(row, 4)?, sealed: column(row, 5)? };
        key.secret = self.unseal(&record_name(&key), envelope).await?;
        Ok(key)
    }
}

const ONE: &str = "SELECT purpose, kid, algorithm, kek_id, wrapped_key, sealed, certificate, created, sign_until, \
                   expires FROM keys WHERE purpose = $1 AND kid = $2";

fn newest_first(purpose: &str) -> Statement {
    statement(
        "SELECT purpose, kid, algorithm, kek_id, wrapped_key, sealed, certificate, created, sign_until, expires \
         FROM keys WHERE purpose = $1 ORDER BY created DESC, kid DESC",
    )
    .bind(purpose.to_owned())
}

/// Everything about the key but its secret belongs to its name, so nobody can lengthen its life or
/// give it another certificate without the key-encryption key.
pub(crate) fn record_name(key: &KeyRecord) -> RecordName {
    let certificate = key.certificate.as_deref().map(Digest::sha256);
    RecordName::new(
        "key",
        &[
            key.purpose.as_bytes(),
            key.kid.as_bytes(),
            key.algorithm.as_bytes(),
            certificate.as_ref().map(Digest::as_bytes).unwrap_or_default(),
            &key.created.0.to_be_bytes(),
            &key.sign_until.0.to_be_bytes(),
            &key.expires.0.to_be_bytes(),
        ],
        description(&key.purpose, &key.kid),
    )
}

fn description(purpose: &str, kid: &str) -> String {
    format!("the {purpose} key {kid}")
}
