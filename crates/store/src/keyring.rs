//! Which key-encryption keys there are: the one that new records are sealed with, and those that older
//! records still need while keys are exchanged.
//!
//! The table `meta` names the active key, with a value sealed with it. The table `key_encryption_keys`
//! holds keys sealed with other keys (a key management service's among them): who has one key opens all
//! that can be reached from it. While keys are exchanged the old key opens the new one and the other way
//! round, so every process goes on whichever of the two it was started with.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_types::{SecretBytes, UnixTime};
use async_trait::async_trait;

use crate::StoreError;
use crate::database::{Database, Writer};
use crate::key_file::KeyEncryptionKey;
use crate::seal::{Envelope, RecordName, Ring, Sealer};
use crate::statement::{Row, Statement, column, statement};

const KEY_ID: &str = "kek-id";
const CHECK_KEY: &str = "kek-check-key";
const CHECK_VALUE: &str = "kek-check-value";

/// What is sealed under the key to tell a wrong key when the store is opened.
const KNOWN: &[u8] = b"assay key check";

/// The most links that are followed. There are two for each exchange that is not finished.
const MAX_LINKS: i64 = 64;

/// A key management service that seals the key-encryption key, so that it is nowhere in the clear but in
/// memory.
#[async_trait]
pub trait KeyWrapper: Send + Sync {
    /// The name of the service and its key, such as `vault-transit:assay`: the same for the same key.
    fn name(&self) -> String;

    /// Seals the 32 bytes of a key.
    ///
    /// # Errors
    /// What went wrong, for people; never a secret.
    async fn wrap(&self, key: &SecretBytes) -> Result<Vec<u8>, String>;

    /// Opens what [`KeyWrapper::wrap`] sealed.
    ///
    /// # Errors
    /// What went wrong, for people; never a secret.
    async fn unwrap(&self, wrapped: &[u8]) -> Result<SecretBytes, String>;
}

/// Where the key-encryption key comes from.
#[derive(Clone)]
pub enum KeySource {
    /// It is here.
    Key(KeyEncryptionKey),
    /// It lies in the database, sealed by a service. The first store on a database makes it.
    Wrapped(Arc<dyn KeyWrapper>),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeySource::Key(key) => key.fmt(f),
            KeySource::Wrapped(wrapper) => write!(f, "Wrapped({})", wrapper.name()),
        }
    }
}

impl From<KeyEncryptionKey> for KeySource {
    fn from(key: KeyEncryptionKey) -> Self {
        KeySource::Key(key)
    }
}

/// A new key of a source, to be put in force.
pub(crate) struct NewKey {
    pub(crate) key: KeyEncryptionKey,
    /// Sealed by this service.
    pub(crate) wrapped: Option<(String, Vec<u8>)>,
}

impl KeySource {
    /// The key itself, or a fresh one that the service sealed.
    pub(crate) async fn new_key(&self) -> Result<NewKey, StoreError> {
        match self {
            KeySource::Key(key) => Ok(NewKey { key: key.clone(), wrapped: None }),
            KeySource::Wrapped(wrapper) => {
                let key = KeyEncryptionKey::generate()?;
                let wrapped =
                    wrapper.wrap(&key.to_secret()).await.map_err(|detail| failed(wrapper, detail))?;
                Ok(NewKey { key, wrapped: Some((wrapper.name(), wrapped)) })
            }
        }
    }
}

fn failed(wrapper: &Arc<dyn KeyWrapper>, detail: String) -> StoreError {
    StoreError::KeyService { name: wrapper.name(), detail }
}

fn check_name() -> RecordName {
    RecordName::new("key-check", &[], "the key check".to_owned())
}

fn link_name(id: &str, by: &str) -> RecordName {
    let description = format!("the key-encryption key {id}, sealed with {by},");
    RecordName::new("key-encryption-key", &[id.as_bytes(), by.as_bytes()], description)
}

/// Makes a key active on a database that has none. Returns without a word when there is one.
pub(crate) async fn first(writer: &mut Writer<'_>, source: &KeySource) -> Result<(), StoreError> {
    if active(&writer.fetch_all(check_rows()).await?)?.is_some() {
        return Ok(());
    }
    let NewKey { key, wrapped } = source.new_key().await?;
    if let Some((by, wrapped)) = wrapped {
        // The time of the first key is of no use to anybody.
        writer.execute(insert_link(&key.id(), &by, wrapped, UnixTime(0))).await?;
    }
    activate(writer, &Sealer::new(Ring::of(key)?)).await
}

/// Names the sealer's active key as the one of the database.
pub(crate) async fn activate(writer: &mut Writer<'_>, sealer: &Sealer) -> Result<(), StoreError> {
    let envelope = sealer.seal(&check_name(), KNOWN)?;
    for (name, value) in [
        (KEY_ID, envelope.kek_id.into_bytes()),
        (CHECK_KEY, envelope.wrapped_key),
        (CHECK_VALUE, envelope.sealed),
    ] {
        let query = "INSERT INTO meta (name, value) VALUES ($1, $2) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        writer.execute(statement(query).bind(name).bind(value)).await?;
    }
    Ok(())
}

