//! Files of secrets over time.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_attestation_agent::error::AgentError;
use assay_attestation_agent::secrets::files::{FileMode, FileSettings, FileState, FileStatus, FilesTask};
use assay_attestation_agent::secrets::sealed::{SealedSettings, Unsealer};
use assay_client::{ClientError, Waiting};
use assay_sealed_secret::{Provider, SealingKey, Vault, seal_vault};
use assay_types::{Coded as _, FixedClock, UnixTime};
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use crate::broker::{Broker, denied, unavailable};
use crate::private_file::{in_memory, names};

pub(crate) const SECRET: &str = "kbs:///default/password/database";
const START: UnixTime = UnixTime(1_800_000_000);

/// Waits until the test says so, and keeps what was asked for.
pub(crate) struct Paced {
    waits: Mutex<Vec<Duration>>,
    pub(crate) go: Semaphore,
}

#[async_trait]
impl Waiting for Paced {
    async fn wait(&self, time: Duration) {
        self.waits.lock().unwrap().push(time);
        self.go.acquire().await.unwrap().forget();
    }

    fn jitter(&self, most: Duration) -> Duration {
        most
    }
}

pub(crate) struct World {
    broker: Arc<Broker>,
    clock: Arc<FixedClock>,
    pub(crate) paced: Arc<Paced>,
    pub(crate) states: watch::Receiver<Vec<FileStatus>>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn task(
    files: &[FileSettings],
    broker: &Arc<Broker>,
    clock: &Arc<FixedClock>,
    paced: &Arc<Paced>,
) -> FilesTask {
    let unsealer = Arc::new(Unsealer::new(broker.clone(), SealedSettings::default()));
    FilesTask::new(files, broker.clone(), unsealer, clock.clone(), paced.clone()).unwrap()
}

impl World {
    pub(crate) fn start(files: &[FileSettings], broker: Arc<Broker>) -> Self {
        let clock = Arc::new(FixedClock::new(START));
        let paced = Arc::new(Paced { waits: Mutex::default(), go: Semaphore::new(0) });
        let task = task(files, &broker, &clock, &paced);
        let states = task.states();
        assert!(states.borrow().iter().all(|s| s.state == FileState::Waiting { why: None }));
        let running = tokio::spawn(async move { task.run().await });
        World { broker, clock, paced, states, running }
    }

    /// Lets one wait end.
    pub(crate) fn go(&self) {
        self.paced.go.add_permits(1);
    }

    pub(crate) fn waits(&self) -> Vec<u64> {
        self.paced.waits.lock().unwrap().iter().map(Duration::as_secs).collect()
    }

    /// Until so many waits were begun.
    async fn until_waits(&self, number: usize) {
        until(|| self.waits().len() >= number).await;
    }

    pub(crate) async fn until_state(
        &mut self,
        index: usize,
        wanted: impl Fn(&FileState) -> bool,
    ) -> FileState {
        let found = tokio::time::timeout(
            Duration::from_secs(60),
            self.states.wait_for(|states| wanted(&states[index].state)),
        );
        found.await.expect("the state comes in time").unwrap()[index].state.clone()
    }

    /// Until nothing is left to do.
    pub(crate) async fn end(&mut self) {
        tokio::time::timeout(Duration::from_secs(60), &mut self.running).await.unwrap().unwrap();
    }
}

async fn until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("it comes in time");
}

pub(crate) fn settings(path: &Path) -> FileSettings {
    FileSettings {
        path: path.to_owned(),
        resource: SECRET.parse().unwrap(),
        mode: FileMode::default(),
        uid: None,
        gid: None,
        unseal: false,
        refresh: None,
        allow_disk_danger: false,
    }
}

pub(crate) fn written(state: &FileState) -> bool {
    matches!(state, FileState::Written { .. })
}

fn failed(state: &FileState) -> bool {
    matches!(state, FileState::Failed { .. })
}

