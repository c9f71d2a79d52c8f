use assay_store::{ChallengeResponseStatus as Status, StoreError, SubmittedEvidence};
use assay_types::{Coded, Fault, UnixTime};

use super::{NOW, Place};

const LIMIT: u64 = 100;

fn id(number: u8) -> [u8; 32] {
    [number; 32]
}

fn evidence() -> SubmittedEvidence {
    SubmittedEvidence { media_type: "application/x".into(), bytes: vec![0, 1, 2] }
}

#[tokio::test]
async fn a_session_goes_from_waiting_to_its_result() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(store.challenge_response(&id(1)).await.unwrap(), None);
    store.create_challenge_response(&id(1), &[7; 64], NOW.plus(150), NOW, LIMIT).await.unwrap();
    let waiting = store.challenge_response(&id(1)).await.unwrap().unwrap();
    assert_eq!(
        (waiting.nonce, waiting.expires, waiting.status),
        (vec![7; 64], NOW.plus(150), Status::Waiting)
    );
    assert_eq!((waiting.evidence, waiting.result), (None, None));

    assert!(store.claim_challenge_response(&id(1), NOW).await.unwrap());
    let processing = store.challenge_response(&id(1)).await.unwrap().unwrap();
    assert_eq!(processing.status, Status::Processing);
    assert!(store.complete_challenge_response(&id(1), &evidence(), Some("a.b.c")).await.unwrap());
    store.close().await;

    let store = place.open().await;
    let complete = store.challenge_response(&id(1)).await.unwrap().unwrap();
    assert_eq!(complete.status, Status::Complete);
    assert_eq!(complete.evidence, Some(evidence()));
    assert_eq!(complete.result.as_deref(), Some("a.b.c"));
}

#[tokio::test]
async fn a_session_without_a_result_has_failed() {
    let place = Place::new();
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(150), NOW, LIMIT).await.unwrap();
    assert!(store.claim_challenge_response(&id(1), NOW).await.unwrap());
    assert!(store.complete_challenge_response(&id(1), &evidence(), None).await.unwrap());
    let failed = store.challenge_response(&id(1)).await.unwrap().unwrap();
    assert_eq!((failed.status, failed.result), (Status::Failed, None));
}

