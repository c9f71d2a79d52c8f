//! Collateral as Intel's services serve it, against a double on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod bundles;
mod double;
mod refresh;
mod routes;
mod validity;
mod world;
