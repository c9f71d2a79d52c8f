//! Logging in, and keeping the token alive.

use std::sync::{Arc, PoisonError, RwLock};

use assay_types::{Clock, UnixTime};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::connection::setting;
use crate::secret_file::{Stamp, read, stamp};
use crate::token::{Auth, Lookup, Token};
use crate::transport::{Answer, Ask, Body, Transport};
use crate::{SecretText, VaultAuth, VaultError, VaultPath};

/// How old a token must be, in seconds, before a plain "permission denied" is taken for a sign that it
/// ended: so that a request that the policies deny does not make every call log in anew.
const RELOGIN_PAUSE: i64 = 10;

/// How long to wait, in seconds, after a renewal that failed while the token still lives.
const RETRY_PAUSE: i64 = 10;

/// The one token of a client. One login runs at a time, and all who need it wait for the same.
pub(crate) struct Login {
    auth: VaultAuth,
    /// The path of the login; none for a token from a file.
    path: String,
    current: RwLock<Option<Arc<Held>>>,
    one_at_a_time: Mutex<()>,
    clock: Arc<dyn Clock>,
}

/// A token, and the state of the file that it came from.
pub(crate) struct Held {
    pub(crate) token: Token,
    stamp: Option<Stamp>,
}

impl Held {
    fn text(&self) -> &SecretText {
        &self.token.text
    }
}

impl Login {
    pub(crate) fn new(auth: VaultAuth, clock: Arc<dyn Clock>) -> Result<Self, VaultError> {
        let path = match &auth {
            VaultAuth::Token { .. } => String::new(),
            VaultAuth::AppRole { mount, role_id: name, .. }
            | VaultAuth::Kubernetes { mount, role: name, .. } => {
                if name.is_empty() || name.len() > 512 || !name.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(setting("role", "it is not 1 to 512 printable characters without spaces"));
                }
                format!("auth/{}/login", VaultPath::new(mount, "auth_mount")?)
            }
        };
        Ok(Login { auth, path, current: RwLock::new(None), one_at_a_time: Mutex::new(()), clock })
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, token: Token, stamp: Option<Stamp>) -> Arc<Held> {
        let held = Arc::new(Held { token, stamp });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&held));
        held
    }

    /// The token held, if it need not be renewed and its file is as it was.
    async fn fresh(&self) -> Option<Arc<Held>> {
        let held = self.held().filter(|held| held.token.is_fresh(self.clock.now()))?;
        if let VaultAuth::Token { file } = &self.auth
            && stamp(file).await != held.stamp
        {
            return None;
        }
        Some(held)
    }

    /// A token to use now.
    pub(crate) async fn token(&self, vault: &Transport) -> Result<Arc<Held>, VaultError> {
        if let Some(held) = self.fresh().await {
            return Ok(held);
        }
        let _alone = self.one_at_a_time.lock().await;
        if let Some(held) = self.fresh().await {
            return Ok(held);
        }
        match &self.auth {
            VaultAuth::Token { file } => {
                // The stamp first: a file replaced in between is then read again.
                let stamp = stamp(file).await;
                let text = read(file).await;
                let held = self.held();
                match (text, held) {
                    (Ok(text), Some(held)) if *held.text() == text => self.renewed(vault, &held, stamp).await,
                    (Ok(text), _) => self.looked_up(vault, text, stamp).await,
                    // The file is being replaced, perhaps: the token that was in it serves to its end.
                    (Err(error), Some(held)) if held.token.is_usable(self.clock.now()) => {
                        tracing::warn!(%error, "the token file of Vault cannot be read; the token before it is used");
                        Ok(held)
                    }
                    (Err(error), _) => Err(error),
                }
            }
            _ => match self.held() {
                Some(held) if held.token.is_usable(self.clock.now()) => {
                    self.renewed(vault, &held, None).await
                }
                _ => self.logged_in(vault).await,
            },
        }
    }

    /// What to use instead of a token that got "permission denied": `None` when another would fare no
    /// better. `ended` says that Vault called the token itself invalid.
    pub(crate) async fn instead_of(
        &self,
        used: &Held,
        ended: bool,
        vault: &Transport,
    ) -> Result<Option<Arc<Held>>, VaultError> {
        let _alone = self.one_at_a_time.lock().await;
        if let Some(held) = self.held()
            && held.text() != used.text()
        {
            return Ok(Some(held));
        }
        match &self.auth {
            VaultAuth::Token { file } => {
                let stamp = stamp(file).await;
                let text = read(file).await?;
                if text != *used.text() {
                    return self.looked_up(vault, text, stamp).await.map(Some);
                }
                if ended { Err(VaultError::TokenRefused { file: file.clone() }) } else { Ok(None) }
            }
            _ => {
                let young = self.clock.now().0.saturating_sub(used.token.obtained.0) < RELOGIN_PAUSE;
                if young && !ended {
                    return Ok(None);
                }
                self.logged_in(vault).await.map(Some)
            }
        }
    }

    /// Renews the token; what has no more than a few seconds to gain is replaced.
    async fn renewed(
        &self,
        vault: &Transport,
        held: &Arc<Held>,
        stamp: Option<Stamp>,
    ) -> Result<Arc<Held>, VaultError> {
        let now = self.clock.now();
        let by_file = matches!(self.auth, VaultAuth::Token { .. });
        if !held.token.renewable || !held.token.is_usable(now) {
            if by_file {
                // Nothing can be done for it: it serves until Vault says no, which then says so.
                return Ok(self.hold(postponed(held, now), stamp));
            }
            return self.replaced(vault, held).await;
        }
        let answer =
            vault.ask(&Ask::post("auth/token/renew-self", Body::of(&["{}"])), Some(held.text())).await;
        match answer.and_then(|answer| granted(&answer, "renewal")) {
            Ok(auth) => {
                let token = Token::new(held.text().clone(), auth.lease_duration, auth.renewable, now);
                // At the end of its longest life each renewal gives less than the one before.
                let gains = match (token.ends, held.token.ends) {
                    (Some(after), Some(before)) => after > before,
                    _ => true,
                };
                if gains || by_file {
                    tracing::debug!(seconds = auth.lease_duration, "the token of Vault was renewed");
                    return Ok(self.hold(token, stamp));
                }
                self.replaced(vault, held).await
            }
            Err(error) if by_file => {
                tracing::warn!(%error, "the token of Vault could not be renewed");
                Ok(self.hold(postponed(held, now), stamp))
            }
            Err(_) => self.replaced(vault, held).await,
        }
    }

    /// A new token; the old one serves on where there is none to be had.
    async fn replaced(&self, vault: &Transport, held: &Arc<Held>) -> Result<Arc<Held>, VaultError> {
        match self.logged_in(vault).await {
            Ok(held) => Ok(held),
            Err(error) if held.token.is_usable(self.clock.now()) => {
                tracing::warn!(%error, "logging in to Vault anew failed; the token before is used to its end");
                Ok(self.hold(postponed(held, self.clock.now()), held.stamp))
            }
            Err(error) => Err(error),
        }
    }

    /// Logs in with AppRole or Kubernetes.
    async fn logged_in(&self, vault: &Transport) -> Result<Arc<Held>, VaultError> {
        let (method, body) = match &self.auth {
            VaultAuth::Token { .. } => return Err(setting("auth", "a token needs no login")),
            VaultAuth::AppRole { role_id, secret_id_file, .. } => {
                let secret = read(secret_id_file).await?;
                ("AppRole", credentials("role_id", role_id, "secret_id", &secret)?)
            }
            VaultAuth::Kubernetes { role, token_file, .. } => {
                let jwt = read(token_file).await?;
                ("Kubernetes", credentials("role", role, "jwt", &jwt)?)
            }
        };
        let now = self.clock.now();
        let answer = vault.ask(&Ask::post(&self.path, body), None).await?;
        let auth = granted(&answer, method)?;
        tracing::info!(method, seconds = auth.lease_duration, "logged in to Vault");
        Ok(self.hold(Token::new(auth.client_token, auth.lease_duration, auth.renewable, now), None))
    }

    /// Takes up a token from a file: how long it lives, and whether it can be renewed, Vault says.
    async fn looked_up(
        &self,
        vault: &Transport,
        text: SecretText,
        stamp: Option<Stamp>,
    ) -> Result<Arc<Held>, VaultError> {
        let now = self.clock.now();
        let answer = vault.ask(&Ask::get("auth/token/lookup-self"), Some(&text)).await?;
        let lookup = if answer.is_success() {
            answer.data::<Lookup>()?
        } else if answer.status == 403 && !is_invalid_token(&answer) {
            // A token whose policies do not let it look at itself may be good for all the rest.
            Lookup { ttl: 0, renewable: false }
        } else if answer.status == 403
            && let VaultAuth::Token { file } = &self.auth
        {
            return Err(VaultError::TokenRefused { file: file.clone() });
        } else {
            return Err(answer.refusal("read"));
        };
        Ok(self.hold(Token::new(text, lookup.ttl, lookup.renewable, now), stamp))
    }
}

