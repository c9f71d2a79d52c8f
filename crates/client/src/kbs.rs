//! The guest's client.

use std::fmt;
use std::sync::Arc;

use assay_types::{ResourcePath, ResourceUri, Response, SecretBytes};
use http::header::{ACCEPT, COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::addresses::Addresses;
use crate::builder::KbsClientBuilder;
use crate::connection::{Answer, Ask, Connection, Trouble, bearer, protocol};
use crate::error::{Attempt, ClientError};
use crate::handshake::Session;
use crate::retry::retrying;
use crate::sessions::{Sessions, Want};
use crate::token::Token;
use crate::token_and_key::TokenAndKey;

/// The longest answer with a verdict, in bytes.
const MAX_VERDICT: usize = 4 * 1024 * 1024;

/// A guest's client of one key broker service. Clones share the token.
#[derive(Clone)]
pub struct KbsClient {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) kbs: Arc<Addresses>,
    pub(crate) max_resource_answer: usize,
}

impl KbsClient {
    /// A builder of a client of the server at `url`: `https://host[:port][/path]`; `http` to loopback.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when it is no such URL.
    pub fn builder(url: &str) -> Result<KbsClientBuilder, ClientError> {
        KbsClientBuilder::new(&[url])
    }

    /// A builder of a client of one service with several addresses, 1 to 16: replicas that share their
    /// keys and their store. The address that answered last is asked first; the next one where it is
    /// unavailable or has no acceptable certificate, within the same deadline. Every other answer, a
    /// denial among them, is final. A handshake is done at one address from beginning to end; its token
    /// is shown to all.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] for what is no URL as in [`builder`](Self::builder), and for none.
    pub fn builder_of(urls: &[&str]) -> Result<KbsClientBuilder, ClientError> {
        KbsClientBuilder::new(urls)
    }

    /// The attestation token: the one at hand while it is valid, else a new one. Callers at the same
    /// time share one attestation; one that goes away does not end it.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::NotFound`], [`ClientError::Jwe`] and
    /// [`ClientError::Argument`].
    pub async fn token(&self) -> Result<Token, ClientError> {
        Ok(self.sessions.get(Want::Ahead, None).await?.token.clone())
    }

