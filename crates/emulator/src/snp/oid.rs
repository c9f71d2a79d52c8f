//! Object identifiers in AMD's certificates.

use der::asn1::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

pub(super) const COMMON_NAME: ObjectIdentifier = oid("2.5.4.3");
pub(super) const COUNTRY: ObjectIdentifier = oid("2.5.4.6");
pub(super) const LOCALITY: ObjectIdentifier = oid("2.5.4.7");
pub(super) const STATE: ObjectIdentifier = oid("2.5.4.8");
pub(super) const ORGANIZATION: ObjectIdentifier = oid("2.5.4.10");
pub(super) const ORGANIZATIONAL_UNIT: ObjectIdentifier = oid("2.5.4.11");
pub(super) const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
pub(super) const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");
pub(super) const RSASSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
pub(super) const CRL_NUMBER: ObjectIdentifier = oid("2.5.29.20");

/// Subject key identifier.
pub const SUBJECT_KEY_ID: ObjectIdentifier = oid("2.5.29.14");
/// Key usage.
pub const KEY_USAGE: ObjectIdentifier = oid("2.5.29.15");
/// Basic constraints.
pub const BASIC_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.19");
/// CRL distribution points.
pub const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = oid("2.5.29.31");
/// Authority key identifier.
pub const AUTHORITY_KEY_ID: ObjectIdentifier = oid("2.5.29.35");

/// Version of the extensions' structure: INTEGER, 0, on Turin 1 (57230, section 3.1, as all below).
pub const STRUCT_VERSION: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.1");
/// Product name: IA5String, `Milan-B0`, `Genoa`, `Turin`.
pub const PRODUCT_NAME: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.2");
/// Security version number of the boot loader: INTEGER, as all of them.
pub const BOOTLOADER: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.1");
/// Security version number of the TEE firmware.
pub const TEE: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.2");
/// Security version number of the SNP firmware.
pub const SNP: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.3");
/// Reserved security version numbers, always 0. Turin has no number 4.
pub const RESERVED: [ObjectIdentifier; 4] = [
    oid("1.3.6.1.4.1.3704.1.3.4"),
    oid("1.3.6.1.4.1.3704.1.3.5"),
    oid("1.3.6.1.4.1.3704.1.3.6"),
    oid("1.3.6.1.4.1.3704.1.3.7"),
];
/// Security version number of the microcode.
pub const MICROCODE: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.8");
/// Security version number of the FMC, on Turin only.
pub const FMC: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.3.9");
/// Hardware id: the bare 64 bytes, on Turin 8. In a VCEK only.
pub const HARDWARE_ID: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.4");
/// Cloud service provider: IA5String. In a VLEK only.
pub const CSP_ID: ObjectIdentifier = oid("1.3.6.1.4.1.3704.1.5");
