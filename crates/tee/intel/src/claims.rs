//! The claims handed to policies.
