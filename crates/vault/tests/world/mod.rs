//! A double of Vault on loopback, credentials in files, and a clock that both sides share.

#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;
use std::time::Duration;

use assay_types::{FixedClock, UnixTime};
use assay_vault::double::{Double, DoubleSettings};
use assay_vault::{Kv, KvVersion, VaultAuth, VaultClient, VaultPath, VaultSettings};
use tempfile::TempDir;

const NOW: UnixTime = UnixTime(1_790_000_000);

/// Longer than any call to the double takes; nothing waits for it but where the test says so.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
pub enum Auth {
    Token,
    AppRole,
    Kubernetes,
}

pub struct World {
    pub double: Double,
    pub address: String,
    pub clock: Arc<FixedClock>,
    pub folder: TempDir,
    settings: DoubleSettings,
}

pub fn path(text: &str) -> VaultPath {
    VaultPath::new(text, "path").unwrap()
}

impl World {
    pub async fn start() -> Self {
        World::start_with(DoubleSettings::default()).await
    }

    pub async fn start_with(settings: DoubleSettings) -> Self {
        let clock = Arc::new(FixedClock::new(NOW));
        let double = Double::new(settings.clone(), clock.clone()).unwrap();
        let (address, _) = double.start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let world = World { double, address: format!("http://{address}"), clock, folder, settings };
        world.write_credentials();
        world
    }

    pub fn write_credentials(&self) {
        self.write_token(&self.settings.token);
        std::fs::write(self.folder.path().join("secret-id"), &self.settings.secret_id).unwrap();
        std::fs::write(self.folder.path().join("jwt"), &self.settings.kubernetes_jwt).unwrap();
    }

    /// Replaces the token file, as those who manage credentials do.
    pub fn write_token(&self, token: &str) {
        let new = self.folder.path().join("token.new");
        std::fs::write(&new, token).unwrap();
        std::fs::rename(new, self.folder.path().join("token")).unwrap();
    }

    pub fn auth(&self, auth: Auth) -> VaultAuth {
        let file = |name| self.folder.path().join(name);
        match auth {
            Auth::Token => VaultAuth::Token { file: file("token") },
            Auth::AppRole => VaultAuth::AppRole {
                mount: "approle".into(),
                role_id: self.settings.role_id.clone(),
                secret_id_file: file("secret-id"),
            },
            Auth::Kubernetes => VaultAuth::Kubernetes {
                mount: "kubernetes".into(),
                role: self.settings.kubernetes_role.clone(),
                token_file: file("jwt"),
            },
        }
    }

    pub async fn client(&self, auth: Auth) -> Arc<VaultClient> {
        self.client_at(&self.address, auth, |settings| settings.max_answer_bytes = 1 << 20)
    }

    pub fn client_at(
        &self,
        address: &str,
        auth: Auth,
        change: impl FnOnce(&mut VaultSettings),
    ) -> Arc<VaultClient> {
        let mut settings = VaultSettings::new(address, self.auth(auth));
        settings.deadline = LONG;
        change(&mut settings);
        Arc::new(VaultClient::new(settings, self.clock.clone()).unwrap())
    }

    pub fn kv(&self, client: &Arc<VaultClient>, version: KvVersion) -> Kv {
        let mount =
            if version == KvVersion::V1 { &self.settings.kv1_mount } else { &self.settings.kv2_mount };
        self.kv_at(client, mount, version)
    }

    pub fn kv_at(&self, client: &Arc<VaultClient>, mount: &str, version: KvVersion) -> Kv {
        Kv::new(Arc::clone(client), path(mount), version)
    }

    /// Asks the double with its own token; the status.
    pub async fn raw(&self, method: &str, path: &str, body: &str) -> u16 {
        // Making one puts the cryptography in place.
        drop(self.client(Auth::Token).await);
        let request = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let request = request
            .request(method.parse().unwrap(), format!("{}/{path}", self.address))
            .header("X-Vault-Token", &self.settings.token)
            .body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }
}
