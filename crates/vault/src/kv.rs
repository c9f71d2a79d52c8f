//! The KV engine, versions 1 and 2.
//!
//! | | version 1 | version 2 |
//! |---|---|---|
//! | read | `GET <mount>/<path>` | `GET <mount>/data/<path>` |
//! | write | `POST <mount>/<path>` | `POST <mount>/data/<path>` |
//! | delete | `DELETE <mount>/<path>` | `DELETE <mount>/metadata/<path>`: every version |
//! | list | `GET <mount>/<folder>/?list=true` | `GET <mount>/metadata/<folder>/?list=true` |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::path::is_segment;
use crate::transport::{Answer, Ask, Body};
use crate::{SecretText, VaultClient, VaultError, VaultPath};

/// The most entries of one folder.
const MAX_ENTRIES: usize = 100_000;

/// The version of a KV engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvVersion {
    /// Without versions of secrets.
    V1,
    /// With versions of secrets.
    V2,
}

impl KvVersion {
    fn number(self) -> u8 {
        match self {
            KvVersion::V1 => 1,
            KvVersion::V2 => 2,
        }
    }
}

/// A mount of the KV engine.
pub struct Kv {
    client: Arc<VaultClient>,
    mount: VaultPath,
    version: KvVersion,
    /// Whether Vault said that this engine, of this version, is mounted there.
    confirmed: AtomicBool,
}

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kv({}, version {})", self.mount, self.version.number())
    }
}

/// A secret: the text members of its map. Members that are no text are left out, their names kept.
#[derive(Clone, Debug)]
pub struct KvSecret {
    /// The version, where the engine has versions.
    pub version: Option<u64>,
    members: Members,
}

impl KvSecret {
    /// The text of a member; `None` where there is none, or it is no text.
    pub fn text(&self, member: &str) -> Option<&SecretText> {
        self.members.0.get(member).and_then(Option::as_ref)
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.0.keys().map(String::as_str)
    }
}

/// What a folder holds. A name can be both, once as each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A secret of this name.
    Secret(String),
    /// A folder of this name.
    Folder(String),
}

