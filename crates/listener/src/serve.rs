//! Accepting connections, serving them, and the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service as _;

use crate::first_bytes::is_http2;
use crate::{Connection, Limits, Protocols, TlsIdentity};

/// How long to wait after the system refused a connection (no descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The greatest number of requests under way on one HTTP/2 connection (RFC 9113, 5.1.2).
const STREAMS: u32 = 128;

/// How many requests that the client reset at once may wait to be forgotten; with more the connection
/// ends (CVE-2023-44487, "rapid reset").
const RESET_STREAMS: usize = 32;

/// How many errors of a client on its streams are answered before the connection ends.
const STREAM_ERRORS: usize = 128;

/// How often an HTTP/2 client is asked whether it is there, and how long it has to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(10);

/// Who is told what becomes of a server's connections.
pub trait Observer: Send + Sync {
    /// A connection is there, its TLS handshake done.
    fn connected(&self) {}
    /// A connection that was there has ended.
    fn disconnected(&self) {}
    /// No more connections are taken; what is under way is finished.
    fn draining(&self) {}
}

/// Nobody is told.
impl Observer for () {}

/// Serves until `shutdown` is ready. Then it accepts nothing more, idle connections are closed and
/// requests under way are finished, for as long as `limits.drain` allows; whoever keeps the router is
/// told by [`Observer::draining`] first.
///
/// `listener` speaks TLS when there is an identity, else plain HTTP.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    tls: Option<Arc<TlsIdentity>>,
    protocols: Protocols,
    limits: Limits,
    observer: Arc<dyn Observer>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let (serving, stopping) = watch::channel(());
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
                    router: router.clone(),
                    protocols,
                    limits,
                    observer: Arc::clone(&observer),
                    watcher: graceful.watcher(),
                    stopping: stopping.clone(),
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
    drop(serving);
    observer.draining();
    tracing::info!(connections = graceful.count(), "stopping");
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off: they took longer than the drain allows");
    }
}

/// A connection that was accepted, and what it needs.
struct NewConnection {
    router: Router,
    protocols: Protocols,
    limits: Limits,
    observer: Arc<dyn Observer>,
    watcher: Watcher,
    /// Its other end is dropped when the server stops.
    stopping: watch::Receiver<()>,
    place: OwnedSemaphorePermit,
}

impl NewConnection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, identity: Option<Arc<TlsIdentity>>) {
        // Answers are one write each: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let Some(identity) = identity else {
            return self.speak(stream, Connection::new(peer, false), None).await;
        };
        let acceptor = TlsAcceptor::from(identity.config(self.protocols));
        match tokio::time::timeout(self.limits.handshake, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let connection = Connection { peer, tls: true, client: client_certificate(&stream) };
                let agreed = stream.get_ref().1.alpn_protocol().map(|name| name == b"h2");
                self.speak(stream, connection, agreed).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    /// Speaks HTTP; `agreed` says whether the client wants HTTP/2, where TLS knows.
    async fn speak<S>(mut self, stream: S, connection: Connection, agreed: Option<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.observer.connected();
        let observer = Arc::clone(&self.observer);
        let peer = connection.peer;
        match (self.protocols, agreed) {
            (Protocols::Http1, _) | (Protocols::Http1And2, Some(false)) => {
                self.speak_http1(stream, connection).await;
            }
            (Protocols::Http1And2, Some(true)) => self.speak_http2(stream, connection).await,
            (Protocols::Http1And2, None) => {
                let first = tokio::time::timeout(self.limits.header_timeout, is_http2(stream));
                let first = tokio::select! {
                    first = first => first,
                    // It has not asked for anything yet.
                    _ = self.stopping.changed() => return observer.disconnected(),
                };
                match first {
                    Ok(Ok((true, stream))) => self.speak_http2(stream, connection).await,
                    Ok(Ok((false, stream))) => self.speak_http1(stream, connection).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "connection ended"),
                    Err(_) => tracing::debug!(%peer, "the first bytes took too long"),
                }
            }
        }
        observer.disconnected();
    }

    async fn speak_http1<S>(self, stream: S, connection: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let NewConnection { router, limits, watcher, place, .. } = self;
        let peer = connection.peer;
        let served = http1_builder(&limits).serve_connection(
            TokioIo::new(stream),
            service_fn(|request| answer(&router, &connection, request)),
        );
        finish(watcher, served, peer).await;
        drop(place);
    }

    async fn speak_http2<S>(self, stream: S, connection: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let NewConnection { router, limits, watcher, place, .. } = self;
        let peer = connection.peer;
        let served = http2_builder(&limits).serve_connection(
            TokioIo::new(stream),
            service_fn(|request| answer(&router, &connection, request)),
        );
        finish(watcher, served, peer).await;
        drop(place);
    }
}

/// The router's answer to a request that knows its connection.
fn answer(
    router: &Router,
    connection: &Connection,
    mut request: Request<Incoming>,
) -> axum::routing::future::RouteFuture<std::convert::Infallible> {
    request.extensions_mut().insert(connection.clone());
    router.clone().call(request.map(Body::new))
}

async fn finish<C>(watcher: Watcher, served: C, peer: SocketAddr)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// The client's own certificate; rustls has verified it.
fn client_certificate(stream: &TlsStream<TcpStream>) -> Option<Arc<[u8]>> {
    let own = stream.get_ref().1.peer_certificates()?.first()?;
    Some(Arc::from(own.as_ref()))
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(64 << 10));
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(STREAM_ERRORS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_PATIENCE);
    builder
}
