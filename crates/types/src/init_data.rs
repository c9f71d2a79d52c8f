//! Init data: a TOML text whose digest the platform measures at launch (Confidential Containers
//! "initdata" specification, version 0.1.0).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Claims, Digest, HashAlgorithm, InitDataMessage};

/// Init data that were read.
#[derive(Clone, Debug, PartialEq)]
pub struct InitData {
    /// The digest of the text, by the algorithm that the text names.
    pub digest: Digest,
    /// The claims for policy: one for each entry of `[data]`.
    pub claims: Claims,
}

/// Init data that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitDataError {
    /// The format is not `toml`.
    #[error("init data of the format {found:?}; only \"toml\" is known")]
    Format {
        /// The format found.
        found: String,
    },
    /// The text is not the expected TOML.
    #[error("init data cannot be read: {reason}")]
    Toml {
        /// The TOML reader's reason.
        reason: String,
    },
    /// The version is unknown.
    #[error("init data of version {found:?}; known is \"0.1.0\"")]
    Version {
        /// The version found.
        found: String,
    },
    /// The text is too long.
    #[error("init data of {found} bytes; at most {max} are read")]
    TooLong {
        /// The length found.
        found: usize,
        /// The greatest length.
        max: usize,
    },
}

#[derive(Deserialize)]
struct Text {
    version: String,
    algorithm: HashAlgorithm,
    data: BTreeMap<String, String>,
}

impl InitData {
    /// The longest text that is read, in bytes.
    pub const MAX_LEN: usize = 1 << 20;

    /// Reads init data as RCAR carries them.
    ///
    /// # Errors
    /// [`InitDataError`], see there.
    pub fn from_message(message: &InitDataMessage) -> Result<Self, InitDataError> {
        if message.format != "toml" {
            return Err(InitDataError::Format { found: message.format.chars().take(64).collect() });
        }
        Self::from_toml(&message.body)
    }

    /// Reads the TOML text: `version`, `algorithm` (`sha256`, `sha384`, `sha512`), `[data]`, a
    /// table of strings. Entries named `*.toml` become trees; of `policy.rego` the JSON after
    /// `policy_data :=` becomes the claim `agent_policy_claims` (null where there is none); every
    /// other entry stays a string.
    ///
    /// # Errors
    /// [`InitDataError`], see there. An entry that names itself TOML and is not is an error.
    pub fn from_toml(text: &str) -> Result<Self, InitDataError> {
        if text.len() > Self::MAX_LEN {
            return Err(InitDataError::TooLong { found: text.len(), max: Self::MAX_LEN });
        }
        let reason = |reason: String| InitDataError::Toml { reason };
        let parsed: Text = toml::from_str(text).map_err(|e| reason(e.message().to_owned()))?;
        if parsed.version != "0.1.0" {
            return Err(InitDataError::Version { found: parsed.version.chars().take(64).collect() });
        }
        let mut claims = Map::new();
        for (name, value) in parsed.data {
            if name == "policy.rego" {
                claims.insert("agent_policy_claims".into(), policy_data(&value).unwrap_or(Value::Null));
            } else if matches!(name.as_str(), "aa.toml" | "cdh.toml") {
                let tree: toml::Table =
                    toml::from_str(&value).map_err(|e| reason(format!("{name}: {}", e.message())))?;
                let tree = serde_json::to_value(tree).map_err(|e| reason(format!("{name}: {e}")))?;
                claims.insert(name, tree);
            } else {
                claims.insert(name, Value::String(value));
            }
        }
        Ok(InitData { digest: parsed.algorithm.digest(text.as_bytes()), claims })
    }
}

/// The JSON object that stands after `policy_data :=` in a Rego text.
fn policy_data(rego: &str) -> Option<Value> {
    let (_, rest) = rego.split_once("policy_data")?;
    let (_, rest) = rest.split_once(":=")?;
    serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\
        \"aa.toml\" = '''\n[token_configs.kbs]\nurl = \"http://kbs\"\n'''\n\
        \"policy.rego\" = '''\npackage agent_policy\npolicy_data := {\"containers\": [{\"a\": 1}]}\ndefault x := 1\n'''\n\
        note = \"hello\"\n";

    #[test]
    fn the_claims_are_a_tree_and_the_digest_is_over_the_bytes() {
        let read = InitData::from_toml(TEXT).unwrap();
        assert_eq!(read.digest, Digest::sha256(TEXT.as_bytes()));
        assert_eq!(read.claims["aa.toml"]["token_configs"]["kbs"]["url"], "http://kbs");
        assert_eq!(read.claims["agent_policy_claims"]["containers"][0]["a"], 1);
        assert_eq!(read.claims["note"], "hello");
    }

    #[test]
    fn bad_init_data_say_what_is_wrong() {
        let message = |format: &str, body: &str| InitDataMessage { format: format.into(), body: body.into() };
        assert!(matches!(
            InitData::from_message(&message("json", "{}")),
            Err(InitDataError::Format { found }) if found == "json"
        ));
        for (text, part) in [
            ("", "version"),
            ("version = \"0.1.0\"\nalgorithm = \"sha-384\"\n[data]\n", "sha-384"),
            ("version = \"0.1.0\"\nalgorithm = \"sha384\"\n[data]\n\"aa.toml\" = \"=\"", "aa.toml"),
            ("version = \"0.1.0\"\nalgorithm = \"sha384\"\n[data]\nx = 1", "string"),
        ] {
            let error = InitData::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
        assert!(matches!(
            InitData::from_toml("version = \"9\"\nalgorithm = \"sha384\"\n[data]\n"),
            Err(InitDataError::Version { .. })
        ));
        assert!(matches!(
            InitData::from_toml(&" ".repeat(InitData::MAX_LEN + 1)),
            Err(InitDataError::TooLong { .. })
        ));
    }
}
