//! The one task that writes a chain: it takes all records that wait, chains them, signs the head and
//! writes both with one statement or transaction. What fails is tried again, with the same records, until
//! it is written: the order is kept and nothing is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assay_store::{AuditRow, MAX_AUDIT_ROWS, StoreError};
use assay_token::SigningKey;
use assay_types::{Clock, UnixTime};
use aws_lc_rs::rand;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::backend::Backend;
use crate::health::Health;
use crate::record::{BEFORE_THE_FIRST, Outline};
use crate::{
    AuditError, AuditSettings, ChainId, Event, Head, HeadRef, Kind, Outcome, Record, RecordHash, SignedHead,
};

/// The first pause after a failure; each further one is twice as long, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How many heads one record quotes.
const HEADS_A_RECORD: usize = 512;

/// What waits to be written.
pub(crate) struct Entry {
    pub(crate) event: Box<Event>,
    pub(crate) time: UnixTime,
    pub(crate) done: Option<oneshot::Sender<Result<(), AuditError>>>,
}

pub(crate) enum Command {
    Append(Entry),
    ReloadKey,
    Close(oneshot::Sender<()>),
}

/// A chain that has begun.
pub(crate) struct Begun {
    pub(crate) chain: ChainId,
    pub(crate) queue: mpsc::Sender<Command>,
}

/// Writes the first records of a new chain and starts the task.
pub(crate) async fn begin<B: Backend>(
    backend: Arc<B>,
    clock: Arc<dyn Clock>,
    settings: AuditSettings,
    process: &str,
    health: Arc<Health>,
) -> Result<Begun, AuditError> {
    let mut id = [0; 16];
    rand::fill(&mut id)
        .map_err(|_| AuditError::Record { why: "no randomness for the chain's id".to_owned() })?;
    let chain = ChainId::new(id);
    let key = backend.signing_key().await?;
    let heads: Vec<HeadRef> =
        backend.heads().await?.into_iter().map(|row| SignedHead::from(row).head.reference()).collect();
    let known = heads.iter().map(|head| (head.chain, head.length)).collect();
    let heads = unquoted(&*backend, heads).await?;
    let mut writer = Writer {
        backend: Arc::clone(&backend),
        key,
        chain,
        next: 0,
        previous: BEFORE_THE_FIRST,
        health,
        clock: Arc::clone(&clock),
        attempt: settings.attempt,
    };
    let events = first_events(process, heads);
    for batch in events.chunks(MAX_AUDIT_ROWS) {
        let batch: Vec<_> = batch.iter().map(|event| (event.clone(), clock.now())).collect();
        let (rows, head) = writer.seal(&batch)?;
        backend.append(&rows, &head.row()).await?;
        writer.advance(&head);
    }
    let (queue, commands) = mpsc::channel(settings.queue.max(1));
    tokio::spawn(quote(Arc::clone(&backend), clock, settings.quote, chain, known, queue.downgrade()));
    tokio::spawn(writer.run(commands, settings.linger));
    Ok(Begun { chain, queue })
}

/// The heads that no other chain's first record quotes as they are. The others need not be quoted again:
/// whoever removes such a chain must remove the quoting one too, and so on up to the one of this process.
async fn unquoted<B: Backend>(backend: &B, heads: Vec<HeadRef>) -> Result<Vec<HeadRef>, AuditError> {
    let mut heads: BTreeMap<ChainId, HeadRef> = heads.into_iter().map(|head| (head.chain, head)).collect();
    for row in backend.first_records().await? {
        let Ok(outline) = Outline::read(&row.record) else { continue };
        for quoted in outline.event.heads {
            if heads.get(&quoted.chain) == Some(&quoted) {
                heads.remove(&quoted.chain);
            }
        }
    }
    Ok(heads.into_values().collect())
}

fn first_events(process: &str, heads: Vec<HeadRef>) -> Vec<Event> {
    let mut chunks = heads.chunks(HEADS_A_RECORD).map(<[HeadRef]>::to_vec);
    let start = Event {
        heads: chunks.next().unwrap_or_default(),
        ..Event::new(Kind::ChainStart, Outcome::Ok).action(process)
    };
    let more = chunks.map(|heads| Event { heads, ..Event::new(Kind::Heads, Outcome::Ok) });
    std::iter::once(start).chain(more).collect()
}

/// Quotes the heads of other chains that are longer than those `known`, from time to time, for as long as the
/// log is open.
async fn quote<B: Backend>(
    backend: Arc<B>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    own: ChainId,
    mut known: BTreeMap<ChainId, u64>,
    queue: mpsc::WeakSender<Command>,
) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(queue) = queue.upgrade() else { return };
        let heads = match backend.heads().await {
            Ok(heads) => heads,
            Err(error) => {
                tracing::warn!(%error, "the heads of other audit chains could not be read");
                continue;
            }
        };
        let heads: Vec<HeadRef> = heads
            .into_iter()
            .map(|row| SignedHead::from(row).head.reference())
            .filter(|head| head.chain != own && known.insert(head.chain, head.length) != Some(head.length))
            .collect();
        for heads in heads.chunks(HEADS_A_RECORD) {
            let event = Event { heads: heads.to_vec(), ..Event::new(Kind::Heads, Outcome::Ok) };
            let entry = Entry { event: Box::new(event), time: clock.now(), done: None };
            if queue.send(Command::Append(entry)).await.is_err() {
                return;
            }
        }
    }
}

type Waiting = Vec<Option<oneshot::Sender<Result<(), AuditError>>>>;

