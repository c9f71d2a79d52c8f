//! Serving connections: TLS with and without client certificates, HTTP/1.1 and HTTP/2, limits, the
//! graceful end.
//!
//! ```text
//! accept ──place──▶ TLS handshake ──ALPN or first bytes──▶ HTTP/1.1 | HTTP/2 ──▶ router
//!                       │ client certificate, verified        each request carries its Connection
//! ```
//! - [`serve`] serves a router on a listener until it is told to stop, and then drains.
//! - [`TlsIdentity`] is what the server shows of itself, and which clients it believes; its files can
//!   be read again while it serves.
//! - [`Connection`] stands in the extensions of every request.
//!
//! Who a client is, this crate proves; what it may do is decided elsewhere.

mod connection;
mod first_bytes;
mod identity;
mod limits;
mod serve;

pub use connection::Connection;
pub use identity::{TlsError, TlsIdentity};
pub use limits::{Limits, Protocols};
pub use serve::{Observer, serve};
