//! A whole service on a throw-away store, emulated guests for it, and a check of every answer against
//! the OpenAPI document.

#![allow(dead_code, unreachable_pub)]

#[path = "../../../attestation-service/tests/support/layered.rs"]
pub mod layered;
pub mod passport;
pub mod schema;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_access::{AdminKey, AdminKeys, Authority, ClientRule, DEFAULT_AUDIENCE, Role};
use assay_attestation_service::{
    ATTESTATION_POLICIES, AttestationService, KeySettings, PolicySet, RESOURCE_POLICIES, Registry, TokenKeys,
    TokenSettings, TrustSettings,
};
use assay_audit::{AuditLog, AuditSettings};
use assay_collateral::CollateralService;
use assay_emulator::{Emulator, Seed};
use assay_key_broker_service::{KeyBroker, Parts, Settings};
use assay_policy::{Admission, Limits, PolicyKind, TrialProcess};
use assay_reference_values::{CorimSettings, CorimSigner, ReferenceValues};
use assay_secret_backends::StoreBackend;
use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use assay_telemetry::{Operation, Readiness};
use assay_token::decode_unverified;
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{
    Clock, Digest, FixedClock, HashAlgorithm, Response as Jwe, RuntimeData, Tee, UnixTime, canonical_digest,
    primary_runtime_data,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Within the validity of the emulator's certificates.
pub const NOW: UnixTime = UnixTime(1_790_000_000);

/// A policy that releases everything.
pub const ALLOW_ALL: &str = "package policy\nimport rego.v1\ndefault allow := true\n";
/// A policy that releases nothing.
pub const DENY_ALL: &str = "package policy\nimport rego.v1\ndefault allow := false\n";

pub struct World {
    pub broker: KeyBroker,
    pub attestation: Arc<AttestationService>,
    pub store: Store,
    pub audit: AuditLog,
    pub clock: Arc<FixedClock>,
    pub admin: AdminKey,
    pub authority: Arc<Authority>,
    pub emulator: Emulator,
    pub router: Router,
    settings: Settings,
    folder: Arc<tempfile::TempDir>,
    layered: bool,
}

/// Settings without rate limits: all requests of a test come from one address.
pub fn settings() -> Settings {
    Settings { auth_rate: None, attest_rate: None, ..Settings::default() }
}

/// What holders of client certificates may do.
fn clients() -> Vec<ClientRule> {
    let rule = |san: &str, role| ClientRule { san: san.to_owned(), roles: vec![role] };
    vec![
        rule("auditor.example.org", Role::Auditor),
        rule("spiffe://example.org/values", Role::ReferenceValueReader),
    ]
}

/// The trial process of policies, built beside the tests.
fn trial() -> TrialProcess {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples/policy-trial");
    TrialProcess { program, args: Vec::new() }
}

/// An answer, held against the OpenAPI document.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    /// Status and code, for assertions.
    pub fn refusal(&self) -> (u16, String) {
        let code = if self.status.is_success() {
            String::new()
        } else {
            self.json()["code"].as_str().unwrap().into()
        };
        (self.status.as_u16(), code)
    }

    /// The value of the session cookie that the answer sets.
    pub fn cookie(&self) -> String {
        let line = self.header("set-cookie");
        line.split(';').next().unwrap().strip_prefix("kbs-session-id=").unwrap_or_default().to_owned()
    }

    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["token"].as_str().unwrap().to_owned()
    }

    pub fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }
}

/// A guest between `auth` and its secret.
pub struct Guest {
    pub tee: Tee,
    pub cookie: String,
    pub nonce: String,
    pub key: DecryptionKey,
}

impl Guest {
    pub fn decrypt(&self, answer: &Answer) -> Vec<u8> {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let jwe: Jwe = serde_json::from_slice(&answer.body).unwrap();
        self.key.decrypt(&jwe).unwrap().expose().to_vec()
    }
}

impl World {
    pub async fn new() -> Self {
        World::with(settings()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        World::on(folder, settings, Arc::new(FixedClock::new(NOW)), None, false).await
    }

    /// With a verifier in the shape of Arm CCA's.
    pub async fn layered(settings: Settings) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        World::on(folder, settings, Arc::new(FixedClock::new(NOW)), None, true).await
    }

