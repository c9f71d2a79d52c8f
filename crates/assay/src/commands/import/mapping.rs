//! Trustee's configuration files judged key by key: what Assay's configuration would say.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::document::{self, Leaf};
use super::rules::{self, Context, Service, Verdict};

/// The configuration files of Trustee that were given.
pub(super) struct Documents {
    pub(super) kbs: Value,
    pub(super) attestation_service: Option<Value>,
    pub(super) rvps: Option<Value>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Document {
    Kbs,
    AttestationService,
    Rvps,
}

/// What became of one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct KeyLine {
    pub(super) file: Document,
    /// Its path in the file. Values are not shown: some are secrets.
    pub(super) key: String,
    #[serde(flatten)]
    pub(super) outcome: KeyOutcome,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(super) enum KeyOutcome {
    Taken { to: Vec<&'static str>, note: &'static str },
    Read { note: &'static str },
    NotNeeded { reason: &'static str },
    Refused { reason: String, instead: &'static str },
}

/// What the files say, for Assay.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    pub(super) lines: Vec<KeyLine>,
    pub(super) settings: BTreeMap<&'static str, toml::Value>,
}

impl Documents {
    pub(super) fn read(
        kbs: &Path,
        attestation_service: Option<&Path>,
        rvps: Option<&Path>,
    ) -> anyhow::Result<Self> {
        Ok(Documents {
            kbs: document::read(kbs)?,
            attestation_service: attestation_service.map(document::read).transpose()?,
            rvps: rvps.map(document::read).transpose()?,
        })
    }

    pub(super) fn service(&self) -> Service {
        Service::of(&self.kbs)
    }

    /// Judges every key of every file.
    pub(super) fn map(&self) -> anyhow::Result<Mapping> {
        let mut mapping = Mapping::default();
        let service = self.service();
        mapping.add(Document::Kbs, &self.kbs, service)?;
        if let Some(tree) = &self.attestation_service {
            mapping.add(Document::AttestationService, &as_in_kbs_config(tree), service)?;
        }
        if let Some(tree) = &self.rvps {
            let mut tree = tree.clone();
            // The same as in the others, one level up.
            if let Some(extractors) = tree.as_object_mut().and_then(|tree| tree.remove("extractors")) {
                let config = serde_json::json!({ "rvps_config": { "extractors": extractors } });
                if let Some(tree) = tree.as_object_mut() {
                    tree.insert("attestation_service".into(), config);
                }
            }
            mapping.add(Document::Rvps, &tree, service)?;
        }
        Ok(mapping)
    }
}

/// The configuration of an attestation service, with its keys where `kbs-config.toml` has them.
fn as_in_kbs_config(tree: &Value) -> Value {
    let (mut own, mut shared) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, value) in tree.as_object().into_iter().flatten() {
        if name == "storage_backend" { &mut shared } else { &mut own }.insert(name.clone(), value.clone());
    }
    shared.insert("attestation_service".into(), own.into());
    shared.into()
}

impl Mapping {
    fn add(&mut self, file: Document, tree: &Value, service: Service) -> anyhow::Result<()> {
        for Leaf { path, rule, value, parent } in document::leaves(tree)? {
            let context = Context { service, tree, parent };
            let verdict = rules::judge(&rule, value, &context).unwrap_or_else(|| {
                Verdict::refused(
                    "Trustee has no such key, as far as is known here; it ignores most of those",
                    "see whether it is misspelt; `assay config show` lists the keys that there are",
                )
            });
            let outcome = self.settle(verdict);
            let key = match file {
                Document::Kbs => path,
                Document::AttestationService => without(&path, "attestation_service."),
                Document::Rvps => without(&path, "attestation_service.rvps_config."),
            };
            self.lines.push(KeyLine { file, key, outcome });
        }
        Ok(())
    }

    fn settle(&mut self, verdict: Verdict) -> KeyOutcome {
        match verdict {
            Verdict::Read(note) => KeyOutcome::Read { note },
            Verdict::NotNeeded(reason) => KeyOutcome::NotNeeded { reason },
            Verdict::Refused { reason, instead } => KeyOutcome::Refused { reason, instead },
            Verdict::Taken { settings, note } => {
                let other =
                    settings.iter().find(|(key, value)| self.settings.get(key).is_some_and(|v| v != value));
                if let Some((key, _)) = other {
                    return KeyOutcome::Refused {
                        reason: format!("{key} is another already, by an earlier line"),
                        instead: "decide which of the two holds",
                    };
                }
                let to = settings.iter().map(|(key, _)| *key).collect();
                self.settings.extend(settings);
                KeyOutcome::Taken { to, note }
            }
        }
    }

    /// How many keys were refused.
    pub(super) fn refused(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line.outcome, KeyOutcome::Refused { .. })).count()
    }
}

