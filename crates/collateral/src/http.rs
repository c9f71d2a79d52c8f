//! A vendor's service over HTTP: its main address, and paths that are served elsewhere.

use std::sync::Arc;

use assay_types::{Clock, CollateralRequest};
use bytes::Bytes;
use reqwest::Url;
use tokio::time::Instant;

use crate::chain::plausible;
use crate::configuration_error::ConfigurationError;
use crate::endpoint::Endpoint;
use crate::error::AttemptOutcome;
use crate::http_settings::{HttpSettings, Route};
use crate::issuer_chain::with_chain;

/// The longest path and query of a request, in bytes.
const MAX_PATH: usize = 2048;

/// One vendor's service.
pub(crate) struct VendorService {
    main: Endpoint,
    /// By prefix, the longest first.
    routes: Vec<Elsewhere>,
}

struct Elsewhere {
    prefix: String,
    hexadecimal: bool,
    endpoint: Endpoint,
}

/// Where a request goes.
pub(crate) struct Target<'a> {
    pub(crate) url: Url,
    endpoint: &'a Endpoint,
    hexadecimal: bool,
}

impl VendorService {
    pub(crate) fn new(
        base_url: &str,
        settings: &HttpSettings,
        routes: &[Route],
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ConfigurationError> {
        let mut elsewhere = Vec::with_capacity(routes.len());
        for route in routes {
            if !route.prefix.starts_with('/') {
                let why =
                    format!("the prefix {:?} that goes there does not begin with a slash", route.prefix);
                return Err(ConfigurationError::Url { url: route.url.clone(), why });
            }
            elsewhere.push(Elsewhere {
                prefix: route.prefix.clone(),
                hexadecimal: route.hexadecimal,
                endpoint: Endpoint::new(&route.url, &route.settings, Arc::clone(clock))?,
            });
        }
        elsewhere.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        let main = Endpoint::new(base_url, settings, Arc::clone(clock))?;
        Ok(VendorService { main, routes: elsewhere })
    }

    /// The URL of a request, always on a configured host and below the configured path.
    pub(crate) fn target(&self, request: &CollateralRequest) -> Result<Target<'_>, AttemptOutcome> {
        let path = request.service_path.as_str();
        let refused = |why| Err(AttemptOutcome::NotLookedUp { why });
        if path.len() > MAX_PATH || !path.bytes().all(|b| b.is_ascii_graphic()) {
            return refused("the path is not short printable ASCII");
        }
        // Parsers of URLs take `%2e%2e` for a step up, too.
        let dots = path.to_ascii_lowercase().replace("%2e", ".").contains("..");
        if !path.starts_with('/') || dots || path.contains(['#', '\\']) {
            return refused("the path is not a plain one below the service");
        }
        let route = self.routes.iter().find_map(|route| {
            let rest = path.strip_prefix(&route.prefix)?;
            matches!(rest.bytes().next(), None | Some(b'/' | b'?')).then_some((route, rest))
        });
        let (endpoint, hexadecimal, path) = match route {
            Some((route, rest)) => (&route.endpoint, route.hexadecimal, rest),
            None => (&self.main, false, path),
        };
        let whole = format!("{}{path}", endpoint.base.as_str().trim_end_matches('/'));
        match Url::parse(&whole) {
            Ok(url) if url.origin() == endpoint.base.origin() && url.username().is_empty() => {
                Ok(Target { url, endpoint, hexadecimal })
            }
            _ => refused("the path leads away from the service"),
        }
    }
}

impl Target<'_> {
    /// Asks the service, unless it is to be left alone. Ends by `end` at the latest.
    pub(crate) async fn get(
        self,
        request: &CollateralRequest,
        end: Instant,
    ) -> Result<Bytes, AttemptOutcome> {
        let digits = if self.hexadecimal { 2 } else { 1 };
        let max_len = request.max_len.saturating_mul(digits);
        let (headers, mut body) = self.endpoint.get(self.url, request, max_len, end).await?;
        if self.hexadecimal
            && let Ok(decoded) = hex::decode(body.trim_ascii())
        {
            body = decoded.into();
        }
        plausible(&body, request.max_len)?;
        with_chain(request, &headers, body)
    }
}
