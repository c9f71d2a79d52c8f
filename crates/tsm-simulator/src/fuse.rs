//! The files as a FUSE file system. Nothing is cached by the kernel: every read and write comes here.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenAccMode, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno;

use crate::attribute::Attribute;
use crate::machine::Handle;
use crate::nodes::{Node, Nodes};
use crate::opens::Opens;
use crate::tree::{Content, Place};

pub(crate) struct TsmFileSystem {
    handle: Handle,
    nodes: Nodes,
    opens: Arc<Opens>,
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
        TsmFileSystem { nodes: Nodes::new(handle.clone()), handle, opens: Arc::default() }
    }

    fn reply_entry(&self, number: Result<u64, Errno>, reply: ReplyEntry) {
        match number.and_then(|number| self.nodes.attributes(INodeNo(number))) {
            Ok(attributes) => reply.entry(&Duration::ZERO, &attributes, Generation(0)),
            Err(error) => reply.error(errno(error)),
        }
    }

    /// The kernel lets nobody, root included, open a file for what it does not do.
    fn may_open(&self, ino: INodeNo, flags: OpenFlags) -> Result<(), Errno> {
        let mode = self.nodes.attributes(ino)?.perm;
        let (reads, writes) = match flags.acc_mode() {
            OpenAccMode::O_RDONLY => (true, false),
            OpenAccMode::O_WRONLY => (false, true),
            OpenAccMode::O_RDWR => (true, true),
        };
        let allowed = (!reads || mode & 0o444 != 0) && (!writes || mode & 0o222 != 0);
        if allowed { Ok(()) } else { Err(Errno::ACCESS) }
    }

    fn write_file(&self, ino: INodeNo, file: FileHandle, offset: u64, data: &[u8]) -> Result<(), Errno> {
        match self.nodes.node(ino)? {
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
        self.reply_entry(self.nodes.child(parent, name), reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.nodes.attributes(ino) {
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
        let made = match (self.nodes.node(parent), name.to_str()) {
            (Ok(Node::Place(_, Place::Reports)), Some(name)) => {
                self.handle.lock().add(name).map(Nodes::entry_number)
            }
            (Err(error), _) => Err(error),
            _ => Err(Errno::PERM),
        };
        self.reply_entry(made, reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = match (self.nodes.node(parent), name.to_str()) {
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

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: INodeNo,
        _: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
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
        match self.nodes.node(ino) {
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
        let done = match (self.nodes.node(ino), written) {
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
        match self.nodes.list(ino) {
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
