//! `Postgres`: a table for each namespace.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use assay_types::SecretBytes;
use sqlx::postgres::{PgConnectOptions, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use zeroize::Zeroizing;

use super::{Allowance, MAX_ENTRIES, MAX_VALUE_LEN, Namespace, key};
use crate::foreign::{Entry, EntryError, ForeignError};

/// How long connecting, and each statement, may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// One character more than a key may have: longer ones are cut there, and refused.
const KEY_CHARACTERS: i32 = 1025;

/// Trustee's database.
#[derive(Clone)]
pub struct PostgresPlace {
    /// Its host: a name, an address, or the folder of a socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name of the database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Option<Zeroizing<String>>,
    /// The authority (PEM) that the server's certificate must be of. Needed on any other host than this.
    pub root_certificate: Option<PathBuf>,
}

impl PostgresPlace {
    /// The entries of a namespace, read in one snapshot and without the right to write.
    pub(super) async fn read(&self, namespace: Namespace) -> Result<Vec<Entry>, ForeignError> {
        let mut connection = within(self, PgConnection::connect_with(&self.options()?)).await?;
        let read = self.read_over(&mut connection, namespace).await;
        // What was to be read was; how the farewell goes does not matter.
        let _ = tokio::time::timeout(DEADLINE, connection.close()).await;
        read
    }

    async fn read_over(
        &self,
        connection: &mut PgConnection,
        namespace: Namespace,
    ) -> Result<Vec<Entry>, ForeignError> {
        let table = namespace.as_str();
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        within(self, sqlx::query(begin).execute(&mut *connection)).await?;
        let there = sqlx::query("SELECT to_regclass($1) IS NOT NULL").bind(table);
        let there = within(self, there.fetch_one(&mut *connection)).await?;
        if !self.column::<bool>(&there, 0)? {
            return Ok(Vec::new());
        }
        let list =
            format!("SELECT left(key, $1), octet_length(value)::bigint FROM {table} ORDER BY key LIMIT $2");
        let limit = i64::try_from(MAX_ENTRIES).unwrap_or(i64::MAX).saturating_add(1);
        let list = sqlx::query(AssertSqlSafe(list)).bind(KEY_CHARACTERS).bind(limit);
        let rows = within(self, list.fetch_all(&mut *connection)).await?;
        let place = || format!("the table {table} of {self}");
        let mut allowance = Allowance::new(&place);
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            let key: String = self.column(row, 0)?;
            let len: Option<i64> = self.column(row, 1)?;
            let len = len.map(|len| usize::try_from(len).unwrap_or(usize::MAX));
            let usable = key::check(&key).and(match len {
                None => Err(EntryError::Missing),
                Some(len) if len > MAX_VALUE_LEN => Err(EntryError::TooLarge { limit: MAX_VALUE_LEN }),
                Some(len) => Ok(len),
            });
            allowance.take(*usable.as_ref().unwrap_or(&0))?;
            let value = match usable {
                Ok(_) => Ok(self.value(connection, table, &key).await?),
                Err(error) => Err(error),
            };
            entries.push(Entry { key, value });
        }
        Ok(entries)
    }

    async fn value(
        &self,
        connection: &mut PgConnection,
        table: &'static str,
        key: &str,
    ) -> Result<SecretBytes, ForeignError> {
        let query = format!("SELECT value FROM {table} WHERE key = $1");
        let query = sqlx::query(AssertSqlSafe(query)).bind(key);
        let row = within(self, query.fetch_one(&mut *connection)).await?;
        Ok(SecretBytes::new(self.column(&row, 0)?))
    }

    fn column<'r, T>(&self, row: &'r PgRow, index: usize) -> Result<T, ForeignError>
    where
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        // The error names types, not what stands in the column.
        row.try_get(index).map_err(|error| self.failed(&error))
    }

    fn options(&self) -> Result<PgConnectOptions, ForeignError> {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.user)
            .application_name("assay import")
            .options([("statement_timeout", "30s"), ("default_transaction_read_only", "on")]);
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        match &self.root_certificate {
            Some(file) => Ok(options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(file)),
            None if is_this_host(&self.host) => Ok(options.ssl_mode(PgSslMode::Prefer)),
            None => Err(ForeignError::Unprotected { place: self.to_string() }),
        }
    }

    fn failed(&self, error: &dyn fmt::Display) -> ForeignError {
        ForeignError::Database { place: self.to_string(), detail: error.to_string() }
    }
}

/// A step of the conversation, by the deadline.
async fn within<T>(
    place: &PostgresPlace,
    step: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, ForeignError> {
    match tokio::time::timeout(DEADLINE, step).await {
        Ok(result) => result.map_err(|error| place.failed(&error)),
        Err(_) => Err(place.failed(&format!("no answer after {} s", DEADLINE.as_secs()))),
    }
}

fn is_this_host(host: &str) -> bool {
    host.starts_with('/') || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// Host, port and database.
impl fmt::Display for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.database)
    }
}

/// The password is not shown.
impl fmt::Debug for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresPlace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> PostgresPlace {
        PostgresPlace {
            host: host.to_owned(),
            port: 5432,
            database: "trustee".to_owned(),
            user: "kbs".to_owned(),
            password: Some(Zeroizing::new("hunter2".to_owned())),
            root_certificate: None,
        }
    }

    #[test]
    fn another_host_must_be_known_by_its_certificate() {
        for host in ["/run/postgresql", "localhost", "127.0.0.1", "127.8.9.1", "::1"] {
            assert!(place(host).options().is_ok(), "{host}");
        }
        for host in ["db", "10.0.0.1", "localhost.example.com", "", "0.0.0.0"] {
            let error = place(host).options().unwrap_err();
            assert!(error.to_string().contains("certificate"), "{host}: {error}");
            let known = PostgresPlace { root_certificate: Some("/ca.pem".into()), ..place(host) };
            assert!(known.options().is_ok(), "{host}");
        }
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let place = place("db");
        let shown = format!("{place:?} {place} {}", place.options().unwrap_err());
        assert!(shown.contains("db:5432/trustee") && !shown.contains("hunter2"), "{shown}");
    }
}
