//! A log that is being written, seen as it was at one moment: chains only grow, so the heads of a moment
//! say which records belong to it.

use std::collections::BTreeMap;

use assay_store::{AuditHead, AuditRow, Store};

use crate::{AuditError, SignedHead};

/// How many records are read at a time.
const PAGE: u32 = 500;

/// The log at one moment.
pub(crate) struct Snapshot {
    store: Store,
    heads: BTreeMap<[u8; 16], AuditHead>,
    /// How long chains are that have more records than this moment's head says, or no head.
    now: BTreeMap<[u8; 16], u64>,
}

impl Snapshot {
    pub(crate) async fn take(store: &Store) -> Result<Self, AuditError> {
        let heads = store.audit_heads().await?.into_iter().map(|head| (head.chain, head)).collect();
        Ok(Snapshot { store: store.clone(), heads, now: BTreeMap::new() })
    }

    pub(crate) fn heads(&self) -> Vec<SignedHead> {
        self.heads.values().cloned().map(SignedHead::from).collect()
    }

    /// Gives every record to `each`, by chain and number; or only those of [`Kind::OF_CHAINS`].
    ///
    /// [`Kind::OF_CHAINS`]: crate::Kind::OF_CHAINS
    pub(crate) async fn records(
        &mut self,
        only_of_chains: bool,
        mut each: impl FnMut(AuditRow) -> Result<(), AuditError>,
    ) -> Result<(), AuditError> {
        let mut after = None;
        loop {
            let page = if only_of_chains {
                self.store.audit_page_of_chains(after, PAGE).await?
            } else {
                self.store.audit_page(after, PAGE).await?
            };
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.chain, last.seq));
            for row in page {
                if self.has(&row).await? {
                    each(row)?;
                }
            }
        }
    }

    /// Whether the record belongs to this moment. What was written since does not; what no head knows of,
    /// not even the newest, is given out, for it should not be there.
    async fn has(&mut self, row: &AuditRow) -> Result<bool, AuditError> {
        if self.heads.get(&row.chain).is_some_and(|head| row.seq < head.length) {
            return Ok(true);
        }
        let written_since = |length: u64| row.seq < length;
        if self.now.get(&row.chain).copied().is_some_and(written_since) {
            return Ok(false);
        }
        let length = self.store.audit_head(&row.chain).await?.map_or(0, |head| head.length);
        self.now.insert(row.chain, length);
        Ok(!written_since(length))
    }
}
