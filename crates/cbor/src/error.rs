//! What is wrong with the input, and where.

/// Why input is not the CBOR that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CBOR, byte {offset}: {problem}")]
pub struct CborError {
    /// The offset of the byte at which the item that is wrong begins.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The input ends inside an item.
    #[error("the input ends inside an item")]
    Truncated,
    /// There are bytes after the item.
    #[error("{count} bytes after the end of the item")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A string, array or map of indefinite length (RFC 8949, 3.2).
    #[error("an indefinite length; only definite lengths are read")]
    Indefinite,
    /// Additional information 28 to 30, or a simple value below 32 in two bytes (RFC 8949, 3 and 3.3).
    #[error("not well-formed: initial byte {byte:#04x}")]
    Reserved {
        /// The item's first byte.
        byte: u8,
    },
    /// A text string that is not UTF-8.
    #[error("a text string that is not UTF-8")]
    NotUtf8,
    /// A key that the map had already.
    #[error("the map has the key {key} twice")]
    DuplicateKey {
        /// The key in diagnostic notation, cut after 64 characters.
        key: String,
    },
    /// More levels of arrays, maps and tags than allowed.
    #[error("more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More items than allowed.
    #[error("more than {limit} items")]
    TooManyItems {
        /// The limit.
        limit: usize,
    },
    /// More bytes than allowed.
    #[error("{found} bytes; at most {limit} are read")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The number of bytes found.
        found: usize,
    },
}
