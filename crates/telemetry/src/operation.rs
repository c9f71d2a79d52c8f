use crate::{MetricsPage, Readiness};

/// What the parts of one process share: a clone is another handle of the same.
#[derive(Clone, Default)]
pub struct Operation {
    /// What must be there for the process to serve.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: MetricsPage,
}