fn check_rows() -> Statement {
    statement("SELECT name, value FROM meta ORDER BY name")
}

/// The check of the active key; `None` on a new database.
fn active(rows: &[Row]) -> Result<Option<Envelope>, StoreError> {
    let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for row in rows {
        values.insert(column(row, 0)?, column(row, 1)?);
    }
    let Some(id) = values.remove(KEY_ID) else { return Ok(None) };
    let missing = || StoreError::Corrupt { detail: "the key check is missing".to_owned() };
    Ok(Some(Envelope {
        kek_id: String::from_utf8(id)
            .map_err(|_| StoreError::Corrupt { detail: "the key id is not text".to_owned() })?,
        wrapped_key: values.remove(CHECK_KEY).ok_or_else(missing)?,
        sealed: values.remove(CHECK_VALUE).ok_or_else(missing)?,
    }))
}

/// A key sealed with another.
struct Link {
    id: String,
    by: String,
    wrapped: Vec<u8>,
}

/// Reads all keys that can be reached from `source`, and checks that the active one is among them.
pub(crate) async fn read(database: &Database, source: &KeySource) -> Result<Ring, StoreError> {
    let missing = || StoreError::Corrupt { detail: "the key check is missing".to_owned() };
    // The links first: a key that becomes active in between has its links already.
    let query = "SELECT kek_id, wrapped_by, wrapped FROM key_encryption_keys ORDER BY created DESC LIMIT $1";
    let mut links = Vec::new();
    for row in database.fetch_all(statement(query).bind(MAX_LINKS)).await? {
        links.push(Link { id: column(&row, 0)?, by: column(&row, 1)?, wrapped: column(&row, 2)? });
    }
    let check = active(&database.fetch_all(check_rows()).await?)?.ok_or_else(missing)?;
    let mut ring = start(source, &links, &check.kek_id).await?;
    // Each round opens at least one key more, or is the last.
    loop {
        let reachable =
            links.iter().find(|link| !ring.has(&link.id) && ring.has(&link.by) && link.id != link.by);
        let Some(Link { id, by, wrapped }) = reachable else { break };
        let key = ring.open_key(by, &link_name(id, by), wrapped.clone())?;
        if key.id() != *id {
            return Err(StoreError::Tampered { record: format!("the key-encryption key {id}") });
        }
        ring.add(key)?;
    }
    if !ring.has(&check.kek_id) {
        return Err(StoreError::WrongKey { expected: check.kek_id, given: ring.active().to_owned() });
    }
    ring.activate(check.kek_id.clone());
    if Sealer::new(ring.clone()).open(&check_name(), check)? == SecretBytes::new(KNOWN.to_vec()) {
        Ok(ring)
    } else {
        Err(StoreError::Tampered { record: "the key check".to_owned() })
    }
}

/// The ring with the keys that the source itself gives.
async fn start(source: &KeySource, links: &[Link], active: &str) -> Result<Ring, StoreError> {
    let wrapper = match source {
        KeySource::Key(key) => return Ring::of(key.clone()),
        KeySource::Wrapped(wrapper) => wrapper,
    };
    let name = wrapper.name();
    // The active key if the service sealed that, else whichever it did.
    let mut own: Vec<&Link> = links.iter().filter(|link| link.by == name).collect();
    own.sort_by_key(|link| link.id != active);
    let link = own.first().ok_or_else(|| StoreError::WrongKey {
        expected: active.to_owned(),
        given: format!("{name}, which sealed none"),
    })?;
    let opened = wrapper.unwrap(&link.wrapped).await.map_err(|detail| failed(wrapper, detail))?;
    let key = KeyEncryptionKey::from_secret(&opened)
        .filter(|key| key.id() == link.id)
        .ok_or_else(|| StoreError::Tampered { record: format!("the key-encryption key {}", link.id) })?;
    Ring::of(key)
}

/// A statement that stores a key sealed with another.
pub(crate) fn insert_link(id: &str, by: &str, wrapped: Vec<u8>, now: UnixTime) -> Statement {
    statement(
        "INSERT INTO key_encryption_keys (kek_id, wrapped_by, wrapped, created) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (kek_id, wrapped_by) DO UPDATE SET wrapped = excluded.wrapped, created = excluded.created",
    )
    .bind(id)
    .bind(by)
    .bind(wrapped)
    .bind(now.0)
}

/// The links between two keys of a ring, one each way.
pub(crate) fn links_between(
    ring: &Ring,
    a: &str,
    b: &str,
    now: UnixTime,
) -> Result<[Statement; 2], StoreError> {
    let link = |id: &str, by: &str| {
        Ok::<_, StoreError>(insert_link(id, by, ring.seal_key(by, &link_name(id, by), id)?, now))
    };
    Ok([link(a, b)?, link(b, a)?])
}
