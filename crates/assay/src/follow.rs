//! Changes by other processes take effect here, too.

use std::collections::BTreeSet;
use std::time::Duration;

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
    pub(crate) fn on<F, Fut>(&mut self, topic: Topic, what: &'static str, run: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.reloads.push(Reload { topic, what, run: Box::new(move || Box::pin(run())) });
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
