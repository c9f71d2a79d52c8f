//! A service with its door open on loopback, and callers of each role.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use assay_access::{AdminKey, AdminKeys, Authority, DEFAULT_AUDIENCE, Role};
use assay_attestation_service::proto;
use assay_attestation_service::proto::attestation_service_client::AttestationServiceClient;
use assay_attestation_service::proto::individual_attestation_request::RuntimeData;
use assay_attestation_service::{FaceParts, FaceSettings, Faces, PassportSettings};
use assay_audit::{AuditLog, AuditSettings};
use assay_listener::{Limits, Protocols, serve};
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_token::{TokenVerifier, TrustedKeys, VerifiedToken};
use assay_types::{Clock as _, HashAlgorithm, Tee, canonical_digest};
use axum::Router;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::transport::Channel;

use crate::support::World;

pub struct Door {
    pub world: World,
    pub address: SocketAddr,
    pub channel: Channel,
    admin: AdminKey,
    serving: JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub fn settings(guests: bool) -> FaceSettings {
    FaceSettings {
        guests,
        guest_rate: None,
        trusted_proxies: Vec::new(),
        passports: PassportSettings { challenge_seconds: 300, verdict_seconds: 300, policies: Vec::new() },
        body_bytes: 2 << 20,
        body_timeout: Duration::from_secs(15),
        request_timeout: Duration::from_secs(30),
        public_url: None,
        housekeeping_interval: Duration::from_secs(60),
    }
}

impl Door {
    pub async fn open(guests: bool) -> Self {
        Door::with(World::new().await, settings(guests)).await
    }

    pub async fn with(world: World, settings: FaceSettings) -> Self {
        let keys = Arc::new(AdminKeys::load(world.store.clone(), world.clock.clone()).await.unwrap());
        let admin = keys.newest().await.unwrap();
        let audit =
            AuditLog::open(world.store.clone(), world.clock.clone(), AuditSettings::default(), "test");
        let faces = Faces::new(FaceParts {
            service: Arc::clone(&world.service),
            store: world.store.clone(),
            authority: Arc::new(Authority::new(keys, DEFAULT_AUDIENCE, Vec::new()).unwrap()),
            audit: audit.await.unwrap(),
            settings,
            clock: world.clock.clone(),
            beside: Router::new(),
            descriptors: Vec::new(),
        })
        .await
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, observer) = (faces.router(), Arc::new(faces));
        let serving = tokio::spawn(serve(
            router,
            listener,
            None,
            Protocols::Http1And2,
            Limits::default(),
            observer,
            std::future::pending(),
        ));
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Door { world, address, channel, admin, serving }
    }

    pub fn token(&self, role: Role) -> String {
        self.admin.mint(role, 900, DEFAULT_AUDIENCE, self.world.clock.now()).unwrap()
    }

    pub fn client(&self) -> AttestationServiceClient<Channel> {
        AttestationServiceClient::new(self.channel.clone())
    }

    /// A message from a caller of that role, or of none.
    pub fn of<T>(&self, role: Option<Role>, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(role) = role {
            let bearer = format!("Bearer {}", self.token(role));
            request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        }
        request
    }

    pub async fn evaluate(&self, request: proto::AttestationRequest) -> Result<String, tonic::Status> {
        let request = self.of(Some(Role::Evaluator), request);
        let answer = self.client().attestation_evaluate(request).await?;
        Ok(answer.into_inner().attestation_token)
    }

    /// Status, content type and body of a REST request.
    pub async fn rest(
        &self,
        role: Option<Role>,
        method: &str,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> (u16, String, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = http_client().request(method, format!("http://{}{path}", self.address)).body(body);
        if let Some(role) = role {
            request = request.bearer_auth(self.token(role));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (status, kind.unwrap_or_default(), answer.text().await.unwrap())
    }

    /// The claims of a token under the keys that the door publishes.
    pub async fn verified(&self, token: &str) -> VerifiedToken {
        let (status, _, keys) = self.rest(None, "GET", "/.well-known/jwks.json", "").await;
        assert_eq!(status, 200);
        let jwks = assay_token::JwkSet::from_json(&keys).unwrap();
        let verifier = TokenVerifier::new(TrustedKeys { jwks, ..TrustedKeys::default() }).unwrap();
        verifier.verify(token, self.world.clock.now()).unwrap()
    }
}

/// A client of the REST face.
pub fn http_client() -> reqwest::Client {
    // Another test may have been faster.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

/// What a key broker sends for a guest of `tee`.
pub fn broker_request(world: &World, tee: Tee, nonce: &str) -> (proto::AttestationRequest, Value) {
    let key = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    let data = json!({ "tee-pubkey": key.public_jwk(), "nonce": nonce, "additional-evidence": "" });
    (request(vec![individual(world, tee, &data)]), data)
}

pub fn request(verification_requests: Vec<proto::IndividualAttestationRequest>) -> proto::AttestationRequest {
    proto::AttestationRequest { verification_requests, policy_ids: Vec::new() }
}

/// Evidence bound to these runtime data.
pub fn individual(world: &World, tee: Tee, data: &Value) -> proto::IndividualAttestationRequest {
    let digest = canonical_digest(data, HashAlgorithm::Sha384).unwrap();
    let evidence = world.emulator.evidence(tee, digest.as_bytes(), None, &[]).unwrap();
    proto::IndividualAttestationRequest {
        tee: tee.to_string(),
        evidence: BASE64_URL_SAFE_NO_PAD.encode(evidence.to_string()),
        runtime_data_hash_algorithm: String::new(),
        runtime_data: Some(RuntimeData::StructuredRuntimeData(data.to_string())),
        init_data: None,
    }
}

/// The same as JSON of the REST interface.
pub fn rest_request(request: &proto::AttestationRequest) -> Value {
    let one = |one: &proto::IndividualAttestationRequest| {
        let Some(RuntimeData::StructuredRuntimeData(data)) = &one.runtime_data else { panic!() };
        let data: Value = serde_json::from_str(data).unwrap();
        json!({ "tee": one.tee, "evidence": one.evidence, "runtime_data": { "structured": data } })
    };
    let requests: Vec<Value> = request.verification_requests.iter().map(one).collect();
    json!({ "verification_requests": requests, "policy_ids": request.policy_ids })
}
