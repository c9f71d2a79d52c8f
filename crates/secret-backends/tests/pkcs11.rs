//! The back end on a PKCS#11 token, against SoftHSM.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod hsm;

use std::sync::Arc;

use assay_secret_backends::{Pkcs11Backend, Pkcs11Settings, SecretBackend as _};
use assay_types::{Coded as _, Fault, ResourcePath, SecretBytes};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use hsm::{Hsm, LABEL, PIN, token};

fn settings(hsm: &Hsm) -> Pkcs11Settings {
    Pkcs11Settings::new(&hsm.module, LABEL, &hsm.pin_file)
}

fn backend(hsm: &Hsm) -> Pkcs11Backend {
    Pkcs11Backend::new(settings(hsm))
}

fn resource(text: &str) -> ResourcePath {
    text.parse().unwrap()
}

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

/// Another program's view of the token, in the same process.
struct Other {
    library: Pkcs11,
    slot: Slot,
    session: Session,
}

fn other(hsm: &Hsm) -> Other {
    let library = Pkcs11::new(&hsm.module).unwrap();
    let _ = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = library.get_slots_with_initialized_token().unwrap();
    let slot =
        slots.into_iter().find(|slot| library.get_token_info(*slot).unwrap().label() == LABEL).unwrap();
    let session = library.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN)));
    Other { library, slot, session }
}

impl Other {
    fn data(&self, label: &str, application: &str, value: &[u8]) {
        self.session
            .create_object(&[
                Attribute::Class(ObjectClass::DATA),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Label(label.into()),
                Attribute::Application(application.into()),
                Attribute::Value(value.to_vec()),
            ])
            .unwrap();
    }

    fn key(&self, label: &str, value: &[u8], extractable: bool) {
        self.session
            .create_object(&[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::GENERIC_SECRET),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Extractable(extractable),
                Attribute::Sensitive(!extractable),
                Attribute::Label(label.into()),
                Attribute::Value(value.to_vec()),
            ])
            .unwrap();
    }

    fn objects(&self, label: &str) -> Vec<(ObjectClass, Option<Vec<u8>>)> {
        let found = self.session.find_objects(&[Attribute::Label(label.into())]).unwrap();
        let mut objects = Vec::new();
        for handle in found {
            let mut class = ObjectClass::DATA;
            let mut application = None;
            let wanted = [AttributeType::Class, AttributeType::Application];
            for attribute in self.session.get_attributes(handle, &wanted).unwrap() {
                match attribute {
                    Attribute::Class(found) => class = found,
                    Attribute::Application(found) => application = Some(found),
                    _ => {}
                }
            }
            objects.push((class, application));
        }
        objects
    }
}

#[tokio::test]
async fn what_is_stored_comes_back_and_what_is_deleted_does_not() {
    let Some(hsm) = token("what_is_stored_comes_back_and_what_is_deleted_does_not") else { return };
    let backend = backend(&hsm);
    backend.check().await.unwrap();
    let there = resource("default/key/1");
    assert_eq!(backend.get(&there).await.unwrap(), None);
    for (n, value) in
        [(1, secret(&(0..=255).collect::<Vec<u8>>())), (2, secret(b"x")), (3, secret(&[7; 100_000]))]
    {
        assert_eq!(backend.put(&there, &value).await.unwrap(), Some(n));
        let found = backend.get(&there).await.unwrap().unwrap();
        assert_eq!((found.value, found.version), (value, Some(n)));
    }
    // One object, private, with the version as we write it.
    let other = other(&hsm);
    assert_eq!(other.objects("default/key/1"), [(ObjectClass::DATA, Some(b"assay:3".to_vec()))]);
    assert!(backend.delete(&there).await.unwrap());
    assert!(!backend.delete(&there).await.unwrap());
    assert_eq!(backend.get(&there).await.unwrap(), None);
    let large = SecretBytes::new(vec![0; (1 << 20) + 1]);
    let error = backend.put(&there, &large).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("SEC-003", Fault::TooLarge));
}

