//! What goes wrong on purpose.

use std::time::Duration;

/// Faults of the platform, for tests of what uses it. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How long a report takes that is not there yet.
    pub answer_after: Duration,
    /// So many requests for a report fail with EBUSY; it counts down.
    pub busy_times: u32,
    /// So many times someone else writes to the entry between the guest's last write and its report, which is then
    /// about that other data; it counts down. The generation shows it.
    pub steal_generation: u32,
    /// Every extension of a register fails with this error number (errno(3), such as 5 for EIO), and changes
    /// nothing.
    pub fail_extend: Option<i32>,
    /// Reports are filled up with zeros to this number of bytes.
    pub oversized_outblob: Option<usize>,
}
