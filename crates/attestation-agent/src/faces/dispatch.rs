//! Names on the wire to calls, and bytes to messages.

use prost::Message;
use tonic::Code;
use zeroize::Zeroizing;

use super::calls::{self, Wipe};
use super::{Outcome, Services, answer};
use crate::api::Api;
use crate::caller::Caller;
use crate::error::AgentError;
use crate::proto::attestation_agent as aa;
use crate::proto::confidential_data_hub as cdh;

/// A method of one of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GetEvidence`.
    GetEvidence,
    /// `GetAdditionalEvidence`.
    GetAdditionalEvidence,
    /// `GetToken`.
    GetToken,
    /// `ExtendRuntimeMeasurement`.
    ExtendRuntimeMeasurement,
    /// `BindInitData`.
    BindInitData,
    /// `GetTeeType`.
    GetTeeType,
    /// `GetAdditionalTees`.
    GetAdditionalTees,
    /// `UnsealSecret`.
    UnsealSecret,
    /// `GetResource`.
    GetResource,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 9] = [
        Method::GetEvidence,
        Method::GetAdditionalEvidence,
        Method::GetToken,
        Method::ExtendRuntimeMeasurement,
        Method::BindInitData,
        Method::GetTeeType,
        Method::GetAdditionalTees,
        Method::UnsealSecret,
        Method::GetResource,
    ];

    /// Its service and name.
    pub const fn names(self) -> (&'static str, &'static str) {
        const AGENT: &str = "attestation_agent.AttestationAgentService";
        match self {
            Method::GetEvidence => (AGENT, "GetEvidence"),
            Method::GetAdditionalEvidence => (AGENT, "GetAdditionalEvidence"),
            Method::GetToken => (AGENT, "GetToken"),
            Method::ExtendRuntimeMeasurement => (AGENT, "ExtendRuntimeMeasurement"),
            Method::BindInitData => (AGENT, "BindInitData"),
            Method::GetTeeType => (AGENT, "GetTeeType"),
            Method::GetAdditionalTees => (AGENT, "GetAdditionalTees"),
            Method::UnsealSecret => ("api.SealedSecretService", "UnsealSecret"),
            Method::GetResource => ("api.GetResourceService", "GetResource"),
        }
    }

    const fn within(self, services: Services) -> bool {
        match self {
            Method::UnsealSecret | Method::GetResource => services.resource(),
            _ => services.attestation(),
        }
    }
}

/// A request that failed: the status and the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) text: String,
}

impl From<&AgentError> for Failure {
    fn from(error: &AgentError) -> Self {
        Failure { code: Outcome::of(error).rpc(), text: answer::text(error) }
    }
}

/// Finds the method of a service that is served.
pub(crate) fn find(services: Services, service: &str, method: &str) -> Result<Method, Failure> {
    let served = |found: &Method| found.within(services);
    if let Some(found) =
        Method::ALL.into_iter().filter(served).find(|found| found.names() == (service, method))
    {
        return Ok(found);
    }
    let short = |text: &str| text.chars().take(128).collect::<String>();
    let known = Method::ALL.into_iter().filter(served).any(|found| found.names().0 == service);
    let text = if known {
        format!("AGT-016: {} has no method {:?}", short(service), short(method))
    } else {
        format!("AGT-016: the service {:?} is not served here", short(service))
    };
    Err(Failure { code: Code::Unimplemented, text })
}

/// The message of a request, whose bytes are wiped and given back: while it is worked on there is one of it.
fn taken<M: Message + Default>(method: Method, payload: Zeroizing<Vec<u8>>) -> Result<M, AgentError> {
    decoded(method, &payload)
}

fn decoded<M: Message + Default>(method: Method, payload: &[u8]) -> Result<M, AgentError> {
    M::decode(payload).map_err(|error| {
        AgentError::BadRequest(format!("the request of {} cannot be decoded: {error}", method.names().1))
    })
}

fn encoded<M: Message + Wipe>(mut message: M) -> Zeroizing<Vec<u8>> {
    // The exact length is reserved first, so that no grown buffer is left behind unwiped.
    let bytes = Zeroizing::new(message.encode_to_vec());
    message.wipe();
    bytes
}

/// Answers one request: bytes of its message to bytes of the answer's.
pub(crate) async fn call(
    api: &dyn Api,
    caller: &Caller,
    method: Method,
    payload: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, AgentError> {
    match method {
        Method::GetEvidence => calls::evidence(api, caller, taken(method, payload)?).await.map(encoded),
        Method::GetAdditionalEvidence => {
            calls::additional_evidence(api, caller, taken(method, payload)?).await.map(encoded)
        }
        Method::GetToken => calls::token(api, caller, taken(method, payload)?).await.map(encoded),
        Method::ExtendRuntimeMeasurement => {
            calls::extend(api, caller, taken(method, payload)?).await.map(encoded)
        }
        Method::BindInitData => {
            calls::bind_init_data(api, caller, taken(method, payload)?).await.map(encoded)
        }
        Method::GetTeeType => {
            let aa::GetTeeTypeRequest {} = taken(method, payload)?;
            Ok(encoded(calls::tee_type(api)))
        }
        Method::GetAdditionalTees => {
            let aa::GetAdditionalTeesRequest {} = taken(method, payload)?;
            Ok(encoded(calls::additional_tees(api)))
        }
        Method::UnsealSecret => calls::unseal(api, caller, taken(method, payload)?).await.map(encoded),
        Method::GetResource => calls::resource(api, caller, taken(method, payload)?).await.map(encoded),
    }
}

/// Decodes the request message of a method and encodes it again, without a server: for fuzzing.
///
/// # Errors
/// [`AgentError::BadRequest`].
pub fn decode_request(method: Method, payload: &[u8]) -> Result<Vec<u8>, AgentError> {
    Ok(match method {
        Method::GetEvidence => decoded::<aa::GetEvidenceRequest>(method, payload)?.encode_to_vec(),
        Method::GetAdditionalEvidence => {
            decoded::<aa::GetAdditionalEvidenceRequest>(method, payload)?.encode_to_vec()
        }
        Method::GetToken => decoded::<aa::GetTokenRequest>(method, payload)?.encode_to_vec(),
        Method::ExtendRuntimeMeasurement => {
            decoded::<aa::ExtendRuntimeMeasurementRequest>(method, payload)?.encode_to_vec()
        }
        Method::BindInitData => decoded::<aa::BindInitDataRequest>(method, payload)?.encode_to_vec(),
        Method::GetTeeType => decoded::<aa::GetTeeTypeRequest>(method, payload)?.encode_to_vec(),
        Method::GetAdditionalTees => {
            decoded::<aa::GetAdditionalTeesRequest>(method, payload)?.encode_to_vec()
        }
        Method::UnsealSecret => decoded::<cdh::UnsealSecretInput>(method, payload)?.encode_to_vec(),
        Method::GetResource => decoded::<cdh::GetResourceRequest>(method, payload)?.encode_to_vec(),
    })
}
