//! What is PostgreSQL's alone: its connections, its errors, its notifications.
//!
//! Connections are kept in a pool of our own, as with SQLite: sqlx's asks the server whether a
//! connection lives each time one is given back, which costs as much as the query.
//!
//! A connection is kept only when all went well with it. After an error, when the server did not answer
//! in time, or when the caller's future was dropped half-way, it is closed, and the server rolls back
//! what it had begun. When a kept one turns out to be dead (the server was restarted), all that are kept
//! are closed; what only reads is tried again on a new one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_types::UnixTime;
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::statement::{Row, Statement, column, statement};
use crate::{PostgresOptions, StoreError, StoreLimits};

/// The channel of notifications.
const CHANNEL: &str = "assay_changes";

/// The lock that a durable transaction holds ("assay" in ASCII), so that there is one at a time.
const WRITE_LOCK: &str = "SELECT pg_advisory_xact_lock(418448630137)";

/// The lock of whoever sweeps.
const SWEEP_LOCK: &str = "SELECT pg_try_advisory_xact_lock(418448630138)";

/// How long a connection is kept.
const LIFE: Duration = Duration::from_secs(1800);

/// After how long without use a connection is tried before it is trusted with a write.
const IDLE: Duration = Duration::from_secs(30);

/// An open database.
pub(crate) struct Database {
    options: PgConnectOptions,
    place: String,
    limits: StoreLimits,
    size: u32,
    idle: Mutex<Vec<Idle>>,
    permits: Semaphore,
    closed: AtomicBool,
}

struct Idle {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
}

/// A connection in use, and the right to use one.
struct Held<'a> {
    database: &'a Database,
    connection: PgConnection,
    opened: Instant,
    /// Whether it was kept from before.
    kept: bool,
    _permit: SemaphorePermit<'a>,
}

impl Held<'_> {
    /// Keeps the connection for the next one.
    fn give_back(self) {
        let Held { database, connection, opened, .. } = self;
        if !database.closed.load(Ordering::Acquire) {
            database.idle().push(Idle { connection, opened, used: Instant::now() });
        }
    }
}

