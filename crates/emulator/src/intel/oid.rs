//! Object identifiers in Intel's certificates (Intel SGX PCK Certificate and CRL Profile Specification,
//! section 1.3).

use der::asn1::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

pub(super) const COMMON_NAME: ObjectIdentifier = oid("2.5.4.3");
pub(super) const COUNTRY: ObjectIdentifier = oid("2.5.4.6");
pub(super) const LOCALITY: ObjectIdentifier = oid("2.5.4.7");
pub(super) const STATE: ObjectIdentifier = oid("2.5.4.8");
pub(super) const ORGANIZATION: ObjectIdentifier = oid("2.5.4.10");
pub(super) const CRL_NUMBER: ObjectIdentifier = oid("2.5.29.20");
pub(super) const CRL_REASON: ObjectIdentifier = oid("2.5.29.21");

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

/// The extension of PCK certificates: a SEQUENCE of pairs of identifier and value.
pub const SGX: ObjectIdentifier = oid("1.2.840.113741.1.13.1");
/// PPID: OCTET STRING of 16 bytes.
pub const PPID: ObjectIdentifier = oid("1.2.840.113741.1.13.1.1");
/// The TCB: a SEQUENCE of such pairs.
pub const TCB: ObjectIdentifier = oid("1.2.840.113741.1.13.1.2");
/// The 16 components of the TCB: INTEGER, 0 to 255.
pub const COMPONENTS: [ObjectIdentifier; 16] = [
    oid("1.2.840.113741.1.13.1.2.1"),
    oid("1.2.840.113741.1.13.1.2.2"),
    oid("1.2.840.113741.1.13.1.2.3"),
    oid("1.2.840.113741.1.13.1.2.4"),
    oid("1.2.840.113741.1.13.1.2.5"),
    oid("1.2.840.113741.1.13.1.2.6"),
    oid("1.2.840.113741.1.13.1.2.7"),
    oid("1.2.840.113741.1.13.1.2.8"),
    oid("1.2.840.113741.1.13.1.2.9"),
    oid("1.2.840.113741.1.13.1.2.10"),
    oid("1.2.840.113741.1.13.1.2.11"),
    oid("1.2.840.113741.1.13.1.2.12"),
    oid("1.2.840.113741.1.13.1.2.13"),
    oid("1.2.840.113741.1.13.1.2.14"),
    oid("1.2.840.113741.1.13.1.2.15"),
    oid("1.2.840.113741.1.13.1.2.16"),
];
/// PCESVN: INTEGER, 0 to 65535.
pub const PCE_SVN: ObjectIdentifier = oid("1.2.840.113741.1.13.1.2.17");
/// CPUSVN: OCTET STRING of 16 bytes.
pub const CPU_SVN: ObjectIdentifier = oid("1.2.840.113741.1.13.1.2.18");
/// PCEID: OCTET STRING of 2 bytes.
pub const PCE_ID: ObjectIdentifier = oid("1.2.840.113741.1.13.1.3");
/// FMSPC: OCTET STRING of 6 bytes.
pub const FMSPC: ObjectIdentifier = oid("1.2.840.113741.1.13.1.4");
/// SGX type: ENUMERATED, 0 standard, 1 scalable, 2 scalable with integrity.
pub const SGX_TYPE: ObjectIdentifier = oid("1.2.840.113741.1.13.1.5");
/// Platform instance id: OCTET STRING of 16 bytes. Under the Platform CA only.
pub const PLATFORM_INSTANCE_ID: ObjectIdentifier = oid("1.2.840.113741.1.13.1.6");
/// Configuration: a SEQUENCE of such pairs. Under the Platform CA only.
pub const CONFIGURATION: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7");
/// Whether packages can be added: BOOLEAN.
pub const DYNAMIC_PLATFORM: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7.1");
/// Whether Intel keeps the platform's root keys: BOOLEAN.
pub const CACHED_KEYS: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7.2");
/// Whether simultaneous multithreading is on: BOOLEAN.
pub const SMT_ENABLED: ObjectIdentifier = oid("1.2.840.113741.1.13.1.7.3");
