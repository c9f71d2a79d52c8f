//! What is SQLite's alone: how the file is opened, its connections, its errors.
//!
//! SQLite has one writer at a time. Within the process writers wait for each other in a fair queue
//! (a mutex), not in SQLite's lock, whose waiting is sleep and retry. There are at most
//! [`READERS`] reading connections, opened when needed; in WAL mode they never wait for a writer.
//! The pool of sqlx is not used: it pings a connection and spawns a task each time one is given
//! back, which costs as much as the query.
//!
//! A connection is kept only when all went well with it. After an error, or when the caller's
//! future was dropped half-way, it is closed, which rolls back what it had begun.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{MutexGuard, Semaphore};

use crate::statement::{Row, Statement, column, statement};
use crate::{StoreError, StoreLimits, private_files};

/// "ASSY": tells our files from those of other programs (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x4153_5359;

/// The number of reading connections.
const READERS: u32 = 4;

/// The size of a database page in bytes, SQLite's default.
const PAGE_LEN: u64 = 4096;

/// What an acknowledged write survives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The loss of power.
    PowerLoss,
    /// The death of the process.
    ProcessDeath,
}

/// What a connection is for.
#[derive(Clone, Copy)]
enum Role {
    Reader,
    Writer(Durability),
}

/// An open database.
pub(crate) struct Database {
    path: PathBuf,
    limits: StoreLimits,
    writers: tokio::sync::Mutex<Writers>,
    readers: Mutex<Vec<SqliteConnection>>,
    reader_permits: Semaphore,
}

#[derive(Default)]
struct Writers {
    durable: Option<SqliteConnection>,
    sessions: Option<SqliteConnection>,
    closed: bool,
}

impl Writers {
    fn slot(&mut self, durability: Durability) -> &mut Option<SqliteConnection> {
        match durability {
            Durability::PowerLoss => &mut self.durable,
            Durability::ProcessDeath => &mut self.sessions,
        }
    }
}

impl Database {
    /// Opens the file, and creates it when it is not there. Its schema is looked at elsewhere.
    pub(crate) async fn open(path: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        // An absolute path cannot be taken for a URI or for ":memory:".
        let path = std::path::absolute(path).map_err(|e| not_accessible(path, e))?;
        private_files::prepare_database(&path)?;
        let database = Database {
            path,
            limits,
            writers: tokio::sync::Mutex::new(Writers::default()),
            readers: Mutex::new(Vec::new()),
            reader_permits: Semaphore::new(usize::try_from(READERS).unwrap_or(1)),
        };
        let mut connection = database.connect(Role::Writer(Durability::PowerLoss)).await?;
        // Before anything is changed: is it ours at all?
        database.identify(&mut connection).await?;
        database.use_write_ahead_log(&mut connection).await?;
        database.writers.lock().await.durable = Some(connection);
        Ok(database)
    }