impl Database {
    /// Connects once, so that a wrong address or password is said at the start.
    pub(crate) async fn open(options: &PostgresOptions, limits: StoreLimits) -> Result<Self, StoreError> {
        let millis = limits.busy_timeout.as_millis().to_string();
        let connect = options.connect_options()?.application_name("assay").options([
            // The server gives up by itself what nobody waits for any more.
            ("statement_timeout", millis.as_str()),
            ("lock_timeout", millis.as_str()),
            ("idle_in_transaction_session_timeout", "10000"),
        ]);
        let size = options.connections.max(1);
        let database = Database {
            options: connect.disable_statement_logging(),
            place: options.place(),
            limits,
            size,
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(usize::try_from(size).unwrap_or(1)),
            closed: AtomicBool::new(false),
        };
        database.hold().await?.give_back();
        Ok(database)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections that are open and idle, and the most there may be.
    pub(crate) fn pool(&self) -> (usize, u32) {
        (self.idle().len(), self.size)
    }

    /// Waits for the answer of the server, but not for ever.
    async fn within<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.limits.busy_timeout, answer).await {
            Ok(answer) => answer.map_err(|error| self.error(error)),
            Err(_) => {
                Err(StoreError::NoAnswer { place: self.place.clone(), waited: self.limits.busy_timeout })
            }
        }
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let connecting = async { self.options.connect().await };
        self.within(connecting).await
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match tokio::time::timeout(self.limits.busy_timeout, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::NoConnection { limit: self.size }),
        }
    }

    async fn hold(&self) -> Result<Held<'_>, StoreError> {
        let permit = self.permit().await?;
        loop {
            // The one used last is taken first: the others grow old and go.
            let Some(idle) = self.idle().pop() else { break };
            if idle.opened.elapsed() > LIFE {
                drop(idle);
                continue;
            }
            let (mut connection, opened) = (idle.connection, idle.opened);
            if idle.used.elapsed() > IDLE && self.within(connection.ping()).await.is_err() {
                self.forget();
                continue;
            }
            return Ok(Held { database: self, connection, opened, kept: true, _permit: permit });
        }
        let connection = self.connect().await?;
        Ok(Held { database: self, connection, opened: Instant::now(), kept: false, _permit: permit })
    }

    /// Closes every connection that is kept.
    fn forget(&self) {
        self.idle().clear();
    }

    /// A transaction that has the write lock.
    pub(crate) async fn begin(&self) -> Result<Writer<'_>, StoreError> {
        let mut held = self.hold().await?;
        let mut begun = self.start(&mut held.connection).await;
        // Nothing was written yet: a dead connection is exchanged.
        if held.kept && begun.as_ref().is_err_and(is_gone) {
            self.forget();
            held.connection = self.connect().await?;
            held.opened = Instant::now();
            begun = self.start(&mut held.connection).await;
        }
        begun?;
        Ok(Writer { held, in_transaction: true })
    }

    async fn start(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let begun = async {
            sqlx::query("BEGIN").execute(&mut *connection).await?;
            sqlx::query(WRITE_LOCK).execute(&mut *connection).await.map(drop)
        };
        self.within(begun).await
    }

    /// A writer for single statements.
    pub(crate) async fn writer(&self) -> Result<Writer<'_>, StoreError> {
        Ok(Writer { held: self.hold().await?, in_transaction: false })
    }

    /// Runs a reading statement, on a new connection when a kept one was dead.
    pub(crate) async fn fetch_all(&self, query: Statement) -> Result<Vec<Row>, StoreError> {
        let mut held = self.hold().await?;
        let mut rows = self.within(query.clone().for_postgres().fetch_all(&mut held.connection)).await;
        if held.kept && rows.as_ref().is_err_and(is_gone) {
            self.forget();
            held.connection = self.connect().await?;
            held.opened = Instant::now();
            rows = self.within(query.for_postgres().fetch_all(&mut held.connection)).await;
        }
        let rows = rows?;
        held.give_back();
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    /// A listener on the channel of changes, on a connection of its own.
    pub(crate) async fn listen(&self) -> Result<PgListener, StoreError> {
        let options = self.options.clone();
        let listening = async {
            let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(options).await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        self.within(listening).await
    }

    /// Runs the statements (`$1` is the time, `$2` the limit) if nobody else sweeps at the moment. Returns
    /// how many rows they removed; `None` when somebody else is at it.
    pub(crate) async fn sweep(
        &self,
        statements: &[&'static str],
        now: UnixTime,
        limit: i64,
    ) -> Result<Option<u64>, StoreError> {
        let mut writer = self.writer().await?;
        writer.execute(statement("BEGIN")).await?;
        let rows = writer.fetch_all(statement(SWEEP_LOCK)).await?;
        let mine = rows.first().map(|row| column::<bool>(row, 0)).transpose()?.unwrap_or_default();
        let mut removed = 0;
        if mine {
            for sql in statements {
                removed += writer.execute(statement(sql).bind(now.0).bind(limit)).await?;
            }
        }
        writer.execute(statement("COMMIT")).await?;
        writer.finish().await?;
        Ok(mine.then_some(removed))
    }

    /// Waits for the calls under way and closes every connection.
    pub(crate) async fn close(&self) {
        if let Ok(permits) = self.permits.acquire_many(self.size).await {
            self.permits.close();
            drop(permits);
        }
        self.closed.store(true, Ordering::Release);
        let idle = std::mem::take(&mut *self.idle());
        for Idle { connection, .. } in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "closing a database connection failed");
            }
        }
    }

    /// Names the cause. Codes: PostgreSQL documentation, appendix A.
    pub(crate) fn error(&self, error: sqlx::Error) -> StoreError {
        let place = self.place.clone();
        let database_error = match &error {
            sqlx::Error::Database(database_error) => database_error,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                return StoreError::Corrupt { detail: error.to_string() };
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => {
                return StoreError::NotReached { place, detail: error.to_string() };
            }
            sqlx::Error::Configuration(_) => return StoreError::Refused { place, detail: error.to_string() },
            _ => return StoreError::Unexpected { detail: error.to_string() },
        };
        let detail = database_error.message().to_owned();
        if database_error.is_unique_violation() {
            return StoreError::AlreadyExists { record: detail };
        }
        let code = database_error.code().unwrap_or_default();
        let class = code.get(..2).unwrap_or_default();
        match (class, code.as_ref()) {
            (_, "53100") => StoreError::Full,
            (_, "55P03" | "40001" | "40P01") => StoreError::Locked,
            (_, "57014") => StoreError::NoAnswer { place, waited: self.limits.busy_timeout },
            // Connection exceptions, no resources, the operator stops the server, its system failed.
            ("08" | "53" | "57" | "58", _) => StoreError::NotReached { place, detail },
            // Wrong password, no such database, no right, a database that only reads.
            ("28" | "3D", _) | (_, "42501" | "25006") => StoreError::Refused { place, detail },
            ("XX", _) => StoreError::Corrupt { detail },
            // No such table or column: another program's, or somebody changed it.
            (_, "42P01" | "42703") => StoreError::Corrupt { detail },
            // It takes every character but NUL.
            (_, "22021") => StoreError::NotText,
            _ => StoreError::Unexpected { detail: format!("{detail} (SQLSTATE {code})") },
        }
    }
}

