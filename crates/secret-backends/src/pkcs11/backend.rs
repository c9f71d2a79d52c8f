//! The back end: calls that block, in threads of their own, with a deadline.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{ResourcePath, SecretBytes};
use async_trait::async_trait;
use cryptoki::session::Session;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::Pkcs11Error;
use super::objects::{self, MAX_VALUE};
use super::token::Token;
use crate::{BackendError, Secret, SecretBackend, SecretInfo};

/// How a token is spoken to.
#[derive(Clone, Debug)]
pub struct Pkcs11Settings {
    /// The module, an absolute path. Its code runs in this process.
    pub module: PathBuf,
    /// The label of the token.
    pub token_label: String,
    /// The file with the user's PIN; read at each login.
    pub pin_file: PathBuf,
    /// How many sessions are used at the same time; who finds none waits. 8.
    pub sessions: usize,
    /// How long a call may take. 10 s. The module cannot be interrupted: a call that hangs keeps its
    /// session and a thread.
    pub deadline: Duration,
}

impl Pkcs11Settings {
    /// The defaults, for this token.
    pub fn new(
        module: impl Into<PathBuf>,
        token_label: impl Into<String>,
        pin_file: impl Into<PathBuf>,
    ) -> Self {
        Pkcs11Settings {
            module: module.into(),
            token_label: token_label.into(),
            pin_file: pin_file.into(),
            sessions: 8,
            deadline: Duration::from_secs(10),
        }
    }
}

/// A PKCS#11 token. One of a module is enough for a process: logins are the process's.
pub struct Pkcs11Backend {
    token: Arc<Token>,
    permits: Arc<Semaphore>,
    /// Writes go one after the other, so that each finds the version before it.
    writes: Arc<Mutex<()>>,
    deadline: Duration,
}

impl Pkcs11Backend {
    /// A back end on this token. Nothing is loaded yet.
    pub fn new(settings: Pkcs11Settings) -> Self {
        Pkcs11Backend {
            permits: Arc::new(Semaphore::new(settings.sessions.clamp(1, 64))),
            deadline: settings.deadline,
            token: Arc::new(Token::new(settings)),
            writes: Arc::new(Mutex::new(())),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        writes: bool,
        work: impl Fn(&Session) -> Result<T, Pkcs11Error> + Send + 'static,
    ) -> Result<T, Pkcs11Error> {
        let late = Pkcs11Error::TimedOut { deadline: self.deadline };
        let done = timeout(self.deadline, async {
            // Both go with the work: a call that hangs keeps its place and cannot be overtaken by a write.
            let alone = if writes { Some(Arc::clone(&self.writes).lock_owned().await) } else { None };
            // The semaphore is never closed.
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let token = Arc::clone(&self.token);
            tokio::task::spawn_blocking(move || {
                let _place = (permit, alone);
                token.with_session(work)
            })
            .await
        });
        match done.await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Pkcs11Error::Failed { why: "the call was broken off".to_owned() }),
            Err(_) => Err(late),
        }
    }
}

#[async_trait]
impl SecretBackend for Pkcs11Backend {
    fn name(&self) -> &'static str {
        "pkcs11"
    }

    async fn get(&self, path: &ResourcePath) -> Result<Option<Secret>, BackendError> {
        let path = path.clone();
        Ok(self.run(false, move |session| objects::read(session, &path)).await?)
    }

    async fn put(&self, path: &ResourcePath, value: &SecretBytes) -> Result<Option<u64>, BackendError> {
        let found = value.expose().len();
        if found > MAX_VALUE {
            return Err(BackendError::TooLarge { backend: self.name(), limit: MAX_VALUE, found });
        }
        let (path, value) = (path.clone(), value.clone());
        Ok(Some(self.run(true, move |session| objects::write(session, &path, &value)).await?))
    }

    async fn delete(&self, path: &ResourcePath) -> Result<bool, BackendError> {
        let path = path.clone();
        Ok(self.run(true, move |session| objects::delete(session, &path)).await?)
    }

    async fn list(&self, prefix: Option<&str>) -> Result<Vec<SecretInfo>, BackendError> {
        let prefix = prefix.unwrap_or_default().to_owned();
        let listed = self.run(false, move |session| match objects::list(session, &prefix) {
            // Only a lost session is the token's to try again.
            Err(BackendError::Pkcs11(error)) => Err(error),
            listed => Ok(listed),
        });
        listed.await?
    }

    async fn check(&self) -> Result<(), BackendError> {
        Ok(self.run(false, |_| Ok(())).await?)
    }
}
