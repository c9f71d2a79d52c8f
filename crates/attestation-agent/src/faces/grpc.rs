//! gRPC: the same services over HTTP/2.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream;
use tokio::sync::{mpsc, watch};
use tonic::body::Body;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, async_trait};
use tower::Service;

use super::calls::{self, Shared};
use super::connection::Connection;
use super::metered::metered;
use super::{Outcome, answer};
use crate::caller::{Caller, Peer};
use crate::error::AgentError;
use crate::proto::attestation_agent as aa;
use crate::proto::attestation_agent::attestation_agent_service_server::{
    AttestationAgentService, AttestationAgentServiceServer,
};
use crate::proto::confidential_data_hub as cdh;
use crate::proto::confidential_data_hub::get_resource_service_server::{
    GetResourceService, GetResourceServiceServer,
};
use crate::proto::confidential_data_hub::sealed_secret_service_server::{
    SealedSecretService, SealedSecretServiceServer,
};

/// What the names and numbers around a message may take, in bytes.
const ENVELOPE: usize = 4096;

/// How many requests one connection may have open, and how long the head of each may be, in bytes.
const STREAMS: u32 = 32;
const HEAD: u32 = 4 << 10;

/// How much of a request's body, and of all bodies of a connection, may come before it is read, in bytes.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;

/// After how much silence a connection is asked whether it is still there, and how long it has to answer.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What a request knows of its connection.
#[derive(Clone)]
pub(crate) struct Origin {
    peer: Peer,
    refusal: Option<AgentError>,
}

impl Connected for Connection {
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        Origin { peer: self.peer, refusal: self.refusal.clone() }
    }
}

/// Serves the connections that come in until there are no more and those are closed; when `stopped` is
/// ready, they are asked to close.
pub(crate) async fn serve(
    incoming: mpsc::UnboundedReceiver<Connection>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<()>,
) {
    let incoming = stream::unfold(incoming, |mut incoming| async move {
        incoming.recv().await.map(|connection| (Ok::<_, io::Error>(connection), incoming))
    });
    let limits = &shared.limits;
    let bytes = limits.body_bytes.saturating_add(ENVELOPE);
    let face = Face(Arc::clone(&shared));
    let agent = shared
        .services
        .attestation()
        .then(|| AttestationAgentServiceServer::new(face.clone()).max_decoding_message_size(bytes));
    let sealed = shared
        .services
        .resource()
        .then(|| SealedSecretServiceServer::new(face.clone()).max_decoding_message_size(bytes));
    let resource = shared
        .services
        .resource()
        .then(|| GetResourceServiceServer::new(face).max_decoding_message_size(bytes));
    let gate = Arc::clone(&shared);
    let served = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .layer(tower::layer::layer_fn(move |inner| Gate { inner, shared: Arc::clone(&gate) }))
        .add_optional_service(agent)
        .add_optional_service(sealed)
        .add_optional_service(resource)
        .serve_with_incoming_shutdown(incoming, async move {
            let _ = stopped.changed().await;
        });
    if let Err(error) = served.await {
        tracing::warn!(%error, "gRPC ended");
    }
}

pub(crate) fn status(error: &AgentError) -> Status {
    Status::new(Outcome::of(error).rpc(), answer::text(error))
}

/// Stands before the services: tells a refused peer why, and gives every request its place before its
/// body is read.
#[derive(Clone)]
struct Gate<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // The one that was asked whether it is ready is the one to be called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let refusal = request.extensions().get::<Origin>().and_then(|origin| origin.refusal.clone());
        Box::pin(async move {
            if let Some(refusal) = refusal {
                return Ok(status(&refusal).into_http());
            }
            let _place = match shared.place().await {
                Ok(place) => place,
                Err(error) => return Ok(status(&error).into_http()),
            };
            // Its memory is held until there is an answer.
            let (body, _memory) = metered(&shared, ENVELOPE);
            let request = request.map(body);
            // The body's time, too. The answer's bound is nearer, in the call.
            let whole = shared.limits.request_timeout.saturating_add(shared.limits.transfer_timeout);
            match tokio::time::timeout(whole, inner.call(request)).await {
                Ok(answered) => answered,
                Err(_) => {
                    let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
                    Ok(status(&AgentError::TookTooLong { millis }).into_http())
                }
            }
        })
    }
}

#[derive(Clone)]
struct Face(Arc<Shared>);

impl Face {
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let origin = request.extensions().get::<Origin>();
        let origin = origin.ok_or_else(|| Status::internal("the connection is not known"))?;
        Ok(self.0.caller(origin.peer))
    }

    async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, AgentError>>,
    ) -> Result<Response<T>, Status> {
        self.0.in_time(None, answer).await.map(Response::new).map_err(|error| {
            tracing::debug!(%error, "a request failed");
            status(&error)
        })
    }
}

#[async_trait]
impl AttestationAgentService for Face {
    async fn get_evidence(
        &self,
        request: Request<aa::GetEvidenceRequest>,
    ) -> Result<Response<aa::GetEvidenceResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::evidence(&*self.0.api, &caller, request.into_inner())).await
    }

    async fn get_additional_evidence(
        &self,
        request: Request<aa::GetAdditionalEvidenceRequest>,
    ) -> Result<Response<aa::GetEvidenceResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::additional_evidence(&*self.0.api, &caller, request.into_inner())).await
    }

    async fn get_token(
        &self,
        request: Request<aa::GetTokenRequest>,
    ) -> Result<Response<aa::GetTokenResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::token(&*self.0.api, &caller, request.into_inner())).await
    }

    async fn extend_runtime_measurement(
        &self,
        request: Request<aa::ExtendRuntimeMeasurementRequest>,
    ) -> Result<Response<aa::ExtendRuntimeMeasurementResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::extend(&*self.0.api, &caller, request.into_inner())).await
    }

    async fn bind_init_data(
        &self,
        request: Request<aa::BindInitDataRequest>,
    ) -> Result<Response<aa::BindInitDataResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::bind_init_data(&*self.0.api, &caller, request.into_inner())).await
    }

    async fn get_tee_type(
        &self,
        _: Request<aa::GetTeeTypeRequest>,
    ) -> Result<Response<aa::GetTeeTypeResponse>, Status> {
        Ok(Response::new(calls::tee_type(&*self.0.api)))
    }

    async fn get_additional_tees(
        &self,
        _: Request<aa::GetAdditionalTeesRequest>,
    ) -> Result<Response<aa::GetAdditionalTeesResponse>, Status> {
        Ok(Response::new(calls::additional_tees(&*self.0.api)))
    }
}

#[async_trait]
impl SealedSecretService for Face {
    async fn unseal_secret(
        &self,
        request: Request<cdh::UnsealSecretInput>,
    ) -> Result<Response<cdh::UnsealSecretOutput>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::unseal(&*self.0.api, &caller, request.into_inner())).await
    }
}

#[async_trait]
impl GetResourceService for Face {
    async fn get_resource(
        &self,
        request: Request<cdh::GetResourceRequest>,
    ) -> Result<Response<cdh::GetResourceResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(calls::resource(&*self.0.api, &caller, request.into_inner())).await
    }
}
