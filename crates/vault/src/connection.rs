//! The HTTP client: which addresses, which TLS roots, and what went wrong underneath.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::{VaultError, VaultSettings};

pub(crate) fn setting(setting: &'static str, why: impl Into<String>) -> VaultError {
    VaultError::Setting { setting, why: why.into() }
}

/// The URL of the API: the address with `v1/` at its end.
pub(crate) fn api(settings: &VaultSettings) -> Result<Url, VaultError> {
    let wrong = |why: &str| setting("address", why);
    let mut base = Url::parse(&settings.address).map_err(|error| wrong(&error.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("it holds a user name or password"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("it has a query or a fragment"));
    }
    match base.scheme() {
        "https" => {}
        "http" if is_loopback(&base) || settings.allow_plain_http_to_remote_hosts_danger => {}
        "http" => {
            return Err(wrong("plain http to another machine: everyone on the way could read every secret"));
        }
        _ => return Err(wrong("only https, and http to loopback, are spoken")),
    }
    let path = base.path().trim_end_matches('/');
    if path.ends_with("/v1") {
        return Err(wrong("give the address alone, without the path of the API (/v1)"));
    }
    let path = format!("{path}/v1/");
    base.set_path(&path);
    Ok(base)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(crate) fn namespace(settings: &VaultSettings) -> Result<Option<HeaderValue>, VaultError> {
    let header = |text: &String| {
        let plain = !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
        let value = HeaderValue::from_str(text).ok().filter(|_| plain);
        value.ok_or_else(|| setting("namespace", "it is not 1 to 512 printable characters without spaces"))
    };
    settings.namespace.as_ref().map(header).transpose()
}

pub(crate) fn client(base: &Url, settings: &VaultSettings) -> Result<reqwest::Client, VaultError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider is in place, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let wrong = |error: reqwest::Error| setting("ca_certificate", causes(&error.without_url()));
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("assay-vault/", env!("CARGO_PKG_VERSION")))
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

/// Why an exchange did not come about. That it took too long is the caller's to know.
pub(crate) fn trouble(error: reqwest::Error) -> VaultError {
    let mut next: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(cause)) = cause.downcast_ref() {
            return VaultError::Untrusted { cause: cause.to_string() };
        }
        // An I/O error that wraps another gives the source of that other as its own.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    VaultError::Unreachable { cause: causes(&error.without_url()) }
}

/// The error and its causes, each once, outermost first.
fn causes(error: &(dyn Error + 'static)) -> String {
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
    use crate::VaultAuth;

    fn settings(address: &str) -> VaultSettings {
        VaultSettings::new(address, VaultAuth::Token { file: "token".into() })
    }

    #[test]
    fn an_address_that_others_could_listen_to_is_refused() {
        for (address, part) in [
            ("http://vault.example", "plain http"),
            ("http://10.0.0.1:8200", "plain http"),
            ("ftp://127.0.0.1", "only https"),
            ("https://user:hunter2@vault.example", "password"),
            ("https://vault.example/?token=1", "query"),
            ("https://vault.example/v1/", "without the path"),
            ("vault.example", "relative"),
        ] {
            let error = api(&settings(address)).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{address}: {error}");
        }
        for (address, base) in [
            ("https://vault.example:8200", "https://vault.example:8200/v1/"),
            ("https://gate.example/vault/", "https://gate.example/vault/v1/"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200/v1/"),
            ("http://[::1]:8200/", "http://[::1]:8200/v1/"),
        ] {
            assert_eq!(api(&settings(address)).unwrap().as_str(), base);
        }
        let mut danger = settings("http://vault.example");
        danger.allow_plain_http_to_remote_hosts_danger = true;
        assert!(api(&danger).is_ok());
    }

    #[test]
    fn a_namespace_is_a_header() {
        let mut settings = settings("https://vault.example");
        assert!(namespace(&settings).unwrap().is_none());
        settings.namespace = Some("team-a/".into());
        assert!(namespace(&settings).unwrap().is_some());
        for text in ["", "a b", "a\nb", "ä"] {
            settings.namespace = Some(text.into());
            assert!(namespace(&settings).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_bundle_without_a_certificate_is_refused() {
        let mut settings = settings("https://vault.example");
        settings.ca_certificate = Some(b"nothing".to_vec());
        let base = api(&settings).unwrap();
        assert!(client(&base, &settings).unwrap_err().to_string().contains("no PEM certificate"));
    }
}
