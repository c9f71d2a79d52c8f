//! The faces of the agent: how requests come in and answers go out. None of them decides anything.
//!
//! ```text
//! Listener::bind(settings) --Bound--> serve: accept --Connection { peer, admitted? }--> ttRPC | gRPC | REST
//!                                                    each request --Caller--> Api; AgentError --Outcome--> status
//! ```
//! ttRPC is spoken by our own few lines ([`ttrpc`]), not by the crate of that name, which is the test's
//! other end instead. That crate starts a task for every request that arrives, however many there are and
//! whether or not the answers are read, so that one peer fills the memory; it reads a frame for as long as
//! the peer likes; it shows whole payloads, secrets among them, in its log of level `trace`.

mod address;
mod answer;
mod budget;
mod calls;
pub mod client;
pub(crate) mod codec;
mod connection;
mod dispatch;
mod grpc;
mod listener;
mod metered;
mod places;
mod rest;
mod settings;
pub mod ttrpc;
mod unix;

pub use address::{Address, NotAnAddress};
pub use answer::Outcome;
pub use budget::{Budget, LARGE, LARGE_REQUESTS};
pub use dispatch::{Method, decode_request};
pub use listener::{Bound, bind, serve};
pub use rest::query::{EvidenceQuery, Query, TokenQuery};
pub use settings::{
    Limits, ListenError, ListenerSettings, Protocol, REQUEST_TIMEOUT, Readiness, RestExtras, Services,
};
