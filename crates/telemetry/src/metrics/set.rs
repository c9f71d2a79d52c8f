use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

/// The media type of the page.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric as its readers know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricEntry {
    /// The name, without the ending that a counter (`_total`) or an information (`_info`) has on the page.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// The labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// The metrics of one part, all with its prefix, and the list of them.
pub struct MetricSet {
    prefix: &'static str,
    registry: Registry,
    entries: Vec<MetricEntry>,
}

impl MetricSet {
    /// An empty set; its names begin with `prefix` and `_`.
    pub fn new(prefix: &'static str) -> Self {
        MetricSet { prefix, registry: Registry::with_prefix(prefix), entries: Vec::new() }
    }

    /// Takes `metric` in, and gives it back.
    pub fn add<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        metric: M,
    ) -> M {
        let kind = match metric.metric_type() {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
            MetricType::Unknown => "unknown",
        };
        self.registry.register(name, help, metric.clone());
        self.entry(name, kind, labels, help);
        metric
    }

    /// Takes in what does not change: the version of the program, as the label `version`.
    pub fn add_version(&mut self, name: &'static str, help: &'static str) {
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        self.registry.register(name, help, Info::new(version));
        self.entry(name, "info", &["version"], help);
    }

    fn entry(&mut self, name: &str, kind: &'static str, labels: &'static [&'static str], help: &'static str) {
        self.entries.push(MetricEntry { name: format!("{}_{name}", self.prefix), kind, labels, help });
    }
}

/// Everything that `/metrics` shows. A clone is another handle of the same.
#[derive(Clone, Default)]
pub struct MetricsPage {
    sets: Arc<RwLock<Vec<Arc<MetricSet>>>>,
}

impl MetricsPage {
    /// Shows `set` too from now on.
    pub fn add(&self, set: MetricSet) {
        self.sets.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(set));
    }

    /// The page, in the OpenMetrics text format ([`OPENMETRICS`]).
    ///
    /// # Errors
    /// What writing a number as text can fail with.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::new();
        for set in sets {
            encode_registry(&mut text, &set.registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// Every metric of the page, in its order; those also that have no value yet and so are not shown.
    pub fn entries(&self) -> Vec<MetricEntry> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.iter().flat_map(|set| set.entries.iter().cloned()).collect()
    }
}
