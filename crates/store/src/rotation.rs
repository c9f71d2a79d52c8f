//! Exchanging the key-encryption key while stores are open.
//!
//! 1. [`Store::introduce_key_encryption_key`]: the new key is sealed with the old one and the other way
//!    round. Whoever follows the store learns of it.
//! 2. [`Store::activate_key_encryption_key`]: what is new is sealed with it.
//! 3. [`Store::reseal`]: the data-encryption keys of all records are sealed with it instead of the old.
//!    The records themselves are not touched. It may be broken off and begun again.
//! 4. Every process gets the new key at its leisure; those started with the old one go on.
//! 5. [`Store::retire_key_encryption_key`]: the old key opens nothing any more.

use assay_types::{SecretBytes, UnixTime};
use serde::Serialize;

use crate::changes::Topic;
use crate::keys::KeyRecord;
use crate::rows::{column, number, time};
use crate::seal::{Envelope, RecordName};
use crate::statement::{Row, statement};
use crate::{KeySource, Store, StoreError, keyring, keys, resources};

/// How many records are resealed in one transaction.
const BATCH: i64 = 100;

/// A key-encryption key in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyEncryptionKeyInfo {
    /// Its id.
    pub id: String,
    /// Whether new records are sealed with it.
    pub active: bool,
    /// The keys and services that it is sealed with in the database.
    pub wrapped_by: Vec<String>,
    /// How many records are sealed with it.
    pub records: u64,
}

/// How many records were resealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resealed {
    /// Versions of resources.
    pub resources: u64,
    /// Keys.
    pub keys: u64,
}

impl Store {
    /// Opens a record. When its key is not known, another process may have exchanged keys: those are
    /// read again, once.
    pub(crate) async fn unseal(
        &self,
        name: &RecordName,
        envelope: Envelope,
    ) -> Result<SecretBytes, StoreError> {
        if !self.sealer().ring().has(&envelope.kek_id) {
            self.reload_key_encryption_keys().await?;
        }
        self.sealer().open(name, envelope)
    }

    /// Makes the key of `source` (or a new one that its service seals) known to every process that can
    /// open the store. Returns its id. A key that is known already stays as it is.
    ///
    /// # Errors
    /// `KeyService`, and others when the database cannot be written.
    pub async fn introduce_key_encryption_key(
        &self,
        source: &KeySource,
        now: UnixTime,
    ) -> Result<String, StoreError> {
        self.reload_key_encryption_keys().await?;
        let keyring::NewKey { key, wrapped } = source.new_key().await?;
        let mut ring = (*self.sealer().ring()).clone();
        let (id, active) = (key.id(), ring.active().to_owned());
        if ring.has(&id) {
            return Ok(id);
        }
        ring.add(key)?;
        let mut writer = self.database().begin().await?;
        for link in keyring::links_between(&ring, &id, &active, now)? {
            writer.execute(link).await?;
        }
        if let Some((by, wrapped)) = wrapped {
            writer.execute(keyring::insert_link(&id, &by, wrapped, now)).await?;
        }
        writer.touch(Topic::Keys).await?;
        writer.finish().await?;
        self.sealer().exchange(ring);
        Ok(id)
    }

    /// Lets a key that was introduced seal what is new, here and wherever the store is followed.
    ///
    /// # Errors
    /// `WrongKey` when it was not introduced; others when the database cannot be written.
    pub async fn activate_key_encryption_key(&self, id: &str) -> Result<(), StoreError> {
        self.reload_key_encryption_keys().await?;
        let mut ring = (*self.sealer().ring()).clone();
        if !ring.has(id) {
            return Err(StoreError::WrongKey { expected: id.to_owned(), given: ring.active().to_owned() });
        }
        ring.activate(id.to_owned());
        self.sealer().exchange(ring);
        let mut writer = self.database().begin().await?;
        keyring::activate(&mut writer, self.sealer()).await?;
        writer.touch(Topic::Keys).await?;
        writer.finish().await
    }

