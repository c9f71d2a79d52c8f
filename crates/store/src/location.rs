//! Where a store is kept.

use std::path::PathBuf;

use assay_types::SecretBytes;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::StoreError;

/// The database of a store.
#[derive(Debug)]
pub enum Location {
    /// An SQLite file. It is created, with its folder, when it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which somebody else made. Its tables are created when they are not there.
    Postgres(PostgresOptions),
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Location::Sqlite(path)
    }
}

/// How to reach a PostgreSQL database (version 13 or newer). Only what stands here counts: no
/// environment variable and no password file of PostgreSQL's own tools is looked at.
pub struct PostgresOptions {
    /// `postgresql://user@host:port/database`: user, host and database must be there; no password.
    /// The host may be a folder with PostgreSQL's socket, percent-encoded.
    pub url: String,
    /// The password.
    pub password: Option<SecretBytes>,
    /// The certificates (PEM) of the authorities that may have signed the server's; those of the public
    /// web when `None`.
    pub root_certificate: Option<PathBuf>,
    /// This program's own certificate and key (PEM files).
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Speak without TLS. Everything but sockets and loopback addresses needs the danger's name.
    pub danger_plaintext: bool,
    /// The most connections of this process.
    pub connections: u32,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// The parts of a URL.
struct Parts {
    user: String,
    host: String,
    port: u16,
    database: String,
}

impl PostgresOptions {
    /// The number of connections unless another is set.
    pub const DEFAULT_CONNECTIONS: u32 = 10;

    /// Options with the defaults: TLS with the roots of the public web.
    pub fn new(url: impl Into<String>) -> Self {
        PostgresOptions {
            url: url.into(),
            password: None,
            root_certificate: None,
            client_certificate: None,
            danger_plaintext: false,
            connections: PostgresOptions::DEFAULT_CONNECTIONS,
        }
    }

    /// Whether the URL is of the form that is taken.
    ///
    /// # Errors
    /// [`StoreError::Url`], which does not show the URL: it may hold a password.
    pub fn check(&self) -> Result<(), StoreError> {
        self.parts().map(drop)
    }

    /// Host, port and database, for people.
    pub fn place(&self) -> String {
        match self.parts() {
            Ok(parts) => format!("postgresql://{}:{}/{}", parts.host, parts.port, parts.database),
            Err(_) => "postgresql".to_owned(),
        }
    }

    /// Whether the server is on this machine.
    fn is_local(host: &str) -> bool {
        host.starts_with('/')
            || host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    pub(crate) fn connect_options(&self) -> Result<PgConnectOptions, StoreError> {
        let Parts { user, host, port, database } = self.parts()?;
        let local = PostgresOptions::is_local(&host);
        let encrypted = self.root_certificate.is_some() || !(local || self.danger_plaintext);
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(host.trim_matches(['[', ']']))
            .port(port)
            .username(&user)
            .database(&database)
            .statement_cache_capacity(64)
            .ssl_mode(if encrypted { PgSslMode::VerifyFull } else { PgSslMode::Disable });
        if let Some(file) = &self.root_certificate {
            options = options.ssl_root_cert(file);
        }
        if let Some((certificate, key)) = &self.client_certificate {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        if let Some(password) = &self.password {
            let text = std::str::from_utf8(password.expose())
                .map_err(|_| self.wrong("the password is not UTF-8"))?;
            // What an editor puts at the end of a file.
            options = options.password(text.trim_end_matches(['\n', '\r']));
        }
        Ok(options)
    }

    fn wrong(&self, why: &str) -> StoreError {
        StoreError::Url { why: why.to_owned() }
    }

    fn parts(&self) -> Result<Parts, StoreError> {
        let rest = self
            .url
            .strip_prefix("postgresql://")
            .or_else(|| self.url.strip_prefix("postgres://"))
            .ok_or_else(|| self.wrong("it does not begin with postgresql://"))?;
        if rest.contains(['?', '#']) {
            return Err(self.wrong("it has parameters; the store's other settings say what they would say"));
        }
        let (user, rest) = rest.split_once('@').ok_or_else(|| self.wrong("it names no user"))?;
        if user.contains(':') {
            return Err(self.wrong("it holds a password; put that into a file of its own"));
        }
        let (host, database) = rest.split_once('/').ok_or_else(|| self.wrong("it names no database"))?;
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => {
                (name, port.parse().map_err(|_| self.wrong("its port is not a number up to 65535"))?)
            }
            _ => (host, 5432),
        };
        let parts = Parts {
            user: self.decoded(user)?,
            host: self.decoded(host)?,
            port,
            database: self.decoded(database)?,
        };
        let empty = parts.user.is_empty() || parts.host.is_empty() || parts.database.is_empty();
        if empty || parts.database.contains('/') {
            return Err(self.wrong("user, host or database is missing"));
        }
        Ok(parts)
    }

    fn decoded(&self, text: &str) -> Result<String, StoreError> {
        let malformed = || self.wrong("an escape is not % and two hexadecimal digits of UTF-8");
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(if byte == b'%' {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit().ok_or_else(malformed)?, digit().ok_or_else(malformed)?);
                u8::try_from(high * 16 + low).map_err(|_| malformed())?
            } else {
                byte
            });
        }
        String::from_utf8(bytes).map_err(|_| malformed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<String, String> {
        let options = PostgresOptions::new(url);
        options.connect_options().map(|_| options.place()).map_err(|error| error.to_string())
    }

    #[test]
    fn urls_are_read() {
        assert_eq!(
            place("postgresql://a@db.example.org/assay").unwrap(),
            "postgresql://db.example.org:5432/assay"
        );
        assert_eq!(place("postgres://a@[::1]:99/x").unwrap(), "postgresql://[::1]:99/x");
        assert_eq!(place("postgresql://a@%2Frun%2Fpg/x").unwrap(), "postgresql:///run/pg:5432/x");
    }

    #[test]
    fn each_fault_of_a_url_is_named() {
        for (url, word) in [
            ("mysql://a@b/c", "begin"),
            ("postgresql://b/c", "user"),
            ("postgresql://a:secret@b/c", "password"),
            ("postgresql://a@b", "database"),
            ("postgresql://a@b/", "missing"),
            ("postgresql://@b/c", "missing"),
            ("postgresql://a@/c", "missing"),
            ("postgresql://a@b:x/c", "port"),
            ("postgresql://a@b/c?sslmode=disable", "parameters"),
            ("postgresql://a@b%/c", "escape"),
        ] {
            let error = place(url).unwrap_err();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_clear() {
        let mode = |url: &str, danger| {
            let options = PostgresOptions { danger_plaintext: danger, ..PostgresOptions::new(url) };
            matches!(options.connect_options().unwrap().get_ssl_mode(), PgSslMode::Disable)
        };
        for url in ["postgresql://a@localhost/c", "postgresql://a@127.0.0.1/c", "postgresql://a@%2Frun/c"] {
            assert!(mode(url, false), "{url}");
        }
        assert!(!mode("postgresql://a@10.0.0.1/c", false));
        assert!(mode("postgresql://a@10.0.0.1/c", true));
    }
}
