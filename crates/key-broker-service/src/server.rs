//! The server around the service.

use std::future::Future;
use std::sync::Arc;

use assay_listener::{Limits, Observer, Protocols, TlsIdentity};
use tokio::net::TcpListener;

use crate::{KeyBroker, Settings};

/// Serves until `shutdown` is ready. Then it accepts nothing more, `/readyz` turns to 503, idle
/// connections are closed and requests under way are finished, for as long as the settings allow.
///
/// `listener` speaks TLS when there is an identity, else plain HTTP/1.1.
pub async fn serve(
    broker: &KeyBroker,
    listener: TcpListener,
    tls: Option<Arc<TlsIdentity>>,
    shutdown: impl Future<Output = ()>,
) {
    let limits = limits(&broker.settings());
    let observer = Arc::new(Watch(broker.clone()));
    assay_listener::serve(broker.router(), listener, tls, Protocols::Http1, limits, observer, shutdown).await;
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        connections: settings.connections,
        header_bytes: settings.header_bytes,
        header_timeout: settings.header_timeout,
        drain: settings.drain,
        ..Limits::default()
    }
}

/// Counts connections, and knows that the end has begun.
struct Watch(KeyBroker);

impl Observer for Watch {
    fn connected(&self) {
        self.0.metrics().connected();
    }

    fn disconnected(&self) {
        self.0.metrics().disconnected();
    }

    fn draining(&self) {
        self.0.start_draining();
    }
}
