//! `[[listener]]`: an address, a protocol, and who may do what there.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::caller::{EvidenceForm, Operation, Rules};
use crate::faces::{Address, Limits, ListenerSettings, Protocol, RestExtras, Services};
use crate::secrets::FileMode;

/// Where clients of the agent that this one replaces look for it.
pub const DEFAULT_SOCKET: &str =
    "unix:///run/confidential-containers/attestation-agent/attestation-agent.sock";

/// The word that means no bound, in lists of who and what.
const ANY: &str = "any";

/// One listener; the meaning of each key stands in [`super::DOCUMENTED`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ListenerConfig {
    pub address: String,
    pub protocol: ProtocolName,
    pub mode: Option<FileMode>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub allow_uids: Option<Vec<UserId>>,
    #[serde(default)]
    pub allow_gids: Vec<u32>,
    pub allow: Option<Vec<String>>,
    pub evidence: Option<EvidenceName>,
    pub domains: Option<Names>,
    pub registers: Option<Vec<u64>>,
    pub resources: Option<Names>,
}

/// A list of names, or `["any"]`.
pub type Names = Vec<String>;

/// A user id, or `"any"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UserId {
    /// One user.
    Id(u32),
    /// The word `any`.
    Word(String),
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProtocolName {
    /// ttRPC.
    Ttrpc,
    /// gRPC.
    Grpc,
    /// HTTP.
    Rest,
}

/// How runtime data become report data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceName {
    /// As they are.
    AsGiven,
    /// Hashed behind a label.
    Workload,
}

impl ListenerConfig {
    /// The listener of a configuration that names none: ttRPC at `address` for root, who may do all.
    pub fn for_root(address: &str) -> Self {
        ListenerConfig {
            address: address.to_owned(),
            protocol: ProtocolName::Ttrpc,
            mode: None,
            uid: None,
            gid: None,
            allow_uids: None,
            allow_gids: Vec::new(),
            allow: None,
            evidence: None,
            domains: None,
            registers: None,
            resources: None,
        }
    }

    /// Whether the caller is known by user id: on Unix sockets.
    fn is_unix(&self) -> bool {
        self.address.starts_with("unix://")
    }

    /// Whether only root and the agent's own user are admitted: on a Unix socket that names nobody else.
    fn is_roots(&self) -> bool {
        self.is_unix() && self.allow_uids.is_none() && self.allow_gids.is_empty()
    }

    /// What types do not say.
    ///
    /// # Errors
    /// With the key.
    pub fn check(&self) -> anyhow::Result<()> {
        self.address()?;
        let rules = self.rules(17)?;
        // Who is not root names what is open to others; leaving it out never means all.
        for (operation, key, set) in [
            (Operation::Extend, "domains", self.domains.is_some()),
            (Operation::Resource, "resources", self.resources.is_some()),
            (Operation::Unseal, "resources", self.resources.is_some()),
        ] {
            anyhow::ensure!(
                self.is_roots() || set || !rules.operations.contains(&operation),
                "{key} is not set: name what callers of the operation {operation} may use, or [\"any\"]"
            );
        }
        if !self.is_unix() {
            for (key, set) in [
                ("mode", self.mode.is_some()),
                ("uid", self.uid.is_some()),
                ("gid", self.gid.is_some()),
                ("allow_uids", self.allow_uids.is_some()),
                ("allow_gids", !self.allow_gids.is_empty()),
            ] {
                anyhow::ensure!(
                    !set,
                    "{key} has no meaning on a TCP address: nobody knows the caller's user"
                );
            }
        }
        Ok(())
    }

    /// The address.
    ///
    /// # Errors
    /// When it is neither `unix:///path` nor a loopback `ip:port`.
    pub fn address(&self) -> anyhow::Result<Address> {
        let address: Address = self.address.parse().context("address")?;
        if let Address::Tcp(address) = &address {
            anyhow::ensure!(
                address.ip().to_canonical().is_loopback(),
                "address {address} is not a loopback address: other machines must not reach the agent"
            );
        }
        Ok(address)
    }

    /// What may be done here. Unset keys give the least that the listener's kind is for: a Unix socket is
    /// root's, who may do all and speak as the guest; on TCP only resources are read, and evidence, where it is
    /// allowed, is a workload's.
    ///
    /// # Errors
    /// When a name is unknown.
    pub fn rules(&self, default_pcr: u64) -> anyhow::Result<Rules> {
        let unix = self.is_unix();
        let operations = match &self.allow {
            Some(names) => names.iter().map(|name| operation(name)).collect::<anyhow::Result<_>>()?,
            None if unix => BTreeSet::from(Operation::ALL),
            None => BTreeSet::from([Operation::Resource]),
        };
        let uids = match &self.allow_uids {
            Some(ids) => users(ids)?,
            None => unix.then(|| BTreeSet::from([0, rustix::process::geteuid().as_raw()])),
        };
        Ok(Rules {
            listener: self.address.clone(),
            operations,
            uids,
            gids: self.allow_gids.iter().copied().collect(),
            evidence: match self.evidence {
                Some(EvidenceName::AsGiven) => EvidenceForm::AsGiven,
                Some(EvidenceName::Workload) => EvidenceForm::Workload,
                None if self.is_roots() => EvidenceForm::AsGiven,
                None => EvidenceForm::Workload,
            },
            domains: bounded(self.domains.as_ref()).map(|names| names.iter().cloned().collect()),
            registers: self
                .registers
                .as_ref()
                .map_or_else(|| BTreeSet::from([default_pcr]), |pcrs| pcrs.iter().copied().collect()),
            resources: bounded(self.resources.as_ref()).cloned(),
        })
    }

