//! Who calls, and what that caller may do.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use assay_types::ResourceUri;

use crate::error::AgentError;

/// What can be allowed on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Evidence, and evidence of devices.
    Evidence,
    /// Tokens.
    Token,
    /// Measuring events.
    Extend,
    /// Comparing init data.
    InitData,
    /// Resources of the key broker.
    Resource,
    /// Sealed secrets.
    Unseal,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 6] = [
        Operation::Evidence,
        Operation::Token,
        Operation::Extend,
        Operation::InitData,
        Operation::Resource,
        Operation::Unseal,
    ];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Evidence => "evidence",
            Operation::Token => "token",
            Operation::Extend => "extend",
            Operation::InitData => "init-data",
            Operation::Resource => "resource",
            Operation::Unseal => "unseal",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How runtime data become report data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceForm {
    /// Hashed behind a label ([`assay_types::workload_report_data`]): the evidence says a workload asked
    /// for it, and can never pass for the guest's own attestation.
    Workload,
    /// As they are, at most what the TEE takes. Whoever may do this can speak as the guest.
    AsGiven,
}

/// The rules of one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Its address, for messages.
    pub listener: String,
    /// What may be done.
    pub operations: BTreeSet<Operation>,
    /// The user ids that may connect; anyone when `None`. Only a Unix socket tells them.
    pub uids: Option<BTreeSet<u32>>,
    /// The group ids (of the calling process) that may connect besides the user ids.
    pub gids: BTreeSet<u32>,
    /// How runtime data become report data.
    pub evidence: EvidenceForm,
    /// The event domains that may be written; any when `None`.
    pub domains: Option<BTreeSet<String>>,
    /// The registers (numbers of PCRs) that a call may name; the default register always may.
    pub registers: BTreeSet<u64>,
    /// The beginnings of resource paths that may be read, as `<repository>/<type>/…`; any when `None`.
    pub resources: Option<Vec<String>>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, as the kernel says.
    Process {
        /// Its user id.
        uid: u32,
        /// Its group id.
        gid: u32,
        /// Its process id, where the kernel says it.
        pid: Option<i32>,
    },
    /// An address.
    Address(SocketAddr),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Process { uid, gid, pid: Some(pid) } => write!(f, "process {pid} (uid {uid}, gid {gid})"),
            Peer::Process { uid, gid, pid: None } => write!(f, "a process (uid {uid}, gid {gid})"),
            Peer::Address(address) => write!(f, "{address}"),
        }
    }
}

/// Who calls, and by which listener.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The rules of the listener.
    pub rules: Arc<Rules>,
    /// The other end.
    pub peer: Peer,
}

impl Rules {
    /// Whether a peer may connect at all: by its user or group id, or, where there is none, from a loopback
    /// address.
    ///
    /// # Errors
    /// [`AgentError::NotAdmitted`].
    pub fn admit(&self, peer: &Peer) -> Result<(), AgentError> {
        let admitted = match peer {
            Peer::Process { uid, gid, .. } => {
                self.uids.as_ref().is_none_or(|uids| uids.contains(uid)) || self.gids.contains(gid)
            }
            Peer::Address(address) => address.ip().to_canonical().is_loopback(),
        };
        if admitted {
            Ok(())
        } else {
            Err(AgentError::NotAdmitted { listener: self.listener.clone(), peer: peer.to_string() })
        }
    }
}

impl Caller {
    /// Whether this caller may do `operation`.
    ///
    /// # Errors
    /// [`AgentError::NotAllowed`].
    pub fn may(&self, operation: Operation) -> Result<(), AgentError> {
        if self.rules.operations.contains(&operation) {
            return Ok(());
        }
        Err(self.refused(format!("the operation {operation}"), "allow"))
    }

    /// Whether this caller may write events of `domain` into the register of `pcr`.
    ///
    /// # Errors
    /// [`AgentError::NotAllowed`].
    pub fn may_extend(&self, domain: &str, pcr: Option<u64>) -> Result<(), AgentError> {
        self.may(Operation::Extend)?;
        if self.rules.domains.as_ref().is_some_and(|domains| !domains.contains(domain)) {
            let shown: String = domain.chars().take(128).collect();
            return Err(self.refused(format!("events of the domain {shown:?}"), "domains"));
        }
        match pcr {
            Some(pcr) if !self.rules.registers.contains(&pcr) => {
                Err(self.refused(format!("the register of PCR {pcr}"), "registers"))
            }
            _ => Ok(()),
        }
    }

    /// Whether this caller may read what stands at `uri`.
    ///
    /// # Errors
    /// [`AgentError::NotAllowed`].
    pub fn may_read(&self, uri: &ResourceUri) -> Result<(), AgentError> {
        self.may(Operation::Resource)?;
        self.may_reach(uri)
    }

