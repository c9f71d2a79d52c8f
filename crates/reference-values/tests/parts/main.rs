//! The provider as a part of its own, and its clients, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod doubles;
mod roles;
mod single;
mod whole;
mod wire;
mod world;
