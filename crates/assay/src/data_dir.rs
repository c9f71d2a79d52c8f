//! What a data directory holds.

use std::path::{Path, PathBuf};

/// A server's data directory. The server makes it with mode 0700 at first start.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn new(path: &Path) -> Self {
        DataDir(path.to_owned())
    }

    /// The store: resources, policies, reference values, keys, sessions.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("assay.db")
    }

    /// What encrypts secrets and keys in the store. Without it they are lost.
    pub(crate) fn key_encryption_key(&self) -> PathBuf {
        self.0.join("key-encryption-key")
    }

    /// What signed administrators' tokens in earlier releases; now the store holds that.
    pub(crate) fn admin_key(&self) -> PathBuf {
        self.0.join(assay_access::ADMIN_KEY_FILE)
    }

    /// Makes the directory with mode 0700.
    pub(crate) fn create(&self) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }
}
