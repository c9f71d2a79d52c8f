//! The search for a provider, in words for an operator.

use std::io;

use super::{ROOT, Tsm, TsmOptions};
use crate::{AttesterError, Host, Probe};

/// Looks for configfs-tsm with this provider, and records what was found.
pub fn search(host: &Host, options: TsmOptions, provider: &str, probe: &mut Probe) -> Option<Tsm> {
    let looked_for = format!("{ROOT} with the provider {provider}");
    let mut tsm = match Tsm::open(host, options) {
        Ok(tsm) => tsm,
        Err(why) => {
            probe.step(looked_for, false, why);
            return None;
        }
    };
    let (found, detail) = match tsm.provider() {
        Ok(name) if name == provider => (true, format!("provider {name}")),
        Ok(name) => (false, format!("the provider is {name:?}: this guest is of another TEE")),
        Err(AttesterError::Device { action: "making", source, .. }) => (false, not_made(&source)),
        Err(error) => (false, error.to_string()),
    };
    probe.step(looked_for, found, detail).then_some(tsm)
}

/// Why there is no directory for entries.
pub(super) fn absent(host: &Host, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if !host.path("/sys/kernel/config").exists() => {
            "not there, nor is /sys/kernel/config: the kernel has no configfs, or /sys is not mounted here"
                .to_owned()
        }
        io::ErrorKind::NotFound if !is_mounted(host) => {
            "not there: configfs is not mounted at /sys/kernel/config (mount -t configfs none /sys/kernel/config)"
                .to_owned()
        }
        io::ErrorKind::NotFound => {
            "not there: the kernel has no configfs-tsm (Linux 6.7, CONFIG_TSM_REPORTS), or its module is not loaded"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: reading the directory takes root, and in a container the mount".to_owned()
        }
        _ => format!("it cannot be read: {error}"),
    }
}

/// Whether anything is in the directory that configfs is mounted at.
fn is_mounted(host: &Host) -> bool {
    std::fs::read_dir(host.path("/sys/kernel/config")).is_ok_and(|mut entries| entries.next().is_some())
}

/// Why no entry can be made in it.
fn not_made(error: &io::Error) -> String {
    // No provider is registered: mkdir gives ENXIO.
    if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) {
        return "it is there, but no provider: the guest driver of the TEE is not loaded, or this is no guest of one"
            .to_owned();
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "it is there, but permission is denied to make an entry: that takes root and a mount that is writable"
                .to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "it is there, but mounted read-only: no entry can be made".to_owned()
        }
        _ => format!("it is there, but no entry can be made: {error}"),
    }
}
