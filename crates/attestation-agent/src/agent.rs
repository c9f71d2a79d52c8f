//! The agent's core: what each call does, and who may make it.

use std::sync::Arc;

use assay_client::{KbsClient, PassportClient};
use assay_types::{ResourceUri, SecretBytes};
use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::api::{Api, Extended, Info, RuntimeEvent, TokenKind};
use crate::caller::{Caller, Operation};
use crate::device::Device;
use crate::error::AgentError;
use crate::evidence::{Evidence, report_data};
use crate::init_data::{check_on_request, digest_of_request};
use crate::metrics::Metrics;
use crate::secrets::{Resources, Unsealer};
use crate::state::LogHealth;

/// Whether events can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventLog {
    /// Turned off.
    Off,
    /// Turned on, but the platform has no register that can be extended at run time.
    NotSupported,
    /// Turned on.
    On,
}

impl EventLog {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventLog::Off => "off",
            EventLog::NotSupported => "not supported by this platform",
            EventLog::On => "on",
        }
    }
}

/// The parts of an agent.
pub struct Parts {
    /// The source of evidence.
    pub evidence: Evidence,
    /// The device's thread.
    pub device: Device,
    /// Whether events can be measured.
    pub event_log: EventLog,
    /// How the log is.
    pub log_health: LogHealth,
    /// The longest log, in bytes.
    pub max_log_bytes: usize,
    /// Tokens and secrets of the key broker.
    pub key_broker: Arc<KeyBroker>,
    /// Tokens of the attestation service, where one is configured.
    pub attestation_service: Option<PassportClient>,
    /// Whether `GetToken` hands the key out.
    pub give_tee_key: bool,
    /// Sealed secrets.
    pub unsealer: Arc<Unsealer>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// The agent.
pub struct Agent {
    parts: Parts,
    evidence_places: Semaphore,
}

/// How many callers' requests for evidence wait for the device at a time.
const EVIDENCE_PLACES: usize = 16;

/// The key broker, where one is configured.
pub struct KeyBroker(pub Option<KbsClient>);

impl KeyBroker {
    /// The client.
    ///
    /// # Errors
    /// [`AgentError::NotConfigured`].
    pub fn client(&self) -> Result<&KbsClient, AgentError> {
        let missing = AgentError::NotConfigured { what: "key broker service", key: "kbs" };
        self.0.as_ref().ok_or(missing)
    }
}

#[async_trait]
impl Resources for KeyBroker {
    async fn resource(&self, uri: &ResourceUri) -> Result<SecretBytes, AgentError> {
        // A path that cannot be a secret is the caller's mistake, and need not travel.
        if uri.plugin() == "resource" {
            uri.resource_path()?;
        }
        Ok(self.client()?.get(uri).await?)
    }
}

/// What `GetToken` answers for a key broker.
#[derive(Serialize)]
struct TokenAnswer<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tee_keypair: Option<&'a str>,
}