fn without(path: &str, head: &str) -> String {
    path.strip_prefix(head).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(kbs: &str) -> Documents {
        let kbs = serde_json::to_value(toml::from_str::<toml::Table>(kbs).unwrap()).unwrap();
        Documents { kbs, attestation_service: None, rvps: None }
    }

    fn outcome(mapping: &Mapping, key: &str) -> String {
        let line = mapping.lines.iter().find(|line| line.key == key);
        serde_json::to_value(line.unwrap_or_else(|| panic!("no line for {key}"))).unwrap()["outcome"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_configuration_of_today_key_by_key() {
        let mapping = documents(
            r#"
            session_storage_type = "Redis"
            [http_server]
            sockets = ["0.0.0.0:8443"]
            insecure_http = false
            payload_request_size = 4
            worker_count = 8
            certificate = "/tls/cert.pem"
            private_key = "/tls/key.pem"
            tls_profile = "intermediate"
            tls_ciphers = "X"
            tls_typo = 1
            [admin]
            authorization_mode = "InsecureAllowAll"
            [attestation_token]
            insecure_header_jwk = true
            trusted_certs_paths = ["/ca.pem"]
            [attestation_service]
            type = "coco_as_builtin"
            timeout = 7
            [attestation_service.attestation_token_broker]
            duration_min = 10
            issuer_name = "us"
            verbose_token = false
            signer = { key_path = "/token.key" }
            [attestation_service.rvps_config]
            type = "BuiltIn"
            extractors = { swid_extractor = {} }
            [attestation_service.verifier_config]
            tpm_verifier = {}
            nvidia_verifier = { type = "Local" }
            snp_verifier = { vcek_sources = [{ type = "OfflineStore" }] }
            dcap_verifier = { collateral_service = "https://pccs:8081/sgx/certification/v4/", tcb_update_type = "early" }
            [storage_backend]
            storage_type = "LocalFs"
            [storage_backend.backends.local_fs]
            dir_path = "/data"
            [[plugins]]
            name = "resource"
            storage_backend_type = "kvstorage"
            [[plugins]]
            name = "external"
            backends = [{ name = "x", endpoint = "https://x" }]
            "#,
        )
        .map()
        .unwrap();
        for (key, expected) in [
            ("session_storage_type", "not-needed"),
            ("http_server.sockets", "taken"),
            ("http_server.insecure_http", "not-needed"),
            ("http_server.tls_ciphers", "refused"),
            ("http_server.tls_typo", "refused"),
            ("admin.authorization_mode", "refused"),
            ("attestation_token.insecure_header_jwk", "refused"),
            ("attestation_token.trusted_certs_paths", "not-needed"),
            ("attestation_service.attestation_token_broker.verbose_token", "refused"),
            ("attestation_service.attestation_token_broker.signer.key_path", "refused"),
            ("attestation_service.rvps_config.extractors.swid_extractor", "refused"),
            ("attestation_service.verifier_config.tpm_verifier", "not-needed"),
            ("attestation_service.verifier_config.nvidia_verifier.type", "refused"),
            ("storage_backend.backends.local_fs.dir_path", "read"),
            ("plugins[0].storage_backend_type", "not-needed"),
            ("plugins[1].backends[0].endpoint", "refused"),
        ] {
            assert_eq!(outcome(&mapping, key), expected, "{key}");
        }
        let settings: Vec<String> =
            mapping.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        assert_eq!(
            settings,
            [
                "collateral.amd_kds_url = \"\"",
                "collateral.intel_service = \"pccs\"",
                "collateral.intel_update = \"early\"",
                "collateral.intel_url = \"https://pccs:8081\"",
                "collateral.offline_folder = \"/opt/confidential-containers/attestation-service/kds-store\"",
                "limits.body_bytes = 4194304",
                "limits.session_seconds = 420",
                "server.listen = \"0.0.0.0:8443\"",
                "server.tls_certificate = \"/tls/cert.pem\"",
                "server.tls_key = \"/tls/key.pem\"",
                "token.issuer = \"us\"",
                "token.lifetime_seconds = 600",
            ]
        );
    }

    #[test]
    fn parts_of_their_own_and_vault() {
        let mut documents = documents(
            r#"
            [attestation_service]
            type = "coco_as_grpc"
            as_addr = "https://as:50004"
            pool_size = 100
            [attestation_token]
            trusted_certs_paths = ["/ca.pem"]
            trusted_jwk_sets = ["file:///keys.json"]
            [[plugins]]
            name = "resource"
            storage_backend_type = "Vault"
            vault_url = "https://vault:8200"
            token = "s.secret"
            mount_path = "kv"
            ca_certs = ["/vault.pem"]
            "#,
        );
        documents.attestation_service = Some(serde_json::json!({
            "rvps_config": { "type": "GrpcRemote", "address": "127.0.0.1:50003" },
            "attestation_token_broker": { "duration_min": 5 },
            "work_dir": "/x",
            "storage_backend": { "storage_type": "LocalJson" },
        }));
        documents.rvps = Some(serde_json::json!({
            "storage_backend": { "storage_type": "LocalFs" },
            "extractors": { "swid_extractor": {} },
        }));
        let mapping = documents.map().unwrap();
        let setting = |key: &str| mapping.settings[key].to_string();
        assert_eq!(setting("attestation.address"), "\"https://as:50004\"");
        assert_eq!(setting("attestation.trusted_certificates"), "[\"/ca.pem\"]");
        assert_eq!(setting("attestation.trusted_keys"), "\"/keys.json\"");
        assert_eq!(setting("reference_values.address"), "\"http://127.0.0.1:50003\"");
        assert_eq!(setting("reference_values.protocol"), "\"trustee\"");
        assert_eq!(setting("resources.backend"), "\"vault\"");
        assert_eq!(setting("resources.vault_kv_version"), "1");
        assert_eq!(setting("resources.vault_mount"), "\"kv\"");
        assert_eq!(setting("vault.ca_certificate"), "\"/vault.pem\"");
        assert_eq!(outcome(&mapping, "plugins[0].token"), "refused");
        assert_eq!(outcome(&mapping, "work_dir"), "not-needed");
        assert_eq!(outcome(&mapping, "extractors.swid_extractor"), "refused");
        let shown = serde_json::to_string(&mapping.lines).unwrap();
        assert!(!shown.contains("s.secret"), "{shown}");
    }

    #[test]
    fn two_lines_that_disagree_are_not_settled_silently() {
        let mut documents = documents("[attestation_service.attestation_token_broker]\nduration_min = 5");
        documents.attestation_service =
            Some(serde_json::json!({ "attestation_token_broker": { "duration_min": 6 } }));
        let mapping = documents.map().unwrap();
        assert_eq!(mapping.refused(), 1);
        assert_eq!(mapping.settings["token.lifetime_seconds"].as_integer(), Some(300));
    }

    #[test]
    fn a_value_of_another_type_is_refused_wherever_it_stands() {
        for Rule(pattern, _) in rules::rules().filter(|Rule(pattern, _)| !pattern.ends_with('*')) {
            for value in
                [Value::Null, serde_json::json!(-1), serde_json::json!("\u{1b}[2J"), serde_json::json!([{}])]
            {
                let parent = serde_json::json!({});
                let context = Context { service: Service::Remote, tree: &parent, parent: &parent };
                // Whatever comes of it, something does.
                assert!(rules::judge(pattern, &value, &context).is_some(), "{pattern}");
            }
        }
    }

    use super::rules::Rule;
}
