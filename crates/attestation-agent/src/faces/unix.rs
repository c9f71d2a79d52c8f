//! A Unix socket that is nobody's but its owner's from the first moment, and is never taken from another.
//!
//! `bind` gives a socket the permissions that the process's umask leaves, and only a later `chmod` those
//! that are wanted. So the socket is made in a directory of its own (mode 0700) beside its place, gets its
//! permissions and owner there, where nobody else comes, and is then renamed into its place.
//!
//! Agents that bind the same path take turns by a lock on a file beside it, `.<name>.lock`. It is the
//! agent's own and nobody else can open it, so nobody else can hold it: a lock on the directory itself
//! could be held by anyone who may read that. The file stays: were it removed, one agent could hold the
//! lock of a file that the next does not find.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};

use super::ListenError;

/// How long to wait for another agent that is binding the same path, and for a socket's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The permissions of directories that are made.
const DIRECTORY_MODE: u32 = 0o755;

/// The permissions of the lock's file.
const LOCK_MODE: u32 = 0o600;

/// A socket's place. Dropped, it removes the socket, if it is still this one.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = identity(&self.path).is_ok_and(|found| found == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket cannot be removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn system(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ListenError {
    let what = path.display().to_string();
    move |error| ListenError::System { action, what, error }
}

/// Makes the socket. Its directory is made when missing; a socket that nobody serves is replaced.
///
/// # Errors
/// [`ListenError`]; nothing is changed at the path then.
pub(crate) async fn bind(
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(UnixListener, SocketFile), ListenError> {
    if mode & !0o777 != 0 {
        return Err(ListenError::Mode { path: path.to_owned(), mode });
    }
    // A longer path than an address holds could be made by renaming, but nobody could connect to it.
    SocketAddr::from_pathname(path).map_err(system("bind", path))?;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(system("bind", path)(io::ErrorKind::InvalidFilename.into()));
    };
    make_directories(directory).map_err(system("make the directory", directory))?;
    // One agent at a time: or else two could both find the same stale socket and replace each other's.
    let mut lock_name = OsString::from(".");
    lock_name.push(name);
    lock_name.push(".lock");
    let _lock = lock(&directory.join(lock_name)).await?;
    refuse_what_is_there(path).await?;
    let private =
        PrivateDirectory::beside(path, directory).map_err(system("make a directory in", directory))?;
    let made = private.0.join("s");
    let listener = UnixListener::bind(&made).map_err(system("bind", path))?;
    fs::set_permissions(&made, Permissions::from_mode(mode)).map_err(system("set the mode of", path))?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::chown(&made, Some(uid), Some(gid)).map_err(system("set the owner of", path))?;
    }
    let identity = identity(&made).map_err(system("look at", path))?;
    fs::rename(&made, path).map_err(system("put in place", path))?;
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

fn make_directories(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            // What the umask took away.
            Ok(()) => fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens the lock's file, or makes it: a file of ours, mode 0600.
fn lock_file(path: &Path) -> io::Result<File> {
    // No link is followed, and nothing is waited for: whoever may write here could have put anything.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    let metadata = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    if !metadata.is_file() || metadata.uid() != own {
        let kind = if metadata.is_file() { "a file" } else { "no file" };
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "it is to be a file of user id {own}, and is {kind} of user id {}; remove it",
                metadata.uid()
            ),
        ));
    }
    if metadata.mode() & 0o7777 != LOCK_MODE {
        file.set_permissions(Permissions::from_mode(LOCK_MODE))?;
    }
    Ok(file)
}

async fn lock(path: &Path) -> Result<File, ListenError> {
    let file = lock_file(path).map_err(system("open", path))?;
    let locked = async {
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                result => return result,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, locked).await {
        Ok(result) => result.map_err(|error| system("lock", path)(error.into()))?,
        Err(_) => return Err(system("lock", path)(io::ErrorKind::TimedOut.into())),
    }
    Ok(file)
}

/// Only a socket that refuses connections is stale. Whatever else is there stays.
async fn refuse_what_is_there(path: &Path) -> Result<(), ListenError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system("look at", path)(error)),
        Ok(metadata) => metadata.file_type(),
    };
    if !metadata.is_socket() {
        let found = if metadata.is_dir() {
            "a directory"
        } else if metadata.is_symlink() {
            "a symbolic link"
        } else if metadata.is_file() {
            "a file"
        } else {
            "a device or pipe"
        };
        return Err(ListenError::NotASocket { path: path.to_owned(), found });
    }
    let live = || ListenError::Live { path: path.to_owned() };
    match tokio::time::timeout(PATIENCE, UnixStream::connect(path)).await {
        Err(_) | Ok(Ok(_)) => Err(live()),
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(()),
            // Its queue is full: somebody listens.
            io::ErrorKind::WouldBlock => Err(live()),
            _ => Err(system("connect to", path)(error)),
        },
    }
}

/// A directory that only its maker may enter; removed when dropped.
struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    fn beside(path: &Path, directory: &Path) -> io::Result<Self> {
        let mut last = io::ErrorKind::AlreadyExists.into();
        // Another socket of this process, or what a killed agent left behind, can stand in the way.
        for number in 0..16_u8 {
            let made = directory.join(format!(".{:x}.{number:x}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&made) {
                Ok(()) => return Ok(PrivateDirectory(made)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(path = %path.display(), "directories of earlier agents are left beside the socket");
        Err(last)
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // The socket in it, where the work stopped half-way; after the rename there is none.
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}
