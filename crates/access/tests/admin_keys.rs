//! The admin keys of a store: made once, rotated, revoked, taken in from a file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod place;

use std::sync::Arc;

use assay_access::{ADMIN_KEY_PURPOSE, AdminKey, AdminKeyError, AdminKeys, MAX_ADMIN_TOKEN_SECONDS, Role};
use assay_types::{Clock as _, Coded as _, SecretBytes};
use place::{HERE, NOW, Place, kids, records};

const DAY: i64 = MAX_ADMIN_TOKEN_SECONDS;

#[tokio::test]
async fn of_many_that_start_at_once_one_makes_the_key() {
    let place = Place::new();
    let (a, b) = (place.open().await, place.open().await);
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (store, clock) = (if n % 2 == 0 { a.clone() } else { b.clone() }, place.clock.clone());
            tokio::spawn(async move { AdminKeys::load(store, clock).await.unwrap() })
        })
        .collect();
    let mut made = 0;
    let mut tokens = Vec::new();
    let mut all = Vec::new();
    for task in tasks {
        let keys = Arc::new(task.await.unwrap());
        made += usize::from(keys.made());
        tokens.push(keys.newest().await.unwrap().mint(Role::Auditor, 60, HERE, NOW).unwrap());
        all.push(assay_access::Authority::new(keys, HERE, Vec::new()).unwrap());
    }
    assert_eq!((made, kids(&a).await.len()), (1, 1));
    for token in &tokens {
        assert!(all.iter().all(|authority| place.refusal(authority, token).is_empty()));
    }
}

#[tokio::test]
async fn the_key_survives_a_restart_and_its_secret_is_sealed() {
    let place = Place::new();
    let store = place.open().await;
    let keys = place.load(&store).await;
    assert!(keys.made());
    let first = keys.newest().await.unwrap();
    store.close().await;
    let store = place.open().await;
    let keys = place.load(&store).await;
    assert!(!keys.made());
    assert_eq!(keys.newest().await.unwrap().kid(), first.kid());
    let pkcs8 = first.to_pkcs8().unwrap();
    store.close().await;
    for entry in std::fs::read_dir(place.file().parent().unwrap()).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(32).any(|part| part == &pkcs8.expose()[36..68]));
    }
}

#[tokio::test]
async fn after_a_rotation_old_tokens_hold_as_long_as_they_can_live() {
    let place = Place::new();
    let store = place.open().await;
    let authority = place.authority(&store, Vec::new()).await;
    let keys = authority.keys();
    let old = keys.newest().await.unwrap();
    let token = |key: &AdminKey, seconds| key.mint(Role::Admin, seconds, HERE, place.clock.now()).unwrap();
    let by_old = token(&old, DAY);
    assert_eq!(place.refusal(&authority, &by_old), "");
    let kid = keys.rotate(false).await.unwrap();
    let new = keys.newest().await.unwrap();
    assert_eq!((new.kid(), kids(&store).await), (kid.as_str(), vec![kid.clone(), old.kid().to_owned()]));
    let by_new = token(&new, DAY);
    assert_eq!((place.refusal(&authority, &by_old), place.refusal(&authority, &by_new)), ("", ""));
    place.clock.advance(DAY - 1);
    assert_eq!(place.refusal(&authority, &by_old), "");
    let late = token(&old, 60);
    assert_eq!(place.refusal(&authority, &late), "");
    // Nothing was read again: the end of a key is known beforehand.
    place.clock.advance(1);
    assert_eq!(place.refusal(&authority, &late), "KBS-027");
    assert_eq!(place.refusal(&authority, &token(&new, 60)), "");
    // The store forgets it.
    place.clock.advance(1);
    store.delete_expired_keys(place.clock.now()).await.unwrap();
    assert_eq!(kids(&store).await, [kid]);
}

#[tokio::test]
async fn a_revocation_ends_all_tokens_at_once() {
    let place = Place::new();
    let store = place.open().await;
    let authority = place.authority(&store, Vec::new()).await;
    let other = place.authority(&place.open().await, Vec::new()).await;
    let keys = authority.keys();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(keys.newest().await.unwrap().mint(Role::Admin, DAY, HERE, NOW).unwrap());
        keys.rotate(false).await.unwrap();
    }
    let revoked = keys.newest().await.unwrap();
    tokens.push(revoked.mint(Role::Admin, DAY, HERE, NOW).unwrap());
    assert!(tokens.iter().all(|token| place.refusal(&authority, token).is_empty()));
    keys.rotate(true).await.unwrap();
    assert!(tokens.iter().all(|token| place.refusal(&authority, token) == "KBS-027"));
    let new = keys.newest().await.unwrap().mint(Role::Admin, 60, HERE, NOW).unwrap();
    assert_eq!(place.refusal(&authority, &new), "");
    // Another replica knows it as soon as it reads the keys again.
    assert_eq!(place.refusal(&other, &new), "KBS-027");
    other.keys().reload().await.unwrap();
    assert_eq!(place.refusal(&other, &new), "");
    assert!(tokens.iter().all(|token| place.refusal(&other, token) == "KBS-027"));
}