/// Whether the connection is lost.
fn is_gone(error: &StoreError) -> bool {
    matches!(error, StoreError::NotReached { .. })
}

/// The right to write. Nothing of a transaction is kept unless [`Writer::finish`] was called.
pub(crate) struct Writer<'a> {
    held: Held<'a>,
    in_transaction: bool,
}

impl Writer<'_> {
    /// Runs a statement. Returns the number of rows it changed.
    pub(crate) async fn execute(&mut self, query: Statement) -> Result<u64, StoreError> {
        let database = self.held.database;
        let done = database.within(query.for_postgres().execute(&mut self.held.connection)).await;
        Ok(self.checked(done)?.rows_affected())
    }

    /// Runs a statement that has rows, to its end.
    pub(crate) async fn fetch_all(&mut self, query: Statement) -> Result<Vec<Row>, StoreError> {
        let database = self.held.database;
        let rows = database.within(query.for_postgres().fetch_all(&mut self.held.connection)).await;
        Ok(self.checked(rows)?.into_iter().map(Row::Postgres).collect())
    }

    /// Runs several statements.
    pub(crate) async fn run_script(&mut self, script: &'static str) -> Result<(), StoreError> {
        let database = self.held.database;
        let done = database.within(sqlx::raw_sql(script).execute(&mut self.held.connection)).await;
        self.checked(done).map(drop)
    }

    /// When this connection was dead, the others that are kept are, too.
    fn checked<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if self.held.kept && result.as_ref().is_err_and(is_gone) {
            self.held.database.forget();
        }
        result
    }

    /// Makes sure that the tables are ours, or that there are none.
    pub(crate) async fn claim(&mut self) -> Result<(), StoreError> {
        let query = "SELECT COUNT(*) FILTER (WHERE table_name IN ('meta', 'keys', 'resources')), \
                     COUNT(*) FILTER (WHERE table_name = 'schema_migrations') \
                     FROM information_schema.tables WHERE table_schema = current_schema()";
        let rows = self.fetch_all(statement(query)).await?;
        let (data, migrations) = match rows.first() {
            Some(row) => (column::<i64>(row, 0)?, column::<i64>(row, 1)?),
            None => (0, 0),
        };
        let digest = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = current_schema() \
                      AND table_name = 'schema_migrations' AND column_name = 'digest'";
        let rows = self.fetch_all(statement(digest)).await?;
        let ours = rows.first().map(|row| column::<i64>(row, 0)).transpose()?.unwrap_or_default() == 1;
        if (migrations == 0 && data == 0) || ours {
            return Ok(());
        }
        Err(StoreError::Foreign { path: self.held.database.place.clone().into() })
    }

    /// Wakes whoever follows, once this transaction is committed.
    pub(crate) async fn notify(&mut self) -> Result<(), StoreError> {
        self.execute(statement("SELECT pg_notify($1, '')").bind(CHANNEL)).await.map(drop)
    }

    /// Commits.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        if self.in_transaction {
            self.execute(statement("COMMIT")).await?;
        }
        self.held.give_back();
        Ok(())
    }
}
