//! Everything of a store, out into an export and in from one.
//!
//! An export's lines: `{"export":1,"schema":4}`, then `{"table":"policies","row":[…]}` for every row in the
//! order of the tables, then `{"rows":N}`. Bytes are base64. The secrets of resources and keys are opened and
//! stand in their rows (the export itself is encrypted), so the store they come into may have another
//! key-encryption key, and may be of the other kind.

use std::io::{Read, Write};

use assay_types::{SecretBytes, UnixTime};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::changes::Topic;
use crate::database::Writer;
use crate::export::{ExportReader, ExportWriter};
use crate::keys::{KeyRecord, record_name as key_name};
use crate::resources::{MAX_RESOURCE_LEN, record_name as resource_name};
use crate::seal::{Envelope, RecordName};
use crate::statement::{Argument, Row, column, statement};
use crate::{KeyEncryptionKey, Store, StoreError, schema};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bytes,
}

/// A table as it is exported.
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    /// All rows after one, in the order of the key: its columns are the first placeholders, the limit
    /// comes last.
    page: &'static str,
    /// The first page: the limit alone.
    first: &'static str,
    insert: &'static str,
    /// How many columns, the first ones, are the key.
    key: usize,
    /// How many rows are read at a time.
    rows: i64,
}

macro_rules! table {
    ($name:literal, $rows:literal, ($($k:literal $kk:ident $kp:literal),+), ($($c:literal $ck:ident $cp:literal),*), $limit:literal) => {
        Table {
            name: $name,
            columns: &[$(($k, Kind::$kk)),+, $(($c, Kind::$ck)),*],
            page: concat!("SELECT ", table!(@list $($k),+, $($c),*), " FROM ", $name, " WHERE (", table!(@list $($k),+), ") > (",
                table!(@list $($kp),+), ") ORDER BY ", table!(@list $($k),+), " LIMIT ", $limit),
            first: concat!("SELECT ", table!(@list $($k),+, $($c),*), " FROM ", $name, " ORDER BY ", table!(@list $($k),+), " LIMIT $1"),
            insert: concat!("INSERT INTO ", $name, " (", table!(@list $($k),+, $($c),*), ") VALUES (", table!(@list $($kp),+, $($cp),*), ")"),
            key: [$($k),+].len(),
            rows: $rows,
        }
    };
    (@list $first:literal $(, $rest:literal)*) => { concat!($first $(, ", ", $rest)*) };
}

/// Every table but those that say how this database itself is: `meta`, `key_encryption_keys`, `changes`,
/// `schema_migrations`.
const TABLES: &[Table] = &[
    table!("resource_heads", 500, ("path" Text "$1"), ("latest" Number "$2"), "$2"),
    table!("resources", 4, ("path" Text "$1", "version" Number "$2"),
        ("created" Number "$3", "size" Number "$4", "kek_id" Text "$5", "wrapped_key" Bytes "$6", "sealed" Bytes "$7"), "$3"),
    table!("policies", 100, ("kind" Text "$1", "id" Text "$2"),
        ("version" Number "$3", "text" Text "$4", "digest" Text "$5", "created" Number "$6"), "$3"),
    table!("reference_values", 500, ("id" Text "$1", "version" Number "$2"),
        ("value" Text "$3", "registered" Number "$4", "expires" Number "$5", "source" Text "$6"), "$3"),
    table!("keys", 100, ("purpose" Text "$1", "kid" Text "$2"),
        ("algorithm" Text "$3", "kek_id" Text "$4", "wrapped_key" Bytes "$5", "sealed" Bytes "$6", "certificate" Bytes "$7",
         "created" Number "$8", "sign_until" Number "$9", "expires" Number "$10"), "$3"),
    table!("attestations", 200, ("challenge_hash" Bytes "$1"),
        ("session_hash" Bytes "$2", "jti" Text "$3", "expires" Number "$4", "token" Text "$5", "verdict" Text "$6"), "$2"),
    table!("challenge_response_sessions", 200, ("id_hash" Bytes "$1"),
        ("nonce" Bytes "$2", "expires" Number "$3", "status" Text "$4", "evidence_type" Text "$5", "evidence" Bytes "$6",
         "result" Text "$7"), "$2"),
    table!("collateral", 50, ("vendor" Text "$1", "cache_key" Text "$2"),
        ("bytes" Bytes "$3", "fetched" Number "$4", "origin" Text "$5", "not_before" Number "$6", "not_after" Number "$7",
         "request" Text "$8", "used" Number "$9"), "$3"),
    table!("audit_records", 500, ("chain" Bytes "$1", "seq" Number "$2"),
        ("time" Number "$3", "kind" Text "$4", "record" Text "$5", "hash" Bytes "$6"), "$3"),
    table!("audit_heads", 500, ("chain" Bytes "$1"),
        ("length" Number "$2", "hash" Bytes "$3", "updated" Number "$4", "signature" Text "$5"), "$2"),
];