#[tokio::test]
async fn of_many_rotations_at_once_one_key_stays() {
    let place = Place::new();
    let (a, b) = (place.open().await, place.open().await);
    let (one, two) = (place.load(&a).await, place.load(&b).await);
    for revoke in [false, true] {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let keys = Arc::clone(if n % 2 == 0 { &one } else { &two });
                tokio::spawn(async move { keys.rotate(revoke).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let records = records(&a).await;
        let far = |record: &&assay_store::KeyRecord| record.expires > NOW.plus(DAY);
        assert_eq!(records.iter().filter(far).count(), 1);
        assert_eq!(one.newest().await.unwrap().kid(), records[0].kid);
        assert!(far(&&records[0]));
    }
}

#[tokio::test]
async fn where_no_key_signs_any_more_one_is_made() {
    let place = Place::new();
    let store = place.open().await;
    let keys = place.load(&store).await;
    let old = keys.newest().await.unwrap();
    store.retire_key(ADMIN_KEY_PURPOSE, old.kid(), NOW).await.unwrap();
    assert_eq!(keys.newest().await.unwrap_err().code(), "ACC-009");
    let again = place.load(&store).await;
    assert!(again.made());
    assert_ne!(again.newest().await.unwrap().kid(), old.kid());
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_an_error_and_the_old_ones_stay() {
    let place = Place::new();
    let store = place.open().await;
    let authority = place.authority(&store, Vec::new()).await;
    let token = authority.keys().newest().await.unwrap().mint(Role::Admin, 60, HERE, NOW).unwrap();
    let good = records(&store).await.remove(0);
    let bad = |kid: &str, algorithm: &str, secret: SecretBytes| assay_store::KeyRecord {
        kid: kid.to_owned(),
        algorithm: algorithm.to_owned(),
        secret,
        created: NOW.plus(-5),
        ..good.clone()
    };
    for (n, record) in
        [bad("a", "ES256", SecretBytes::new(vec![1, 2, 3])), bad("b", "ES384", good.secret.clone())]
            .into_iter()
            .enumerate()
    {
        store.put_key(record).await.unwrap();
        let error = authority.keys().reload().await.unwrap_err();
        assert!(matches!(&error, AdminKeyError::Stored { .. }), "{n}: {error}");
        assert_eq!(place.refusal(&authority, &token), "");
        store.retire_key(ADMIN_KEY_PURPOSE, ["a", "b"][n], NOW.plus(-1)).await.unwrap();
        store.delete_expired_keys(NOW).await.unwrap();
    }
    authority.keys().reload().await.unwrap();
}

#[tokio::test]
async fn the_file_of_an_earlier_release_signs_where_there_is_no_other_key() {
    let place = Place::new();
    let store = place.open().await;
    assert!(!place.import(&store).await.unwrap(), "no file is no error");
    let old = AdminKey::generate().unwrap();
    place.write_file(&old, 0o600);
    assert!(place.import(&store).await.unwrap());
    assert!(!place.import(&store).await.unwrap());
    let keys = place.load(&store).await;
    assert!(!keys.made());
    assert_eq!(keys.newest().await.unwrap().kid(), old.kid());
}

#[tokio::test]
async fn beside_other_keys_the_file_only_verifies_and_a_revoked_one_stays_away() {
    let place = Place::new();
    let store = place.open().await;
    let authority = place.authority(&store, Vec::new()).await;
    let own = authority.keys().newest().await.unwrap();
    let old = AdminKey::generate().unwrap();
    let token = |life| old.mint(Role::Admin, life, HERE, place.clock.now()).unwrap();
    place.write_file(&old, 0o600);
    assert_eq!(place.refusal(&authority, &token(60)), "KBS-027");
    assert!(place.import(&store).await.unwrap());
    authority.keys().reload().await.unwrap();
    assert_eq!(place.refusal(&authority, &token(60)), "");
    assert_eq!(authority.keys().newest().await.unwrap().kid(), own.kid());

    authority.keys().rotate(true).await.unwrap();
    for _ in 0..2 {
        assert!(!place.import(&store).await.unwrap());
        authority.keys().reload().await.unwrap();
        assert_eq!(place.refusal(&authority, &token(60)), "KBS-027");
        // When it has gone from the store, it is still known.
        place.clock.advance(2 * DAY);
        store.delete_expired_keys(place.clock.now()).await.unwrap();
    }
    assert_eq!(kids(&store).await.len(), 1);
}

#[tokio::test]
async fn several_take_the_file_in_once() {
    let place = Place::new();
    place.write_file(&AdminKey::generate().unwrap(), 0o600);
    let (a, b) = (place.open().await, place.open().await);
    let mut taken = 0;
    for _ in 0..2 {
        let (one, two) = tokio::join!(place.import(&a), place.import(&b));
        taken += usize::from(one.unwrap()) + usize::from(two.unwrap());
    }
    assert_eq!((taken, kids(&a).await.len()), (1, 1));
}

#[tokio::test]
async fn a_file_that_others_can_read_is_not_taken() {
    let place = Place::new();
    let store = place.open().await;
    place.write_file(&AdminKey::generate().unwrap(), 0o644);
    assert_eq!(place.import(&store).await.unwrap_err().code(), "ACC-005");
    assert_eq!(kids(&store).await, Vec::<String>::new());
}
