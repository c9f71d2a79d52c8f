//! Trustee's folders, written as Trustee writes them, and the program run on them.

use std::path::{Path, PathBuf};
use std::process::Command;

use assay_store::foreign::trustee::{Namespace, file_name_of};
use assay_store::{KeyEncryptionKey, Store, StoreOptions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value};
use tempfile::TempDir;

/// How Trustee stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    LocalFs,
    LocalJson,
}

/// A Trustee with its configuration and data, and a place for Assay's.
pub(crate) struct Trustee {
    dir: TempDir,
    layout: Layout,
}

impl Trustee {
    /// One that stores in this way, with these lines in its configuration besides.
    pub(crate) fn new(layout: Layout, lines: &str) -> Trustee {
        let trustee = Trustee { dir: tempfile::tempdir().unwrap(), layout };
        std::fs::create_dir(trustee.file("stored")).unwrap();
        let stored = trustee.file("stored");
        let (kind, place) = match layout {
            Layout::LocalFs => ("LocalFs", format!("local_fs = {{ dir_path = {stored:?} }}")),
            Layout::LocalJson => ("LocalJson", format!("local_json = {{ file_dir_path = {stored:?} }}")),
        };
        let text = format!(
            "{lines}\n[storage_backend]\nstorage_type = \"{kind}\"\n[storage_backend.backends]\n{place}\n\
             [[plugins]]\nname = \"resource\"\nstorage_backend_type = \"kvstorage\"\n"
        );
        std::fs::write(trustee.file("kbs-config.toml"), text).unwrap();
        trustee
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Stores a value as Trustee does.
    pub(crate) fn store(&self, namespace: Namespace, key: &str, value: &[u8]) {
        let place = self.file("stored").join(namespace.as_str());
        match self.layout {
            Layout::LocalFs => {
                std::fs::create_dir_all(&place).unwrap();
                std::fs::write(place.join(file_name_of(key)), value).unwrap();
            }
            Layout::LocalJson => {
                let place = place.with_extension("json");
                let mut values: Map<String, Value> = std::fs::read(&place)
                    .map(|text| serde_json::from_slice(&text).unwrap())
                    .unwrap_or_default();
                values.insert(key.to_owned(), URL_SAFE.encode(value).into());
                std::fs::write(place, serde_json::to_vec(&values).unwrap()).unwrap();
            }
        }
    }

    pub(crate) fn reference_value(&self, name: &str, value: &str, expiration: &str) {
        let text = format!(
            r#"{{"version":"0.1.0","name":{},"expiration":"{expiration}","value":{value}}}"#,
            Value::from(name)
        );
        self.store(Namespace::ReferenceValues, name, text.as_bytes());
    }

    /// Runs `assay import trustee --config … --json`: its exit code and the report, or what it said.
    pub(crate) fn import(&self, arguments: &[&str]) -> (i32, Value) {
        let output = Command::new(Path::new(env!("CARGO_BIN_EXE_assay")))
            .args(["--json", "import", "trustee", "--config"])
            .arg(self.file("kbs-config.toml"))
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::from(said));
        (output.status.code().unwrap(), report)
    }

    /// Imports into the data directory.
    pub(crate) fn import_into_data(&self) -> (i32, Value) {
        self.import(&["--data-dir", "data"])
    }

    /// The store in the data directory.
    pub(crate) async fn assay(&self) -> Store {
        let data = self.file("data");
        let key = KeyEncryptionKey::load_or_create(&data.join("key-encryption-key")).unwrap();
        let options = StoreOptions { database: data.join("assay.db"), key_encryption_key: key };
        Store::open(options).await.unwrap()
    }
}

/// What became of the things of a kind: name and outcome.
pub(crate) fn outcomes(report: &Value, kind: &str) -> Vec<(String, String)> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = of_kind(report, kind)["items"].as_array().unwrap();
    items.iter().map(|item| (text(item, "name"), text(item, "outcome"))).collect()
}

pub(crate) fn of_kind<'a>(report: &'a Value, kind: &str) -> &'a Value {
    let kinds = report["kinds"].as_array().unwrap_or_else(|| panic!("{report}"));
    kinds.iter().find(|found| found["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {report}"))
}