#[tokio::test]
async fn a_file_is_written_once_and_the_task_ends() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let mut world = World::start(&[settings(&path)], Broker::with(&[(SECRET, b"hunter2")]));
    world.end().await;
    assert_eq!(fs::read(&path).unwrap(), b"hunter2");
    assert_eq!(world.states.borrow()[0].state, FileState::Written { at: START });
    assert!(world.waits().is_empty());
}

#[tokio::test]
async fn a_sealed_secret_is_opened_first() {
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
    let broker = Broker::with(&[
        (SECRET, sealed.as_bytes()),
        (kid, &serde_json::to_vec(key.public_jwk()).unwrap()),
        ("kbs:///default/other/secret", b"opened"),
    ]);
    let (opened, as_it_is) = (folder.path().join("opened"), folder.path().join("as-it-is"));
    let files = [FileSettings { unseal: true, ..settings(&opened) }, settings(&as_it_is)];
    let mut world = World::start(&files, broker);
    world.end().await;
    assert_eq!(fs::read(&opened).unwrap(), b"opened");
    assert_eq!(fs::read(&as_it_is).unwrap(), sealed.as_bytes());
}

#[tokio::test]
async fn what_passes_is_tried_again_with_growing_waits() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let broker = Broker::with(&[]);
    let mut answers = vec![Err(unavailable(None)); 9];
    answers.push(Err(unavailable(Some(Duration::from_secs(500)))));
    answers.push(Ok(b"hunter2".to_vec()));
    broker.answers(SECRET, answers);
    let mut world = World::start(&[settings(&path)], broker);
    let waiting = world.until_state(0, |state| matches!(state, FileState::Waiting { why: Some(_) })).await;
    let FileState::Waiting { why: Some(why) } = waiting else { panic!("{waiting:?}") };
    assert!(why.contains("CLI-004") && why.contains("connection refused"), "{why}");
    assert!(names(folder.path()).is_empty());
    world.paced.go.add_permits(10);
    world.end().await;
    assert_eq!(world.waits(), [1, 2, 4, 8, 16, 32, 60, 60, 60, 560]);
    assert_eq!(fs::read(&path).unwrap(), b"hunter2");
}

#[tokio::test]
async fn a_denial_is_not_tried_again_and_holds_up_no_other_file() {
    let Some(folder) = in_memory() else { return };
    let (bad, good) = (folder.path().join("bad"), folder.path().join("good"));
    let final_ones = [
        denied(),
        ClientError::Configuration("a double's".into()).into(),
        ClientError::Argument("a double's".into()).into(),
        AgentError::NotConfigured { what: "key broker service", key: "kbs" },
    ];
    for refusal in final_ones {
        let code = refusal.code();
        let broker = Broker::with(&[(SECRET, b"hunter2")]);
        let _ = fs::remove_file(&good);
        broker.answers("kbs:///a/b/c", vec![Err(refusal)]);
        let files =
            [FileSettings { resource: "kbs:///a/b/c".parse().unwrap(), ..settings(&bad) }, settings(&good)];
        let mut world = World::start(&files, broker);
        world.end().await;
        let FileState::Failed { why } = world.states.borrow()[0].state.clone() else { panic!("not failed") };
        assert!(why.starts_with(code), "{why}");
        assert!(written(&world.states.borrow()[1].state));
        assert_eq!(world.broker.times("kbs:///a/b/c"), 1);
        assert_eq!(names(folder.path()), ["good"]);
    }
}

