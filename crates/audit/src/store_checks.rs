//! The verification of the log in a store.

use assay_store::Store;

use crate::snapshot::Snapshot;
use crate::{AuditError, AuditKeys, Expectations, Report, SignedHead, Verifier, public_keys};

/// Verifies the whole log of a store, also while it is written, and against heads that were exported
/// earlier (their signatures verified).
///
/// # Errors
/// When the store cannot be read.
pub async fn verify_store(store: &Store, earlier: &[SignedHead]) -> Result<Report, AuditError> {
    let keys = AuditKeys::new(&public_keys(store).await?.keys)?;
    let mut snapshot = Snapshot::take(store).await?;
    let mut expected = Expectations::new();
    earlier.iter().for_each(|head| expected.earlier_head(head));
    snapshot
        .records(true, |row| {
            expected.read(&row);
            Ok(())
        })
        .await?;
    let mut verifier = Verifier::new(&keys, snapshot.heads(), expected);
    snapshot
        .records(false, |row| {
            verifier.record(&row);
            Ok(())
        })
        .await?;
    Ok(verifier.finish())
}
