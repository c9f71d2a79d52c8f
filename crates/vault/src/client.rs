//! The client: a token, a deadline, and one more attempt where the token had ended.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use assay_types::Clock;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::login::{Login, is_invalid_token};
use crate::transport::{Answer, Ask, Transport};
use crate::{Health, VaultError, VaultSettings};

/// How often the keeper looks whether the token is due, and how long it waits after a failure.
const LOOK: Duration = Duration::from_secs(2);
const AFTER_FAILURE: Duration = Duration::from_secs(20);

/// A client of one Vault, as one of its identities. Share it behind an `Arc`: it holds connections and
/// the token.
pub struct VaultClient {
    vault: Transport,
    login: Login,
    deadline: Duration,
}

impl fmt::Debug for VaultClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultClient({:?})", self.vault)
    }
}

impl VaultClient {
    /// A client with these settings. Nothing is sent yet, no file is read.
    ///
    /// # Errors
    /// [`VaultError::Setting`].
    pub fn new(settings: VaultSettings, clock: Arc<dyn Clock>) -> Result<Self, VaultError> {
        Ok(VaultClient {
            vault: Transport::new(&settings)?,
            login: Login::new(settings.auth, clock)?,
            deadline: settings.deadline,
        })
    }

    /// Renews or replaces the token where that is due, again and again, so that a token lives on in a
    /// service that is idle. Ends with the client, or when the handle is aborted.
    pub fn spawn_keeper(self: &Arc<Self>) -> JoinHandle<()> {
        let client: Weak<VaultClient> = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut pause = LOOK;
            loop {
                tokio::time::sleep(pause).await;
                let Some(client) = client.upgrade() else { return };
                pause = LOOK;
                if let Err(error) = client.keep_token().await {
                    pause = AFTER_FAILURE;
                    tracing::warn!(%error, "the token of Vault could not be kept alive; it is tried again");
                }
            }
        })
    }

    /// Logs in where that has not been done, and renews or replaces the token where that is due.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn keep_token(&self) -> Result<(), VaultError> {
        self.in_time(async { self.login.token(&self.vault).await.map(|_| ()) }).await
    }

    /// What `sys/health` says. Needs no token.
    ///
    /// # Errors
    /// [`VaultError::Unreachable`], [`VaultError::Untrusted`], [`VaultError::TimedOut`], and
    /// [`VaultError::NotTheApi`] where something else answers.
    pub async fn health(&self) -> Result<Health, VaultError> {
        self.in_time(async {
            let (status, body) = self.vault.status("sys/health").await?;
            Health::read(status, &body)
        })
        .await
    }

    /// Asks with the token; after a 403 that may be the token's fault once more with another one.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, VaultError> {
        self.in_time(async {
            let held = self.login.token(&self.vault).await?;
            let answer = self.vault.ask(ask, Some(&held.token.text)).await?;
            if answer.status != 403 {
                return Ok(answer);
            }
            let ended = is_invalid_token(&answer);
            match self.login.instead_of(&held, ended, &self.vault).await? {
                Some(other) => self.vault.ask(ask, Some(&other.token.text)).await,
                None => Ok(answer),
            }
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, VaultError>>) -> Result<T, VaultError> {
        let late = VaultError::TimedOut { deadline: self.deadline };
        timeout(self.deadline, work).await.unwrap_or(Err(late))
    }
}
