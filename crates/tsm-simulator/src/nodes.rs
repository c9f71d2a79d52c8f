//! The directories and files of a mounted guest, by inode number.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::SystemTime;

use fuser::{FileAttr, FileType, INodeNo};
use rustix::io::Errno;

use crate::attribute::Attribute;
use crate::machine::Handle;
use crate::tree::{self, Content, Place};

const ROOT: u64 = 1;
/// Where the numbers of entries begin: each has a block of sixteen, for its directory and its files.
const ENTRIES: u64 = 1 << 20;
const BLOCK: u64 = 16;
/// What the kernel shows as the size of text files: a page.
const PAGE: u64 = 4096;

/// What an inode number stands for.
pub(crate) enum Node<'a> {
    Place(&'a str, &'a Place),
    Entry(u64),
    Attribute(u64, Attribute),
}

pub(crate) struct Nodes {
    handle: Handle,
    /// The place in the list, from [`ROOT`] on, is the inode number.
    places: Vec<(String, Place)>,
    by_path: BTreeMap<String, u64>,
    born: SystemTime,
    owner: (u32, u32),
}

impl Nodes {
    pub(crate) fn new(handle: Handle) -> Self {
        let places: Vec<(String, Place)> = tree::places(&handle.lock().guest).into_iter().collect();
        let by_path = places.iter().zip(ROOT..).map(|((path, _), number)| (path.clone(), number)).collect();
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        Nodes { handle, places, by_path, born: SystemTime::now(), owner }
    }

    pub(crate) fn node(&self, ino: INodeNo) -> Result<Node<'_>, Errno> {
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

    pub(crate) fn entry_number(entry: u64) -> u64 {
        ENTRIES + entry * BLOCK
    }

    fn attribute_number(entry: u64, attribute: Attribute) -> u64 {
        Self::entry_number(entry) + 1 + attribute.place()
    }

    pub(crate) fn child(&self, parent: INodeNo, name: &OsStr) -> Result<u64, Errno> {
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

    pub(crate) fn attributes(&self, ino: INodeNo) -> Result<FileAttr, Errno> {
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

    /// Names and numbers of what is in a directory.
    pub(crate) fn list(&self, ino: INodeNo) -> Result<Vec<(u64, FileType, String)>, Errno> {
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
}