    /// Seals every record with the active key that is still sealed with another, some at a time.
    ///
    /// # Errors
    /// `Tampered` when a record does not open, `WrongKey` when it is sealed with a key that is not known;
    /// what was resealed until then stays so.
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        let mut total = Resealed::default();
        loop {
            let resources = self.reseal_resources().await?;
            let keys = self.reseal_keys().await?;
            total.resources += resources;
            total.keys += keys;
            if resources == 0 && keys == 0 {
                return Ok(total);
            }
        }
    }

    async fn reseal_resources(&self) -> Result<u64, StoreError> {
        let ring = self.sealer().ring();
        let mut writer = self.database().begin().await?;
        let query = "SELECT path, version, kek_id, wrapped_key FROM resources WHERE kek_id <> $1 LIMIT $2";
        let rows = writer.fetch_all(statement(query).bind(ring.active()).bind(BATCH)).await?;
        let mut count = 0;
        for row in &rows {
            let (path, version): (String, u64) = (column(row, 0)?, number(row, 1)?);
            let (kek, wrapped): (String, Vec<u8>) = (column(row, 2)?, column(row, 3)?);
            let parsed = path
                .parse()
                .map_err(|_| StoreError::Corrupt { detail: "a resource path is malformed".to_owned() })?;
            let wrapped = ring.rewrap(&resources::record_name(&parsed, version), &kek, wrapped)?;
            let update =
                "UPDATE resources SET kek_id = $1, wrapped_key = $2 WHERE path = $3 AND version = $4";
            let update = statement(update).bind(ring.active()).bind(wrapped).bind(path);
            count += writer.execute(update.bind(crate::rows::stored(version)?)).await?;
        }
        if count > 0 {
            writer.touch(Topic::Resources).await?;
        }
        writer.finish().await?;
        Ok(count)
    }

    async fn reseal_keys(&self) -> Result<u64, StoreError> {
        let ring = self.sealer().ring();
        let mut writer = self.database().begin().await?;
        let query = "SELECT purpose, kid, algorithm, kek_id, wrapped_key, certificate, created, sign_until, \
                     expires FROM keys WHERE kek_id <> $1 LIMIT $2";
        let rows = writer.fetch_all(statement(query).bind(ring.active()).bind(BATCH)).await?;
        let mut count = 0;
        for row in &rows {
            let key = described(row)?;
            let (kek, wrapped): (String, Vec<u8>) = (column(row, 3)?, column(row, 4)?);
            let wrapped = ring.rewrap(&keys::record_name(&key), &kek, wrapped)?;
            let update = "UPDATE keys SET kek_id = $1, wrapped_key = $2 WHERE purpose = $3 AND kid = $4";
            let update = statement(update).bind(ring.active()).bind(wrapped).bind(key.purpose).bind(key.kid);
            count += writer.execute(update).await?;
        }
        writer.finish().await?;
        Ok(count)
    }

    /// Forgets a key: nothing in the database is sealed with it any more.
    ///
    /// # Errors
    /// `KeyInUse` when it is the active one; others as [`Store::reseal`], which is done before.
    pub async fn retire_key_encryption_key(&self, id: &str) -> Result<Resealed, StoreError> {
        self.reload_key_encryption_keys().await?;
        if self.sealer().ring().active() == id {
            return Err(StoreError::KeyInUse { id: id.to_owned() });
        }
        let resealed = self.reseal().await?;
        let mut writer = self.database().begin().await?;
        let query = "DELETE FROM key_encryption_keys WHERE kek_id = $1 OR wrapped_by = $1";
        writer.execute(statement(query).bind(id)).await?;
        writer.touch(Topic::Keys).await?;
        writer.touch(Topic::Resources).await?;
        writer.finish().await?;
        Ok(resealed)
    }

    /// The key-encryption keys that the database knows of.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn key_encryption_keys(&self) -> Result<Vec<KeyEncryptionKeyInfo>, StoreError> {
        self.reload_key_encryption_keys().await?;
        let active = self.sealer().ring().active().to_owned();
        let mut infos = std::collections::BTreeMap::new();
        let empty = |id: &str, active: &str| KeyEncryptionKeyInfo {
            id: id.to_owned(),
            active: id == active,
            wrapped_by: Vec::new(),
            records: 0,
        };
        infos.insert(active.clone(), empty(&active, &active));
        let links = "SELECT kek_id, wrapped_by FROM key_encryption_keys ORDER BY kek_id, wrapped_by";
        for row in self.database().fetch_all(statement(links)).await? {
            let id: String = column(&row, 0)?;
            let info = infos.entry(id.clone()).or_insert_with(|| empty(&id, &active));
            info.wrapped_by.push(column(&row, 1)?);
        }
        let counts = "SELECT kek_id, COUNT(*) FROM (SELECT kek_id FROM resources UNION ALL \
                      SELECT kek_id FROM keys) sealed GROUP BY kek_id";
        for row in self.database().fetch_all(statement(counts)).await? {
            let id: String = column(&row, 0)?;
            infos.entry(id.clone()).or_insert_with(|| empty(&id, &active)).records = number(&row, 1)?;
        }
        Ok(infos.into_values().collect())
    }
}

/// A key without its secret.
fn described(row: &Row) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        purpose: column(row, 0)?,
        kid: column(row, 1)?,
        algorithm: column(row, 2)?,
        secret: SecretBytes::new(Vec::new()),
        certificate: column(row, 5)?,
        created: time(row, 6)?,
        sign_until: time(row, 7)?,
        expires: time(row, 8)?,
    })
}
