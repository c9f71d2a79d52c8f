//! Where the guest's devices stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The guest as attesters see it: a root of files, the environment, how long a device may take.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    environment: BTreeMap<String, String>,
    /// How long a call of a device may take.
    pub device_timeout: Duration,
    /// The privilege level that reports are asked for where the platform has several (VMPL), 0 to 3;
    /// the kernel's own when `None`.
    pub privilege_level: Option<u8>,
    /// The service that reports are asked of besides, such as `svsm`, where the platform has any.
    pub service_provider: Option<String>,
    /// The GUID of one service of that provider; all when `None`.
    pub service_guid: Option<String>,
}

impl Host {
    /// This machine.
    pub fn this_machine() -> Self {
        Host::at("/", std::env::vars().collect())
    }

    /// Files under `root` in the place of `/`, and this environment: for emulated guests and tests.
    pub fn at(root: impl Into<PathBuf>, environment: BTreeMap<String, String>) -> Self {
        Host {
            root: root.into(),
            environment,
            device_timeout: Duration::from_secs(30),
            privilege_level: None,
            service_provider: None,
            service_guid: None,
        }
    }

    /// The file that stands at the absolute path `absolute` of the guest.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(Path::new(absolute.trim_start_matches('/')))
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }
}
