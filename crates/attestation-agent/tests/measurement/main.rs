//! Runtime measurements: deaths, failures, other writers, the files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod deaths;
mod evidence;
mod extends;
mod failures;
mod files;
mod limits;
mod random;
mod restarts;
mod world;
