//! Where the client gets evidence from.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use assay_types::{Digest, InitDataMessage, Tee};
use async_trait::async_trait;
use serde_json::Value;

/// A source of evidence: an attester of this machine, an attestation agent, an emulator.
#[async_trait]
pub trait EvidenceProvider: Send + Sync {
    /// The TEE of the primary evidence.
    fn tee(&self) -> Tee;

    /// The primary evidence, in the JSON form of its TEE, with `runtime_digest` as its report data
    /// (padded with zeros on the right where the TEE's field is longer).
    async fn evidence(&self, runtime_digest: &Digest) -> Result<Value, EvidenceError>;

    /// The evidence of devices as the JSON text `{"<tee>": evidence, …}`, each bound to `digest`;
    /// empty where there are none. The text is sent as it is.
    async fn additional_evidence(&self, digest: &Digest) -> Result<String, EvidenceError> {
        let _ = digest;
        Ok(String::new())
    }

    /// The init data that the platform measured at launch, if there are any.
    fn init_data(&self) -> Option<InitDataMessage> {
        None
    }
}

/// Why there is no evidence.
#[derive(Clone)]
pub struct EvidenceError {
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl EvidenceError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        EvidenceError { message: message.into(), source: None }
    }

    /// An error that says `message` and has a cause.
    pub fn with_source(message: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        EvidenceError { message: message.into(), source: Some(Arc::new(source)) }
    }
}

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvidenceError").field("message", &self.message).field("source", &self.source).finish()
    }
}

impl Error for EvidenceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| -> &(dyn Error + 'static) { source })
    }
}
