//! The attestation service's own door: `[attestation_service]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where `assay serve as` listens unless another address is set.
const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 50_004);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AttestationServiceDoor {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) guests: bool,
    pub(crate) public_url: Option<String>,
}

/// Every key with its meaning.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "attestation_service.listen",
        "The address of the attestation service's own door, gRPC and REST; `assay serve as` listens on 127.0.0.1:50004 when absent, `assay serve` opens no such door then.",
    ),
    (
        "attestation_service.tls_certificate",
        "Its TLS certificate chain (PEM). Without one it speaks plain HTTP, on loopback addresses only.",
    ),
    ("attestation_service.tls_key", "Its TLS private key (PEM)."),
    (
        "attestation_service.client_ca",
        "The authorities of client certificates (PEM): who shows a certificate of theirs has the roles in access.clients.",
    ),
    (
        "attestation_service.guests",
        "Let guests in who show no credentials: a challenge, and a token for it once (POST /challenge, /attestation).",
    ),
    (
        "attestation_service.public_url",
        "The address that relying parties use, for OpenID discovery; from the request's host when absent.",
    ),
];

impl AttestationServiceDoor {
    /// Where to listen as a part of its own.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(ADDRESS))
    }
}
