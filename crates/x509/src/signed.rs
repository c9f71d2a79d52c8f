//! What X.509 signs: the bytes, the algorithm and the signature over them (RFC 5280, 4.1.1 and 5.1.1).

use std::fmt;

use der::asn1::{BitStringRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag};

use crate::{NotDer, PublicKey};

/// RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes: the algorithm identifier's
/// bytes. AMD writes the trailer field out in some certificates, though it is the default and DER
/// would leave it out; rustls-webpki refuses that, and so would any strict decoder.
const PSS_SHA384: [&[u8]; 2] = [
    b"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\
      \xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
      \xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\
      \x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
      \xa2\x03\x02\x01\x30",
    b"\x30\x46\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x39\
      \xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
      \xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\
      \x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\
      \xa2\x03\x02\x01\x30\xa3\x03\x02\x01\x01",
];

/// ecdsa-with-SHA256 (RFC 5758, 3.2): no parameters.
const ECDSA_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

/// A signature algorithm, by its identifier's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384, a salt of 48 bytes.
    PssSha384,
    /// ECDSA with SHA-256; on P-256 only.
    EcdsaSha256,
    /// Anything else, or two identifiers that differ.
    Other,
}

impl SignatureAlgorithm {
    fn read(identifier: &[u8]) -> Self {
        if PSS_SHA384.contains(&identifier) {
            SignatureAlgorithm::PssSha384
        } else if identifier == ECDSA_SHA256 {
            SignatureAlgorithm::EcdsaSha256
        } else {
            SignatureAlgorithm::Other
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignatureAlgorithm::PssSha384 => "RSASSA-PSS with SHA-384",
            SignatureAlgorithm::EcdsaSha256 => "ECDSA with SHA-256",
            SignatureAlgorithm::Other => "another algorithm",
        })
    }
}

/// Signed bytes with their signature.
#[derive(Clone)]
pub struct Signed {
    /// The signed bytes, with their tag and length, as they arrived.
    pub(crate) tbs: Vec<u8>,
    signature: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl Signed {
    /// Splits `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }` and looks at the inner algorithm
    /// identifier: the first element of `tbs` for which `skip` is false. Where it differs from the
    /// outer one, the algorithm is [`SignatureAlgorithm::Other`].
    pub(crate) fn split(der: &[u8], skip: impl Fn(Tag) -> bool) -> Result<Self, NotDer> {
        let mut reader = SliceReader::new(der)?;
        let (tbs, outer, signature) = reader
            .sequence(|r| Ok::<_, der::Error>((r.tlv_bytes()?, r.tlv_bytes()?, BitStringRef::decode(r)?)))?;
        reader.finish()?;
        let signature =
            signature.as_bytes().ok_or_else(|| NotDer::new("the signature has unused bits"))?.to_vec();
        let mut reader = SliceReader::new(tbs)?;
        let inner: &[u8] = reader.sequence(|r| {
            while skip(Tag::peek(r)?) {
                r.tlv_bytes()?;
            }
            let inner = r.tlv_bytes()?;
            while !r.is_finished() {
                r.tlv_bytes()?;
            }
            Ok::<_, der::Error>(inner)
        })?;
        let algorithm =
            if inner == outer { SignatureAlgorithm::read(outer) } else { SignatureAlgorithm::Other };
        Ok(Signed { tbs: tbs.to_vec(), signature, algorithm })
    }

    /// The algorithm, which both identifiers name.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Whether `key` made the signature. RSA-4096 by RSASSA-PSS with SHA-384 and P-256 by ECDSA with
    /// SHA-256 can have; nothing else is accepted.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        match (key, self.algorithm) {
            (PublicKey::Rsa4096(key), SignatureAlgorithm::PssSha384) => {
                key.verify_sig(&self.tbs, &self.signature).is_ok()
            }
            (PublicKey::P256(key), SignatureAlgorithm::EcdsaSha256) => {
                fixed::<32>(&self.signature).is_some_and(|fixed| key.verify_sig(&self.tbs, &fixed).is_ok())
            }
            _ => false,
        }
    }
}

/// `Ecdsa-Sig-Value` (RFC 3279, 2.2.3) as r then s, big endian, each of `N` bytes.
fn fixed<const N: usize>(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) = reader.sequence(|r| Ok::<_, der::Error>((UintRef::decode(r)?, UintRef::decode(r)?))).ok()?;
    reader.finish().ok()?;
    let mut out = Vec::with_capacity(2 * N);
    for number in [r.as_bytes(), s.as_bytes()] {
        out.resize(out.len() + N.checked_sub(number.len())?, 0);
        out.extend_from_slice(number);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_signatures_are_strict_der_of_two_numbers_that_fit() {
        let good = [0x30, 7, 2, 1, 5, 2, 2, 0, 0x80];
        let expected = [vec![0; 31], vec![5], vec![0; 31], vec![0x80]].concat();
        assert_eq!(fixed::<32>(&good), Some(expected));
        for bad in [
            &[0x30, 6, 2, 1, 5, 2, 1][..],         // cut off
            &[0x30, 6, 2, 1, 5, 2, 1, 1, 0],       // something after it
            &[0x30, 6, 2, 1, 0x85, 2, 1, 1],       // negative
            &[0x30, 7, 2, 2, 0, 5, 2, 1, 1],       // not minimal
            &[0x30, 9, 2, 1, 5, 2, 1, 1, 2, 1, 1], // three numbers
        ] {
            assert_eq!(fixed::<32>(bad), None, "{bad:02x?}");
        }
        assert_eq!(fixed::<1>(&[0x30, 7, 2, 1, 5, 2, 2, 1, 0]), None);
    }
}
