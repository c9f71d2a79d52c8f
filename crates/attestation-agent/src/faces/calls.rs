//! The calls themselves, one function each, for both RPC faces; and the bounds around every request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroize as _;

use super::budget::Hold;
use super::{Limits, Services};
use crate::api::{Api, Extended, RuntimeEvent, TokenKind};
use crate::caller::{Caller, Peer, Rules};
use crate::error::AgentError;
use crate::proto::attestation_agent as aa;
use crate::proto::confidential_data_hub as cdh;

/// What all connections of a listener share.
pub(crate) struct Shared {
    pub(crate) api: Arc<dyn Api>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) services: Services,
    pub(crate) limits: Limits,
    places: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(api: Arc<dyn Api>, rules: Arc<Rules>, services: Services, limits: Limits) -> Self {
        let places = limits.requests_at_a_time.min(Semaphore::MAX_PERMITS);
        Shared { api, rules, services, limits, places: Arc::new(Semaphore::new(places)) }
    }

    pub(crate) fn caller(&self, peer: Peer) -> Caller {
        Caller { rules: Arc::clone(&self.rules), peer }
    }

    /// A place to work on one request; those that wait get theirs in the order they came.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, AgentError> {
        let places = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(self.limits.place_timeout, places).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed.
            Ok(Err(closed)) => Err(AgentError::Internal(closed.to_string())),
            Err(_) => Err(self.too_many()),
        }
    }

    /// No place was free in time, or no memory.
    pub(crate) fn too_many(&self) -> AgentError {
        AgentError::TooManyRequests {
            max: self.limits.requests_at_a_time,
            seconds: self.limits.place_timeout.as_secs(),
        }
    }

    /// The memory of a request of so many bytes.
    pub(crate) async fn memory(&self, bytes: usize) -> Result<Hold, AgentError> {
        let limits = &self.limits;
        limits.large.take_within(bytes, limits.place_timeout).await.ok_or_else(|| self.too_many())
    }

    /// Waits for an answer, for as long as the limit and the caller allow.
    pub(crate) async fn in_time<T>(
        &self,
        asked: Option<Duration>,
        answer: impl Future<Output = Result<T, AgentError>>,
    ) -> Result<T, AgentError> {
        let limit = asked.map_or(self.limits.request_timeout, |asked| asked.min(self.limits.request_timeout));
        let late = AgentError::TookTooLong { millis: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) };
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(late))
    }
}

type Answer<T> = Result<T, AgentError>;

pub(crate) async fn evidence(
    api: &dyn Api,
    caller: &Caller,
    request: aa::GetEvidenceRequest,
) -> Answer<aa::GetEvidenceResponse> {
    let evidence = api.evidence(caller, &request.runtime_data).await?;
    Ok(aa::GetEvidenceResponse { evidence })
}

pub(crate) async fn additional_evidence(
    api: &dyn Api,
    caller: &Caller,
    request: aa::GetAdditionalEvidenceRequest,
) -> Answer<aa::GetEvidenceResponse> {
    let evidence = api.additional_evidence(caller, &request.runtime_data).await?;
    Ok(aa::GetEvidenceResponse { evidence })
}

pub(crate) async fn token(
    api: &dyn Api,
    caller: &Caller,
    request: aa::GetTokenRequest,
) -> Answer<aa::GetTokenResponse> {
    let token = api.token(caller, TokenKind::from_name(&request.token_type)?).await?;
    Ok(aa::GetTokenResponse { token: token.expose().to_vec() })
}

pub(crate) async fn extend(
    api: &dyn Api,
    caller: &Caller,
    request: aa::ExtendRuntimeMeasurementRequest,
) -> Answer<aa::ExtendRuntimeMeasurementResponse> {
    let event = RuntimeEvent {
        domain: request.domain,
        operation: request.operation,
        content: request.content,
        pcr: request.register_index,
    };
    let result = match api.extend(caller, event).await? {
        Extended::Done => aa::RuntimeMeasurementResult::Ok,
        Extended::NotSupported => aa::RuntimeMeasurementResult::NotSupported,
        Extended::NotEnabled => aa::RuntimeMeasurementResult::NotEnabled,
    };
    Ok(aa::ExtendRuntimeMeasurementResponse { result: result.into() })
}

pub(crate) async fn bind_init_data(
    api: &dyn Api,
    caller: &Caller,
    request: aa::BindInitDataRequest,
) -> Answer<aa::BindInitDataResponse> {
    api.bind_init_data(caller, &request.digest).await?;
    Ok(aa::BindInitDataResponse {})
}

pub(crate) fn tee_type(api: &dyn Api) -> aa::GetTeeTypeResponse {
    aa::GetTeeTypeResponse { tee: api.info().tee.as_str().to_owned() }
}

pub(crate) fn additional_tees(api: &dyn Api) -> aa::GetAdditionalTeesResponse {
    let tees = api.info().additional_tees;
    aa::GetAdditionalTeesResponse {
        additional_tees: tees.iter().map(|tee| tee.as_str().to_owned()).collect(),
    }
}

pub(crate) async fn unseal(
    api: &dyn Api,
    caller: &Caller,
    request: cdh::UnsealSecretInput,
) -> Answer<cdh::UnsealSecretOutput> {
    let secret = api.unseal(caller, &request.secret).await?;
    Ok(cdh::UnsealSecretOutput { plaintext: secret.expose().to_vec() })
}

pub(crate) async fn resource(
    api: &dyn Api,
    caller: &Caller,
    request: cdh::GetResourceRequest,
) -> Answer<cdh::GetResourceResponse> {
    let secret = api.resource(caller, &request.resource_path.parse()?).await?;
    Ok(cdh::GetResourceResponse { resource: secret.expose().to_vec() })
}

/// A message whose secret bytes, if it has any, can be wiped once it is written.
pub(crate) trait Wipe {
    /// Wipes them.
    fn wipe(&mut self) {}
}

// Requests hold no secrets: what is sealed stays sealed in them. Written they are by clients only.
impl Wipe for aa::GetEvidenceRequest {}
impl Wipe for aa::GetAdditionalEvidenceRequest {}
impl Wipe for aa::GetTokenRequest {}
impl Wipe for aa::ExtendRuntimeMeasurementRequest {}
impl Wipe for aa::BindInitDataRequest {}
impl Wipe for aa::GetTeeTypeRequest {}
impl Wipe for aa::GetAdditionalTeesRequest {}
impl Wipe for cdh::UnsealSecretInput {}
impl Wipe for cdh::GetResourceRequest {}
impl Wipe for aa::GetEvidenceResponse {}
impl Wipe for aa::ExtendRuntimeMeasurementResponse {}
impl Wipe for aa::BindInitDataResponse {}
impl Wipe for aa::GetTeeTypeResponse {}
impl Wipe for aa::GetAdditionalTeesResponse {}
impl Wipe for aa::GetTokenResponse {
    fn wipe(&mut self) {
        self.token.zeroize();
    }
}
impl Wipe for cdh::UnsealSecretOutput {
    fn wipe(&mut self) {
        self.plaintext.zeroize();
    }
}
impl Wipe for cdh::GetResourceResponse {
    fn wipe(&mut self) {
        self.resource.zeroize();
    }
}
