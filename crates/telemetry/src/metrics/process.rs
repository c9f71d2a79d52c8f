//! What a process counts whatever parts it runs.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::source::Source;
use super::{MetricSet, MetricsPage};
use crate::SpanCounts;

/// What the store counts. Asked whenever the page is made: it must not block.
pub trait StoreMetrics: Send + Sync {
    /// SQL statements since the start.
    fn statements(&self) -> u64;
    /// Connections to a database server that are open and that nobody uses.
    fn idle_connections(&self) -> u64;
    /// The most connections to a database server that there may be; 0 where there is no server.
    fn connection_limit(&self) -> u64;
}

/// What the audit log counts. Asked whenever the page is made: it must not block.
pub trait AuditMetrics: Send + Sync {
    /// Records since the start.
    fn records(&self) -> u64;
    /// Records that wait to be stored.
    fn waiting(&self) -> u64;
    /// Attempts to store records that failed.
    fn failures(&self) -> u64;
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The metrics of a process. A clone is another handle of the same.
#[derive(Clone)]
pub struct ProcessMetrics {
    reloads: Family<ResultLabel, Counter>,
    store: Arc<Source<dyn StoreMetrics>>,
    audit: Arc<Source<dyn AuditMetrics>>,
    spans: Arc<Source<SpanCounts>>,
}

impl ProcessMetrics {
    /// Puts them on `page`, under the prefix `assay`.
    pub fn new(page: &MetricsPage) -> Self {
        let mut set = MetricSet::new("assay");
        set.add_version("process", "The program");
        let reloads = set.add(
            "config_reloads",
            "Attempts to take up a changed configuration or file",
            &["result"],
            Family::default(),
        );
        let store: Source<dyn StoreMetrics> = Source::new();
        set.add("store_statements", "SQL statements", &[], store.counter(|store| store.statements()));
        set.add(
            "store_idle_connections",
            "Open connections to the database server that nobody uses",
            &[],
            store.gauge(|store| store.idle_connections()),
        );
        set.add(
            "store_connection_limit",
            "The most connections to the database server; 0 with SQLite",
            &[],
            store.gauge(|store| store.connection_limit()),
        );
        let audit: Source<dyn AuditMetrics> = Source::new();
        set.add("audit_records", "Audit records stored", &[], audit.counter(|audit| audit.records()));
        set.add(
            "audit_waiting_records",
            "Audit records that wait to be stored",
            &[],
            audit.gauge(|audit| audit.waiting()),
        );
        set.add(
            "audit_failures",
            "Attempts to store audit records that failed",
            &[],
            audit.counter(|audit| audit.failures()),
        );
        let spans: Source<SpanCounts> = Source::new();
        set.add("otel_spans_exported", "Spans the collector took", &[], spans.counter(SpanCounts::exported));
        set.add(
            "otel_spans_failed",
            "Spans the collector did not take",
            &[],
            spans.counter(SpanCounts::failed),
        );
        set.add(
            "otel_spans_dropped",
            "Spans that found the queue full",
            &[],
            spans.counter(SpanCounts::dropped),
        );
        page.add(set);
        ProcessMetrics { reloads, store: Arc::new(store), audit: Arc::new(audit), spans: Arc::new(spans) }
    }

    /// A reload was tried, and what was changed is in force or was refused.
    pub fn reloaded(&self, success: bool) {
        let result = if success { "success" } else { "failure" };
        self.reloads.get_or_create(&ResultLabel { result }).inc();
    }

    /// The store's numbers come from here.
    pub fn watch_store(&self, store: Arc<dyn StoreMetrics>) {
        self.store.set(store);
    }

    /// The audit log's numbers come from here.
    pub fn watch_audit(&self, audit: Arc<dyn AuditMetrics>) {
        self.audit.set(audit);
    }

    /// The numbers about spans come from here.
    pub fn watch_spans(&self, spans: Arc<SpanCounts>) {
        self.spans.set(spans);
    }
}
