//! Client certificates: who is let in, who is not, and what a request knows of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod certificates;
mod door;

use std::path::PathBuf;
use std::sync::Arc;

use assay_listener::{Limits, Protocols, TlsError, TlsIdentity};
use assay_types::Coded as _;
use certificates::{Ca, DAY, Identity};
use door::{Client, Door, Tls};
use http::Version;

/// A server's files.
struct Files {
    folder: tempfile::TempDir,
    server_ca: Ca,
    client_ca: Ca,
}

impl Files {
    fn new() -> Self {
        let files = Files {
            folder: tempfile::tempdir().unwrap(),
            server_ca: Ca::new("servers"),
            client_ca: Ca::new("clients"),
        };
        files.renew();
        files.client_ca.write(&files.path("clients.crt"));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a new certificate of the server, and gives it.
    fn renew(&self) -> Identity {
        let identity = self.server_ca.issue(&["localhost"]);
        identity.write(&self.path("tls.crt"), &self.path("tls.key"));
        identity
    }

    fn load(&self, required: bool) -> Arc<TlsIdentity> {
        let (certificate, key, clients) =
            (self.path("tls.crt"), self.path("tls.key"), self.path("clients.crt"));
        Arc::new(TlsIdentity::load_with_clients(&certificate, &key, &clients, required).unwrap())
    }

    fn client<'a>(&'a self, identity: Option<&'a Identity>) -> Tls<'a> {
        Tls { server_ca: &self.server_ca, identity, alpn: &["h2"] }
    }

    /// What a request over a new connection learns, or nothing when there is none.
    async fn who(&self, door: &Door, identity: Option<&Identity>) -> Option<String> {
        let stream = self.client(identity).connect(door.connect().await).await.ok()?;
        // With TLS 1.3 the client has done its part before the server refuses its certificate.
        Client::new(stream, Version::HTTP_2).await.ok()?.who().await.ok()
    }
}

#[tokio::test]
async fn a_certificate_counts_when_the_authority_issued_it_and_it_is_valid_now() {
    let files = Files::new();
    let good = files.client_ca.issue(&["kbs.example.org"]);
    let ended = files.client_ca.issue_for(&["kbs.example.org"], -2 * DAY, -1);
    let to_come = files.client_ca.issue_for(&["kbs.example.org"], DAY, 2 * DAY);
    let other = Ca::new("clients").issue(&["kbs.example.org"]);
    let of_the_server = files.server_ca.issue(&["kbs.example.org"]);
    let someone_elses_key = Identity { certificate: good.certificate.clone(), key: other.key.clone() };
    for required in [false, true] {
        let door = Door::open(Some(files.load(required)), Protocols::Http1And2, Limits::default()).await;
        let expected = format!("HTTP/2.0 true {}", good.certificate.len());
        assert_eq!(files.who(&door, Some(&good)).await, Some(expected), "{required}");
        for (what, identity) in [
            ("ended", &ended),
            ("to come", &to_come),
            ("another authority", &other),
            ("the server's", &of_the_server),
        ] {
            assert_eq!(files.who(&door, Some(identity)).await, None, "{what}, {required}");
        }
        // rustls itself does not let a client do it.
        let (chain, key) = someone_elses_key.for_rustls();
        let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
        assert!(rustls::sign::CertifiedKey::new(chain, signer).keys_match().is_err());

        let absent = files.who(&door, None).await;
        assert_eq!(absent, (!required).then(|| "HTTP/2.0 true 0".to_owned()));
        let seen = door.stop().await;
        assert_eq!(seen.open.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn without_an_authority_nobody_is_asked() {
    let files = Files::new();
    let identity = TlsIdentity::load(&files.path("tls.crt"), &files.path("tls.key")).unwrap();
    let door = Door::open(Some(Arc::new(identity)), Protocols::Http1And2, Limits::default()).await;
    let client = files.client_ca.issue(&["a"]);
    assert_eq!(files.who(&door, Some(&client)).await, Some("HTTP/2.0 true 0".to_owned()));
    door.stop().await;
}

#[tokio::test]
async fn a_session_is_not_resumed_without_the_certificate_being_looked_at() {
    let files = Files::new();
    let identity = files.load(true);
    let door = Door::open(Some(Arc::clone(&identity)), Protocols::Http1And2, Limits::default()).await;
    let client = files.client_ca.issue(&["a"]);
    let tls = files.client(Some(&client));
    for _ in 0..2 {
        let stream = tls.connect(door.connect().await).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
    door.stop().await;
}

#[tokio::test]
async fn new_files_are_taken_together_or_not_at_all() {
    let files = Files::new();
    let identity = files.load(true);
    assert!(!identity.changed_on_disk());
    let door = Door::open(Some(Arc::clone(&identity)), Protocols::Http1And2, Limits::default()).await;
    let first = files.client_ca.issue(&["a"]);
    let next_ca = Ca::new("clients");
    let second = next_ca.issue(&["a"]);
    assert!(files.who(&door, Some(&first)).await.is_some());

    // Certificate and key are new and good, the authorities are not: all stays.
    let shown = async |client: &Identity| {
        let stream = files.client(Some(client)).connect(door.connect().await).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let old = shown(&first).await;
    let new = files.renew();
    for (content, code) in [("nonsense", "TLS-001"), ("", "TLS-001")] {
        std::fs::write(files.path("clients.crt"), content).unwrap();
        assert!(identity.changed_on_disk());
        assert_eq!(identity.reload().unwrap_err().code(), code);
        assert!(!identity.changed_on_disk(), "what cannot be used is not tried again and again");
        assert_eq!(shown(&first).await, old);
        assert!(files.who(&door, Some(&first)).await.is_some());
    }
    std::fs::remove_file(files.path("clients.crt")).unwrap();
    assert!(identity.changed_on_disk());
    assert!(matches!(identity.reload(), Err(TlsError::File { .. })));

    next_ca.write(&files.path("clients.crt"));
    assert!(identity.changed_on_disk());
    identity.reload().unwrap();
    assert!(!identity.changed_on_disk());
    assert_eq!(shown(&second).await, new.certificate);
    assert!(files.who(&door, Some(&second)).await.is_some());
    assert!(files.who(&door, Some(&first)).await.is_none());

    // The same content under new links, as Kubernetes does it, is no change.
    let beside = files.path("beside");
    std::fs::copy(files.path("tls.crt"), &beside).unwrap();
    std::fs::remove_file(files.path("tls.crt")).unwrap();
    std::os::unix::fs::symlink(&beside, files.path("tls.crt")).unwrap();
    assert!(!identity.changed_on_disk());
    door.stop().await;
}

#[test]
fn files_that_do_not_serve_are_refused_by_name() {
    let files = Files::new();
    let (certificate, key, clients) =
        (files.path("tls.crt"), files.path("tls.key"), files.path("clients.crt"));
    let load = || {
        TlsIdentity::load_with_clients(&certificate, &key, &clients, true)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(load(), None);
    let not_der = certificates::pem("CERTIFICATE", b"not a certificate");
    let other_key = std::fs::read_to_string(&key).unwrap();
    files.renew();
    for (file, content) in [
        (&certificate, ""),
        (&certificate, not_der.as_str()),
        (&key, ""),
        (&key, other_key.as_str()),
        (&clients, not_der.as_str()),
        (&clients, other_key.as_str()),
    ] {
        let good = std::fs::read(file).unwrap();
        std::fs::write(file, content).unwrap();
        let error = load().unwrap();
        // A key that is another's is told by the certificate it does not belong to.
        let named = if content == other_key && file == &key { &certificate } else { file };
        assert!(error.contains(named.to_str().unwrap()), "{error}");
        std::fs::write(file, good).unwrap();
    }
    std::fs::write(&certificate, vec![b'\n'; (1 << 20) + 1]).unwrap();
    assert!(load().unwrap().contains("longer"));
}
