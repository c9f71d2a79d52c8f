//! Certificates before they are signed: every field can be changed.

use assay_types::Validity;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use der::asn1::ObjectIdentifier;

use super::oid;
use crate::ec_key::EcKey;
use crate::extension::Extension;
use crate::{EmulatorError, asn1};

/// The names of subject and issuer. The attributes stand in Intel's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// CN: `Intel SGX Root CA`, `Intel SGX PCK Platform CA`, `Intel SGX PCK Processor CA`, `Intel SGX TCB
    /// Signing`, `Intel SGX PCK Certificate`.
    pub common_name: String,
    /// O: [`Name::ORGANIZATION`].
    pub organization: String,
    /// L; Intel's is `Santa Clara`.
    pub locality: String,
    /// ST; Intel's is `CA`.
    pub state: String,
    /// C; Intel's is `US`.
    pub country: String,
}

impl Name {
    /// The organization in all names; verifiers look at it.
    pub const ORGANIZATION: &'static str = "Intel Corporation";

    /// Intel's name with this common name.
    pub fn new(common_name: impl Into<String>) -> Self {
        Name {
            common_name: common_name.into(),
            organization: Name::ORGANIZATION.into(),
            locality: "Santa Clara".into(),
            state: "CA".into(),
            country: "US".into(),
        }
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let attribute = |oid: &ObjectIdentifier, value: Vec<u8>| {
            asn1::set(&[&asn1::sequence(&[&asn1::oid(oid), &value])])
        };
        let text = asn1::utf8_string;
        asn1::sequence(&[
            &attribute(&oid::COMMON_NAME, text(&self.common_name)),
            &attribute(&oid::ORGANIZATION, text(&self.organization)),
            &attribute(&oid::LOCALITY, text(&self.locality)),
            &attribute(&oid::STATE, text(&self.state)),
            &attribute(&oid::COUNTRY, asn1::printable_string(&self.country)),
        ])
    }
}

/// Everything in a certificate. [`IntelSilicon`](super::IntelSilicon) fills it in as Intel would; any field
/// can be changed before [`CertificateTemplate::issue`] signs it.
#[derive(Clone, Debug)]
pub struct CertificateTemplate {
    /// The serial number, big-endian, not negative. Intel's have 20 bytes.
    pub serial: Vec<u8>,
    /// Who signs, by name. What counts for the signature is `signer`.
    pub issuer: Name,
    /// When it is valid.
    pub validity: Validity,
    /// Whose key it is.
    pub subject: Name,
    /// The key, as SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// The extensions, in order. Empty: none at all.
    pub extensions: Vec<Extension>,
    /// The key that signs.
    pub signer: EcKey,
    /// Flips the last bit of the signature.
    pub broken_signature: bool,
}

impl CertificateTemplate {
    /// Gives an extension another value, or adds it at the end, not critical.
    pub fn set_extension(&mut self, oid: ObjectIdentifier, value: Vec<u8>) {
        match self.extensions.iter_mut().find(|e| e.oid == oid) {
            Some(extension) => extension.value = value,
            None => self.extensions.push(Extension::plain(oid, value)),
        }
    }

    /// Takes an extension away.
    pub fn remove_extension(&mut self, oid: ObjectIdentifier) {
        self.extensions.retain(|e| e.oid != oid);
    }

    /// Signs it: Certificate (RFC 5280, 4.1), DER.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn issue(&self) -> Result<Vec<u8>, EmulatorError> {
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            list => asn1::context(
                3,
                &asn1::tlv(0x30, &list.iter().flat_map(Extension::to_der).collect::<Vec<_>>()),
            ),
        };
        let to_be_signed = asn1::sequence(&[
            &asn1::context(0, &asn1::integer(2)),
            &asn1::unsigned(&self.serial),
            &self.signer.signature_algorithm(),
            &self.issuer.to_der(),
            &asn1::sequence(&[&asn1::time(self.validity.not_before)?, &asn1::time(self.validity.not_after)?]),
            &self.subject.to_der(),
            &self.public_key,
            &extensions,
        ]);
        Ok(signed(&to_be_signed, &self.signer, self.broken_signature))
    }
}

/// Certificate or CertificateList: what was signed, the algorithm, the signature.
pub(super) fn signed(to_be_signed: &[u8], signer: &EcKey, broken: bool) -> Vec<u8> {
    let mut signature = signer.sign_der(to_be_signed);
    if let (true, Some(last)) = (broken, signature.last_mut()) {
        *last ^= 1;
    }
    asn1::sequence(&[to_be_signed, &signer.signature_algorithm(), &asn1::bit_string(&signature)])
}

/// One piece of DER as PEM (RFC 7468), 64 characters to a line, with a line feed at the end. The label is
/// `CERTIFICATE` or `X509 CRL`.
pub fn pem(label: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    let text = BASE64_STANDARD.encode(der);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Certificates as PEM, one after the other.
pub fn pem_chain(certificates: &[Vec<u8>]) -> String {
    certificates.iter().map(|der| pem("CERTIFICATE", der)).collect()
}
