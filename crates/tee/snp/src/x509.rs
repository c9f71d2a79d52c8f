//! X.509 certificates as far as AMD uses them: read strictly, reduced to what the checks need.

use std::fmt;

use assay_types::{Digest, UnixTime, Validity};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PSS_2048_8192_SHA384};
use base64::Engine as _;
use der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::{TbsCertificate, Version};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

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

/// Bytes that are not a certificate or CRL: why, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotDer(pub(crate) String);

impl From<der::Error> for NotDer {
    fn from(e: der::Error) -> Self {
        NotDer(e.to_string())
    }
}

fn not(why: impl Into<String>) -> NotDer {
    NotDer(why.into())
}

/// A distinguished name: attributes in order, by type and text. The string type of the encoding
/// does not count, so that a name compares equal however it is encoded (RFC 5280, section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(Vec<(ObjectIdentifier, String)>);

impl Name {
    /// Reads a name of single-valued attributes, at most 16.
    pub(crate) fn read(name: &x509_cert::name::Name) -> Result<Self, NotDer> {
        let mut attributes = Vec::with_capacity(6);
        for rdn in name.iter_rdn() {
            let mut parts = rdn.iter();
            let (Some(attribute), None) = (parts.next(), parts.next()) else {
                return Err(not("a relative distinguished name has not exactly one attribute"));
            };
            let text = match attribute.value.tag() {
                Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
                    std::str::from_utf8(attribute.value.value()).map_err(|e| not(e.to_string()))?
                }
                tag => return Err(not(format!("a name has an attribute of type {tag}"))),
            };
            attributes.push((attribute.oid, text.to_owned()));
        }
        if attributes.len() > 16 {
            return Err(not("a name has more than 16 attributes"));
        }
        Ok(Name(attributes))
    }

    /// The name AMD gives its authorities, with this common name.
    pub(crate) fn amd(common_name: &str) -> Self {
        let attributes = [
            ("2.5.4.11", "Engineering"),
            ("2.5.4.6", "US"),
            ("2.5.4.7", "Santa Clara"),
            ("2.5.4.8", "CA"),
            ("2.5.4.10", "Advanced Micro Devices"),
            ("2.5.4.3", common_name),
        ];
        let known = |(oid, text): (&str, &str)| Some((ObjectIdentifier::new(oid).ok()?, text.to_owned()));
        Name(attributes.into_iter().filter_map(known).collect())
    }

    /// The common name; `None` when there is none or more than one.
    pub(crate) fn common_name(&self) -> Option<&str> {
        let mut names = self.0.iter().filter(|(oid, _)| *oid == COMMON_NAME);
        match (names.next(), names.next()) {
            (Some((_, text)), None) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (oid, text)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            match oid.to_string().as_str() {
                "2.5.4.3" => write!(f, "{separator}CN={text:?}")?,
                "2.5.4.6" => write!(f, "{separator}C={text:?}")?,
                "2.5.4.7" => write!(f, "{separator}L={text:?}")?,
                "2.5.4.8" => write!(f, "{separator}ST={text:?}")?,
                "2.5.4.10" => write!(f, "{separator}O={text:?}")?,
                "2.5.4.11" => write!(f, "{separator}OU={text:?}")?,
                other => write!(f, "{separator}{other}={text:?}")?,
            }
        }
        Ok(())
    }
}

/// A public key.
#[derive(Clone)]
pub(crate) enum PublicKey {
    /// RSA with 4096 bits, for RSASSA-PSS with SHA-384; the bytes are an `RSAPublicKey` (RFC 8017).
    Rsa4096(ParsedPublicKey),
    /// On P-384, for ECDSA with SHA-384.
    P384(ParsedPublicKey),
    /// Anything else, in words.
    Other(String),
}

