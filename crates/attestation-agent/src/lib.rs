//! The Attestation Agent: the daemon in the guest.
//!
//! ```text
//! faces (ttRPC, gRPC, REST) --Caller--> Api (Agent) --> device thread: attester, registers, event log
//!                                          |-- tokens: key broker (RCAR) or attestation service (passport)
//!                                          |-- secrets: resources, sealed secrets, files
//! ```
//! Each face finds out who calls ([`caller::Caller`]); what that caller may do is decided in one place, the
//! agent's core. No verifier is in here.

pub mod agent;
pub mod api;
pub mod caller;
pub mod clock;
pub mod detect;
pub mod device;
pub mod error;
pub mod evidence;
pub mod faces;
pub mod init_data;
pub mod measurement;
pub mod metrics;
pub mod notify;
pub mod program;
pub mod secrets;
pub mod settings;
pub mod state;

/// The messages and services on the wire, generated from `proto/`.
#[allow(missing_docs, clippy::as_conversions, clippy::wildcard_imports, unreachable_pub)]
pub mod proto {
    /// Package `attestation_agent`.
    pub mod attestation_agent {
        tonic::include_proto!("attestation_agent");
    }
    /// Package `api`: the secret delivery of the Confidential Data Hub.
    pub mod confidential_data_hub {
        tonic::include_proto!("api");
    }
}
