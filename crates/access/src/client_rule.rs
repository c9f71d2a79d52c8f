//! What holders of client certificates may do: rules by the certificate's names.

use assay_types::{Coded, Fault};
use serde::{Deserialize, Serialize};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::{AccessError, Role};

/// The greatest number of names of a certificate that is looked at.
const MAX_NAMES: usize = 64;

/// The greatest number of rules.
const MAX_RULES: usize = 1024;

/// The longest name in a rule, in bytes.
const MAX_NAME: usize = 512;

/// The roles of whoever shows a certificate with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRule {
    /// A subject alternative name (RFC 5280, 4.2.1.6), whole: a URI (`spiffe://example.org/kbs`), or,
    /// when there is no colon in it, a DNS name (`kbs.example.org`). There are no patterns, and the
    /// subject's common name counts for nothing.
    pub san: String,
    /// What it may do; at least one.
    pub roles: Vec<Role>,
}

/// Why rules for client certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientRuleError {
    /// `ACC-011`: the name in a rule can be no name of a certificate, or seems to be a pattern.
    #[error("{san:?} cannot be the name of a client: {why}")]
    Name {
        /// The name, cut.
        san: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `ACC-012`: a rule gives no role.
    #[error("the client {san:?} has no role")]
    NoRoles {
        /// The name in the rule.
        san: String,
    },
    /// `ACC-013`: two rules have the same name.
    #[error("the client {san:?} stands there twice")]
    Twice {
        /// The name in both.
        san: String,
    },
    /// `ACC-014`: more rules than are taken.
    #[error("{found} clients; at most {MAX_RULES} are taken")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

impl Coded for ClientRuleError {
    fn code(&self) -> &'static str {
        match self {
            ClientRuleError::Name { .. } => "ACC-011",
            ClientRuleError::NoRoles { .. } => "ACC-012",
            ClientRuleError::Twice { .. } => "ACC-013",
            ClientRuleError::TooMany { .. } => "ACC-014",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Internal
    }
}

impl ClientRule {
    /// Whether the rules can be used: names that can be, each once, each with a role.
    ///
    /// # Errors
    /// [`ClientRuleError`].
    pub fn check(rules: &[ClientRule]) -> Result<(), ClientRuleError> {
        if rules.len() > MAX_RULES {
            return Err(ClientRuleError::TooMany { found: rules.len() });
        }
        for (index, rule) in rules.iter().enumerate() {
            if let Some(why) = wrong(&rule.san) {
                return Err(ClientRuleError::Name { san: rule.san.chars().take(64).collect(), why });
            }
            if rule.roles.is_empty() {
                return Err(ClientRuleError::NoRoles { san: rule.san.clone() });
            }
            if rules.iter().take(index).any(|other| other.name() == rule.name()) {
                return Err(ClientRuleError::Twice { san: rule.san.clone() });
            }
        }
        Ok(())
    }

    fn name(&self) -> ClientName {
        if self.san.contains(':') { ClientName::uri(&self.san) } else { ClientName::dns(&self.san) }
    }
}

fn wrong(san: &str) -> Option<&'static str> {
    if san.is_empty() {
        Some("it is empty")
    } else if san.len() > MAX_NAME {
        Some("it is too long")
    } else if !san.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("it has characters that are not printable ASCII")
    } else if san.contains('*') {
        Some("there are no patterns: names are compared whole")
    } else {
        None
    }
}

/// A name of a client. DNS names are compared without regard to case (RFC 5280, 7.2), URIs byte by
/// byte.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ClientName {
    Dns(String),
    Uri(String),
}

impl ClientName {
    fn dns(name: &str) -> Self {
        ClientName::Dns(name.to_ascii_lowercase())
    }

    fn uri(name: &str) -> Self {
        ClientName::Uri(name.to_owned())
    }

    fn as_str(&self) -> &str {
        match self {
            ClientName::Dns(name) | ClientName::Uri(name) => name,
        }
    }
}

/// What the rules give to a certificate (DER) whose chain TLS has verified: the names that have rules,
/// and all their roles.
pub(crate) fn roles_of(rules: &[ClientRule], certificate: &[u8]) -> Result<(String, Vec<Role>), AccessError> {
    let names = names(certificate)?;
    let mut known: Vec<&str> = Vec::new();
    let mut roles = Vec::new();
    for name in &names {
        if let Some(rule) = rules.iter().find(|rule| rule.name() == *name) {
            known.push(&rule.san);
            roles.extend_from_slice(&rule.roles);
        }
    }
    if roles.is_empty() {
        let shown: Vec<&str> = names.iter().map(ClientName::as_str).take(4).collect();
        let shown = if shown.is_empty() { "no name".to_owned() } else { shown.join(", ") };
        return Err(AccessError::NoRule {
            names: shown.chars().filter(|c| !c.is_control()).take(128).collect(),
        });
    }
    roles.sort_unstable();
    roles.dedup();
    Ok((known.join(", "), roles))
}

/// The DNS names and URIs of a certificate.
fn names(certificate: &[u8]) -> Result<Vec<ClientName>, AccessError> {
    let unreadable = |error: x509_cert::der::Error| AccessError::Certificate { why: error.to_string() };
    let certificate = Certificate::from_der(certificate).map_err(unreadable)?;
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().map_err(unreadable)?;
    let Some((_, SubjectAltName(names))) = names else { return Ok(Vec::new()) };
    if names.len() > MAX_NAMES {
        return Err(AccessError::Certificate { why: format!("it has more than {MAX_NAMES} names") });
    }
    Ok(names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(ClientName::dns(name.as_str())),
            GeneralName::UniformResourceIdentifier(name) => Some(ClientName::uri(name.as_str())),
            _ => None,
        })
        .collect())
}
