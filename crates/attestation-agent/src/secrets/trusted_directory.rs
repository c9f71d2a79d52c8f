//! The directory of a secret, opened step by step so that nobody else can lead the way elsewhere.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::file_error::SecretFileError;

/// What `statfs` says of tmpfs and of ramfs (linux/magic.h).
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// The most links on the way, as the kernel has it.
const MAX_LINKS: usize = 40;

/// A directory on the way must be there, or may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is made, with mode 0700.
    Make,
    /// It is not made.
    Leave,
}

/// The directory `path` (absolute), or `None` where it is missing and left so. Each directory on the way, and
/// each link, belongs to root or to the agent's user; where others may write, the sticky bit keeps them from
/// what is not theirs, and then the last directory is the agent's own. `path` itself is no link. Unless
/// `allow_disk` it is in memory.
///
/// # Errors
/// [`SecretFileError::Untrusted`], [`SecretFileError::OnDisk`], [`SecretFileError::NoSpace`],
/// [`SecretFileError::System`].
pub(super) fn open(
    path: &Path,
    missing: Missing,
    allow_disk: bool,
) -> Result<Option<OwnedFd>, SecretFileError> {
    let Some(walk) = Walk::new(path, missing, allow_disk)?.finish()? else { return Ok(None) };
    // The way was gone without the right to read; here the directory itself is needed.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(&walk.here, ".", flags, Mode::empty())
        .map_err(|errno| system("opening the directory", path, errno))?;
    in_memory(&directory, path, allow_disk)?;
    Ok(Some(directory))
}

/// A walk from the root directory.
struct Walk {
    here: OwnedFd,
    /// Where that is, for people.
    at: PathBuf,
    /// What is still to be gone, the next one last.
    ahead: Vec<OsString>,
    links: usize,
    /// Whether others may write into one of the directories so far.
    shared: bool,
    user: u32,
    missing: Missing,
    allow_disk: bool,
}

impl Walk {
    fn new(path: &Path, missing: Missing, allow_disk: bool) -> Result<Self, SecretFileError> {
        let mut walk = Walk {
            here: open_root()?,
            at: PathBuf::from("/"),
            ahead: Vec::new(),
            links: 0,
            shared: false,
            user: rustix::process::geteuid().as_raw(),
            missing,
            allow_disk,
        };
        walk.go_first(path);
        Ok(walk)
    }

