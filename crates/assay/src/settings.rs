//! The server's configuration: one TOML file, each key overridable by an environment variable
//! (`ASSAY_` and the key's path, parts joined by two underscores: `ASSAY_SERVER__LISTEN`). Unknown
//! keys are refused.

mod access;
mod attestation;
mod attestation_service;
mod audit;
mod collateral;
mod reference_values;
mod resources;
mod store;
mod telemetry;
mod vault;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub(crate) use access::Access;
pub(crate) use attestation::Attestation;
pub(crate) use attestation_service::AttestationServiceDoor;
pub(crate) use audit::Audit;
pub(crate) use collateral::{Collateral, IntelUpdate};
pub(crate) use reference_values::{RemoteValues, RvpsDoor};
pub(crate) use resources::{BackendKind, Resources};
pub(crate) use store::{KeyEncryption, KeySourceKind, StoreSettings};
pub(crate) use telemetry::Telemetry;
pub(crate) use vault::Vault;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) limits: Limits,
    pub(crate) token: Token,
    pub(crate) store: StoreSettings,
    pub(crate) key_encryption: KeyEncryption,
    pub(crate) access: Access,
    pub(crate) attestation: Attestation,
    pub(crate) attestation_service: AttestationServiceDoor,
    pub(crate) collateral: Collateral,
    pub(crate) vault: Vault,
    pub(crate) resources: Resources,
    pub(crate) snp: Snp,
    pub(crate) tee: Tees,
    pub(crate) corim: Corim,
    pub(crate) audit: Audit,
    pub(crate) reference_values: RemoteValues,
    pub(crate) rvps: RvpsDoor,
    pub(crate) danger: Danger,
    pub(crate) log: Log,
    pub(crate) telemetry: Telemetry,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) http: bool,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) public_url: Option<String>,
    pub(crate) attestation_api: bool,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) drain_delay_seconds: u64,
    pub(crate) drain_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) body_bytes: usize,
    pub(crate) request_seconds: u64,
    pub(crate) connections: usize,
    pub(crate) attestations_per_minute: u32,
    pub(crate) session_seconds: i64,
    pub(crate) challenge_response_seconds: i64,
    pub(crate) challenge_response_sessions: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Token {
    pub(crate) issuer: String,
    pub(crate) algorithm: String,
    pub(crate) lifetime_seconds: i64,
    pub(crate) rotate_days: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Snp {
    pub(crate) require_crl: bool,
    pub(crate) allowed_vmpl: Vec<u32>,
}

/// The settings of one TEE each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tees {
    pub(crate) cca: Cca,
    pub(crate) intel: Intel,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Intel {
    pub(crate) minimum_evaluation_number: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cca {
    pub(crate) verifier: CcaVerifierKind,
    pub(crate) strict_lengths: bool,
    pub(crate) veraison_url: Option<String>,
    pub(crate) veraison_ca_certificate: Option<PathBuf>,
    pub(crate) veraison_ear_key: Option<PathBuf>,
    pub(crate) veraison_deadline_seconds: u64,
}

/// Who verifies Arm CCA tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CcaVerifierKind {
    /// This program.
    #[default]
    Native,
    /// A Veraison service.
    Veraison,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Corim {
    pub(crate) signers: Vec<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Danger {
    pub(crate) trust_emulator: Option<PathBuf>,
    pub(crate) allow_sample: bool,
    pub(crate) allow_unsigned_corim: bool,
    pub(crate) allow_test_keys: bool,
    pub(crate) plaintext_attestation_service: bool,
    pub(crate) plaintext_store: bool,
    pub(crate) telemetry_plain_http: bool,
    pub(crate) plaintext_reference_values: bool,
    pub(crate) vault_plain_http: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) json: bool,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("/var/lib/assay"),
            http: false,
            tls_certificate: None,
            tls_key: None,
            client_ca: None,
            public_url: None,
            attestation_api: false,
            trusted_proxies: Vec::new(),
            drain_delay_seconds: 0,
            drain_seconds: 10,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes: 2 << 20,
            request_seconds: 30,
            connections: 4096,
            attestations_per_minute: 600,
            session_seconds: 300,
            challenge_response_seconds: 150,
            challenge_response_sessions: 10_000,
        }
    }
}

impl Default for Token {
    fn default() -> Self {
        Token {
            issuer: "CoCo-Attestation-Service".into(),
            algorithm: "ES256".into(),
            lifetime_seconds: 300,
            rotate_days: 90,
        }
    }
}

