use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assay_store::{KeyEncryptionKey, StoreError};
use assay_types::Coded;

use super::is_root;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_key_file_is_private_and_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("below/it/kek");
    let made = KeyEncryptionKey::load_or_create(&file).unwrap();
    assert_eq!(std::fs::read(&file).unwrap().len(), 32);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(mode(&folder.path().join("below")), 0o700);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
    assert_eq!(KeyEncryptionKey::load_or_create(&file).unwrap().id(), made.id());
    set_mode(&file, 0o400);
    assert_eq!(KeyEncryptionKey::load_or_create(&file).unwrap().id(), made.id());
    let other = KeyEncryptionKey::load_or_create(&folder.path().join("other")).unwrap();
    assert_ne!(other.id(), made.id());
}

#[test]
fn of_many_that_start_at_once_all_get_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kek");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let file = file.clone();
            std::thread::spawn(move || KeyEncryptionKey::load_or_create(&file).unwrap().id())
        })
        .collect();
    let mut ids: Vec<String> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_key_file_open_to_others_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kek");
    KeyEncryptionKey::load_or_create(&file).unwrap();
    for loose in [0o640, 0o604, 0o620, 0o601, 0o644, 0o666] {
        set_mode(&file, loose);
        let error = KeyEncryptionKey::load_or_create(&file).unwrap_err();
        assert_eq!(error, StoreError::KeyFileMode { path: file.clone(), mode: loose });
        assert_eq!(error.code(), "STORE-011");
    }
}

#[test]
fn a_key_file_of_another_length_or_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kek");
    for length in [0, 1, 31, 33, 64, 100_000] {
        std::fs::write(&file, vec![1; length]).unwrap();
        set_mode(&file, 0o600);
        let error = KeyEncryptionKey::load_or_create(&file).unwrap_err();
        assert_eq!(error.code(), "STORE-013", "{length}: {error}");
        assert_eq!(std::fs::read(&file).unwrap().len(), length, "the file is left alone");
    }
    let error = KeyEncryptionKey::load_or_create(folder.path()).unwrap_err();
    assert_eq!(error.code(), "STORE-013", "{error}");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg("-m").arg("600").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        let error = KeyEncryptionKey::load_or_create(&pipe).unwrap_err();
        assert_eq!(error.code(), "STORE-013", "{error}");
    }
}

#[test]
fn a_key_file_that_cannot_be_reached_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kek");
    std::fs::write(&file, [1; 32]).unwrap();
    let error = KeyEncryptionKey::load_or_create(&file.join("below-a-file")).unwrap_err();
    assert_eq!(error.code(), "STORE-010", "{error}");
    if is_root() {
        println!("skipped the part on an unreadable file: root reads everything");
        return;
    }
    set_mode(&file, 0o000);
    let error = KeyEncryptionKey::load_or_create(&file).unwrap_err();
    assert_eq!(error.code(), "STORE-010", "{error}");
}

#[test]
fn a_key_file_of_another_user_is_refused() {
    if !is_root() {
        println!("skipped: only root can give a file away");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kek");
    std::fs::write(&file, [1; 32]).unwrap();
    set_mode(&file, 0o600);
    std::os::unix::fs::chown(&file, Some(4711), None).unwrap();
    let error = KeyEncryptionKey::load_or_create(&file).unwrap_err();
    assert_eq!(error, StoreError::KeyFileOwner { path: file, owner: 4711, user: 0 });
}
