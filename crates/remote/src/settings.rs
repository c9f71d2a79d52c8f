//! Where another part is, whom to believe there, and what to show.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

use crate::RemoteError;

/// The longest deadline.
const LONGEST: Duration = Duration::from_secs(300);

/// Where another part is, whom to believe there, and what to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// What it is, for logs and errors: `reference value provider`.
    pub part: &'static str,
    /// Its address, `https://host:port` or `http://127.0.0.1:port`, without a path.
    pub address: String,
    /// The only certificate authority that is believed (PEM). Needed with HTTPS.
    pub ca_certificate: Option<PathBuf>,
    /// The certificate chain that is shown (PEM).
    pub client_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub client_key: Option<PathBuf>,
    /// A file with the bearer token that is sent.
    pub token_file: Option<PathBuf>,
    /// How long a call may take, connection included.
    pub deadline: Duration,
    /// DANGER: plain HTTP to other addresses than loopback ones. Whoever is on the way reads the token and
    /// answers in the other part's place.
    pub danger_plain_http: bool,
}

impl RemoteSettings {
    /// The settings for an address; ten seconds for a call, and nothing else.
    pub fn new(part: &'static str, address: &str) -> Self {
        RemoteSettings {
            part,
            address: address.to_owned(),
            ca_certificate: None,
            client_certificate: None,
            client_key: None,
            token_file: None,
            deadline: Duration::from_secs(10),
            danger_plain_http: false,
        }
    }

    /// Whether they can be meant. No file is read.
    ///
    /// # Errors
    /// [`RemoteError::Setting`].
    pub fn check(&self) -> Result<(), RemoteError> {
        let wrong = |setting, why: &str| Err(self.wrong(setting, why));
        let uri = self.uri()?;
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        if tls && self.ca_certificate.is_none() {
            return wrong("ca_certificate", "it is needed with https: nobody else is believed");
        }
        if !(tls || self.danger_plain_http || is_loopback(&uri)) {
            return wrong("address", "plain http leads to loopback addresses only; use https");
        }
        if !tls && (self.ca_certificate.is_some() || self.client_certificate.is_some()) {
            return wrong("address", "certificates are of use with https only");
        }
        if self.client_certificate.is_some() != self.client_key.is_some() {
            return wrong("client_certificate", "certificate and key belong together");
        }
        if self.deadline.is_zero() || self.deadline > LONGEST {
            return wrong("deadline_seconds", "it must be 1 to 300");
        }
        Ok(())
    }

    /// The address, read.
    pub(crate) fn uri(&self) -> Result<Uri, RemoteError> {
        let wrong = |why: &str| self.wrong("address", why);
        let uri: Uri = self.address.parse().map_err(|_| wrong("it is no address"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("it must begin with https:// or http://"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("there is no host in it"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("there must be no user in it"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(wrong("there must be no path in it"));
        }
        Ok(uri)
    }

    pub(crate) fn wrong(&self, setting: &'static str, why: &str) -> RemoteError {
        RemoteError::Setting { part: self.part, setting, why: why.to_owned() }
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let of = |address: &str| RemoteSettings::new("part", address);
        let with = |address: &str| RemoteSettings { ca_certificate: Some("ca".into()), ..of(address) };
        for good in
            [of("http://127.0.0.1:1"), of("http://[::1]:1/"), of("http://localhost"), with("https://a:1")]
        {
            assert_eq!(good.check(), Ok(()), "{good:?}");
        }
        for (settings, part) in [
            (of("https://a"), "ca_certificate"),
            (of("http://a:1"), "loopback"),
            (of("http://10.0.0.1:1"), "loopback"),
            (of("http://127.0.0.1.example:1"), "loopback"),
            (with("http://127.0.0.1:1"), "https only"),
            (with("https://a/path"), "no path"),
            (with("https://u:p@a"), "no user"),
            (of("ftp://a"), "https://"),
            (of("a:1"), "https://"),
            (of(""), "no address"),
            (RemoteSettings { client_key: Some("k".into()), ..with("https://a") }, "belong together"),
            (RemoteSettings { deadline: Duration::ZERO, ..with("https://a") }, "deadline"),
            (RemoteSettings { deadline: Duration::from_secs(301), ..with("https://a") }, "deadline"),
        ] {
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(part), "{settings:?}: {error}");
        }
        let danger = RemoteSettings { danger_plain_http: true, ..of("http://a:1") };
        assert_eq!(danger.check(), Ok(()));
    }
}