/// The longest line: the largest resource in base64, with room for its row.
const MAX_LINE: usize = MAX_RESOURCE_LEN / 3 * 4 + (64 << 10);

/// What was exported or imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transferred {
    /// The number of rows of each table, by its name.
    pub tables: Vec<(String, u64)>,
    /// All of them.
    pub rows: u64,
}

impl Transferred {
    fn count(&mut self, table: &str) {
        self.rows += 1;
        match self.tables.last_mut() {
            Some((last, count)) if last == table => *count += 1,
            _ => self.tables.push((table.to_owned(), 1)),
        }
    }
}

fn damaged(detail: impl Into<String>) -> StoreError {
    StoreError::Export { detail: detail.into() }
}

impl Store {
    /// Writes everything of the store into `out`, encrypted with `key`. Nobody changes policies,
    /// reference values, resources or keys meanwhile: they wait, for as long as the store lets them.
    ///
    /// # Errors
    /// When the store cannot be read, a record does not open, or `out` cannot be written.
    pub async fn export<W: Write + Send>(
        &self,
        out: W,
        key: &KeyEncryptionKey,
    ) -> Result<(W, Transferred), StoreError> {
        let mut export = ExportWriter::new(out, key)?;
        let mut done = Transferred::default();
        write_line(&mut export, &json!({ "export": 1, "schema": schema::newest() }))?;
        let mut writer = self.database().begin().await?;
        for table in TABLES {
            let mut after: Option<Vec<Argument>> = None;
            loop {
                let rows = writer.fetch_all(next_page(table, after.take())).await?;
                if rows.is_empty() {
                    break;
                }
                for row in &rows {
                    let mut arguments = read(table, row)?;
                    after = Some(arguments.iter().take(table.key).cloned().collect());
                    self.unseal_row(table, &mut arguments).await?;
                    let line = json!({ "table": table.name, "row": arguments.iter().map(to_json).collect::<Vec<_>>() });
                    write_line(&mut export, &line)?;
                    done.count(table.name);
                }
            }
        }
        writer.finish().await?;
        write_line(&mut export, &json!({ "rows": done.rows }))?;
        Ok((export.finish()?, done))
    }

    /// Takes in an export: all of it or nothing. The store must be empty.
    ///
    /// # Errors
    /// `Export` when the export is cut off, altered, of another key or version; `NotEmpty`; others when the
    /// store cannot be written.
    pub async fn import<R: Read + Send>(
        &self,
        input: R,
        key: &KeyEncryptionKey,
    ) -> Result<Transferred, StoreError> {
        let mut export = ExportReader::new(input, key)?;
        let head = read_line(&mut export)?.ok_or_else(|| damaged("it is empty"))?;
        let schema = head.get("schema").and_then(Value::as_i64).unwrap_or_default();
        if head.get("export") != Some(&json!(1)) || !(1..=schema::newest()).contains(&schema) {
            return Err(damaged(format!(
                "its schema version is {schema}; this program knows up to {}",
                schema::newest()
            )));
        }
        let mut writer = self.database().begin().await?;
        check_empty(&mut writer).await?;
        let mut done = Transferred::default();
        loop {
            let line = read_line(&mut export)?.ok_or_else(|| damaged("its last record is missing"))?;
            if let Some(rows) = line.get("rows") {
                if *rows != json!(done.rows) || read_line(&mut export)?.is_some() {
                    return Err(damaged("its last record does not count what is there"));
                }
                break;
            }
            let name = line.get("table").and_then(Value::as_str).unwrap_or_default();
            let table =
                TABLES.iter().find(|t| t.name == name).ok_or_else(|| damaged("it names an unknown table"))?;
            let mut arguments = from_json(table, line.get("row").unwrap_or(&Value::Null))?;
            self.seal_row(table, &mut arguments)?;
            let insert = arguments.into_iter().fold(statement(table.insert), |s, argument| s.bind(argument));
            writer.execute(insert).await?;
            done.count(table.name);
        }
        for topic in Topic::ALL {
            writer.touch(topic).await?;
        }
        writer.finish().await?;
        Ok(done)
    }

    /// Opens the secret of a row and puts it in the place of the sealed one.
    async fn unseal_row(&self, table: &Table, row: &mut [Argument]) -> Result<(), StoreError> {
        let Some(name) = sealed_name(table, row)? else { return Ok(()) };
        let place = if table.name == "resources" { 4 } else { 3 };
        if let Some([Argument::Text(kek), Argument::Bytes(wrapped), Argument::Bytes(sealed)]) =
            row.get_mut(place..place + 3)
        {
            let envelope = Envelope {
                kek_id: kek.take().unwrap_or_default(),
                wrapped_key: wrapped.take().unwrap_or_default(),
                sealed: sealed.take().unwrap_or_default(),
            };
            *sealed = Some(self.unseal(&name, envelope).await?.expose().to_vec());
        }
        Ok(())
    }

