//! The key broker service: RCAR, sessions, resources, resource policy, administration.
//!
//! ```text
//! auth ──sealed cookie──▶ attest ──evidence──▶ attestation service ──token──▶ session
//! session or bearer token ──▶ Attested ──resource policy──▶ Release ──▶ JWE
//! ```
//! - [`KeyBroker`] is the service; [`KeyBroker::router`] its HTTP interface, [`serve`] the server
//!   around it, [`KeyBroker::housekeeping`] its care.
//! - [`ENDPOINTS`] is the one table of methods and paths: which roles may use them, what they take and give.
//!   The check of roles and the OpenAPI document ([`openapi`]) are made from it.
//! - [`RequestError`] is everything that can go wrong with a request; one place turns it into a
//!   status and a problem body.
//!
//! Beside RCAR there is the attestation service's own interface, closed unless a setting opens it, whose
//! tokens are good for the same; and Veraison's interface: challenge-response sessions and the submission
//! of endorsements.
//!
//! `auth` keeps no state: the challenge travels in the cookie, sealed. A challenge yields one token
//! once, because the store takes each challenge once. No policy is compiled, no key parsed and no
//! lock held across I/O while a request is served.

mod admin;
mod attest;
mod attestation;
mod audit_endpoints;
mod audited;
mod auth;
mod broker;
mod challenge;
mod credentials;
mod endpoints;
mod error;
mod health;
mod limits;
mod metrics;
mod middleware;
mod openapi;
mod origin;
mod problem;
mod release;
mod resource;
mod routes;
mod schemas;
mod server;
mod session;
mod settings;
mod veraison;
mod verdict;
mod wellknown;

pub use broker::{KeyBroker, Parts, StartError};
pub use challenge::{SESSION_SEALING_PURPOSE, rotate_session_sealing_key};
pub use endpoints::{Access, Content, ENDPOINTS, Endpoint};
pub use error::RequestError;
pub use limits::Rate;
pub use metrics::describe_metrics;
pub use openapi::openapi;
pub use server::serve;
pub use settings::Settings;
pub use veraison::{Cmw, CmwType, NotCmw};
