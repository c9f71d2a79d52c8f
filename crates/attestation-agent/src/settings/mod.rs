//! The configuration: one TOML file, each key overridable by an environment variable (`ASSAY_AGENT_`
//! and the key's path, parts joined by two underscores). Unknown keys are refused. The keys of
//! guest-components' `aa.toml` mean the same here.

mod kernel;
mod listener;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assay_token::jwe::KeyAlgorithm;
use serde::{Deserialize, Serialize};

use crate::secrets::FileSettings;

pub use kernel::KbcParameters;
pub use listener::{DEFAULT_SOCKET, EvidenceName, ListenerConfig, Names, ProtocolName, UserId};

/// Every key with its default and its meaning, as a TOML file.
pub const DOCUMENTED: &str = include_str!("../agent.toml");

/// Where the configuration is looked for when no file is named.
pub const DEFAULT_FILE: &str = "/etc/assay-agent.toml";

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The key broker service, for short.
    pub kbs: Option<String>,
    /// Where tokens come from.
    pub token_configs: TokenConfigs,
    /// Runtime measurement.
    pub eventlog_config: EventLogConfig,
    /// The platform.
    pub device: DeviceConfig,
    /// Init data.
    pub init_data: InitDataConfig,
    /// Sealed secrets.
    pub sealed_secret: SealedSecretConfig,
    /// Secrets to be written into files.
    pub files: Vec<FileSettings>,
    /// Who may call.
    pub listener: Vec<ListenerConfig>,
    /// The log.
    pub log: LogConfig,
}

/// `[token_configs]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfigs {
    /// The key broker service.
    pub kbs: KbsConfig,
    /// The attestation service.
    pub coco_as: AsConfig,
}

/// `[token_configs.kbs]`; the meaning of each key stands in [`DOCUMENTED`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct KbsConfig {
    pub url: Option<String>,
    pub other_urls: Vec<String>,
    pub cert: Option<String>,
    pub cert_file: Option<PathBuf>,
    pub tee_key_algorithm: String,
    pub refresh_ahead_seconds: u64,
    pub deadline_seconds: u64,
    pub passport: bool,
    pub give_tee_key_danger: bool,
    pub plain_http_danger: bool,
}

/// `[token_configs.coco_as]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct AsConfig {
    pub url: Option<String>,
    pub other_urls: Vec<String>,
    pub cert: Option<String>,
    pub cert_file: Option<PathBuf>,
    pub plain_http_danger: bool,
}

/// `[eventlog_config]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct EventLogConfig {
    pub enable_eventlog: bool,
    pub init_pcr: u64,
    pub directory: PathBuf,
    pub max_log_bytes: u64,
}

/// `[device]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct DeviceConfig {
    pub root: PathBuf,
    pub tee: String,
    pub timeout_seconds: u64,
    pub privilege_level: Option<u8>,
    pub service_provider: Option<String>,
    pub service_guid: Option<String>,
}

/// `[init_data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct InitDataConfig {
    pub toml_file: Option<PathBuf>,
    pub digest: Option<String>,
    pub require_bound: bool,
}

/// `[sealed_secret]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct SealedSecretConfig {
    pub trusted_keys: Vec<String>,
    pub key_directory: PathBuf,
    pub skip_verification_danger: bool,
    pub allow_ctr_danger: bool,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct LogConfig {
    pub level: String,
    pub json: bool,
}

impl Default for KbsConfig {
    fn default() -> Self {
        KbsConfig {
            url: None,
            other_urls: Vec::new(),
            cert: None,
            cert_file: None,
            tee_key_algorithm: KeyAlgorithm::default().as_str().to_owned(),
            refresh_ahead_seconds: 30,
            deadline_seconds: 45,
            passport: false,
            give_tee_key_danger: false,
            plain_http_danger: false,
        }
    }
}

impl Default for EventLogConfig {
    fn default() -> Self {
        EventLogConfig {
            enable_eventlog: false,
            init_pcr: 17,
            directory: "/run/attestation-agent".into(),
            max_log_bytes: 1 << 20,
        }
    }
}

impl Default for DeviceConfig {
    fn default() -> Self {
        DeviceConfig {
            root: "/".into(),
            tee: "auto".into(),
            timeout_seconds: 30,
            privilege_level: None,
            service_provider: None,
            service_guid: None,
        }
    }
}

impl Default for InitDataConfig {
    fn default() -> Self {
        InitDataConfig { toml_file: None, digest: None, require_bound: true }
    }
}

