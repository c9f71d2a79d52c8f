//! A guest of plain files: a thread plays the kernel's configfs-tsm. The tests of every TEE's attester use it.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use assay_attester::tsm::ROOT;
use assay_attester::{Attester, AttesterError, EvidenceRequest, Host, InitDataBinding, Probe};
use assay_types::Digest;
use serde_json::Value;
use tempfile::TempDir;

/// What the kernel answers to an `inblob`.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The report; no answer ever when `None`.
    pub outblob: Option<Vec<u8>>,
    pub auxblob: Option<Vec<u8>>,
    pub manifestblob: Option<Vec<u8>>,
    /// How often someone else wrote to the entry.
    pub writes_of_others: u64,
}

impl Answer {
    pub fn report(outblob: Vec<u8>) -> Self {
        Answer { outblob: Some(outblob), ..Answer::default() }
    }
}

/// A directory that is the root of a guest. The kernel's thread ends with it.
pub struct PlainGuest {
    root: TempDir,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    kernel: Option<JoinHandle<()>>,
}

impl Drop for PlainGuest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(kernel) = self.kernel.take() {
            let _ = kernel.join();
        }
    }
}

impl PlainGuest {
    /// A guest without configfs-tsm.
    pub fn bare() -> Self {
        PlainGuest {
            root: tempfile::tempdir().unwrap(),
            stop: Arc::default(),
            answered: Arc::default(),
            kernel: None,
        }
    }

    /// A guest whose configfs-tsm has this provider.
    pub fn tsm(provider: &str, answer: impl FnMut(&[u8]) -> Answer + Send + 'static) -> Self {
        let mut guest = PlainGuest::bare();
        let entries = guest.host().path(ROOT);
        fs::create_dir_all(&entries).unwrap();
        let mut kernel = Kernel {
            entries,
            // On the same file system, so that a file appears at once with all its content.
            scratch: guest.root.path().join("scratch"),
            provider: provider.to_owned(),
            seen: BTreeMap::new(),
            answer: Box::new(answer),
            answered: Arc::clone(&guest.answered),
        };
        let stop = Arc::clone(&guest.stop);
        guest.kernel = Some(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                kernel.turn();
                sleep(Duration::from_millis(1));
            }
        }));
        guest
    }

    pub fn host(&self) -> Host {
        Host::at(self.root.path(), BTreeMap::new())
    }

    pub fn host_with(&self, name: &str, value: &str) -> Host {
        Host::at(self.root.path(), BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    /// Puts a file there.
    pub fn put(&self, absolute: &str, bytes: impl AsRef<[u8]>) {
        let path = self.host().path(absolute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// How many reports were made.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    pub fn assert_no_entry_is_left(&self) {
        let left: Vec<PathBuf> =
            fs::read_dir(self.host().path(ROOT)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// What makes the answers.
type Answers = dyn FnMut(&[u8]) -> Answer + Send;

struct Kernel {
    entries: PathBuf,
    scratch: PathBuf,
    provider: String,
    /// Entries, each with whether it was answered.
    seen: BTreeMap<PathBuf, bool>,
    answer: Box<Answers>,
    answered: Arc<AtomicUsize>,
}

impl Kernel {
    fn turn(&mut self) {
        for entry in fs::read_dir(&self.entries).unwrap() {
            let path = entry.unwrap().path();
            match self.seen.get(&path) {
                None => {
                    // The provider comes last: whoever has read it may remove the entry.
                    for name in ["inblob", "privlevel", "service_provider", "service_guid"] {
                        self.put(&path, name, b"");
                    }
                    self.put(&path, "provider", format!("{}\n", self.provider).as_bytes());
                    self.seen.insert(path, false);
                }
                Some(false) => self.answer(path),
                Some(true) => {}
            }
        }
    }

    fn answer(&mut self, path: PathBuf) {
        let length = |name: &str| fs::metadata(path.join(name)).map_or(0, |metadata| metadata.len());
        if length("inblob") == 0 {
            return;
        }
        let inblob = fs::read(path.join("inblob")).unwrap();
        let Answer { outblob, auxblob, manifestblob, writes_of_others } = (self.answer)(&inblob);
        let options = ["privlevel", "service_provider", "service_guid"];
        let writes = 1 + options.iter().filter(|name| length(name) > 0).count() as u64;
        self.put(&path, "generation", format!("{}\n", writes + writes_of_others).as_bytes());
        for (name, blob) in [("auxblob", auxblob), ("manifestblob", manifestblob), ("outblob", outblob)] {
            if let Some(blob) = blob {
                self.put(&path, name, &blob);
            }
        }
        self.seen.insert(path, true);
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// The entry may have been removed meanwhile; then nothing is put.
    fn put(&self, entry: &Path, name: &str, bytes: &[u8]) {
        fs::write(&self.scratch, bytes).unwrap();
        let _ = fs::rename(&self.scratch, entry.join(name));
    }
}

pub fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_millis(200)
}

/// Evidence, asked for with a deadline that is far.
pub fn ask(probe: &mut Probe, report_data: &[u8]) -> Result<Value, AttesterError> {
    attester(probe).evidence(&EvidenceRequest { report_data, aael: &[], deadline: far() })
}

pub fn bind(probe: &mut Probe, digest: &Digest) -> Result<InitDataBinding, AttesterError> {
    attester(probe).bind_init_data(digest, far())
}

pub fn attester(probe: &mut Probe) -> &mut dyn Attester {
    let steps = &probe.steps;
    probe.attester.as_deref_mut().unwrap_or_else(|| panic!("not found: {steps:?}"))
}

/// The words about the only thing that was looked for under this name, and whether it was found.
pub fn step<'a>(probe: &'a Probe, looked_for: &str) -> (bool, &'a str) {
    let mut steps = probe.steps.iter().filter(|step| step.looked_for.contains(looked_for));
    let step = steps.next().unwrap_or_else(|| panic!("not looked for: {looked_for}"));
    assert!(steps.next().is_none(), "looked for twice: {looked_for}");
    (step.found, &step.detail)
}
