//! Certificate revocation lists (RFC 5280, section 5).

use assay_types::{Digest, UnixTime, Validity};
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Tag};
use x509_cert::crl::TbsCertList;

use crate::certificate::{minimal, unix_time};
use crate::{Name, NotDer, Signed};

/// CRLNumber. It says nothing about what is on the list.
const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");

/// A revocation list, reduced to what the checks need.
#[derive(Clone)]
pub struct Crl {
    /// The signature.
    pub signed: Signed,
    /// Who signed it, by name.
    pub issuer: Name,
    /// When it was made.
    pub this_update: UnixTime,
    /// `None` when the list does not say; then it is never in force.
    pub next_update: Option<UnixTime>,
    /// The number of the list (RFC 5280, 5.2.3), where it has one below 2^64.
    pub number: Option<u64>,
    /// Serial numbers, big endian, without leading zeros.
    pub revoked: Vec<Vec<u8>>,
    /// SHA-256 of the DER bytes.
    pub fingerprint: Digest,
}

impl Crl {
    /// Reads a list from DER. Lists with critical extensions (partial and indirect ones) are
    /// refused, as RFC 5280, section 5.2, asks of who does not process them.
    ///
    /// # Errors
    /// [`NotDer`]: not a list, or one with an unknown critical extension.
    pub fn from_der(der: &[u8]) -> Result<Self, NotDer> {
        // The version stands before the inner algorithm identifier.
        let signed = Signed::split(der, |tag| tag == Tag::Integer)?;
        let tbs = TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(&signed.tbs)?;
        let entries = tbs.revoked_certificates.unwrap_or_default();
        let of_entries = entries.iter().filter_map(|e| e.crl_entry_extensions.as_ref()).flatten();
        let mut extensions = tbs.crl_extensions.iter().flatten().chain(of_entries);
        if let Some(unknown) = extensions.find(|e| e.critical && e.extn_id != CRL_NUMBER) {
            return Err(NotDer::new(format!("unknown critical extension {}", unknown.extn_id)));
        }
        let number = tbs
            .crl_extensions
            .iter()
            .flatten()
            .find(|e| e.extn_id == CRL_NUMBER)
            .map(|e| UintRef::from_der(e.extn_value.as_bytes()))
            .transpose()?
            .and_then(|number| number_of(number.as_bytes()));
        Ok(Crl {
            number,
            issuer: Name::read(&tbs.issuer)?,
            this_update: unix_time(tbs.this_update)?,
            next_update: tbs.next_update.map(unix_time).transpose()?,
            revoked: entries.iter().map(|e| minimal(e.serial_number.as_bytes())).collect(),
            fingerprint: Digest::sha256(der),
            signed,
        })
    }

    /// From this update to the next; empty when the list names no next one.
    pub fn validity(&self) -> Validity {
        let never = self.this_update.plus(-1);
        Validity { not_before: self.this_update, not_after: self.next_update.unwrap_or(never) }
    }
}

fn number_of(big_endian: &[u8]) -> Option<u64> {
    big_endian.iter().try_fold(0_u64, |number, byte| number.checked_mul(256)?.checked_add((*byte).into()))
}
