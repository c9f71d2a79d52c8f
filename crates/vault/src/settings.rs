//! How a Vault is spoken to, and who the service is there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Who the service is at Vault. Secrets are named by file and read when they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultAuth {
    /// A token in a file; read again when the file changes. A token that can be renewed is renewed.
    Token {
        /// The file.
        file: PathBuf,
    },
    /// AppRole (`auth/<mount>/login`).
    AppRole {
        /// The mount of the auth method, `approle` mostly.
        mount: String,
        /// The role's id; it is no secret by itself.
        role_id: String,
        /// The file with the secret id; read at each login.
        secret_id_file: PathBuf,
    },
    /// Kubernetes service account (`auth/<mount>/login`).
    Kubernetes {
        /// The mount of the auth method, `kubernetes` mostly.
        mount: String,
        /// The role's name.
        role: String,
        /// The file with the service account's token; read at each login, since it is renewed in place.
        token_file: PathBuf,
    },
}

/// Settings of a [`VaultClient`](crate::VaultClient); [`VaultSettings::new`] has the defaults.
#[derive(Clone)]
pub struct VaultSettings {
    /// Where Vault is: `https://host[:port][/path]`, or `http` to a loopback address. The API is below
    /// it, at `v1/…`.
    pub address: String,
    /// The only TLS roots, PEM. Without them the system's roots count.
    pub ca_certificate: Option<Vec<u8>>,
    /// The namespace (Vault Enterprise, HCP, OpenBao), sent as `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// Who the service is.
    pub auth: VaultAuth,
    /// How long a connection may take to come about. 5 s.
    pub connect_timeout: Duration,
    /// How long a call may take, logging in included. 10 s.
    pub deadline: Duration,
    /// The longest answer that is read, in bytes. 24 MiB: a value of 16 MiB in base64, and its wrapping.
    pub max_answer_bytes: usize,
    /// How many requests run at the same time; the others wait. 64.
    pub max_concurrent_requests: usize,
    /// Allows plain `http` to hosts other than loopback: everybody on the way reads the token and every
    /// secret.
    pub allow_plain_http_to_remote_hosts_danger: bool,
}

impl VaultSettings {
    /// The defaults, for the Vault at `address`.
    pub fn new(address: impl Into<String>, auth: VaultAuth) -> Self {
        VaultSettings {
            address: address.into(),
            ca_certificate: None,
            namespace: None,
            auth,
            connect_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(10),
            max_answer_bytes: 24 << 20,
            max_concurrent_requests: 64,
            allow_plain_http_to_remote_hosts_danger: false,
        }
    }
}

impl fmt::Debug for VaultSettings {
    /// Without the address, which may hold a password until it is refused.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultSettings")
            .field("namespace", &self.namespace)
            .field("auth", &self.auth)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
