//! An attestation service that does what a test tells it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use assay_attestation_service::proto;
use assay_attestation_service::proto::attestation_service_server::{
    AttestationService, AttestationServiceServer,
};
use assay_attestation_service::proto::individual_attestation_request::RuntimeData;
use assay_key_broker_service::TrustedIssuerSettings;
use assay_token::{Issuer, JwkSet, SigningAlgorithm, SigningKey};
use assay_types::{UnixTime, Validity};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status, async_trait};

use crate::world::NOW;

type Answer = Pin<Box<dyn Future<Output = Result<String, Status>> + Send>>;
type Behaviour = dyn Fn(proto::AttestationRequest) -> Answer + Send + Sync;

#[derive(Clone)]
struct Told(Arc<Behaviour>);

#[async_trait]
impl AttestationService for Told {
    async fn attestation_evaluate(
        &self,
        request: Request<proto::AttestationRequest>,
    ) -> Result<Response<proto::AttestationResponse>, Status> {
        let attestation_token = (self.0)(request.into_inner()).await?;
        Ok(Response::new(proto::AttestationResponse { attestation_token }))
    }

    async fn set_attestation_policy(
        &self,
        _: Request<proto::SetPolicyRequest>,
    ) -> Result<Response<proto::SetPolicyResponse>, Status> {
        Err(Status::aborted("not told"))
    }

    async fn get_attestation_challenge(
        &self,
        _: Request<proto::ChallengeRequest>,
    ) -> Result<Response<proto::ChallengeResponse>, Status> {
        Err(Status::aborted("not told"))
    }
}

pub struct Double {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Double {
    pub async fn that<F: Future<Output = Result<String, Status>> + Send + 'static>(
        behaviour: impl Fn(proto::AttestationRequest) -> F + Send + Sync + 'static,
    ) -> Self {
        let told = Told(Arc::new(move |request| Box::pin(behaviour(request))));
        let router = axum::Router::new()
            .route_service("/attestation.AttestationService/{*rest}", AttestationServiceServer::new(told));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(assay_listener::serve(
            router,
            listener,
            None,
            assay_listener::Protocols::Http1And2,
            assay_listener::Limits::default(),
            Arc::new(()),
            std::future::pending(),
        ));
        Double { address, serving }
    }

    /// A double that answers with one text.
    pub async fn saying(text: &str) -> Self {
        let text = text.to_owned();
        Double::that(move |_| std::future::ready(Ok(text.clone()))).await
    }
}

/// A signer of tokens in the form of Trustee's, and how a key broker comes to believe it.
pub struct Signer {
    issuer: Issuer,
    pub folder: tempfile::TempDir,
}

impl Signer {
    pub fn new() -> Self {
        Signer::with(false)
    }

    /// With its certificate in the header, as Trustee with a signer.
    pub fn certified() -> Self {
        Signer::with(true)
    }

    fn with(certified: bool) -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let jwks = JwkSet { keys: vec![key.public_jwk().clone()] };
        std::fs::write(folder.path().join("jwks.json"), serde_json::to_vec(&jwks).unwrap()).unwrap();
        let certificates = certified.then(|| {
            let validity = Validity { not_before: NOW.plus(-60), not_after: NOW.plus(86_400) };
            let certificate = key.self_signed_certificate("as", validity).unwrap();
            let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &certificate);
            let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
            std::fs::write(folder.path().join("certificate.pem"), pem).unwrap();
            vec![certificate]
        });
        Signer { issuer: Issuer::new(key, certificates).unwrap(), folder }
    }

    pub fn by_keys(&self) -> TrustedIssuerSettings {
        let file = self.folder.path().join("jwks.json");
        TrustedIssuerSettings { keys: Some(file.display().to_string()), ..TrustedIssuerSettings::default() }
    }

    pub fn by_certificate(&self) -> TrustedIssuerSettings {
        let certificates = vec![self.folder.path().join("certificate.pem")];
        TrustedIssuerSettings { certificates, ..TrustedIssuerSettings::default() }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.issuer.sign(claims).unwrap()
    }
}

/// The runtime data of each piece of evidence.
pub fn runtime_data(request: &proto::AttestationRequest) -> Vec<Value> {
    let of = |one: &proto::IndividualAttestationRequest| match &one.runtime_data {
        Some(RuntimeData::StructuredRuntimeData(text)) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?}"),
    };
    request.verification_requests.iter().map(of).collect()
}

/// The claims of a token as Trustee makes it for this request.
pub fn claims(request: &proto::AttestationRequest) -> Value {
    let tee = &request.verification_requests[0].tee;
    let data = &runtime_data(request)[0];
    let UnixTime(now) = NOW;
    json!({
        "eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
        "iat": now, "exp": now + 300, "iss": "CoCo-Attestation-Service",
        "ear.verifier-id": {
            "developer": "https://confidentialcontainers.org", "build": "attestation-service 0.1.0",
        },
        "submods": { "cpu0": {
            "ear.status": "affirming",
            "ear.trustworthiness-vector": {
                "instance-identity": 0, "configuration": 2, "executables": 3, "file-system": 0, "hardware": 2,
                "runtime-opaque": 0, "storage-opaque": 0, "sourced-data": 0,
            },
            "ear.appraisal-policy-id": "default",
            "ear.veraison.annotated-evidence": {
                tee: { "measurement": "00" }, "report_data": "00", "runtime_data_claims": data,
            },
        } },
    })
}
