//! Presenting by FUSE.

use std::path::{Path, PathBuf};

use fuser::{BackgroundSession, Config, MountOption};

use crate::fuse::TsmFileSystem;
use crate::machine::Handle;
use crate::place::{empty_directory, fuse_missing, unmount};
use crate::{SimulatedGuest, SimulatorError};

/// A mounted guest; unmounted when it is dropped. Files of it that are still open then end in errors, and reports
/// that are waited for with EIO.
#[derive(Debug)]
pub struct Mount {
    session: Option<BackgroundSession>,
    handle: Handle,
    dir: PathBuf,
}

/// Mounts the guest's files at `dir`, an empty directory, which is made where it is missing. Only the user who mounts
/// can use them.
///
/// # Errors
/// [`SimulatorError::NoFuse`]; [`SimulatorError::StaleMount`], [`SimulatorError::Leftover`] and
/// [`SimulatorError::NotEmpty`], see [`clear`](crate::clear); [`SimulatorError::File`].
pub fn mount(guest: SimulatedGuest, dir: &Path) -> Result<Mount, SimulatorError> {
    if let Some(error) = fuse_missing() {
        return Err(error);
    }
    let dir = empty_directory(dir)?;
    let handle = Handle::new(guest);
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("assay-tsm".into()),
        MountOption::Subtype("assay-tsm".into()),
        MountOption::NoDev,
        MountOption::NoSuid,
        MountOption::NoExec,
    ];
    let session = fuser::spawn_mount(TsmFileSystem::new(handle.clone()), &dir, &config)
        .map_err(|error| SimulatorError::NoFuse { why: format!("mounting at {}: {error}", dir.display()) })?;
    Ok(Mount { session: Some(session), handle, dir })
}

impl Mount {
    /// The mount point, absolute: the root of the guest's files.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Reaches the guest while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Whether it is still mounted: someone else may unmount it.
    pub fn is_mounted(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.guard.is_finished())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.handle.close();
        let Some(session) = self.session.take() else { return };
        if session.guard.is_finished() {
            return;
        }
        match unmount(&self.dir, false) {
            Ok(()) => {
                if let Err(error) = session.join() {
                    tracing::warn!(%error, "the file system ended with an error");
                }
            }
            // Files are open. The session ends with the last of them; nobody waits for that.
            Err(busy) => {
                if let Err(error) = unmount(&self.dir, true) {
                    tracing::error!(%busy, %error, dir = %self.dir.display(), "unmounting");
                }
            }
        }
    }
}
