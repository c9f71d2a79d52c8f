//! The verifiers.
