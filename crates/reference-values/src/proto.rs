//! The messages of the gRPC interfaces, and both of their sides, made from the files in `proto/`.
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

/// Trustee's interface, `reference.proto`.
pub mod reference {
    tonic::include_proto!("reference");
}

/// Assay's own interface: the whole set, and changes to it.
pub mod assay_v1 {
    tonic::include_proto!("assay.reference_values.v1");
}

/// The description of the messages and services, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("reference_values");
