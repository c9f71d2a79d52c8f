//! The path of a resource: repository, type and tag.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `<repository>/<type>/<tag>`. Each segment is 1 to 128 characters of `A-Z a-z 0-9 _ - .` and does
/// not begin with a dot (Trustee's rule, with a bound on the length).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourcePath(String);

/// A text that is not a resource path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAResourcePath {
    /// It has not exactly three segments.
    #[error("a resource path is <repository>/<type>/<tag>, three segments; found {found}")]
    Segments {
        /// The number of segments found.
        found: usize,
    },
    /// A segment is not of the allowed form.
    #[error(
        "segment {position} of the resource path is not 1 to 128 characters of A-Z a-z 0-9 _ - . \
         beginning with no dot"
    )]
    Segment {
        /// Which segment, from 1.
        position: usize,
    },
}

impl ResourcePath {
    /// The longest segment, in characters.
    pub const MAX_SEGMENT: usize = 128;

    /// The whole path, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The three segments.
    pub fn segments(&self) -> [&str; 3] {
        let mut parts = self.0.splitn(3, '/');
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    }
}

fn is_segment(text: &str) -> bool {
    (1..=ResourcePath::MAX_SEGMENT).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

impl FromStr for ResourcePath {
    type Err = NotAResourcePath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = text.split('/').count();
        if found != 3 {
            return Err(NotAResourcePath::Segments { found });
        }
        match text.split('/').position(|s| !is_segment(s)) {
            Some(index) => Err(NotAResourcePath::Segment { position: index + 1 }),
            None => Ok(ResourcePath(text.to_owned())),
        }
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourcePath({self})")
    }
}

impl Serialize for ResourcePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ResourcePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_paths_keep_their_text() {
        for text in ["a/b/c", "default/key/1", "A-_9/b.c/..x".trim_end_matches("..x"), "r/t/v1.2-3"] {
            let text = if text.ends_with('/') { format!("{text}z") } else { text.to_owned() };
            let path: ResourcePath = text.parse().unwrap();
            assert_eq!(path.as_str(), text);
            assert_eq!(path.segments().join("/"), text);
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        let long = "x".repeat(129);
        for text in [
            "",
            "a",
            "a/b",
            "a/b/c/d",
            "/a/b/c",
            "a//c",
            "../b/c",
            "a/../c",
            "a/b/..",
            "a/b/.c",
            "a/b/c ",
            "a/b/ü",
            "a/b/c%2f",
            "a\\b/c/d",
            &format!("a/b/{long}"),
        ] {
            assert!(text.parse::<ResourcePath>().is_err(), "{text}");
        }
    }
}
