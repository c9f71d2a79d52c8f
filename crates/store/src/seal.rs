//! Envelope encryption: each record is sealed with a key of its own, and that key with the
//! key-encryption key.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use assay_types::SecretBytes;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::{Zeroize, Zeroizing};

use crate::{KeyEncryptionKey, StoreError};

/// The length of a data-encryption key in bytes.
const DATA_KEY_LEN: usize = 32;

/// The name of a sealed record. It is authenticated with the content.
pub(crate) struct RecordName {
    /// For errors: "resource a/b/c, version 3".
    description: String,
    /// The kind and all fields, each with its length before it, so no two names give the same bytes.
    encoded: Vec<u8>,
}

impl RecordName {
    pub(crate) fn new(kind: &str, fields: &[&[u8]], description: String) -> Self {
        let mut encoded = b"assay-store/1".to_vec();
        for field in std::iter::once(&kind.as_bytes()).chain(fields) {
            encoded.extend_from_slice(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            encoded.extend_from_slice(field);
        }
        RecordName { description, encoded }
    }

    /// The additional authenticated data of one of the two seals.
    fn aad(&self, part: Part) -> Aad<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.encoded.len() + 1);
        bytes.push(match part {
            Part::Key => b'k',
            Part::Content => b'c',
        });
        bytes.extend_from_slice(&self.encoded);
        Aad::from(bytes)
    }
}

#[derive(Clone, Copy)]
enum Part {
    Key,
    Content,
}

/// A sealed record as it is stored. Each part is a 12-byte nonce, the ciphertext, a 16-byte tag.
#[derive(Clone)]
pub(crate) struct Envelope {
    /// The id of the key-encryption key.
    pub(crate) kek_id: String,
    /// The data-encryption key, sealed with the key-encryption key.
    pub(crate) wrapped_key: Vec<u8>,
    /// The content, sealed with the data-encryption key.
    pub(crate) sealed: Vec<u8>,
}

/// A key-encryption key, ready for use.
struct Usable {
    key: LessSafeKey,
    raw: KeyEncryptionKey,
}

/// Key-encryption keys by id. One of them is active: it seals what is new.
#[derive(Clone)]
pub(crate) struct Ring {
    active: String,
    keys: BTreeMap<String, Arc<Usable>>,
}

impl Ring {
    /// A ring of one key, which is active.
    pub(crate) fn of(key: KeyEncryptionKey) -> Result<Self, StoreError> {
        let mut ring = Ring { active: key.id(), keys: BTreeMap::new() };
        ring.add(key)?;
        Ok(ring)
    }

    /// Adds a key. The active one stays so.
    pub(crate) fn add(&mut self, raw: KeyEncryptionKey) -> Result<(), StoreError> {
        self.keys.insert(raw.id(), Arc::new(Usable { key: gcm_key(raw.expose())?, raw }));
        Ok(())
    }

    /// Makes a key active that was added.
    pub(crate) fn activate(&mut self, id: String) {
        self.active = id;
    }

    /// The id of the active key.
    pub(crate) fn active(&self) -> &str {
        &self.active
    }

    /// Whether there is a key of that id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.keys.contains_key(id)
    }

    fn usable(&self, id: &str) -> Result<&Usable, StoreError> {
        let wrong = || StoreError::WrongKey { expected: id.to_owned(), given: self.active.clone() };
        self.keys.get(id).map(Arc::as_ref).ok_or_else(wrong)
    }

    /// The key `id`, sealed with the key `by`.
    pub(crate) fn seal_key(&self, by: &str, name: &RecordName, id: &str) -> Result<Vec<u8>, StoreError> {
        seal(&self.usable(by)?.key, name.aad(Part::Key), self.usable(id)?.raw.expose())
    }

    /// A key that was sealed with the key `by`.
    pub(crate) fn open_key(
        &self,
        by: &str,
        name: &RecordName,
        sealed: Vec<u8>,
    ) -> Result<KeyEncryptionKey, StoreError> {
        let tampered = || StoreError::Tampered { record: name.description.clone() };
        let opened = open(&self.usable(by)?.key, name.aad(Part::Key), sealed).ok_or_else(tampered)?;
        KeyEncryptionKey::from_secret(&opened).ok_or_else(tampered)
    }

    /// The same envelope with its data-encryption key sealed with the active key.
    pub(crate) fn rewrap(
        &self,
        name: &RecordName,
        kek_id: &str,
        wrapped: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let tampered = || StoreError::Tampered { record: name.description.clone() };
        let data_key = open(&self.usable(kek_id)?.key, name.aad(Part::Key), wrapped).ok_or_else(tampered)?;
        seal(&self.usable(&self.active)?.key, name.aad(Part::Key), data_key.expose())
    }
}

/// Seals and opens records.
pub(crate) struct Sealer {
    ring: ArcSwap<Ring>,
}

impl Sealer {
    pub(crate) fn new(ring: Ring) -> Self {
        Sealer { ring: ArcSwap::from_pointee(ring) }
    }

    /// The keys in use.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }

    /// Puts other keys into use.
    pub(crate) fn exchange(&self, ring: Ring) {
        self.ring.store(Arc::new(ring));
    }

    pub(crate) fn seal(&self, name: &RecordName, content: &[u8]) -> Result<Envelope, StoreError> {
        let ring = self.ring.load();
        let mut data_key = Zeroizing::new([0_u8; DATA_KEY_LEN]);
        rand::fill(data_key.as_mut_slice()).map_err(|_| StoreError::Crypto { operation: "random bytes" })?;
        Ok(Envelope {
            kek_id: ring.active.clone(),
            wrapped_key: seal(&ring.usable(&ring.active)?.key, name.aad(Part::Key), data_key.as_slice())?,
            sealed: seal(&gcm_key(data_key.as_slice())?, name.aad(Part::Content), content)?,
        })
    }

