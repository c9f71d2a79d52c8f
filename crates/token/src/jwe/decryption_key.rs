//! The client's half: the guest's key, and strict decryption with it.

use std::fmt;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use serde::Deserialize;
use zeroize::Zeroizing;

use assay_types::{Response, SecretBytes, TeePubKey};

use super::content::{self, ContentKey, IV_LEN, Sealed, TAG_LEN};
use super::wrap::{self, WRAPPED_LEN, WrappingKey};
use super::{A256GCM, ECDH_ES_A256KW, JweError, MAX_PLAINTEXT_BYTES, RSA_OAEP_256, RSA1_5, concat_kdf};
use crate::certificate::rsa_components_of_spki;
use crate::error::shown;
use crate::jws::Present;
use crate::{Curve, base64url};

/// The longest protected header that is read, in characters.
const MAX_PROTECTED: usize = 4096;

/// The kinds of key a guest may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// `ECDH-ES+A256KW` on P-256, what guests have unless told otherwise.
    #[default]
    EcdhP256,
    /// `ECDH-ES+A256KW` on P-384. Trustee's server does not know it.
    EcdhP384,
    /// `ECDH-ES+A256KW` on P-521.
    EcdhP521,
    /// `RSA-OAEP-256` with 2048 bits.
    RsaOaep256,
}

impl KeyAlgorithm {
    /// Every kind.
    pub const ALL: [KeyAlgorithm; 4] =
        [KeyAlgorithm::EcdhP256, KeyAlgorithm::EcdhP384, KeyAlgorithm::EcdhP521, KeyAlgorithm::RsaOaep256];

    /// The name in configurations (`tee_key_algorithm`).
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyAlgorithm::EcdhP256 => "ECDH-ES+A256KW-P256",
            KeyAlgorithm::EcdhP384 => "ECDH-ES+A256KW-P384",
            KeyAlgorithm::EcdhP521 => "ECDH-ES+A256KW-P521",
            KeyAlgorithm::RsaOaep256 => "RSA-OAEP-256",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        KeyAlgorithm::ALL.into_iter().find(|a| a.as_str() == name)
    }

    fn curve(self) -> Option<Curve> {
        match self {
            KeyAlgorithm::EcdhP256 => Some(Curve::P256),
            KeyAlgorithm::EcdhP384 => Some(Curve::P384),
            KeyAlgorithm::EcdhP521 => Some(Curve::P521),
            KeyAlgorithm::RsaOaep256 => None,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

enum Inner {
    Curve(Curve, PrivateKey),
    Rsa(PrivateDecryptingKey),
}

/// A guest's private key. The library wipes it when it is dropped.
pub struct DecryptionKey {
    algorithm: KeyAlgorithm,
    inner: Inner,
    public: TeePubKey,
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptionKey({})", self.algorithm)
    }
}

/// The protected header as it comes. Other members have no bearing on decryption.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    epk: Option<EphemeralKey>,
    #[serde(default)]
    crit: Present,
    #[serde(default)]
    zip: Present,
    #[serde(default)]
    apu: Present,
    #[serde(default)]
    apv: Present,
}

#[derive(Deserialize)]
struct EphemeralKey {
    crv: String,
    kty: String,
    x: String,
    y: String,
}

