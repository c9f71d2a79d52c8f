//! The provider: the store behind, the snapshot in front.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_store::{NewReferenceValue, ReferenceValueRecord, ReferenceValueVersion, Store};
use assay_types::{Clock, UnixTime};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::message::parse_corim;
use crate::snapshot::{Snapshot, is_expired};
use crate::{CorimSettings, CorimTrust, ReferenceValueError, Registration, corim, parse_message};

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
    pub(crate) fn new(record: &ReferenceValueRecord, now: UnixTime) -> Self {
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
    /// The names of values of an earlier edition of the document that this one no longer has. They were
    /// deleted.
    pub deleted: Vec<String>,
    /// What was read differently from what stands in the document, or not at all.
    pub notes: Vec<String>,
}

/// The reference values of a store. A clone is another handle of the same.
#[derive(Clone)]
pub struct ReferenceValues {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    trust: ArcSwap<CorimTrust>,
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
    /// Reads all reference values from the store. Signed CoRIMs of nobody, and no unsigned ones, are
    /// taken.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn load(store: Store, clock: Arc<dyn Clock>) -> Result<Self, ReferenceValueError> {
        ReferenceValues::load_with(store, clock, CorimSettings::default()).await
    }

    /// Reads all reference values from the store. `corims` says whose CoRIMs are taken from now on.
    ///
    /// # Errors
    /// Those of the store; [`ReferenceValueError::Signers`].
    pub async fn load_with(
        store: Store,
        clock: Arc<dyn Clock>,
        corims: CorimSettings,
    ) -> Result<Self, ReferenceValueError> {
        let trust = ArcSwap::from_pointee(CorimTrust::new(corims)?);
        let snapshot = ArcSwap::from_pointee(Snapshot::new(store.all_reference_values().await?));
        let inner = Inner { store, clock, trust, snapshot, changing: Mutex::new(()) };
        Ok(ReferenceValues { inner: Arc::new(inner) })
    }

    /// Registers the values of a message, all or none. When it returns they are stored, and every
    /// snapshot taken from then on has them.
    ///
    /// # Errors
    /// Whatever is wrong with the message, or the store's.
    pub async fn register(&self, message: &[u8]) -> Result<Registered, ReferenceValueError> {
        let now = self.inner.clock.now();
        self.register_all(parse_message(message, now, &self.inner.trust.load())?, now).await
    }

    /// Takes the CoRIMs of others from now on. What is registered stays.
    pub fn set_corim_trust(&self, trust: CorimTrust) {
        self.inner.trust.store(Arc::new(trust));
    }

    /// Registers what a CoRIM says, as [`ReferenceValues::register`] does of one in a message. `profile`
    /// is the one that its media type names: a CoRIM that names another is refused, and one that names
    /// none is taken to follow it.
    ///
    /// # Errors
    /// Whatever is wrong with the CoRIM, or the store's.
    pub async fn register_corim(
        &self,
        corim: &[u8],
        profile: Option<&str>,
    ) -> Result<Registered, ReferenceValueError> {
        let now = self.inner.clock.now();
        self.register_all(parse_corim(corim, profile, now, &self.inner.trust.load())?, now).await
    }

    async fn register_all(
        &self,
        registration: Registration,
        now: UnixTime,
    ) -> Result<Registered, ReferenceValueError> {
        let Registration { values, replaces, notes } = registration;
        let ids = values.iter().map(|value| value.id.clone()).collect();
        let inner = Arc::clone(&self.inner);
        // A task of its own: a caller who goes away half-way must not leave values in the store that
        // are in no snapshot.
        let work = tokio::spawn(async move {
            let _changing = inner.changing.lock().await;
            let before = inner.snapshot.load_full();
            let deleted = replaces.map_or_else(Vec::new, |mark| superseded(&before, &mark, &values));
            let records = inner.store.replace_reference_values(&values, &deleted, now).await?;
            inner.publish(before.without_all(deleted.iter().map(String::as_str)).with(records));
            Ok::<_, ReferenceValueError>(deleted)
        });
        let deleted = work.await.map_err(|_| ReferenceValueError::Interrupted)??;
        Ok(Registered { ids, deleted, notes })
    }

    /// Reads all reference values from the store again: another process on the same store has changed them.
    /// When it returns, every snapshot taken from then on has at least what the store had at the call.
    ///
    /// # Errors
    /// Those of the store; the values stay as they were.
    pub async fn reload(&self) -> Result<(), ReferenceValueError> {
        let inner = Arc::clone(&self.inner);
        let work = tokio::spawn(async move {
            let _changing = inner.changing.lock().await;
            let records = inner.store.all_reference_values().await?;
            inner.publish(inner.snapshot.load().renewed(records));
            Ok(())
        });
        work.await.map_err(|_| ReferenceValueError::Interrupted)?
    }

    /// Whether the store answers, for readiness.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn check(&self) -> Result<(), ReferenceValueError> {
        Ok(self.inner.store.ping().await?)
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

    /// Lets the value of that name end now: a new version of it that has ended. Returns whether there was
    /// one. One that had ended before stays as it is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn expire(&self, id: &str) -> Result<bool, ReferenceValueError> {
        let now = self.inner.clock.now();
        let id = id.to_owned();
        let inner = Arc::clone(&self.inner);
        let work = tokio::spawn(async move {
            let _changing = inner.changing.lock().await;
            let before = inner.snapshot.load_full();
            let Some(entry) = before.entry(&id) else { return Ok(false) };
            if !is_expired(&entry.record, now) {
                let (value, source) = (entry.record.value.clone(), entry.record.source.clone());
                let ended = NewReferenceValue { id, value, expires: now, source };
                let records = inner.store.put_reference_values(&[ended], now).await?;
                inner.publish(before.with(records));
            }
            Ok(true)
        });
        work.await.map_err(|_| ReferenceValueError::Interrupted)?
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

/// The names of values that an earlier edition of a CoRIM gave and this one does not.
fn superseded(before: &Snapshot, mark: &str, values: &[NewReferenceValue]) -> Vec<String> {
    let now: HashSet<&str> = values.iter().map(|value| value.id.as_str()).collect();
    let of_document =
        |id: &str| id.find('#').and_then(|at| id.get(at..)).is_some_and(|o| o.starts_with(mark));
    before
        .entries()
        .map(|entry| &entry.record)
        .filter(|record| record.source == corim::NAME && of_document(&record.id))
        .filter(|record| !now.contains(record.id.as_str()))
        .map(|record| record.id.clone())
        .collect()
}

impl Inner {
    fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }
}
