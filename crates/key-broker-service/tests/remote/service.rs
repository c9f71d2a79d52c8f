//! A real attestation service with its door open on loopback, and key brokers of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use assay_access::{AdminKey, AdminKeys, Authority, DEFAULT_AUDIENCE, Role};
use assay_attestation_service::{FaceParts, FaceSettings, Faces, PassportSettings};
use assay_key_broker_service::{Attestation, RemoteAttestation, TrustedIssuer, TrustedIssuerSettings};
use assay_listener::{Limits, Protocols, serve};
use assay_remote::RemoteSettings;
use assay_types::{Clock as _, FixedClock, Tee};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{Kind, NOW, World};

pub struct Service {
    pub world: World,
    pub address: SocketAddr,
    pub admin: AdminKey,
    pub folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Service {
    pub async fn open() -> Self {
        Service::of(World::new().await, "127.0.0.1:0".parse().unwrap()).await
    }

    /// The service of that world at that address.
    pub async fn of(world: World, address: SocketAddr) -> Self {
        let keys = Arc::new(AdminKeys::load(world.store.clone(), world.clock.clone()).await.unwrap());
        let admin = keys.newest().await.unwrap();
        let faces = Faces::new(FaceParts {
            service: Arc::clone(&world.attestation),
            store: world.store.clone(),
            authority: Arc::new(Authority::new(keys, DEFAULT_AUDIENCE, Vec::new()).unwrap()),
            audit: world.audit.clone(),
            settings: FaceSettings {
                guests: true,
                guest_rate: None,
                trusted_proxies: Vec::new(),
                passports: PassportSettings {
                    challenge_seconds: 300,
                    verdict_seconds: 300,
                    policies: Vec::new(),
                },
                body_bytes: 2 << 20,
                body_timeout: Duration::from_secs(15),
                request_timeout: Duration::from_secs(30),
                public_url: None,
                housekeeping_interval: Duration::from_secs(60),
            },
            clock: world.clock.clone(),
            beside: Router::new(),
            descriptors: Vec::new(),
        })
        .await
        .unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, observer) = (faces.router(), Arc::new(faces));
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = Limits { drain: Duration::ZERO, ..Limits::default() };
        let shutdown = async move {
            let _ = stopped.await;
        };
        let serving =
            tokio::spawn(serve(router, listener, None, Protocols::Http1And2, limits, observer, shutdown));
        Service { world, address, admin, folder: tempfile::tempdir().unwrap(), stop, serving }
    }

    /// Ends it, and every connection of it.
    pub async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap();
    }

    /// Writes a token of that role to a file of the key broker.
    pub fn give_token(&self, role: Role) -> std::path::PathBuf {
        let file = self.folder.path().join("token");
        let now = self.world.clock.now();
        std::fs::write(&file, self.admin.mint(role, 900, DEFAULT_AUDIENCE, now).unwrap()).unwrap();
        file
    }

    pub fn settings(&self, role: Role) -> RemoteSettings {
        RemoteSettings { token_file: Some(self.give_token(role)), ..remote(self.address) }
    }

    /// Its keys by their address.
    pub fn trusted(&self) -> TrustedIssuerSettings {
        TrustedIssuerSettings {
            keys: Some(format!("http://{}/.well-known/jwks.json", self.address)),
            ..TrustedIssuerSettings::default()
        }
    }

    /// A key broker that asks this service.
    pub async fn key_broker(&self) -> World {
        asking(self.settings(Role::Evaluator), self.trusted()).await
    }

    /// A guest's own token of this service, and the guest.
    pub async fn passport(&self, tee: Tee) -> (crate::world::Guest, String) {
        // Another test may have been faster.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let post = async |path: &str, body: String| {
            let url = format!("http://{}{path}", self.address);
            let answer = client.post(url).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.text().await.unwrap()
        };
        let nonce = post("/challenge", serde_json::json!({ "tee": tee, "tee_params": "" }).to_string()).await;
        let key =
            assay_token::jwe::DecryptionKey::generate(assay_token::jwe::KeyAlgorithm::EcdhP256).unwrap();
        let guest = crate::world::Guest { tee, cookie: String::new(), nonce, key };
        let body = crate::world::passport::request(&self.world, &guest).to_string();
        let token = post("/attestation", body).await;
        (guest, token)
    }
}

pub fn remote(address: SocketAddr) -> RemoteSettings {
    RemoteSettings::new("attestation service", &format!("http://{address}"))
}

pub fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(NOW))
}

pub fn issuer(settings: TrustedIssuerSettings) -> Arc<TrustedIssuer> {
    Arc::new(TrustedIssuer::new(settings, clock()).unwrap())
}

/// A key broker that asks the service of these settings.
pub async fn asking(remote: RemoteSettings, trusted: TrustedIssuerSettings) -> World {
    let tees = vec![Tee::Snp, Tee::Cca, Tee::Tdx, Tee::Sample];
    let remote = RemoteAttestation::new(remote, issuer(trusted), tees, clock()).unwrap();
    World::of_kind(Kind::Elsewhere(Attestation::Remote(Arc::new(remote)), None)).await
}

/// A key broker that only believes tokens.
pub async fn believing(trusted: TrustedIssuerSettings) -> World {
    World::of_kind(Kind::Elsewhere(Attestation::Elsewhere, Some(issuer(trusted)))).await
}
