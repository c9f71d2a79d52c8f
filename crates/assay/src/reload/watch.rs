//! Whether files have another content. The content counts, not dates or names: Kubernetes exchanges files by
//! links, and an editor may write the same again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use assay_types::{Digest, SecretBytes};

/// The most that is read of a file; what is longer counts by its beginning and its length.
const MAX_FILE: u64 = 4 << 20;

/// The digest of a file's content; `None` if it cannot be read.
type Content = Option<(Digest, u64)>;

/// Files with the content they had when it was last taken up, or found to be of no use.
#[derive(Default)]
pub(super) struct Watch {
    noted: BTreeMap<PathBuf, Content>,
    /// What was found last, if it was not what was noted.
    changing: Option<BTreeMap<PathBuf, Content>>,
}

impl Watch {
    /// Takes the files as they are now.
    pub(super) fn note(&mut self, files: impl Iterator<Item = PathBuf>) {
        self.noted =
            files.map(|file| (content(&file), file)).map(|(content, file)| (file, content)).collect();
        self.changing = None;
    }

    /// Whether a file has another content than was noted, and the same that it had when this was asked last:
    /// who is still writing, or exchanging a certificate and then its key, is given the time.
    pub(super) fn has_changed(&mut self) -> bool {
        let now: BTreeMap<PathBuf, Content> =
            self.noted.keys().map(|file| (file.clone(), content(file))).collect();
        if now == self.noted {
            self.changing = None;
            return false;
        }
        let settled = self.changing.as_ref() == Some(&now);
        self.changing = Some(now);
        settled
    }
}

fn content(path: &Path) -> Content {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    // Room for the whole of it: one of them may be a key, and what is dropped here is wiped.
    let room = usize::try_from(length.min(MAX_FILE)).ok()?.saturating_add(1);
    let mut bytes = Vec::with_capacity(room);
    file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    let bytes = SecretBytes::new(bytes);
    Some((Digest::sha256(bytes.expose()), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_has_settled_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "a").unwrap();
        let mut watch = Watch::default();
        let note = |watch: &mut Watch| watch.note([one.clone(), two.clone()].into_iter());
        note(&mut watch);
        assert!(!watch.has_changed());
        // The same content again is no change.
        std::fs::write(&one, "a").unwrap();
        assert!(!watch.has_changed() && !watch.has_changed());
        std::fs::write(&one, "b").unwrap();
        assert!(!watch.has_changed(), "still being written, perhaps");
        std::fs::write(&two, "new").unwrap();
        assert!(!watch.has_changed());
        assert!(watch.has_changed());
        note(&mut watch);
        assert!(!watch.has_changed());
        // Gone is a change; back again in time is none.
        std::fs::remove_file(&one).unwrap();
        assert!(!watch.has_changed());
        std::fs::write(&one, "b").unwrap();
        assert!(!watch.has_changed() && !watch.has_changed());
        // Exchanged by a link.
        std::fs::remove_file(&two).unwrap();
        std::os::unix::fs::symlink(&one, &two).unwrap();
        assert!(!watch.has_changed() && watch.has_changed());
    }
}