    /// With resource policies that were admitted before: id and text.
    pub async fn with_resource_policies(policies: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = open(&folder).await;
        for (id, text) in policies {
            let digest = Digest::sha384(text.as_bytes());
            store.put_policy("resource", id, text, &digest, NOW).await.unwrap();
        }
        World::on(folder, settings(), Arc::new(FixedClock::new(NOW)), Some(store), false).await
    }

    /// The same store in a new process, as far as one process can play it.
    pub async fn restarted(self) -> Self {
        let World { store, broker, router, attestation, folder, settings, clock, layered, .. } = self;
        drop((broker, router, attestation));
        store.close().await;
        World::on(folder, settings, clock, None, layered).await
    }

    /// A second service on the same store.
    pub async fn replica(&self) -> Self {
        let store = Some(self.store.clone());
        let (folder, clock) = (Arc::clone(&self.folder), Arc::clone(&self.clock));
        World::on(folder, self.settings.clone(), clock, store, self.layered).await
    }

    async fn on(
        folder: Arc<tempfile::TempDir>,
        settings: Settings,
        clock: Arc<FixedClock>,
        store: Option<Store>,
        layered: bool,
    ) -> Self {
        let store = match store {
            Some(store) => store,
            None => open(&folder).await,
        };
        let shared: Arc<dyn Clock> = clock.clone();
        let emulator = Emulator::new(Seed::DEVELOPMENT);
        let trust = TrustSettings {
            emulated_anchors: Some(emulator.anchors()),
            allow_sample: true,
            ..TrustSettings::production()
        };
        // The emulator's vendor signs its CoRIMs.
        let signers = vec![CorimSigner::key(emulator.cca().corim_signer().public_key())];
        let corims = CorimSettings { signers, ..CorimSettings::default() };
        let values = ReferenceValues::load_with(store.clone(), shared.clone(), corims).await.unwrap();
        let registry = Registry::new(trust).unwrap();
        let registry = if layered { registry.with(Arc::new(layered::LayeredVerifier)) } else { registry };
        let policies = async |kind, bundled| {
            let admission = Admission::new(trial(), Limits::default());
            Arc::new(PolicySet::load(kind, bundled, store.clone(), admission, shared.clone()).await.unwrap())
        };
        let keys =
            TokenKeys::load(store.clone(), KeySettings::default(), "test", shared.clone()).await.unwrap();
        let attestation = Arc::new(AttestationService::new(
            registry,
            CollateralService::builder(shared.clone()).build().unwrap(),
            policies(PolicyKind::Attestation, ATTESTATION_POLICIES).await,
            Arc::new(values),
            Arc::new(keys),
            TokenSettings::default(),
            shared.clone(),
        ));
        let admin_keys = Arc::new(AdminKeys::load(store.clone(), shared.clone()).await.unwrap());
        let admin = admin_keys.newest().await.unwrap();
        let authority = Arc::new(Authority::new(admin_keys, DEFAULT_AUDIENCE, clients()).unwrap());
        let audit =
            AuditLog::open(store.clone(), shared.clone(), AuditSettings::default(), "test").await.unwrap();
        let broker = KeyBroker::new(Parts {
            secrets: Arc::new(StoreBackend::new(store.clone(), shared.clone())),
            store: store.clone(),
            attestation: Arc::clone(&attestation),
            resource_policies: policies(PolicyKind::Resource, RESOURCE_POLICIES).await,
            authority: Arc::clone(&authority),
            audit: audit.clone(),
            settings: settings.clone(),
            operation: Operation {
                // Probes of tests follow each other quickly.
                readiness: Readiness::new(Duration::ZERO, Duration::from_secs(20)),
                ..Operation::default()
            },
            clock: shared,
        })
        .await
        .unwrap();
        let router = broker.router();
        World {
            broker,
            attestation,
            store,
            audit,
            clock,
            admin,
            authority,
            emulator,
            router,
            settings,
            folder,
            layered,
        }
    }

    pub fn admin_token(&self, role: Role) -> String {
        self.admin.mint(role, 900, DEFAULT_AUDIENCE, self.clock.now()).unwrap()
    }

