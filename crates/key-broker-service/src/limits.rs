//! Bounds on requests: how often one client address may ask, how large a body may be and how long it
//! may take to arrive. Bounds on headers and connections are set where connections are (`assay_listener`).

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use assay_listener::Connection;
use axum::body::{Body, HttpBody as _};
use axum::extract::FromRequestParts;
use bytes::Bytes;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::HeaderMap;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::{KeyBroker, RequestError, Settings};

/// What the server noted about the request's connection.
pub(crate) fn connection_of(parts: &Parts) -> Option<&Connection> {
    parts.extensions.get::<Connection>()
}

/// A rate: so many calls a minute, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls a minute in the long run.
    pub per_minute: NonZeroU32,
    /// Calls at once.
    pub burst: NonZeroU32,
}

/// How many counters a limiter has. This, not the number of addresses, bounds its memory.
const BUCKETS: u64 = 1 << 16;

/// Limits how often one client address may ask. Addresses share counters by a hash whose key changes
/// with each start, so nobody can choose whom to share one with.
pub(crate) struct AddressLimiter {
    limiter: DefaultKeyedRateLimiter<u16>,
    hasher: RandomState,
}

impl AddressLimiter {
    pub(crate) fn new(rate: Rate) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        AddressLimiter { limiter: RateLimiter::keyed(quota), hasher: RandomState::new() }
    }

    /// Counts a call.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), RequestError> {
        let bucket = self.hasher.hash_one(network(address)) % BUCKETS;
        let bucket = u16::try_from(bucket).unwrap_or_default();
        self.limiter.check_key(&bucket).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            RequestError::RateLimited { retry_after: wait.as_secs().saturating_add(1) }
        })
    }

    /// Forgets counters that are as good as new.
    pub(crate) fn shrink(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// What counts as one client: an IPv4 address, or the /64 network of an IPv6 address, which a client
/// has all to itself (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// The client's address: the connection's other end, or what trusted proxies say of it.
pub(crate) fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    // Without a connection (in tests) all requests count as one client.
    let mut client = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)).to_canonical();
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    // Each proxy adds at the end whom it saw: the first from the end that is no proxy is the client.
    let mut seen = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while proxies.iter().any(|proxy| proxy.to_canonical() == client) {
        match seen.next().and_then(|text| text.trim().parse::<IpAddr>().ok()) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// A call of `auth` that the rate limit let pass.
pub(crate) struct AdmittedToAuth;

/// A call of `attest` that the rate limit let pass.
pub(crate) struct AdmittedToAttest;

fn admit(parts: &Parts, broker: &KeyBroker, limiter: Option<&AddressLimiter>) -> Result<(), RequestError> {
    let Some(limiter) = limiter else { return Ok(()) };
    let peer = connection_of(parts).map(|connection| connection.peer.ip());
    limiter.check(client_address(peer, &parts.headers, &broker.settings().trusted_proxies))
}

impl FromRequestParts<KeyBroker> for AdmittedToAuth {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        admit(parts, broker, broker.limiters().auth.as_ref()).map(|()| AdmittedToAuth)
    }
}

impl FromRequestParts<KeyBroker> for AdmittedToAttest {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, broker: &KeyBroker) -> Result<Self, RequestError> {
        admit(parts, broker, broker.limiters().attest.as_ref()).map(|()| AdmittedToAttest)
    }
}

/// The rate limiters.
pub(crate) struct Limiters {
    pub(crate) auth: Option<AddressLimiter>,
    pub(crate) attest: Option<AddressLimiter>,
}

impl Limiters {
    pub(crate) fn new(settings: &Settings) -> Self {
        Limiters {
            auth: settings.auth_rate.map(AddressLimiter::new),
            attest: settings.attest_rate.map(AddressLimiter::new),
        }
    }
}

/// Reads a body of at most `limit` bytes that arrives within `time`.
pub(crate) async fn read_body(body: Body, limit: usize, time: Duration) -> Result<Bytes, RequestError> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(RequestError::BodyTooLarge { limit });
    }
    match tokio::time::timeout(time, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(RequestError::BodyTooLarge { limit }),
        Ok(Err(_)) => Err(RequestError::BodyCutOff),
        Err(_) => Err(RequestError::BodyTimeout { seconds: time.as_secs() }),
    }
}

/// Reads JSON. Its depth is bounded by the parser (128).
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|error| RequestError::Json { detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn rate(per_minute: u32, burst: u32) -> Rate {
        Rate { per_minute: per_minute.try_into().unwrap(), burst: burst.try_into().unwrap() }
    }

    #[test]
    fn a_burst_is_let_pass_and_what_follows_waits() {
        let limiter = AddressLimiter::new(rate(1, 3));
        for _ in 0..3 {
            limiter.check(ip("192.0.2.1")).unwrap();
        }
        let Err(RequestError::RateLimited { retry_after }) = limiter.check(ip("192.0.2.1")) else { panic!() };
        assert!((1..=61).contains(&retry_after), "{retry_after}");
    }

    #[test]
    fn ipv6_counts_by_network_and_mapped_ipv4_as_ipv4() {
        assert_eq!(network(ip("2001:db8:1:2:3:4:5:6")), network(ip("2001:db8:1:2::1")));
        assert_ne!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:3::1")));
        assert_eq!(network(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_ne!(network(ip("192.0.2.1")), network(ip("192.0.2.2")));
    }

    #[test]
    fn memory_is_bounded_whatever_the_number_of_addresses() {
        let limiter = AddressLimiter::new(rate(60, 1));
        for n in 0..200_000_u32 {
            let _ = limiter.check(IpAddr::V4(n.into()));
        }
        assert!(limiter.limiter.len() <= 1 << 16);
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        let cases: &[(&str, &[&'static str], &str)] = &[
            ("192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.7, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.7", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        ];
        for (peer, lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            assert_eq!(client_address(Some(ip(peer)), &headers, &proxies), ip(expected), "{peer} {lines:?}");
        }
    }
}
