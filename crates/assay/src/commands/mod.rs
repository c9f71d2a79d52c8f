//! The commands, one module each.

pub(crate) mod admin;
pub(crate) mod attest;
pub(crate) mod bench;
mod bench_agent;
pub(crate) mod cca;
pub(crate) mod checks;
pub(crate) mod collateral;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod emulate;
mod emulate_pcs;
mod emulate_pcs_state;
mod emulate_tsm;
pub(crate) mod endorsement;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod policy;
pub(crate) mod policy_offline;
pub(crate) mod reference_value;
pub(crate) mod resource;
pub(crate) mod sealed_secret;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod verify;
