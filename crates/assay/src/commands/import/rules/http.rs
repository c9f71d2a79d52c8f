//! `[http_server]`.

use std::net::SocketAddr;

use serde_json::Value;

use super::Judge::{By, NotNeeded, Refused};
use super::{Context, Rule, Verdict, file, wrong_type};

pub(super) const RULES: &[Rule] = &[
    Rule("http_server.sockets", By(sockets)),
    Rule("http_server.insecure_http", By(insecure_http)),
    Rule("http_server.payload_request_size", By(payload)),
    Rule("http_server.worker_count", NotNeeded("there are as many threads as processors")),
    Rule("http_server.certificate", By(|value, _| file("server.tls_certificate", value))),
    Rule("http_server.private_key", By(|value, _| file("server.tls_key", value))),
    Rule("http_server.tls_profile", By(tls_profile)),
    Rule("http_server.tls_min_version", By(tls_min_version)),
    Rule("http_server.tls_max_version", By(tls_max_version)),
    Rule("http_server.tls_ciphers", Refused(CIPHERS, PROXY)),
    Rule("http_server.tls_groups", Refused(CIPHERS, PROXY)),
];

const CIPHERS: &str = "cipher suites and groups are those of rustls; they cannot be chosen";
const PROXY: &str = "where others are prescribed, let a proxy in front end TLS";

fn sockets(value: &Value, _: &Context<'_>) -> Verdict {
    let Some(list) = value.as_array() else { return wrong_type("a list of addresses") };
    let mut addresses = Vec::new();
    for item in list {
        match item.as_str().map(str::parse::<SocketAddr>) {
            Some(Ok(address)) => addresses.push(address),
            _ => {
                return Verdict::refused(
                    format!("{item} is not an IP address and a port"),
                    "write server.listen as address and port",
                );
            }
        }
    }
    match addresses.as_slice() {
        [] => Verdict::refused("there is no address", "write server.listen"),
        [one] => Verdict::taken("server.listen", one.to_string()),
        [first, ..] => Verdict::refused(
            format!(
                "there are {} addresses, and Assay listens on one, {first} for instance",
                addresses.len()
            ),
            "write the one for server.listen, 0.0.0.0 or [::] for all of this host",
        ),
    }
}

fn insecure_http(value: &Value, context: &Context<'_>) -> Verdict {
    let Some(insecure) = value.as_bool() else { return wrong_type("true or false") };
    if !insecure {
        return Verdict::NotNeeded("HTTPS is what there is");
    }
    let sockets = context.parent.get("sockets").and_then(Value::as_array);
    let loopback = |socket: &Value| {
        socket.as_str().and_then(|text| text.parse::<SocketAddr>().ok()).is_some_and(|a| a.ip().is_loopback())
    };
    // Without sockets Trustee listens on 127.0.0.1:8080.
    if sockets.is_none_or(|sockets| sockets.iter().all(loopback)) {
        return Verdict::taken("server.http", true);
    }
    Verdict::refused(
        "plain HTTP is served on loopback addresses only",
        "write server.tls_certificate and server.tls_key; or listen on 127.0.0.1 with a proxy in front that ends TLS",
    )
}

fn payload(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_u64() {
        Some(megabytes @ 1..=64) => {
            Verdict::taken("limits.body_bytes", i64::try_from(megabytes << 20).unwrap_or(i64::MAX))
        }
        Some(megabytes) => Verdict::refused(
            format!("{megabytes} MB is out of the range that limits.body_bytes has, 1 KiB to 64 MiB"),
            "write limits.body_bytes within it",
        ),
        None => wrong_type("a whole number of megabytes"),
    }
}

fn tls_profile(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some("intermediate" | "modern") => {
            Verdict::NotNeeded("TLS 1.2 and 1.3, with the cipher suites that rustls holds to be safe")
        }
        Some(other) => Verdict::refused(format!("there is no profile {other:?}: {CIPHERS}"), PROXY),
        None => wrong_type("the name of a profile"),
    }
}

fn tls_min_version(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some("1.2") => Verdict::NotNeeded("TLS 1.2 is the lowest"),
        _ => Verdict::refused("TLS 1.2 and 1.3 are spoken, whatever is set", PROXY),
    }
}

fn tls_max_version(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some("1.3") => Verdict::NotNeeded("TLS 1.3 is the highest"),
        _ => Verdict::refused("TLS 1.2 and 1.3 are spoken, whatever is set", PROXY),
    }
}
