//! Statements and rows of either database. The SQL of this crate is written once, for both.

use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};

use crate::StoreError;

/// The value of a placeholder. A NULL has a type too: PostgreSQL wants to know it.
#[derive(Clone)]
pub(crate) enum Argument {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Argument::Integer(Some(value))
    }
}

impl From<Option<i64>> for Argument {
    fn from(value: Option<i64>) -> Self {
        Argument::Integer(value)
    }
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Argument::Text(Some(value.to_owned()))
    }
}

impl From<Option<&str>> for Argument {
    fn from(value: Option<&str>) -> Self {
        Argument::Text(value.map(str::to_owned))
    }
}

impl From<String> for Argument {
    fn from(value: String) -> Self {
        Argument::Text(Some(value))
    }
}

impl From<Option<String>> for Argument {
    fn from(value: Option<String>) -> Self {
        Argument::Text(value)
    }
}

impl From<&[u8]> for Argument {
    fn from(value: &[u8]) -> Self {
        Argument::Bytes(Some(value.to_vec()))
    }
}

impl From<Vec<u8>> for Argument {
    fn from(value: Vec<u8>) -> Self {
        Argument::Bytes(Some(value))
    }
}

impl From<Option<Vec<u8>>> for Argument {
    fn from(value: Option<Vec<u8>>) -> Self {
        Argument::Bytes(value)
    }
}

/// A statement with the values of its placeholders, `$1` and on.
#[derive(Clone)]
pub(crate) struct Statement {
    sql: &'static str,
    arguments: Vec<Argument>,
}

/// A statement that has no values yet.
pub(crate) fn statement(sql: &'static str) -> Statement {
    Statement { sql, arguments: Vec::new() }
}

impl Statement {
    /// Gives the next placeholder its value.
    pub(crate) fn bind(mut self, value: impl Into<Argument>) -> Self {
        self.arguments.push(value.into());
        self
    }

    /// In the form of SQLite's driver.
    pub(crate) fn for_sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        self.arguments.into_iter().fold(sqlx::query(self.sql), |query, argument| match argument {
            Argument::Integer(value) => query.bind(value),
            Argument::Text(value) => query.bind(value),
            Argument::Bytes(value) => query.bind(value),
        })
    }

    /// In the form of PostgreSQL's driver.
    pub(crate) fn for_postgres(self) -> sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments> {
        self.arguments.into_iter().fold(sqlx::query(self.sql), |query, argument| match argument {
            Argument::Integer(value) => query.bind(value),
            Argument::Text(value) => query.bind(value),
            Argument::Bytes(value) => query.bind(value),
        })
    }
}

/// A row of a result.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// The column at `index`.
pub(crate) fn column<'r, T>(row: &'r Row, index: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
{
    match row {
        Row::Sqlite(row) => row.try_get(index),
        Row::Postgres(row) => row.try_get(index),
    }
    .map_err(|error| StoreError::Corrupt { detail: error.to_string() })
}
