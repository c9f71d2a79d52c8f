//! Emulated AMD SEV-SNP silicon.

mod certificate;
mod crl;
mod fields;
mod guest;
pub mod oid;
mod shape;
mod silicon;

pub use crate::extension::Extension;
pub use certificate::{Authority, CertificateTemplate, Name, PssParameters};
pub use crl::CrlTemplate;
pub(crate) use fields::{FIELDS, guest};
pub use guest::{Certificates, Guest, GuestEvidence};
pub use shape::{AUTHORITY_VALIDITY, CSP_ID, ENDORSEMENT_VALIDITY};
pub use silicon::{EndorsementKey, EndorsementKeyId, SnpSilicon};

/// The launch measurement of emulated guests unless it is set: SHA-384 of the text
/// `assay emulator launch measurement`, the same for every seed; in hexadecimal
/// `fd6638e31913297cce8a6cbdc30c962fa490160b1f7c552c`
/// `7ef1da5ae187394d5f61742b61a1aca94f9a268f025d180a`.
pub const LAUNCH_MEASUREMENT: [u8; 48] = [
    0xfd, 0x66, 0x38, 0xe3, 0x19, 0x13, 0x29, 0x7c, 0xce, 0x8a, 0x6c, 0xbd, 0xc3, 0x0c, 0x96, 0x2f, 0xa4,
    0x90, 0x16, 0x0b, 0x1f, 0x7c, 0x55, 0x2c, 0x7e, 0xf1, 0xda, 0x5a, 0xe1, 0x87, 0x39, 0x4d, 0x5f, 0x61,
    0x74, 0x2b, 0x61, 0xa1, 0xac, 0xa9, 0x4f, 0x9a, 0x26, 0x8f, 0x02, 0x5d, 0x18, 0x0a,
];
