//! The HTTP client: which URLs, which TLS roots, and what went wrong underneath.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use reqwest::Url;

use crate::{VeraisonError, VeraisonSettings};

pub(crate) fn setting(setting: &'static str, why: impl Into<String>) -> VeraisonError {
    VeraisonError::Setting { setting, why: why.into() }
}

/// The service's URL, its path ending with a slash.
pub(crate) fn base(text: &str) -> Result<Url, VeraisonError> {
    let wrong = |why: &str| setting("base_url", why);
    let mut base = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("it holds a user name or password"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("it has a query or a fragment"));
    }
    match base.scheme() {
        "https" => {}
        "http" if is_loopback(&base) => {}
        "http" => {
            return Err(wrong(
                "plain http to another machine: everyone on the way could swap the key of results",
            ));
        }
        _ => return Err(wrong("only https, and http to loopback, are spoken")),
    }
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(crate) fn client(base: &Url, settings: &VeraisonSettings) -> Result<reqwest::Client, VeraisonError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider is in place, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let wrong = |error: reqwest::Error| setting("ca_certificate", causes(&error.without_url()));
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("assay-veraison/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy();
    if let Some(pem) = &settings.ca_certificate {
        let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)?;
        if roots.is_empty() {
            return Err(setting("ca_certificate", "it holds no PEM certificate"));
        }
        builder = builder.tls_certs_only(roots);
    } else if base.scheme() == "http" {
        // No TLS is spoken, so a machine without system roots will do.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(wrong)
}

pub(crate) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error that wraps another gives the source of that other as its own.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The error and its causes, each once, outermost first.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_others_could_listen_to_is_refused() {
        for (url, part) in [
            ("http://veraison.example", "plain http"),
            ("http://10.0.0.1:8443", "plain http"),
            ("ftp://127.0.0.1", "only https"),
            ("https://user:secret@veraison.example", "password"),
            ("https://veraison.example/?tenant=1", "query"),
            ("veraison.example", "relative"),
        ] {
            let error = base(url).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{url}: {error}");
        }
        for url in
            ["https://veraison.example:8443/x", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost"]
        {
            assert!(base(url).unwrap().path().ends_with('/'), "{url}");
        }
    }
}
