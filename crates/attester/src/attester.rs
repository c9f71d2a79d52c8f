//! The traits.

use std::time::Instant;

use assay_types::{Digest, HashAlgorithm, Tee};
use serde_json::Value;

use crate::AttesterError;

/// What evidence is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceRequest<'a> {
    /// What the evidence is to be bound to. Each TEE says how many bytes it takes and pads them with
    /// zeros on the right; more are an error, never cut off.
    pub report_data: &'a [u8],
    /// The AAEL entries that the agent has written, as bytes of the log; empty without any. Only a TEE
    /// whose evidence carries an event log uses them.
    pub aael: &'a [u8],
    /// When the attester stops waiting for the device.
    pub deadline: Instant,
}

/// One TEE of this guest.
pub trait Attester: Send {
    /// The TEE.
    fn tee(&self) -> Tee;

    /// Evidence in the JSON form of its TEE.
    ///
    /// # Errors
    /// [`AttesterError`]; see its variants.
    fn evidence(&mut self, request: &EvidenceRequest<'_>) -> Result<Value, AttesterError>;

    /// Compares the digest of the init data with the field that the platform set at launch.
    /// Nothing is changed, so that it can be asked any number of times.
    ///
    /// # Errors
    /// [`AttesterError::InitDataMismatch`] when the platform has another value, and the errors of
    /// reading it.
    fn bind_init_data(
        &mut self,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<InitDataBinding, AttesterError>;

    /// The registers that can be extended at run time, where the platform has any.
    fn registers(&mut self) -> Option<&mut dyn MeasurementRegisters> {
        None
    }
}

/// Whether init data are bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitDataBinding {
    /// The platform's field holds the digest.
    Bound {
        /// The field, such as `MRCONFIGID`.
        field: &'static str,
    },
    /// The platform cannot say, or its field cannot be read from inside the guest. The verifier may
    /// still see it.
    Unbound {
        /// Why, in words.
        why: String,
    },
}

/// Registers that only grow: `new = H(old ‖ digest)`.
pub trait MeasurementRegisters {
    /// The hash of the registers and of what extends them.
    fn algorithm(&self) -> HashAlgorithm;

    /// The register index in the event log for the number of a PCR, as callers name registers.
    ///
    /// # Errors
    /// [`AttesterError::NoSuchRegister`].
    fn log_index(&self, pcr: u64) -> Result<u32, AttesterError>;

    /// The name of the register with this index in the event log, such as `RTMR3`.
    ///
    /// # Errors
    /// [`AttesterError::NoSuchRegister`].
    fn name(&self, log_index: u32) -> Result<&'static str, AttesterError>;

    /// The value of the register with this index in the event log.
    ///
    /// # Errors
    /// [`AttesterError::NoSuchRegister`] and [`AttesterError::Device`].
    fn read(&mut self, log_index: u32) -> Result<Digest, AttesterError>;

    /// Extends the register with this index in the event log.
    ///
    /// # Errors
    /// [`AttesterError::NoSuchRegister`], [`AttesterError::WrongDigest`] and [`AttesterError::Device`].
    fn extend(&mut self, log_index: u32, digest: &Digest) -> Result<(), AttesterError>;
}
