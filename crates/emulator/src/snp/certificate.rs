//! Certificates before they are signed: every field can be changed.

use assay_tee_snp::{KeyKind, Product};
use assay_types::Validity;
use der::asn1::ObjectIdentifier;

use super::oid;
use crate::EmulatorError;
use crate::asn1;
use crate::extension::Extension;

/// The certification authorities of a product line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authority {
    /// AMD root key.
    Ark,
    /// AMD SEV key: certifies VCEKs.
    Ask,
    /// AMD SEV VLEK key: certifies VLEKs.
    Asvk,
}

impl Authority {
    /// The authority that certifies endorsement keys of this kind.
    pub const fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Vcek => Authority::Ask,
            KeyKind::Vlek => Authority::Asvk,
        }
    }
}

/// The names of subject and issuer. The attributes stand in AMD's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// OU; AMD's is `Engineering`.
    pub organizational_unit: String,
    /// C; AMD's is `US`.
    pub country: String,
    /// L; AMD's is `Santa Clara`.
    pub locality: String,
    /// ST; AMD's is `CA`.
    pub state: String,
    /// O; AMD's is `Advanced Micro Devices`. Here [`Name::ORGANIZATION`], so that whoever looks at
    /// a certificate sees where it is from.
    pub organization: String,
    /// CN: `ARK-Milan`, `SEV-Milan`, `SEV-VLEK-Milan`, `SEV-VCEK`, `SEV-VLEK`.
    pub common_name: String,
}

impl Name {
    /// The organization in all names.
    pub const ORGANIZATION: &'static str = "Assay Emulator, not AMD";

    /// AMD's name with another organization.
    pub fn new(common_name: impl Into<String>) -> Self {
        Name {
            organizational_unit: "Engineering".into(),
            country: "US".into(),
            locality: "Santa Clara".into(),
            state: "CA".into(),
            organization: Name::ORGANIZATION.into(),
            common_name: common_name.into(),
        }
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let attribute = |oid: &ObjectIdentifier, value: Vec<u8>| {
            asn1::set(&[&asn1::sequence(&[&asn1::oid(oid), &value])])
        };
        let text = asn1::utf8_string;
        asn1::sequence(&[
            &attribute(&oid::ORGANIZATIONAL_UNIT, text(&self.organizational_unit)),
            &attribute(&oid::COUNTRY, asn1::printable_string(&self.country)),
            &attribute(&oid::LOCALITY, text(&self.locality)),
            &attribute(&oid::STATE, text(&self.state)),
            &attribute(&oid::ORGANIZATION, text(&self.organization)),
            &attribute(&oid::COMMON_NAME, text(&self.common_name)),
        ])
    }
}

/// How the parameters of RSASSA-PSS are written. All say SHA-384, MGF1 with SHA-384 and a salt of
/// 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PssParameters {
    /// With the trailer field, though it has its default value: AMD's authorities and their lists,
    /// and endorsement keys until about 2024.
    TrailerField,
    /// Without it, as DER asks: AMD's endorsement keys since.
    NoTrailerField,
}

impl PssParameters {
    /// The AlgorithmIdentifier id-RSASSA-PSS (RFC 4055, 3.1).
    pub(super) fn to_der(self) -> Vec<u8> {
        let sha384 = asn1::sequence(&[&asn1::oid(&oid::SHA384), asn1::NULL]);
        let mgf = asn1::sequence(&[&asn1::oid(&oid::MGF1), &sha384]);
        let trailer = match self {
            PssParameters::TrailerField => asn1::context(3, &asn1::integer(1)),
            PssParameters::NoTrailerField => Vec::new(),
        };
        let parameters = asn1::sequence(&[
            &asn1::context(0, &sha384),
            &asn1::context(1, &mgf),
            &asn1::context(2, &asn1::integer(48)),
            &trailer,
        ]);
        asn1::sequence(&[&asn1::oid(&oid::RSASSA_PSS), &parameters])
    }
}

/// Everything in a certificate. [`SnpSilicon`](super::SnpSilicon) fills it in as AMD would and
/// signs it; in between any field can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateTemplate {
    /// The serial number; AMD's endorsement keys have 0.
    pub serial: u64,
    /// How the signature's algorithm is written.
    pub parameters: PssParameters,
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
    pub signer: (Product, Authority),
    /// Flips the last bit of the signature.
    pub broken_signature: bool,
}

impl CertificateTemplate {
    /// Gives an extension another value, or adds it at the end, not critical.
    pub fn set_extension(&mut self, oid: ObjectIdentifier, value: Vec<u8>) {
        match self.extensions.iter_mut().find(|e| e.oid == oid) {
            Some(extension) => extension.value = value,
            None => self.extensions.push(Extension { oid, critical: false, value }),
        }
    }

    /// Sets an extension to an INTEGER: the security version numbers are such.
    pub fn set_number(&mut self, oid: ObjectIdentifier, value: u64) {
        self.set_extension(oid, asn1::integer(value));
    }

    /// Sets an extension to an IA5String: product name and cloud provider are such.
    pub fn set_text(&mut self, oid: ObjectIdentifier, value: &str) {
        self.set_extension(oid, asn1::ia5_string(value));
    }

    /// Takes an extension away.
    pub fn remove_extension(&mut self, oid: ObjectIdentifier) {
        self.extensions.retain(|e| e.oid != oid);
    }

    /// The bytes to be signed: TBSCertificate (RFC 5280, 4.1).
    pub(super) fn to_be_signed(&self) -> Result<Vec<u8>, EmulatorError> {
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            list => asn1::context(
                3,
                &asn1::tlv(0x30, &list.iter().flat_map(Extension::to_der).collect::<Vec<_>>()),
            ),
        };
        Ok(asn1::sequence(&[
            &asn1::context(0, &asn1::integer(2)),
            &asn1::integer(self.serial),
            &self.parameters.to_der(),
            &self.issuer.to_der(),
            &asn1::sequence(&[&asn1::time(self.validity.not_before)?, &asn1::time(self.validity.not_after)?]),
            &self.subject.to_der(),
            &self.public_key,
            &extensions,
        ]))
    }
}

/// Certificate or CertificateList: what was signed, the algorithm, the signature.
pub(super) fn signed(
    to_be_signed: &[u8],
    parameters: PssParameters,
    mut signature: Vec<u8>,
    broken: bool,
) -> Vec<u8> {
    if let (true, Some(last)) = (broken, signature.last_mut()) {
        *last ^= 1;
    }
    asn1::sequence(&[to_be_signed, &parameters.to_der(), &asn1::bit_string(&signature)])
}