struct Writer<B> {
    backend: Arc<B>,
    key: SigningKey,
    chain: ChainId,
    next: u64,
    previous: RecordHash,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    attempt: Duration,
}

impl<B: Backend> Writer<B> {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, linger: Duration) {
        let mut last = None;
        while let Some(command) = commands.recv().await {
            let mut batch = Batch::default();
            batch.take(command);
            batch.gather(&mut commands, last.map(|last: Instant| last + linger)).await;
            if batch.reload {
                match self.backend.signing_key().await {
                    Ok(key) => self.key = key,
                    Err(error) => tracing::error!(%error, "reading the audit-signing key failed"),
                }
            }
            if !batch.entries.is_empty() {
                self.flush(batch.entries).await;
            }
            last = Some(Instant::now());
            if let Some(done) = batch.close {
                commands.close();
                let _nobody_waits = done.send(());
            }
        }
    }

    /// Writes the records, however long it takes; answers those who wait for them.
    async fn flush(&mut self, entries: Vec<Entry>) {
        let mut waiting: Waiting = Vec::with_capacity(entries.len());
        let mut events = Vec::with_capacity(entries.len());
        for entry in entries {
            let record = Record::new(self.chain, self.next, entry.time, (*entry.event).clone());
            match record.text() {
                Ok(_) => {
                    events.push((*entry.event, entry.time));
                    waiting.push(entry.done);
                }
                Err(error) => {
                    tracing::error!(%error, "an event has no record");
                    answer(entry.done, Err(error));
                }
            }
        }
        if events.is_empty() {
            return;
        }
        let (rows, head) = loop {
            match self.seal(&events) {
                Ok(sealed) => break sealed,
                Err(error) => {
                    tracing::error!(%error, "the head of the audit log could not be signed; it is tried again");
                    self.health.failing(error.to_string());
                    tokio::time::sleep(LAST_PAUSE).await;
                }
            }
        };
        let result = self.write(&rows, &head).await;
        for done in waiting {
            answer(done, result.clone());
        }
    }

    async fn write(&mut self, rows: &[AuditRow], head: &SignedHead) -> Result<(), AuditError> {
        let row = head.row();
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = tokio::time::timeout(self.attempt, self.backend.append(rows, &row)).await;
            let error = match attempt {
                Ok(Ok(())) => break,
                Ok(Err(StoreError::AlreadyExists { .. })) => match self.backend.head(&row.chain).await {
                    // An attempt that seemed to fail had succeeded.
                    Ok(Some(found)) if found.length == row.length && found.hash == row.hash => break,
                    Ok(_) => {
                        tracing::error!(chain = %self.chain, "the audit chain was written to by somebody else");
                        self.health.taken();
                        return Err(AuditError::ChainTaken);
                    }
                    Err(error) => error.to_string(),
                },
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("the store did not answer within {:?}", self.attempt),
            };
            if self.health.failing(error.clone()) {
                tracing::error!(error, "the audit log cannot be written; it is tried again");
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LAST_PAUSE);
        }
        self.health.wrote(rows.len());
        if self.health.well() {
            tracing::info!("the audit log is written again");
        }
        self.advance(head);
        Ok(())
    }

    /// The next records of the chain, and its head after them.
    fn seal(&self, events: &[(Event, UnixTime)]) -> Result<(Vec<AuditRow>, SignedHead), AuditError> {
        let mut previous = self.previous;
        let mut seq = self.next;
        let mut rows = Vec::with_capacity(events.len());
        for (event, time) in events {
            let row = Record::new(self.chain, seq, *time, event.clone()).row(&previous)?;
            previous = RecordHash::new(row.hash);
            seq = seq.saturating_add(1);
            rows.push(row);
        }
        let head = Head { chain: self.chain, length: seq, hash: previous, updated: self.clock.now() };
        Ok((rows, SignedHead::sign(head, &self.key)?))
    }

    fn advance(&mut self, head: &SignedHead) {
        self.next = head.head.length;
        self.previous = head.head.hash;
    }
}

/// Whoever no longer waits is passed over.
fn answer(done: Option<oneshot::Sender<Result<(), AuditError>>>, result: Result<(), AuditError>) {
    if let Some(done) = done {
        let _nobody_waits = done.send(result);
    }
}

/// What is written together.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    reload: bool,
    close: Option<oneshot::Sender<()>>,
}

impl Batch {
    fn take(&mut self, command: Command) {
        match command {
            Command::Append(entry) => self.entries.push(entry),
            Command::ReloadKey => self.reload = true,
            Command::Close(done) => self.close = Some(done),
        }
    }

    /// Whether nothing more is waited for.
    fn is_due(&self) -> bool {
        self.entries.len() >= MAX_AUDIT_ROWS
            || self.close.is_some()
            || self.reload
            || self.entries.iter().any(|entry| entry.done.is_some())
    }

    /// Takes what waits already; and what comes until `until`, if nobody waits for what there is.
    async fn gather(&mut self, commands: &mut mpsc::Receiver<Command>, until: Option<Instant>) {
        loop {
            while self.entries.len() < MAX_AUDIT_ROWS && self.close.is_none() {
                match commands.try_recv() {
                    Ok(command) => self.take(command),
                    Err(_) => break,
                }
            }
            let Some(until) = until.filter(|until| Instant::now() < *until) else { return };
            if self.is_due() {
                return;
            }
            match tokio::time::timeout_at(until, commands.recv()).await {
                Ok(Some(command)) => self.take(command),
                Ok(None) | Err(_) => return,
            }
        }
    }
}
