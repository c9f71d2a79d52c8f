//! A key broker whose attestation service is elsewhere: asked over gRPC, or only believed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

#[path = "../world/mod.rs"]
mod world;

mod answers;
mod believed;
mod double;
mod forwarded;
mod rcar;
mod service;
