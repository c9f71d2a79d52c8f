//! The keys that verify sealed secrets: which are trusted, and where they come from.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_sealed_secret::{SealedSecretError, VerificationKey};
use assay_types::ResourceUri;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Deserializer};

use super::Resources;
use crate::error::AgentError;

/// The largest file with a key, in bytes.
const MAX_KEY_FILE_BYTES: u64 = 64 << 10;

/// The most keys that are remembered.
const MAX_REMEMBERED: usize = 64;

/// Which names of keys are trusted: one to the letter, or, where the text ends in `/`, every URI of a
/// resource that begins with it. `kbs:///keys/` takes `kbs:///keys/sealing/alice`; it takes no URI with a
/// host, since that is written otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule(String);

/// A text that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not the name of a key (kid) nor the beginning of resource URIs (kbs://…/)")]
pub struct NotAKeyRule {
    found: String,
}

impl KeyRule {
    /// Reads a rule: not empty; what ends in `/` begins with `kbs` and has `://`.
    ///
    /// # Errors
    /// [`NotAKeyRule`].
    pub fn parse(text: &str) -> Result<Self, NotAKeyRule> {
        let prefix = text.ends_with('/');
        if text.is_empty() || (prefix && !(text.starts_with("kbs") && text.contains("://"))) {
            return Err(NotAKeyRule { found: text.chars().take(256).collect() });
        }
        Ok(KeyRule(text.to_owned()))
    }

    /// Whether the key `kid` is trusted by this rule.
    pub fn takes(&self, kid: &str) -> bool {
        if self.0.ends_with('/') {
            kid.starts_with(&self.0) && kid.parse::<ResourceUri>().is_ok()
        } else {
            kid == self.0
        }
    }
}

impl<'de> Deserialize<'de> for KeyRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        KeyRule::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Finds keys, and remembers them for a short time.
pub(super) struct VerificationKeys {
    resources: Arc<dyn Resources>,
    directory: PathBuf,
    rules: Vec<KeyRule>,
    remember: Duration,
    remembered: Mutex<HashMap<String, (Instant, Arc<VerificationKey>)>>,
}

impl VerificationKeys {
    pub(super) fn new(
        resources: Arc<dyn Resources>,
        directory: PathBuf,
        rules: Vec<KeyRule>,
        remember: Duration,
    ) -> Self {
        VerificationKeys { resources, directory, rules, remember, remembered: Mutex::default() }
    }

    /// The key of that name: of the key broker where the name is the URI of a resource, else of a file.
    pub(super) async fn key(&self, kid: &str) -> Result<Arc<VerificationKey>, AgentError> {
        if !self.rules.is_empty() && !self.rules.iter().any(|rule| rule.takes(kid)) {
            return Err(SealedSecretError::KeyNotTrusted { kid: kid.chars().take(256).collect() }.into());
        }
        if let Some(key) = self.recall(kid) {
            return Ok(key);
        }
        let key = match kid.parse::<ResourceUri>() {
            Ok(uri) => VerificationKey::from_jwk(self.resources.resource(&uri).await?.expose())?,
            Err(_) => self.of_file(kid).await?,
        };
        let key = Arc::new(key);
        self.remember(kid, &key);
        Ok(key)
    }

    async fn of_file(&self, kid: &str) -> Result<VerificationKey, AgentError> {
        let (directory, name) = (self.directory.clone(), kid.to_owned());
        let bytes = tokio::task::spawn_blocking(move || read_key_file(&directory, &name))
            .await
            .map_err(|_| AgentError::Internal("the thread that reads a key has ended".to_owned()))?
            .map_err(|why| SealedSecretError::KeyFile {
                kid: kid.chars().take(256).collect(),
                directory: self.directory.display().to_string(),
                why,
            })?;
        Ok(VerificationKey::from_jwk(&bytes)?)
    }

