use std::time::Duration;

use assay_store::{AttestedSession, StoreError};
use assay_types::UnixTime;

use super::{NOW, Place};

/// A session whose every unique member follows from `number`.
pub(crate) fn session(number: u32) -> AttestedSession {
    let hash = |kind: u8| {
        let mut bytes = [kind; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    AttestedSession {
        challenge_hash: hash(1),
        session_hash: hash(2),
        jti: format!("jti-{number}"),
        expires: NOW.plus(i64::from(number)),
        token: format!("token.{number}"),
        verdict: format!("{{\"n\":{number}}}"),
    }
}

#[tokio::test]
async fn a_session_is_found_by_its_hash_and_its_verdict_by_the_token_id() {
    let place = Place::new();
    let store = place.open().await;
    store.record_attestation(session(1)).await.unwrap();
    assert_eq!(store.session(&session(1).session_hash).await.unwrap(), Some(session(1)));
    assert_eq!(store.session(&session(2).session_hash).await.unwrap(), None);
    assert_eq!(store.session(&session(1).challenge_hash).await.unwrap(), None);
    assert_eq!(store.verdict("jti-1").await.unwrap().as_deref(), Some("{\"n\":1}"));
    assert_eq!(store.verdict("jti-2").await.unwrap(), None);
}

#[tokio::test]
async fn each_unique_member_alone_refuses_a_second_record() {
    let place = Place::new();
    let store = place.open().await;
    store.record_attestation(session(1)).await.unwrap();
    let others = [
        AttestedSession { challenge_hash: session(1).challenge_hash, ..session(2) },
        AttestedSession { session_hash: session(1).session_hash, ..session(2) },
        AttestedSession { jti: session(1).jti, ..session(2) },
    ];
    for other in others {
        assert_eq!(store.record_attestation(other).await, Err(StoreError::AlreadyUsed));
    }
    assert_eq!(store.session(&session(1).session_hash).await.unwrap(), Some(session(1)));
    store.record_attestation(session(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_parallel_records_of_one_challenge_one_succeeds() {
    let place = Place::new();
    // Two stores on one file stand for two processes.
    let stores = [place.open().await, place.open().await];
    for challenge in 0..4 {
        let tasks: Vec<_> = (0..64)
            .map(|i| {
                let store = stores[i % 2].clone();
                let number = 1000 * (challenge + 1) + u32::try_from(i).unwrap();
                let record =
                    AttestedSession { challenge_hash: session(challenge).challenge_hash, ..session(number) };
                tokio::spawn(async move { (number, store.record_attestation(record).await) })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                (number, Ok(())) => winners.push(number),
                (_, result) => assert_eq!(result, Err(StoreError::AlreadyUsed)),
            }
        }
        assert_eq!(winners.len(), 1);
        for number in 0..64 {
            let number = 1000 * (challenge + 1) + number;
            let found = stores[0].session(&session(number).session_hash).await.unwrap();
            assert_eq!(found.is_some(), number == winners[0], "only the winner's session exists");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_written_together_are_answered_each_for_itself() {
    let place = Place::new();
    let store = place.open().await;
    for number in (0..300).step_by(3) {
        store.record_attestation(session(number)).await.unwrap();
    }
    let tasks: Vec<_> = (0..300)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { (number, store.record_attestation(session(number)).await) })
        })
        .collect();
    for task in tasks {
        let (number, result) = task.await.unwrap();
        let expected = if number % 3 == 0 { Err(StoreError::AlreadyUsed) } else { Ok(()) };
        assert_eq!(result, expected, "{number}");
    }
    for number in 0..300 {
        assert_eq!(store.session(&session(number).session_hash).await.unwrap(), Some(session(number)));
    }
}

#[tokio::test]
async fn a_sweep_removes_what_expired_before_now() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..500 {
        store.record_attestation(session(number)).await.unwrap();
    }
    assert_eq!(store.sweep(UnixTime(0)).await.unwrap(), 0);
    assert_eq!(store.sweep(NOW.plus(450)).await.unwrap(), 450);
    assert_eq!(store.sweep(NOW.plus(450)).await.unwrap(), 0);
    assert_eq!(store.session(&session(449).session_hash).await.unwrap(), None);
    assert_eq!(store.session(&session(450).session_hash).await.unwrap(), Some(session(450)));
    // Swept: the challenge is free again, so its own end must have come before.
    store.record_attestation(session(1)).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_goes_away_harms_nobody() {
    let place = Place::new();
    let store = place.open().await;
    let (name, value) = (super::path("a/b/c"), super::secret("x"));
    for number in 0..50 {
        let hash = session(number).session_hash;
        let record = store.record_attestation(session(number));
        // Polled once, then dropped.
        let _gone = tokio::time::timeout(Duration::ZERO, record).await;
        let write = store.put_resource(&name, &value, NOW);
        let _gone = tokio::time::timeout(Duration::ZERO, write).await;
        let read = store.session(&hash);
        let _gone = tokio::time::timeout(Duration::ZERO, read).await;
    }
    for number in 100..120 {
        store.record_attestation(session(number)).await.unwrap();
        assert_eq!(store.session(&session(number).session_hash).await.unwrap(), Some(session(number)));
    }
    let version = store.put_resource(&super::path("a/b/c"), &super::secret("y"), NOW).await.unwrap();
    let stored = store.get_resource(&super::path("a/b/c")).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.value), (version, super::secret("y")));
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let tasks: Vec<_> = (0..2000)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.record_attestation(session(number)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    store.close().await;
    let store = place.open().await;
    assert_eq!(store.sweep(UnixTime::MAX).await.unwrap(), 2000);
}

#[test]
fn debug_shows_no_token() {
    assert!(!format!("{:?}", session(1)).contains("token.1"));
}