impl Default for Snp {
    fn default() -> Self {
        Snp { require_crl: false, allowed_vmpl: vec![0] }
    }
}

impl Default for Cca {
    fn default() -> Self {
        Cca {
            verifier: CcaVerifierKind::Native,
            strict_lengths: false,
            veraison_url: None,
            veraison_ca_certificate: None,
            veraison_ear_key: None,
            veraison_deadline_seconds: 10,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { level: "info".into(), json: false }
    }
}

/// Every key with its meaning, in the order of the file: these, with those of the modules between.
const KEYS: [&[(&str, &str)]; 12] = [
    KEYS_BEFORE,
    store::KEYS,
    access::KEYS,
    attestation::KEYS,
    attestation_service::KEYS,
    collateral::KEYS,
    vault::KEYS,
    resources::KEYS,
    audit::KEYS,
    reference_values::KEYS,
    KEYS_AFTER,
    telemetry::KEYS,
];

const KEYS_BEFORE: &[(&str, &str)] = &[
    ("server.listen", "The address to listen on."),
    ("server.data_dir", "The store and the key-encryption key; made at first start, mode 0700."),
    ("server.http", "Plain HTTP. Only on loopback addresses."),
    ("server.tls_certificate", "The TLS certificate chain (PEM). Needed unless http is true."),
    ("server.tls_key", "The TLS private key (PEM)."),
    (
        "server.client_ca",
        "The authorities of client certificates (PEM): who shows a certificate of theirs has the roles in access.clients.",
    ),
    (
        "server.public_url",
        "The address that clients use, for OpenID discovery; from the request's host when absent.",
    ),
    (
        "server.attestation_api",
        "Open /challenge and /attestation to guests: tokens without RCAR, to be shown to others and here.",
    ),
    ("server.trusted_proxies", "Addresses of proxies whose X-Forwarded-For is believed."),
    (
        "server.drain_delay_seconds",
        "How long after SIGTERM new connections are still taken, while readiness says no: time for load balancers.",
    ),
    ("server.drain_seconds", "How long requests under way may take after SIGTERM."),
    ("limits.body_bytes", "The largest request body."),
    ("limits.request_seconds", "How long a request may take."),
    ("limits.connections", "The greatest number of connections at a time."),
    (
        "limits.attestations_per_minute",
        "How often one client address may call auth, and attest; bursts of a tenth.",
    ),
    ("limits.session_seconds", "How long a challenge, and the session it becomes, is valid."),
    (
        "limits.challenge_response_seconds",
        "How long a challenge-response session (Veraison's interface) waits for evidence and keeps its result.",
    ),
    ("limits.challenge_response_sessions", "The greatest number of challenge-response sessions at a time."),
    ("token.issuer", "The claim iss of tokens."),
    ("token.algorithm", "ES256 or ES384, for new signing keys."),
    ("token.lifetime_seconds", "The longest life of a token; collateral that ends earlier shortens it."),
    ("token.rotate_days", "How long a signing key signs."),
];

const KEYS_AFTER: &[(&str, &str)] = &[
    ("snp.require_crl", "Refuse SEV-SNP evidence where no revocation list can be had."),
    ("snp.allowed_vmpl", "The privilege levels that reports may come from."),
    ("tee.cca.verifier", "Who verifies Arm CCA tokens: native (this program) or veraison."),
    (
        "tee.cca.strict_lengths",
        "Refuse measurements whose length is not that of the algorithm their token names.",
    ),
    ("tee.cca.veraison_url", "With veraison: the address of its verification service."),
    ("tee.cca.veraison_ca_certificate", "The only certificate authority to trust for it (PEM)."),
    (
        "tee.cca.veraison_ear_key",
        "The key (JWK) that its attestation results are signed with; asked for at the service when absent.",
    ),
    ("tee.cca.veraison_deadline_seconds", "How long a verification there may take."),
    (
        "tee.intel.minimum_evaluation_number",
        "Refuse TDX and SGX evidence on collateral with a lower tcbEvaluationDataNumber; none is asked for when absent.",
    ),
    (
        "corim.signers",
        "Keys or certificates (PEM, JWK) whose signatures on CoRIMs are trusted; without one no CoRIM is taken.",
    ),
    (
        "danger.trust_emulator",
        "DANGER: a file of emulator anchors to trust. Whoever knows the seed forges evidence.",
    ),
    ("danger.allow_sample", "DANGER: take evidence of the sample TEE, which proves nothing."),
    (
        "danger.allow_unsigned_corim",
        "DANGER: take endorsements that nobody signed: CoRIMs, and JSON stores of trust anchors.",
    ),
    (
        "danger.allow_test_keys",
        "DANGER: take Arm CCA evidence under keys whose private half is public. Anyone can make it.",
    ),
    (
        "danger.plaintext_attestation_service",
        "DANGER: plain http to the remote attestation service on another machine. Who is on the way reads the token, and all evidence.",
    ),
    (
        "danger.plaintext_store",
        "DANGER: speak to PostgreSQL on other machines without TLS. Whoever is in between reads and changes all.",
    ),
    (
        "danger.telemetry_plain_http",
        "DANGER: send spans in the clear to another machine. Who listens learns which requests are made.",
    ),
    (
        "danger.plaintext_reference_values",
        "DANGER: reference_values.address may be plain HTTP beyond loopback. Whoever is on the way chooses the values.",
    ),
    (
        "danger.vault_plain_http",
        "DANGER: speak plain HTTP to a Vault on another machine. Everyone on the way reads every secret.",
    ),
    ("log.level", "error, warn, info, debug or trace; or a filter such as `info,sqlx=warn`."),
    ("log.json", "One JSON object a line."),
];

impl Settings {
    /// Reads the file (if any) and the environment.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = config::Config::builder();
        if let Some(file) = file {
            builder =
                builder.add_source(config::File::from(file).format(config::FileFormat::Toml).required(true));
        }
        let environment = config::Environment::with_prefix("ASSAY")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .source(Some(settings_environment(std::env::vars())));
        let settings: Settings =
            builder.add_source(environment).build().and_then(config::Config::try_deserialize).with_context(
                || match file {
                    Some(file) => format!("the configuration {}", file.display()),
                    None => "the configuration".to_owned(),
                },
            )?;
        settings.check()?;
        Ok(settings)
    }

