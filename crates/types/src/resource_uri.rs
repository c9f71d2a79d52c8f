//! The URI of a resource, as guests, sealed secrets and configurations name it.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{NotAResourcePath, ResourcePath};

/// `kbs[+<plugin>]://[<host>[:<port>]]/<segment>[/<segment>…][?<query>]` (Confidential Containers, KBS
/// resource URI). Without `+<plugin>` the plugin is `resource`. The host says where the resource was
/// written, for people; every client asks the key broker it is configured with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResourceUri {
    plugin: String,
    host: String,
    segments: Vec<String>,
    query: Option<String>,
}

/// A text that is not a resource URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAResourceUri {
    /// It does not begin with `kbs://` or `kbs+<plugin>://`.
    #[error("a resource URI begins with kbs:// or kbs+<plugin>://")]
    Scheme,
    /// The plugin's name is not 1 to 64 characters of `a-z 0-9 -`, beginning with a letter.
    #[error("the plugin in a resource URI is 1 to 64 characters of a-z 0-9 - beginning with a letter")]
    Plugin,
    /// There is no path.
    #[error("a resource URI has a path: kbs:///<repository>/<type>/<tag>")]
    NoPath,
    /// A segment of the path is empty, `.`, `..`, or has characters that no path has.
    #[error(
        "segment {position} of the path is empty, \".\" or \"..\", or has a character that is not printable ASCII"
    )]
    Segment {
        /// Which segment, from 1.
        position: usize,
    },
    /// The host or the query has characters that it cannot have.
    #[error("the {part} has a character that is not printable ASCII")]
    Characters {
        /// `host` or `query`.
        part: &'static str,
    },
    /// There is a fragment.
    #[error("a resource URI has no fragment (#…)")]
    Fragment,
    /// The text is too long.
    #[error("a resource URI of {found} bytes; at most {max} are read")]
    TooLong {
        /// The length found.
        found: usize,
        /// The greatest length.
        max: usize,
    },
}

/// A URI that names no resource of the plugin `resource`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOfResourcePlugin {
    /// Another plugin serves it.
    #[error("the URI names the plugin {plugin:?}, not \"resource\"")]
    Plugin {
        /// The plugin.
        plugin: String,
    },
    /// The path is none of a resource. Behind two slashes the first name is a host.
    #[error("{reason}; {host:?} before the path counts as a host: write kbs:///… with three slashes")]
    AfterHost {
        /// What is wrong with the path.
        reason: NotAResourcePath,
        /// The host.
        host: String,
    },
    /// The path is none of a resource.
    #[error(transparent)]
    Path(#[from] NotAResourcePath),
}

impl ResourceUri {
    /// The longest URI that is read, in bytes.
    pub const MAX_LEN: usize = 4096;

    /// The URI of a resource.
    pub fn of(path: &ResourcePath) -> Self {
        ResourceUri {
            plugin: "resource".to_owned(),
            host: String::new(),
            segments: path.segments().map(str::to_owned).to_vec(),
            query: None,
        }
    }

    /// The plugin of the key broker service, `resource` for secrets.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// The host with its port, empty where there is none.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path, at least one segment, none of them empty.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// What stands after `?`, to be sent as it is.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The path of a secret.
    ///
    /// # Errors
    /// [`NotOfResourcePlugin`] when it is the URI of something else.
    pub fn resource_path(&self) -> Result<ResourcePath, NotOfResourcePlugin> {
        if self.plugin != "resource" {
            return Err(NotOfResourcePlugin::Plugin { plugin: self.plugin.clone() });
        }
        self.segments.join("/").parse().map_err(|reason| {
            if self.host.is_empty() {
                NotOfResourcePlugin::Path(reason)
            } else {
                NotOfResourcePlugin::AfterHost { reason, host: self.host.clone() }
            }
        })
    }
}

