//! What Trustee stores, from any bytes: nothing panics, what is read keeps to the bounds, and a name that is taken
//! as that of a key's file is the name that the key has.
#![no_main]

use assay_store::foreign::trustee::{
    MAX_VALUE_LEN, TrusteeReferenceValue, file_name_of, key_of, parse_local_json,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(entries) = parse_local_json(data, "fuzz") {
        let mut keys: Vec<_> = entries.iter().map(|entry| &entry.key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), entries.len(), "a key twice");
        for entry in &entries {
            assert!(entry.value.as_ref().map_or(0, |value| value.expose().len()) <= MAX_VALUE_LEN);
        }
    }
    if let Ok(value) = TrusteeReferenceValue::parse(data) {
        let read: Result<serde_json::Value, _> = serde_json::from_str(&value.value);
        // Levels beyond the parser's are refused later; all else is JSON.
        if let Err(error) = read {
            let known = ["recursion", "out of range"];
            assert!(known.iter().any(|part| error.to_string().contains(part)), "{error}");
        }
    }
    if let Ok(name) = std::str::from_utf8(data) {
        if let Ok(key) = key_of(name) {
            assert_eq!(file_name_of(&key), name);
        }
        let key: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_./".contains(*c)).collect();
        if (1..=1024).contains(&key.len()) {
            assert_eq!(key_of(&file_name_of(&key)).as_deref(), Ok(key.as_str()));
        }
    }
});