    pub(crate) fn open(&self, name: &RecordName, envelope: Envelope) -> Result<SecretBytes, StoreError> {
        let ring = self.ring.load();
        let key = ring.usable(&envelope.kek_id)?;
        let tampered = || StoreError::Tampered { record: name.description.clone() };
        let data_key = open(&key.key, name.aad(Part::Key), envelope.wrapped_key).ok_or_else(tampered)?;
        if data_key.expose().len() != DATA_KEY_LEN {
            return Err(tampered());
        }
        open(&gcm_key(data_key.expose())?, name.aad(Part::Content), envelope.sealed).ok_or_else(tampered)
    }
}

fn gcm_key(bytes: &[u8]) -> Result<LessSafeKey, StoreError> {
    let key =
        UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| StoreError::Crypto { operation: "AES key" })?;
    Ok(LessSafeKey::new(key))
}

/// Nonce, ciphertext, tag. A random nonce is safe here: a data-encryption key seals once, and the
/// key-encryption key stays far below the 2^32 seals of NIST SP 800-38D, 8.3.
fn seal(key: &LessSafeKey, aad: Aad<Vec<u8>>, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut nonce = [0_u8; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| StoreError::Crypto { operation: "random bytes" })?;
    let mut out = Vec::with_capacity(NONCE_LEN + content.len() + AES_256_GCM.tag_len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(content);
    let (_, body) = out.split_at_mut(NONCE_LEN);
    // In place, so the clear text is overwritten by what is stored.
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body)
        .map_err(|_| StoreError::Crypto { operation: "AES-256-GCM seal" })?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

fn open(key: &LessSafeKey, aad: Aad<Vec<u8>>, mut sealed: Vec<u8>) -> Option<SecretBytes> {
    let (nonce, body) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let content = key.open_in_place(nonce, aad, body).ok()?;
    let secret = SecretBytes::new(content.to_vec());
    content.zeroize();
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(Ring::of(KeyEncryptionKey::from_bytes([byte; 32])).unwrap())
    }

    #[test]
    fn a_data_key_moves_to_another_key_and_the_content_stays() {
        let envelope = sealer(1).seal(&name(&[b"a"]), b"content").unwrap();
        let mut ring = Ring::of(KeyEncryptionKey::from_bytes([1; 32])).unwrap();
        ring.add(KeyEncryptionKey::from_bytes([2; 32])).unwrap();
        let two = sealer(2).ring().active().to_owned();
        ring.activate(two.clone());
        let wrapped_key =
            ring.rewrap(&name(&[b"a"]), &envelope.kek_id, envelope.wrapped_key.clone()).unwrap();
        let moved = Envelope { kek_id: two, wrapped_key, sealed: envelope.sealed };
        assert_eq!(sealer(2).open(&name(&[b"a"]), moved).unwrap().expose(), b"content");
        let other = ring.rewrap(&name(&[b"b"]), &envelope.kek_id, envelope.wrapped_key);
        assert!(matches!(other, Err(StoreError::Tampered { .. })));
    }

    fn name(fields: &[&[u8]]) -> RecordName {
        RecordName::new("test", fields, "record".to_owned())
    }

    #[test]
    fn what_was_sealed_opens_under_the_same_name_only() {
        let sealer = sealer(1);
        for content in [&b""[..], b"x", &[7; 5000]] {
            let envelope = || sealer.seal(&name(&[b"a", b"b"]), content).unwrap();
            assert_eq!(sealer.open(&name(&[b"a", b"b"]), envelope()).unwrap().expose(), content);
            for other in [&[&b"ab"[..], b""][..], &[b"", b"ab"], &[b"a"], &[b"a", b"b", b""], &[b"b", b"a"]] {
                assert_eq!(
                    sealer.open(&name(other), envelope()),
                    Err(StoreError::Tampered { record: "record".to_owned() })
                );
            }
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealer = sealer(1);
        let fresh = || sealer.seal(&name(&[b"a"]), b"content").unwrap();
        let (key_len, len) = (fresh().wrapped_key.len(), fresh().sealed.len());
        for i in 0..key_len {
            let mut envelope = fresh();
            envelope.wrapped_key[i] ^= 1;
            assert!(sealer.open(&name(&[b"a"]), envelope).is_err(), "key byte {i}");
        }
        for i in 0..len {
            let mut envelope = fresh();
            envelope.sealed[i] ^= 1;
            assert!(sealer.open(&name(&[b"a"]), envelope).is_err(), "content byte {i}");
        }
        for cut in 0..len {
            let mut envelope = fresh();
            envelope.sealed.truncate(cut);
            assert!(sealer.open(&name(&[b"a"]), envelope).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn another_key_is_named() {
        let envelope = sealer(1).seal(&name(&[b"a"]), b"content").unwrap();
        let expected = sealer(1).ring().active().to_owned();
        let given = sealer(2).ring().active().to_owned();
        assert_ne!(expected, given);
        assert_eq!(sealer(2).open(&name(&[b"a"]), envelope), Err(StoreError::WrongKey { expected, given }));
    }

    #[test]
    fn two_seals_of_the_same_content_differ() {
        let a = sealer(1).seal(&name(&[b"a"]), b"content").unwrap();
        let b = sealer(1).seal(&name(&[b"a"]), b"content").unwrap();
        assert_ne!(a.sealed, b.sealed);
        assert_ne!(a.wrapped_key, b.wrapped_key);
    }
}