    /// Whether what stands at `uri` is among the resources of this listener, by whatever operation.
    ///
    /// # Errors
    /// [`AgentError::NotAllowed`].
    pub fn may_reach(&self, uri: &ResourceUri) -> Result<(), AgentError> {
        let Some(allowed) = &self.rules.resources else { return Ok(()) };
        let path = match uri.plugin() {
            "resource" => uri.segments().join("/"),
            plugin => format!("{plugin}:{}", uri.segments().join("/")),
        };
        // A beginning counts by whole segments: `default/key` allows `default/key/1`, not `default/keys/1`.
        let within = |beginning: &String| {
            let beginning = beginning.trim_end_matches('/');
            path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if allowed.iter().any(within) {
            Ok(())
        } else {
            Err(self.refused(format!("the resource {path}"), "resources"))
        }
    }

    fn refused(&self, what: String, key: &'static str) -> AgentError {
        AgentError::NotAllowed {
            what,
            peer: self.peer.to_string(),
            listener: self.rules.listener.clone(),
            key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            listener: "unix:///run/a.sock".into(),
            operations: BTreeSet::from(Operation::ALL),
            uids: Some(BTreeSet::from([0])),
            gids: BTreeSet::new(),
            evidence: EvidenceForm::Workload,
            domains: None,
            registers: BTreeSet::new(),
            resources: None,
        }
    }

    fn caller(edit: impl FnOnce(&mut Rules)) -> Caller {
        let mut rules = rules();
        edit(&mut rules);
        Caller { rules: Arc::new(rules), peer: Peer::Process { uid: 0, gid: 0, pid: Some(7) } }
    }

    fn uri(text: &str) -> ResourceUri {
        text.parse().unwrap()
    }

    #[test]
    fn peers_are_admitted_by_user_or_group_and_addresses_only_from_loopback() {
        let mut rules = rules();
        let process = |uid, gid| Peer::Process { uid, gid, pid: None };
        rules.admit(&process(0, 5)).unwrap();
        assert!(matches!(rules.admit(&process(1000, 0)), Err(AgentError::NotAdmitted { .. })));
        rules.gids.insert(12);
        rules.admit(&process(1000, 12)).unwrap();
        rules.uids = None;
        rules.admit(&process(4, 4)).unwrap();
        for (address, admitted) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("[::ffff:127.0.0.1]:1", true), ("10.0.0.1:1", false)]
        {
            assert_eq!(rules.admit(&Peer::Address(address.parse().unwrap())).is_ok(), admitted, "{address}");
        }
    }

    #[test]
    fn each_operation_is_allowed_by_itself() {
        for operation in Operation::ALL {
            caller(|_| ()).may(operation).unwrap();
            let without = caller(|rules| {
                rules.operations.remove(&operation);
            });
            let error = without.may(operation).unwrap_err();
            assert!(error.to_string().contains(operation.as_str()), "{error}");
            assert!(error.to_string().contains("`allow`"), "{error}");
        }
    }

    #[test]
    fn domains_and_registers_are_allowed_by_name() {
        let only = caller(|rules| {
            rules.domains = Some(BTreeSet::from(["github.com/confidential-containers".to_owned()]));
            rules.registers = BTreeSet::from([17]);
        });
        only.may_extend("github.com/confidential-containers", None).unwrap();
        only.may_extend("github.com/confidential-containers", Some(17)).unwrap();
        let error = only.may_extend("example.com", None).unwrap_err().to_string();
        assert!(error.contains("example.com") && error.contains("domains"), "{error}");
        let error = only.may_extend("github.com/confidential-containers", Some(8)).unwrap_err().to_string();
        assert!(error.contains("PCR 8") && error.contains("registers"), "{error}");
        caller(|_| ()).may_extend("anything", None).unwrap();
    }

    #[test]
    fn resources_are_allowed_by_whole_segments() {
        let only = caller(|rules| {
            rules.resources = Some(vec!["default/key".into(), "web/tls/cert".into(), "pki:ca".into()]);
        });
        for (text, allowed) in [
            ("kbs:///default/key/1", true),
            ("kbs:///web/tls/cert", true),
            ("kbs:///default/keys/1", false),
            ("kbs:///web/tls/key", false),
            ("kbs+pki:///ca/sign?x=1", true),
            ("kbs+pki:///default/key/1", false),
            ("kbs+default:///key/1", false),
        ] {
            assert_eq!(only.may_read(&uri(text)).is_ok(), allowed, "{text}");
        }
        caller(|_| ()).may_read(&uri("kbs:///a/b/c")).unwrap();
    }
}
