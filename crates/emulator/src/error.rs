//! What can be wrong with a wish.

use assay_types::{Tee, TooLong};

/// Why the emulator did not make what was asked for. The fault is always the caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmulatorError {
    /// No emulator for this TEE.
    #[error("no emulator for the TEE {tee}; there is one for snp, tdx, sgx, cca and sample")]
    UnsupportedTee {
        /// The TEE asked for.
        tee: Tee,
    },
    /// Quotes and collateral of Intel were asked for, and the TEE is not Intel's.
    #[error("quotes and collateral are made for tdx and sgx, not for {tee}")]
    NotIntel {
        /// The TEE asked for.
        tee: Tee,
    },
    /// A field that this TEE does not have.
    #[error("the emulated TEE {tee} has no field {name:?}; it has {known}")]
    UnknownField {
        /// The TEE.
        tee: Tee,
        /// The name as given, cut after 64 characters.
        name: String,
        /// All names, with commas between.
        known: String,
    },
    /// A field was set twice.
    #[error("the field {name} is set twice")]
    FieldTwice {
        /// The field.
        name: String,
    },
    /// A field was set to something that it cannot hold.
    #[error("the field {name} cannot be {value:?}: expected {expected}")]
    BadValue {
        /// The field.
        name: String,
        /// The value as given, cut after 64 characters.
        value: String,
        /// What would be right, in words.
        expected: String,
    },
    /// The report data do not fit.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A date that certificates cannot express (they can express the years 0000 to 9999).
    #[error("{seconds} seconds after 1970 is no date that a certificate can hold")]
    Date {
        /// Seconds since 1970-01-01T00:00:00Z.
        seconds: i64,
    },
}
