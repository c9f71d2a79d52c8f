//! What can be wrong with a Vault, and who is at fault.

use std::path::PathBuf;
use std::time::Duration;

use assay_types::{Coded, Fault};

/// Why Vault did not do what it was asked. No variant holds a token, a secret id or a value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// A setting cannot be used.
    #[error("the Vault setting {setting}: {why}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A file with a credential cannot be used.
    #[error("the file {} of a Vault credential: {why}", file.display())]
    CredentialFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No connection.
    #[error("Vault cannot be reached: {cause}")]
    Unreachable {
        /// Why.
        cause: String,
    },
    /// The server's certificate does not hold.
    #[error("Vault's TLS certificate is not trusted: {cause}")]
    Untrusted {
        /// Why.
        cause: String,
    },
    /// No answer in time.
    #[error("Vault did not answer within {} ms", deadline.as_millis())]
    TimedOut {
        /// The time allowed for the whole call, logging in included.
        deadline: Duration,
    },
    /// Vault is sealed.
    #[error("Vault is sealed: it must be unsealed before it answers")]
    Sealed,
    /// Vault has never been initialised.
    #[error("Vault is not initialised")]
    NotInitialised,
    /// The node takes no requests and does not pass them on.
    #[error("this node of Vault does not serve requests (status {status}): it is a secondary or was removed")]
    NotServing {
        /// The status of `sys/health` or of the answer: 472, 474, 530.
        status: u16,
    },
    /// A quota.
    #[error("Vault asks to be left alone{}", wait(*retry_after))]
    RateLimited {
        /// For how long.
        retry_after: Option<Duration>,
    },
    /// An error of Vault's own, or of a proxy before it.
    #[error("Vault failed with status {status}{}", said(detail))]
    Failed {
        /// The status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// The login was refused.
    #[error("Vault refused the {method} login with status {status}{}", said(detail))]
    LoginRefused {
        /// `AppRole` or `Kubernetes`.
        method: &'static str,
        /// The status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// The token of the token file is not valid.
    #[error("Vault does not accept the token in {}: it ended, was revoked or is of another Vault", file.display())]
    TokenRefused {
        /// The file.
        file: PathBuf,
    },
    /// The token is valid, and its policies do not allow this.
    #[error("Vault denies {operation} of {path}: the policies of the token do not allow it")]
    PermissionDenied {
        /// The method, as policies call what it needs: `read`, `update`, `delete`, `list`.
        operation: &'static str,
        /// The path as policies write it, without `/v1/`.
        path: String,
    },
    /// Nothing is mounted there, or nothing that the token may see.
    #[error(
        "Vault shows this token no secrets engine at {mount:?}: none is mounted there, or the token's policies give \
         no right below it"
    )]
    MountNotFound {
        /// The mount path.
        mount: String,
    },
    /// Another engine is mounted there.
    #[error("the secrets engine at {mount:?} of Vault is of the type {found:?}, not {expected:?}")]
    WrongEngine {
        /// The mount path.
        mount: String,
        /// The type that is needed.
        expected: &'static str,
        /// The type there.
        found: String,
    },
    /// The KV engine has another version than the settings say.
    #[error(
        "the secrets engine at {mount:?} of Vault is KV version {found}; the settings say version {expected}"
    )]
    WrongKvVersion {
        /// The mount path.
        mount: String,
        /// The version of the settings.
        expected: u8,
        /// The version there.
        found: String,
    },
    /// The transit key does not exist. It is never made by use.
    #[error("Vault has no transit key {key:?}; make it with: vault write -f {key}")]
    KeyNotFound {
        /// Its path: `<mount>/keys/<name>`.
        key: String,
    },
    /// The transit key cannot do what is needed.
    #[error("the transit key {key:?} of Vault cannot be used: {why}")]
    KeyUnfit {
        /// Its path.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// The ciphertext is not of this key, or was altered.
    #[error("Vault cannot decrypt with the transit key {key:?}{}", said(detail))]
    NotDecrypted {
        /// Its path.
        key: String,
        /// What Vault says, or what is wrong with the text.
        detail: String,
    },
    /// A redirect; it is not followed.
    #[error(
        "Vault redirects to {location:?} (status {status}); configure the address of the active node instead"
    )]
    Redirected {
        /// The status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// The answer is longer than is read.
    #[error("Vault's answer is longer than {limit} bytes")]
    AnswerTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Vault or its storage does not take a value of this size.
    #[error("Vault does not take a value of this size{}", said(detail))]
    ValueTooLarge {
        /// What it says.
        detail: String,
    },
    /// What came is no answer of Vault.
    #[error("the answer to {path} is not Vault's: {why}")]
    NotTheApi {
        /// The path that was asked.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Vault refuses for another reason.
    #[error("Vault refused {path} with status {status}{}", said(detail))]
    Refused {
        /// The path that was asked.
        path: String,
        /// The status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// A listing with more entries than are read.
    #[error("the listing of {path} has more than {limit} entries")]
    TooManyEntries {
        /// The folder.
        path: String,
        /// The limit.
        limit: usize,
    },
}

fn wait(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!("; try again in {} s", wait.as_secs()))
}

fn said(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

/// `text`, cut, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let plain: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl VaultError {
    /// What went wrong in a few words for those who may not know addresses and paths.
    pub fn explanation(&self) -> &'static str {
        match self {
            VaultError::Unreachable { .. } | VaultError::Untrusted { .. } => "Vault cannot be reached safely",
            VaultError::TimedOut { .. } => "Vault does not answer in time",
            VaultError::Sealed => "Vault is sealed",
            VaultError::NotInitialised => "Vault is not initialised",
            VaultError::NotServing { .. } => "this node of Vault does not serve",
            VaultError::RateLimited { .. } => "Vault limits the rate of requests",
            VaultError::LoginRefused { .. }
            | VaultError::TokenRefused { .. }
            | VaultError::CredentialFile { .. } => "Vault does not accept the service's credentials",
            VaultError::PermissionDenied { .. } => "Vault's policies do not allow it to the service",
            VaultError::ValueTooLarge { .. } => "Vault does not take a value of this size",
            VaultError::Setting { .. }
            | VaultError::MountNotFound { .. }
            | VaultError::WrongEngine { .. }
            | VaultError::WrongKvVersion { .. }
            | VaultError::KeyNotFound { .. }
            | VaultError::KeyUnfit { .. }
            | VaultError::Redirected { .. } => "Vault is not set up as the service's settings say",
            _ => "Vault does not answer as it must",
        }
    }
}

