//! A reloader over a file, with parts that write down what they are given.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use assay_telemetry::{MetricsPage, ProcessMetrics};

use super::*;

/// A part that refuses what it is told to refuse, and writes down what is put in force.
struct Noting {
    taken: Arc<Mutex<Vec<Settings>>>,
    refuse: fn(&Settings) -> bool,
}

impl Reloadable for Noting {
    fn files(&self, settings: &Settings) -> Vec<PathBuf> {
        settings.corim.signers.clone()
    }

    fn prepare(&self, settings: &Settings) -> anyhow::Result<Step> {
        anyhow::ensure!(!(self.refuse)(settings), "refused");
        let (taken, settings) = (Arc::clone(&self.taken), settings.clone());
        Ok(Box::new(move || {
            taken.lock().unwrap().push(settings);
            Ok(())
        }))
    }
}

struct World {
    _dir: tempfile::TempDir,
    file: PathBuf,
    taken: Arc<Mutex<Vec<Settings>>>,
    page: MetricsPage,
    reloader: Reloader,
}

impl World {
    fn new(text: &str, refuse: fn(&Settings) -> bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("assay.toml");
        std::fs::write(&file, text).unwrap();
        let in_force = Settings::load(Some(&file)).unwrap();
        let taken = Arc::default();
        // The first one takes everything: what it is given before the second one refuses must not count.
        let parts: Vec<Box<dyn Reloadable>> = vec![
            Box::new(Noting { taken: Arc::clone(&taken), refuse: |_| false }),
            Box::new(Noting { taken: Arc::clone(&taken), refuse }),
        ];
        let page = MetricsPage::default();
        let read = {
            let file = file.clone();
            move || Settings::load(Some(&file))
        };
        let metrics = ProcessMetrics::new(&page);
        let reloader = Reloader::new(read, Some(file.clone()), in_force, parts, metrics);
        World { _dir: dir, file, taken, page, reloader }
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    /// How many reloads went well, and how many did not.
    fn counts(&self) -> (usize, usize) {
        let text = self.page.render().unwrap();
        let count = |result| {
            let start = format!("assay_config_reloads_total{{result=\"{result}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0)
        };
        (count("success"), count("failure"))
    }
}

fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

/// Each key that is said to be hot, with a value that is not its default.
const HOT: [(&str, &str); 11] = [
    ("access.clients", "[[access.clients]]\nsan = \"kbs.example.org\"\nroles = [\"auditor\"]"),
    ("corim.signers", "[corim]\nsigners = [\"/tmp/none\"]"),
    ("limits.attestations_per_minute", "[limits]\nattestations_per_minute = 7"),
    ("limits.body_bytes", "[limits]\nbody_bytes = 4096"),
    ("limits.challenge_response_seconds", "[limits]\nchallenge_response_seconds = 20"),
    ("limits.challenge_response_sessions", "[limits]\nchallenge_response_sessions = 5"),
    ("limits.request_seconds", "[limits]\nrequest_seconds = 3"),
    ("log.level", "[log]\nlevel = \"debug\""),
    ("server.public_url", "[server]\npublic_url = \"https://kbs.example.org\""),
    ("server.trusted_proxies", "[server]\ntrusted_proxies = [\"192.0.2.1\"]"),
    ("telemetry.sample_ratio", "[telemetry]\nsample_ratio = 0.5"),
];

#[test]
fn each_hot_key_alone_is_put_in_force_and_back() {
    for (key, text) in HOT {
        assert!(is_hot(key), "{key}");
        let mut world = World::new("", |_| false);
        world.write(text);
        world.reloader.reload().unwrap();
        assert_eq!(world.taken.lock().unwrap().as_slice(), [settings(text), settings(text)], "{key}");
        world.write("");
        world.reloader.reload().unwrap();
        assert_eq!(world.taken.lock().unwrap().last(), Some(&Settings::default()), "{key}");
        assert_eq!(world.counts(), (2, 0));
    }
}

#[test]
fn a_cold_key_keeps_its_value_and_is_named_as_long_as_it_differs() {
    let all =
        "[server]\nlisten = \"127.0.0.1:9\"\ndrain_seconds = 1\n[danger]\nallow_unsigned_corim = true\n";
    let (next, cold) = keys::merged(&Settings::default(), &settings(all)).unwrap();
    assert_eq!(next, Settings::default());
    assert_eq!(cold, ["danger.allow_unsigned_corim", "server.drain_seconds", "server.listen"]);
    let mut world = World::new("", |_| false);
    world.write(&format!("{all}[log]\nlevel = \"debug\"\n"));
    for _ in 0..2 {
        world.reloader.reload().unwrap();
        assert_eq!(world.taken.lock().unwrap().last(), Some(&settings("[log]\nlevel = \"debug\"")));
    }
}

#[test]
fn whatever_is_wrong_nothing_changes() {
    for text in [
        "=",
        "[log]\nlevel = \"debug\"\n[nonsense]\na = 1",
        "[log]\nlevel = \"a=b=c\"",
        "[limits]\nbody_bytes = 1",
        "[telemetry]\nsample_ratio = 2.0",
        "[log]\nlevel = \"refuse-this\"",
        "[[access.clients]]\nsan = \"*.example.org\"\nroles = [\"auditor\"]",
    ] {
        let mut world =
            World::new("[limits]\nbody_bytes = 4096", |settings| settings.log.level == "refuse-this");
        world.write(text);
        world.reloader.reload().unwrap_err();
        assert!(world.taken.lock().unwrap().is_empty(), "{text}");
        assert_eq!(world.counts(), (0, 1));
        // Nor is it tried again until the file changes.
        assert!(!world.reloader.watch.has_changed() && !world.reloader.watch.has_changed());
        world.write("[limits]\nbody_bytes = 8192");
        assert!(!world.reloader.watch.has_changed() && world.reloader.watch.has_changed());
        world.reloader.reload().unwrap();
        assert_eq!(world.taken.lock().unwrap().last(), Some(&settings("[limits]\nbody_bytes = 8192")));
        assert_eq!(world.counts(), (1, 1));
    }
}

#[test]
fn a_file_that_the_configuration_names_is_watched_from_then_on() {
    let mut world = World::new("", |_| false);
    let signer: PathBuf = world.file.with_file_name("signer.pem");
    let name = |signer: &Path| format!("[corim]\nsigners = [{:?}]", signer.to_str().unwrap());
    world.write(&name(&signer));
    world.reloader.reload().unwrap();
    std::fs::write(&signer, "key").unwrap();
    assert!(!world.reloader.watch.has_changed() && world.reloader.watch.has_changed());
}
