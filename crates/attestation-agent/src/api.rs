//! What the agent does, whatever face asks for it.

use assay_types::{ResourceUri, SecretBytes, Tee};
use async_trait::async_trait;

use crate::caller::Caller;
use crate::error::AgentError;

/// The longest runtime data that are looked at, in bytes; what the TEE takes is less.
pub const MAX_RUNTIME_DATA: usize = 1 << 20;

/// Which token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `kbs`: a key broker service's, by RCAR (background check).
    Kbs,
    /// `coco_as`: an attestation service's (passport).
    AttestationService,
}

impl TokenKind {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenKind::Kbs => "kbs",
            TokenKind::AttestationService => "coco_as",
        }
    }

    /// Reads the name on the wire.
    ///
    /// # Errors
    /// [`AgentError::TokenType`].
    pub fn from_name(name: &str) -> Result<Self, AgentError> {
        [TokenKind::Kbs, TokenKind::AttestationService]
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| AgentError::TokenType { found: name.chars().take(64).collect() })
    }
}

/// An event to be measured: the text `<domain> <operation> <content>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeEvent {
    /// Who defines the operation.
    pub domain: String,
    /// What happened.
    pub operation: String,
    /// Anything in one line.
    pub content: String,
    /// The register, by the number of a PCR; the agent's default when `None`.
    pub pcr: Option<u64>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The register is extended and the log has the event.
    Done,
    /// The platform has no register that can be extended at run time.
    NotSupported,
    /// The event log is turned off.
    NotEnabled,
}

/// What the agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its version.
    pub version: String,
    /// The TEE.
    pub tee: Tee,
    /// The devices.
    pub additional_tees: Vec<Tee>,
}

/// The agent. Every method first checks whether `caller` may do this
/// ([`AgentError::NotAllowed`]).
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// The agent's version and TEEs. Anyone who is admitted to a socket may ask.
    fn info(&self) -> Info;

    /// The primary evidence, JSON in UTF-8, bound to `runtime_data` by the rule of the caller's listener
    /// ([`EvidenceForm`](crate::caller::EvidenceForm)).
    async fn evidence(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError>;

    /// The evidence of devices, a JSON object by TEE in UTF-8; empty without devices.
    async fn additional_evidence(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError>;

    /// A token. `kbs`: JSON `{"token"}`, with `"tee_keypair"` (PEM) only where the configuration hands
    /// the key out. `coco_as`: the JWT itself.
    async fn token(&self, caller: &Caller, kind: TokenKind) -> Result<SecretBytes, AgentError>;

    /// Measures an event.
    async fn extend(&self, caller: &Caller, event: RuntimeEvent) -> Result<Extended, AgentError>;

    /// Compares the digest of the init data with what the platform measured at launch. Unlike the one it
    /// replaces, it extends nothing, and says when nothing binds them ([`AgentError::InitDataUnbound`]).
    async fn bind_init_data(&self, caller: &Caller, digest: &[u8]) -> Result<(), AgentError>;

    /// What the key broker has at this URI.
    async fn resource(&self, caller: &Caller, uri: &ResourceUri) -> Result<SecretBytes, AgentError>;

    /// The secret that a sealed secret stands for.
    async fn unseal(&self, caller: &Caller, sealed: &[u8]) -> Result<SecretBytes, AgentError>;
}
