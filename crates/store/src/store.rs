//! The store itself: opening, closing, and what all tables share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::seal::Sealer;
use crate::session_writer::SessionWriter;
use crate::sqlite::Database;
use crate::{KeyEncryptionKey, StoreError};

/// An open store. A clone is another handle of the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    sealer: Sealer,
    session_writer: SessionWriter,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What a store is opened with.
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
    /// How long to wait while another process holds the database. Then calls fail with
    /// [`StoreError::Locked`]. Default: 5 seconds.
    pub busy_timeout: Duration,
    /// The largest size of the database file in bytes, rounded down to pages of 4096. Beyond it
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
        let sealer = Sealer::new(&options.key_encryption_key)?;
        let database = Arc::new(Database::open(&options.database, limits, &sealer).await?);
        let session_writer = SessionWriter::start(Arc::clone(&database));
        Ok(Store { inner: Arc::new(Inner { database, sealer, session_writer }) })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let row = self.database().fetch_optional(sqlx::query("SELECT value FROM meta LIMIT 1")).await?;
        row.map(|_| ()).ok_or_else(|| StoreError::Corrupt { detail: "the key check is missing".to_owned() })
    }

    /// Finishes what is under way and closes the file. Calls made later fail with
    /// [`StoreError::Closed`]. A store that is dropped without it loses nothing either.
    pub async fn close(&self) {
        self.inner.session_writer.close().await;
        self.inner.database.close().await;
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    pub(crate) fn session_writer(&self) -> &SessionWriter {
        &self.inner.session_writer
    }
}
