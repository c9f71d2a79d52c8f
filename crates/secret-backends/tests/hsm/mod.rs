//! A throw-away SoftHSM: a token in a folder of its own, and a process whose environment names it.
//!
//! SoftHSM reads the environment once, when the module is initialised, and a process cannot change its own
//! environment safely. So each test runs itself again as a child with the variable set.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Where distributions put the module.
const MODULES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];

/// Names the folder to the child.
const FOLDER: &str = "ASSAY_TEST_SOFTHSM";

pub const LABEL: &str = "assay test";
pub const PIN: &str = "27 18 28";

pub struct Hsm {
    pub module: PathBuf,
    pub folder: PathBuf,
    pub pin_file: PathBuf,
}

fn module() -> Option<PathBuf> {
    MODULES.iter().map(PathBuf::from).find(|module| module.is_file())
}

fn tool(conf: &Path, arguments: &[&str]) -> bool {
    let done = Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", conf).output();
    done.is_ok_and(|done| done.status.success())
}

/// In the child: the token. In the test itself: `None`, after the child has passed, or where there is no
/// SoftHSM.
pub fn token(test: &str) -> Option<Hsm> {
    let Some(module) = module() else {
        println!("skipped: there is no SoftHSM here (Debian: softhsm2)");
        return None;
    };
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        let pin_file = folder.join("pin");
        return Some(Hsm { module, folder, pin_file });
    }
    let folder = TempDir::new().unwrap();
    let (tokens, conf) = (folder.path().join("tokens"), folder.path().join("softhsm2.conf"));
    std::fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(&conf, text).unwrap();
    std::fs::write(folder.path().join("pin"), format!("{PIN}\n")).unwrap();
    if !tool(
        &conf,
        &["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "so pin of the test"],
    ) {
        println!("skipped: softhsm2-util does not make a token here");
        return None;
    }
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env("SOFTHSM2_CONF", &conf)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("1 passed"), "the child failed:\n{said}");
    None
}