    /// Seals the secret of a row with this store's key.
    fn seal_row(&self, table: &Table, row: &mut [Argument]) -> Result<(), StoreError> {
        let Some(name) = sealed_name(table, row)? else { return Ok(()) };
        let place = if table.name == "resources" { 4 } else { 3 };
        if let Some([Argument::Text(kek), Argument::Bytes(wrapped), Argument::Bytes(sealed)]) =
            row.get_mut(place..place + 3)
        {
            let secret = SecretBytes::new(sealed.take().unwrap_or_default());
            let envelope = self.sealer().seal(&name, secret.expose())?;
            *kek = Some(envelope.kek_id);
            *wrapped = Some(envelope.wrapped_key);
            *sealed = Some(envelope.sealed);
        }
        Ok(())
    }
}

fn next_page(table: &Table, after: Option<Vec<Argument>>) -> crate::statement::Statement {
    match after {
        None => statement(table.first).bind(table.rows),
        Some(key) => key.into_iter().fold(statement(table.page), |s, k| s.bind(k)).bind(table.rows),
    }
}

/// The name that the row's secret is sealed under; `None` where it has none.
fn sealed_name(table: &Table, row: &[Argument]) -> Result<Option<RecordName>, StoreError> {
    let malformed = || StoreError::Corrupt { detail: format!("a row of {} is malformed", table.name) };
    match (table.name, row) {
        ("resources", [Argument::Text(Some(path)), Argument::Integer(Some(version)), ..]) => {
            let version = u64::try_from(*version).map_err(|_| malformed())?;
            Ok(Some(resource_name(&path.parse().map_err(|_| malformed())?, version)))
        }
        (
            "keys",
            [
                Argument::Text(Some(purpose)),
                Argument::Text(Some(kid)),
                Argument::Text(Some(algorithm)),
                _,
                _,
                _,
                Argument::Bytes(certificate),
                Argument::Integer(Some(created)),
                Argument::Integer(Some(sign_until)),
                Argument::Integer(Some(expires)),
            ],
        ) => Ok(Some(key_name(&KeyRecord {
            purpose: purpose.clone(),
            kid: kid.clone(),
            algorithm: algorithm.clone(),
            secret: SecretBytes::new(Vec::new()),
            certificate: certificate.clone(),
            created: UnixTime(*created),
            sign_until: UnixTime(*sign_until),
            expires: UnixTime(*expires),
        }))),
        ("resources" | "keys", _) => Err(malformed()),
        _ => Ok(None),
    }
}

async fn check_empty(writer: &mut Writer<'_>) -> Result<(), StoreError> {
    for table in TABLES {
        if !writer.fetch_all(statement(table.first).bind(1)).await?.is_empty() {
            return Err(StoreError::NotEmpty { table: table.name });
        }
    }
    Ok(())
}

fn read(table: &Table, row: &Row) -> Result<Vec<Argument>, StoreError> {
    let one = |(index, (_, kind)): (usize, &(&str, Kind))| {
        Ok(match kind {
            Kind::Number => Argument::Integer(column(row, index)?),
            Kind::Text => Argument::Text(column(row, index)?),
            Kind::Bytes => Argument::Bytes(column(row, index)?),
        })
    };
    table.columns.iter().enumerate().map(one).collect()
}

fn to_json(argument: &Argument) -> Value {
    match argument {
        Argument::Integer(value) => json!(value),
        Argument::Text(value) => json!(value),
        Argument::Bytes(value) => json!(value.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes))),
    }
}

fn from_json(table: &Table, row: &Value) -> Result<Vec<Argument>, StoreError> {
    let malformed = || damaged(format!("a row of the table {} is malformed", table.name));
    let values = row.as_array().filter(|values| values.len() == table.columns.len()).ok_or_else(malformed)?;
    let one = |(value, (_, kind)): (&Value, &(&str, Kind))| {
        Ok(match (kind, value) {
            (Kind::Number, Value::Null) => Argument::Integer(None),
            (Kind::Text, Value::Null) => Argument::Text(None),
            (Kind::Bytes, Value::Null) => Argument::Bytes(None),
            (Kind::Number, value) => Argument::Integer(Some(value.as_i64().ok_or_else(malformed)?)),
            (Kind::Text, Value::String(text)) => Argument::Text(Some(text.clone())),
            (Kind::Bytes, Value::String(text)) => {
                Argument::Bytes(Some(BASE64_STANDARD.decode(text).map_err(|_| malformed())?))
            }
            _ => return Err(malformed()),
        })
    };
    values.iter().zip(table.columns).map(one).collect()
}

fn write_line<W: Write>(export: &mut ExportWriter<W>, line: &Value) -> Result<(), StoreError> {
    let text = Zeroizing::new(line.to_string());
    export.write(text.as_bytes())?;
    export.write(b"\n")
}

fn read_line<R: Read>(export: &mut ExportReader<R>) -> Result<Option<Value>, StoreError> {
    let Some(line) = export.line(MAX_LINE)? else { return Ok(None) };
    serde_json::from_slice(&line).map(Some).map_err(|_| damaged("a record is not JSON"))
}
