//! What a request knows of its connection.

use std::net::SocketAddr;
use std::sync::Arc;

/// The connection that a request came over; [`serve`](crate::serve) puts it into the extensions of
/// every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other end of the socket: a client or a proxy.
    pub peer: SocketAddr,
    /// Whether it is TLS.
    pub tls: bool,
    /// The client's own certificate (DER). TLS has verified its chain, its dates and that the client
    /// has its key; whose it is, and what that may do, nobody has looked at yet.
    pub client: Option<Arc<[u8]>>,
}

impl Connection {
    /// A connection without a client certificate.
    pub fn new(peer: SocketAddr, tls: bool) -> Self {
        Connection { peer, tls, client: None }
    }
}
