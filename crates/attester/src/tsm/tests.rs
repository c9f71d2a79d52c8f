//! A kernel in memory, with any fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::kernel_files::KernelFiles;
use super::{MAX_OUTBLOB_LEN, Tsm, TsmOptions, TsmReport};
use crate::AttesterError;

/// A call, and how often it fails with what.
struct Trouble {
    call: &'static str,
    attribute: &'static str,
    errno: Errno,
    times: u32,
}

#[derive(Default)]
struct State {
    /// Attributes of every new entry.
    attributes: BTreeMap<&'static str, Vec<u8>>,
    entries: BTreeMap<PathBuf, BTreeMap<String, Vec<u8>>>,
    made: u32,
    writes: u64,
    written: Vec<(String, Vec<u8>)>,
    /// How many entries someone else writes to.
    intruders: u32,
    trouble: Vec<Trouble>,
    taken: BTreeSet<PathBuf>,
}

struct Kernel(Mutex<State>);

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kernel")
    }
}

impl State {
    fn fail(&mut self, call: &str, attribute: &str) -> io::Result<()> {
        let wanted = |t: &&mut Trouble| t.call == call && t.attribute == attribute && t.times > 0;
        match self.trouble.iter_mut().find(wanted) {
            Some(trouble) => {
                trouble.times -= 1;
                Err(io::Error::from_raw_os_error(trouble.errno.raw_os_error()))
            }
            None => Ok(()),
        }
    }
}

fn split(path: &Path) -> (PathBuf, String) {
    (path.parent().unwrap().to_owned(), path.file_name().unwrap().to_str().unwrap().to_owned())
}

