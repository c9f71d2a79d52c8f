//! gRPC: the service of `attestation.proto`, health (`grpc.health.v1`) and reflection.

use assay_remote::status;
use axum::Router;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::health_server::HealthServer;

use super::guard::Right;
use super::health::Checks;
use super::{FaceError, Faces};
use crate::messages::policy_text;
use crate::proto;
use crate::proto::attestation_service_server::{AttestationService, AttestationServiceServer};
use crate::structured::EvidenceRequest;

/// What the names and numbers around a message may take, in bytes.
const ENVELOPE: usize = 4096;

/// The gRPC services as routes.
pub(crate) fn services(faces: &Faces) -> Router {
    let bytes = faces.inner.settings.body_bytes.saturating_add(ENVELOPE);
    let service = AttestationServiceServer::new(faces.clone()).max_decoding_message_size(bytes);
    let health = HealthServer::new(Checks(faces.clone())).max_decoding_message_size(ENVELOPE);
    let mut router = Router::new()
        .route_service(&path::<AttestationServiceServer<Faces>>(), service)
        .route_service(&path::<HealthServer<Checks>>(), health);
    let described = || {
        let own = [proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
        let all = own.into_iter().chain(faces.inner.descriptors.iter().copied());
        all.fold(tonic_reflection::server::Builder::configure(), |builder, set| {
            builder.register_encoded_file_descriptor_set(set)
        })
    };
    // Both versions of the protocol are in use.
    match (described().build_v1(), described().build_v1alpha()) {
        (Ok(v1), Ok(alpha)) => {
            router = router
                .route_service("/grpc.reflection.v1.ServerReflection/{*rest}", v1)
                .route_service("/grpc.reflection.v1alpha.ServerReflection/{*rest}", alpha);
        }
        (Err(error), _) | (_, Err(error)) => tracing::error!(%error, "there is no reflection"),
    }
    router
}

fn path<S: NamedService>() -> String {
    format!("/{}/{{*rest}}", S::NAME)
}

impl Faces {
    async fn evaluated(&self, request: Request<proto::AttestationRequest>) -> Result<String, FaceError> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self.allow(metadata.as_ref(), &extensions, &Right::EVALUATE)?;
        let requests = message
            .verification_requests
            .iter()
            .map(EvidenceRequest::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        self.evaluate(&caller, &requests, &message.policy_ids).await
    }

    async fn policy_set(&self, request: Request<proto::SetPolicyRequest>) -> Result<(), FaceError> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self.allow(metadata.as_ref(), &extensions, &Right::SET_POLICY)?;
        let text = policy_text(&message.policy)?;
        self.set_policy(caller, message.policy_id, text).await
    }

    fn challenged(&self, request: Request<proto::ChallengeRequest>) -> Result<String, FaceError> {
        let (metadata, extensions, message) = request.into_parts();
        self.allow(metadata.as_ref(), &extensions, &Right::EVALUATE)?;
        self.challenge(message.inner.get("tee").map_or("", String::as_str))
    }
}

/// A gRPC answer to a result.
fn answer<T>(result: Result<T, FaceError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| {
        // Within the span of the request, which has its id.
        super::surround::log(&error);
        status(&error)
    })
}

#[async_trait]
impl AttestationService for Faces {
    async fn attestation_evaluate(
        &self,
        request: Request<proto::AttestationRequest>,
    ) -> Result<Response<proto::AttestationResponse>, Status> {
        let result = self.evaluated(request).await;
        answer(result.map(|attestation_token| proto::AttestationResponse { attestation_token }))
    }

    async fn set_attestation_policy(
        &self,
        request: Request<proto::SetPolicyRequest>,
    ) -> Result<Response<proto::SetPolicyResponse>, Status> {
        answer(self.policy_set(request).await.map(|()| proto::SetPolicyResponse {}))
    }

    async fn get_attestation_challenge(
        &self,
        request: Request<proto::ChallengeRequest>,
    ) -> Result<Response<proto::ChallengeResponse>, Status> {
        let result = self.challenged(request);
        answer(result.map(|attestation_challenge| proto::ChallengeResponse { attestation_challenge }))
    }
}
