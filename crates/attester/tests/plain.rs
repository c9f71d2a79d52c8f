//! configfs-tsm in a guest of plain files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod plain_guest;

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};

use assay_attester::tsm::{ROOT, Tsm, TsmOptions, search};
use assay_attester::{AttesterError, Host, Probe};
use assay_types::Tee;
use plain_guest::{Answer, PlainGuest, far, soon, step};
use rustix::fs::{CWD, FileType, Mode, mknodat};

fn look(host: &Host, provider: &str) -> (Option<Tsm>, Probe) {
    let mut probe = Probe::new(Tee::Snp);
    (search(host, TsmOptions::default(), provider, &mut probe), probe)
}

#[test]
fn the_search_says_what_it_found_in_words() {
    let bare = PlainGuest::bare();
    let words = |host: &Host| {
        let (tsm, probe) = look(host, "sev_guest");
        let (found, detail) = step(&probe, ROOT);
        assert!(!found && tsm.is_none());
        detail.to_owned()
    };
    assert!(words(&bare.host()).contains("no configfs"));
    fs::create_dir_all(bare.host().path("/sys/kernel/config")).unwrap();
    assert!(words(&bare.host()).contains("not mounted at /sys/kernel/config"));
    fs::create_dir_all(bare.host().path("/sys/kernel/config/other")).unwrap();
    assert!(words(&bare.host()).contains("no configfs-tsm"));
    bare.put(ROOT, "");
    assert!(words(&bare.host()).contains("cannot be read"));

    let td = PlainGuest::tsm("tdx_guest", |_| panic!("no report was asked for"));
    assert!(words(&td.host()).contains("\"tdx_guest\""));
    td.assert_no_entry_is_left();
    let (tsm, probe) = look(&td.host(), "tdx_guest");
    assert!(tsm.is_some());
    assert_eq!(step(&probe, ROOT), (true, "provider tdx_guest"));
    td.assert_no_entry_is_left();
}

#[test]
fn the_search_removes_what_a_dead_agent_left() {
    let guest = PlainGuest::tsm("sev_guest", |_| Answer::default());
    let mut host = guest.host();
    // Above the highest process id of Linux.
    let dead = host.path(ROOT).join("assay-8388608-0");
    fs::create_dir(&dead).unwrap();
    while !dead.join("provider").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (tsm, _) = look(&host, "sev_guest");
    assert!(tsm.is_some() && dead.exists(), "it is young");
    // So old is every entry; the search itself is given no time then.
    host.device_timeout = Duration::ZERO;
    let _ = look(&host, "sev_guest");
    assert!(!dead.exists());
}

#[test]
fn a_report_is_asked_for_in_an_entry_that_is_gone_afterwards() {
    let guest = PlainGuest::tsm("sev_guest", |inblob| Answer {
        auxblob: Some(vec![]),
        ..Answer::report([b"for ", inblob].concat())
    });
    let mut tsm = look(&guest.host(), "sev_guest").0.unwrap();
    for n in [1, 2] {
        let report = tsm.report("sev_guest", &[n; 64], far()).unwrap();
        assert_eq!(report.outblob, [b"for ".as_slice(), &[n; 64]].concat());
        assert_eq!((report.auxblob, report.manifestblob), (None, None));
        guest.assert_no_entry_is_left();
    }
}

#[test]
fn a_device_that_never_answers_ends_at_the_deadline() {
    let guest = PlainGuest::tsm("sev_guest", |_| Answer::default());
    let mut tsm = look(&guest.host(), "sev_guest").0.unwrap();
    let error = tsm.report("sev_guest", &[1; 64], soon()).unwrap_err();
    assert!(matches!(error, AttesterError::Deadline { .. }), "{error}");
    guest.assert_no_entry_is_left();
    // The host's own limit holds as well.
    let mut host = guest.host();
    host.device_timeout = Duration::from_millis(500);
    let mut tsm = look(&host, "sev_guest").0.unwrap();
    let error = tsm.report("sev_guest", &[1; 64], far()).unwrap_err();
    assert!(matches!(error, AttesterError::Deadline { .. }), "{error}");
    guest.assert_no_entry_is_left();
}

/// A FIFO in the place of the report: opening it blocks in the kernel.
#[test]
fn a_call_that_hangs_in_the_kernel_ends_at_the_deadline_and_leaves_one_thread() {
    let (tell, entry) = std::sync::mpsc::channel();
    let guest = PlainGuest::tsm("sev_guest", |_| Answer::default());
    let root = guest.host().path(ROOT);
    let mut tsm = look(&guest.host(), "sev_guest").0.unwrap();
    std::thread::spawn(move || {
        loop {
            let found = fs::read_dir(&root).unwrap().next();
            if let Some(path) = found.map(|entry| entry.unwrap().path().join("outblob"))
                && mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).is_ok()
            {
                tell.send(path).unwrap();
                break;
            }
        }
    });
    for _ in 0..2 {
        // Long enough to get to where it hangs.
        let deadline = Instant::now() + Duration::from_secs(3);
        let error = tsm.report("sev_guest", &[1; 64], deadline).unwrap_err();
        assert!(matches!(error, AttesterError::Deadline { .. }), "{error}");
    }
    assert_eq!(guest.answered(), 1, "no second call is begun while the first one hangs");
    // The kernel answers at last: the entry goes, and the next report is another's turn.
    let fifo = entry.recv().unwrap();
    File::options().write(true).open(&fifo).unwrap().write_all(b"late").unwrap();
    let gone = Instant::now() + Duration::from_secs(30);
    while fifo.parent().unwrap().exists() {
        assert!(Instant::now() < gone, "the entry is left behind");
        std::thread::sleep(Duration::from_millis(10));
    }
}
