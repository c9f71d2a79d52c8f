//! What is bundled of Intel's root, and why in this form.
//!
//! A trust anchor is a name and a public key (RFC 5280, section 6.1.1 (d)); the certificate around
//! it is only how it travels. So the Intel SGX Root CA, which stands above TDX as well, is bundled as
//! facts: name, point of the public key, serial number, dates, and the SHA-256 fingerprint of the
//! certificate that Intel publishes, for people to compare with the vendor's page. A test compares them
//! with the certificate at the end of real chains, where these are at hand.

use std::sync::Arc;

use assay_types::{Digest, HashAlgorithm, UnixTime, Validity};
use assay_x509::{Certificate, Name, PublicKey};
use der::asn1::ObjectIdentifier;

/// The common name of the root.
pub(crate) const ROOT_NAME: &str = "Intel SGX Root CA";

/// An uncompressed point on P-256 (SEC 1, 2.3.3), lower case hex.
const POINT: &str = concat!(
    "04",
    "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5",
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394",
);
const SERIAL: &str = "22650cd65a9d3489f383b49552bf501b392706ac";
/// SHA-256 of the certificate's DER, lower case hex.
const FINGERPRINT: &str = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3";
// 2018-05-21T10:45:10Z to 2049-12-31T23:59:59Z
const NOT_BEFORE: i64 = 1_526_899_510;
const NOT_AFTER: i64 = 2_524_607_999;

/// A root that is trusted.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) name: Name,
    pub(crate) key: PublicKey,
    pub(crate) serial: Vec<u8>,
    pub(crate) validity: Validity,
    /// SHA-256 of the certificate's DER.
    pub(crate) fingerprint: Digest,
    /// Whether it is an emulator's.
    pub(crate) emulated: bool,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Root({}, {}, emulated={})", self.name, self.fingerprint, self.emulated)
    }
}

impl Root {
    /// Whether `certificate` is that of this root: its fingerprint is, or, should the root be issued
    /// anew, its key and name are and it is signed by itself.
    pub(crate) fn is_of(&self, certificate: &Certificate) -> bool {
        certificate.fingerprint == self.fingerprint
            || (certificate.key.bytes().is_some_and(|bytes| Some(bytes) == self.key.bytes())
                && certificate.subject == self.name
                && certificate.signed.is_signed_by(&self.key))
    }
}

/// The name that Intel gives its authorities and certificates, with this common name (Intel PCK
/// certificate specification, section 1.3).
pub(crate) fn intel_name(common_name: &str) -> Name {
    const ATTRIBUTES: [(ObjectIdentifier, &str); 4] = [
        (ObjectIdentifier::new_unwrap("2.5.4.10"), "Intel Corporation"),
        (ObjectIdentifier::new_unwrap("2.5.4.7"), "Santa Clara"),
        (ObjectIdentifier::new_unwrap("2.5.4.8"), "CA"),
        (ObjectIdentifier::new_unwrap("2.5.4.6"), "US"),
    ];
    let common = (ObjectIdentifier::new_unwrap("2.5.4.3"), common_name);
    Name::new([common].into_iter().chain(ATTRIBUTES))
}

/// Intel's root. `None` when the constants are not what they are meant to be; a test shows that this
/// is not so. If it were, there would be no anchor and all evidence be refused.
pub(crate) fn intel() -> Option<Arc<Root>> {
    let key = PublicKey::p256(&hex::decode(POINT).ok()?);
    key.bytes()?;
    Some(Arc::new(Root {
        name: intel_name(ROOT_NAME),
        key,
        serial: hex::decode(SERIAL).ok()?,
        validity: Validity { not_before: UnixTime(NOT_BEFORE), not_after: UnixTime(NOT_AFTER) },
        fingerprint: Digest::new(HashAlgorithm::Sha256, hex::decode(FINGERPRINT).ok()?).ok()?,
        emulated: false,
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use assay_x509::{Der, split_pem};

    #[test]
    fn the_root_is_there() {
        let root = intel().unwrap();
        assert!(matches!(root.key, PublicKey::P256(_)));
        assert_eq!(root.validity.not_before.to_string(), "2018-05-21T10:45:10Z");
        assert_eq!(root.validity.not_after.to_string(), "2049-12-31T23:59:59Z");
    }

    #[test]
    fn the_facts_are_those_of_the_certificate_that_intel_publishes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/intel");
        if !folder.exists() {
            println!("skipped: the folder of vendor vectors is not at hand");
            return;
        }
        for quote in ["tdx_quote_4.dat", "tdx_quote_5.dat", "occlum_quote.dat", "cos-113-tdx-quote.dat"] {
            let bytes = std::fs::read(folder.join(quote)).unwrap();
            let at = bytes.windows(10).position(|w| w == b"-----BEGIN").unwrap();
            let text: Vec<u8> = bytes[at..].iter().copied().take_while(|b| *b != 0).collect();
            let chain = split_pem(&text).unwrap();
            assert_eq!(chain.len(), 3);
            let Der::Certificate(der) = &chain[2] else { panic!("not a certificate") };
            let certificate = Certificate::from_der(der).unwrap();
            let root = intel().unwrap();
            assert_eq!(certificate.subject, root.name);
            assert_eq!(certificate.issuer, root.name);
            assert_eq!(certificate.key.bytes(), root.key.bytes());
            assert_eq!(certificate.serial, root.serial);
            assert_eq!(certificate.validity, root.validity);
            assert_eq!(certificate.fingerprint, root.fingerprint);
            assert!(certificate.signed.is_signed_by(&root.key));
            assert!(root.is_of(&certificate));
        }
    }
}