    fn recall(&self, kid: &str) -> Option<Arc<VerificationKey>> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, key) = remembered.get(kid)?;
        (since.elapsed() < self.remember).then(|| Arc::clone(key))
    }

    fn remember(&self, kid: &str, key: &Arc<VerificationKey>) {
        if self.remember.is_zero() {
            return;
        }
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, (since, _)| since.elapsed() < self.remember);
        }
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(kid.to_owned(), (Instant::now(), Arc::clone(key)));
    }
}

/// The file `name` in `directory`, never one outside, wherever links lead. Gives what is wrong in words.
fn read_key_file(directory: &Path, name: &str) -> Result<Vec<u8>, String> {
    if name.contains(['/', '\\']) {
        return Err("a kid that is no resource URI is the name of a file, without / and \\".to_owned());
    }
    if name.chars().all(|c| c == '.') || name.len() > 255 {
        return Err("it is not the name of a file: dots only, or longer than 255 bytes".to_owned());
    }
    let words = |what: &str, error: io::Error| format!("{what}: {error}");
    let directory = directory.canonicalize().map_err(|e| words("the directory", e))?;
    let path = directory.join(name).canonicalize().map_err(|e| words("the file", e))?;
    if !path.starts_with(&directory) {
        return Err("it is a link that leads out of the directory".to_owned());
    }
    // A named pipe must not hold the thread.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(&path, flags, Mode::empty()).map_err(|e| words("opening it", e.into()))?;
    let file = File::from(file);
    if !file.metadata().map_err(|e| words("looking at it", e))?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_KEY_FILE_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| words("reading it", e))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_KEY_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(format!("it is larger than {MAX_KEY_FILE_BYTES} bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_take_one_name_or_all_uris_below_a_path() {
        let exact = KeyRule::parse("alice").unwrap();
        assert!(exact.takes("alice"));
        assert!(!exact.takes("alice2") && !exact.takes("alic") && !exact.takes(""));
        let below = KeyRule::parse("kbs:///keys/").unwrap();
        assert!(below.takes("kbs:///keys/sealing/alice"));
        for kid in ["kbs:///keys/", "kbs:///keys", "kbs:///keys/../other/key", "kbs://evil/keys/a/b", "keys/"]
        {
            assert!(!below.takes(kid), "{kid}");
        }
        for text in ["", "/", "keys/", "http://x/"] {
            assert!(KeyRule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn files_are_read_from_inside_the_directory_only() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("keys");
        std::fs::create_dir_all(inside.join("..data")).unwrap();
        let write = |path: PathBuf, bytes: &[u8]| std::fs::write(path, bytes).unwrap();
        write(root.path().join("outside"), b"outside");
        // What begins like the directory is not inside.
        std::fs::create_dir(root.path().join("keys-evil")).unwrap();
        write(root.path().join("keys-evil/k"), b"evil");
        write(inside.join("alice"), b"alice");
        write(inside.join("..data/bob"), b"bob");
        let limit = usize::try_from(MAX_KEY_FILE_BYTES).unwrap();
        write(inside.join("largest"), &vec![b'x'; limit]);
        write(inside.join("larger"), &vec![b'x'; limit + 1]);
        symlink("..data/bob", inside.join("bob")).unwrap();
        symlink("../outside", inside.join("out")).unwrap();
        symlink("../keys-evil/k", inside.join("evil")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            inside.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert_eq!(read_key_file(&inside, "alice").unwrap(), b"alice");
        assert_eq!(read_key_file(&inside, "bob").unwrap(), b"bob");
        assert_eq!(read_key_file(&inside, "largest").unwrap().len(), limit);
        for (name, why) in [
            ("../outside", "without /"),
            ("/etc/passwd", "without /"),
            ("a\\b", "without /"),
            (".", "dots only"),
            ("..", "dots only"),
            ("...", "dots only"),
            ("", "dots only"),
            (&"x".repeat(256), "255"),
            ("out", "leads out"),
            ("evil", "leads out"),
            ("pipe", "not a regular"),
            ("..data", "not a regular"),
            ("none", "the file"),
            ("larger", "larger than"),
            ("a\0b", "the file"),
        ] {
            let error = read_key_file(&inside, name).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert!(read_key_file(&root.path().join("none"), "alice").unwrap_err().contains("the directory"));
    }
}
