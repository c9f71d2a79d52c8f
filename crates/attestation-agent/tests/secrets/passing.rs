//! Troubles that end by themselves, and how long each is waited for.

use std::fs;
use std::time::Duration;

use assay_attestation_agent::error::AgentError;
use assay_attestation_agent::secrets::files::{FileSettings, FileState};
use assay_attester::AttesterError;
use assay_client::{ClientError, EvidenceError};
use assay_token::jwe::JweError;
use assay_types::{Coded as _, Tee};

use crate::broker::{Broker, not_found, problem, unavailable};
use crate::private_file::{Mount, in_memory};
use crate::task::{SECRET, World, settings, written};

#[tokio::test]
async fn what_may_end_by_itself_is_tried_again() {
    let Some(folder) = in_memory() else { return };
    let what = || "GET".to_owned();
    let passing: [AgentError; 8] = [
        ClientError::Evidence(EvidenceError::new("the device does not answer")).into(),
        ClientError::Protocol { what: what(), detail: "<html>".into() }.into(),
        ClientError::Unauthenticated { what: what(), problem: problem() }.into(),
        ClientError::Jwe { what: what(), error: JweError::UnsupportedKey { kind: "x".into() } }.into(),
        not_found(),
        unavailable(None),
        AgentError::DeviceBusy { what: "evidence", seconds: 3 },
        AttesterError::ReportDataTooLong { tee: Tee::Sample, found: 65, max: 64 }.into(),
    ];
    for (number, trouble) in passing.into_iter().enumerate() {
        let path = folder.path().join(number.to_string());
        let broker = Broker::with(&[]);
        broker.answers(SECRET, vec![Err(trouble.clone()), Err(trouble.clone()), Ok(b"hunter2".to_vec())]);
        let mut world = World::start(&[settings(&path)], broker);
        let state = world.until_state(0, |state| !matches!(state, FileState::Waiting { why: None })).await;
        let FileState::Waiting { why: Some(why) } = state else { panic!("{trouble}: {state:?}") };
        assert!(why.starts_with(trouble.code()), "{why}");
        world.paced.go.add_permits(2);
        world.end().await;
        assert_eq!(world.waits(), [1, 2], "{trouble}");
        assert_eq!(fs::read(&path).unwrap(), b"hunter2");
    }
}

#[tokio::test]
async fn a_sealed_secret_whose_key_is_not_stored_yet_is_tried_again() {
    use assay_sealed_secret::{Provider, SealingKey, Vault, seal_vault};
    let Some(folder) = in_memory() else { return };
    let kid = "kbs:///default/sealing-key/owner";
    let key = SealingKey::generate(kid).unwrap();
    let vault = Vault {
        name: "kbs:///default/other/secret".to_owned(),
        provider: Provider::kbs(),
        provider_settings: serde_json::Map::new(),
        annotations: serde_json::Map::new(),
    };
    let sealed = seal_vault(&key, kid, vault).unwrap();
    let broker = Broker::with(&[(SECRET, sealed.as_bytes()), ("kbs:///default/other/secret", b"opened")]);
    broker.answers(kid, vec![Err(not_found()), Ok(serde_json::to_vec(key.public_jwk()).unwrap())]);
    let path = folder.path().join("secret");
    let mut world = World::start(&[FileSettings { unseal: true, ..settings(&path) }], broker);
    world.go();
    world.end().await;
    assert_eq!(world.waits(), [1]);
    assert_eq!(fs::read(&path).unwrap(), b"opened");
}

#[tokio::test]
async fn a_full_file_system_is_waited_for() {
    // Neither for the file nor for a directory.
    for name in ["secret", "directory/secret"] {
        let Some(mount) = Mount::of_64_kibibytes() else { return };
        let taken: Vec<_> = (0..)
            .map(|n| mount.0.path().join(format!("taken{n}")))
            .take_while(|name| fs::write(name, b"").is_ok())
            .collect();
        let path = mount.0.path().join(name);
        let mut world = World::start(&[settings(&path)], Broker::with(&[(SECRET, b"hunter2")]));
        let tried = |state: &FileState| !matches!(state, FileState::Waiting { why: None });
        let state = world.until_state(0, tried).await;
        let FileState::Waiting { why: Some(why) } = state else { panic!("{state:?}") };
        assert!(why.starts_with("SEF-003"), "{why}");
        fs::remove_file(&taken[0]).unwrap();
        fs::remove_file(&taken[1]).unwrap();
        world.go();
        world.end().await;
        assert!(written(&world.states.borrow()[0].state));
        assert_eq!(fs::read(&path).unwrap(), b"hunter2");
    }
}

#[tokio::test]
async fn the_server_cannot_ask_for_more_than_fifteen_minutes() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let broker = Broker::with(&[]);
    let asked = [890, 900, u64::MAX, 899].map(|seconds| Err(unavailable(Some(Duration::from_secs(seconds)))));
    let mut answers = asked.to_vec();
    answers.push(Ok(b"hunter2".to_vec()));
    broker.answers(SECRET, answers);
    let mut world = World::start(&[settings(&path)], broker);
    world.paced.go.add_permits(4);
    world.end().await;
    // The jitter, here 1, 2, 4 and 8 s, spreads the guests also at the greatest wait.
    assert_eq!(world.waits(), [891, 898, 896, 900]);
}