    /// A transaction whose commit survives the loss of power.
    pub(crate) async fn begin(&self) -> Result<Writer<'_>, StoreError> {
        let mut writer = self.writer(Durability::PowerLoss).await?;
        // IMMEDIATE: a transaction that reads first and writes later could not be completed when
        // another process wrote in between.
        writer.execute(statement("BEGIN IMMEDIATE")).await?;
        writer.in_transaction = true;
        Ok(writer)
    }

    /// A writer for single statements, each a transaction of its own that survives the death of
    /// the process.
    pub(crate) async fn session_writer(&self) -> Result<Writer<'_>, StoreError> {
        self.writer(Durability::ProcessDeath).await
    }

    /// [`Database::session_writer`] when nobody writes at the moment.
    pub(crate) async fn free_session_writer(&self) -> Result<Option<Writer<'_>>, StoreError> {
        match self.writers.try_lock() {
            Ok(writers) => Ok(Some(self.writer_of(writers, Durability::ProcessDeath).await?)),
            Err(_) => Ok(None),
        }
    }

    async fn writer(&self, durability: Durability) -> Result<Writer<'_>, StoreError> {
        self.writer_of(self.writers.lock().await, durability).await
    }

    async fn writer_of<'a>(
        &'a self,
        mut writers: MutexGuard<'a, Writers>,
        durability: Durability,
    ) -> Result<Writer<'a>, StoreError> {
        if writers.closed {
            return Err(StoreError::Closed);
        }
        let connection = match writers.slot(durability).take() {
            Some(connection) => connection,
            None => self.connect(Role::Writer(durability)).await?,
        };
        Ok(Writer { database: self, writers, connection, durability, in_transaction: false })
    }

    /// Runs a reading statement.
    pub(crate) async fn fetch_all(&self, query: Statement) -> Result<Vec<Row>, StoreError> {
        let _permit = self.reader_permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let mut connection = self.reader().await?;
        let rows = query.for_sqlite().fetch_all(&mut connection).await.map_err(|e| self.error(e))?;
        self.idle_readers().push(connection);
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    /// Runs a reading statement that has at most one row.
    pub(crate) async fn fetch_optional(&self, query: Statement) -> Result<Option<Row>, StoreError> {
        let _permit = self.reader_permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let mut connection = self.reader().await?;
        let row = query.for_sqlite().fetch_optional(&mut connection).await.map_err(|e| self.error(e))?;
        self.idle_readers().push(connection);
        Ok(row.map(Row::Sqlite))
    }

    async fn reader(&self) -> Result<SqliteConnection, StoreError> {
        // The one used last is taken first: its cache is warm, and the others need not be opened.
        let idle = self.idle_readers().pop();
        match idle {
            Some(connection) => Ok(connection),
            None => self.connect(Role::Reader).await,
        }
    }

    fn idle_readers(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the calls under way and closes every connection. SQLite then folds its log into the
    /// database file.
    pub(crate) async fn close(&self) {
        if let Ok(permits) = self.reader_permits.acquire_many(READERS).await {
            self.reader_permits.close();
            drop(permits);
        }
        let mut writers = self.writers.lock().await;
        writers.closed = true;
        let mut connections = std::mem::take(&mut *self.idle_readers());
        connections.extend(writers.sessions.take());
        connections.extend(writers.durable.take());
        for connection in connections {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "closing a database connection failed");
            }
        }
    }

    async fn connect(&self, role: Role) -> Result<SqliteConnection, StoreError> {
        let mut options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .busy_timeout(self.limits.busy_timeout)
            .statement_cache_capacity(64)
            .thread_name(|id| format!("store-{id}"))
            .pragma("temp_store", "MEMORY")
            // A damaged file, or one made to do harm, is noticed and calls nothing.
            .pragma("cell_size_check", "ON")
            .pragma("trusted_schema", "OFF")
            // Statements carry tokens and sealed values.
            .disable_statement_logging();
        // Cache sizes are in KiB (a negative number); the system's page cache does the rest.
        match role {
            Role::Reader => options = options.pragma("query_only", "ON").pragma("cache_size", "-1024"),
            Role::Writer(durability) => {
                options = match durability {
                    Durability::PowerLoss => options
                        .synchronous(SqliteSynchronous::Full)
                        .pragma("cache_size", "-1024")
                        // Deleted content is overwritten with zeros.
                        .pragma("secure_delete", "ON"),
                    // The same pages of the indexes are written over and over: they are kept, and
                    // folded into the database file less often (4000 pages are 16 MiB of log).
                    Durability::ProcessDeath => options
                        .synchronous(SqliteSynchronous::Normal)
                        .pragma("cache_size", "-4096")
                        .pragma("wal_autocheckpoint", "4000"),
                };
                // After a burst the log gives its space back.
                options = options.pragma("journal_size_limit", "16777216");
                if let Some(size) = self.limits.max_size {
                    options = options.pragma("max_page_count", (size / PAGE_LEN).max(1).to_string());
                }
            }
        }
        options.connect().await.map_err(|e| self.error(e))
    }

    /// Ours, or empty.
    async fn identify(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        // In this order: another process that makes the database in between is then no stranger.
        let tables = self.number(connection, "SELECT COUNT(*) FROM sqlite_master").await?;
        let id = self.number(connection, "PRAGMA application_id").await?;
        if id == APPLICATION_ID || (id == 0 && tables == 0) {
            Ok(())
        } else {
            Err(StoreError::Foreign { path: self.path.clone() })
        }
    }

    /// The mode is a property of the file. The switch cannot wait for a lock, so the waiting is here.
    async fn use_write_ahead_log(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let pause = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        loop {
            let answer = sqlx::query("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await;
            match answer.map_err(|e| self.error(e)) {
                Ok(row) => {
                    let mode: String = column(&Row::Sqlite(row), 0)?;
                    if mode == "wal" {
                        return Ok(());
                    }
                    let detail = format!("its file system allows no write-ahead log (journal mode {mode})");
                    return Err(not_accessible(&self.path, detail));
                }
                Err(StoreError::Locked) if waited < self.limits.busy_timeout => {
                    tokio::time::sleep(pause).await;
                    waited += pause;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn number(&self, connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, StoreError> {
        let row = sqlx::query(sql).fetch_one(connection).await.map_err(|e| self.error(e))?;
        column(&Row::Sqlite(row), 0)
    }

    /// Names the cause. The primary result code is the low byte (<https://www.sqlite.org/rescode.html>).
    pub(crate) fn error(&self, error: sqlx::Error) -> StoreError {
        let database_error = match &error {
            sqlx::Error::Database(database_error) => database_error,
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                return StoreError::Io { detail: error.to_string() };
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                return StoreError::Corrupt { detail: error.to_string() };
            }
            _ => return StoreError::Unexpected { detail: error.to_string() },
        };
        let detail = database_error.message().to_owned();
        let code = database_error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
        if database_error.is_unique_violation() {
            return StoreError::AlreadyExists { record: detail };
        }
        match code & 0xff {
            5 | 6 => StoreError::Locked,
            13 => StoreError::Full,
            11 | 26 => StoreError::Corrupt { detail },
            // No permission, read only, cannot open, not authorised.
            3 | 8 | 14 | 23 => not_accessible(&self.path, detail),
            // Out of memory, disk I/O error, file locking protocol.
            7 | 10 | 15 => StoreError::Io { detail: format!("{detail} (SQLite result {code})") },
            _ => StoreError::Unexpected { detail: format!("{detail} (SQLite result {code})") },
        }
    }
}

/// The right to write. Nothing is kept unless [`Writer::finish`] was called.
pub(crate) struct Writer<'a> {
    database: &'a Database,
    writers: MutexGuard<'a, Writers>,
    connection: SqliteConnection,
    durability: Durability,
    in_transaction: bool,
}

impl Writer<'_> {
    /// Runs a statement. Returns the number of rows it changed.
    pub(crate) async fn execute(&mut self, query: Statement) -> Result<u64, StoreError> {
        let done = query.for_sqlite().execute(&mut self.connection).await;
        Ok(done.map_err(|e| self.database.error(e))?.rows_affected())
    }

    /// Runs a statement that has rows, to its end.
    pub(crate) async fn fetch_all(&mut self, query: Statement) -> Result<Vec<Row>, StoreError> {
        let rows = query.for_sqlite().fetch_all(&mut self.connection).await;
        Ok(rows.map_err(|e| self.database.error(e))?.into_iter().map(Row::Sqlite).collect())
    }

    /// Runs several statements.
    pub(crate) async fn run_script(&mut self, script: &'static str) -> Result<(), StoreError> {
        let done = sqlx::raw_sql(script).execute(&mut self.connection).await;
        done.map(drop).map_err(|e| self.database.error(e))
    }

    /// Looks once more whether the file is ours or empty, now that nobody else writes, and marks it.
    pub(crate) async fn claim(&mut self) -> Result<(), StoreError> {
        self.database.identify(&mut self.connection).await?;
        // The number is APPLICATION_ID; a PRAGMA takes no arguments.
        self.run_script("PRAGMA application_id = 1095979865").await
    }

    /// Commits.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        if self.in_transaction {
            self.execute(statement("COMMIT")).await?;
        }
        let Writer { mut writers, connection, durability, .. } = self;
        *writers.slot(durability) = Some(connection);
        Ok(())
    }
}

fn not_accessible(path: &Path, detail: impl ToString) -> StoreError {
    StoreError::NotAccessible { path: path.to_owned(), detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_id_in_the_statement_is_the_constant() {
        assert_eq!(APPLICATION_ID, 1_095_979_865);
    }
}
