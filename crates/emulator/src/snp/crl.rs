//! Revocation lists before they are signed.

use assay_tee_snp::Product;
use assay_types::UnixTime;

use super::certificate::{Authority, Name, PssParameters};
use super::oid;
use crate::EmulatorError;
use crate::asn1;
use crate::extension::Extension;

/// Everything in a certificate revocation list (RFC 5280, 5.1). AMD's ARK signs one for each
/// product line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlTemplate {
    /// How the signature's algorithm is written.
    pub parameters: PssParameters,
    /// Who signs, by name. What counts for the signature is `signer`.
    pub issuer: Name,
    /// When it was made.
    pub this_update: UnixTime,
    /// When the next one is due, if it says so.
    pub next_update: Option<UnixTime>,
    /// The serial numbers that are revoked, each with its date.
    pub revoked: Vec<(u64, UnixTime)>,
    /// The number of the list.
    pub number: u64,
    /// The key that signs.
    pub signer: (Product, Authority),
    /// Flips the last bit of the signature.
    pub broken_signature: bool,
}

impl CrlTemplate {
    /// The bytes to be signed: TBSCertList.
    pub(super) fn to_be_signed(&self) -> Result<Vec<u8>, EmulatorError> {
        let next_update = self.next_update.map(asn1::time).transpose()?.unwrap_or_default();
        let mut revoked = Vec::new();
        for (serial, date) in &self.revoked {
            revoked.extend(asn1::sequence(&[&asn1::integer(*serial), &asn1::time(*date)?]));
        }
        // An empty list of entries is left out (RFC 5280, 5.1.2.6).
        let revoked = if revoked.is_empty() { revoked } else { asn1::tlv(0x30, &revoked) };
        let number = Extension::plain(oid::CRL_NUMBER, asn1::integer(self.number)).to_der();
        Ok(asn1::sequence(&[
            &asn1::integer(1),
            &self.parameters.to_der(),
            &self.issuer.to_der(),
            &asn1::time(self.this_update)?,
            &next_update,
            &revoked,
            &asn1::context(0, &asn1::sequence(&[&number])),
        ]))
    }
}
