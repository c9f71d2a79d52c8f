//! Against browsers. A page from anywhere can send requests to a loopback port, and under a name of its
//! own that it points at 127.0.0.1 (DNS rebinding) read the answers. Workloads are no browsers: their
//! requests name a loopback host, and no origin.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, Uri, header};

use super::problem::RestError;

/// Checks the headers that tell. A Unix socket is out of any browser's reach, so on one the host may be
/// called anything.
pub(super) fn check(uri: &Uri, headers: &HeaderMap, tcp: bool) -> Result<(), RestError> {
    for name in ["origin", "sec-fetch-site"] {
        if headers.contains_key(name) {
            return Err(RestError::Browser { header: name });
        }
    }
    if !tcp {
        return Ok(());
    }
    let foreign = |found: &str| Err(RestError::ForeignHost { found: found.chars().take(128).collect() });
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => match host.to_str() {
            Ok(text) if is_loopback(text) => (),
            Ok(text) => return foreign(text),
            Err(_) => return foreign("bytes that are no text"),
        },
        (None, _) => return foreign("none"),
        (Some(_), Some(_)) => return foreign("several"),
    }
    match uri.authority() {
        Some(authority) if !is_loopback(authority.as_str()) => foreign(authority.as_str()),
        _ => Ok(()),
    }
}

/// Whether a text is `localhost`, an address of 127.0.0.0/8 or `[::1]`, with or without a port.
fn is_loopback(text: &str) -> bool {
    let port = |text: &str| {
        text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
    };
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(host, rest)| {
            host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()) && port(rest)
        });
    }
    let (host, rest) = text.find(':').map_or((text, ""), |at| text.split_at(at));
    let named = host.eq_ignore_ascii_case("localhost");
    (named || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())) && port(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_loopback_hosts() {
        for host in ["localhost", "LocalHost:8006", "127.0.0.1", "127.1.2.3:1", "[::1]", "[::1]:8006"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ":8006",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "127.example.com:8006",
            "128.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::2]:1",
            "::1",
            "[::1",
            "[::1]x",
            "localhost:",
            "localhost:x",
            "localhost:80:80",
            "localhost@example.com",
            "127.1",
            "2130706433",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