impl KernelFiles for Kernel {
    fn make(&self, entry: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.fail("make", "")?;
        if state.taken.len() < 3 {
            // The first names are taken.
            state.taken.insert(entry.to_owned());
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let attributes = state.attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        assert!(state.entries.insert(entry.to_owned(), attributes).is_none());
        state.made += 1;
        state.writes = 0;
        Ok(())
    }

    fn read(&self, attribute: &Path, max: usize) -> io::Result<Vec<u8>> {
        let mut state = self.0.lock().unwrap();
        let (entry, name) = split(attribute);
        state.fail("read", &name)?;
        if name == "generation" {
            let mut count = state.writes;
            if state.intruders > 0 {
                state.intruders -= 1;
                count += 1;
            }
            return Ok(format!("{count}\n").into_bytes());
        }
        let value = state.entries[&entry].get(&name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(value.into_iter().take(max + 1).collect())
    }

    fn write(&self, attribute: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let (entry, name) = split(attribute);
        state.fail("write", &name)?;
        if !state.entries[&entry].contains_key(&name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.writes += 1;
        state.written.push((name, bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, entry: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.entries.remove(entry).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }
}

fn kernel(edit: impl FnOnce(&mut State)) -> Arc<Kernel> {
    let attributes = BTreeMap::from([
        ("provider", b"sev_guest\n".to_vec()),
        ("inblob", vec![]),
        ("outblob", b"report".to_vec()),
        ("auxblob", b"table".to_vec()),
        ("manifestblob", vec![]),
        ("privlevel", vec![]),
        ("privlevel_floor", b"1\n".to_vec()),
        ("service_provider", vec![]),
        ("service_guid", vec![]),
    ]);
    let mut state = State { attributes, ..State::default() };
    edit(&mut state);
    Arc::new(Kernel(Mutex::new(state)))
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

fn ask_with(
    kernel: &Arc<Kernel>,
    options: TsmOptions,
    wait: Duration,
) -> (Result<TsmReport, AttesterError>, u32) {
    let files: Arc<dyn KernelFiles> = Arc::<Kernel>::clone(kernel);
    let mut tsm = Tsm::over(files, "/t".into(), options, LONG);
    let answer = tsm.report("sev_guest", &[5; 64], Instant::now() + wait);
    let state = kernel.0.lock().unwrap();
    assert!(state.entries.is_empty(), "an entry was left behind");
    (answer, state.made)
}

fn ask(edit: impl FnOnce(&mut State)) -> Result<TsmReport, AttesterError> {
    ask_with(&kernel(edit), TsmOptions::default(), LONG).0
}

fn trouble(call: &'static str, attribute: &'static str, errno: Errno, times: u32) -> Trouble {
    Trouble { call, attribute, errno, times }
}

#[test]
fn a_report_is_read_with_what_came_with_it() {
    let kernel = kernel(|_| {});
    let (report, made) = ask_with(&kernel, TsmOptions::default(), LONG);
    let report = report.unwrap();
    assert_eq!((report.provider, made), ("sev_guest", 1));
    assert_eq!(report.outblob, b"report");
    assert_eq!(report.auxblob.as_deref(), Some(b"table".as_slice()));
    assert_eq!(report.manifestblob, None, "an empty blob is none");
    assert_eq!(kernel.0.lock().unwrap().written, [("inblob".to_owned(), vec![5; 64])]);
}

#[test]
fn options_are_written_as_lines_and_counted() {
    let kernel = kernel(|_| {});
    let options = TsmOptions {
        privilege_level: Some(2),
        service_provider: Some("svsm".to_owned()),
        service_guid: Some("00000000-0000-0000-0000-000000000001".to_owned()),
    };
    ask_with(&kernel, options, LONG).0.unwrap();
    let written = &kernel.0.lock().unwrap().written;
    let texts: Vec<(&str, &[u8])> = written.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
    assert_eq!(
        texts,
        [
            ("privlevel", b"2\n".as_slice()),
            ("service_provider", b"svsm\n"),
            ("service_guid", b"00000000-0000-0000-0000-000000000001\n"),
            ("inblob", &[5; 64]),
        ]
    );
}

#[test]
fn a_privilege_level_below_the_floor_or_above_three_is_refused_before_anything_is_written() {
    for level in [0, 4] {
        let kernel = kernel(|_| {});
        let options = TsmOptions { privilege_level: Some(level), ..TsmOptions::default() };
        let error = ask_with(&kernel, options, LONG).0.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, AttesterError::Malformed { .. }) && text.contains("this guest has 1 to 3"),
            "{text}"
        );
        assert!(kernel.0.lock().unwrap().written.is_empty());
    }
}

#[test]
fn what_is_asked_for_must_be_there() {
    let kernel = kernel(|state| {
        state.attributes.remove("service_provider");
    });
    let options = TsmOptions { service_provider: Some("svsm".to_owned()), ..TsmOptions::default() };
    let error = ask_with(&kernel, options, LONG).0.unwrap_err();
    assert!(matches!(
        &error,
        AttesterError::Device { action: "writing", path, .. } if path.ends_with("service_provider")
    ));
}

#[test]
fn optional_attributes_may_be_missing() {
    let report = ask(|state| {
        for name in ["auxblob", "manifestblob", "privlevel_floor"] {
            state.attributes.remove(name);
        }
    })
    .unwrap();
    assert_eq!((report.auxblob, report.manifestblob), (None, None));
}

#[test]
fn an_entry_that_someone_else_wrote_to_is_thrown_away() {
    let (report, made) = ask_with(&kernel(|state| state.intruders = 1), TsmOptions::default(), LONG);
    report.unwrap();
    assert_eq!(made, 2);
    let (report, made) = ask_with(&kernel(|state| state.intruders = 1000), TsmOptions::default(), LONG);
    assert!(matches!(report.unwrap_err(), AttesterError::Generation { expected: 1, found: 2, .. }));
    assert_eq!(made, super::ATTEMPTS);
}

#[test]
fn a_kernel_that_is_busy_is_asked_again() {
    for (call, attribute) in [
        ("make", ""),
        ("read", "provider"),
        ("write", "inblob"),
        ("read", "outblob"),
        ("read", "auxblob"),
        ("read", "generation"),
    ] {
        for errno in [Errno::BUSY, Errno::INTR, Errno::AGAIN] {
            ask(|state| state.trouble.push(trouble(call, attribute, errno, 3))).unwrap();
            let kernel = kernel(|state| state.trouble.push(trouble(call, attribute, errno, u32::MAX)));
            let error = ask_with(&kernel, TsmOptions::default(), SHORT).0.unwrap_err();
            assert!(matches!(error, AttesterError::Deadline { .. }), "{call} {attribute}: {error}");
        }
        let error = ask(|state| state.trouble.push(trouble(call, attribute, Errno::IO, 1))).unwrap_err();
        assert!(matches!(error, AttesterError::Device { .. }), "{call} {attribute}: {error}");
    }
}

#[test]
fn a_mandatory_attribute_may_come_a_little_late() {
    for attribute in ["provider", "outblob", "generation"] {
        ask(|state| state.trouble.push(trouble("read", attribute, Errno::NOENT, 2))).unwrap();
    }
    ask(|state| state.trouble.push(trouble("write", "inblob", Errno::NOENT, 2))).unwrap();
    let kernel = kernel(|state| {
        state.attributes.remove("outblob");
    });
    let error = ask_with(&kernel, TsmOptions::default(), SHORT).0.unwrap_err();
    assert!(matches!(error, AttesterError::Deadline { .. }), "{error}");
}

#[test]
fn answers_that_cannot_be_are_refused() {
    type Edit = fn(&mut State);
    let table: [(&str, Edit); 5] = [
        ("expected the provider sev_guest, found \"tdx_guest\"", |s| {
            s.attributes.insert("provider", b"tdx_guest\n".to_vec());
        }),
        ("not text", |s| {
            s.attributes.insert("provider", vec![0xff]);
        }),
        ("more than 131072 bytes", |s| {
            s.attributes.insert("outblob", vec![0; MAX_OUTBLOB_LEN + 1]);
        }),
        ("more than 1048576 bytes", |s| {
            s.attributes.insert("auxblob", vec![0; super::MAX_AUXBLOB_LEN + 1]);
        }),
        ("more than 1048576 bytes", |s| {
            s.attributes.insert("manifestblob", vec![0; super::MAX_MANIFESTBLOB_LEN + 1]);
        }),
    ];
    for (part, edit) in table {
        let error = ask(edit).unwrap_err();
        assert!(matches!(error, AttesterError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let longest = ask(|s| {
        s.attributes.insert("outblob", vec![0; MAX_OUTBLOB_LEN]);
    });
    assert_eq!(longest.unwrap().outblob.len(), MAX_OUTBLOB_LEN);
}

#[test]
fn an_inblob_has_1_to_64_bytes() {
    let kernel = kernel(|_| {});
    for len in [0, 65] {
        let files: Arc<dyn KernelFiles> = Arc::<Kernel>::clone(&kernel);
        let mut tsm = Tsm::over(files, "/t".into(), TsmOptions::default(), LONG);
        let error = tsm.report("sev_guest", &vec![0; len], Instant::now() + LONG).unwrap_err();
        assert!(matches!(error, AttesterError::Malformed { .. }));
    }
    assert_eq!(kernel.0.lock().unwrap().made, 0);
}

#[test]
fn the_provider_is_read_without_a_report() {
    let kernel = kernel(|_| {});
    let files: Arc<dyn KernelFiles> = Arc::<Kernel>::clone(&kernel);
    let mut tsm = Tsm::over(files, "/t".into(), TsmOptions::default(), LONG);
    assert_eq!(tsm.provider().unwrap(), "sev_guest");
    let state = kernel.0.lock().unwrap();
    assert!(state.written.is_empty() && state.entries.is_empty() && state.made == 1);
}

#[test]
fn many_at_a_time_do_not_meet() {
    let kernel = kernel(|_| {});
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let files: Arc<dyn KernelFiles> = Arc::<Kernel>::clone(&kernel);
                    let mut tsm = Tsm::over(files, "/t".into(), TsmOptions::default(), LONG);
                    // The kernel in memory asserts that no name is made twice.
                    assert_eq!(tsm.provider().unwrap(), "sev_guest");
                }
            });
        }
    });
    assert_eq!(kernel.0.lock().unwrap().made, 160);
}
