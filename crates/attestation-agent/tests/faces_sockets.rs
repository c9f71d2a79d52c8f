//! Sockets: whose they are, what is never replaced, what is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod faces_support;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;

use assay_attestation_agent::faces::{self, Address, ListenError, Protocol};
use faces_support::{AGENT, Double, bytes_field, exchange, good, settings, socket_in, soon, start_unix};

#[tokio::test]
async fn a_socket_has_its_mode_and_missing_directories_are_made() {
    let api = Arc::new(Double::default());
    for mode in [0o600, 0o660, 0o666, 0o755] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/agent.sock");
        let place = Address::Unix(path.clone());
        let running = start_unix(Protocol::TtRpc, &api, |settings| {
            settings.address = place;
            settings.mode = mode;
        })
        .await;
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode);
        for made in ["a", "a/b"] {
            let made = std::fs::metadata(directory.path().join(made)).unwrap();
            assert_eq!(made.permissions().mode() & 0o7777, 0o755);
        }
        // Nothing but the socket and its lock is left.
        let names = || {
            let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(), [".agent.sock.lock".into(), "agent.sock".into()].into());
        running.stop().await;
        assert_eq!(names(), [".agent.sock.lock".into()].into());
    }
}

#[tokio::test]
async fn a_socket_is_given_to_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    let mut settings = settings(Address::Unix(path.clone()), Protocol::TtRpc);
    // Only root may give it away; everyone may keep it.
    let root = rustix::process::geteuid().is_root();
    let ids = if root {
        (12_345, 23_456)
    } else {
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    };
    settings.owner = Some(ids);
    let bound = faces::bind(&settings).await.unwrap();
    let metadata = std::fs::symlink_metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), ids);
    drop(bound);
    assert!(!path.exists());
    if !root {
        settings.owner = Some((0, 0));
        let error = faces::bind(&settings).await.unwrap_err();
        assert!(matches!(error, ListenError::System { .. }), "{error}");
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_live_socket_is_never_taken_and_goes_on_serving() {
    let api = Arc::new(Double::default());
    for protocol in [Protocol::TtRpc, Protocol::Grpc, Protocol::Rest] {
        let running = start_unix(protocol, &api, |_| ()).await;
        let before = std::fs::symlink_metadata(running.path()).unwrap().ino();
        let error = faces::bind(&settings(running.address.clone(), Protocol::TtRpc)).await.unwrap_err();
        assert!(matches!(error, ListenError::Live { .. }), "{error}");
        assert!(error.to_string().contains("another agent serves"), "{error}");
        assert_eq!(std::fs::symlink_metadata(running.path()).unwrap().ino(), before);
        running.connect().await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_full_queue_is_a_live_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    let listener = rustix::net::socket_with(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::bind(&listener, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // The queue of length 0 takes one.
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let error = faces::bind(&settings(Address::Unix(path.clone()), Protocol::TtRpc)).await.unwrap_err();
    assert!(matches!(error, ListenError::Live { .. }), "{error}");
    assert!(path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    drop(StdListener::bind(&path).unwrap());
    assert!(path.exists());
    let api = Arc::new(Double::default());
    let place = Address::Unix(path.clone());
    let running = start_unix(Protocol::TtRpc, &api, |settings| settings.address = place).await;
    let answer = exchange(&mut running.connect().await, AGENT, "GetTeeType", b"").await;
    assert_eq!(answer, good(&bytes_field(1, b"snp")));
    running.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn what_is_no_socket_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    type Make = fn(&std::path::Path);
    let make: [(&str, Make); 4] = [
        ("a file", |path| std::fs::write(path, "content").unwrap()),
        ("a directory", |path| std::fs::create_dir(path).unwrap()),
        ("a symbolic link", |path| {
            drop(StdListener::bind(path.with_extension("target")).unwrap());
            std::os::unix::fs::symlink(path.with_extension("target"), path).unwrap();
        }),
        ("a device or pipe", |path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }),
    ];
    for (found, make) in make {
        let path = directory.path().join(found.replace(' ', "-"));
        make(&path);
        let before = std::fs::symlink_metadata(&path).unwrap();
        let error = faces::bind(&settings(Address::Unix(path.clone()), Protocol::TtRpc)).await.unwrap_err();
        assert!(error.to_string().contains(found), "{error}");
        let after = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    }
}

#[tokio::test]
async fn at_the_end_only_ones_own_socket_is_removed() {
    let api = Arc::new(Double::default());
    let running = start_unix(Protocol::TtRpc, &api, |_| ()).await;
    let path = running.path().to_owned();
    std::fs::remove_file(&path).unwrap();
    let _others = StdListener::bind(&path).unwrap();
    let directory = {
        let mut running = running;
        let directory = running.directory.take();
        running.stop().await;
        directory
    };
    assert!(path.exists());
    drop(directory);
}

#[tokio::test]
async fn one_agent_binds_a_path_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    let other = std::fs::File::create(lock_of(&path)).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockShared).unwrap();
    let settings = settings(Address::Unix(path.clone()), Protocol::TtRpc);
    let binding = tokio::spawn(async move { faces::bind(&settings).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!path.exists() && !binding.is_finished());
    drop(other);
    let bound = soon(binding).await.unwrap().unwrap();
    assert!(path.exists());
    drop(bound);
}

fn lock_of(path: &std::path::Path) -> std::path::PathBuf {
    path.with_file_name(".agent.sock.lock")
}

#[tokio::test]
async fn a_lock_on_the_directory_which_anyone_may_take_keeps_nobody_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    let other = std::fs::File::open(directory.path()).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).unwrap();
    faces::bind(&settings(Address::Unix(path), Protocol::TtRpc)).await.unwrap();
}

#[tokio::test]
async fn the_locks_file_is_nobody_elses_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    let settings = settings(Address::Unix(path.clone()), Protocol::TtRpc);
    // One that others could open is closed to them.
    std::fs::write(lock_of(&path), "").unwrap();
    std::fs::set_permissions(lock_of(&path), std::fs::Permissions::from_mode(0o666)).unwrap();
    let mut inode = std::fs::metadata(lock_of(&path)).unwrap().ino();
    for round in 0..3 {
        drop(faces::bind(&settings).await.unwrap());
        assert!(!path.exists());
        let lock = std::fs::symlink_metadata(lock_of(&path)).unwrap();
        assert!(lock.is_file());
        assert_eq!(lock.mode() & 0o7777, 0o600);
        assert_eq!(lock.uid(), rustix::process::geteuid().as_raw());
        if round != 1 {
            assert_eq!(lock.ino(), inode, "{round}");
        }
        inode = lock.ino();
        if round == 0 {
            std::fs::remove_file(lock_of(&path)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_locks_file_that_is_another_thing_or_anothers_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    let settings = settings(Address::Unix(path.clone()), Protocol::TtRpc);
    let target = directory.path().join("target");
    // A link is not followed, whether it leads anywhere or not.
    std::os::unix::fs::symlink(&target, lock_of(&path)).unwrap();
    faces::bind(&settings).await.unwrap_err();
    assert!(!target.exists());
    std::fs::write(&target, "").unwrap();
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).unwrap();
    faces::bind(&settings).await.unwrap_err();
    assert_eq!(std::fs::metadata(&target).unwrap().mode() & 0o7777, 0o644);
    std::fs::remove_file(lock_of(&path)).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, lock_of(&path), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    let error = faces::bind(&settings).await.unwrap_err();
    assert!(error.to_string().contains("is no file"), "{error}");
    std::fs::remove_file(lock_of(&path)).unwrap();
    // Only root can give a file away.
    if rustix::process::geteuid().is_root() {
        std::fs::write(lock_of(&path), "").unwrap();
        std::os::unix::fs::chown(lock_of(&path), Some(12_345), None).unwrap();
        let error = faces::bind(&settings).await.unwrap_err();
        assert!(error.to_string().contains("a file of user id 12345; remove it"), "{error}");
        std::fs::remove_file(lock_of(&path)).unwrap();
    }
    assert!(!path.exists());
    faces::bind(&settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_many_agents_at_once_on_a_stale_socket_one_stands() {
    let directory = tempfile::tempdir().unwrap();
    let path = socket_in(&directory);
    drop(StdListener::bind(&path).unwrap());
    let settings = settings(Address::Unix(path.clone()), Protocol::TtRpc);
    let tries = (0..8).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { faces::bind(&settings).await })
    });
    let results = soon(futures_util::future::join_all(tries)).await;
    let (stand, fall): (Vec<_>, Vec<_>) = results.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!(stand.len(), 1);
    for error in fall {
        assert!(matches!(error, Err(ListenError::Live { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn addresses_of_other_machines_modes_and_limits_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
        let settings = settings(address.parse().unwrap(), Protocol::Grpc);
        let error = faces::bind(&settings).await.unwrap_err();
        assert!(matches!(error, ListenError::NotLoopback { .. }), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let good = settings(Address::Unix(socket_in(&directory)), Protocol::TtRpc);
    let mut mode = good.clone();
    mode.mode = 0o4755;
    assert!(matches!(faces::bind(&mode).await, Err(ListenError::Mode { mode: 0o4755, .. })));
    let mut limit = good.clone();
    limit.limits.connections = 0;
    assert!(matches!(faces::bind(&limit).await, Err(ListenError::ZeroLimit { limit: "connections" })));
    let mut long = good.clone();
    long.address = Address::Unix(directory.path().join("x".repeat(108)));
    assert!(matches!(faces::bind(&long).await, Err(ListenError::System { action: "bind", .. })));
    faces::bind(&good).await.unwrap();
}
