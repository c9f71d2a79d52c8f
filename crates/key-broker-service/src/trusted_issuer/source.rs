//! Where the keys come from.

use std::error::Error as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use assay_remote::shown;
use assay_token::JwkSet;
use bytes::BytesMut;
use reqwest::Url;
use serde::Deserialize;

use super::{TrustError, TrustedIssuerSettings};

/// The largest answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// The path of OpenID Connect Discovery 1.0, section 4.
const DISCOVERY: &str = ".well-known/openid-configuration";

/// Where the keys come from.
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// An address.
    Address { url: Url, client: reqwest::Client },
}

/// Keys, and the issuer that a discovery document names.
#[derive(Default)]
pub(super) struct Found {
    pub(super) keys: JwkSet,
    pub(super) issuer: Option<String>,
}

/// What an address may answer: keys, or where they are.
#[derive(Deserialize)]
struct Document {
    keys: Option<serde_json::Value>,
    jwks_uri: Option<String>,
    issuer: Option<String>,
}

impl Source {
    pub(super) fn new(text: &str, settings: &TrustedIssuerSettings) -> Result<Self, TrustError> {
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Ok(Source::File(PathBuf::from(text)));
        }
        let mut url = address(text)?;
        if url.path().ends_with('/') {
            url = url.join(DISCOVERY).map_err(|error| TrustError::Address { why: error.to_string() })?;
        }
        let client = client(&url, settings)?;
        Ok(Source::Address { url, client })
    }

    /// Reads or asks.
    pub(super) async fn ask(&self, settings: &TrustedIssuerSettings) -> Result<Found, TrustError> {
        match self {
            Source::File(file) => {
                let file = file.clone();
                let reading = tokio::task::spawn_blocking(move || read(&file)).await;
                reading.unwrap_or(Err(TrustError::NotYet))
            }
            Source::Address { url, client } => {
                let asked = tokio::time::timeout(settings.deadline, fetch(url, client));
                asked.await.unwrap_or_else(|_| {
                    let why = format!("no answer within {} ms", settings.deadline.as_millis());
                    Err(TrustError::Unreachable { address: url.to_string(), why })
                })
            }
        }
    }
}

/// The keys of a file.
pub(super) fn read(file: &Path) -> Result<Found, TrustError> {
    let wrong = |why: String| TrustError::File { path: file.to_owned(), why };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    if text.len() > MAX_ANSWER {
        return Err(wrong(format!("it has more than {MAX_ANSWER} bytes")));
    }
    let keys = JwkSet::from_json(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(Found { keys, issuer: None })
}

fn address(text: &str) -> Result<Url, TrustError> {
    let wrong = |why: &str| TrustError::Address { why: why.to_owned() };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or password"));
    }
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => {
            Err(wrong("only https, and http to loopback, are spoken: who is on the way could swap the keys"))
        }
    }
}

fn client(url: &Url, settings: &TrustedIssuerSettings) -> Result<reqwest::Client, TrustError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider is in place, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.deadline)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy();
    if let Some(file) = &settings.ca_certificate {
        let wrong = |why: String| TrustError::File { path: file.clone(), why };
        let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
        if roots.is_empty() {
            return Err(wrong("it holds no certificate".to_owned()));
        }
        builder = builder.tls_certs_only(roots);
    } else if url.scheme() == "http" {
        // No TLS is spoken, so a machine without system roots will do.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| TrustError::Address { why: error.to_string() })
}

/// The keys at the address, or at the one that a discovery document there names.
async fn fetch(url: &Url, client: &reqwest::Client) -> Result<Found, TrustError> {
    let text = get(url, client).await?;
    let not_keys = |why: String| TrustError::NotKeys { address: url.to_string(), why };
    let document: Document =
        serde_json::from_str(&text).map_err(|error| not_keys(shown(&error.to_string())))?;
    match (document.keys, document.jwks_uri) {
        (Some(_), _) => Ok(Found { keys: keys(url, &text)?, issuer: None }),
        (None, Some(found)) => {
            let there = address(&found)?;
            let text = get(&there, client).await?;
            Ok(Found { keys: keys(&there, &text)?, issuer: document.issuer })
        }
        (None, None) => Err(not_keys("it names neither keys nor jwks_uri".to_owned())),
    }
}

fn keys(url: &Url, text: &str) -> Result<JwkSet, TrustError> {
    JwkSet::from_json(text)
        .map_err(|error| TrustError::NotKeys { address: url.to_string(), why: error.to_string() })
}

async fn get(url: &Url, client: &reqwest::Client) -> Result<String, TrustError> {
    let unreachable = |why: String| TrustError::Unreachable { address: url.to_string(), why };
    let failed = |error: reqwest::Error| {
        let error = error.without_url();
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        unreachable(shown(&format!("{error}{cause}")))
    };
    let mut answer = client.get(url.clone()).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(unreachable(format!("it answers with status {}", answer.status().as_u16())));
    }
    let not_keys = |why: &str| TrustError::NotKeys { address: url.to_string(), why: why.to_owned() };
    let mut bytes = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if bytes.len().saturating_add(chunk.len()) > MAX_ANSWER {
            return Err(not_keys("the answer is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| not_keys("the answer is no text"))
}
