//! Opening an envelope: the data key out of its wrapping, then the secret under the data key.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

use assay_token::jwe::content::{self, ContentKey, Sealed, TAG_LEN};
use assay_token::jwe::wrap::{self, WRAPPED_LEN};
use assay_types::SecretBytes;

use crate::{Envelope, SealedSecretError, WrapType};

/// Whether a secret is taken that nothing authenticates but the signature around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ctr {
    /// A256CTR is refused.
    #[default]
    Refused,
    /// A256CTR is taken: whoever can change the ciphertext can change the secret bit by bit.
    AllowedDanger,
}

/// A key of 32 bytes.
pub(crate) fn key32(what: &'static str, key: &SecretBytes) -> Result<Zeroizing<[u8; 32]>, SealedSecretError> {
    let found = key.expose().len();
    let bytes =
        key.expose().try_into().map_err(|_| SealedSecretError::Length { what, expected: 32, found })?;
    Ok(Zeroizing::new(bytes))
}

impl Envelope {
    /// The data key (32 bytes) out of `encrypted_key`, under the key-encryption key of 32 bytes that the
    /// provider `kbs` keeps: AES-256 key wrap (RFC 3394).
    ///
    /// # Errors
    /// [`SealedSecretError::Provider`] when another provider has the key, [`SealedSecretError::Length`],
    /// [`SealedSecretError::Unwrap`].
    pub fn unwrap_data_key(&self, kek: &SecretBytes) -> Result<SecretBytes, SealedSecretError> {
        self.key_resource()?;
        let kek = key32("the key-encryption key", kek)?;
        let found = self.encrypted_key.len();
        let wrapped: &[u8; WRAPPED_LEN] = self
            .encrypted_key
            .as_slice()
            .try_into()
            .map_err(|_| SealedSecretError::Length { what: "encrypted_key", expected: WRAPPED_LEN, found })?;
        let key = wrap::unwrap(&kek, wrapped).map_err(|_| SealedSecretError::Unwrap)?;
        Ok(SecretBytes::new(key.to_vec()))
    }

    /// The secret, under the data key of 32 bytes.
    ///
    /// # Errors
    /// [`SealedSecretError::CtrRefused`], [`SealedSecretError::Length`], [`SealedSecretError::Decrypt`].
    pub fn open(&self, data_key: &SecretBytes, ctr: Ctr) -> Result<SecretBytes, SealedSecretError> {
        let key = key32("the data key", data_key)?;
        match (self.wrap_type, ctr) {
            (WrapType::A256Gcm, _) => self.open_gcm(&key),
            (WrapType::A256Ctr, Ctr::AllowedDanger) => self.open_ctr(&key),
            (WrapType::A256Ctr, Ctr::Refused) => Err(SealedSecretError::CtrRefused),
        }
    }

    fn open_gcm(&self, key: &ContentKey) -> Result<SecretBytes, SealedSecretError> {
        // Without room for a tag it is as little authentic as with a wrong one.
        let (ciphertext, tag) =
            self.encrypted_data.split_last_chunk::<TAG_LEN>().ok_or(SealedSecretError::Decrypt)?;
        let sealed = Sealed { iv: self.iv()?, ciphertext: ciphertext.to_vec(), tag: *tag };
        content::open(key, "", sealed).map_err(|_| SealedSecretError::Decrypt)
    }

    fn open_ctr(&self, key: &ContentKey) -> Result<SecretBytes, SealedSecretError> {
        let failed = |_| SealedSecretError::Cryptography { operation: "decrypting with AES-256-CTR" };
        let key = UnboundCipherKey::new(&AES_256, key.as_slice()).and_then(DecryptingKey::ctr);
        let context = DecryptionContext::Iv128(FixedLength::from(self.iv::<16>()?));
        let mut buffer = Zeroizing::new(self.encrypted_data.clone());
        key.map_err(failed)?.decrypt(&mut buffer, context).map_err(failed)?;
        Ok(SecretBytes::new(std::mem::take(&mut *buffer)))
    }

    fn iv<const N: usize>(&self) -> Result<[u8; N], SealedSecretError> {
        let found = self.iv.len();
        self.iv.as_slice().try_into().map_err(|_| SealedSecretError::Length {
            what: "iv",
            expected: N,
            found,
        })
    }
}
