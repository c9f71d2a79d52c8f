//! The numbers of the store and of the audit log for `/metrics`.

use assay_audit::AuditLog;
use assay_store::Store;
use assay_telemetry::{AuditMetrics, StoreMetrics};

/// A store, as its metrics see it.
pub(crate) struct StoreNumbers(pub(crate) Store);

impl StoreMetrics for StoreNumbers {
    fn statements(&self) -> u64 {
        self.0.statements()
    }

    fn idle_connections(&self) -> u64 {
        self.0.connections().and_then(|(idle, _)| u64::try_from(idle).ok()).unwrap_or_default()
    }

    fn connection_limit(&self) -> u64 {
        self.0.connections().map_or(0, |(_, most)| most.into())
    }
}

/// An audit log, as its metrics see it.
pub(crate) struct AuditNumbers(pub(crate) AuditLog);

impl AuditMetrics for AuditNumbers {
    fn records(&self) -> u64 {
        self.0.counts().records
    }

    fn waiting(&self) -> u64 {
        self.0.counts().waiting
    }

    fn failures(&self) -> u64 {
        self.0.counts().failures
    }
}
