//! The provider: the store behind, the snapshot in front.

use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_store::{ReferenceValueRecord, ReferenceValueVersion, Store};
use assay_types::{Clock, UnixTime};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::snapshot::{Snapshot, is_expired};
use crate::{ReferenceValueError, parse_message};

/// A reference value as shown to people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Its name.
    pub id: String,
    /// Its value, any JSON.
    pub value: Value,
    /// Its version, from 1. It goes on counting when the value is deleted and registered anew.
    pub version: u64,
    /// When this version was registered.
    pub registered: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
    /// The type of the message it came with.
    pub source: String,
    /// Whether it has ended. Then queries do not find it.
    pub expired: bool,
}

impl Record {
    fn new(record: &ReferenceValueRecord, now: UnixTime) -> Self {
        Record {
            id: record.id.clone(),
            value: record.value.clone(),
            version: record.version,
            registered: record.registered,
            expires: record.expires,
            source: record.source.clone(),
            expired: is_expired(record, now),
        }
    }
}

/// What a message registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// The names, in the order of the message.
    pub ids: Vec<String>,
}

/// The reference values of a store. A clone is another handle of the same.
#[derive(Clone)]
pub struct ReferenceValues {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    /// Held from the write to the store until its snapshot is published, so that snapshots follow
    /// each other in the order of the store. Queries do not take it.
    changing: Mutex<()>,
}

impl std::fmt::Debug for ReferenceValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReferenceValues").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}

impl ReferenceValues {
    /// Reads all reference values from the store.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn load(store: Store, clock: Arc<dyn Clock>) -> Result<Self, ReferenceValueError> {
        let snapshot = Snapshot::new(store.all_reference_values().await?);
        let inner =
            Inner { store, clock, snapshot: ArcSwap::from_pointee(snapshot), changing: Mutex::new(()) };
        Ok(ReferenceValues { inner: Arc::new(inner) })
    }

    /// Registers the values of a message, all or none. When it returns they are stored, and every
    /// snapshot taken from then on has them.
    ///
    /// # Errors
    /// Whatever is wrong with the message, or the store's.
    pub async fn register(&self, message: &[u8]) -> Result<Registered, ReferenceValueError> {
        let now = self.inner.clock.now();
        let values = parse_message(message, now)?;
        let ids = values.iter().map(|value| value.id.clone()).collect();
        let inner = Arc::clone(&self.inner);
        // A task of its own: a caller who goes away half-way must not leave values in the store that
        // are in no snapshot.
        let work = tokio::spawn(async move {
            let _changing = inner.changing.lock().await;
            let records = inner.store.put_reference_values(&values, now).await?;
            inner.publish(inner.snapshot.load().with(records));
            Ok::<_, ReferenceValueError>(())
        });
        work.await.map_err(|_| ReferenceValueError::Interrupted)??;
        Ok(Registered { ids })
    }

    /// The values as they are now. The snapshot does not change; take one for each appraisal.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.load_full()
    }

    /// The value of that name, expired or not.
    pub fn get(&self, id: &str) -> Option<Record> {
        let now = self.inner.clock.now();
        self.snapshot().entry(id).map(|entry| Record::new(&entry.record, now))
    }

    /// All values, expired ones among them, by name.
    pub fn list(&self) -> Vec<Record> {
        let now = self.inner.clock.now();
        let mut records: Vec<Record> =
            self.snapshot().entries().map(|entry| Record::new(&entry.record, now)).collect();
        records.sort_by(|a, b| a.id.cmp(&b.id));
        records
    }

    /// The newest 100 versions of the value of that name, the newest first, deletions among them.
    /// Empty when there never was one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn history(&self, id: &str) -> Result<Vec<ReferenceValueVersion>, ReferenceValueError> {
        Ok(self.inner.store.reference_value_history(id).await?)
    }

    /// Deletes the value of that name. Returns whether there was one. Its history stays.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete(&self, id: &str) -> Result<bool, ReferenceValueError> {
        let now = self.inner.clock.now();
        let id = id.to_owned();
        let inner = Arc::clone(&self.inner);
        let work = tokio::spawn(async move {
            let _changing = inner.changing.lock().await;
            let deleted = inner.store.delete_reference_value(&id, now).await?;
            inner.publish(inner.snapshot.load().without(&id));
            Ok(deleted)
        });
        work.await.map_err(|_| ReferenceValueError::Interrupted)?
    }
}

impl Inner {
    fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }
}
