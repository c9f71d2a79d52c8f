//! Byte strings of a fixed length, written as lower-case hexadecimal digits and in no other way.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `N` bytes; in text `2 * N` lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexBytes<const N: usize>([u8; N]);

/// The name of a chain: 16 random bytes.
pub type ChainId = HexBytes<16>;

/// What a record is chained by: a SHA-384.
pub type RecordHash = HexBytes<48>;

impl<const N: usize> HexBytes<N> {
    /// These bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        HexBytes(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Reads lower-case hexadecimal digits; `None` when the text is anything else. Each byte string has
    /// one text only, so a change of the text is a change of the bytes.
    pub fn from_text(text: &str) -> Option<Self> {
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if !text.bytes().all(lower) {
            return None;
        }
        let bytes = hex::decode(text).ok()?;
        <[u8; N]>::try_from(bytes).ok().map(HexBytes)
    }
}

impl<const N: usize> From<[u8; N]> for HexBytes<N> {
    fn from(bytes: [u8; N]) -> Self {
        HexBytes(bytes)
    }
}

impl<const N: usize> fmt::Display for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for HexBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for HexBytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexBytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HexBytes::from_text(&text)
            .ok_or_else(|| D::Error::custom(format!("expected {} lower-case hexadecimal digits", N * 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_string_has_one_text() {
        let id = ChainId::new([0xab; 16]);
        let text = id.to_string();
        assert_eq!(ChainId::from_text(&text), Some(id));
        for wrong in
            [text.to_uppercase(), text[1..].to_owned(), format!("{text}00"), text.replace("ab", "g0")]
        {
            assert_eq!(ChainId::from_text(&wrong), None, "{wrong}");
        }
    }
}