/// Whether a 403 is about the token and not about what it may do. Vault says so since 1.13.
pub(crate) fn is_invalid_token(answer: &Answer) -> bool {
    let said = answer.said();
    said.contains("invalid token") || said.contains("bad token")
}

fn credentials(first: &str, name: &str, second: &str, secret: &SecretText) -> Result<Body, VaultError> {
    // Printable ASCII without spaces, by the checks before; quotes and backslashes would need escapes.
    if [name, secret.expose()].iter().any(|text| text.contains(['"', '\\'])) {
        return Err(setting("auth", "a credential holds a quote or a backslash"));
    }
    Ok(Body::of(&["{\"", first, "\":\"", name, "\",\"", second, "\":\"", secret.expose(), "\"}"]))
}

fn granted(answer: &Answer, method: &'static str) -> Result<Auth, VaultError> {
    #[derive(Deserialize)]
    struct Granted {
        auth: Auth,
    }
    if answer.is_success() {
        return answer.read::<Granted>().map(|granted| granted.auth);
    }
    Err(VaultError::LoginRefused { method, status: answer.status, detail: answer.said() })
}

/// The same token, looked after again a little later.
fn postponed(held: &Held, now: UnixTime) -> Token {
    Token {
        text: held.text().clone(),
        obtained: held.token.obtained,
        ends: held.token.ends,
        renewable: held.token.renewable,
        due: Some(now.plus(RETRY_PAUSE)),
    }
}
