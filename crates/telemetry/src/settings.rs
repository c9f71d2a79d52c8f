use std::net::IpAddr;
use std::time::Duration;

use http::Uri;

use crate::TelemetryError;

/// What is logged, and what is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetrySettings {
    /// A level (`info`) or a filter such as `info,sqlx=warn`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// The export of spans; none when `None`.
    pub traces: Option<TraceSettings>,
}

/// Where spans go, and how many.
#[derive(Clone, PartialEq)]
pub struct TraceSettings {
    /// The address of an OTLP/gRPC collector: `https`, or `http` to a loopback address.
    pub endpoint: String,
    /// The certificate authority to trust for it (PEM). Needed with `https`.
    pub ca_certificate: Option<Vec<u8>>,
    /// The resource attribute `service.name`.
    pub service_name: String,
    /// The resource attribute `service.instance.id`; a new random one for each start when `None`.
    pub instance: Option<String>,
    /// The resource attribute `service.version`.
    pub version: String,
    /// The share, 0 to 1, of requests to trace that come without the decision of a caller; a caller's
    /// decision is followed.
    pub sample_ratio: f64,
    /// The greatest number of spans that wait for export; more are dropped and counted.
    pub queue: usize,
    /// How long a span waits for company before it is sent.
    pub delay: Duration,
    /// How long one export may take.
    pub deadline: Duration,
    /// DANGER: `http` to any address. Whoever listens learns which requests are made and when.
    pub danger_plain_http: bool,
}

impl TraceSettings {
    /// To `endpoint`, as `service_name`: all requests, 4096 waiting spans, sent within two seconds, ten
    /// seconds for an export.
    pub fn new(endpoint: &str, service_name: &str) -> Self {
        TraceSettings {
            endpoint: endpoint.to_owned(),
            ca_certificate: None,
            service_name: service_name.to_owned(),
            instance: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sample_ratio: 1.0,
            queue: 4096,
            delay: Duration::from_secs(2),
            deadline: Duration::from_secs(10),
            danger_plain_http: false,
        }
    }

    /// Whether everything is in range and the address is one that spans may go to.
    ///
    /// # Errors
    /// [`TelemetryError::Endpoint`], [`TelemetryError::Ratio`].
    pub fn check(&self) -> Result<(), TelemetryError> {
        ratio(self.sample_ratio)?;
        let wrong = |why| TelemetryError::Endpoint { endpoint: self.endpoint.clone(), why };
        let uri: Uri = self.endpoint.parse().map_err(|_| wrong("is no address"))?;
        let host = uri.host().ok_or_else(|| wrong("has no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("has a user name in it"));
        }
        match uri.scheme_str() {
            Some("https") if self.ca_certificate.is_some() => Ok(()),
            Some("https") => Err(wrong("is https; then the certificate authority to trust is needed")),
            Some("http") if self.danger_plain_http || is_loopback(host) => Ok(()),
            Some("http") => Err(wrong("is plain http to another machine")),
            _ => Err(wrong("is neither http nor https")),
        }
    }
}

impl std::fmt::Debug for TraceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceSettings")
            .field("endpoint", &self.endpoint)
            .field("service_name", &self.service_name)
            .field("sample_ratio", &self.sample_ratio)
            .finish_non_exhaustive()
    }
}

/// `ratio` if it is one.
pub(crate) fn ratio(ratio: f64) -> Result<f64, TelemetryError> {
    // A NaN is in no range.
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(TelemetryError::Ratio { ratio }) }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_gets_spans_in_the_clear() {
        for endpoint in
            ["http://127.0.0.1:4317", "http://[::1]:4317", "http://localhost:4317", "http://127.9.9.9"]
        {
            TraceSettings::new(endpoint, "kbs").check().unwrap();
        }
        for endpoint in [
            "http://192.0.2.1:4317",
            "http://collector:4317",
            "http://localhost.example.org:4317",
            "http://[::ffff:192.0.2.1]",
            "https://collector:4317",
            "ftp://127.0.0.1",
            "127.0.0.1:4317",
            "http://user@127.0.0.1:4317",
            "",
            "http://",
        ] {
            let error = TraceSettings::new(endpoint, "kbs").check().unwrap_err();
            assert!(matches!(error, TelemetryError::Endpoint { .. }), "{endpoint}: {error}");
        }
        let dangerous =
            TraceSettings { danger_plain_http: true, ..TraceSettings::new("http://192.0.2.1:4317", "kbs") };
        dangerous.check().unwrap();
        let with_authority = TraceSettings {
            ca_certificate: Some(Vec::new()),
            ..TraceSettings::new("https://collector", "kbs")
        };
        with_authority.check().unwrap();
    }

    #[test]
    fn a_ratio_is_between_nothing_and_all() {
        for good in [0.0, 0.25, 1.0] {
            ratio(good).unwrap();
        }
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            ratio(bad).unwrap_err();
        }
    }
}