    /// [`token`](Self::token), with the private key of the very handshake that gave it.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn token_and_key(&self) -> Result<TokenAndKey, ClientError> {
        TokenAndKey::of(&*self.sessions.get(Want::Ahead, None).await?)
    }

    /// A new token, by evidence made for this call, whatever token is at hand.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn attest(&self) -> Result<Token, ClientError> {
        Ok(self.sessions.attest().await?.token.clone())
    }

    /// Forgets the token at hand, because what the guest is has changed: an event was measured. The next call
    /// attests anew.
    pub fn forget_token(&self) {
        self.sessions.forget();
    }

    /// The secret at `path`, decrypted. Attests first when there is no valid token.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Argument`].
    pub async fn resource(&self, path: &ResourcePath) -> Result<SecretBytes, ClientError> {
        self.get(&ResourceUri::of(path)).await
    }

    /// What a plugin of the key broker has at `uri`, decrypted: `GET /kbs/v0/<plugin>/<path>[?<query>]`,
    /// path and query as they stand in the URI. The answer must be a JWE for this guest. The host in the
    /// URI is not looked at: who is asked is the client's setting.
    ///
    /// # Errors
    /// Any [`ClientError`]; [`ClientError::Argument`] for a path or query that no URL can carry as it is.
    pub async fn get(&self, uri: &ResourceUri) -> Result<SecretBytes, ClientError> {
        let url = |kbs: &Connection| kbs.resource_url(uri);
        let (session, answer) = self.fetch(url, self.max_resource_answer, false).await?;
        let what = format!("GET /kbs/v0/{}/{}", uri.plugin(), uri.segments().join("/"));
        // Members that would change how it is decrypted, and that no server of this protocol sends.
        let extra: Extra = answer.json(&what)?;
        if let Some(member) = extra.first() {
            return Err(protocol(
                &what,
                format!("the JWE has the member {member:?}, which is not supported"),
            ));
        }
        let message: Response = answer.json(&what)?;
        session.key.decrypt(&message).map_err(|error| ClientError::Jwe { what, error })
    }

    /// What the server holds about the verdict on this guest: its findings, for display.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Jwe`] and [`ClientError::Argument`].
    pub async fn verdict(&self) -> Result<Value, ClientError> {
        let url = |kbs: &Connection| kbs.url(["kbs", "v0", "verdict"]);
        let (_, answer) = self.fetch(url, MAX_VERDICT, true).await?;
        answer.json("GET /kbs/v0/verdict")
    }

    /// Gets something with the token. When the server does not accept it: once more with a new one.
    ///
    /// The cookie goes along only `with_cookie`: servers prefer it to the token, and it ends earlier.
    async fn fetch(
        &self,
        url: impl Fn(&Connection) -> Result<Url, ClientError>,
        limit: usize,
        with_cookie: bool,
    ) -> Result<(Arc<Session>, Answer), ClientError> {
        let deadline = self.sessions.deadline();
        let request = |session: &Session| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            bearer(&mut headers, session.token.as_str())?;
            if let Some(cookie) = session.cookie.as_ref().filter(|_| with_cookie) {
                headers.insert(COOKIE, cookie.clone());
            }
            Ok::<_, ClientError>(headers)
        };
        let session = self.session(None, deadline).await?;
        match self.fetch_with(request(&session)?, &url, limit, deadline).await {
            Ok(answer) => Ok((session, answer)),
            Err(Trouble::Unauthenticated { what, problem }) => {
                tracing::debug!(what, detail = problem.detail, "the token is not accepted; attesting anew");
                let session = self.session(Some(&session), deadline).await?;
                let answer = self.fetch_with(request(&session)?, &url, limit, deadline).await?;
                Ok((session, answer))
            }
            Err(Trouble::Final(error @ ClientError::Denied { .. })) => {
                self.sessions.forget_denied(&session);
                Err(error)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn session(
        &self,
        refused: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Arc<Session>, ClientError> {
        timeout_at(deadline, self.sessions.get(Want::Valid, refused)).await.unwrap_or_else(|_| {
            let (what, outcome) = ("attestation".to_owned(), "no token before the deadline".to_owned());
            Err(ClientError::Unavailable { attempts: vec![Attempt { what, outcome }], retry_after: None })
        })
    }

    async fn fetch_with(
        &self,
        headers: HeaderMap,
        url: &impl Fn(&Connection) -> Result<Url, ClientError>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Answer, Trouble> {
        let ask = |connection: &Connection| {
            let (method, headers) = (Method::GET, headers.clone());
            let url = url(connection)?;
            Ok::<_, ClientError>(Ask { method, url, headers, body: None, limit, deadline: Some(deadline) })
        };
        let once = || {
            self.kbs.at_one(deadline, |connection| {
                let ask = ask(connection);
                async move { connection.send(ask?).await }
            })
        };
        retrying(&self.sessions.policy, &*self.sessions.waiting, deadline, once).await
    }
}

impl fmt::Debug for KbsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KbsClient").field("url", &self.kbs.shown()).finish_non_exhaustive()
    }
}

/// Members of a JWE in JSON form (RFC 7516, 7.2) that are not [`Response`]'s.
#[derive(Deserialize)]
struct Extra {
    aad: Option<IgnoredAny>,
    header: Option<IgnoredAny>,
    unprotected: Option<IgnoredAny>,
    recipients: Option<IgnoredAny>,
}

impl Extra {
    fn first(&self) -> Option<&'static str> {
        [
            ("aad", self.aad.is_some()),
            ("header", self.header.is_some()),
            ("unprotected", self.unprotected.is_some()),
            ("recipients", self.recipients.is_some()),
        ]
        .into_iter()
        .find_map(|(name, there)| there.then_some(name))
    }
}
