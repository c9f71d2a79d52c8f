//! The attestation service's own door: what goes over the wire, who may do what, and what comes of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod door;
mod grpc;
mod guests;
mod rest;
mod rights;
mod wire;
