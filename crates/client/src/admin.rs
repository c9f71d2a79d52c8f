//! The administrator's client.

use std::fmt;
use std::time::Duration;

use assay_types::{ResourcePath, SecretBytes};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Serialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::connection::{Answer, Ask, Connection, bearer, protocol};
use crate::error::ClientError;
use crate::options::ConnectionOptions;

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// An administrator's client of one key broker service. Nothing is retried: a human is waiting, and
/// what was written is best looked at before it is written again.
///
/// All methods return any [`ClientError`] but [`ClientError::Jwe`] and [`ClientError::Evidence`];
/// [`ClientError::Argument`] when a name cannot be part of a URL.
pub struct AdminClient {
    connection: Connection,
    /// With the administrator's token.
    headers: HeaderMap,
}

/// Makes an [`AdminClient`].
pub struct AdminClientBuilder {
    options: ConnectionOptions,
    token: Option<Zeroizing<String>>,
}

impl AdminClientBuilder {
    /// The administrator's token, a JWT; white space around it is cut. Must be set.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(Zeroizing::new(token.trim().to_owned()));
        self
    }

    /// Adds the certificates in this PEM text to the **only** roots of TLS; the system's do not count.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when there is no certificate in it or one cannot be read.
    pub fn ca_certificate(mut self, pem: &[u8]) -> Result<Self, ClientError> {
        self.options.add_roots(pem)?;
        Ok(self)
    }

    /// Uses the system's roots of TLS, which is also what counts unless roots are given.
    #[must_use]
    pub fn system_roots(mut self) -> Self {
        self.options.roots = None;
        self
    }

    /// How long one request may take, 30 s unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Allows plain `http` to hosts other than loopback: everyone on the way can then take the
    /// administrator's token and the secrets.
    #[must_use]
    pub fn allow_plain_http_to_remote_hosts_danger(mut self) -> Self {
        self.options.plain_http_to_remote_hosts = true;
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when there is no token or something cannot be used.
    pub fn build(self) -> Result<AdminClient, ClientError> {
        let token = self.token.filter(|token| !token.is_empty());
        let token =
            token.ok_or_else(|| ClientError::Configuration("no administrator's token is set".to_owned()))?;
        let mut headers = HeaderMap::new();
        bearer(&mut headers, &token)?;
        Ok(AdminClient { connection: self.options.build()?, headers })
    }
}

impl AdminClient {
    /// A builder of a client of the server at `url`: `https://host[:port][/path]`; `http` to loopback.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] when it is no such URL.
    pub fn builder(url: &str) -> Result<AdminClientBuilder, ClientError> {
        Ok(AdminClientBuilder { options: ConnectionOptions::new(url)?, token: None })
    }

    /// Stores a secret, as a new version where there is one.
    pub async fn put_resource(&self, path: &ResourcePath, secret: &SecretBytes) -> Result<(), ClientError> {
        // The copy is wiped when the request is done with it.
        let body = Bytes::from_owner(Zeroizing::new(secret.expose().to_vec()));
        let body = Some(("application/octet-stream", body));
        self.send(Method::POST, &["resource"], path.as_str(), None, body).await.map(drop)
    }

    /// What is stored, without the secrets: all of it, or what begins with `prefix`.
    pub async fn resources(&self, prefix: Option<&str>) -> Result<Value, ClientError> {
        let query = prefix.map(|prefix| ("prefix", prefix));
        self.send(Method::GET, &["resources"], "", query, None).await?.json("GET /kbs/v0/resources")
    }

    /// Deletes a secret.
    pub async fn delete_resource(&self, path: &ResourcePath) -> Result<(), ClientError> {
        self.send(Method::DELETE, &["resource"], path.as_str(), None, None).await.map(drop)
    }

    /// Sets the resource policy (Rego): the one named `id`, or the default one.
    pub async fn set_resource_policy(&self, id: Option<&str>, rego: &str) -> Result<(), ClientError> {
        let mut body = json!({ "policy": BASE64_URL_SAFE_NO_PAD.encode(rego) });
        if let (Some(id), Some(members)) = (id, body.as_object_mut()) {
            members.insert("policy_id".to_owned(), Value::from(id));
        }
        self.post_json("resource-policy", &body).await
    }

    /// The names of the resource policies.
    pub async fn resource_policies(&self) -> Result<Vec<String>, ClientError> {
        self.get_json("resource-policy", "").await
    }

    /// The text of a resource policy.
    pub async fn resource_policy(&self, id: &str) -> Result<String, ClientError> {
        self.get_text("resource-policy", id).await
    }

    /// Deletes a resource policy.
    pub async fn delete_resource_policy(&self, id: &str) -> Result<(), ClientError> {
        self.delete("resource-policy", id).await
    }

