//! A site: a folder with a configuration and a data directory, and the program run on it.

use std::path::Path;
use std::process::Command;

use assay_emulator::{Emulator, Seed};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use tempfile::TempDir;

/// The emulated Intel's seed.
pub(crate) const SEED: &str = "0101010101010101010101010101010101010101010101010101010101010101";

pub(crate) struct Site(TempDir);

impl Site {
    /// A site that trusts the emulator, with these lines in `[collateral]`.
    pub(crate) fn new(collateral: &str) -> Site {
        let site = Site(tempfile::tempdir().unwrap());
        let anchors = Emulator::new(Seed::from_hex(SEED).unwrap()).anchors();
        std::fs::write(site.file("anchors.json"), serde_json::to_vec(&anchors).unwrap()).unwrap();
        site.configure(collateral);
        site
    }

    pub(crate) fn configure(&self, collateral: &str) {
        let text = format!(
            "[server]\ndata_dir = {:?}\n[danger]\ntrust_emulator = {:?}\n[collateral]\n{collateral}\n",
            self.file("data"),
            self.file("anchors.json"),
        );
        std::fs::write(self.file("assay.toml"), text).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs `assay collateral … --json --config …`: its exit code and what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let output = Command::new(Path::new(env!("CARGO_BIN_EXE_assay")))
            .args(["--json", "collateral"])
            .args(arguments)
            .args(["--config", &self.file("assay.toml")])
            .output()
            .unwrap();
        let printed = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&output.stderr).into_owned()));
        (output.status.code().unwrap(), printed)
    }
}

/// The files of a new key: the private half in PKCS#8, the public half; both PEM.
pub(crate) fn key_pair(site: &Site) -> (String, String) {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let private = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref()).unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let write = |name: &str, label: &str, der: &[u8]| {
        let body = BASE64_STANDARD.encode(der);
        let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        std::fs::write(site.file(name), text).unwrap();
        site.file(name)
    };
    (write("key.pem", "PRIVATE KEY", private.as_ref()), write("public.pem", "PUBLIC KEY", public.as_ref()))
}