impl Default for SealedSecretConfig {
    fn default() -> Self {
        SealedSecretConfig {
            trusted_keys: Vec::new(),
            key_directory: "/run/confidential-containers/cdh/sealed-secret".into(),
            skip_verification_danger: false,
            allow_ctr_danger: false,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { level: "info".into(), json: false }
    }
}

impl Settings {
    /// Reads the file, or the default one where it exists, then the environment, then, if there is still no key
    /// broker, the kernel's command line.
    ///
    /// # Errors
    /// What cannot be read, with the file and the key.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let file = match file {
            Some(file) => Some(file),
            None => Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists()),
        };
        let mut settings = Self::read(file)?;
        if settings.kbs_urls()?.is_empty()
            && let Some(parameters) = KbcParameters::of_this_machine()?
        {
            settings.kbs = parameters.kbs_url();
        }
        Ok(settings)
    }

    fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let named = || match file {
            Some(file) => format!("the configuration {}", file.display()),
            None => "the configuration".to_owned(),
        };
        let mut builder = config::Config::builder();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file).with_context(named)?;
            builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
        }
        let environment = config::Environment::with_prefix("ASSAY_AGENT")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true);
        let settings: Settings = builder
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize)
            .with_context(named)?;
        settings.check().with_context(named)?;
        Ok(settings)
    }

    /// What types do not say.
    fn check(&self) -> anyhow::Result<()> {
        self.kbs_urls()?;
        self.as_urls()?;
        self.key_algorithm()?;
        let kbs = &self.token_configs.kbs;
        for (key, found, least, most) in [
            ("token_configs.kbs.deadline_seconds", kbs.deadline_seconds, 1, 80),
            ("token_configs.kbs.refresh_ahead_seconds", kbs.refresh_ahead_seconds, 0, 3600),
            ("device.timeout_seconds", self.device.timeout_seconds, 1, 80),
            ("eventlog_config.max_log_bytes", self.eventlog_config.max_log_bytes, 4096, 1 << 20),
        ] {
            anyhow::ensure!((least..=most).contains(&found), "{key} is {found}; expected {least} to {most}");
        }
        anyhow::ensure!(
            self.device.privilege_level.is_none_or(|level| level <= 3),
            "device.privilege_level is greater than 3"
        );
        for (section, cert, file) in [
            ("token_configs.kbs", &kbs.cert, &kbs.cert_file),
            (
                "token_configs.coco_as",
                &self.token_configs.coco_as.cert,
                &self.token_configs.coco_as.cert_file,
            ),
        ] {
            anyhow::ensure!(
                cert.is_none() || file.is_none(),
                "{section}: cert and cert_file are both set; one of them counts, so leave one"
            );
        }
        anyhow::ensure!(
            !kbs.passport || self.token_configs.coco_as.url.is_some(),
            "token_configs.kbs.passport needs token_configs.coco_as.url: the service that gives the passport"
        );
        anyhow::ensure!(
            self.init_data.toml_file.is_none() || self.init_data.digest.is_none(),
            "init_data: toml_file and digest are both set; leave one"
        );
        for (index, listener) in self.listener.iter().enumerate() {
            listener.check().with_context(|| format!("listener[{index}] ({})", listener.address))?;
        }
        Ok(())
    }

    /// The key broker's addresses, in order; empty without any.
    ///
    /// # Errors
    /// When `kbs` and `token_configs.kbs.url` say different things, or only other addresses are given.
    pub fn kbs_urls(&self) -> anyhow::Result<Vec<String>> {
        let config = &self.token_configs.kbs;
        let first = match (&self.kbs, &config.url) {
            (Some(one), Some(other)) if one != other => {
                anyhow::bail!("kbs is {one:?} and token_configs.kbs.url is {other:?}; leave one of them")
            }
            (Some(url), _) | (None, Some(url)) => url,
            (None, None) => {
                anyhow::ensure!(
                    config.other_urls.is_empty(),
                    "token_configs.kbs.other_urls is set, and url is not"
                );
                return Ok(Vec::new());
            }
        };
        Ok(std::iter::once(first).chain(&config.other_urls).cloned().collect())
    }

    /// The attestation service's addresses, in order; empty without any.
    ///
    /// # Errors
    /// When only other addresses are given.
    pub fn as_urls(&self) -> anyhow::Result<Vec<String>> {
        let config = &self.token_configs.coco_as;
        anyhow::ensure!(
            config.url.is_some() || config.other_urls.is_empty(),
            "token_configs.coco_as.other_urls is set, and url is not"
        );
        Ok(config.url.iter().chain(&config.other_urls).cloned().collect())
    }

    /// The kind of the guest's keys.
    ///
    /// # Errors
    /// When there is no such kind.
    pub fn key_algorithm(&self) -> anyhow::Result<KeyAlgorithm> {
        let name = &self.token_configs.kbs.tee_key_algorithm;
        KeyAlgorithm::from_name(name).with_context(|| {
            let known: Vec<&str> = KeyAlgorithm::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("token_configs.kbs.tee_key_algorithm is {name:?}; known are {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Settings> {
        let settings: Settings = toml::from_str(text)?;
        settings.check()?;
        Ok(settings)
    }

    /// The text with every commented-out key turned on.
    fn all_keys() -> String {
        let key = |line: &str| {
            let line = line.strip_prefix("# ")?;
            let name = line.split_once(" = ")?.0;
            (name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !name.is_empty())
                .then(|| line.to_owned())
        };
        let section =
            |line: &str| line.strip_prefix("# ").filter(|rest| rest.starts_with("[[")).map(str::to_owned);
        DOCUMENTED
            .lines()
            .map(|line| key(line).or_else(|| section(line)).unwrap_or_else(|| line.to_owned()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_documented_file_is_the_defaults() {
        assert_eq!(parse(DOCUMENTED).unwrap(), Settings::default());
    }

    #[test]
    fn the_documented_file_has_every_key() {
        let all: Settings = toml::from_str(&all_keys()).unwrap();
        let tree = serde_json::to_value(&all).unwrap();
        fn nulls(path: &str, value: &serde_json::Value, found: &mut Vec<String>) {
            match value {
                serde_json::Value::Null => found.push(path.to_owned()),
                serde_json::Value::Object(map) => {
                    map.iter().for_each(|(name, value)| nulls(&format!("{path}.{name}"), value, found));
                }
                serde_json::Value::Array(list) => list.iter().for_each(|value| nulls(path, value, found)),
                _ => {}
            }
        }
        let mut absent = Vec::new();
        nulls("", &tree, &mut absent);
        // The REST example leaves out what it does not need.
        absent.retain(|path| !path.starts_with(".listener"));
        assert!(absent.is_empty(), "not documented: {absent:?}");
        assert_eq!(all.listener.len(), 2);
        assert_eq!(all.files.len(), 1);
    }

    #[test]
    fn the_keys_of_the_agent_it_replaces_are_taken() {
        let settings = parse(
            "[token_configs.kbs]\nurl = \"https://kbs:8080\"\ncert = \"\"\"-----BEGIN\"\"\"\n\
             tee_key_algorithm = \"RSA-OAEP-256\"\n[token_configs.coco_as]\nurl = \"http://127.0.0.1:8080\"\n\
             [eventlog_config]\ninit_pcr = 17\nenable_eventlog = true\n[log]\nlevel = \"debug\"\n",
        )
        .unwrap();
        assert_eq!(settings.kbs_urls().unwrap(), ["https://kbs:8080"]);
        assert_eq!(settings.key_algorithm().unwrap(), KeyAlgorithm::RsaOaep256);
        assert!(settings.eventlog_config.enable_eventlog);
    }

    #[test]
    fn one_line_is_enough() {
        let settings = parse("kbs = \"https://[2001:db8::1]:8080\"").unwrap();
        assert_eq!(settings.kbs_urls().unwrap(), ["https://[2001:db8::1]:8080"]);
    }

    #[test]
    fn bad_settings_say_which_key() {
        for (text, part) in [
            ("kbss = \"x\"", "kbss"),
            ("[token_configs.kbs]\nulr = \"x\"", "ulr"),
            ("kbs = \"a\"\n[token_configs.kbs]\nurl = \"b\"", "leave one"),
            ("[token_configs.kbs]\nother_urls = [\"a\"]", "other_urls"),
            ("[token_configs.kbs]\ntee_key_algorithm = \"RSA1_5\"", "RSA1_5"),
            ("[token_configs.kbs]\ncert = \"a\"\ncert_file = \"b\"", "cert_file"),
            ("[token_configs.kbs]\ndeadline_seconds = 0", "deadline_seconds"),
            ("[device]\nprivilege_level = 4", "privilege_level"),
            ("[device]\ntimeout_seconds = 100000", "timeout_seconds"),
            ("[init_data]\ntoml_file = \"a\"\ndigest = \"b\"", "digest"),
            ("[[files]]\npath = \"/a\"\nresource = \"a/b/c\"", "resource"),
            ("[[files]]\npath = \"/a\"\nresource = \"kbs:///a/b/c\"\nmode = \"9\"", "mode"),
            ("[eventlog_config]\nmax_log_bytes = 1", "max_log_bytes"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
