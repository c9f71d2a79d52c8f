//! Keys as file names.

use crate::foreign::EntryError;

/// What stands for a slash in a file name.
const SLASH: &str = r"\x2F";

/// The longest key in bytes: a file name has at most 255 on Linux, other places may have longer keys.
const MAX_KEY_LEN: usize = 1024;

/// Whether Trustee takes the key: ASCII letters and digits, `-`, `_`, `.` and `/`.
pub(super) fn check(key: &str) -> Result<(), EntryError> {
    let refused = |detail| Err(EntryError::Key { detail });
    if key.is_empty() {
        return refused("it is empty");
    }
    if key.len() > MAX_KEY_LEN {
        return refused("it is longer than 1024 bytes");
    }
    if !key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/')) {
        return refused("it has other characters than A-Z a-z 0-9 - _ . /");
    }
    Ok(())
}

/// The name of the file in which Trustee's `LocalFs` keeps the value of `key`.
#[must_use]
pub fn file_name_of(key: &str) -> String {
    key.replace('/', SLASH)
}

/// The key whose value stands in a file of this name.
///
/// # Errors
/// [`EntryError::Key`] when Trustee writes no file of this name.
pub fn key_of(file_name: &str) -> Result<String, EntryError> {
    let key = file_name.replace(SLASH, "/");
    check(&key)?;
    // A slash that is none of ours would be another key's.
    if file_name_of(&key) != file_name {
        return Err(EntryError::Key { detail: "it has a slash that is not escaped" });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_trustee_does_not_write() {
        for name in ["", "a b", "a\\b", r"a\x2f", r"a\x2", "a/b", "ä", "a:b", "a\0", &"a".repeat(1025)] {
            assert!(key_of(name).is_err(), "{name:?}");
        }
        assert_eq!(key_of(r"default\x2Fkey\x2F1").unwrap(), "default/key/1");
        assert_eq!(key_of(r"resource-policy.rego").unwrap(), "resource-policy.rego");
        assert_eq!(key_of(r"\x2F\x2F").unwrap(), "//");
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_file_name(key in "[-A-Za-z0-9_./]{1,200}") {
            let name = file_name_of(&key);
            prop_assert!(!name.contains('/'));
            prop_assert_eq!(key_of(&name).unwrap(), key);
        }

        #[test]
        fn every_name_that_is_taken_comes_back_from_its_key(name in r"([-A-Za-z0-9_./ü:]|\\|\\x2F){0,40}") {
            if let Ok(key) = key_of(&name) {
                prop_assert_eq!(file_name_of(&key), name);
            }
        }
    }
}
