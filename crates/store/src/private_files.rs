//! Files and folders that belong to one user alone.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// The folder that `path` lies in.
pub(crate) fn parent_folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes the folder, and those above it, with mode 0700 when it is not there. One that is there
/// keeps its mode: it is its owner's affair.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// Makes the file with mode 0600, whatever the umask; SQLite gives its log the same mode. Of a file
/// that is there, access for others is taken away.
pub(crate) fn prepare_database(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| not_accessible(path, error);
    let folder = parent_folder(path);
    create_private_folder(&folder).map_err(|e| not_accessible(&folder, e))?;
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let file = match made {
        Ok(file) => {
            File::open(&folder).and_then(|f| f.sync_all()).map_err(failed)?;
            file
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    let status = file.metadata().map_err(failed)?;
    if !status.is_file() {
        return Err(not_accessible(path, "it is not a regular file"));
    }
    if status.permissions().mode() & 0o777 != 0o600 {
        if status.len() > 0 {
            tracing::warn!(path = %path.display(), "the database file was open to others; setting mode 600");
        }
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

fn not_accessible(path: &Path, detail: impl ToString) -> StoreError {
    StoreError::NotAccessible { path: path.to_owned(), detail: detail.to_string() }
}
