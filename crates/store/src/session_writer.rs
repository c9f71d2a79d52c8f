//! Many attestations in one transaction. When nobody writes, a request writes its record itself.
//! Otherwise it puts it into a queue; one task takes all that wait there, writes them with as few
//! statements as possible, and answers each.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, Writer};
use crate::rows::{Batched, column, next_batch, value_rows};
use crate::statement::statement;
use crate::{AttestedSession, StoreError};

/// How many records may wait, and the most that are taken at once. When the queue is full, requests
/// wait to enter it: memory is bounded.
const QUEUE: usize = 256;

/// A record is refused alone: the others of its statement are written. A statement is a transaction.
static INSERT: LazyLock<Batched> = LazyLock::new(|| {
    Batched::new(|rows| {
        let values = value_rows(rows, 6, |n| {
            format!("(${n}, ${}, ${}, ${}, ${}, ${})", n + 1, n + 2, n + 3, n + 4, n + 5)
        });
        format!(
            "INSERT INTO attestations (challenge_hash, session_hash, jti, expires, token, verdict) \
             VALUES {values} ON CONFLICT DO NOTHING RETURNING challenge_hash"
        )
    })
});

type Answer = oneshot::Sender<Result<(), StoreError>>;

enum Command {
    Record(Box<AttestedSession>, Answer),
    Close(oneshot::Sender<()>),
}

/// The way in. The task ends when it is dropped.
pub(crate) struct SessionWriter {
    database: Arc<Database>,
    queue: mpsc::Sender<Command>,
}

impl SessionWriter {
    pub(crate) fn start(database: Arc<Database>) -> Self {
        let (queue, commands) = mpsc::channel(QUEUE);
        tokio::spawn(run(Arc::clone(&database), commands));
        SessionWriter { database, queue }
    }

    /// Writes the record; returns once it is committed.
    pub(crate) async fn record(&self, session: AttestedSession) -> Result<(), StoreError> {
        if let Some(writer) = self.database.free_session_writer().await? {
            // Only this record: a caller who goes away half-way takes nobody else's along.
            let written = insert(writer, vec![session]).await?;
            return if written.is_empty() { Err(StoreError::AlreadyUsed) } else { Ok(()) };
        }
        let (answer, answered) = oneshot::channel();
        let command = Command::Record(Box::new(session), answer);
        self.queue.send(command).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Waits until all that is in the queue is written, and takes no more.
    pub(crate) async fn close(&self) {
        let (done, is_done) = oneshot::channel();
        if self.queue.send(Command::Close(done)).await.is_ok() {
            // An error means that the task is gone, which is what is wanted.
            let _ended = is_done.await;
        }
    }
}

async fn run(database: Arc<Database>, mut commands: mpsc::Receiver<Command>) {
    let mut taken = Vec::new();
    let mut closers = Vec::new();
    while commands.recv_many(&mut taken, QUEUE).await > 0 {
        let mut sessions = Vec::with_capacity(taken.len());
        let mut waiting = Vec::with_capacity(taken.len());
        for command in taken.drain(..) {
            match command {
                Command::Record(session, answer) => {
                    waiting.push((session.challenge_hash, answer));
                    sessions.push(*session);
                }
                Command::Close(done) => {
                    commands.close();
                    closers.push(done);
                }
            }
        }
        while !sessions.is_empty() {
            let size = next_batch(sessions.len());
            let batch = sessions.drain(..size).collect();
            let written = match database.session_writer().await {
                Ok(writer) => insert(writer, batch).await,
                Err(error) => Err(error),
            };
            answer(waiting.drain(..size), written);
        }
    }
    for done in closers {
        let _nobody_waits = done.send(());
    }
}

/// Answers the records of one batch. Whoever no longer waits for the answer is passed over.
fn answer(waiting: impl Iterator<Item = ([u8; 32], Answer)>, written: Result<HashSet<Vec<u8>>, StoreError>) {
    match written {
        Ok(mut written) => {
            for (challenge, answer) in waiting {
                // Two records of one challenge in one batch: the first row is the one written.
                let new = written.remove(challenge.as_slice());
                let _nobody_waits = answer.send(if new { Ok(()) } else { Err(StoreError::AlreadyUsed) });
            }
        }
        Err(error) => {
            for (_, answer) in waiting {
                let _nobody_waits = answer.send(Err(error.clone()));
            }
        }
    }
}

/// Writes one batch. Returns the challenges whose records were written.
async fn insert(
    mut writer: Writer<'_>,
    sessions: Vec<AttestedSession>,
) -> Result<HashSet<Vec<u8>>, StoreError> {
    let mut query = statement(INSERT.text(sessions.len())?);
    for session in sessions {
        query = query
            .bind(session.challenge_hash.to_vec())
            .bind(session.session_hash.to_vec())
            .bind(session.jti)
            .bind(session.expires.0)
            .bind(session.token)
            .bind(session.verdict);
    }
    let rows = writer.fetch_all(query).await?;
    writer.finish().await?;
    rows.iter().map(|row| column(row, 0)).collect()
}
