//! Each repository at its back end.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_types::{ResourcePath, SecretBytes};
use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::{BackendError, Secret, SecretBackend, SecretInfo};

/// Sends each resource to the back end of its repository: the one that is named for it, or the default.
/// What another back end holds of a repository is not seen.
pub struct ByRepository {
    default: Arc<dyn SecretBackend>,
    named: BTreeMap<String, Arc<dyn SecretBackend>>,
}

impl ByRepository {
    /// The default, and the back ends of some repositories by name.
    pub fn new(default: Arc<dyn SecretBackend>, named: BTreeMap<String, Arc<dyn SecretBackend>>) -> Self {
        ByRepository { default, named }
    }

    /// The back end of a resource.
    pub fn of(&self, path: &ResourcePath) -> &Arc<dyn SecretBackend> {
        let [repository, ..] = path.segments();
        self.named.get(repository).unwrap_or(&self.default)
    }

    /// Each back end once.
    fn all(&self) -> Vec<&Arc<dyn SecretBackend>> {
        let mut all = vec![&self.default];
        for backend in self.named.values() {
            if !all.iter().any(|known| Arc::ptr_eq(known, backend)) {
                all.push(backend);
            }
        }
        all
    }
}

#[async_trait]
impl SecretBackend for ByRepository {
    /// The default's name.
    fn name(&self) -> &'static str {
        self.default.name()
    }

    async fn get(&self, path: &ResourcePath) -> Result<Option<Secret>, BackendError> {
        self.of(path).get(path).await
    }

    async fn put(&self, path: &ResourcePath, value: &SecretBytes) -> Result<Option<u64>, BackendError> {
        self.of(path).put(path, value).await
    }

    async fn delete(&self, path: &ResourcePath) -> Result<bool, BackendError> {
        self.of(path).delete(path).await
    }

    /// All of it or an error: a listing with a part missing would look whole.
    async fn list(&self, prefix: Option<&str>) -> Result<Vec<SecretInfo>, BackendError> {
        let whole = prefix.and_then(|prefix| prefix.split_once('/')).map(|(repository, _)| repository);
        if let Some(repository) = whole {
            return self.named.get(repository).unwrap_or(&self.default).list(prefix).await;
        }
        let mut listed = Vec::new();
        for backend in self.all() {
            let here = backend.list(prefix).await?;
            listed.extend(here.into_iter().filter(|info| Arc::ptr_eq(self.of(&info.path), backend)));
        }
        listed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listed)
    }

    async fn check(&self) -> Result<(), BackendError> {
        // At the same time: one that is silent must not use up the patience for the others.
        // Who loses patience ends them all.
        let mut checks = JoinSet::new();
        for backend in self.all() {
            let backend = Arc::clone(backend);
            checks.spawn(async move { backend.check().await });
        }
        while let Some(check) = checks.join_next().await {
            check.unwrap_or(Err(BackendError::Silent { backend: self.name() }))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps values in memory; what it lists can hold more than was sent to it.
    #[derive(Default)]
    struct Memory(Mutex<BTreeMap<ResourcePath, SecretBytes>>, bool);

    #[async_trait]
    impl SecretBackend for Memory {
        fn name(&self) -> &'static str {
            "memory"
        }
        async fn get(&self, path: &ResourcePath) -> Result<Option<Secret>, BackendError> {
            let value = self.0.lock().unwrap().get(path).cloned();
            Ok(value.map(|value| Secret { value, version: None }))
        }
        async fn put(&self, path: &ResourcePath, value: &SecretBytes) -> Result<Option<u64>, BackendError> {
            self.0.lock().unwrap().insert(path.clone(), value.clone());
            Ok(None)
        }
        async fn delete(&self, path: &ResourcePath) -> Result<bool, BackendError> {
            Ok(self.0.lock().unwrap().remove(path).is_some())
        }
        async fn list(&self, prefix: Option<&str>) -> Result<Vec<SecretInfo>, BackendError> {
            let all = self.0.lock().unwrap().keys().cloned().collect::<Vec<_>>();
            let all = all.into_iter().filter(|path| path.as_str().starts_with(prefix.unwrap_or_default()));
            Ok(all
                .map(|path| SecretInfo { path, version: None, versions: None, created: None, size: None })
                .collect())
        }
        async fn check(&self) -> Result<(), BackendError> {
            if self.1 { Err(BackendError::Silent { backend: "memory" }) } else { Ok(()) }
        }
    }

    fn path(text: &str) -> ResourcePath {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn each_repository_has_one_place_and_no_other_is_looked_at() {
        let (first, second) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
        let (default, elsewhere): (Arc<dyn SecretBackend>, Arc<dyn SecretBackend>) =
            (first.clone(), second.clone());
        let named = BTreeMap::from([("b".to_owned(), Arc::clone(&elsewhere)), ("bb".to_owned(), elsewhere)]);
        let all = ByRepository::new(default, named);
        for text in ["a/k/1", "b/k/1", "bb/k/1", "c/b/b"] {
            all.put(&path(text), &SecretBytes::new(text.as_bytes().to_vec())).await.unwrap();
        }
        assert_eq!(first.0.lock().unwrap().len(), 2);
        assert_eq!(second.0.lock().unwrap().len(), 2);
        // The wrong place has something of that name: it is not seen.
        let stray = SecretBytes::new(b"stray".to_vec());
        first.put(&path("b/k/2"), &stray).await.unwrap();
        second.put(&path("a/k/1"), &stray).await.unwrap();
        assert_eq!(all.get(&path("b/k/2")).await.unwrap(), None);
        assert_eq!(all.get(&path("a/k/1")).await.unwrap().unwrap().value.expose(), b"a/k/1");
        let listed = |prefix| {
            let all = &all;
            async move {
                let listed = all.list(prefix).await.unwrap();
                listed.into_iter().map(|info| info.path.to_string()).collect::<Vec<_>>()
            }
        };
        assert_eq!(listed(None).await, ["a/k/1", "b/k/1", "bb/k/1", "c/b/b"]);
        assert_eq!(listed(Some("b")).await, ["b/k/1", "bb/k/1"]);
        assert_eq!(listed(Some("b/")).await, ["b/k/1"]);
        assert!(all.delete(&path("b/k/1")).await.unwrap());
        assert!(!all.delete(&path("b/k/2")).await.unwrap());
        assert!(first.get(&path("b/k/2")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn it_is_ready_when_all_are() {
        let good: Arc<dyn SecretBackend> = Arc::new(Memory::default());
        let bad: Arc<dyn SecretBackend> = Arc::new(Memory(Mutex::default(), true));
        let one = |backend: &Arc<dyn SecretBackend>| BTreeMap::from([("a".to_owned(), Arc::clone(backend))]);
        assert!(ByRepository::new(Arc::clone(&good), one(&good)).check().await.is_ok());
        assert!(ByRepository::new(Arc::clone(&good), one(&bad)).check().await.is_err());
        assert!(ByRepository::new(bad, one(&good)).check().await.is_err());
    }
}