#[tokio::test]
async fn only_a_claimed_session_is_completed_and_only_once() {
    let place = Place::new();
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(150), NOW, LIMIT).await.unwrap();
    assert!(!store.complete_challenge_response(&id(1), &evidence(), Some("a")).await.unwrap());
    assert!(!store.complete_challenge_response(&id(2), &evidence(), Some("a")).await.unwrap());
    assert!(store.claim_challenge_response(&id(1), NOW).await.unwrap());
    assert!(!store.claim_challenge_response(&id(1), NOW).await.unwrap());
    assert!(store.complete_challenge_response(&id(1), &evidence(), Some("a")).await.unwrap());
    assert!(!store.complete_challenge_response(&id(1), &evidence(), Some("b")).await.unwrap());
    assert!(!store.claim_challenge_response(&id(1), NOW).await.unwrap());
    assert_eq!(store.challenge_response(&id(1)).await.unwrap().unwrap().result.as_deref(), Some("a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_who_claim_a_session_at_once_one_succeeds() {
    let place = Place::new();
    // Two stores on one file stand for two processes.
    let stores = [place.open().await, place.open().await];
    for number in 0..4 {
        stores[0].create_challenge_response(&id(number), &[7; 8], NOW.plus(9), NOW, LIMIT).await.unwrap();
        let claims: Vec<_> = (0..64)
            .map(|n| {
                let store = stores[n % 2].clone();
                tokio::spawn(async move { store.claim_challenge_response(&id(number), NOW).await.unwrap() })
            })
            .collect();
        let mut claimed = 0;
        for claim in claims {
            claimed += usize::from(claim.await.unwrap());
        }
        assert_eq!(claimed, 1);
    }
}

#[tokio::test]
async fn an_ended_session_is_not_claimed_and_not_deleted_but_swept() {
    let place = Place::new();
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(150), NOW, LIMIT).await.unwrap();
    store.create_challenge_response(&id(2), &[7; 8], NOW.plus(151), NOW, LIMIT).await.unwrap();
    assert!(!store.claim_challenge_response(&id(1), NOW.plus(150)).await.unwrap());
    assert!(!store.delete_challenge_response(&id(1), NOW.plus(150)).await.unwrap());
    assert!(store.claim_challenge_response(&id(2), NOW.plus(150)).await.unwrap());
    assert_eq!(store.sweep(NOW.plus(150)).await.unwrap(), 0);
    assert_eq!(store.sweep(NOW.plus(151)).await.unwrap(), 1);
    assert_eq!(store.challenge_response(&id(1)).await.unwrap(), None);
    assert!(store.challenge_response(&id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_sweep_removes_more_than_one_batch() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..450_u32 {
        let mut hash = id(1);
        hash[..4].copy_from_slice(&number.to_be_bytes());
        store.create_challenge_response(&hash, &[7; 8], NOW, NOW.plus(-1), 1000).await.unwrap();
    }
    assert_eq!(store.sweep(NOW).await.unwrap(), 0);
    assert_eq!(store.sweep(UnixTime::MAX).await.unwrap(), 450);
}

#[tokio::test]
async fn a_deleted_session_is_gone_at_once() {
    let place = Place::new();
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(9), NOW, LIMIT).await.unwrap();
    assert!(store.claim_challenge_response(&id(1), NOW).await.unwrap());
    assert!(store.delete_challenge_response(&id(1), NOW).await.unwrap());
    assert!(!store.delete_challenge_response(&id(1), NOW).await.unwrap());
    assert!(!store.complete_challenge_response(&id(1), &evidence(), Some("a")).await.unwrap());
    assert_eq!(store.challenge_response(&id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn live_sessions_are_limited_and_ended_ones_do_not_count() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..3 {
        store.create_challenge_response(&id(number), &[7; 8], NOW.plus(10), NOW, 3).await.unwrap();
    }
    let error = store.create_challenge_response(&id(3), &[7; 8], NOW.plus(10), NOW, 3).await.unwrap_err();
    assert_eq!(error, StoreError::TooManySessions { limit: 3 });
    assert_eq!((error.code(), error.fault()), ("STORE-021", Fault::Unavailable));
    store.create_challenge_response(&id(3), &[7; 8], NOW.plus(20), NOW.plus(10), 3).await.unwrap();
    store.delete_challenge_response(&id(3), NOW).await.unwrap();
    store.create_challenge_response(&id(3), &[7; 8], NOW.plus(20), NOW.plus(10), 1).await.unwrap();
}

#[tokio::test]
async fn an_identifier_is_given_once() {
    let place = Place::new();
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(9), NOW, LIMIT).await.unwrap();
    let error = store.create_challenge_response(&id(1), &[8; 8], NOW.plus(9), NOW, LIMIT).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_status_is_corrupt() {
    let place = Place::new();
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(9), NOW, LIMIT).await.unwrap();
    place.run("UPDATE challenge_response_sessions SET status = 'asleep'").await;
    let error = store.challenge_response(&id(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_the_first_schema_gets_the_table() {
    let place = Place::new();
    place.open().await.close().await;
    place
        .run("DROP TABLE challenge_response_sessions; DELETE FROM schema_migrations WHERE version = 2")
        .await;
    let store = place.open().await;
    store.create_challenge_response(&id(1), &[7; 8], NOW.plus(9), NOW, LIMIT).await.unwrap();
}

#[test]
fn debug_shows_no_result() {
    let session = assay_store::ChallengeResponseSession {
        nonce: vec![7; 8],
        expires: NOW,
        status: Status::Complete,
        evidence: Some(evidence()),
        result: Some("a.b.c".into()),
    };
    assert!(!format!("{session:?}").contains("a.b.c"));
}
