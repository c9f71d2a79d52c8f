//! Reading a map of claims: each claim once, everything that is wrong reported, nothing lost.

use assay_cbor::{Value, diagnostic, read};
use assay_cose::LIMITS;
use assay_types::{Check, Finding, HashAlgorithm, Outcome};

use crate::checks;
use crate::names;

/// Reads the members of one map.
pub(crate) struct ClaimReader<'a> {
    members: &'a [(Value, Value)],
    names: &'static [(i64, &'static str)],
    /// What the map is, for errors: `platform token`, `sw-component 3`.
    what: String,
    mandatory: &'static Check,
    types: &'static Check,
    read: Vec<i64>,
    pub(crate) findings: Vec<Finding>,
}

/// The lengths of a hash (draft-ffm-rats-cca-token-04, arm-platform-hash-type).
pub(crate) const HASH_LENGTHS: &[usize] = &[32, 48, 64];

const HASH: &str = "a byte string of 32, 48 or 64 bytes";

impl<'a> ClaimReader<'a> {
    pub(crate) fn new(
        members: &'a [(Value, Value)],
        names: &'static [(i64, &'static str)],
        what: impl Into<String>,
        mandatory: &'static Check,
        types: &'static Check,
    ) -> Self {
        ClaimReader {
            members,
            names,
            what: what.into(),
            mandatory,
            types,
            read: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn label(&self, key: i64) -> String {
        match names::name(self.names, key) {
            Some(name) => format!("{name} ({key})"),
            None => key.to_string(),
        }
    }

    fn find(&mut self, key: i64) -> Option<&'a Value> {
        self.read.push(key);
        let member = self.members.iter().find(|(found, _)| found.as_i64() == Some(key));
        member.map(|(_, value)| value)
    }

    /// Reports what is wrong with the claim `key`.
    pub(crate) fn fail(&mut self, check: &'static Check, key: i64, expected: &str, found: &str) {
        let detail = format!("{}, {}", self.what, self.label(key));
        self.findings.push(Finding::new(check, Outcome::Failed, expected, found, detail));
    }

    /// A claim that may be absent.
    pub(crate) fn optional<T>(
        &mut self,
        key: i64,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.find(key)?;
        let claim = read(value);
        if claim.is_none() {
            self.fail(self.types, key, expected, &value.describe());
        }
        claim
    }

    /// A claim that this profile does not have but a later one does: read if it is what it is there,
    /// else left among the unknown ones.
    pub(crate) fn foreign<T>(&mut self, key: i64, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        let claim = read(self.find(key)?);
        if claim.is_none() {
            self.read.pop();
        }
        claim
    }

    /// A claim that must be there.
    pub(crate) fn mandatory<T>(
        &mut self,
        key: i64,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.read.push(key);
            self.fail(self.mandatory, key, expected, "nothing");
            return None;
        }
        self.optional(key, expected, read)
    }

    /// Whether the claim is there.
    pub(crate) fn has(&self, key: i64) -> bool {
        self.members.iter().any(|(found, _)| found.as_i64() == Some(key))
    }

    /// A mandatory hash.
    pub(crate) fn hash(&mut self, key: i64) -> Option<Vec<u8>> {
        self.mandatory(key, HASH, hash)
    }

    /// A hash that may be absent.
    pub(crate) fn optional_hash(&mut self, key: i64) -> Option<Vec<u8>> {
        self.optional(key, HASH, hash)
    }

    /// A mandatory byte string of exactly `N` bytes.
    pub(crate) fn exactly<const N: usize>(&mut self, key: i64) -> Option<[u8; N]> {
        self.mandatory(key, &format!("a byte string of {N} bytes"), |value| value.as_bytes()?.try_into().ok())
    }

    /// A mandatory identifier of an instance: 33 bytes, the first of them 01 (EAT, ueid of type RAND).
    pub(crate) fn instance_id(&mut self, key: i64) -> Option<[u8; 33]> {
        self.mandatory(key, "a byte string of 33 bytes that begins with 01", instance_id)
    }

    /// A mandatory algorithm name. An unknown one is a failure of its own.
    pub(crate) fn algorithm(&mut self, key: i64) -> Option<HashAlgorithm> {
        let name = self.mandatory(key, "a text string", Value::as_text)?;
        self.known_algorithm(key, name)
    }

    /// An algorithm name that may be absent.
    pub(crate) fn optional_algorithm(&mut self, key: i64) -> Option<HashAlgorithm> {
        let name = self.optional(key, "a text string", Value::as_text)?;
        self.known_algorithm(key, name)
    }

    fn known_algorithm(&mut self, key: i64, name: &str) -> Option<HashAlgorithm> {
        let known = algorithm(name);
        if known.is_none() {
            let found = diagnostic(&Value::from(name.chars().take(64).collect::<String>()));
            self.fail(&checks::ALGORITHMS, key, "sha-256, sha-384 or sha-512", &found);
        }
        known
    }

    /// The members that nobody asked for, and what was found wrong.
    pub(crate) fn finish(self) -> (Vec<(Value, Value)>, Vec<Finding>) {
        let unknown = |(key, _): &&(Value, Value)| !key.as_i64().is_some_and(|key| self.read.contains(&key));
        (self.members.iter().filter(unknown).cloned().collect(), self.findings)
    }
}

/// Reads encoded claims by themselves.
pub(crate) fn alone<T>(
    bytes: &[u8],
    check: &'static Check,
    claims: impl FnOnce(&Value, &mut Vec<Finding>) -> Option<T>,
) -> Result<T, Vec<Finding>> {
    let map = read(bytes, LIMITS)
        .map_err(|error| vec![Finding::new(check, Outcome::Failed, "a CBOR map", "", error.to_string())])?;
    let mut findings = Vec::new();
    claims(&map, &mut findings).ok_or(findings)
}

pub(crate) fn hash(value: &Value) -> Option<Vec<u8>> {
    value.as_bytes().filter(|bytes| HASH_LENGTHS.contains(&bytes.len())).map(<[u8]>::to_vec)
}

pub(crate) fn instance_id(value: &Value) -> Option<[u8; 33]> {
    value.as_bytes()?.try_into().ok().filter(|id: &[u8; 33]| id.first() == Some(&1))
}

pub(crate) fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_bytes().map(<[u8]>::to_vec)
}

pub(crate) fn text(value: &Value) -> Option<String> {
    value.as_text().map(str::to_owned)
}

/// An array of one hash or more.
pub(crate) fn hashes(value: &Value) -> Option<Vec<Vec<u8>>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(hash).collect()
}

/// The algorithm of that name in the IANA registry of named information.
pub(crate) fn algorithm(name: &str) -> Option<HashAlgorithm> {
    match name {
        "sha-256" => Some(HashAlgorithm::Sha256),
        "sha-384" => Some(HashAlgorithm::Sha384),
        "sha-512" => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

/// The name of an algorithm in the IANA registry of named information.
pub(crate) const fn algorithm_name(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha256 => "sha-256",
        HashAlgorithm::Sha384 => "sha-384",
        HashAlgorithm::Sha512 => "sha-512",
        other => other.as_str(),
    }
}
