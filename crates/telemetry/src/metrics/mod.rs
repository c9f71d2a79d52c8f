//! Metrics in one style: the metrics of each part, shown together. All labels have few values: no path, no
//! address, no name of anything that somebody else chose.

mod face;
mod process;
mod set;
mod source;

pub use face::FaceMetrics;
pub use process::{AuditMetrics, ProcessMetrics, StoreMetrics};
pub use set::{MetricEntry, MetricSet, MetricsPage, OPENMETRICS};