impl Coded for VaultError {
    fn code(&self) -> &'static str {
        match self {
            VaultError::Setting { .. } => "VLT-001",
            VaultError::CredentialFile { .. } => "VLT-002",
            VaultError::Unreachable { .. } => "VLT-003",
            VaultError::Untrusted { .. } => "VLT-004",
            VaultError::TimedOut { .. } => "VLT-005",
            VaultError::Sealed => "VLT-006",
            VaultError::NotInitialised => "VLT-007",
            VaultError::NotServing { .. } => "VLT-008",
            VaultError::RateLimited { .. } => "VLT-009",
            VaultError::Failed { .. } => "VLT-010",
            VaultError::LoginRefused { .. } => "VLT-011",
            VaultError::TokenRefused { .. } => "VLT-012",
            VaultError::PermissionDenied { .. } => "VLT-013",
            VaultError::MountNotFound { .. } => "VLT-014",
            VaultError::WrongEngine { .. } => "VLT-015",
            VaultError::WrongKvVersion { .. } => "VLT-016",
            VaultError::KeyNotFound { .. } => "VLT-017",
            VaultError::KeyUnfit { .. } => "VLT-018",
            VaultError::NotDecrypted { .. } => "VLT-019",
            VaultError::Redirected { .. } => "VLT-020",
            VaultError::AnswerTooLarge { .. } => "VLT-021",
            VaultError::ValueTooLarge { .. } => "VLT-022",
            VaultError::NotTheApi { .. } => "VLT-023",
            VaultError::Refused { .. } => "VLT-024",
            VaultError::TooManyEntries { .. } => "VLT-025",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            VaultError::Setting { .. } => Fault::Internal,
            VaultError::ValueTooLarge { .. } => Fault::TooLarge,
            VaultError::TimedOut { .. } => Fault::DependencyTimeout,
            VaultError::Unreachable { .. }
            | VaultError::Sealed
            | VaultError::NotInitialised
            | VaultError::NotServing { .. }
            | VaultError::RateLimited { .. } => Fault::Unavailable,
            VaultError::Failed { status: 502..=504, .. } => Fault::Unavailable,
            _ => Fault::BadGateway,
        }
    }
}
