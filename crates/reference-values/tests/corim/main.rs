//! CoRIMs and JSON stores: who may register what, for how long, and what replaces what.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod editions;
mod signers;
mod stores;
mod world;