    /// The listener as the faces want it.
    ///
    /// # Errors
    /// As [`ListenerConfig::check`].
    pub fn settings(&self, default_pcr: u64, extras: RestExtras) -> anyhow::Result<ListenerSettings> {
        let rules = self.rules(default_pcr)?;
        let secrets = [Operation::Resource, Operation::Unseal];
        let of_secrets = rules.operations.iter().any(|operation| secrets.contains(operation));
        let of_attestation = rules.operations.iter().any(|operation| !secrets.contains(operation));
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Ok(ListenerSettings {
            address: self.address()?,
            protocol: match self.protocol {
                ProtocolName::Ttrpc => Protocol::TtRpc,
                ProtocolName::Grpc => Protocol::Grpc,
                ProtocolName::Rest => Protocol::Rest,
            },
            mode: self.mode.unwrap_or_default().0,
            owner: (self.uid.is_some() || self.gid.is_some())
                .then(|| (self.uid.unwrap_or(own.0), self.gid.unwrap_or(own.1))),
            services: match (of_attestation, of_secrets) {
                (true, false) => Services::AttestationAgent,
                (false, true) => Services::ConfidentialDataHub,
                _ => Services::Both,
            },
            rules: Arc::new(rules),
            limits: Limits::default(),
            extras: Some(extras),
        })
    }
}

/// The names, unless they mean any.
fn bounded(names: Option<&Names>) -> Option<&Names> {
    names.filter(|names| !names.iter().any(|name| name == ANY))
}

fn operation(name: &str) -> anyhow::Result<Operation> {
    Operation::ALL.into_iter().find(|operation| operation.as_str() == name).with_context(|| {
        let known: Vec<&str> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
        format!("allow: {name:?} is unknown; known are {}", known.join(", "))
    })
}

fn users(ids: &[UserId]) -> anyhow::Result<Option<BTreeSet<u32>>> {
    let mut users = BTreeSet::new();
    for id in ids {
        match id {
            UserId::Id(id) => {
                users.insert(*id);
            }
            UserId::Word(word) if word == ANY => return Ok(None),
            UserId::Word(word) => anyhow::bail!("allow_uids: {word:?} is neither a number nor \"any\""),
        }
    }
    Ok(Some(users))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(text: &str) -> ListenerConfig {
        toml::from_str(text).unwrap()
    }

    const REST: &str = "address = \"127.0.0.1:8006\"\nprotocol = \"rest\"\nresources = [\"any\"]\n";
    const SOCKET: &str = "address = \"unix:///run/a.sock\"\nprotocol = \"ttrpc\"\n";

    #[test]
    fn unset_keys_give_the_least_that_the_kind_is_for() {
        let rest = listener(REST).rules(17).unwrap();
        assert_eq!(rest.operations, BTreeSet::from([Operation::Resource]));
        assert_eq!(rest.evidence, EvidenceForm::Workload);
        assert_eq!(rest.uids, None);
        let root = ListenerConfig::for_root(DEFAULT_SOCKET).rules(17).unwrap();
        assert_eq!(root.operations.len(), Operation::ALL.len());
        assert_eq!(root.evidence, EvidenceForm::AsGiven);
        assert!(root.uids.unwrap().contains(&0));
        // Others than root speak as workloads, unless it is said otherwise.
        let others = listener(&format!("{SOCKET}allow_uids = [1000]")).rules(17).unwrap();
        assert_eq!(others.evidence, EvidenceForm::Workload);
        let trusted =
            listener(&format!("{SOCKET}allow_uids = [1000]\nevidence = \"as-given\"")).rules(17).unwrap();
        assert_eq!(trusted.evidence, EvidenceForm::AsGiven);
        let group = listener(&format!("{SOCKET}allow_gids = [1000]")).rules(17).unwrap();
        assert_eq!(group.evidence, EvidenceForm::Workload);
        assert_eq!(listener(&format!("{SOCKET}allow_uids = [\"any\"]")).rules(17).unwrap().uids, None);
        assert_eq!(root.registers, BTreeSet::from([17]));
    }

    #[test]
    fn bad_listeners_say_which_key() {
        for (text, part) in [
            ("address = \"0.0.0.0:8006\"\nprotocol = \"rest\"".to_owned(), "loopback"),
            ("address = \"run/a.sock\"\nprotocol = \"rest\"".to_owned(), "unix:///"),
            ("address = \"unix://run/a.sock\"\nprotocol = \"rest\"".to_owned(), "unix:///"),
            ("address = \"127.0.0.1:8006\"\nprotocol = \"rest\"".to_owned(), "resources"),
            (format!("{REST}allow = [\"extend\"]"), "domains"),
            (format!("{SOCKET}allow_uids = [1000]\nallow = [\"unseal\"]"), "resources"),
            (format!("{SOCKET}allow_gids = [1000]\nallow = [\"extend\"]"), "domains"),
            (format!("{REST}mode = \"0600\""), "mode"),
            (format!("{REST}allow_uids = [0]"), "allow_uids"),
            (format!("{REST}allow_gids = [0]"), "allow_gids"),
            (format!("{SOCKET}allow = [\"everything\"]"), "everything"),
            (format!("{SOCKET}allow_uids = [\"root\"]"), "root"),
        ] {
            let error = format!("{:#}", listener(&text).check().unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
