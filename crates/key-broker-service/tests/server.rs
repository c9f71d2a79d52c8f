//! The server on real sockets: existing clients, TLS, limits of connections and headers, the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assay_client::{ClientError, EvidenceError, EvidenceProvider, KbsClient};
use assay_emulator::Emulator;
use assay_key_broker_service::{Settings, serve};
use assay_listener::TlsIdentity;
use assay_token::{SigningAlgorithm, SigningKey};
use assay_types::{Clock, Digest, Tee, UnixTime, Validity};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use world::{ALLOW_ALL, World, settings};

/// A server that was started, until it is stopped.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(world: &World, tls: Option<Arc<TlsIdentity>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let broker = world.broker.clone();
        let task = tokio::spawn(async move {
            serve(&broker, listener, tls, async move { stopped.await.unwrap_or_default() }).await;
        });
        Running { address, stop: Some(stop), task }
    }

    fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn stop(mut self) {
        self.begin_stop();
        self.task.await.unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await
    }
}

/// What comes until the other side closes, or breaks off.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A clock that goes on, from the time at which the emulator's certificates are valid.
struct Ticking(AtomicUsize);

impl Clock for Ticking {
    fn now(&self) -> UnixTime {
        world::NOW.plus(i64::try_from(self.0.fetch_add(1, Ordering::Relaxed) / 1000).unwrap())
    }
}

struct Emulated {
    emulator: Emulator,
    tee: Tee,
    set: Vec<(String, String)>,
}

#[async_trait::async_trait]
impl EvidenceProvider for Emulated {
    fn tee(&self) -> Tee {
        self.tee
    }

    async fn evidence(&self, digest: &Digest) -> Result<Value, EvidenceError> {
        let evidence = self.emulator.evidence(self.tee, digest.as_bytes(), None, &self.set);
        evidence.map_err(|error| EvidenceError::new(error.to_string()))
    }
}

