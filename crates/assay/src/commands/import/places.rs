//! Where each kind of data is stored, by Trustee's configuration.

use std::path::{Path, PathBuf};

use assay_store::foreign::trustee::{Namespace, Place, PostgresPlace};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::mapping::Documents;
use super::rules::Service;

/// Where Trustee stores when nothing is said.
const LOCAL_FS: &str = "/opt/confidential-containers/storage/local_fs";
const LOCAL_JSON: &str = "/opt/confidential-containers/storage/local_json";
const REPOSITORY: &str = "/opt/confidential-containers/kbs/repository";

/// How the places that the configuration names are reached from here.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// What stands before absolute paths: where the container's or host's file tree is.
    pub(super) root: Option<PathBuf>,
    pub(super) postgres_password: Option<Zeroizing<String>>,
    pub(super) postgres_root_certificate: Option<PathBuf>,
}

/// Where something is stored.
#[derive(Debug)]
pub(super) enum Found {
    At(Place),
    /// Nowhere that can be read: why, and what to do.
    Lost {
        reason: String,
        instead: &'static str,
    },
    /// Somewhere else, where it stays.
    Stays(String),
}

impl Documents {
    /// Where the entries of the namespace are.
    pub(super) fn place(&self, namespace: Namespace, reach: &Reach) -> Found {
        match namespace {
            Namespace::Resources => self.resources(reach),
            Namespace::KeyBroker => place(self.kbs.get("storage_backend"), None, reach),
            Namespace::AttestationPolicies => match self.of_the_attestation_service() {
                Ok((tree, _)) => place(tree.get("storage_backend"), None, reach),
                Err(lost) => *lost,
            },
            Namespace::ReferenceValues => self.reference_values(reach),
        }
    }

    fn resources(&self, reach: &Reach) -> Found {
        let plugins = self.kbs.get("plugins").and_then(Value::as_array);
        let resource =
            plugins.and_then(|plugins| plugins.iter().find(|p| p.get("name") == Some(&json!("resource"))));
        let text = |name: &str| resource.and_then(|plugin| plugin.get(name)).and_then(Value::as_str);
        let Some(kind) = text("storage_backend_type").or_else(|| text("type")) else {
            return place(self.kbs.get("storage_backend"), None, reach);
        };
        match kind.to_ascii_lowercase().as_str() {
            "kvstorage" => place(self.kbs.get("storage_backend"), None, reach),
            "localfs" => Found::At(Place::Repository(reach.path(text("dir_path").unwrap_or(REPOSITORY)))),
            _ => Found::Stays(format!("they are in {kind}, where they stay")),
        }
    }

    /// The configuration that the attestation service has, and what its `rvps_config` is.
    fn of_the_attestation_service(&self) -> Result<(&Value, Option<&Value>), Box<Found>> {
        match (&self.attestation_service, self.service()) {
            (Some(tree), _) => Ok((tree, tree.get("rvps_config"))),
            (None, Service::Builtin) => Ok((&self.kbs, self.kbs.pointer("/attestation_service/rvps_config"))),
            (None, Service::IntelTrustAuthority) => {
                Err(Box::new(Found::Stays("Intel's service has them".to_owned())))
            }
            (None, _) => Err(Box::new(Found::Lost {
                reason: "the attestation service is another program, which stores them itself".to_owned(),
                instead: "give its configuration file too: --as-config",
            })),
        }
    }

    fn reference_values(&self, reach: &Reach) -> Found {
        if let Some(tree) = &self.rvps {
            return place(tree.get("storage_backend"), None, reach);
        }
        let (tree, rvps) = match self.of_the_attestation_service() {
            Ok(found) => found,
            Err(lost) => return *lost,
        };
        let text = |name: &str| rvps.and_then(|rvps| rvps.get(name)).and_then(Value::as_str);
        if text("type") == Some("GrpcRemote") {
            return Found::Lost {
                reason: "the RVPS is another program, which stores them itself".to_owned(),
                instead: "give its configuration file too: --rvps-config",
            };
        }
        place(tree.get("storage_backend"), text("storage_type"), reach)
    }
}