#[tokio::test]
async fn an_empty_value_is_a_value() {
    let Some(hsm) = token("an_empty_value_is_a_value") else { return };
    let backend = backend(&hsm);
    backend.put(&resource("a/k/1"), &secret(b"")).await.unwrap();
    assert_eq!(backend.get(&resource("a/k/1")).await.unwrap().unwrap().value, secret(b""));
}

#[tokio::test]
async fn repository_type_and_tag_all_count_and_listings_begin_as_asked() {
    let Some(hsm) = token("repository_type_and_tag_all_count_and_listings_begin_as_asked") else { return };
    let backend = backend(&hsm);
    let all = ["A/k/1", "a.b/k/1", "a/k/1", "a/k/1.1", "a/l/1", "aa/k/1", "b/k/1"];
    for text in all {
        backend.put(&resource(text), &secret(text.as_bytes())).await.unwrap();
    }
    for text in all {
        assert_eq!(backend.get(&resource(text)).await.unwrap().unwrap().value, secret(text.as_bytes()));
    }
    let other = other(&hsm);
    other.data("not a resource", "x", b"x");
    other.key("t/k/1", b"key", true);
    other.key("hidden/k/1", b"key", false);
    let listed = async |prefix| {
        let listed = backend.list(prefix).await.unwrap();
        listed.into_iter().map(|info| info.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [&all[..], &["t/k/1"]].concat());
    assert_eq!(listed(Some("a/")).await, ["a/k/1", "a/k/1.1", "a/l/1"]);
    assert_eq!(listed(Some("c")).await, [""; 0]);
    let info = backend.list(Some("a/l/")).await.unwrap().remove(0);
    assert_eq!((info.version, info.versions, info.size), (Some(1), Some(1), Some(5)));
    assert!(backend.delete(&resource("a/k/1")).await.unwrap());
    assert!(backend.get(&resource("a/k/1.1")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_others_put_there_is_read_and_a_write_takes_its_place() {
    let Some(hsm) = token("what_others_put_there_is_read_and_a_write_takes_its_place") else { return };
    let (backend, other) = (backend(&hsm), other(&hsm));
    // Trustee's plugin: a generic secret that can be extracted.
    other.key("default/key/1", b"trustee", true);
    other.data("default/key/2", "pkcs11-tool", b"by hand");
    for (path, value) in [("default/key/1", &b"trustee"[..]), ("default/key/2", b"by hand")] {
        let found = backend.get(&resource(path)).await.unwrap().unwrap();
        assert_eq!((found.value.expose(), found.version), (value, None));
        assert_eq!(backend.put(&resource(path), &secret(b"new")).await.unwrap(), Some(1));
        assert_eq!(backend.get(&resource(path)).await.unwrap().unwrap().value, secret(b"new"));
        // What was there does not come back when ours is deleted.
        assert!(backend.delete(&resource(path)).await.unwrap());
        assert_eq!(backend.get(&resource(path)).await.unwrap(), None);
    }
    // Written twice by Trustee, the same value and then another.
    other.key("default/key/3", b"one", true);
    other.key("default/key/3", b"one", true);
    assert_eq!(backend.get(&resource("default/key/3")).await.unwrap().unwrap().value, secret(b"one"));
    other.key("default/key/3", b"two", true);
    let error = backend.get(&resource("default/key/3")).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("HSM-010", Fault::BadGateway));
    // A key that stays on the token is no resource, and is left alone.
    other.key("default/key/4", b"stays", false);
    let error = backend.get(&resource("default/key/4")).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("HSM-009", Fault::BadGateway));
    assert!(!backend.delete(&resource("default/key/4")).await.unwrap());
    assert_eq!(other.objects("default/key/4").len(), 1);
}

#[tokio::test]
async fn of_several_objects_the_newest_counts_and_a_write_cleans_up() {
    let Some(hsm) = token("of_several_objects_the_newest_counts_and_a_write_cleans_up") else { return };
    let (backend, other) = (backend(&hsm), other(&hsm));
    // As a replica leaves them that died between making the new object and removing the old one.
    for (application, value) in
        [("assay:9", &b"nine"[..]), ("assay:10", b"ten"), ("assay:2", b"two"), ("x", b"x")]
    {
        other.data("a/k/1", application, value);
    }
    let found = backend.get(&resource("a/k/1")).await.unwrap().unwrap();
    assert_eq!((found.value.expose(), found.version), (&b"ten"[..], Some(10)));
    // Two replicas at the same moment: the same one for everybody.
    other.data("a/k/1", "assay:10", b"zehn");
    assert_eq!(backend.get(&resource("a/k/1")).await.unwrap().unwrap().value, secret(b"zehn"));
    assert_eq!(backend.put(&resource("a/k/1"), &secret(b"eleven")).await.unwrap(), Some(11));
    assert_eq!(other.objects("a/k/1").len(), 1);
}

#[tokio::test]
async fn lost_sessions_and_logouts_are_mended_within_the_call() {
    let Some(hsm) = token("lost_sessions_and_logouts_are_mended_within_the_call") else { return };
    let backend = backend(&hsm);
    let there = resource("a/k/1");
    backend.put(&there, &secret(b"x")).await.unwrap();
    for _ in 0..3 {
        // Every session is gone, and the module with them.
        other(&hsm).library.finalize().unwrap();
        assert_eq!(backend.get(&there).await.unwrap().unwrap().value, secret(b"x"));
        other(&hsm).library.finalize().unwrap();
        backend.check().await.unwrap();
    }
    let other = other(&hsm);
    // Logged out, private objects would look as if they did not exist.
    let session = other.library.open_rw_session(other.slot).unwrap();
    session.logout().unwrap();
    assert_eq!(backend.get(&there).await.unwrap().unwrap().value, secret(b"x"));
    session.logout().unwrap();
    assert!(backend.delete(&there).await.unwrap());
}

#[tokio::test]
async fn a_pin_that_is_refused_is_not_tried_again_until_it_changes() {
    let Some(hsm) = token("a_pin_that_is_refused_is_not_tried_again_until_it_changes") else { return };
    std::fs::write(&hsm.pin_file, "wrong pin").unwrap();
    let backend = backend(&hsm);
    let first = backend.check().await.unwrap_err();
    assert_eq!((first.code(), first.fault()), ("HSM-005", Fault::BadGateway));
    assert!(!format!("{first} {first:?}").contains("wrong pin"));
    for _ in 0..20 {
        let error = backend.get(&resource("a/k/1")).await.unwrap_err();
        assert!(error.to_string().contains("as before"), "{error}");
    }
    std::fs::write(&hsm.pin_file, PIN).unwrap();
    backend.check().await.unwrap();
    assert_eq!(backend.get(&resource("a/k/1")).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_or_pin_file_that_is_not_there_is_named() {
    let Some(hsm) = token("a_token_or_pin_file_that_is_not_there_is_named") else { return };
    let none = Pkcs11Backend::new(Pkcs11Settings { token_label: "another".into(), ..settings(&hsm) });
    let error = none.check().await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("HSM-003", Fault::Unavailable));
    assert!(error.to_string().contains("another") && error.to_string().contains(LABEL), "{error}");
    let none = Pkcs11Backend::new(Pkcs11Settings { pin_file: hsm.folder.join("none"), ..settings(&hsm) });
    assert_eq!(none.check().await.unwrap_err().code(), "HSM-002");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_and_readers_get_whole_values() {
    let Some(hsm) = token("many_writers_and_readers_get_whole_values") else { return };
    let backend = Arc::new(backend(&hsm));
    let tasks: Vec<_> = (0..8_u8)
        .map(|n| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for _ in 0..5 {
                    numbers.push(backend.put(&resource("a/k/1"), &secret(&[n; 500])).await.unwrap().unwrap());
                    let found = backend.get(&resource("a/k/1")).await.unwrap().unwrap().value;
                    assert!(
                        found.expose().iter().all(|b| *b == found.expose()[0]) && found.expose().len() == 500
                    );
                }
                numbers
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}