    /// Puts the parts of `path` before what is still ahead.
    fn go_first(&mut self, path: &Path) {
        let parts = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        });
        let parts: Vec<_> = parts.collect();
        self.ahead.extend(parts.into_iter().rev());
    }

    fn finish(mut self) -> Result<Option<Self>, SecretFileError> {
        self.check_directory(&stat(&self.here, &self.at)?)?;
        while let Some(name) = self.ahead.pop() {
            let Some(next) = self.step(&name)? else { return Ok(None) };
            let found = stat(&next, &self.at.join(&name))?;
            if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
                self.follow(&next, &found, &name)?;
                continue;
            }
            self.here = next;
            if name == ".." {
                self.at.pop();
            } else {
                self.at.push(&name);
            }
            self.check_directory(&found)?;
        }
        Ok(Some(self))
    }

    /// Opens the next one, a link itself where it is one; makes it where it is missing and to be made.
    fn step(&self, name: &OsStr) -> Result<Option<OwnedFd>, SecretFileError> {
        let path = self.at.join(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(&self.here, name, flags, Mode::empty());
        match open() {
            Ok(next) => return Ok(Some(next)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(system("opening the directory", &path, errno)),
        }
        if self.missing == Missing::Leave {
            return Ok(None);
        }
        // Before anything is made on a disk.
        in_memory(&self.here, &self.at, self.allow_disk)?;
        let made = match rustix::fs::mkdirat(&self.here, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(Errno::NOSPC | Errno::DQUOT) => {
                return Err(SecretFileError::NoSpace { path: shown(&path), bytes: 0 });
            }
            Err(errno) => return Err(system("making the directory", &path, errno)),
        };
        let next = open().map_err(|errno| system("opening the directory", &path, errno))?;
        if made {
            self.check_made(&next, name)?;
        }
        Ok(Some(next))
    }

    /// Goes where a link leads that nobody else can have put there, but not as the last step.
    fn follow(&mut self, link: &OwnedFd, found: &Stat, name: &OsStr) -> Result<(), SecretFileError> {
        let path = self.at.join(name);
        let untrusted =
            |why: &str| SecretFileError::Untrusted { directory: shown(&path), why: why.to_owned() };
        if self.ahead.is_empty() {
            return Err(untrusted("it is a link; name the directory that it leads to"));
        }
        self.check_owner(found, &path)?;
        self.links = self.links.saturating_add(1);
        if self.links > MAX_LINKS {
            return Err(untrusted("it is one of too many links on the way"));
        }
        let target = rustix::fs::readlinkat(link, "", Vec::new())
            .map_err(|errno| system("reading the link", &path, errno))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            self.here = open_root()?;
            self.at = PathBuf::from("/");
        }
        self.go_first(&target);
        Ok(())
    }

    fn check_owner(&self, found: &Stat, path: &Path) -> Result<(), SecretFileError> {
        let (owner, user) = (found.st_uid, self.user);
        if owner == 0 || owner == user {
            return Ok(());
        }
        let why = format!("it belongs to the user {owner}, not to root or the agent's user ({user})");
        Err(SecretFileError::Untrusted { directory: shown(path), why })
    }

    /// Checks what was just entered.
    fn check_directory(&mut self, found: &Stat) -> Result<(), SecretFileError> {
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            return Err(system("opening the directory", &self.at, Errno::NOTDIR));
        }
        self.check_owner(found, &self.at)?;
        let mode = found.st_mode & 0o7777;
        let untrusted = |why| Err(SecretFileError::Untrusted { directory: shown(&self.at), why });
        if mode & 0o022 != 0 {
            if mode & 0o1000 == 0 {
                return untrusted(format!("others may write there (mode {mode:04o}); chmod go-w"));
            }
            self.shared = true;
        }
        if self.ahead.is_empty() && self.shared && found.st_uid != self.user {
            let user = self.user;
            return untrusted(format!(
                "others may write there or above it; let the last directory belong to the agent's user ({user})"
            ));
        }
        Ok(())
    }

    /// A directory that was just made is ours and has the mode that it was made with.
    fn check_made(&self, next: &OwnedFd, name: &OsStr) -> Result<(), SecretFileError> {
        let path = self.at.join(name);
        let found = stat(next, &path)?;
        let mode = found.st_mode & 0o777;
        if found.st_uid == self.user && mode == 0o700 {
            return Ok(());
        }
        // Gone again, so that the next time it is not taken for one that was there.
        let _ = rustix::fs::unlinkat(&self.here, name, AtFlags::REMOVEDIR);
        let why = format!(
            "it was made with mode 0700 and has mode {mode:04o}; the agent's umask must leave the owner's rights"
        );
        Err(SecretFileError::Untrusted { directory: shown(&path), why })
    }
}

fn open_root() -> Result<OwnedFd, SecretFileError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/", flags, Mode::empty())
        .map_err(|errno| system("opening the directory", Path::new("/"), errno))
}

fn stat(file: &OwnedFd, path: &Path) -> Result<Stat, SecretFileError> {
    rustix::fs::fstat(file).map_err(|errno| system("looking at", path, errno))
}

fn in_memory(directory: impl AsFd, path: &Path, allow_disk: bool) -> Result<(), SecretFileError> {
    let kind = rustix::fs::fstatfs(directory)
        .map_err(|errno| system("asking for the file system of", path, errno))?
        .f_type;
    if allow_disk || IN_MEMORY.iter().any(|magic| u32::try_from(kind) == Ok(*magic)) {
        return Ok(());
    }
    Err(SecretFileError::OnDisk { directory: shown(path), magic: u64::try_from(kind).unwrap_or(0) })
}

fn system(operation: &'static str, path: &Path, errno: Errno) -> SecretFileError {
    SecretFileError::System { operation, path: shown(path), why: io::Error::from(errno).to_string() }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