    /// Sends a request and holds the answer against the OpenAPI document.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 26).await.unwrap().to_vec();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        schema::check(method.as_str(), &path, &answer);
        answer
    }

    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// As an administrator of that role.
    pub async fn administer(&self, role: Role, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let bearer = format!("Bearer {}", self.admin_token(role));
        self.call(method, path, &[("authorization", &bearer)], body).await
    }

    pub async fn auth(&self, tee: &str) -> Answer {
        let body = json!({"version": "0.4.0", "tee": tee, "extra-params": ""});
        self.call("POST", "/kbs/v0/auth", &[], body.to_string()).await
    }

    /// A guest with a challenge.
    pub async fn guest(&self, tee: Tee) -> Guest {
        self.guest_with_key(tee, KeyAlgorithm::EcdhP256).await
    }

    pub async fn guest_with_key(&self, tee: Tee, algorithm: KeyAlgorithm) -> Guest {
        let answer = self.auth(tee.as_str()).await.ok();
        Guest {
            tee,
            cookie: answer.cookie(),
            nonce: answer.json()["nonce"].as_str().unwrap().to_owned(),
            key: DecryptionKey::generate(algorithm).unwrap(),
        }
    }

    /// What the guest sends to `attest`, with fields of the evidence set.
    pub fn attestation(&self, guest: &Guest, set: &[(&str, &str)]) -> Value {
        let key = serde_json::to_value(guest.key.public_jwk()).unwrap();
        self.attestation_of_key(guest, &key, set)
    }

    pub fn attestation_of_key(&self, guest: &Guest, key: &Value, set: &[(&str, &str)]) -> Value {
        let runtime_data = RuntimeData { nonce: guest.nonce.clone(), tee_pubkey: key.clone() };
        let digest =
            canonical_digest(&primary_runtime_data(&runtime_data, ""), HashAlgorithm::Sha384).unwrap();
        let set: Vec<_> = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let evidence = self.emulator.evidence(guest.tee, digest.as_bytes(), None, &set).unwrap();
        json!({
            "init-data": null,
            "runtime-data": runtime_data,
            "tee-evidence": {"primary_evidence": evidence, "additional_evidence": ""},
        })
    }

    pub async fn post_attest(&self, cookie: &str, body: impl Into<Body>) -> Answer {
        let cookie = format!("kbs-session-id={cookie}");
        self.call("POST", "/kbs/v0/attest", &[("cookie", &cookie)], body).await
    }

    pub async fn attest(&self, guest: &Guest, set: &[(&str, &str)]) -> Answer {
        self.post_attest(&guest.cookie, self.attestation(guest, set).to_string()).await
    }

    /// A guest that has attested.
    pub async fn attested(&self, tee: Tee, set: &[(&str, &str)]) -> Guest {
        let guest = self.guest(tee).await;
        self.attest(&guest, set).await.ok();
        guest
    }

    /// GET with the session cookie.
    pub async fn get(&self, guest: &Guest, path: &str) -> Answer {
        let cookie = format!("kbs-session-id={}", guest.cookie);
        self.call("GET", path, &[("cookie", &cookie)], Body::empty()).await
    }

    pub async fn get_with_token(&self, token: &str, path: &str) -> Answer {
        self.call("GET", path, &[("authorization", &format!("Bearer {token}"))], Body::empty()).await
    }

    pub async fn register(&self, values: Value) {
        let payload = BASE64_STANDARD.encode(values.to_string());
        let message = json!({ "version": "0.1.0", "type": "sample", "payload": payload });
        self.administer(Role::Admin, "POST", "/kbs/v0/reference-value", message.to_string()).await.ok();
    }

    /// Registers what makes the emulator's default guests affirming.
    pub async fn register_good_guests(&self) {
        let guest = self.guest(Tee::Snp).await;
        let token = self.attest(&guest, &[]).await.token();
        let (_, claims) = decode_unverified(&token).unwrap();
        let snp = &claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["snp"];
        self.register(json!({
            "snp_launch_measurement": [snp["measurement"]],
            "snp_bootloader": [snp["reported_tcb_bootloader"]],
            "snp_microcode": [snp["reported_tcb_microcode"]],
            "snp_snp_svn": [snp["reported_tcb_snp"]],
            "snp_tee_svn": [snp["reported_tcb_tee"]],
            "launch_digest": ["abcde"], "svn": ["1"], "major_version": 1, "minimum_minor_version": 4,
        }))
        .await;
    }

    pub async fn set_resource(&self, path: &str, secret: &[u8]) {
        let path = format!("/kbs/v0/resource/{path}");
        self.administer(Role::Admin, "POST", &path, secret.to_vec()).await.ok();
    }
}

async fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(StoreOptions {
        database: folder.path().join("assay.db"),
        key_encryption_key: KeyEncryptionKey::load_or_create(&folder.path().join("kek")).unwrap(),
    })
    .await
    .unwrap()
}

pub fn base64url(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}
