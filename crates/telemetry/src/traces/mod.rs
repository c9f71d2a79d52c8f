//! The export of spans.

pub(crate) mod attribute;
mod batches;
mod exporter;
mod sampler;

pub use attribute::SPAN_ATTRIBUTES;
pub use batches::SpanCounts;
pub(crate) use batches::{Batches, Flush};
pub(crate) use exporter::exporter;
pub(crate) use sampler::{Ratio, sampler};
