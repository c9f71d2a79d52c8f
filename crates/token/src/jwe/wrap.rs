//! AES-256 key wrap (RFC 3394) of a 256-bit key: 40 bytes.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use zeroize::Zeroizing;

use super::content::ContentKey;

/// The length of a wrapped key in bytes.
pub const WRAPPED_LEN: usize = 40;

/// A key that wraps keys.
pub type WrappingKey = Zeroizing<[u8; 32]>;

/// Wraps `key`.
///
/// # Errors
/// When the library fails, which the input gives no cause for.
pub fn wrap(wrapping: &WrappingKey, key: &ContentKey) -> Result<[u8; WRAPPED_LEN], Unspecified> {
    let mut wrapped = [0; WRAPPED_LEN];
    let written = AesKek::new(&AES_256, wrapping.as_slice())?.wrap(key.as_slice(), &mut wrapped)?.len();
    if written == WRAPPED_LEN { Ok(wrapped) } else { Err(Unspecified) }
}

/// Opens a wrapped key.
///
/// # Errors
/// When the integrity check fails: wrapped by another key, or changed.
pub fn unwrap(wrapping: &WrappingKey, wrapped: &[u8; WRAPPED_LEN]) -> Result<ContentKey, Unspecified> {
    let mut key = ContentKey::new([0; 32]);
    let written = AesKek::new(&AES_256, wrapping.as_slice())?.unwrap(wrapped, key.as_mut_slice())?.len();
    if written == key.len() { Ok(key) } else { Err(Unspecified) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc_3394_section_4_6_holds() {
        let kek = hex::decode("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F").unwrap();
        let key = hex::decode("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F").unwrap();
        let wrapping = WrappingKey::new(kek.try_into().unwrap());
        let key = ContentKey::new(key.try_into().unwrap());
        let mut wrapped = wrap(&wrapping, &key).unwrap();
        assert_eq!(
            hex::encode_upper(wrapped),
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
        );
        assert_eq!(unwrap(&wrapping, &wrapped).unwrap(), key);
        wrapped[39] ^= 1;
        assert!(unwrap(&wrapping, &wrapped).is_err());
    }
}
