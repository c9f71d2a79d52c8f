//! The files as a FUSE file system. Nothing is cached by the kernel: every read and write comes here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenAccMode, OpenFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno;

use crate::attribute::Attribute;
use crate::machine::Handle;
use crate::opens::Opens;
use crate::tree::{self, Content, Place};

const ROOT: u64 = 1;
/// Where the numbers of entries begin: each has a block of sixteen, for its directory and its files.
const ENTRIES: u64 = 1 << 20;
const BLOCK: u64 = 16;
/// What the kernel shows as the size of text files: a page.
const PAGE: u64 = 4096;

/// What an inode number stands for.
enum Node<'a> {
    Place(&'a str, &'a Place),
    Entry(u64),
    Attribute(u64, Attribute),
}

pub(crate) struct TsmFileSystem {
    handle: Handle,
    opens: Arc<Opens>,
    /// The place in the list, from [`ROOT`] on, is the inode number.
    places: Vec<(String, Place)>,
    by_path: BTreeMap<String, u64>,
    born: SystemTime,
    owner: (u32, u32),
}

fn errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

/// The part of a file that was asked for.
fn part(content: &[u8], offset: u64, size: u32) -> &[u8] {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
    let rest = content.get(start..).unwrap_or_default();
    rest.get(..usize::try_from(size).unwrap_or(usize::MAX)).unwrap_or(rest)
}

impl TsmFileSystem {
    pub(crate) fn new(handle: Handle) -> Self {
        let places: Vec<(String, Place)> = tree::places(&handle.lock().guest).into_iter().collect();
        let by_path = places.iter().zip(ROOT..).map(|((path, _), number)| (path.clone(), number)).collect();
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        TsmFileSystem { handle, opens: Arc::default(), places, by_path, born: SystemTime::now(), owner }
    }

