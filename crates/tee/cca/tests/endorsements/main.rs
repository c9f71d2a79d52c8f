//! Endorsements: the published CoRIMs and JSON stores, and each rule of the profiles by itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod corims;
mod json;
mod profile;
mod properties;
mod vectors;
