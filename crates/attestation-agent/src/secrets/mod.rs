//! Secrets in the guest: what sealed secrets stand for, and files of secrets.

pub mod file_error;
pub mod files;
pub mod private_file;
pub mod sealed;
mod trusted_directory;
pub mod verification_keys;

use assay_types::{ResourceUri, SecretBytes};
use async_trait::async_trait;

pub use files::{FileMode, FileSettings, FileState, FileStatus, FilesTask};
pub use sealed::{SealedSettings, Unsealer};
pub use verification_keys::KeyRule;

use crate::error::AgentError;

/// Where secrets come from: the key broker.
#[async_trait]
pub trait Resources: Send + Sync {
    /// What stands at `uri`, decrypted.
    async fn resource(&self, uri: &ResourceUri) -> Result<SecretBytes, AgentError>;
}