    fn node(&self, ino: INodeNo) -> Result<Node<'_>, Errno> {
        let number = u64::from(ino);
        if let Some(past) = number.checked_sub(ENTRIES) {
            let (entry, file) = (past / BLOCK, past % BLOCK);
            if !self.handle.lock().exists(entry) {
                return Err(Errno::NOENT);
            }
            return match file.checked_sub(1) {
                None => Ok(Node::Entry(entry)),
                Some(place) => {
                    let place = usize::try_from(place).map_err(|_| Errno::NOENT)?;
                    let attribute = Attribute::ALL.get(place).ok_or(Errno::NOENT)?;
                    Ok(Node::Attribute(entry, *attribute))
                }
            };
        }
        let place = number.checked_sub(ROOT).and_then(|place| usize::try_from(place).ok());
        let (path, place) = place.and_then(|place| self.places.get(place)).ok_or(Errno::NOENT)?;
        Ok(Node::Place(path, place))
    }

    fn entry_number(entry: u64) -> u64 {
        ENTRIES + entry * BLOCK
    }

    fn attribute_number(entry: u64, attribute: Attribute) -> u64 {
        Self::entry_number(entry) + 1 + attribute.place()
    }

    fn child(&self, parent: INodeNo, name: &OsStr) -> Result<u64, Errno> {
        let name = name.to_str().ok_or(Errno::NOENT)?;
        match self.node(parent)? {
            Node::Place(_, Place::Reports) => {
                self.handle.lock().find(name).map(Self::entry_number).ok_or(Errno::NOENT)
            }
            Node::Place(path, Place::Directory) => {
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                self.by_path.get(&path).copied().ok_or(Errno::NOENT)
            }
            Node::Entry(entry) => {
                let tee = self.handle.lock().guest.tee();
                let attribute =
                    Attribute::ALL.into_iter().find(|file| file.name() == name && file.is_of(tee));
                attribute.map(|file| Self::attribute_number(entry, file)).ok_or(Errno::NOENT)
            }
            _ => Err(Errno::NOTDIR),
        }
    }

    fn attributes(&self, ino: INodeNo) -> Result<FileAttr, Errno> {
        let (kind, perm, size) = match self.node(ino)? {
            Node::Place(_, Place::File { content, mode }) => {
                let size = match content {
                    Content::Fixed(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                    Content::Register(_) => 48,
                };
                (FileType::RegularFile, *mode, size)
            }
            Node::Attribute(_, file) => {
                let size = if file.is_made() || file == Attribute::InBlob { 0 } else { PAGE };
                (FileType::RegularFile, file.mode(), size)
            }
            Node::Place(..) | Node::Entry(_) => (FileType::Directory, 0o755, 0),
        };
        Ok(FileAttr {
            ino,
            size,
            blocks: 0,
            atime: self.born,
            mtime: self.born,
            ctime: self.born,
            crtime: self.born,
            kind,
            perm,
            nlink: if kind == FileType::Directory { 2 } else { 1 },
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn reply_entry(&self, number: Result<u64, Errno>, reply: ReplyEntry) {
        match number.and_then(|number| self.attributes(INodeNo(number))) {
            Ok(attributes) => reply.entry(&Duration::ZERO, &attributes, Generation(0)),
            Err(error) => reply.error(errno(error)),
        }
    }

    /// Names and numbers of what is in a directory.
    fn list(&self, ino: INodeNo) -> Result<Vec<(u64, FileType, String)>, Errno> {
        let own = u64::from(ino);
        let mut list =
            vec![(own, FileType::Directory, ".".to_owned()), (own, FileType::Directory, "..".to_owned())];
        match self.node(ino)? {
            Node::Place(_, Place::Reports) => {
                list.extend(
                    self.handle
                        .lock()
                        .names()
                        .into_iter()
                        .map(|(entry, name)| (Self::entry_number(entry), FileType::Directory, name)),
                );
            }
            Node::Place(path, Place::Directory) => {
                let lead = if path.is_empty() { String::new() } else { format!("{path}/") };
                for ((child, place), number) in self.places.iter().zip(ROOT..) {
                    let name =
                        child.strip_prefix(&lead).filter(|name| !name.is_empty() && !name.contains('/'));
                    if let Some(name) = name {
                        let kind = match place {
                            Place::File { .. } => FileType::RegularFile,
                            _ => FileType::Directory,
                        };
                        list.push((number, kind, name.to_owned()));
                    }
                }
            }
            Node::Entry(entry) => {
                let tee = self.handle.lock().guest.tee();
                for file in Attribute::ALL.into_iter().filter(|file| file.is_of(tee)) {
                    let number = Self::attribute_number(entry, file);
                    list.push((number, FileType::RegularFile, file.name().to_owned()));
                }
            }
            _ => return Err(Errno::NOTDIR),
        }
        Ok(list)
    }

    /// The kernel lets nobody, root included, open a file for what it does not do.
    fn may_open(&self, ino: INodeNo, flags: OpenFlags) -> Result<(), Errno> {
        let mode = self.attributes(ino)?.perm;
        let (reads, writes) = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => (true, false),
            OpenAccMode::O_WRONLY => (false, true),
            OpenAccMode::O_RDWR => (true, true),
        };
        let allowed = (!reads || mode & 0o444 != 0) && (!writes || mode & 0o222 != 0);
        if allowed { Ok(()) } else { Err(Errno::ACCESS) }
    }

    fn write_file(&self, ino: INodeNo, file: FileHandle, offset: u64, data: &[u8]) -> Result<(), Errno> {
        match self.node(ino)? {
            Node::Place(_, Place::File { content: Content::Register(index), .. }) => {
                if offset != 0 {
                    return Err(Errno::INVAL);
                }
                self.handle.lock().extend(*index, data)
            }
            Node::Attribute(_, Attribute::InBlob) => self.opens.write(file.into(), offset, data),
            Node::Attribute(entry, attribute) => self.handle.lock().write(entry, attribute, data),
            // A device without the calls of a device.
            _ => Err(Errno::INVAL),
        }
    }

    /// Reads a file of an entry: as it is now, unless its reading has begun. What takes time is done by a thread,
    /// so that other files answer meanwhile.
    fn read_attribute(&self, entry: u64, attribute: Attribute, file: u64, part: Part) {
        if let Some(content) = self.opens.content(file) {
            return part.reply(&content);
        }
        let delay = if attribute.is_made() { self.handle.lock().delay(entry) } else { Duration::ZERO };
        let (handle, opens) = (self.handle.clone(), self.opens.clone());
        let answer = move || {
            if !delay.is_zero() && !handle.wait(delay) {
                return part.reply.error(errno(Errno::IO));
            }
            let content = handle.lock().read(entry, attribute);
            match content {
                Ok(content) => {
                    let content = Arc::new(content);
                    opens.keep(file, content.clone());
                    part.reply(&content);
                }
                Err(error) => part.reply.error(errno(error)),
            }
        };
        if delay.is_zero() {
            answer();
        } else if let Err(error) = std::thread::Builder::new().name("tsm-report".into()).spawn(answer) {
            // The reply went with the thread that is not there, and says EIO by being dropped.
            tracing::error!(%error, "no thread for a report");
        }
    }
}

/// A part of a file that is waited for.
struct Part {
    offset: u64,
    size: u32,
    reply: ReplyData,
}

impl Part {
    fn reply(self, content: &[u8]) {
        self.reply.data(part(content, self.offset, self.size));
    }
}

impl Filesystem for TsmFileSystem {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.reply_entry(self.child(parent, name), reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino) {
            Ok(attributes) => reply.attr(&Duration::ZERO, &attributes),
            Err(error) => reply.error(errno(error)),
        }
    }

    /// Opening with O_TRUNC comes here. As with the kernel's files, it changes nothing.
    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        file: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        self.getattr(request, ino, file, reply);
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = match (self.node(parent), name.to_str()) {
            (Ok(Node::Place(_, Place::Reports)), Some(name)) => {
                self.handle.lock().add(name).map(Self::entry_number)
            }
            (Err(error), _) => Err(error),
            _ => Err(Errno::PERM),
        };
        self.reply_entry(made, reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = match (self.node(parent), name.to_str()) {
            (Ok(Node::Place(_, Place::Reports)), Some(name)) => self.handle.lock().remove(name),
            (Err(error), _) => Err(error),
            _ => Err(Errno::PERM),
        };
        match removed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(errno(Errno::PERM));
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(errno(Errno::PERM));
    }

    fn create(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        reply.error(errno(Errno::ACCESS));
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.may_open(ino, flags) {
            Ok(()) => reply.opened(FileHandle(self.opens.open()), FopenFlags::FOPEN_DIRECT_IO),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        file: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let part = Part { offset, size, reply };
        match self.node(ino) {
            Ok(Node::Attribute(entry, attribute)) => {
                self.read_attribute(entry, attribute, file.into(), part);
            }
            Ok(Node::Place(_, Place::File { content: Content::Fixed(bytes), .. })) => part.reply(bytes),
            Ok(Node::Place(_, Place::File { content: Content::Register(index), .. })) => {
                let value = self.handle.register(*index).unwrap_or([0; 48]);
                part.reply(&value);
            }
            Ok(_) => part.reply.error(errno(Errno::ISDIR)),
            Err(error) => part.reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        file: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_file(ino, file, offset, data) {
            // What was written is shorter than the greatest request.
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(errno(error)),
        }
    }

    /// A file is closed: what was written to `inblob` takes effect before close(2) returns.
    fn flush(&self, _: &Request, ino: INodeNo, file: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        let written = self.opens.take_written(file.into());
        let done = match (self.node(ino), written) {
            (Ok(Node::Attribute(entry, attribute)), Some(data)) => {
                self.handle.lock().write(entry, attribute, &data)
            }
            (Ok(_), _) => Ok(()),
            (Err(error), _) => Err(error),
        };
        match done {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        file: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.opens.close(file.into());
        reply.ok();
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        match self.list(ino) {
            Ok(list) => {
                let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
                for ((number, kind, name), next) in list.into_iter().zip(1_u64..).skip(skipped) {
                    if reply.add(INodeNo(number), next, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(errno(error)),
        }
    }
}
