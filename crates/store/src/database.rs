//! The database behind the store, whichever it is. All other modules build portable statements and
//! run them through [`Database`] and [`Writer`].

use std::sync::atomic::{AtomicU64, Ordering};

use crate::changes::{Changes, Topic};
use crate::statement::{Row, Statement, column, statement};
use crate::{StoreError, postgres, sqlite};

/// An open database.
pub(crate) struct Database {
    backend: Backend,
    changes: Changes,
    statements: AtomicU64,
}

enum Backend {
    Sqlite(Box<sqlite::Database>),
    Postgres(Box<postgres::Database>),
}

impl Database {
    pub(crate) fn sqlite(database: sqlite::Database) -> Self {
        Database::new(Backend::Sqlite(Box::new(database)))
    }

    pub(crate) fn postgres(database: postgres::Database) -> Self {
        Database::new(Backend::Postgres(Box::new(database)))
    }

    fn new(backend: Backend) -> Self {
        Database { backend, changes: Changes::default(), statements: AtomicU64::new(0) }
    }

    /// What is known of changes by others.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The other back end, where there is something that only it has.
    pub(crate) fn as_postgres(&self) -> Option<&postgres::Database> {
        match &self.backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(database) => Some(database),
        }
    }

    /// How many statements were sent to the database since it was opened.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// A transaction whose commit survives the loss of power. One at a time in the whole database:
    /// who reads in it and then writes need not fear that another did the same in between.
    pub(crate) async fn begin(&self) -> Result<Writer<'_>, StoreError> {
        let inner = match &self.backend {
            Backend::Sqlite(database) => {
                self.count();
                Inner::Sqlite(database.begin().await?)
            }
            Backend::Postgres(database) => {
                self.statements.fetch_add(2, Ordering::Relaxed);
                Inner::Postgres(database.begin().await?)
            }
        };
        Ok(Writer { database: self, inner, touched: Vec::new() })
    }

    /// A writer for single statements, each a transaction of its own that survives the death of
    /// the process.
    pub(crate) async fn session_writer(&self) -> Result<Writer<'_>, StoreError> {
        let inner = match &self.backend {
            Backend::Sqlite(database) => Inner::Sqlite(database.session_writer().await?),
            Backend::Postgres(database) => Inner::Postgres(database.writer().await?),
        };
        Ok(Writer { database: self, inner, touched: Vec::new() })
    }

    /// [`Database::session_writer`] when nobody writes at the moment. PostgreSQL has many writers at a
    /// time, and joins their commits itself.
    pub(crate) async fn free_session_writer(&self) -> Result<Option<Writer<'_>>, StoreError> {
        let inner = match &self.backend {
            Backend::Sqlite(database) => database.free_session_writer().await?.map(Inner::Sqlite),
            Backend::Postgres(database) => Some(Inner::Postgres(database.writer().await?)),
        };
        Ok(inner.map(|inner| Writer { database: self, inner, touched: Vec::new() }))
    }

    /// Runs a reading statement.
    pub(crate) async fn fetch_all(&self, query: Statement) -> Result<Vec<Row>, StoreError> {
        self.count();
        match &self.backend {
            Backend::Sqlite(database) => database.fetch_all(query).await,
            Backend::Postgres(database) => database.fetch_all(query).await,
        }
    }

    /// Runs a reading statement that has at most one row.
    pub(crate) async fn fetch_optional(&self, query: Statement) -> Result<Option<Row>, StoreError> {
        self.count();
        match &self.backend {
            Backend::Sqlite(database) => database.fetch_optional(query).await,
            Backend::Postgres(database) => Ok(database.fetch_all(query).await?.into_iter().next()),
        }
    }

    /// Whether the table of applied migrations is there.
    pub(crate) async fn has_migrations_table(&self) -> Result<bool, StoreError> {
        let query = match &self.backend {
            Backend::Sqlite(_) => {
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'"
            }
            Backend::Postgres(_) => {
                "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_name = 'schema_migrations'"
            }
        };
        let row = self.fetch_optional(statement(query)).await?;
        Ok(row.map(|row| column::<i64>(&row, 0)).transpose()?.unwrap_or_default() > 0)
    }

    /// Waits for the calls under way and closes every connection.
    pub(crate) async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(database) => database.close().await,
            Backend::Postgres(database) => database.close().await,
        }
    }
}

/// The right to write. Nothing is kept unless [`Writer::finish`] was called.
pub(crate) struct Writer<'a> {
    database: &'a Database,
    inner: Inner<'a>,
    touched: Vec<(Topic, i64)>,
}

enum Inner<'a> {
    Sqlite(sqlite::Writer<'a>),
    Postgres(postgres::Writer<'a>),
}

impl Writer<'_> {
    /// Runs a statement. Returns the number of rows it changed.
    pub(crate) async fn execute(&mut self, query: Statement) -> Result<u64, StoreError> {
        self.database.count();
        match &mut self.inner {
            Inner::Sqlite(writer) => writer.execute(query).await,
            Inner::Postgres(writer) => writer.execute(query).await,
        }
    }

    /// Runs a statement that has rows, to its end.
    pub(crate) async fn fetch_all(&mut self, query: Statement) -> Result<Vec<Row>, StoreError> {
        self.database.count();
        match &mut self.inner {
            Inner::Sqlite(writer) => writer.fetch_all(query).await,
            Inner::Postgres(writer) => writer.fetch_all(query).await,
        }
    }

    /// Runs several statements that have no placeholders.
    pub(crate) async fn run_script(&mut self, script: &'static str) -> Result<(), StoreError> {
        self.database.count();
        match &mut self.inner {
            Inner::Sqlite(writer) => writer.run_script(script).await,
            Inner::Postgres(writer) => writer.run_script(script).await,
        }
    }

    /// Makes sure that the database is ours, or empty, before its schema is made.
    pub(crate) async fn claim(&mut self) -> Result<(), StoreError> {
        match &mut self.inner {
            Inner::Sqlite(writer) => writer.claim().await,
            Inner::Postgres(writer) => writer.claim().await,
        }
    }

    /// Notes that something of the topic changes with this transaction: whoever follows the store hears
    /// of it once it is committed.
    pub(crate) async fn touch(&mut self, topic: Topic) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO changes (topic, version) VALUES ($1, 1) \
             ON CONFLICT (topic) DO UPDATE SET version = changes.version + 1 RETURNING version",
        )
        .bind(topic.as_str());
        let rows = self.fetch_all(query).await?;
        let row = rows.first().ok_or_else(|| StoreError::Unexpected { detail: "no version".to_owned() })?;
        self.touched.push((topic, column(row, 0)?));
        Ok(())
    }

    /// Commits.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        if !self.touched.is_empty()
            && let Inner::Postgres(writer) = &mut self.inner
        {
            self.database.count();
            writer.notify().await?;
        }
        let Writer { database, inner, touched } = self;
        match inner {
            Inner::Sqlite(writer) => writer.finish().await?,
            Inner::Postgres(writer) => writer.finish().await?,
        }
        database.changes.made(&touched);
        Ok(())
    }
}
