//! A token together with the private key it names, to be handed on within the guest.

use std::fmt;

use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::SecretBytes;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use zeroize::Zeroizing;

use crate::error::ClientError;
use crate::handshake::{Session, failed};
use crate::token::Token;

/// A token, and the private key whose public half is its `tee-pubkey`: of the same handshake. Whoever
/// has both reads the guest's secrets. Both are wiped when dropped.
#[derive(Clone)]
pub struct TokenAndKey {
    /// The token.
    pub token: Token,
    /// The key as PEM text (RFC 7468), lines of 64 characters: `PRIVATE KEY` (PKCS#8, RFC 5208) for
    /// elliptic curves, `RSA PRIVATE KEY` (PKCS#1, RFC 8017) for RSA, as guest-components' agents
    /// write it (`tee_keypair`).
    pub tee_keypair: SecretBytes,
}

impl TokenAndKey {
    pub(crate) fn of(session: &Session) -> Result<Self, ClientError> {
        Ok(TokenAndKey { token: session.token.clone(), tee_keypair: pem_of(&session.key)? })
    }
}

impl fmt::Debug for TokenAndKey {
    /// Nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAndKey").field("token", &self.token).finish_non_exhaustive()
    }
}

fn pem_of(key: &DecryptionKey) -> Result<SecretBytes, ClientError> {
    let pkcs8 = key.to_pkcs8().map_err(|error| failed(error.to_string()))?;
    match key.algorithm() {
        KeyAlgorithm::RsaOaep256 => {
            let pkcs1 = inner_key(pkcs8.expose()).ok_or_else(|| failed("the RSA key is not in PKCS#8"))?;
            pem("RSA PRIVATE KEY", pkcs1)
        }
        _ => pem("PRIVATE KEY", pkcs8.expose()),
    }
}

/// PEM text; no copy of it is left behind.
fn pem(label: &str, der: &[u8]) -> Result<SecretBytes, ClientError> {
    const LINE: usize = 64;
    let mut base64 = Zeroizing::new(vec![0; der.len().div_ceil(3).saturating_mul(4)]);
    let len = BASE64_STANDARD.encode_slice(der, &mut base64).map_err(|error| failed(error.to_string()))?;
    let (begin, end) = (format!("-----BEGIN {label}-----\n"), format!("-----END {label}-----\n"));
    // As long as needed from the start: a vector that grows leaves its content behind.
    let lines = len.div_ceil(LINE);
    let capacity = [begin.len(), len, lines, end.len()].into_iter().fold(0, usize::saturating_add);
    let mut text = Vec::with_capacity(capacity);
    text.extend_from_slice(begin.as_bytes());
    for line in base64.chunks(LINE) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(end.as_bytes());
    Ok(SecretBytes::new(text))
}

/// The content of `privateKey` in a PKCS#8 document (RFC 5208, 5): of RSA keys the PKCS#1 form.
fn inner_key(pkcs8: &[u8]) -> Option<&[u8]> {
    const INTEGER: u8 = 0x02;
    const OCTET_STRING: u8 = 0x04;
    const SEQUENCE: u8 = 0x30;
    let (document, rest) = value(SEQUENCE, pkcs8)?;
    let (_version, members) = value(INTEGER, document)?;
    let (_algorithm, members) = value(SEQUENCE, members)?;
    let (key, _attributes) = value(OCTET_STRING, members)?;
    rest.is_empty().then_some(key)
}

/// The content of a DER value with this tag, and what follows it. Lengths of up to four bytes.
fn value(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        // 0x80 is an indefinite length, which DER does not have.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x0f))?;
            let length = digits.iter().fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    if *first != tag {
        return None;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Label and content of a PEM text.
    fn read(text: &SecretBytes) -> (String, Vec<u8>) {
        let text = std::str::from_utf8(text.expose()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let label = lines[0].strip_prefix("-----BEGIN ").unwrap().strip_suffix("-----").unwrap();
        assert_eq!(*lines.last().unwrap(), format!("-----END {label}-----"));
        let body = &lines[1..lines.len() - 1];
        assert!(body[..body.len() - 1].iter().all(|line| line.len() == 64));
        assert!(!body.last().unwrap().is_empty() && body.last().unwrap().len() <= 64);
        (label.to_owned(), BASE64_STANDARD.decode(body.concat()).unwrap())
    }

    #[test]
    fn keys_on_curves_are_written_in_pkcs8_and_read_back() {
        for algorithm in KeyAlgorithm::ALL.into_iter().filter(|one| *one != KeyAlgorithm::RsaOaep256) {
            let key = DecryptionKey::generate(algorithm).unwrap();
            let (label, der) = read(&pem_of(&key).unwrap());
            assert_eq!(label, "PRIVATE KEY");
            let again = DecryptionKey::from_pkcs8(algorithm, &SecretBytes::new(der)).unwrap();
            assert_eq!(again.public_jwk(), key.public_jwk());
        }
    }

    #[test]
    fn rsa_keys_are_written_in_pkcs1() {
        let key = DecryptionKey::generate(KeyAlgorithm::RsaOaep256).unwrap();
        let (label, der) = read(&pem_of(&key).unwrap());
        assert_eq!(label, "RSA PRIVATE KEY");
        // PKCS#1 is read by the library's own reader of that form.
        let pair = aws_lc_rs::rsa::KeyPair::from_der(&der).unwrap();
        let modulus = match key.public_jwk() {
            assay_types::TeePubKey::RSA { n, .. } => {
                base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(n).unwrap()
            }
            assay_types::TeePubKey::EC { .. } => panic!("no RSA key"),
        };
        use aws_lc_rs::signature::KeyPair as _;
        let public = pair.public_key().as_ref();
        assert!(public.windows(modulus.len()).any(|window| window == modulus));
    }

    #[test]
    fn lines_end_where_they_must() {
        for len in [1, 47, 48, 49, 96] {
            let (label, der) = read(&pem("X", &vec![7; len]).unwrap());
            assert_eq!((label.as_str(), der), ("X", vec![7; len]));
        }
    }

    #[test]
    fn what_is_no_pkcs8_has_no_inner_key() {
        let good = [0x30, 0x08, 0x02, 0x01, 0x00, 0x30, 0x00, 0x04, 0x01, 0x07];
        assert_eq!(inner_key(&good), Some(&[7][..]));
        for length in 0..good.len() {
            assert_eq!(inner_key(&good[..length]), None, "{length}");
        }
        for (at, byte) in
            [(0, 0x31), (1, 0x80), (1, 0x85), (1, 0x07), (2, 0x03), (5, 0x31), (7, 0x03), (8, 0x7f)]
        {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(inner_key(&bad), None, "{at}");
        }
        let long = [&good[..], &[0]].concat();
        assert_eq!(inner_key(&long), None);
    }
}