    /// Sets an attestation policy (Rego). The id has the class suffix: `default_cpu`.
    pub async fn set_attestation_policy(&self, id: &str, rego: &str) -> Result<(), ClientError> {
        let policy = BASE64_URL_SAFE_NO_PAD.encode(rego);
        let body = json!({ "type": "rego", "policy_id": id, "policy": policy });
        self.post_json("attestation-policy", &body).await
    }

    /// The attestation policies.
    pub async fn attestation_policies(&self) -> Result<Value, ClientError> {
        self.get_json("attestation-policy", "").await
    }

    /// The text of an attestation policy.
    pub async fn attestation_policy(&self, id: &str) -> Result<String, ClientError> {
        self.get_text("attestation-policy", id).await
    }

    /// Deletes an attestation policy.
    pub async fn delete_attestation_policy(&self, id: &str) -> Result<(), ClientError> {
        self.delete("attestation-policy", id).await
    }

    /// Registers reference values by a message of the reference value provider:
    /// `{"version","type","payload"}`.
    pub async fn register_reference_values(&self, message: &Value) -> Result<(), ClientError> {
        self.post_json("reference-value", message).await
    }

    /// Registers reference values by a message of type `sample`: each name with its value.
    pub async fn register_sample_reference_values(
        &self,
        values: &Map<String, Value>,
    ) -> Result<(), ClientError> {
        let payload = BASE64_STANDARD.encode(Value::Object(values.clone()).to_string());
        self.register_reference_values(&json!({ "version": "0.1.0", "type": "sample", "payload": payload }))
            .await
    }

    /// All reference values.
    pub async fn reference_values(&self) -> Result<Value, ClientError> {
        self.get_json("reference-value", "").await
    }

    /// One reference value. Its id may have slashes.
    pub async fn reference_value(&self, id: &str) -> Result<Value, ClientError> {
        self.get_json("reference-value", one(id)?).await
    }

    /// Deletes a reference value.
    pub async fn delete_reference_value(&self, id: &str) -> Result<(), ClientError> {
        self.delete("reference-value", id).await
    }

    /// Ends a reference value now. It stays in the list, as expired.
    pub async fn expire_reference_value(&self, id: &str) -> Result<(), ClientError> {
        self.send(Method::POST, &["reference-value-expiry"], one(id)?, None, None).await.map(drop)
    }

    /// What a reference value was, from the beginning.
    pub async fn reference_value_history(&self, id: &str) -> Result<Value, ClientError> {
        self.get_json("reference-value-history", one(id)?).await
    }

    /// The verdict behind the token with the id `jti`, with all findings.
    pub async fn explain(&self, jti: &str) -> Result<Value, ClientError> {
        self.get_json("verdict", one(jti)?).await
    }

    async fn get_json<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &str,
        id: &str,
    ) -> Result<T, ClientError> {
        let answer = self.send(Method::GET, &[endpoint], id, None, None).await?;
        answer.json(&format!("GET /kbs/v0/{endpoint}"))
    }

    async fn get_text(&self, endpoint: &str, id: &str) -> Result<String, ClientError> {
        let answer = self.send(Method::GET, &[endpoint], one(id)?, None, None).await?;
        let what = format!("GET /kbs/v0/{endpoint}");
        String::from_utf8(answer.body).map_err(|_| protocol(&what, "the answer is not UTF-8 text"))
    }

    async fn delete(&self, endpoint: &str, id: &str) -> Result<(), ClientError> {
        self.send(Method::DELETE, &[endpoint], one(id)?, None, None).await.map(drop)
    }

    async fn post_json(&self, endpoint: &str, body: &impl Serialize) -> Result<(), ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Argument(error.to_string()))?;
        let body = Some(("application/json", Bytes::from(body)));
        self.send(Method::POST, &[endpoint], "", None, body).await.map(drop)
    }

    /// Sends to `/kbs/v0/<endpoint>[/<name>]`; the slashes of `name` stay slashes.
    async fn send(
        &self,
        method: Method,
        endpoint: &[&str],
        name: &str,
        query: Option<(&str, &str)>,
        body: Option<(&str, Bytes)>,
    ) -> Result<Answer, ClientError> {
        let names = name.split('/').filter(|_| !name.is_empty());
        let mut url =
            self.connection.url(["kbs", "v0"].into_iter().chain(endpoint.iter().copied()).chain(names))?;
        if let Some((key, value)) = query {
            url.query_pairs_mut().append_pair(key, value);
        }
        let headers = self.headers.clone();
        let ask = Ask { method, url, headers, body, limit: MAX_ANSWER, deadline: None };
        Ok(self.connection.send(ask).await?)
    }
}

/// A name that must be there: without it, the request would be for the whole list.
fn one(name: &str) -> Result<&str, ClientError> {
    if name.is_empty() { Err(ClientError::Argument("the name is empty".to_owned())) } else { Ok(name) }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient").field("url", &self.connection.base().as_str()).finish_non_exhaustive()
    }
}

impl fmt::Debug for AdminClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClientBuilder").finish_non_exhaustive()
    }
}