impl Reach {
    fn path(&self, path: &str) -> PathBuf {
        let path = Path::new(path);
        match &self.root {
            // An absolute path would stand for itself.
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }
}

/// The place that a section `storage_backend` names; `instead` is the type that another key wants.
fn place(storage: Option<&Value>, instead: Option<&str>, reach: &Reach) -> Found {
    let member = |path: &str| storage.and_then(|storage| storage.pointer(path));
    let text = |path: &str| member(path).and_then(Value::as_str);
    let kind = instead.or_else(|| text("/storage_type")).unwrap_or("Memory");
    match kind.replace('_', "").to_ascii_lowercase().as_str() {
        "localfs" => {
            let folder = text("/backends/local_fs/dir_path").unwrap_or(LOCAL_FS);
            Found::At(Place::LocalFs(reach.path(folder)))
        }
        "localjson" => {
            let folder = text("/backends/local_json/file_dir_path").unwrap_or(LOCAL_JSON);
            Found::At(Place::LocalJson(reach.path(folder)))
        }
        "postgres" => {
            let port = match member("/backends/postgres/port").map(|port| (port, port.as_u64())) {
                None => 5432,
                Some((port, number)) => match number.map(u16::try_from) {
                    Some(Ok(number)) => number,
                    _ => {
                        return Found::Lost {
                            reason: format!("{port} is not a port"),
                            instead: "mend storage_backend.backends.postgres.port",
                        };
                    }
                },
            };
            let own = |path: &str, default: &str| text(path).unwrap_or(default).to_owned();
            let password = text("/backends/postgres/password").map(|p| Zeroizing::new(p.to_owned()));
            Found::At(Place::Postgres(PostgresPlace {
                host: own("/backends/postgres/host", "localhost"),
                port,
                database: own("/backends/postgres/db", "postgres"),
                user: own("/backends/postgres/username", "postgres"),
                password: reach.postgres_password.clone().or(password),
                root_certificate: reach.postgres_root_certificate.clone(),
            }))
        }
        "memory" => Found::Lost {
            reason: "they are in the memory of Trustee's process, and end with it".to_owned(),
            instead: "set them anew: `assay resource set`, `assay policy set`, `assay reference-value set`",
        },
        "redis" => Found::Lost {
            reason: "Redis is not read here".to_owned(),
            instead: "have Trustee copy to LocalFs, a file for each key of the namespace; or set them anew",
        },
        _ => Found::Lost {
            reason: format!("there is no storage type {kind:?}"),
            instead: "mend storage_type: Memory, LocalFs, LocalJson, Postgres or Redis",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(documents: &Documents, namespace: Namespace, reach: &Reach) -> String {
        match documents.place(namespace, reach) {
            Found::At(place) => place.to_string(),
            Found::Lost { reason, instead } => format!("lost: {reason}; {instead}"),
            Found::Stays(why) => format!("stays: {why}"),
        }
    }

    fn all(documents: &Documents, reach: &Reach) -> [String; 4] {
        [
            Namespace::Resources,
            Namespace::KeyBroker,
            Namespace::AttestationPolicies,
            Namespace::ReferenceValues,
        ]
        .map(|namespace| found(documents, namespace, reach))
    }

    fn kbs(tree: Value) -> Documents {
        Documents { kbs: tree, attestation_service: None, rvps: None }
    }

    #[test]
    fn all_in_one() {
        let documents = kbs(json!({
            "attestation_service": { "type": "coco_as_builtin" },
            "storage_backend": { "storage_type": "LocalFs", "backends": { "local_fs": { "dir_path": "/data" } } },
        }));
        assert_eq!(all(&documents, &Reach::default()), ["LocalFs /data"; 4].map(str::to_owned));
        let reach = Reach { root: Some("/mnt".into()), ..Reach::default() };
        assert_eq!(all(&documents, &reach), ["LocalFs /mnt/data"; 4].map(str::to_owned));
    }

    #[test]
    fn parts_of_their_own_need_their_files() {
        let mut documents = kbs(json!({
            "attestation_service": { "type": "coco_as_grpc" },
            "storage_backend": { "storage_type": "local_json" },
        }));
        let [resources, broker, policies, values] = all(&documents, &Reach::default());
        assert_eq!(resources, format!("LocalJson {LOCAL_JSON}"));
        assert_eq!(broker, resources);
        assert!(policies.contains("--as-config") && values.contains("--as-config"), "{policies} {values}");
        documents.attestation_service = Some(json!({
            "rvps_config": { "type": "GrpcRemote" },
            "storage_backend": { "storage_type": "LocalFs" },
        }));
        let [.., policies, values] = all(&documents, &Reach::default());
        assert_eq!(policies, format!("LocalFs {LOCAL_FS}"));
        assert!(values.contains("--rvps-config"), "{values}");
        documents.rvps = Some(json!({ "storage_backend": { "storage_type": "Redis" } }));
        assert!(all(&documents, &Reach::default())[3].contains("Redis"));
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        for (storage, part) in [
            (json!({}), "memory"),
            (json!({ "storage_type": "Memory" }), "memory"),
            (json!({ "storage_type": "Redis" }), "Redis"),
            (json!({ "storage_type": "Floppy" }), "Floppy"),
            (json!({ "storage_type": "Postgres", "backends": { "postgres": { "port": 70_000 } } }), "port"),
        ] {
            let documents = kbs(json!({ "storage_backend": storage }));
            let shown = found(&documents, Namespace::KeyBroker, &Reach::default());
            assert!(shown.starts_with("lost: ") && shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn resources_may_be_elsewhere() {
        let with = |plugin: Value| kbs(json!({ "plugins": [{ "name": "sample" }, plugin] }));
        let at = |plugin: Value| found(&with(plugin), Namespace::Resources, &Reach::default());
        assert!(at(json!({ "name": "resource", "storage_backend_type": "Vault" })).starts_with("stays"));
        assert!(at(json!({ "name": "resource", "storage_backend_type": "kvstorage" })).contains("memory"));
        let older = json!({ "name": "resource", "type": "LocalFs", "dir_path": "/old" });
        assert_eq!(at(older), "LocalFs (before namespaces) /old");
    }

    #[test]
    fn a_database_by_its_keys_and_a_password_by_file() {
        let documents = kbs(json!({ "storage_backend": { "storage_type": "Postgres", "backends": {
            "postgres": { "host": "db", "db": "t", "password": "from the file of Trustee" } } } }));
        let reach = Reach { postgres_password: Some(Zeroizing::new("given".to_owned())), ..Reach::default() };
        for (reach, password) in [(reach, "given"), (Reach::default(), "from the file of Trustee")] {
            let Found::At(Place::Postgres(place)) = documents.place(Namespace::KeyBroker, &reach) else {
                panic!("no database")
            };
            assert_eq!(place.to_string(), "db:5432/t");
            assert_eq!(place.password.unwrap().as_str(), password);
        }
    }
}
