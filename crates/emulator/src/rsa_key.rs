//! RSA-4096 keys that follow from a seed.
//!
//! aws-lc-rs, which does the cryptography of the rest of this project, makes RSA keys only from the
//! system's randomness; so here, and only here, RustCrypto does the work.
//!
//! Each prime is the first one at or after a number that follows from the seed: 2048 bits, the two
//! highest of them set so that the product of two has 4096. The library's sieve and its primality
//! test do the search. For the published seeds [`hints`] has the distance from that number to the
//! prime, and the search is left out. A hint changes nothing but speed: a test searches and
//! compares.

use std::fmt;
use std::num::NonZeroU32;

use crypto_primes::{Flavor, hazmat::SmallFactorsSieve, is_prime};
use rand_chacha::rand_core::Rng as _;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::pss::SigningKey;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::{BoxedUint, PrivateKey};
use sha2::{Digest as _, Sha256, Sha384};

use crate::hints;
use crate::seed::Seed;

const PRIME_BITS: u32 = 2048;
const PRIME_BYTES: usize = 256;
const PUBLIC_EXPONENT: u32 = 65537;
/// AMD's salt is as long as the digest.
const SALT_LEN: usize = 48;

/// An RSA-4096 key for RSASSA-PSS with SHA-384. `Debug` does not show the private part.
pub(crate) struct RsaKey {
    signing: SigningKey<Sha384>,
    /// Keys the salts, so that a signature depends on key and message alone.
    salt_seed: [u8; 32],
}

impl RsaKey {
    /// The key called `label` of `seed`.
    pub(crate) fn derive(seed: &Seed, label: &str) -> Self {
        let (p_hint, q_hint) = hints::of(seed, label);
        let (p, q) = std::thread::scope(|scope| {
            let q = scope.spawn(|| prime(seed, &format!("{label}/q"), q_hint));
            (prime(seed, &format!("{label}/p"), p_hint), q.join())
        });
        let q = q.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut salt_seed = [0; 32];
        seed.stream(&format!("{label}/salt")).fill_bytes(&mut salt_seed);
        RsaKey { signing: SigningKey::new_with_salt_len(private_key(p, q), SALT_LEN), salt_seed }
    }

    /// The RSASSA-PSS signature over `message` (RFC 8017, 8.1): SHA-384, MGF1 with SHA-384, a salt
    /// of 48 bytes; 512 bytes. The same message gives the same signature.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut salt = Sha256::new();
        salt.update(self.salt_seed);
        salt.update(message);
        let mut stream = Seed::new(salt.finalize().into()).stream("RSASSA-PSS salt");
        self.signing.sign_with_rng(&mut stream, message).to_vec()
    }

    /// The public key as SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), algorithm rsaEncryption, DER.
    pub(crate) fn public_key_info(&self) -> Vec<u8> {
        let key: &PrivateKey = self.signing.as_ref();
        encoded(key.as_public_key())
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(private)")
    }
}

#[expect(clippy::expect_used, reason = "an RSA public key always has a DER form")]
fn encoded(key: &rsa::PublicKey) -> Vec<u8> {
    key.to_public_key_der().expect("RSA public key in DER").into_vec()
}

#[expect(clippy::expect_used, reason = "`prime` returns odd numbers above one that suit the exponent")]
fn private_key(p: BoxedUint, q: BoxedUint) -> PrivateKey {
    PrivateKey::from_p_q(p, q, BoxedUint::from(PUBLIC_EXPONENT)).expect("two distinct primes make an RSA key")
}

/// Where the search for the prime called `label` starts: an odd number of 2048 bits, the two
/// highest of them set.
fn start(seed: &Seed, label: &str) -> BoxedUint {
    let mut bytes = [0; PRIME_BYTES];
    seed.stream(label).fill_bytes(&mut bytes);
    let [first, .., last] = &mut bytes;
    *first |= 0b1100_0000;
    *last |= 1;
    BoxedUint::from_be_slice_truncated(&bytes, PRIME_BITS)
}

/// The first usable prime at or after [`start`]; `hint` is the distance to it where it is known.
fn prime(seed: &Seed, label: &str, hint: Option<u32>) -> BoxedUint {
    let start = start(seed, label);
    match hint {
        Some(distance) => start.wrapping_add(BoxedUint::from(distance)),
        None => search(start),
    }
}

#[expect(
    clippy::expect_used,
    reason = "the sieve takes any number that fits its bits, and primes of 2048 bits lie some thousands apart"
)]
fn search(start: BoxedUint) -> BoxedUint {
    let bits = NonZeroU32::new(PRIME_BITS).expect("not zero");
    SmallFactorsSieve::new(start, bits, false)
        .expect("the start fits")
        .find(|candidate| suits_exponent(candidate) && is_prime(Flavor::Any, candidate))
        .expect("a prime of 2048 bits")
}

/// Whether the public exponent, a prime itself, has an inverse modulo `candidate` - 1.
fn suits_exponent(candidate: &BoxedUint) -> bool {
    let remainder = candidate
        .to_be_bytes()
        .iter()
        .fold(0u32, |remainder, byte| ((remainder << 8) | u32::from(*byte)) % PUBLIC_EXPONENT);
    remainder != 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pss::{Signature, VerifyingKey};
    use rsa::signature::{Keypair as _, Verifier as _};
    use rsa::traits::PublicKeyParts as _;

    fn distance(seed: &Seed, label: &str) -> u32 {
        let start = start(seed, label);
        let far = search(start.clone()).wrapping_sub(&start).to_be_bytes();
        let (zeros, low) = far.split_at(far.len() - 4);
        assert!(zeros.iter().all(|b| *b == 0));
        u32::from_be_bytes(low.try_into().unwrap())
    }

    #[test]
    fn a_hinted_key_has_two_primes_of_the_right_size_and_signs() {
        let (label, (p_hint, q_hint)) = ("snp/Milan/ark", hints::of(&Seed::DEVELOPMENT, "snp/Milan/ark"));
        for (name, hint) in [("p", p_hint), ("q", q_hint)] {
            let prime = prime(&Seed::DEVELOPMENT, &format!("{label}/{name}"), Some(hint.unwrap()));
            assert!(is_prime(Flavor::Any, &prime));
            assert!(suits_exponent(&prime));
        }
        let key = RsaKey::derive(&Seed::DEVELOPMENT, label);
        let private: &PrivateKey = key.signing.as_ref();
        assert_eq!(private.n().bit_width(), 4096);
        private.validate().unwrap();

        let signature = key.sign(b"message");
        assert_eq!(signature, key.sign(b"message"), "a signature depends on key and message alone");
        assert_ne!(signature, key.sign(b"other"));
        let public: VerifyingKey<Sha384> = key.signing.verifying_key();
        public.verify(b"message", &Signature::try_from(signature.as_slice()).unwrap()).unwrap();
        assert_eq!(format!("{key:?}"), "RsaKey(private)");
    }

    #[test]
    #[ignore = "searches for all primes of the published seeds: run it after a change to the labels"]
    fn the_table_of_hints_is_what_the_search_finds() {
        let mut table = String::new();
        let mut same = true;
        for label in hints::labels() {
            let mut row = Vec::new();
            for seed in &Seed::PUBLISHED {
                let found = (distance(seed, &format!("{label}/p")), distance(seed, &format!("{label}/q")));
                same &= hints::of(seed, label) == (Some(found.0), Some(found.1));
                row.push(found);
            }
            table.push_str(&format!("    (\"{label}\", {row:?}),\n"));
        }
        assert!(same, "the table should be:\n{table}");
    }
}
