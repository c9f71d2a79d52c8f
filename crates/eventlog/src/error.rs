//! Why bytes are not an event log.

use crate::TcgAlgorithm;

/// Why bytes are not an event log. Offsets are bytes from the start of the log, sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventLogError {
    /// The log has more bytes than are read.
    #[error("the log has {found} bytes, at most {max} are read")]
    TooLong {
        /// The number of bytes.
        found: usize,
        /// [`crate::MAX_LOG_LEN`].
        max: usize,
    },
    /// The log ends within a field. Also where a size says more than there is.
    #[error("offset {offset}: {field}: expected {expected} bytes, found {found}")]
    Truncated {
        /// Where the field begins.
        offset: usize,
        /// The field.
        field: &'static str,
        /// The bytes that the field needs.
        expected: usize,
        /// The bytes that are left.
        found: usize,
    },
    /// A field does not have the value that the format prescribes.
    #[error("offset {offset}: {field}: expected {expected}, found {found}")]
    Field {
        /// Where the field begins.
        offset: usize,
        /// The field.
        field: &'static str,
        /// What the format prescribes.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A number or size is over the limit, or zero where it must not be.
    #[error("offset {offset}: {field}: expected {min} to {max}, found {found}")]
    OutOfRange {
        /// Where the field begins.
        offset: usize,
        /// The field.
        field: &'static str,
        /// The least that is read.
        min: u32,
        /// The most that is read.
        max: u32,
        /// What is there.
        found: u32,
    },
    /// The table of algorithms gives a digest another length than the algorithm has.
    #[error("offset {offset}: digest size of {algorithm}: expected {expected}, found {found}")]
    DigestSize {
        /// Where the size stands.
        offset: usize,
        /// The algorithm.
        algorithm: TcgAlgorithm,
        /// The length of its digests.
        expected: usize,
        /// What the table says.
        found: usize,
    },
    /// The table of algorithms names one twice.
    #[error("offset {offset}: algorithm {algorithm} is in the table twice")]
    RepeatedAlgorithm {
        /// Where it stands the second time.
        offset: usize,
        /// The algorithm.
        algorithm: TcgAlgorithm,
    },
    /// A digest is of an algorithm that the table does not name, so that its length is unknown.
    #[error("offset {offset}: digest algorithm: expected one of the log's table, found {algorithm}")]
    AlgorithmNotInTable {
        /// Where the algorithm's number stands.
        offset: usize,
        /// The algorithm.
        algorithm: TcgAlgorithm,
    },
    /// The log has more events than are read.
    #[error("offset {offset}: expected the end of the log after {max} events, found another")]
    TooManyEvents {
        /// Where the first event over the limit begins.
        offset: usize,
        /// [`crate::MAX_EVENTS`].
        max: usize,
    },
    /// Something other than padding follows the end of the log.
    #[error("offset {offset}: after the end: expected only bytes 0x{expected:02x}, found 0x{found:02x}")]
    AfterEnd {
        /// Where the first other byte stands.
        offset: usize,
        /// The byte that the padding is made of, 0x00 or 0xff.
        expected: u8,
        /// The byte that is there.
        found: u8,
    },
}
