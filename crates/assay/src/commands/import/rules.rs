//! What becomes of each key of Trustee's configuration: one rule for each, in tables by section.

mod admin;
mod http;
mod plugins;
mod service;
mod storage;
mod token;

use serde_json::Value;

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// These keys of Assay's configuration say the same, with a remark where it is not quite so.
    Taken { settings: Vec<(&'static str, toml::Value)>, note: &'static str },
    /// It says where the data are that are taken over.
    Read(&'static str),
    /// Nothing has to stand in its place, since…
    NotNeeded(&'static str),
    /// It cannot be taken: why, and what to do instead.
    Refused { reason: String, instead: &'static str },
}

impl Verdict {
    fn taken(key: &'static str, value: impl Into<toml::Value>) -> Self {
        Verdict::Taken { settings: vec![(key, value.into())], note: "" }
    }

    pub(super) fn refused(reason: impl Into<String>, instead: &'static str) -> Self {
        Verdict::Refused { reason: reason.into(), instead }
    }
}

/// How a key is judged.
pub(super) enum Judge {
    Read(&'static str),
    NotNeeded(&'static str),
    Refused(&'static str, &'static str),
    By(fn(&Value, &Context<'_>) -> Verdict),
}

/// A key, by its path in `kbs-config.toml` (see `document::Leaf::rule`), and how it is judged.
pub(super) struct Rule(pub(super) &'static str, pub(super) Judge);

/// Who verifies evidence for the KBS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// It does so itself.
    Builtin,
    /// An attestation service by gRPC.
    Remote,
    /// Intel's service.
    IntelTrustAuthority,
    /// None that is known.
    Unknown,
}

impl Service {
    pub(super) fn of(kbs: &Value) -> Self {
        match kbs.pointer("/attestation_service/type").and_then(Value::as_str) {
            Some("coco_as_builtin" | "CoCoASBuiltIn") => Service::Builtin,
            Some("coco_as_grpc" | "CoCoASGrpc") => Service::Remote,
            Some("intel_ta" | "IntelTA") => Service::IntelTrustAuthority,
            _ => Service::Unknown,
        }
    }
}

/// What a rule may look at besides the value.
pub(super) struct Context<'a> {
    pub(super) service: Service,
    /// The tree that the key stands in, with the paths that rules have.
    pub(super) tree: &'a Value,
    /// What the value stands in.
    pub(super) parent: &'a Value,
}

/// All rules.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    [http::RULES, admin::RULES, token::RULES, service::RULES, storage::RULES, plugins::RULES]
        .into_iter()
        .flatten()
}

/// Judges a key; `None` when no rule knows it.
pub(super) fn judge(rule: &str, value: &Value, context: &Context<'_>) -> Option<Verdict> {
    let Rule(_, judge) = rules().find(|known| matches(known.0, rule))?;
    Some(match judge {
        Judge::Read(note) => Verdict::Read(note),
        Judge::NotNeeded(note) => Verdict::NotNeeded(note),
        Judge::Refused(reason, instead) => Verdict::refused(*reason, instead),
        Judge::By(by) => by(value, context),
    })
}

/// A pattern that ends with `.*` stands for everything below.
fn matches(pattern: &str, rule: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(head) => rule.strip_prefix(head).is_some_and(|rest| rest.starts_with(['.', '['])),
        None => pattern == rule,
    }
}

/// The value is of another type than Trustee takes there.
fn wrong_type(expected: &str) -> Verdict {
    Verdict::refused(
        format!("expected is {expected}; Trustee does not take this either"),
        "mend it, or leave it out",
    )
}

/// Text that names a file, for the key of Assay.
fn file(key: &'static str, value: &Value) -> Verdict {
    value.as_str().map_or_else(|| wrong_type("a path"), |path| Verdict::taken(key, path))
}

/// An address has a name or password in it.
fn credentials() -> Verdict {
    Verdict::refused("there are credentials in the address", "write the address without them")
}

/// The address of a remote part, for the key of Assay. Plain HTTP leaves this host only by an option that is
/// called a danger, so it is not written here.
fn address(key: &'static str, value: &Value) -> Verdict {
    let Some(text) = value.as_str() else { return wrong_type("an address") };
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let Some((scheme, rest)) = url.split_once("://") else { return wrong_type("an address") };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return credentials();
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        "https" => Verdict::taken(key, url),
        "http" if loopback => Verdict::taken(key, url),
        "http" => Verdict::refused(
            format!("{url:?} is plain HTTP to another host"),
            "give that part a TLS certificate, and write its https:// address here with its authority",
        ),
        _ => {
            Verdict::refused(format!("{url:?} is neither http:// nor https://"), "write an https:// address")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_has_two_rules_and_each_stands_in_the_documentation() {
        let page = include_str!("../../../../../docs/migrating-from-trustee.md");
        let mut seen = HashSet::new();
        for Rule(pattern, _) in rules() {
            assert!(seen.insert(pattern), "{pattern} twice");
            assert!(page.contains(&format!("`{pattern}`")), "{pattern} is not in the table of the page");
        }
    }

    #[test]
    fn plain_http_stays_on_this_host() {
        for good in
            ["http://127.0.0.1:1", "127.0.0.1:50003", "http://[::1]:1/x", "http://localhost", "https://as:1"]
        {
            assert!(matches!(address("attestation.address", &good.into()), Verdict::Taken { .. }), "{good}");
        }
        for bad in [
            "http://as:50004",
            "10.0.0.1:1",
            "http://127.0.0.1.example:1",
            "ftp://x",
            "http://",
            "http://[::2]:1",
            "https://user:password@as:1",
        ] {
            let verdict = address("attestation.address", &bad.into());
            assert!(matches!(verdict, Verdict::Refused { .. }), "{bad}");
            assert!(!format!("{verdict:?}").contains("password"), "{verdict:?}");
        }
    }

    #[test]
    fn patterns_for_everything_below() {
        assert!(matches("a.b.*", "a.b.c.d") && matches("a.b.*", "a.b[].c") && matches("a.b", "a.b"));
        assert!(!matches("a.b.*", "a.b") && !matches("a.b.*", "a.bc") && !matches("a.b", "a.b.c"));
    }
}
