//! Paths within Vault.

use std::fmt;

use crate::VaultError;

/// The longest path, in characters.
const MAX_PATH: usize = 1024;

/// A path of one or more segments, such as `secret` or `team-a/default/key/1`: each segment of
/// `A-Z a-z 0-9 _ - .` and neither `.` nor `..`, so that it goes into a URL as it stands and never
/// leads elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VaultPath(String);

impl VaultPath {
    /// Reads a path; slashes around it are no part of it. `setting` names it in the error.
    ///
    /// # Errors
    /// [`VaultError::Setting`].
    pub fn new(text: &str, setting: &'static str) -> Result<Self, VaultError> {
        let text = text.trim_matches('/');
        let wrong = |why: &str| VaultError::Setting { setting, why: why.to_owned() };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() > MAX_PATH {
            return Err(wrong("it has more than 1024 characters"));
        }
        if !text.split('/').all(is_segment) {
            return Err(wrong(
                "each segment must be of A-Z a-z 0-9 _ - . and neither empty nor one or two dots",
            ));
        }
        Ok(VaultPath(text.to_owned()))
    }

    /// The path `rest` below this one.
    ///
    /// # Errors
    /// As [`VaultPath::new`].
    pub fn below(&self, rest: &str) -> Result<Self, VaultError> {
        VaultPath::new(&format!("{}/{}", self.0, rest.trim_matches('/')), "path")
    }

    /// The text, without slashes around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a name can be a segment of a [`VaultPath`].
pub(crate) fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for text in ["", "/", "a//b", "a/../b", "..", ".", "a/./b", "a b", "a%2fb", "a?b", "a#b", "ä", "a\\b"]
        {
            assert!(VaultPath::new(text, "path").is_err(), "{text}");
        }
        assert!(VaultPath::new(&"a".repeat(1025), "path").is_err());
        assert_eq!(VaultPath::new("/team-a/kv_1.x/", "path").unwrap().as_str(), "team-a/kv_1.x");
    }

    proptest! {
        #[test]
        fn a_path_goes_into_a_url_as_it_stands(text in "[a-c./%?#&_-]{0,12}") {
            if let Ok(path) = VaultPath::new(&text, "path") {
                let base = reqwest::Url::parse("https://vault.example/x/v1/").unwrap();
                let url = base.join(path.as_str()).unwrap();
                prop_assert_eq!(url.path(), format!("/x/v1/{path}"));
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