impl PublicKey {
    /// From the bytes of an `RSAPublicKey` (RFC 8017, A.1.1).
    pub(crate) fn rsa(pkcs1: &[u8]) -> Self {
        let bits = SliceReader::new(pkcs1).and_then(|mut r| {
            r.sequence(|r| {
                let modulus = UintRef::decode(r)?;
                UintRef::decode(r)?;
                Ok::<_, der::Error>(modulus.as_bytes().len())
            })
        });
        match (bits, ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, pkcs1)) {
            (Ok(512), Ok(key)) => PublicKey::Rsa4096(key),
            (Ok(len), Ok(_)) => PublicKey::Other(format!("RSA with {} bits", len.saturating_mul(8))),
            _ => PublicKey::Other("unreadable RSA key".to_owned()),
        }
    }

    fn read(spki: &SubjectPublicKeyInfoOwned) -> Self {
        let algorithm = &spki.algorithm;
        let Some(bytes) = spki.subject_public_key.as_bytes() else {
            return PublicKey::Other("key with unused bits".to_owned());
        };
        if algorithm.oid == RSA_ENCRYPTION {
            return PublicKey::rsa(bytes);
        }
        if algorithm.oid != EC_PUBLIC_KEY {
            return PublicKey::Other(format!("key of algorithm {}", algorithm.oid));
        }
        let curve = algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        if curve != Some(SECP384R1) || bytes.first() != Some(&4) {
            return PublicKey::Other(match curve {
                Some(curve) if curve != SECP384R1 => format!("elliptic curve key on {curve}"),
                _ => "elliptic curve key of unknown form".to_owned(),
            });
        }
        match ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, bytes) {
            Ok(key) => PublicKey::P384(key),
            Err(_) => PublicKey::Other("a point that is not on P-384".to_owned()),
        }
    }

    /// The bytes the key was made of.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            PublicKey::Rsa4096(key) | PublicKey::P384(key) => Some(key.as_ref()),
            PublicKey::Other(_) => None,
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublicKey::Rsa4096(_) => f.write_str("RSA with 4096 bits"),
            PublicKey::P384(_) => f.write_str("elliptic curve key on P-384"),
            PublicKey::Other(what) => f.write_str(what),
        }
    }
}

/// What X.509 signs: the bytes and the signature over them.
#[derive(Clone)]
pub(crate) struct Signed {
    /// The signed bytes, with their tag and length, as they arrived.
    pub(crate) tbs: Vec<u8>,
    signature: Vec<u8>,
    /// Whether both algorithm identifiers are the same, and RSASSA-PSS with SHA-384.
    pub(crate) is_pss_sha384: bool,
}

impl Signed {
    /// Splits `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`. The algorithm identifier within
    /// `tbs` is at position `inner` (counted from zero, the version left out).
    fn read(der: &[u8]) -> Result<(Self, &[u8]), NotDer> {
        let mut reader = SliceReader::new(der)?;
        let (tbs, algorithm, signature) = reader
            .sequence(|r| Ok::<_, der::Error>((r.tlv_bytes()?, r.tlv_bytes()?, BitStringRef::decode(r)?)))?;
        reader.finish()?;
        let signature = signature.as_bytes().ok_or_else(|| not("the signature has unused bits"))?.to_vec();
        Ok((
            Signed { tbs: tbs.to_vec(), signature, is_pss_sha384: PSS_SHA384.contains(&algorithm) },
            algorithm,
        ))
    }

    /// Whether `key` made the signature. Only RSA-4096 with RSASSA-PSS and SHA-384 can have.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        match key {
            PublicKey::Rsa4096(key) if self.is_pss_sha384 => {
                key.verify_sig(&self.tbs, &self.signature).is_ok()
            }
            _ => false,
        }
    }

    /// [`Signed::read`] for other structures of the same form, with a look at the inner algorithm
    /// identifier: the first element of `tbs` after `skip` others.
    pub(crate) fn split(der: &[u8], skip: impl Fn(Tag) -> bool) -> Result<Self, NotDer> {
        let (mut signed, outer) = Signed::read(der)?;
        let mut reader = SliceReader::new(&signed.tbs)?;
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
        let same = inner == outer;
        signed.is_pss_sha384 &= same;
        Ok(signed)
    }
}

