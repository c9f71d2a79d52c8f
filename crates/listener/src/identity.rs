//! What a server shows of itself, and which clients it believes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_types::{Coded, Digest, Fault, SecretBytes};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Protocols;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Why a TLS identity cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// `TLS-001`: a file cannot be read as PEM.
    #[error("cannot read {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// `TLS-002`: certificate and key do not serve.
    #[error("the certificate {} and its key cannot be used: {why}", certificate.display())]
    Unusable {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// Why.
        why: rustls::Error,
    },
    /// `TLS-003`: an authority of client certificates cannot be one.
    #[error("the certificate authorities of clients in {} cannot be used: {why}", path.display())]
    ClientAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Coded for TlsError {
    fn code(&self) -> &'static str {
        match self {
            TlsError::File { .. } => "TLS-001",
            TlsError::Unusable { .. } => "TLS-002",
            TlsError::ClientAuthority { .. } => "TLS-003",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Internal
    }
}

/// A certificate with its key, and the authorities of client certificates where there are any; from
/// files (PEM), and read again on demand.
pub struct TlsIdentity {
    files: Files,
    configs: ArcSwap<Configs>,
    /// The digest of what was last read, whether it could be used or not.
    read: ArcSwap<Digest>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<Clients>,
}

struct Clients {
    authorities: PathBuf,
    required: bool,
}

/// What rustls serves with, for each choice of protocols.
struct Configs {
    http1: Arc<ServerConfig>,
    http1_and_2: Arc<ServerConfig>,
}

impl TlsIdentity {
    /// Reads a certificate chain and its private key. Clients are not asked for a certificate.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        TlsIdentity::from_files(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients: None,
        })
    }

    /// [`TlsIdentity::load`], and asks clients for a certificate that one of the authorities in
    /// `client_ca` has issued. A client that shows another one, or one that is not valid now, is
    /// refused in the handshake. One that shows none is refused when a certificate is `required`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load_with_clients(
        certificate: &Path,
        key: &Path,
        client_ca: &Path,
        required: bool,
    ) -> Result<Self, TlsError> {
        TlsIdentity::from_files(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients: Some(Clients { authorities: client_ca.to_owned(), required }),
        })
    }

    fn from_files(files: Files) -> Result<Self, TlsError> {
        let content = files.read();
        let configs = files.configs(&content)?;
        Ok(TlsIdentity {
            files,
            configs: ArcSwap::from_pointee(configs),
            read: ArcSwap::from_pointee(content.digest()),
        })
    }

    /// Reads all files again, for new connections.
    ///
    /// # Errors
    /// [`TlsError`]; all that was read before stays in use then.
    pub fn reload(&self) -> Result<(), TlsError> {
        let content = self.files.read();
        self.read.store(Arc::new(content.digest()));
        let configs = self.files.configs(&content)?;
        self.configs.store(Arc::new(configs));
        Ok(())
    }

    /// Whether the files hold something else than what [`TlsIdentity::reload`] (or the load) read last,
    /// be it of use or not. For whoever watches them: the content counts, not dates or names, since
    /// Kubernetes exchanges the files by links.
    pub fn changed_on_disk(&self) -> bool {
        self.files.read().digest() != **self.read.load()
    }

    /// What a connection made now is served with.
    pub(crate) fn config(&self, protocols: Protocols) -> Arc<ServerConfig> {
        let configs = self.configs.load();
        match protocols {
            Protocols::Http1 => Arc::clone(&configs.http1),
            Protocols::Http1And2 => Arc::clone(&configs.http1_and_2),
        }
    }
}

/// The content of the files, or why there is none.
struct Content {
    certificate: Result<SecretBytes, String>,
    key: Result<SecretBytes, String>,
    authorities: Option<Result<SecretBytes, String>>,
}

impl Content {
    fn digest(&self) -> Digest {
        let parts: Vec<u8> = [Some(&self.certificate), Some(&self.key), self.authorities.as_ref()]
            .into_iter()
            .flat_map(|part| match part {
                Some(Ok(bytes)) => Digest::sha256(bytes.expose()).as_bytes().to_vec(),
                // Of no length that a digest has.
                Some(Err(_)) => vec![1],
                None => vec![0],
            })
            .collect();
        Digest::sha256(&parts)
    }
}

impl Files {
    fn read(&self) -> Content {
        Content {
            certificate: read(&self.certificate),
            key: read(&self.key),
            authorities: self.clients.as_ref().map(|clients| read(&clients.authorities)),
        }
    }

    fn configs(&self, content: &Content) -> Result<Configs, TlsError> {
        let private = bytes(&self.key, &content.key)?;
        let private =
            PrivateKeyDer::from_pem_slice(private).map_err(|error| file(&self.key, &error.to_string()))?;
        let chain = certificates(&self.certificate, &content.certificate)?;
        let unusable = |why| TlsError::Unusable { certificate: self.certificate.clone(), why };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match (&self.clients, &content.authorities) {
            (Some(clients), Some(content)) => {
                let path = &clients.authorities;
                let authority = |why: String| TlsError::ClientAuthority { path: path.clone(), why };
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path, content)? {
                    roots.add(certificate).map_err(|error| authority(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if clients.required { verifier } else { verifier.allow_unauthenticated() };
                let verifier = verifier.build().map_err(|error| authority(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut http1 = builder.with_single_cert(chain, private).map_err(unusable)?;
        if self.clients.is_some() {
            // A session that is resumed would not look at the client's certificate again.
            http1.session_storage = Arc::new(NoServerSessionStorage {});
            http1.send_tls13_tickets = 0;
        }
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut http1_and_2 = http1.clone();
        http1_and_2.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Configs { http1: Arc::new(http1), http1_and_2: Arc::new(http1_and_2) })
    }
}

/// The content of a file; what it becomes is wiped when it is dropped, since one of them is a key.
fn read(path: &Path) -> Result<SecretBytes, String> {
    let read = || -> io::Result<SecretBytes> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        if length > MAX_FILE {
            return Err(io::Error::other(format!("it is longer than {MAX_FILE} bytes")));
        }
        // Room for the whole of it, so that no half of it is left behind where it grew.
        let room = usize::try_from(length).unwrap_or_default().saturating_add(1);
        let mut bytes = Vec::with_capacity(room);
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(SecretBytes::new(bytes))
    };
    read().map_err(|error| error.to_string())
}

fn file(path: &Path, why: &str) -> TlsError {
    TlsError::File { path: path.to_owned(), why: why.to_owned() }
}

fn bytes<'a>(path: &Path, content: &'a Result<SecretBytes, String>) -> Result<&'a [u8], TlsError> {
    content.as_ref().map(SecretBytes::expose).map_err(|why| file(path, why))
}

/// All certificates of a file; at least one.
fn certificates(
    path: &Path,
    content: &Result<SecretBytes, String>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(bytes(path, content)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| file(path, &error.to_string()))?;
    if chain.is_empty() {
        return Err(file(path, "it holds no certificate"));
    }
    Ok(chain)
}
