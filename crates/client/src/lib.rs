//! The guest's client of a key broker service (RCAR protocol 0.4.0) and the administrator's client.
//!
//! [`KbsClient`] attests a guest and fetches its secrets:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use assay_client::{ClientError, EvidenceProvider, KbsClient};
//! # use assay_types::{Clock, ResourcePath};
//! # async fn example(
//! #     provider: Arc<dyn EvidenceProvider>, clock: Arc<dyn Clock>, path: ResourcePath,
//! # ) -> Result<(), ClientError> {
//! let client = KbsClient::builder("https://kbs.example")?
//!     .evidence_provider(provider)
//!     .clock(clock)
//!     .build()?;
//! let secret = client.resource(&path).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Tokens come from the key broker by RCAR, or from an attestation service
//! ([`KbsClientBuilder::passport`]); [`PassportClient`] gets tokens alone. [`KbsClient::get`] asks any
//! plugin of the key broker, and [`KbsClient::token_and_key`] hands out what a session rests on. A service
//! may have several addresses ([`KbsClient::builder_of`]).
//!
//! [`AdminClient`] manages resources, policies and reference values with an administrator's token.
//!
//! # What is retried
//! - Connections that fail, answers 429 and 5xx: with exponential backoff and full jitter,
//!   `Retry-After` obeyed, a bounded number of attempts and a total deadline ([`RetryPolicy`]). Each
//!   attempt at an attestation is a new handshake with a new challenge, key and evidence.
//! - 401 at a resource: once, after one new attestation.
//! - A denial: never. But when the token was not new (10 s), the next call attests anew: what the server
//!   knows of the guest may have changed.
//! - At the next address of the service, without waiting: what makes an address unavailable, and a TLS
//!   certificate that is not accepted. Where all fail, every outcome is in the error.
//! - Nothing else. A denial stays one, however often it is asked for. The administrator's client
//!   retries nothing.
//!
//! # What is trusted
//! TLS is verified against the system's roots, or only against the certificates given. Plain `http`
//! is spoken to loopback addresses only, unless an option spelled as a danger allows more. No
//! redirect is followed; no proxy is used, and environment variables such as `HTTPS_PROXY` are not
//! read. Every answer is bounded. The token's signature is not verified: it speaks to others. Secrets
//! are encrypted to the guest's own key, made anew for each attestation and wiped when dropped.
//!
//! Building a client installs aws-lc-rs as the process's rustls provider if none is installed yet.
//! Both clients need a tokio runtime.

mod addresses;
mod admin;
mod builder;
mod connection;
mod cookie;
mod error;
mod evidence;
mod handshake;
mod kbs;
mod options;
mod passport;
mod passport_client;
mod rcar;
mod retry;
mod sessions;
mod token;
mod token_and_key;

pub use admin::{AdminClient, AdminClientBuilder};
pub use builder::KbsClientBuilder;
pub use error::{Attempt, ClientError};
pub use evidence::{EvidenceError, EvidenceProvider};
pub use kbs::KbsClient;
pub use passport_client::{PassportClient, PassportClientBuilder};
pub use retry::{RetryPolicy, SystemWaiting, Waiting};
pub use token::Token;
pub use token_and_key::TokenAndKey;
