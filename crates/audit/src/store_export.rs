//! The export of the log in a store.

use std::io::Write;

use assay_store::Store;
use assay_types::UnixTime;

use crate::snapshot::Snapshot;
use crate::{AuditError, ExportWriter, public_keys};

/// Writes the log of a store as it is now: keys, heads, and with `records` every record. Gives the number
/// of records. Memory is bounded: the records are read page by page.
///
/// # Errors
/// When the store cannot be read or the export not be written.
pub async fn export_store(
    store: &Store,
    out: impl Write,
    now: UnixTime,
    records: bool,
) -> Result<u64, AuditError> {
    let mut snapshot = Snapshot::take(store).await?;
    let mut export = ExportWriter::new(out, now, &public_keys(store).await?.keys)?;
    for head in snapshot.heads() {
        export.head(&head)?;
    }
    if records {
        snapshot.records(false, |row| export.record(&row)).await?;
    }
    export.finish()
}
