//! A client of HashiCorp Vault: authentication, secrets (KV v1 and v2), the transit engine.
//!
//! What is spoken is Vault's HTTP API, version 1 (`/v1/…`); OpenBao speaks the same. A
//! [`VaultClient`] logs in by itself and keeps its token alive; [`Kv`] is a mount of the KV engine
//! and [`TransitKey`] a key of the transit engine, both with paths that are checked before they are
//! sent.
//!
//! # Rules
//! - TLS is always verified, and there is no way to turn that off. Plain HTTP is spoken to loopback
//!   addresses only, unless a setting spelled like a danger says otherwise.
//! - Redirects are not followed: a token goes to the address that was configured and nowhere else.
//! - Every call has a deadline, every answer a bound.
//! - Tokens, secret ids and values are in no error, log or `Debug`. Our own copies are wiped when
//!   dropped; the buffers of the TLS and HTTP libraries are not ours to wipe.
//!
//! [`double`] is a server that speaks the same API, for tests and for `assay emulate vault`.

mod client;
mod connection;
pub mod double;
mod error;
mod health;
mod kv;
mod login;
mod path;
mod secret_file;
mod secret_text;
mod settings;
mod token;
mod transit;
mod transport;

pub use client::VaultClient;
pub use error::VaultError;
pub use health::Health;
pub use kv::{Entry, Kv, KvSecret, KvVersion};
pub use path::VaultPath;
pub use secret_text::SecretText;
pub use settings::{VaultAuth, VaultSettings};
pub use transit::TransitKey;
