//! The settings of the verifiers.