/// A certificate, reduced to what the checks need.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) signed: Signed,
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    /// Big endian, without leading zeros.
    pub(crate) serial: Vec<u8>,
    pub(crate) validity: Validity,
    /// SHA-256 of the DER bytes.
    pub(crate) fingerprint: Digest,
    pub(crate) key: PublicKey,
    pub(crate) is_v3: bool,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    /// The other extensions, none of them critical.
    pub(crate) extensions: Vec<Extension>,
}

impl Certificate {
    /// Reads a certificate from DER.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, NotDer> {
        // Version [0] and serial number stand before the inner algorithm identifier.
        let signed = Signed::split(der, |tag| tag != Tag::Sequence)?;
        let tbs = TbsCertificate::from_der(&signed.tbs)?;
        let mut basic_constraints = None;
        let mut key_usage = None;
        let mut extensions: Vec<Extension> = Vec::new();
        let mut seen = Vec::new();
        for extension in tbs.extensions().into_iter().flatten() {
            if seen.contains(&extension.extn_id) {
                return Err(not(format!("extension {} stands twice", extension.extn_id)));
            }
            seen.push(extension.extn_id);
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                BASIC_CONSTRAINTS => basic_constraints = Some(BasicConstraints::from_der(value)?),
                KEY_USAGE => key_usage = Some(KeyUsage::from_der(value)?),
                oid if extension.critical => return Err(not(format!("unknown critical extension {oid}"))),
                _ => extensions.push(extension.clone()),
            }
        }
        Ok(Certificate {
            subject: Name::read(tbs.subject())?,
            issuer: Name::read(tbs.issuer())?,
            serial: minimal(tbs.serial_number().as_bytes()),
            validity: Validity {
                not_before: unix_time(tbs.validity().not_before)?,
                not_after: unix_time(tbs.validity().not_after)?,
            },
            fingerprint: Digest::sha256(der),
            key: PublicKey::read(tbs.subject_public_key_info()),
            is_v3: tbs.version() == Version::V3,
            basic_constraints,
            key_usage,
            extensions,
            signed,
        })
    }
}

/// The time as seconds.
pub(crate) fn unix_time(time: x509_cert::time::Time) -> Result<UnixTime, NotDer> {
    i64::try_from(time.to_unix_duration().as_secs()).map(UnixTime).map_err(|_| not("a date out of range"))
}

/// A big endian number without leading zeros.
pub(crate) fn minimal(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|b| *b == 0).collect()
}

/// A DER value taken out of a file that may be PEM.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Der {
    Certificate(Vec<u8>),
    Crl(Vec<u8>),
    /// Not PEM: DER, or nothing at all.
    Unlabelled(Vec<u8>),
}

/// Splits PEM text into its certificates and CRLs (RFC 7468); other bytes stay one value. At most
/// 16 values, since no chain needs more.
pub(crate) fn split_pem(bytes: &[u8]) -> Result<Vec<Der>, NotDer> {
    const BEGIN: &str = "-----BEGIN ";
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains(BEGIN) => text,
        _ => return Ok(vec![Der::Unlabelled(bytes.to_vec())]),
    };
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, body) = after.split_once("-----").ok_or_else(|| not("PEM: no label"))?;
        let (body, after) = body
            .split_once(&format!("-----END {label}-----"))
            .ok_or_else(|| not(format!("PEM: {label:.40?} has no end")))?;
        rest = after;
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = base64::engine::general_purpose::STANDARD
            .decode(body)
            .map_err(|e| not(format!("PEM: {label:.40?} is not base64: {e}")))?;
        values.push(match label {
            "CERTIFICATE" => Der::Certificate(der),
            "X509 CRL" => Der::Crl(der),
            _ => return Err(not(format!("PEM: {label:.40?} is neither a certificate nor a CRL"))),
        });
        if values.len() > 16 {
            return Err(not("PEM: more than 16 values"));
        }
    }
    Ok(values)
}
