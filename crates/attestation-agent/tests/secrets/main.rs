//! Sealed secrets and files of secrets, with a double of the key broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod broker;
mod directories;
mod leftovers;
mod passing;
mod private_file;
mod sealed;
mod task;
mod umask;
