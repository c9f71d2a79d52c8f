//! The schema and its versions, the same for both databases.

use assay_types::Digest;

use crate::StoreError;
use crate::database::{Database, Writer};
use crate::statement::{Row, column, statement};

/// A step of the schema. Once released it is never edited.
struct Migration {
    version: i64,
    script: &'static str,
}

impl Migration {
    /// The SHA-384 of the script, as it is noted in the database.
    fn digest(&self) -> String {
        Digest::sha384(self.script.as_bytes()).to_string()
    }
}

/// All steps, in the order of their versions.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, script: include_str!("../migrations/0001_initial.sql") },
    Migration { version: 2, script: include_str!("../migrations/0002_challenge_response_sessions.sql") },
    Migration { version: 3, script: include_str!("../migrations/0003_collateral_validity.sql") },
    Migration { version: 4, script: include_str!("../migrations/0004_replicas.sql") },
];

/// The newest schema version that this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |m| m.version)
}

/// Whether every migration was applied, and as it is written here. Reads only, so a store opens
/// while another process writes.
pub(crate) async fn is_up_to_date(database: &Database) -> Result<bool, StoreError> {
    if !database.has_migrations_table().await? {
        return Ok(false);
    }
    compare(&database.fetch_all(statement(APPLIED)).await?)
}

const APPLIED: &str = "SELECT version, digest FROM schema_migrations ORDER BY version";

fn compare(rows: &[Row]) -> Result<bool, StoreError> {
    let known = newest();
    for row in rows {
        let (version, digest): (i64, String) = (column(row, 0)?, column(row, 1)?);
        if version > known {
            return Err(StoreError::NewerSchema { found: version, known });
        }
        if !MIGRATIONS.iter().any(|m| m.version == version && m.digest() == digest) {
            return Err(StoreError::Migration {
                detail: format!("migration {version} is not the one this program has"),
            });
        }
    }
    Ok(rows.len() == MIGRATIONS.len())
}

/// Applies what is missing. The caller's writer is a transaction that nobody else has at the same
/// time: of several processes that start at once, one does the work and the others find it done.
/// Returns the versions that were applied.
pub(crate) async fn migrate(writer: &mut Writer<'_>) -> Result<Vec<i64>, StoreError> {
    writer.claim().await?;
    let table = "CREATE TABLE IF NOT EXISTS schema_migrations \
                 (version BIGINT NOT NULL PRIMARY KEY, digest TEXT NOT NULL)";
    writer.execute(statement(table)).await?;
    compare(&writer.fetch_all(statement(APPLIED)).await?)?;
    let mut applied = Vec::new();
    for migration in MIGRATIONS {
        let note = "INSERT INTO schema_migrations (version, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let note = statement(note).bind(migration.version).bind(migration.digest());
        if writer.execute(note).await? == 1 {
            writer.run_script(migration.script).await.map_err(|error| match error {
                StoreError::Unexpected { detail } => {
                    StoreError::Migration { detail: format!("migration {}: {detail}", migration.version) }
                }
                other => other,
            })?;
            applied.push(migration.version);
        }
    }
    Ok(applied)
}