    /// What types do not say.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            matches!(self.token.algorithm.as_str(), "ES256" | "ES384"),
            "token.algorithm is {:?}; expected ES256 or ES384",
            self.token.algorithm
        );
        let ranges: [(&str, i64, i64, i64); 6] = [
            ("token.lifetime_seconds", self.token.lifetime_seconds, 10, 86_400),
            ("token.rotate_days", self.token.rotate_days, 1, 3650),
            ("limits.session_seconds", self.limits.session_seconds, 10, 86_400),
            ("limits.challenge_response_seconds", self.limits.challenge_response_seconds, 10, 86_400),
            (
                "limits.challenge_response_sessions",
                i64::try_from(self.limits.challenge_response_sessions)?,
                1,
                1_000_000,
            ),
            ("limits.body_bytes", i64::try_from(self.limits.body_bytes)?, 1024, 64 << 20),
        ];
        for (key, found, least, most) in ranges {
            anyhow::ensure!((least..=most).contains(&found), "{key} is {found}; expected {least} to {most}");
        }
        anyhow::ensure!(
            self.tee.cca.verifier == CcaVerifierKind::Native || self.tee.cca.veraison_url.is_some(),
            "tee.cca.verifier is veraison; then tee.cca.veraison_url is needed"
        );
        self.store.check()?;
        self.access.check()?;
        self.attestation.check(self.danger.plaintext_attestation_service)?;
        self.collateral.check()?;
        self.telemetry.check(self.danger.telemetry_plain_http)?;
        assay_telemetry::Guard::check_filter(&self.log.level).context("log.level")?;
        self.reference_values.check(self.danger.plaintext_reference_values)?;
        self.rvps.check()?;
        self.vault.check()?;
        self.resources.check(self.vault.address.is_some())?;
        anyhow::ensure!(!self.snp.allowed_vmpl.is_empty(), "snp.allowed_vmpl is empty: no report could pass");
        Ok(())
    }

    /// The configuration as a TOML file with every key and its meaning.
    pub(crate) fn documented(&self) -> anyhow::Result<String> {
        let tree = serde_json::to_value(self)?;
        let mut out = String::new();
        let mut section = "";
        for (key, meaning) in KEYS.into_iter().flatten() {
            let (head, name) = key.rsplit_once('.').unwrap_or(("", key));
            if head != section {
                section = head;
                out.push_str(&format!("\n[{head}]\n"));
            }
            let hot = if crate::reload::is_hot(key) {
                "\n# a change takes effect while the server runs"
            } else {
                ""
            };
            let value = tree.pointer(&format!("/{}", key.replace('.', "/"))).cloned().unwrap_or_default();
            out.push_str(&format!("# {meaning}\n# environment: {}{hot}\n", environment_name(key)));
            match toml::Value::try_from(&value) {
                Ok(value) => out.push_str(&format!("{name} = {value}\n")),
                Err(_) => out.push_str(&format!("# {name} =\n")),
            }
        }
        Ok(out.trim_start().to_owned())
    }
}

