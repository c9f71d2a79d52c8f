//! Table `meta`: which key-encryption key the data are encrypted with.

use assay_types::SecretBytes;

use crate::StoreError;
use crate::rows::column;
use crate::seal::{Envelope, RecordName, Sealer};
use crate::sqlite::{Database, DatabaseConnection};

const KEY_ID: &str = "kek-id";
const CHECK_KEY: &str = "kek-check-key";
const CHECK_VALUE: &str = "kek-check-value";

/// What is sealed under the key to tell a wrong key when the store is opened.
const KNOWN: &[u8] = b"assay key check";

fn check_name() -> RecordName {
    RecordName::new("key-check", &[], "the key check".to_owned())
}

/// Writes the check, once in the life of a database.
pub(crate) async fn write_key_check(
    connection: &mut DatabaseConnection,
    sealer: &Sealer,
    database: &Database,
) -> Result<(), StoreError> {
    if read(connection, KEY_ID, database).await?.is_some() {
        return Ok(());
    }
    let envelope = sealer.seal(&check_name(), KNOWN)?;
    for (name, value) in [
        (KEY_ID, envelope.kek_id.into_bytes()),
        (CHECK_KEY, envelope.wrapped_key),
        (CHECK_VALUE, envelope.sealed),
    ] {
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2)")
            .bind(name)
            .bind(value)
            .execute(&mut *connection)
            .await
            .map_err(|e| database.error(e))?;
    }
    Ok(())
}

/// Checks that the key is the one of this database.
pub(crate) async fn check_key(
    connection: &mut DatabaseConnection,
    sealer: &Sealer,
    database: &Database,
) -> Result<(), StoreError> {
    let missing = || StoreError::Corrupt { detail: "the key check is missing".to_owned() };
    let kek_id = read(connection, KEY_ID, database).await?.ok_or_else(missing)?;
    let kek_id = String::from_utf8(kek_id)
        .map_err(|_| StoreError::Corrupt { detail: "the key id is not text".to_owned() })?;
    let envelope = Envelope {
        kek_id,
        wrapped_key: read(connection, CHECK_KEY, database).await?.ok_or_else(missing)?,
        sealed: read(connection, CHECK_VALUE, database).await?.ok_or_else(missing)?,
    };
    if sealer.open(&check_name(), envelope)? == SecretBytes::new(KNOWN.to_vec()) {
        Ok(())
    } else {
        Err(StoreError::Tampered { record: "the key check".to_owned() })
    }
}

async fn read(
    connection: &mut DatabaseConnection,
    name: &str,
    database: &Database,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await
        .map_err(|e| database.error(e))?;
    row.map(|row| column(&row, 0)).transpose()
}
