//! The seed, and the streams of pseudo-random bytes that everything is made of.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest as _, Sha256};

/// The 32 bytes from which a whole emulated vendor grows. Two emulators with one seed make the same
/// keys, certificates and signatures, to the byte.
///
/// A seed is as secret as the private keys it stands for, so [`fmt::Debug`] shows only a
/// fingerprint. The published seeds ([`Seed::DEVELOPMENT`] and [`Seed::PUBLISHED`]) are secret to
/// nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

/// A text that is not a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seed is written as 64 hexadecimal digits (32 bytes)")]
pub struct NotASeed;

impl Seed {
    /// The seed of demonstrations: 32 zero bytes. Everybody has it.
    pub const DEVELOPMENT: Seed = Seed([0; 32]);

    /// The seeds whose RSA keys are found without a search: 32 bytes of 0, of 1 and of 2.
    pub const PUBLISHED: [Seed; 3] = [Seed([0; 32]), Seed([1; 32]), Seed([2; 32])];

    /// Takes 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Seed(bytes)
    }

    /// Reads 64 hexadecimal digits, of either case.
    ///
    /// # Errors
    /// [`NotASeed`] when the text is anything else.
    pub fn from_hex(text: &str) -> Result<Self, NotASeed> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotASeed)?;
        Ok(Seed(bytes))
    }

    /// An endless stream of bytes: ChaCha20 keyed with SHA-256(seed ‖ label). Streams with
    /// different labels know nothing of each other.
    pub(crate) fn stream(&self, label: &str) -> ChaCha20Rng {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(label.as_bytes());
        ChaCha20Rng::from_seed(hash.finalize().into())
    }

    /// The place of the seed in [`Seed::PUBLISHED`].
    pub(crate) fn published(&self) -> Option<usize> {
        Self::PUBLISHED.iter().position(|seed| seed == self)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = hex::encode(Sha256::digest(self.0));
        write!(f, "Seed(SHA-256 {})", digest.get(..16).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_bad_text_refused() {
        assert_eq!(Seed::from_hex(&"0".repeat(64)).unwrap(), Seed::DEVELOPMENT);
        assert_eq!(Seed::from_hex(&"aB".repeat(32)).unwrap(), Seed::new([0xab; 32]));
        for text in [String::new(), "0".repeat(63), "0".repeat(65), "0".repeat(66), "g".repeat(64)] {
            assert_eq!(Seed::from_hex(&text), Err(NotASeed));
        }
    }

    #[test]
    fn the_debug_form_does_not_show_the_seed() {
        let text = format!("{:?}", Seed::new([0xab; 32]));
        assert!(!text.contains("abab"), "{text}");
    }

    #[test]
    fn streams_differ_by_seed_and_by_label() {
        use rand_chacha::rand_core::Rng as _;
        let first = |seed: &Seed, label| seed.stream(label).next_u64();
        let one = Seed::new([1; 32]);
        assert_eq!(first(&one, "a"), first(&one, "a"));
        assert_ne!(first(&one, "a"), first(&one, "b"));
        assert_ne!(first(&one, "a"), first(&Seed::DEVELOPMENT, "a"));
    }
}