#[derive(Clone, Debug, Default)]
struct Members(BTreeMap<String, Option<SecretText>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    members.insert(name, map.next_value::<Member>()?.0);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Text, or something else that is passed over.
struct Member(Option<SecretText>);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Member, E> {
                Ok(Member(Some(SecretText::new(text.to_owned()))))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_unit<E>(self) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Member, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Member(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Member(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Kv {
    /// The engine that is mounted at `mount`.
    pub fn new(client: Arc<VaultClient>, mount: VaultPath, version: KvVersion) -> Self {
        Kv { client, mount, version, confirmed: AtomicBool::new(false) }
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &VaultPath {
        &self.mount
    }

    /// Asks whether the engine is there, is KV and has this version. The token needs some right below the
    /// mount; none of it is used.
    ///
    /// # Errors
    /// [`VaultError::MountNotFound`], [`VaultError::WrongEngine`], [`VaultError::WrongKvVersion`] and
    /// what concerns Vault as a whole.
    pub async fn check(&self) -> Result<(), VaultError> {
        #[derive(Deserialize)]
        struct Mount {
            #[serde(rename = "type")]
            engine: String,
            options: Option<BTreeMap<String, String>>,
        }
        let mount = || self.mount.to_string();
        let path = format!("sys/internal/ui/mounts/{}", self.mount);
        let answer = self.client.ask(&Ask::get(&path)).await?;
        match answer.status {
            200 => {}
            // Vault does not tell "not there" from "no right to know".
            403 | 404 => {
                answer.check_not_found()?;
                return Err(VaultError::MountNotFound { mount: mount() });
            }
            _ => return Err(answer.refusal("read")),
        }
        let found: Mount = answer.data()?;
        // "generic" is what version 1 was called before it had a name.
        if !matches!(found.engine.as_str(), "kv" | "generic") {
            let found = crate::error::shown(&found.engine);
            return Err(VaultError::WrongEngine { mount: mount(), expected: "kv", found });
        }
        let version =
            found.options.as_ref().and_then(|options| options.get("version")).map_or("1", String::as_str);
        if version != self.version.number().to_string() {
            let (expected, found) = (self.version.number(), crate::error::shown(version));
            return Err(VaultError::WrongKvVersion { mount: mount(), expected, found });
        }
        self.confirmed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Before the first use: a write of version 2 into an engine of version 1 would succeed, elsewhere.
    async fn confirm(&self) -> Result<(), VaultError> {
        if self.confirmed.load(Ordering::Relaxed) { Ok(()) } else { self.check().await }
    }

    fn path(&self, branch: &str, path: &str) -> String {
        match self.version {
            KvVersion::V1 => format!("{}/{path}", self.mount),
            KvVersion::V2 => format!("{}/{branch}/{path}", self.mount),
        }
    }

    /// Reads the newest version; `None` where nothing is there, or it was deleted.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn read(&self, path: &VaultPath) -> Result<Option<KvSecret>, VaultError> {
        #[derive(Deserialize)]
        struct Metadata {
            version: u64,
        }
        #[derive(Deserialize)]
        struct Versioned {
            data: Option<Members>,
            metadata: Metadata,
        }
        self.confirm().await?;
        let path = self.path("data", path.as_str());
        let answer = self.client.ask(&Ask::get(&path)).await?;
        match (answer.status, self.version) {
            (200, KvVersion::V1) => Ok(Some(KvSecret { version: None, members: answer.data()? })),
            (200, KvVersion::V2) => {
                let Versioned { data, metadata } = answer.data()?;
                Ok(data.map(|members| KvSecret { version: Some(metadata.version), members }))
            }
            (404, _) => self.nothing(&answer).map(|()| None),
            _ => Err(answer.refusal("read")),
        }
    }

    /// Writes text members as a new version. Returns its number, where the engine has versions. Names
    /// and texts must need no escapes in JSON.
    ///
    /// # Errors
    /// [`VaultError`]; [`VaultError::TimedOut`] and [`VaultError::Unreachable`] leave open whether it
    /// was written.
    pub async fn write(
        &self,
        path: &VaultPath,
        member: &str,
        text: &SecretText,
    ) -> Result<Option<u64>, VaultError> {
        #[derive(Deserialize)]
        struct Written {
            version: u64,
        }
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
        if !plain(member) || !plain(text.expose()) {
            return Err(VaultError::Setting {
                setting: "member",
                why: "it needs escapes in JSON".to_owned(),
            });
        }
        self.confirm().await?;
        let path = self.path("data", path.as_str());
        let (before, after) = match self.version {
            KvVersion::V1 => ("{\"", "\"}"),
            KvVersion::V2 => ("{\"data\":{\"", "\"}}"),
        };
        let body = Body::of(&[before, member, "\":\"", text.expose(), after]);
        let answer = self.client.ask(&Ask::post(&path, body)).await?;
        match (answer.status, self.version) {
            (200 | 204, KvVersion::V1) => Ok(None),
            (200, KvVersion::V2) => Ok(Some(answer.data::<Written>()?.version)),
            (404, _) => Err(self.nothing(&answer).err().unwrap_or_else(|| answer.refusal("update"))),
            _ => Err(answer.refusal("update")),
        }
    }

    /// Deletes a secret, with version 2 all its versions. Returns whether there was any.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn delete(&self, path: &VaultPath) -> Result<bool, VaultError> {
        self.confirm().await?;
        let path = self.path("metadata", path.as_str());
        // Vault deletes what is not there with success.
        let before = self.client.ask(&Ask::get(&path)).await?;
        let was_there = match before.status {
            200 => true,
            404 => self.nothing(&before).map(|()| false)?,
            _ => return Err(before.refusal("read")),
        };
        let ask = Ask { method: Method::DELETE, ..Ask::get(&path) };
        let answer = self.client.ask(&ask).await?;
        match answer.status {
            200 | 204 => Ok(was_there),
            404 => self.nothing(&answer).map(|()| false),
            _ => Err(answer.refusal("delete")),
        }
    }

    /// What a folder holds; `None` names the mount itself. Names that are no segments of a
    /// [`VaultPath`] are left out.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn list(&self, folder: Option<&VaultPath>) -> Result<Vec<Entry>, VaultError> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<String>,
        }
        self.confirm().await?;
        let below = folder.map(|folder| format!("{folder}/")).unwrap_or_default();
        let path = self.path("metadata", &below);
        let answer = self.client.ask(&Ask { list: true, ..Ask::get(&path) }).await?;
        let keys = match answer.status {
            200 => answer.data::<Keys>()?.keys,
            404 => return self.nothing(&answer).map(|()| Vec::new()),
            _ => return Err(answer.refusal("list")),
        };
        if keys.len() > MAX_ENTRIES {
            return Err(VaultError::TooManyEntries { path, limit: MAX_ENTRIES });
        }
        let entry = |key: String| match key.strip_suffix('/') {
            Some(name) => is_segment(name).then(|| Entry::Folder(name.to_owned())),
            None => is_segment(&key).then_some(Entry::Secret(key)),
        };
        Ok(keys.into_iter().filter_map(entry).collect())
    }

    /// A 404 that means that nothing is there; an engine that is gone or of another version answers 404,
    /// too, and says more.
    fn nothing(&self, answer: &Answer) -> Result<(), VaultError> {
        answer.check_not_found()?;
        let said = answer.said();
        if said.contains("no handler for route") {
            self.confirmed.store(false, Ordering::Relaxed);
            return Err(VaultError::MountNotFound { mount: self.mount.to_string() });
        }
        if said.contains("versioned K/V") {
            self.confirmed.store(false, Ordering::Relaxed);
            let (mount, expected) = (self.mount.to_string(), self.version.number());
            return Err(VaultError::WrongKvVersion { mount, expected, found: "2".to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_no_text_are_named_and_passed_over() {
        let text = r#"{"data":"x","n":1,"neg":-1,"f":1.5,"b":true,"null":null,"list":[1,{"a":2}],"map":{"data":"y"}}"#;
        let members: Members = serde_json::from_str(text).unwrap();
        let secret = KvSecret { version: None, members };
        assert_eq!(secret.text("data").unwrap().expose(), "x");
        assert!(secret.text("map").is_none() && secret.text("n").is_none() && secret.text("other").is_none());
        assert_eq!(secret.names().count(), 8);
        assert!(!format!("{secret:?}").contains("\"x\""));
    }
}
