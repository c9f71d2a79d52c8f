//! Following the changes that others make.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::Instant;

use crate::changes::{POLL, Topic};
use crate::{Store, StoreError};

/// How long to wait before notifications are asked for again after that failed.
const LISTEN_PAUSE: Duration = Duration::from_secs(5);

/// The changes that other processes make in a store. As long as somebody waits in [`Feed::next`], the
/// store is known to be current, and resources may be answered from memory.
///
/// The table of changes is read twice a second; with PostgreSQL, notifications wake the reader besides.
pub struct Feed {
    store: Store,
    listener: Option<PgListener>,
    listen_at: Instant,
    read_at: Instant,
    failing: bool,
}

impl Feed {
    pub(crate) fn new(store: Store) -> Self {
        let now = Instant::now();
        Feed { store, listener: None, listen_at: now, read_at: now, failing: false }
    }

    /// Waits until something changed, and says what. Key-encryption keys are read again before.
    /// While the database cannot be read this goes on trying; the store is not current meanwhile.
    pub async fn next(&mut self) -> Vec<Topic> {
        loop {
            self.wait().await;
            self.read_at = Instant::now() + POLL;
            match self.read().await {
                Ok(changed) => {
                    if self.failing {
                        self.failing = false;
                        tracing::info!("changes by other processes can be read again");
                    }
                    if !changed.is_empty() {
                        return changed;
                    }
                }
                Err(error) => {
                    if !self.failing {
                        self.failing = true;
                        tracing::warn!(%error, "changes by other processes cannot be read");
                    }
                }
            }
        }
    }

    async fn read(&self) -> Result<Vec<Topic>, StoreError> {
        let at = std::time::Instant::now();
        let changed = self.store.read_changes().await?;
        self.store.database().changes().confirm(at);
        if changed.contains(&Topic::Keys)
            && let Err(error) = self.store.reload_key_encryption_keys().await
        {
            tracing::error!(%error, "the key-encryption keys in use stay in use");
        }
        Ok(changed)
    }

    /// Until it is time to read, or somebody says that there is something.
    async fn wait(&mut self) {
        self.listen().await;
        let Some(listener) = &mut self.listener else {
            return tokio::time::sleep_until(self.read_at).await;
        };
        match tokio::time::timeout_at(self.read_at, listener.try_recv()).await {
            Err(_) => {}
            Ok(Ok(Some(_))) => while listener.next_buffered().is_some() {},
            // The connection was lost, and with it perhaps a notification.
            Ok(Ok(None) | Err(_)) => self.listener = None,
        }
    }

    async fn listen(&mut self) {
        let Some(database) = self.store.database().as_postgres() else { return };
        if self.listener.is_some() || Instant::now() < self.listen_at {
            return;
        }
        self.listen_at = Instant::now() + LISTEN_PAUSE;
        match database.listen().await {
            Ok(listener) => self.listener = Some(listener),
            Err(error) => tracing::debug!(%error, "no notifications; changes are polled for"),
        }
    }
}
