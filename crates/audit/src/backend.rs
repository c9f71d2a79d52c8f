//! What the writer needs of the store; tests put something in its place that fails on demand.

use std::sync::Arc;

use assay_store::{AuditHead, AuditRow, Store, StoreError};
use assay_token::SigningKey;
use assay_types::Clock;

use crate::{AuditError, keys};

pub(crate) trait Backend: Send + Sync + 'static {
    /// Writes the records and their head, both or neither.
    fn append(
        &self,
        rows: &[AuditRow],
        head: &AuditHead,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The head of one chain.
    fn head(&self, chain: &[u8; 16]) -> impl Future<Output = Result<Option<AuditHead>, StoreError>> + Send;

    /// All heads.
    fn heads(&self) -> impl Future<Output = Result<Vec<AuditHead>, StoreError>> + Send;

    /// The first record of each chain that has it.
    fn first_records(&self) -> impl Future<Output = Result<Vec<AuditRow>, StoreError>> + Send;

    /// The key that signs.
    fn signing_key(&self) -> impl Future<Output = Result<SigningKey, AuditError>> + Send;
}

/// The store.
pub(crate) struct InStore {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Backend for InStore {
    async fn append(&self, rows: &[AuditRow], head: &AuditHead) -> Result<(), StoreError> {
        self.store.append_audit(rows, head).await
    }

    async fn head(&self, chain: &[u8; 16]) -> Result<Option<AuditHead>, StoreError> {
        self.store.audit_head(chain).await
    }

    async fn heads(&self) -> Result<Vec<AuditHead>, StoreError> {
        self.store.audit_heads().await
    }

    async fn first_records(&self) -> Result<Vec<AuditRow>, StoreError> {
        self.store.audit_first_records().await
    }

    async fn signing_key(&self) -> Result<SigningKey, AuditError> {
        keys::newest(&self.store, self.clock.now()).await
    }
}