impl DecryptionKey {
    /// A new key.
    ///
    /// # Errors
    /// [`JweError::Cryptography`] when the library has no randomness.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, JweError> {
        let failed = |_| JweError::Cryptography { operation: "generating a key" };
        let inner = match algorithm.curve() {
            Some(curve) => Inner::Curve(curve, PrivateKey::generate(curve.agreement()).map_err(failed)?),
            None => Inner::Rsa(PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(failed)?),
        };
        DecryptionKey::new(algorithm, inner)
    }

    /// Reads a key from PKCS#8 (RFC 5208) in DER.
    ///
    /// # Errors
    /// [`JweError::InvalidPrivateKey`] when it is no key for `algorithm`.
    pub fn from_pkcs8(algorithm: KeyAlgorithm, pkcs8: &SecretBytes) -> Result<Self, JweError> {
        let refused = |_| JweError::InvalidPrivateKey { algorithm: algorithm.as_str() };
        let inner = match algorithm.curve() {
            Some(curve) => Inner::Curve(
                curve,
                PrivateKey::from_private_key_der(curve.agreement(), pkcs8.expose()).map_err(refused)?,
            ),
            None => Inner::Rsa(PrivateDecryptingKey::from_pkcs8(pkcs8.expose()).map_err(refused)?),
        };
        DecryptionKey::new(algorithm, inner)
    }

    fn new(algorithm: KeyAlgorithm, inner: Inner) -> Result<Self, JweError> {
        let failed = || JweError::Cryptography { operation: "writing a public key" };
        let public = match &inner {
            Inner::Curve(curve, key) => {
                let public = key.compute_public_key().map_err(|_| failed())?;
                let (x, y) = curve.split(public.as_ref()).ok_or_else(failed)?;
                TeePubKey::EC {
                    crv: curve.as_str().to_owned(),
                    alg: ECDH_ES_A256KW.to_owned(),
                    x: base64url::encode(x),
                    y: base64url::encode(y),
                }
            }
            Inner::Rsa(key) => {
                let info: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| failed())?;
                let (n, e) = rsa_components_of_spki(info.as_ref()).map_err(|_| failed())?;
                TeePubKey::RSA {
                    alg: RSA_OAEP_256.to_owned(),
                    n: base64url::encode(n),
                    e: base64url::encode(e),
                }
            }
        };
        Ok(DecryptionKey { algorithm, inner, public })
    }

    /// The key in PKCS#8 (RFC 5208, version 1) in DER.
    ///
    /// # Errors
    /// [`JweError::Cryptography`] when the library cannot write it.
    pub fn to_pkcs8(&self) -> Result<SecretBytes, JweError> {
        let document: Result<Pkcs8V1Der<'_>, _> = match &self.inner {
            Inner::Curve(_, key) => key.as_der(),
            Inner::Rsa(key) => key.as_der(),
        };
        let document = document.map_err(|_| JweError::Cryptography { operation: "writing a private key" })?;
        Ok(SecretBytes::new(document.as_ref().to_vec()))
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half, as it is sent (`tee-pubkey`).
    pub fn public_jwk(&self) -> &TeePubKey {
        &self.public
    }

    /// Decrypts a secret. The header is taken as received; `alg`, `enc`, `epk` and the length of
    /// every member are checked.
    ///
    /// # Errors
    /// The [`JweError`] of the first thing that is wrong.
    pub fn decrypt(&self, message: &Response) -> Result<SecretBytes, JweError> {
        let header = self.read_header(&message.protected)?;
        let limit = base64url::encoded_len(MAX_PLAINTEXT_BYTES);
        if message.ciphertext.len() > limit {
            return Err(JweError::TooLarge { part: "ciphertext", found: message.ciphertext.len(), limit });
        }
        let iv = fixed::<IV_LEN>("iv", &message.iv)?;
        let tag = fixed::<TAG_LEN>("tag", &message.tag)?;
        let ciphertext = bytes("ciphertext", &message.ciphertext)?;
        let content_key = match &self.inner {
            Inner::Curve(curve, key) => {
                let wrapped = fixed::<WRAPPED_LEN>("encrypted_key", &message.encrypted_key)?;
                let wrapping = agree_with(*curve, key, header.epk.as_ref())?;
                wrap::unwrap(&wrapping, &wrapped).map_err(|_| JweError::Unwrap)?
            }
            Inner::Rsa(key) => open_rsa(key, &message.encrypted_key)?,
        };
        content::open(&content_key, &message.protected, Sealed { iv, ciphertext, tag })
            .map_err(|_| JweError::Decrypt)
    }

    fn read_header(&self, protected: &str) -> Result<Header, JweError> {
        if protected.len() > MAX_PROTECTED {
            let found = protected.len();
            return Err(JweError::TooLarge { part: "protected header", found, limit: MAX_PROTECTED });
        }
        let header: Header = serde_json::from_slice(&bytes("protected", protected)?)
            .map_err(|e| JweError::Header { why: e.to_string() })?;
        let unsupported =
            [("crit", header.crit), ("zip", header.zip), ("apu", header.apu), ("apv", header.apv)];
        if let Some((member, _)) = unsupported.into_iter().find(|(_, present)| present.0) {
            return Err(JweError::UnsupportedHeader { member });
        }
        if header.alg == RSA1_5 {
            return Err(JweError::Rsa15Refused);
        }
        let expected = match self.inner {
            Inner::Curve(..) => ECDH_ES_A256KW,
            Inner::Rsa(_) => RSA_OAEP_256,
        };
        if header.alg != expected {
            return Err(JweError::WrongAlgorithm { expected, found: shown(&header.alg) });
        }
        if header.enc != A256GCM {
            return Err(JweError::WrongEncryption { found: shown(&header.enc) });
        }
        Ok(header)
    }
}

