//! What is bundled of AMD's authorities, and why in this form.
//!
//! A trust anchor is a name and a public key (RFC 5280, section 6.1.1 (d)); the certificate around
//! it is only how it travels. So AMD's root keys (ARK) are bundled as facts: common name, modulus,
//! serial number, dates, and the SHA-256 fingerprint of the certificate that AMD publishes, for
//! people to compare with the vendor's page.
//!
//! Guests mostly send their VCEK or VLEK alone, and the authority between it and the root (ASK for
//! VCEKs, ASVK for VLEKs) is the same for a whole product line. These are bundled in the same form,
//! as endorsements whose signature by the ARK was checked when the facts were written down: a test
//! reads AMD's certificates where they are at hand, verifies ARK self-signature and ARK → ASK and
//! ASVK, and compares every fact. An ASK or ASVK that does come along with the evidence takes
//! precedence and is verified each time.

mod genoa;
mod milan;
mod turin;

use std::sync::Arc;

use assay_types::{Digest, HashAlgorithm, UnixTime, Validity};
use assay_x509::{Name, PublicKey, minimal};
use der::asn1::ObjectIdentifier;

use crate::product::{KeyKind, Product};

/// What an authority's certificate says.
struct Facts {
    common_name: &'static str,
    serial: u64,
    not_before: i64,
    not_after: i64,
    /// SHA-256 of the certificate's DER, lower case hex.
    fingerprint: &'static str,
    /// 512 bytes, lower case hex. The public exponent is 65537.
    modulus: &'static str,
}

/// The name AMD gives its authorities, with this common name (57230, section 3).
pub(crate) fn amd_name(common_name: &str) -> Name {
    const ATTRIBUTES: [(ObjectIdentifier, &str); 5] = [
        (ObjectIdentifier::new_unwrap("2.5.4.11"), "Engineering"),
        (ObjectIdentifier::new_unwrap("2.5.4.6"), "US"),
        (ObjectIdentifier::new_unwrap("2.5.4.7"), "Santa Clara"),
        (ObjectIdentifier::new_unwrap("2.5.4.8"), "CA"),
        (ObjectIdentifier::new_unwrap("2.5.4.10"), "Advanced Micro Devices"),
    ];
    let common = (ObjectIdentifier::new_unwrap("2.5.4.3"), common_name);
    Name::new(ATTRIBUTES.into_iter().chain([common]))
}

/// An authority whose key is known: a root, or an ASK or ASVK.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) name: Name,
    pub(crate) key: PublicKey,
    pub(crate) serial: Vec<u8>,
    pub(crate) validity: Validity,
    /// SHA-256 of the certificate's DER.
    pub(crate) fingerprint: Digest,
    /// Whether it may sign revocation lists.
    pub(crate) crl_sign: bool,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({}, {})", self.name, self.fingerprint)
    }
}

/// The authorities that AMD has for a product line: the root, and by kind of key ASK and ASVK.
pub(crate) struct Line {
    pub(crate) product: Product,
    pub(crate) root: Arc<Authority>,
    pub(crate) authorities: Vec<(KeyKind, Arc<Authority>)>,
}

impl Facts {
    /// `None` when the constants are not what they are meant to be; a test shows that this is not
    /// so. If it were, the line would have no anchor and its evidence be refused.
    fn authority(&self, crl_sign: bool) -> Option<Arc<Authority>> {
        let modulus = hex::decode(self.modulus).ok().filter(|m| m.len() == 512)?;
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017, A.1.1).
        let mut pkcs1 = b"\x30\x82\x02\x0a\x02\x82\x02\x01\x00".to_vec();
        pkcs1.extend_from_slice(&modulus);
        pkcs1.extend_from_slice(b"\x02\x03\x01\x00\x01");
        let key = PublicKey::rsa(&pkcs1);
        key.bytes()?;
        let fingerprint = Digest::new(HashAlgorithm::Sha256, hex::decode(self.fingerprint).ok()?).ok()?;
        Some(Arc::new(Authority {
            name: amd_name(self.common_name),
            key,
            serial: minimal(&self.serial.to_be_bytes()),
            validity: Validity { not_before: UnixTime(self.not_before), not_after: UnixTime(self.not_after) },
            fingerprint,
            crl_sign,
        }))
    }
}

/// AMD's authorities of every product line.
pub(crate) fn amd() -> Vec<Line> {
    let lines = [
        (Product::Milan, milan::ARK, milan::ASK, milan::ASVK),
        (Product::Genoa, genoa::ARK, genoa::ASK, genoa::ASVK),
        (Product::Turin, turin::ARK, turin::ASK, turin::ASVK),
    ];
    lines
        .into_iter()
        .filter_map(|(product, ark, ask, asvk)| {
            // The key usage of the ARKs has cRLSign, that of ASK and ASVK has not.
            Some(Line {
                product,
                root: ark.authority(true)?,
                authorities: vec![
                    (KeyKind::Vcek, ask.authority(false)?),
                    (KeyKind::Vlek, asvk.authority(false)?),
                ],
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use assay_x509::{Certificate, Der, split_pem};

    #[test]
    fn every_line_has_its_root_and_both_authorities() {
        let lines = amd();
        assert_eq!(lines.len(), 3);
        for line in lines {
            assert_eq!(line.root.name.common_name(), Some(line.product.root_name()));
            for (kind, authority) in &line.authorities {
                assert_eq!(authority.name.common_name(), Some(line.product.authority_name(*kind)));
            }
        }
    }

    #[test]
    fn the_facts_are_those_of_the_certificates_amd_publishes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/snp");
        if !folder.exists() {
            println!("skipped: the folder of vendor certificates is not at hand");
            return;
        }
        for line in amd() {
            let file = folder.join(format!("{}_ask_ark_asvk.pem", line.product.as_str().to_lowercase()));
            let certificates: Vec<Certificate> = split_pem(&std::fs::read(file).unwrap())
                .unwrap()
                .into_iter()
                .map(|der| match der {
                    Der::Certificate(der) => Certificate::from_der(&der).unwrap(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(certificates.len(), 3);
            let all = line.authorities.iter().map(|(_, authority)| authority).chain([&line.root]);
            for fact in all {
                let certificate = certificates.iter().find(|c| c.subject == fact.name).unwrap();
                assert_eq!(certificate.issuer, line.root.name);
                assert_eq!(certificate.key.bytes(), fact.key.bytes());
                assert_eq!(certificate.serial, fact.serial);
                assert_eq!(certificate.validity, fact.validity);
                assert_eq!(certificate.fingerprint, fact.fingerprint);
                assert_eq!(certificate.key_usage.unwrap().crl_sign(), fact.crl_sign);
                assert!(certificate.signed.is_signed_by(&line.root.key), "{}", fact.name);
            }
        }
    }
}