fn client(world: &World, server: &Running, tee: Tee, set: &[(&str, &str)]) -> KbsClient {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    KbsClient::builder(&format!("http://{}", server.address))
        .unwrap()
        .evidence_provider(Arc::new(Emulated { emulator: world.emulator.clone(), tee, set }))
        .clock(Arc::new(Ticking(AtomicUsize::new(0))))
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_projects_own_client_gets_its_secret_or_the_reasons() {
    let world = World::new().await;
    world.register_good_guests().await;
    world.set_resource("default/key/1", b"the secret").await;
    let server = Running::start(&world, None).await;
    let path = "default/key/1".parse().unwrap();
    for tee in [Tee::Sample, Tee::Snp] {
        let client = client(&world, &server, tee, &[]);
        assert_eq!(client.resource(&path).await.unwrap().expose(), b"the secret");
        assert_eq!(client.verdict().await.unwrap()["status"], "affirming");
        let missing = client.resource(&"default/key/2".parse().unwrap()).await.unwrap_err();
        assert!(matches!(missing, ClientError::NotFound { .. }), "{missing:?}");
    }
    let debug = client(&world, &server, Tee::Snp, &[("policy.debug", "true")]);
    let denied = debug.resource(&path).await.unwrap_err();
    assert!(format!("{denied:?}").contains("APR-SNP-007"), "{denied:?}");
    server.stop().await;
}

/// Bytes as an existing client writes them, with a doubled slash in the path.
#[tokio::test]
async fn raw_bytes_of_an_existing_client_are_served() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("a/b/c", b"x").await;
    let server = Running::start(&world, None).await;
    let guest = world.attested(Tee::Sample, &[]).await;
    let request = format!(
        "GET /kbs/v0/resource//a/b/c HTTP/1.1\r\ncookie: kbs-session-id={}\r\naccept: */*\r\nhost: {}\r\nconnection: close\r\n\r\n",
        guest.cookie, server.address
    );
    let answer = server.exchange(request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    let jwe = serde_json::from_str(body).unwrap();
    assert_eq!(guest.key.decrypt(&jwe).unwrap().expose(), b"x");
    server.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_large_or_no_http_are_refused() {
    let world = World::with(Settings { header_bytes: 16 << 10, ..settings() }).await;
    let server = Running::start(&world, None).await;
    let token = "A".repeat(20 << 10);
    let large = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    assert!(server.exchange(large.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let many = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    assert!(server.exchange(many.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    for garbage in ["\u{16}\u{3}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let answer = server.exchange(garbage.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let healthy = server.exchange(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(healthy.starts_with("HTTP/1.1 200 "), "{healthy}");
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let world = World::with(Settings { header_timeout: Duration::from_millis(50), ..settings() }).await;
    let server = Running::start(&world, None).await;
    // Whoever says nothing, or half, is not waited for.
    server.exchange(b"").await;
    server.exchange(b"GET /healthz HT").await;
    server.stop().await;
}

#[tokio::test]
async fn beyond_the_greatest_number_connections_wait_for_a_place() {
    let world = World::with(Settings { connections: 2, ..settings() }).await;
    let server = Running::start(&world, None).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (one, two) = (server.connect().await, server.connect().await);
    let mut third = server.connect().await;
    third.write_all(request).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(100), third.readable()).await;
    assert!(waits.is_err(), "served without a place");
    drop(one);
    assert!(rest(&mut third).await.starts_with("HTTP/1.1 200 "));
    drop(two);
    server.stop().await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_after_the_end_began() {
    let world = World::new().await;
    let mut server = Running::start(&world, None).await;
    let idle = server.connect().await;
    let body = r#"{"version":"0.4.0","tee":"snp","extra-params":""}"#;
    let mut stream = server.connect().await;
    let head = format!("POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    // An answer on another connection: the server has taken the first one by then.
    server.exchange(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    server.begin_stop();
    let address = server.address;
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.call("GET", "/readyz", &[], "").await.status, 503);
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("nonce"), "{answer}");
    server.task.await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_the_end() {
    let world = World::with(Settings { drain: Duration::from_millis(100), ..settings() }).await;
    let server = Running::start(&world, None).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_answer_that_begins_is_complete() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    let mut server = Running::start(&world, None).await;
    let address = server.address;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let answered = Arc::clone(&answered);
        tasks.spawn(async move {
            let body = r#"{"version":"0.4.0","tee":"sample","extra-params":""}"#;
            let request = format!(
                "POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            while let Ok(mut stream) = TcpStream::connect(address).await {
                if stream.write_all(request.as_bytes()).await.is_err() {
                    break;
                }
                let answer = rest(&mut stream).await;
                if answer.is_empty() {
                    // Not taken any more: it was in the system's queue.
                    break;
                }
                assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\"extra-params\":\"\"}"), "{answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while answered.load(Ordering::Relaxed) < 200 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.begin_stop();
    tasks.join_all().await;
    server.task.await.unwrap();
}

/// Believes any certificate: it is looked at afterwards.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// Writes a new certificate and key; gives the certificate.
fn write_identity(folder: &tempfile::TempDir) -> Vec<u8> {
    let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let certificate = key.self_signed_certificate("localhost", Validity::ALWAYS).unwrap();
    std::fs::write(folder.path().join("tls.crt"), pem("CERTIFICATE", &certificate)).unwrap();
    std::fs::write(folder.path().join("tls.key"), pem("PRIVATE KEY", key.to_pkcs8().unwrap().expose()))
        .unwrap();
    certificate
}

/// The server's certificate, and its answer to `auth`, over TLS.
async fn over_tls(server: &Running) -> (Vec<u8>, String) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, server.connect().await).await.unwrap();
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let body = r#"{"version":"0.4.0","tee":"snp","extra-params":""}"#;
    let request = format!(
        "POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    (certificate, String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn tls_serves_and_takes_a_renewed_certificate_without_restart() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let first = write_identity(&folder);
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let identity = Arc::new(TlsIdentity::load(&certificate, &key).unwrap());
    let server = Running::start(&world, Some(Arc::clone(&identity))).await;
    let (shown, answer) = over_tls(&server).await;
    assert_eq!(shown, first);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("; Secure"), "{answer}");

    std::fs::write(&certificate, "nonsense").unwrap();
    assert!(identity.reload().is_err());
    assert_eq!(over_tls(&server).await.0, first, "what was read before stays in use");
    let second = write_identity(&folder);
    identity.reload().unwrap();
    assert_eq!(over_tls(&server).await.0, second);

    // Plain HTTP on the TLS port gets no answer in HTTP, and harms nobody.
    let plain = server.exchange(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!plain.contains("HTTP/1.1 200"));
    over_tls(&server).await;
    server.stop().await;
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_identity(&one);
    write_identity(&two);
    let mixed = TlsIdentity::load(&one.path().join("tls.crt"), &two.path().join("tls.key"));
    assert!(mixed.is_err());
    assert!(TlsIdentity::load(&one.path().join("none"), &one.path().join("tls.key")).is_err());
}
