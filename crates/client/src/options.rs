//! The settings of a connection, and the rules for addresses and roots.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use assay_types::Clock;
use reqwest::Url;

use crate::connection::{Connection, causes};
use crate::error::ClientError;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the builders set.
#[derive(Clone)]
pub(crate) struct ConnectionOptions {
    base: Url,
    /// The only roots; the system's when `None`.
    pub(crate) roots: Option<Vec<reqwest::Certificate>>,
    pub(crate) timeout: Duration,
    pub(crate) plain_http_to_remote_hosts: bool,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl ConnectionOptions {
    pub(crate) fn new(url: &str) -> Result<Self, ClientError> {
        Ok(ConnectionOptions {
            base: base_url(url)?,
            roots: None,
            timeout: Duration::from_secs(30),
            plain_http_to_remote_hosts: false,
            clock: None,
        })
    }

    /// The same for another server.
    pub(crate) fn at(&self, base: Url) -> Self {
        ConnectionOptions { base, ..self.clone() }
    }

    /// Adds to the only roots.
    pub(crate) fn add_roots(&mut self, pem: &[u8]) -> Result<(), ClientError> {
        let roots = read_roots(pem)?;
        self.roots.get_or_insert_default().extend(roots);
        Ok(())
    }

    pub(crate) fn build(self) -> Result<Connection, ClientError> {
        let plain = self.base.scheme() == "http";
        if plain && !is_loopback(&self.base) && !self.plain_http_to_remote_hosts {
            return Err(ClientError::Configuration(
                "the server's URL is plain http to another machine: everyone on the way could read and change \
                 what is sent; use https, or allow it by the option spelled as a danger"
                    .to_owned(),
            ));
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been faster; then its provider is in place, which is as good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("assay-client/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy();
        if let Some(roots) = self.roots {
            builder = builder.tls_certs_only(roots);
        } else if plain {
            // No TLS is spoken, so a machine without system roots will do.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            ClientError::Configuration(format!("TLS cannot be set up: {}", causes(&error)))
        })?;
        Ok(Connection::new(self.base, client, self.timeout, self.clock))
    }
}

/// A server's URL: `https://host[:port][/path]`, or `http` to loopback.
pub(crate) fn base_url(url: &str) -> Result<Url, ClientError> {
    let wrong = |why: String| ClientError::Configuration(format!("the server's URL cannot be used: {why}"));
    let base = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it must be https://host[:port][/path], or http to loopback".to_owned()));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("it holds a user name or password".to_owned()));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("it has a query or a fragment".to_owned()));
    }
    Ok(base)
}

/// Roots of TLS from PEM text, at least one.
pub(crate) fn read_roots(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let wrong = |why: &str| ClientError::Configuration(format!("the CA certificate cannot be used: {why}"));
    let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| wrong(&causes(&error)))?;
    if roots.is_empty() {
        return Err(wrong("the text holds no PEM certificate"));
    }
    Ok(roots)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
