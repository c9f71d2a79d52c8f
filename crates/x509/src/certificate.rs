//! Certificates (RFC 5280, section 4).

use assay_types::{Digest, UnixTime, Validity};
use der::asn1::ObjectIdentifier;
use der::{Decode, Tag};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::{TbsCertificate, Version};

use crate::{Extension, Name, NotDer, PublicKey, Signed};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// A certificate, reduced to what the checks need.
#[derive(Clone)]
pub struct Certificate {
    /// The signature.
    pub signed: Signed,
    /// Whose key it certifies.
    pub subject: Name,
    /// Who signed it, by name.
    pub issuer: Name,
    /// The serial number, big endian, without leading zeros.
    pub serial: Vec<u8>,
    /// When it is valid.
    pub validity: Validity,
    /// SHA-256 of the DER bytes.
    pub fingerprint: Digest,
    /// The key it certifies.
    pub key: PublicKey,
    /// Whether its version is 3.
    pub is_v3: bool,
    /// Whether it is an authority, and how deep below it others may be.
    pub basic_constraints: Option<BasicConstraints>,
    /// What its key may be used for.
    pub key_usage: Option<KeyUsage>,
    /// The other extensions, none of them critical.
    pub extensions: Vec<Extension>,
}

impl Certificate {
    /// Reads a certificate from DER.
    ///
    /// # Errors
    /// [`NotDer`]: not a certificate, an extension twice, a critical one that is unknown.
    pub fn from_der(der: &[u8]) -> Result<Self, NotDer> {
        // Version [0] and serial number stand before the inner algorithm identifier.
        let signed = Signed::split(der, |tag| tag != Tag::Sequence)?;
        let tbs = TbsCertificate::from_der(&signed.tbs)?;
        let mut basic_constraints = None;
        let mut key_usage = None;
        let mut extensions: Vec<Extension> = Vec::new();
        let mut seen = Vec::new();
        for extension in tbs.extensions().into_iter().flatten() {
            if seen.contains(&extension.extn_id) {
                return Err(NotDer::new(format!("extension {} stands twice", extension.extn_id)));
            }
            seen.push(extension.extn_id);
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                BASIC_CONSTRAINTS => basic_constraints = Some(BasicConstraints::from_der(value)?),
                KEY_USAGE => key_usage = Some(KeyUsage::from_der(value)?),
                oid if extension.critical => {
                    return Err(NotDer::new(format!("unknown critical extension {oid}")));
                }
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
    i64::try_from(time.to_unix_duration().as_secs())
        .map(UnixTime)
        .map_err(|_| NotDer::new("a date out of range"))
}

/// A big endian number without leading zeros.
pub fn minimal(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|b| *b == 0).collect()
}
