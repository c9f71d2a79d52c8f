//! Revocation lists before they are signed.

use assay_types::UnixTime;

use super::certificate::{Name, signed};
use super::oid;
use crate::ec_key::EcKey;
use crate::extension::{Extension, authority_key_id};
use crate::{EmulatorError, asn1};

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when.
    pub date: UnixTime,
    /// CRLReason (RFC 5280, 5.3.1); Intel says 1, the key is compromised. `None`: no extension.
    pub reason: Option<u8>,
}

/// Everything in a certificate revocation list (RFC 5280, 5.1).
#[derive(Clone, Debug)]
pub struct CrlTemplate {
    /// Who signs, by name. What counts for the signature is `signer`.
    pub issuer: Name,
    /// When it was made.
    pub this_update: UnixTime,
    /// When the next one is due, if it says so.
    pub next_update: Option<UnixTime>,
    /// The certificates that are revoked.
    pub revoked: Vec<RevokedCertificate>,
    /// The number of the list; Intel's is always 1.
    pub number: u64,
    /// The id of the issuer's key.
    pub authority_key_id: Vec<u8>,
    /// The key that signs.
    pub signer: EcKey,
    /// Flips the last bit of the signature.
    pub broken_signature: bool,
}

impl CrlTemplate {
    /// Revokes a certificate from the list's date on, because its key is compromised. One that is on the
    /// list stays there once.
    pub fn revoke(&mut self, serial: &[u8]) {
        if self.revoked.iter().any(|entry| entry.serial == serial) {
            return;
        }
        self.revoked.push(RevokedCertificate {
            serial: serial.to_vec(),
            date: self.this_update,
            reason: Some(1),
        });
    }

    /// Signs it: CertificateList, DER.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn issue(&self) -> Result<Vec<u8>, EmulatorError> {
        let next_update = self.next_update.map(asn1::time).transpose()?.unwrap_or_default();
        let mut revoked = Vec::new();
        for entry in &self.revoked {
            let reason = entry.reason.map(|reason| {
                asn1::sequence(&[&Extension::plain(oid::CRL_REASON, asn1::enumerated(reason)).to_der()])
            });
            revoked.extend(asn1::sequence(&[
                &asn1::unsigned(&entry.serial),
                &asn1::time(entry.date)?,
                &reason.unwrap_or_default(),
            ]));
        }
        // An empty list of entries is left out (RFC 5280, 5.1.2.6).
        let revoked = if revoked.is_empty() { revoked } else { asn1::tlv(0x30, &revoked) };
        let extensions = asn1::sequence(&[
            &Extension::plain(oid::CRL_NUMBER, asn1::integer(self.number)).to_der(),
            &Extension::plain(oid::AUTHORITY_KEY_ID, authority_key_id(&self.authority_key_id)).to_der(),
        ]);
        let to_be_signed = asn1::sequence(&[
            &asn1::integer(1),
            &self.signer.signature_algorithm(),
            &self.issuer.to_der(),
            &asn1::time(self.this_update)?,
            &next_update,
            &revoked,
            &asn1::context(0, &extensions),
        ]);
        Ok(signed(&to_be_signed, &self.signer, self.broken_signature))
    }
}