impl Agent {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Agent { parts, evidence_places: Semaphore::new(EVIDENCE_PLACES) }
    }

    async fn kbs_token(&self) -> Result<SecretBytes, AgentError> {
        let client = self.parts.key_broker.client()?;
        if !self.parts.give_tee_key {
            let token = client.token().await?;
            return token_answer(&TokenAnswer { token: token.as_str(), tee_keypair: None });
        }
        let both = client.token_and_key().await?;
        let key = std::str::from_utf8(both.tee_keypair.expose())
            .map_err(|_| AgentError::Internal("the key's PEM is no text".to_owned()))?;
        token_answer(&TokenAnswer { token: both.token.as_str(), tee_keypair: Some(key) })
    }

    async fn evidence_for(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError> {
        caller.may(Operation::Evidence)?;
        let report_data = report_data(caller.rules.evidence, runtime_data)?;
        // The guest's own attestation must find a place at the device, however many callers there are.
        let _place = self
            .evidence_places
            .try_acquire()
            .map_err(|_| AgentError::EvidenceQueue { waiting: EVIDENCE_PLACES })?;
        let evidence = self.parts.evidence.bound_to(report_data).await?;
        serde_json::to_vec(&evidence).map_err(|error| AgentError::Internal(error.to_string()))
    }

    async fn token_for(&self, caller: &Caller, kind: TokenKind) -> Result<SecretBytes, AgentError> {
        caller.may(Operation::Token)?;
        match kind {
            TokenKind::Kbs => self.kbs_token().await,
            TokenKind::AttestationService => {
                let missing = AgentError::NotConfigured {
                    what: "attestation service",
                    key: "token_configs.coco_as.url",
                };
                let client = self.parts.attestation_service.as_ref().ok_or(missing)?;
                Ok(SecretBytes::new(client.token().await?.as_str().as_bytes().to_vec()))
            }
        }
    }

    async fn extend_for(&self, caller: &Caller, event: RuntimeEvent) -> Result<Extended, AgentError> {
        caller.may_extend(&event.domain, event.pcr)?;
        match self.parts.event_log {
            EventLog::Off => return Ok(Extended::NotEnabled),
            EventLog::NotSupported => return Ok(Extended::NotSupported),
            EventLog::On => {}
        }
        let (peer, health) = (caller.peer, self.parts.log_health.clone());
        let share = self.share_of_log(caller);
        let (length, done) = self
            .parts
            .device
            .call("measuring an event", move |platform, _| {
                let Some(measurements) = platform.measurements.as_mut() else {
                    return (0, Ok(Extended::NotEnabled));
                };
                let Some(registers) = platform.attester.registers() else {
                    return (0, Ok(Extended::NotSupported));
                };
                if let Some((listener, max)) = share
                    && measurements.log().len() > max
                {
                    let found = measurements.log().len();
                    return (found, Err(AgentError::LogShare { listener, found, max }));
                }
                let done = measurements.extend(registers, &event).map_err(AgentError::from).map(|()| {
                    tracing::info!(domain = event.domain, operation = event.operation, %peer, "event measured");
                    Extended::Done
                });
                health.set(measurements.state());
                (measurements.log().len(), done)
            })
            .await
            .map_err(|error| match error {
                AgentError::DeviceLate { .. } | AgentError::Internal(_) => AgentError::MayBeMeasured,
                error => error,
            })?;
        self.parts.metrics.log_is(length);
        if matches!(done, Ok(Extended::Done)) {
            // Tokens speak of a guest in which this had not happened yet.
            if let Some(client) = &self.parts.key_broker.0 {
                client.forget_token();
            }
            if let Some(client) = &self.parts.attestation_service {
                client.forget_token();
            }
        }
        done
    }

    /// Up to which length a caller's listener may fill the log: half, unless it may write any domain, as root's
    /// may. So workloads cannot keep the platform's events out.
    fn share_of_log(&self, caller: &Caller) -> Option<(String, usize)> {
        let rules = &caller.rules;
        rules.domains.is_some().then(|| (rules.listener.clone(), self.parts.max_log_bytes / 2))
    }

    async fn bind_for(&self, caller: &Caller, digest: &[u8]) -> Result<(), AgentError> {
        caller.may(Operation::InitData)?;
        let digest = digest_of_request(digest)?;
        self.parts
            .device
            .call("comparing init data", move |platform, deadline| {
                check_on_request(platform.attester.as_mut(), &digest, deadline)
            })
            .await?
    }

    /// Counts how a call ended, and says in the log why it failed.
    fn ended<T>(
        &self,
        operation: &'static str,
        caller: &Caller,
        result: Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        self.parts.metrics.ended(operation, &result);
        if let Err(error) = &result {
            let code = assay_types::Coded::code(error);
            tracing::warn!(operation, code, %error, peer = %caller.peer, listener = caller.rules.listener, "refused");
        }
        result
    }
}

fn token_answer(answer: &TokenAnswer<'_>) -> Result<SecretBytes, AgentError> {
    // Room for all of it from the start: a buffer that grows leaves its earlier selves, with the key, behind.
    let most = answer.token.len().saturating_add(answer.tee_keypair.map_or(0, str::len)).saturating_mul(2);
    let mut text = Vec::with_capacity(most.saturating_add(64));
    serde_json::to_writer(&mut text, answer).map_err(|error| AgentError::Internal(error.to_string()))?;
    Ok(SecretBytes::new(text))
}

#[async_trait]
impl Api for Agent {
    fn info(&self) -> Info {
        Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tee: self.parts.evidence.tee(),
            additional_tees: Vec::new(),
        }
    }

    async fn evidence(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError> {
        self.ended("evidence", caller, self.evidence_for(caller, runtime_data).await)
    }

    async fn additional_evidence(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError> {
        let checked = caller
            .may(Operation::Evidence)
            .and_then(|()| report_data(caller.rules.evidence, runtime_data))
            // There are no attesters of devices yet.
            .map(|_| Vec::new());
        self.ended("additional-evidence", caller, checked)
    }

    async fn token(&self, caller: &Caller, kind: TokenKind) -> Result<SecretBytes, AgentError> {
        self.ended("token", caller, self.token_for(caller, kind).await)
    }

    async fn extend(&self, caller: &Caller, event: RuntimeEvent) -> Result<Extended, AgentError> {
        self.ended("extend", caller, self.extend_for(caller, event).await)
    }

    async fn bind_init_data(&self, caller: &Caller, digest: &[u8]) -> Result<(), AgentError> {
        self.ended("init-data", caller, self.bind_for(caller, digest).await)
    }

    async fn resource(&self, caller: &Caller, uri: &ResourceUri) -> Result<SecretBytes, AgentError> {
        let result = match caller.may_read(uri) {
            Ok(()) => self.parts.key_broker.resource(uri).await,
            Err(error) => Err(error),
        };
        self.ended("resource", caller, result)
    }

    async fn unseal(&self, caller: &Caller, sealed: &[u8]) -> Result<SecretBytes, AgentError> {
        let result = match caller.may(Operation::Unseal) {
            Ok(()) => self.parts.unsealer.unseal(sealed, &|uri| caller.may_reach(uri)).await,
            Err(error) => Err(error),
        };
        self.ended("unseal", caller, result)
    }
}
