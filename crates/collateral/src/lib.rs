//! Collateral for verifiers: certificates, revocation lists and TCB information, from a chain of
//! sources. This crate does the only network I/O of verification.
//!
//! A verifier names what it lacks ([`CollateralRequest`](assay_types::CollateralRequest)); a
//! [`CollateralService`] looks, in this order,
//!
//! 1. in the **offline folder**, laid out like Trustee's `kds-store`, when one is configured;
//! 2. in the **cache** ([`CollateralCache`]), when one is configured;
//! 3. at the **vendor's service**, when one is configured for that vendor. None is by default.
//!
//! Nothing is trusted for where it came from: the verifier checks every signature. Here an answer
//! is refused when it cannot be collateral at all: empty, larger than the request allows, or an HTML
//! page; and where an inspector is set for its vendor, when it is not genuine. So that a wrong answer
//! cannot stick in the cache, whoever finds one unfit tells [`CollateralService::discard`].
//!
//! # Validity
//! An [inspector](assay_types::CollateralInspector) says for how long a piece is valid. Then
//! - a valid copy in the cache serves at once, whatever the vendor's service does;
//! - an expired one does not serve: the vendor is asked, and if that fails, the error names the expiry;
//!   an expired file in the offline folder serves only where nothing better is to be had;
//! - an answer of the vendor that is older than the valid copy does not replace it;
//! - [`CollateralService::spawn_refresher`] fetches pieces anew ahead of their end.
//!
//! Collateral that is not inspected has no known end: certificates stay, and revocation lists are
//! fetched anew from a certain age.
//!
//! # Without a network
//! [`Bundle`] is a signed file of collateral; [`CollateralService::import`] takes it over.
//!
//! # Behaviour towards the vendor
//! - Requests for the same piece share one fetch. A caller that goes away does not end it.
//! - After `429`, or any answer with `Retry-After`, the vendor is left alone for as long as it said
//!   (at most an hour), else for 10 seconds, doubling to 10 minutes. Meanwhile every fetch that
//!   would need the vendor fails at once as [`CollateralError::Transient`] with the time to wait.
//!   Repeated failures of any other kind pause in the same way, from one second to one minute.
//! - A `404` (or another refusal of this one request) is remembered for a minute.
//! - A fetch ends at its deadline, whatever the sources do.
//! - No redirect is followed. No proxy is used: environment variables such as `HTTPS_PROXY` are not
//!   read. TLS is verified against the system's roots, or only against those given.
//!
//! Building a service installs aws-lc-rs as the process's rustls provider if none is installed yet.

mod builder;
pub mod bundle;
mod bundle_signer;
mod cache;
mod chain;
mod configuration_error;
mod endpoint;
mod error;
mod export;
mod flight;
mod folder;
mod fresh;
mod http;
mod http_settings;
mod import;
mod inspectors;
mod issuer_chain;
mod memory_cache;
mod pacing;
mod recent_cache;
mod refresh;
mod refusals;
mod service;
mod suspects;
mod uses;

pub use builder::CollateralServiceBuilder;
pub use bundle::{Bundle, BundleError, BundleItem};
pub use bundle_signer::BundleSigner;
pub use cache::{Cached, CollateralCache, Entry, Listed, Use};
pub use configuration_error::ConfigurationError;
pub use error::{Attempt, AttemptOutcome, CollateralError, Miss, Source};
pub use export::Exported;
pub use http_settings::{HttpSettings, Route, SecretHeader};
pub use import::{ImportError, ImportOptions, Imported, Step, Unfit};
pub use issuer_chain::decode as decode_issuer_chain;
pub use memory_cache::MemoryCache;
pub use recent_cache::RecentCache;
pub use refresh::{RefreshReport, RefreshSettings, Refreshed, Refresher};
pub use service::{CollateralService, Gathered};