fn bytes(member: &'static str, text: &str) -> Result<Vec<u8>, JweError> {
    base64url::decode(text).ok_or(JweError::Encoding { member })
}

/// A member of one right length. A text that is too long for it is not even decoded.
fn fixed<const N: usize>(member: &'static str, text: &str) -> Result<[u8; N], JweError> {
    let bytes = bounded(member, text, N)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| JweError::Length { member, expected: N, found: bytes.len() })
}

fn bounded(member: &'static str, text: &str, expected: usize) -> Result<Vec<u8>, JweError> {
    if text.len() > base64url::encoded_len(expected) {
        return Err(JweError::Length { member, expected, found: text.len().saturating_mul(3) / 4 });
    }
    bytes(member, text)
}

fn agree_with(curve: Curve, key: &PrivateKey, epk: Option<&EphemeralKey>) -> Result<WrappingKey, JweError> {
    let refused = |why| JweError::EphemeralKey { why };
    let epk = epk.ok_or(refused("it is missing"))?;
    if epk.kty != "EC" || epk.crv != curve.as_str() {
        return Err(refused("it is not on the curve of this key"));
    }
    let coordinate = |text| base64url::decode(text).ok_or(refused("x or y is not base64url"));
    let point = curve
        .join(&coordinate(&epk.x)?, &coordinate(&epk.y)?)
        .ok_or(refused("x or y is not as long as the field"))?;
    let mut wrapping = WrappingKey::new([0; 32]);
    agree(
        key,
        UnparsedPublicKey::new(curve.agreement(), point),
        refused("the point is not on its curve"),
        |z| {
            concat_kdf::derive(z, ECDH_ES_A256KW, b"", b"", wrapping.as_mut_slice())
                .map_err(|_| JweError::Cryptography { operation: "deriving a key" })
        },
    )?;
    Ok(wrapping)
}

fn open_rsa(key: &PrivateDecryptingKey, encrypted_key: &str) -> Result<ContentKey, JweError> {
    let failed = |_| JweError::Cryptography { operation: "using an RSA key" };
    let key = OaepPrivateDecryptingKey::new(key.clone()).map_err(failed)?;
    let expected = key.key_size_bytes();
    let encrypted = bounded("encrypted_key", encrypted_key, expected)?;
    if encrypted.len() != expected {
        return Err(JweError::Length { member: "encrypted_key", expected, found: encrypted.len() });
    }
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let opened =
        key.decrypt(&OAEP_SHA256_MGF1SHA256, &encrypted, &mut buffer, None).map_err(|_| JweError::Unwrap)?;
    let opened = <&[u8; 32]>::try_from(&*opened).map_err(|_| JweError::Unwrap)?;
    Ok(ContentKey::new(*opened))
}
