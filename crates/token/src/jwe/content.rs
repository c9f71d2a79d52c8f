//! The content: AES-256-GCM (RFC 7518, section 5.3), nonce of 12 bytes, tag of 16 bytes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{error::Unspecified, rand};
use zeroize::Zeroizing;

use assay_types::SecretBytes;

/// The length of a nonce in bytes.
pub const IV_LEN: usize = 12;

/// The length of a tag in bytes.
pub const TAG_LEN: usize = 16;

/// The key that encrypts one content, once.
pub type ContentKey = Zeroizing<[u8; 32]>;

/// What encrypting gives.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The nonce, drawn anew for each content.
    pub iv: [u8; IV_LEN],
    /// As long as the plaintext.
    pub ciphertext: Vec<u8>,
    /// The tag over ciphertext and additional data.
    pub tag: [u8; TAG_LEN],
}

/// A new key.
///
/// # Errors
/// When the library has no randomness.
pub fn random_key() -> Result<ContentKey, Unspecified> {
    let mut key = ContentKey::new([0; 32]);
    rand::fill(key.as_mut_slice())?;
    Ok(key)
}

fn cipher(key: &ContentKey) -> Result<LessSafeKey, Unspecified> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new)
}

/// Encrypts `plaintext`, `aad` authenticated with it.
///
/// # Errors
/// When the library has no randomness.
pub fn seal(key: &ContentKey, aad: &str, plaintext: &[u8]) -> Result<Sealed, Unspecified> {
    let mut iv = [0; IV_LEN];
    rand::fill(&mut iv)?;
    let mut ciphertext = plaintext.to_vec();
    let tag = cipher(key)?.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(iv),
        Aad::from(aad.as_bytes()),
        &mut ciphertext,
    )?;
    Ok(Sealed { iv, ciphertext, tag: tag.as_ref().try_into().map_err(|_| Unspecified)? })
}

/// Decrypts.
///
/// # Errors
/// When anything was changed, or the key is another one.
pub fn open(key: &ContentKey, aad: &str, sealed: Sealed) -> Result<SecretBytes, Unspecified> {
    // One buffer, with room for the tag from the start, so that no copy of the plaintext is left.
    let mut buffer = sealed.ciphertext;
    buffer.extend_from_slice(&sealed.tag);
    let nonce = Nonce::assume_unique_for_key(sealed.iv);
    let length = cipher(key)?.open_in_place(nonce, Aad::from(aad.as_bytes()), &mut buffer)?.len();
    buffer.truncate(length);
    Ok(SecretBytes::new(buffer))
}
