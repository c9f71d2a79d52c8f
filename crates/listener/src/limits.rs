//! What a server allows.

use std::time::Duration;

/// Bounds on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The greatest number of connections at a time; others wait in the system's queue.
    pub connections: usize,
    /// The largest header of a request, in bytes, at least 8192: with HTTP/1.1 as it is written, request
    /// line included; with HTTP/2 names and values and 32 bytes for each field (RFC 9113, 6.5.2).
    pub header_bytes: usize,
    /// How long a header may take to arrive; a connection without a request is closed after it too.
    pub header_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long requests under way may take after the shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    /// 4096 connections; 64 KiB of header within 15 seconds; 10 seconds for a handshake, 10 to drain.
    fn default() -> Self {
        Limits {
            connections: 4096,
            header_bytes: 64 << 10,
            header_timeout: Duration::from_secs(15),
            handshake: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// The versions of HTTP that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/1.1 (RFC 9112) alone.
    Http1,
    /// HTTP/1.1 and HTTP/2 (RFC 9113) on one port: by ALPN (RFC 7301), else by the connection's first
    /// bytes, with TLS and without.
    Http1And2,
}
