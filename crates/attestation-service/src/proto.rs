//! The messages of the gRPC interface, and both of its sides, made from `proto/attestation.proto`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::wildcard_imports,
    unreachable_pub,
    reason = "generated"
)]

tonic::include_proto!("attestation");

/// The description of the messages and the service, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("attestation");
