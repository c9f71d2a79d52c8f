//! The server: connections, TLS, and the end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::{Connection, KeyBroker, Settings};

/// How long to wait after the system refused a connection (no descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Why a TLS identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("cannot read {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Certificate and key do not serve.
    #[error("the certificate {} and its key cannot be used: {why}", certificate.display())]
    Unusable {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// Why.
        why: rustls::Error,
    },
}

/// A certificate with its key, from files, and read again on demand.
pub struct TlsIdentity {
    certificate: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
}

impl TlsIdentity {
    /// Reads a certificate chain and its private key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let config = server_config(certificate, key)?;
        Ok(TlsIdentity {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            config: ArcSwap::from_pointee(config),
        })
    }

    /// Reads both files again, for new connections.
    ///
    /// # Errors
    /// [`TlsError`]; what was read before stays in use then.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = server_config(&self.certificate, &self.key)?;
        self.config.store(Arc::new(config));
        Ok(())
    }
}

fn server_config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let file = |path: &Path, why: String| TlsError::File { path: path.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(file(certificate, "it holds no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, error.to_string()))?;
    let unusable = |why| TlsError::Unusable { certificate: certificate.to_owned(), why };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

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
    let graceful = GracefulShutdown::new();
    let router = broker.router();
    let places = Arc::new(Semaphore::new(broker.settings().connections));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // A place first: who finds none waits in the system's queue.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let Ok(place) = place else { break };
        match accepted {
            Ok((stream, peer)) => {
                let connection = NewConnection {
                    broker: broker.clone(),
                    router: router.clone(),
                    watcher: graceful.watcher(),
                    place,
                };
                let identity = tls.clone();
                tokio::spawn(connection.serve(stream, peer, identity));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    broker.start_draining();
    tracing::info!(connections = graceful.count(), "stopping");
    if tokio::time::timeout(broker.settings().drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off: they took longer than the drain allows");
    }
}

/// A connection that was accepted, and what it needs.
struct NewConnection {
    broker: KeyBroker,
    router: Router,
    watcher: Watcher,
    place: OwnedSemaphorePermit,
}

impl NewConnection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, identity: Option<Arc<TlsIdentity>>) {
        // Answers are one write each: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        match identity {
            None => self.speak(stream, Connection { peer, tls: false }).await,
            Some(identity) => {
                let acceptor = TlsAcceptor::from(identity.config.load_full());
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream, Connection { peer, tls: true }).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
                }
            }
        }
    }

    async fn speak<S>(self, stream: S, connection: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let NewConnection { broker, router, watcher, place } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection);
            router.clone().call(request.map(Body::new))
        });
        broker.metrics().connected();
        let served = http(&broker.settings()).serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(served).await {
            tracing::debug!(peer = %connection.peer, %error, "connection ended");
        }
        broker.metrics().disconnected();
        drop(place);
    }
}

fn http(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_header_size(settings.header_bytes)
        .max_buf_size(settings.header_bytes.max(64 << 10));
    builder
}