fn is_plugin(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl FromStr for ResourceUri {
    type Err = NotAResourceUri;

    fn from_str(text: &str) -> Result<Self, NotAResourceUri> {
        if text.len() > Self::MAX_LEN {
            return Err(NotAResourceUri::TooLong { found: text.len(), max: Self::MAX_LEN });
        }
        let (scheme, rest) = text.split_once("://").ok_or(NotAResourceUri::Scheme)?;
        let plugin = match scheme.strip_prefix("kbs") {
            Some("") => "resource",
            Some(rest) => rest.strip_prefix('+').ok_or(NotAResourceUri::Scheme)?,
            None => return Err(NotAResourceUri::Scheme),
        };
        if !is_plugin(plugin) {
            return Err(NotAResourceUri::Plugin);
        }
        if rest.contains('#') {
            return Err(NotAResourceUri::Fragment);
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (host, path) = rest.split_once('/').ok_or(NotAResourceUri::NoPath)?;
        let printable = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if !printable(host) {
            return Err(NotAResourceUri::Characters { part: "host" });
        }
        if !query.is_none_or(printable) {
            return Err(NotAResourceUri::Characters { part: "query" });
        }
        if path.is_empty() {
            return Err(NotAResourceUri::NoPath);
        }
        let wrong = |segment: &str| matches!(segment, "" | "." | "..") || !printable(segment);
        if let Some(index) = path.split('/').position(wrong) {
            return Err(NotAResourceUri::Segment { position: index + 1 });
        }
        Ok(ResourceUri {
            plugin: plugin.to_owned(),
            host: host.to_owned(),
            segments: path.split('/').map(str::to_owned).collect(),
            query: query.map(str::to_owned),
        })
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kbs")?;
        if self.plugin != "resource" {
            write!(f, "+{}", self.plugin)?;
        }
        write!(f, "://{}/{}", self.host, self.segments.join("/"))?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

impl fmt::Debug for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceUri({self})")
    }
}

impl Serialize for ResourceUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_uris_are_taken_apart_and_put_together_again() {
        for (text, plugin, host, path, query) in [
            ("kbs:///default/key/1", "resource", "", "default/key/1", None),
            ("kbs://kbs.example:8080/default/key/1", "resource", "kbs.example:8080", "default/key/1", None),
            ("kbs://[::1]:8080/a/b/c", "resource", "[::1]:8080", "a/b/c", None),
            ("kbs+pki:///ca/sign?name=n&ip=1.2.3.4", "pki", "", "ca/sign", Some("name=n&ip=1.2.3.4")),
            ("kbs+nebula-ca:///credential?", "nebula-ca", "", "credential", Some("")),
        ] {
            let uri: ResourceUri = text.parse().unwrap();
            assert_eq!(
                (uri.plugin(), uri.host(), uri.segments().join("/"), uri.query()),
                (plugin, host, path.to_owned(), query),
                "{text}"
            );
            assert_eq!(uri.to_string(), text);
        }
        let same: ResourceUri = "kbs+resource:///a/b/c".parse().unwrap();
        assert_eq!(same.to_string(), "kbs:///a/b/c");
        assert_eq!(same, ResourceUri::of(&"a/b/c".parse().unwrap()));
    }

    #[test]
    fn bad_uris_are_refused_with_the_reason() {
        for (text, expected) in [
            ("", NotAResourceUri::Scheme),
            ("default/key/1", NotAResourceUri::Scheme),
            ("http://x/a/b/c", NotAResourceUri::Scheme),
            ("kbsx:///a/b/c", NotAResourceUri::Scheme),
            ("kbs+:///a", NotAResourceUri::Plugin),
            ("kbs+A:///a", NotAResourceUri::Plugin),
            ("kbs+../x:///a", NotAResourceUri::Plugin),
            ("kbs://host", NotAResourceUri::NoPath),
            ("kbs:///", NotAResourceUri::NoPath),
            ("kbs:////a/b/c", NotAResourceUri::Segment { position: 1 }),
            ("kbs:///a//c", NotAResourceUri::Segment { position: 2 }),
            ("kbs:///a/../c", NotAResourceUri::Segment { position: 2 }),
            ("kbs:///a/b/c d", NotAResourceUri::Segment { position: 3 }),
            ("kbs://h h/a", NotAResourceUri::Characters { part: "host" }),
            ("kbs:///a?b c", NotAResourceUri::Characters { part: "query" }),
            ("kbs:///a#b", NotAResourceUri::Fragment),
        ] {
            assert_eq!(text.parse::<ResourceUri>(), Err(expected), "{text}");
        }
        let long = format!("kbs:///{}", "a".repeat(ResourceUri::MAX_LEN));
        assert!(matches!(long.parse::<ResourceUri>(), Err(NotAResourceUri::TooLong { .. })));
    }

    #[test]
    fn only_three_segments_of_the_resource_plugin_are_a_secret_and_two_slashes_are_explained() {
        let path = |text: &str| text.parse::<ResourceUri>().unwrap().resource_path();
        assert_eq!(path("kbs:///a/b/c").unwrap().as_str(), "a/b/c");
        assert!(matches!(path("kbs+pki:///a/b/c"), Err(NotOfResourcePlugin::Plugin { .. })));
        assert!(matches!(path("kbs:///a/b"), Err(NotOfResourcePlugin::Path(_))));
        let error = path("kbs://a/b/c").unwrap_err().to_string();
        assert!(error.contains("three slashes"), "{error}");
    }
}