fn environment_name(key: &str) -> String {
    format!("ASSAY_{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Only variables with a section in their name are settings; `ASSAY_URL`, say, belongs to commands.
fn settings_environment(vars: impl Iterator<Item = (String, String)>) -> config::Map<String, String> {
    vars.filter(|(name, _)| name.starts_with("ASSAY_") && name.contains("__")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(path: &str, tree: &serde_json::Value) -> Vec<String> {
        match tree.as_object() {
            // A map that the file may fill is a leaf.
            Some(members) if !members.is_empty() => {
                members.iter().flat_map(|(name, value)| leaves(&format!("{path}.{name}"), value)).collect()
            }
            _ => vec![path.trim_start_matches('.').to_owned()],
        }
    }

    #[test]
    fn every_key_is_documented_and_no_other() {
        let tree = serde_json::to_value(Settings::default()).unwrap();
        let mut found: Vec<String> = leaves("", &tree);
        let mut documented: Vec<String> =
            KEYS.into_iter().flatten().map(|(key, _)| (*key).to_owned()).collect();
        found.sort();
        documented.sort();
        assert_eq!(found, documented);
    }

    #[test]
    fn the_documented_defaults_read_back_as_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("assay.toml");
        std::fs::write(&file, Settings::default().documented().unwrap()).unwrap();
        assert_eq!(Settings::load(Some(&file)).unwrap(), Settings::default());
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("assay.toml");
        for (text, part) in [
            ("[server]\nlistn = \"127.0.0.1:1\"", "listn"),
            ("[nonsense]\na = 1", "nonsense"),
            ("[token]\nalgorithm = \"none\"", "token.algorithm"),
            ("[token]\nlifetime_seconds = 1", "token.lifetime_seconds"),
            ("[access]\naudience = \"\"", "access.audience"),
            ("[snp]\nallowed_vmpl = []", "allowed_vmpl"),
            ("[collateral]\nintel_service = \"pccs\"", "collateral.intel_url"),
            ("[collateral]\nintel_service = \"other\"", "other"),
            ("[tee.cca]\nverifier = \"veraison\"", "tee.cca.veraison_url"),
            ("[reference_values]\naddress = \"http://rvps\"", "reference_values: address"),
            ("[rvps]\nlisten = \"0.0.0.0:1\"", "rvps.listen"),
            ("[tee.cca]\nverifier = \"other\"", "other"),
            ("[tee.tdx]\nverifier = \"native\"", "tdx"),
            ("[attestation]\naddress = \"http://192.0.2.1:1\"\ntrusted_keys = \"a\"", "loopback"),
            ("[attestation]\naddress = \"http://127.0.0.1:1\"", "trusted_keys"),
            ("[attestation]\ntees = [\"abacus\"]", "abacus"),
            ("[attestation]\ndeadline_seconds = 0", "attestation.deadline_seconds"),
            ("[server]\nlisten = 5", "listen"),
            ("[telemetry]\nsample_ratio = 1.5", "telemetry.sample_ratio"),
            ("[telemetry]\notlp_endpoint = \"http://192.0.2.1:4317\"", "telemetry.otlp_endpoint"),
            ("[telemetry]\notlp_endpoint = \"https://collector\"", "telemetry.otlp_endpoint"),
            ("[log]\nlevel = \"a=b=c\"", "log.level"),
            ("[resources]\nbackend = \"vault\"", "vault.address"),
            ("[vault]\naddress = \"https://vault.example\"", "vault.token_file"),
            ("[resources.by_repository]\nTeam-A = \"s3\"", "s3"),
            ("=", "TOML"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = format!("{:#}", Settings::load(Some(&file)).unwrap_err());
            assert!(error.contains(part), "{text:?}: {error}");
        }
        assert!(Settings::load(Some(Path::new("/nonexistent/assay.toml"))).is_err());
    }
}