#[tokio::test]
async fn a_refresh_brings_what_is_new_and_leaves_what_is_not() {
    let Some(folder) = in_memory() else { return };
    let path = folder.path().join("secret");
    let broker = Broker::with(&[]);
    let answers = [Ok("one"), Ok("one"), Ok("two"), Err(unavailable(None)), Err(denied()), Ok("three")];
    broker.answers(SECRET, answers.map(|answer| answer.map(|text| text.as_bytes().to_vec())).to_vec());
    let world = World::start(&[FileSettings { refresh: Some(300), ..settings(&path) }], broker);
    let inode = || fs::metadata(&path).unwrap().ino();
    world.until_waits(1).await;
    let first = inode();
    // The same: not touched, but known to be so now.
    world.clock.advance(300);
    world.go();
    world.until_waits(2).await;
    assert_eq!(inode(), first);
    assert_eq!(world.states.borrow()[0].state, FileState::Written { at: UnixTime(START.0 + 300) });
    world.go();
    world.until_waits(3).await;
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_ne!(inode(), first);
    // Not reachable: the file stands, and so does its state.
    world.go();
    world.until_waits(4).await;
    assert!(written(&world.states.borrow()[0].state));
    // Denied: it is said, and tried again at the next refresh.
    world.go();
    world.until_waits(5).await;
    assert!(failed(&world.states.borrow()[0].state));
    assert_eq!(fs::read(&path).unwrap(), b"two");
    world.go();
    world.until_waits(6).await;
    assert!(written(&world.states.borrow()[0].state));
    assert_eq!(fs::read(&path).unwrap(), b"three");
    assert_eq!(world.waits(), [300, 300, 300, 1, 300, 300]);
}

#[tokio::test]
async fn what_cannot_be_written_is_said_without_the_secret() {
    let Some(memory) = in_memory() else { return };
    let directory = memory.path().join("directory");
    fs::create_dir(&directory).unwrap();
    let unseal = FileSettings { unseal: true, ..settings(&memory.path().join("unsealed")) };
    let files = [settings(&directory), unseal];
    let mut world = World::start(&files, Broker::with(&[(SECRET, b"hunter2")]));
    world.end().await;
    let states = world.states.borrow().clone();
    for (status, code) in states.iter().zip(["SEF-004", "SEA-001"]) {
        let FileState::Failed { why } = &status.state else { panic!("{status:?}") };
        assert!(why.starts_with(code) && !why.contains("hunter2"), "{why}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_before_anything_is_fetched() {
    let broker = Broker::with(&[(SECRET, b"hunter2")]);
    let unsealer = Arc::new(Unsealer::new(broker.clone(), SealedSettings::default()));
    let clock = Arc::new(FixedClock::new(START));
    let paced = Arc::new(Paced { waits: Mutex::default(), go: Semaphore::new(0) });
    let new = |files: &[FileSettings]| {
        FilesTask::new(files, broker.clone(), unsealer.clone(), clock.clone(), paced.clone())
            .map(|_| ())
            .map_err(|error| error.code())
    };
    let good = settings(Path::new("/run/a"));
    assert_eq!(new(&[]), Ok(()));
    assert_eq!(new(&[good.clone(), settings(Path::new("/run/b"))]), Ok(()));
    assert_eq!(new(&[good.clone(), good.clone()]), Err("SEF-006"));
    assert_eq!(new(&[good, settings(Path::new("b"))]), Err("SEF-001"));
    assert!(broker.asked().is_empty());
}

#[test]
fn settings_are_read_with_safe_defaults_and_nothing_unknown() {
    let read = |more: serde_json::Value| {
        let mut value = json!({ "path": "/run/x", "resource": SECRET });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<FileSettings>(value)
    };
    assert_eq!(read(json!({})).unwrap(), settings(Path::new("/run/x")));
    assert_eq!(read(json!({ "mode": "0640" })).unwrap().mode, FileMode(0o640));
    assert_eq!(read(json!({ "mode": "400" })).unwrap().mode, FileMode(0o400));
    assert_eq!(read(json!({ "refresh_seconds": 60 })).unwrap().refresh, Some(60));
    for mode in
        [json!(600), json!("0o600"), json!("rw"), json!("1777"), json!("0800"), json!("+600"), json!("7")]
    {
        assert!(read(json!({ "mode": mode })).is_err(), "{mode}");
    }
    assert!(read(json!({ "moed": "0600" })).is_err());
    assert!(read(json!({ "resource": "default/a/b" })).is_err());
}
