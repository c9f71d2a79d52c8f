//! Changes by other processes take effect here, too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assay_access::Authority;
use assay_attestation_service::{PolicySet, TokenKeys};
use assay_audit::AuditLog;
use assay_key_broker_service::KeyBroker;
use assay_reference_values::ReferenceValues;
use assay_store::{Store, Topic};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long to wait before a reading that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is read again when something of a topic changed.
struct Reload {
    topic: Topic,
    what: &'static str,
    run: Box<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>,
}

/// Who wants to hear of changes in a store.
#[derive(Default)]
pub(crate) struct Followers {
    reloads: Vec<Reload>,
}

impl Followers {
    /// Whenever something of `topic` changed elsewhere, `run` reads it again. `what` is for the log.
    fn on<F, Fut>(&mut self, topic: Topic, what: &'static str, run: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.reloads.push(Reload { topic, what, run: Box::new(move || Box::pin(run())) });
    }

    /// Policies of one kind.
    pub(crate) fn policies(&mut self, what: &'static str, policies: &Arc<PolicySet>) {
        let policies = Arc::clone(policies);
        self.on(Topic::Policies, what, move || {
            let policies = Arc::clone(&policies);
            async move { Ok(policies.reload().await?) }
        });
    }

    /// The keys that sign tokens.
    pub(crate) fn token_keys(&mut self, keys: &Arc<TokenKeys>) {
        let keys = Arc::clone(keys);
        self.on(Topic::Keys, "token-signing keys", move || {
            let keys = Arc::clone(&keys);
            async move { Ok(keys.reload().await?) }
        });
    }

    /// The keys that seal a key broker's challenges.
    pub(crate) fn broker(&mut self, broker: &KeyBroker) {
        let broker = broker.clone();
        self.on(Topic::Keys, "session-sealing keys", move || {
            let broker = broker.clone();
            async move { Ok(broker.reload_sealing_keys().await?) }
        });
    }

    /// The admin keys.
    pub(crate) fn authority(&mut self, authority: &Arc<Authority>) {
        let authority = Arc::clone(authority);
        self.on(Topic::Keys, "admin keys", move || {
            let authority = Arc::clone(&authority);
            async move { Ok(authority.keys().reload().await?) }
        });
    }

    /// The key that signs the audit log.
    pub(crate) fn audit(&mut self, audit: &AuditLog) {
        let audit = audit.clone();
        self.on(Topic::Keys, "audit-signing keys", move || {
            let audit = audit.clone();
            async move {
                audit.reload_keys().await;
                Ok(())
            }
        });
    }

    /// The reference values of the store.
    pub(crate) fn values(&mut self, values: &Arc<ReferenceValues>) {
        let values = Arc::clone(values);
        self.on(Topic::ReferenceValues, "reference values", move || {
            let values = Arc::clone(&values);
            async move { Ok(values.reload().await?) }
        });
    }

    /// Follows the store until the task is aborted. What cannot be read is tried again: no change is lost.
    /// While it cannot be read, the store soon counts as not current, and answers nothing from memory.
    pub(crate) fn spawn(self, store: &Store) -> JoinHandle<()> {
        let mut feed = store.follow();
        tokio::spawn(async move {
            let (heard, hearing) = mpsc::channel(1);
            let feeding = async move { while heard.send(feed.next().await).await.is_ok() {} };
            // Side by side: the feed must not be broken off in the middle of a reading.
            tokio::join!(feeding, self.work(hearing));
        })
    }

    async fn work(&self, mut hearing: mpsc::Receiver<Vec<Topic>>) {
        let mut waiting: BTreeSet<Topic> = BTreeSet::new();
        loop {
            let heard = if waiting.is_empty() {
                hearing.recv().await
            } else {
                tokio::time::timeout(AGAIN, hearing.recv()).await.unwrap_or_else(|_| Some(Vec::new()))
            };
            let Some(heard) = heard else { return };
            waiting.extend(heard);
            for topic in std::mem::take(&mut waiting) {
                if !self.reload(topic).await {
                    waiting.insert(topic);
                }
            }
        }
    }

    async fn reload(&self, topic: Topic) -> bool {
        let mut all = true;
        for reload in self.reloads.iter().filter(|reload| reload.topic == topic) {
            match (reload.run)().await {
                Ok(()) => tracing::info!("{} were changed elsewhere, and read again", reload.what),
                Err(error) => {
                    tracing::error!("{} were changed elsewhere and cannot be read: {error:#}", reload.what);
                    all = false;
                }
            }
        }
        all
    }
}
