//! The store itself: opening, closing, and what all tables share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use assay_types::Clock;

use crate::changes::Topic;
use crate::clock::StoreClock;
use crate::database::Database;
use crate::feed::Feed;
use crate::resource_cache::ResourceCache;
use crate::seal::Sealer;
use crate::session_writer::SessionWriter;
use crate::statement::{column, statement};
use crate::{KeyEncryptionKey, KeySource, Location, StoreError, keyring, postgres, schema, sqlite};

/// An open store. A clone is another handle of the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    source: KeySource,
    sealer: Sealer,
    session_writer: SessionWriter,
    resource_cache: ResourceCache,
    /// How far the database's clock is ahead of this machine's, in milliseconds.
    clock_offset: Arc<AtomicI64>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What a store in an SQLite file is opened with.
#[derive(Debug)]
pub struct StoreOptions {
    /// The database file. It is created, with its folder, when it is not there.
    pub database: PathBuf,
    /// The key that secrets are encrypted with.
    pub key_encryption_key: KeyEncryptionKey,
}

/// Bounds on waiting and space.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// How long to wait while another process holds the database, or for the answer of its server.
    /// Then calls fail with [`StoreError::Locked`] or [`StoreError::NoAnswer`]. Default: 5 seconds.
    pub busy_timeout: Duration,
    /// The largest size of an SQLite file in bytes, rounded down to pages of 4096. Beyond it
    /// writes fail with [`StoreError::Full`]. Default: none, the disk is the bound.
    pub max_size: Option<u64>,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits { busy_timeout: Duration::from_secs(5), max_size: None }
    }
}

impl Store {
    /// Opens the store: creates the file when it is not there (mode 0600; a missing folder with mode
    /// 0700), brings the schema up to date, and checks the key. Must be called within a tokio runtime,
    /// which must outlive the store.
    ///
    /// # Errors
    /// `WrongKey`, `NewerSchema`, `Corrupt`, `Foreign`, `NotAccessible`, `Locked`, `Full`.
    pub async fn open(options: StoreOptions) -> Result<Store, StoreError> {
        Store::open_with_limits(options, StoreLimits::default()).await
    }

    /// [`Store::open`] with other limits.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with_limits(options: StoreOptions, limits: StoreLimits) -> Result<Store, StoreError> {
        Store::open_at(&Location::Sqlite(options.database), options.key_encryption_key.into(), limits).await
    }

    /// Opens a store wherever it is. Several processes may do this at once on an empty database: one
    /// makes the schema.
    ///
    /// # Errors
    /// As [`Store::open`]; `NotReached`, `Refused`, `NoAnswer`, `Url` with PostgreSQL; `KeyService` with a
    /// key that a service keeps.
    pub async fn open_at(
        location: &Location,
        source: KeySource,
        limits: StoreLimits,
    ) -> Result<Store, StoreError> {
        let database = match location {
            Location::Sqlite(path) => Database::sqlite(sqlite::Database::open(path, limits).await?),
            Location::Postgres(options) => {
                Database::postgres(postgres::Database::open(options, limits).await?)
            }
        };
        if !schema::is_up_to_date(&database).await? {
            let mut writer = database.begin().await?;
            let applied = schema::migrate(&mut writer).await?;
            keyring::first(&mut writer, &source).await?;
            writer.finish().await?;
            if !applied.is_empty() {
                tracing::info!(versions = ?applied, "the schema of the database was brought up to date");
            }
        }
        let ring = keyring::read(&database, &source).await?;
        let database = Arc::new(database);
        let store = Store {
            inner: Arc::new(Inner {
                session_writer: SessionWriter::start(Arc::clone(&database)),
                database,
                source,
                sealer: Sealer::new(ring),
                resource_cache: ResourceCache::new(),
                clock_offset: Arc::new(AtomicI64::new(0)),
            }),
        };
        // Whatever changes from now on is heard of, once somebody follows.
        store.read_changes().await?;
        Ok(store)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let row = self.database().fetch_optional(statement("SELECT value FROM meta LIMIT 1")).await?;
        row.map(|_| ()).ok_or_else(|| StoreError::Corrupt { detail: "the key check is missing".to_owned() })
    }

    /// Finishes what is under way and closes the file. Calls made later fail with
    /// [`StoreError::Closed`]. A store that is dropped without it loses nothing either.
    pub async fn close(&self) {
        self.inner.session_writer.close().await;
        self.inner.database.close().await;
    }

    /// Follows the changes that other processes make; see [`Feed`].
    pub fn follow(&self) -> Feed {
        Feed::new(self.clone())
    }

    /// The version of the schema, which is the newest that this program knows.
    pub fn schema_version(&self) -> i64 {
        schema::newest()
    }

    /// Whether the changes by others are known up to the last second. Only while somebody follows.
    pub fn is_current(&self) -> bool {
        self.inner.database.changes().are_current()
    }

    /// How many statements were sent to the database since the store was opened, those of the feed
    /// among them.
    pub fn statements(&self) -> u64 {
        self.inner.database.statements()
    }

    /// Connections to the server that are open and idle, and the most there may be; `None` with SQLite.
    pub fn connections(&self) -> Option<(usize, u32)> {
        self.inner.database.as_postgres().map(postgres::Database::pool)
    }

    /// The database's time: that of PostgreSQL's server, as far as this process knows how far its own
    /// clock (`system`) is away from it; `system` itself with SQLite. All replicas that use it agree.
    pub fn clock(&self, system: Arc<dyn Clock>) -> Arc<dyn Clock> {
        if self.inner.database.as_postgres().is_none() {
            return system;
        }
        Arc::new(StoreClock::new(Arc::clone(&self.inner.clock_offset)))
    }

    /// Reads the key-encryption keys again: another process may have exchanged them.
    ///
    /// # Errors
    /// When the database cannot be read, or has no key any more that this process can open.
    pub async fn reload_key_encryption_keys(&self) -> Result<(), StoreError> {
        let ring = keyring::read(self.database(), self.source()).await?;
        self.sealer().exchange(ring);
        Ok(())
    }

    /// Reads the table of changes. Returns what changed since the last time, by others.
    pub(crate) async fn read_changes(&self) -> Result<Vec<Topic>, StoreError> {
        let at = Instant::now();
        let postgres = self.database().as_postgres().is_some();
        // The database's time comes along, in milliseconds.
        let sql = if postgres {
            "SELECT topic, version, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT FROM changes \
             UNION ALL SELECT '', 0, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
        } else {
            "SELECT topic, version, 0 FROM changes"
        };
        let rows = self.database().fetch_all(statement(sql)).await?;
        let mut versions = BTreeMap::new();
        for row in &rows {
            versions.insert(column(row, 0)?, column(row, 1)?);
        }
        if postgres && let Some(row) = rows.last() {
            self.note_clock(column(row, 2)?, at.elapsed());
        }
        Ok(self.database().changes().read(&versions))
    }

    /// Half of the time that the question took passed since the server looked at its clock.
    fn note_clock(&self, server: i64, took: Duration) {
        let half = i64::try_from(took.as_millis() / 2).unwrap_or(0);
        let offset = server.saturating_add(half).saturating_sub(StoreClock::machine_millis());
        self.inner.clock_offset.store(offset, Ordering::Relaxed);
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(crate) fn source(&self) -> &KeySource {
        &self.inner.source
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    pub(crate) fn session_writer(&self) -> &SessionWriter {
        &self.inner.session_writer
    }

    pub(crate) fn resource_cache(&self) -> &ResourceCache {
        &self.inner.resource_cache
    }
}
