//! A server on a socket, and clients for it.

#![allow(dead_code, unreachable_pub)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use assay_listener::{Connection, Limits, Observer, Protocols, TlsIdentity, serve};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::routing::{get, post};
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::certificates::{Ca, Identity};

/// What the observer was told.
#[derive(Default)]
pub struct Seen {
    pub open: AtomicUsize,
    pub draining: AtomicBool,
}

impl Observer for Seen {
    fn connected(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    fn disconnected(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    fn draining(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }
}

pub struct Door {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    /// What `/slow` waits for, and what it says when it began.
    pub go_on: Arc<Notify>,
    pub begun: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// `/who`: the version, whether TLS, and how long the client's certificate is. `/echo`: the body.
/// `/slow`: answers when it is told to go on.
fn router(begun: Arc<Notify>, go_on: Arc<Notify>) -> Router {
    let who = |Extension(connection): Extension<Connection>, request: Request<Body>| async move {
        let client = connection.client.map_or(0, |der| der.len());
        format!("{:?} {} {client}", request.version(), connection.tls)
    };
    let slow = move || {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        async move {
            begun.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    Router::new()
        .route("/who", get(who))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/slow", get(slow))
}

impl Door {
    pub async fn open(tls: Option<Arc<TlsIdentity>>, protocols: Protocols, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (seen, go_on, begun) =
            (Arc::new(Seen::default()), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = router(Arc::clone(&begun), Arc::clone(&go_on));
        let observer = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let stopped = async move { stopped.await.unwrap_or_default() };
            serve(router, listener, tls, protocols, limits, observer, stopped).await;
        });
        Door { address, seen, go_on, begun, stop: Some(stop), task }
    }

    pub fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub async fn ended(self) -> Arc<Seen> {
        self.task.await.unwrap();
        self.seen
    }

    pub async fn stop(mut self) -> Arc<Seen> {
        self.begin_stop();
        self.ended().await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// How a client speaks TLS.
pub struct Tls<'a> {
    pub server_ca: &'a Ca,
    pub identity: Option<&'a Identity>,
    pub alpn: &'a [&'a str],
}

impl Tls<'_> {
    pub async fn connect(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(self.server_ca.certificate.clone())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.identity {
            Some(identity) => {
                let (chain, key) = identity.for_rustls();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// A connection that speaks one version of HTTP.
pub enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub async fn new<S>(stream: S, version: Version) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            Ok(Client::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Ok(Client::Http1(sender))
        }
    }

    pub async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> hyper::Result<Response<Incoming>> {
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        let request = request.header("host", "localhost").body(body).unwrap();
        match self {
            Client::Http1(sender) => sender.send_request(request).await,
            Client::Http2(sender) => sender.send_request(request).await,
        }
    }

    pub async fn text(&mut self, method: &str, path: &str, body: &[u8]) -> hyper::Result<String> {
        let body = self.send(method, path, body).await?.into_body().collect().await?;
        Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
    }

    /// The answer of `/who`.
    pub async fn who(&mut self) -> hyper::Result<String> {
        self.text("GET", "/who", b"").await
    }
}
