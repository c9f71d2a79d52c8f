//! The shape of AMD's certificates, as found in those of Milan, Genoa and Turin (AMD 57230 for the
//! extensions of endorsement keys).

use assay_tee_snp::{KeyKind, Product};
use assay_types::{UnixTime, Validity};

use super::certificate::{Authority, CertificateTemplate, Name, PssParameters};
use super::crl::CrlTemplate;
use super::oid;
use super::silicon::{EndorsementKeyId, SnpSilicon};
use crate::asn1;
use crate::extension::{self, Extension};

/// When the authorities' certificates are valid: 2024-01-01 to 2049-01-01.
pub const AUTHORITY_VALIDITY: Validity =
    Validity { not_before: UnixTime(1_704_067_200), not_after: UnixTime(2_493_072_000) };

/// When endorsement keys' certificates and revocation lists are valid: 2025-01-01 to 2032-01-01.
pub const ENDORSEMENT_VALIDITY: Validity =
    Validity { not_before: UnixTime(1_735_689_600), not_after: UnixTime(1_956_528_000) };

/// The cloud provider that emulated VLEKs belong to.
pub const CSP_ID: &str = "CN=cloud.emulator.invalid";

impl SnpSilicon {
    /// The certificate of an authority: of the ARK, or as the ARK signs it.
    pub fn authority(&self, product: Product, authority: Authority) -> CertificateTemplate {
        let root = Name::new(product.root_name());
        let root_key = self.authority_public_key(product, Authority::Ark);
        let line = match product {
            Product::Milan => 0x1_0000,
            Product::Genoa => 0x2_0000,
            Product::Turin => 0x3_0000,
        };
        let (serial, subject, path) = match authority {
            Authority::Ark => (line, root.clone(), KeyKind::Vcek.path()),
            Authority::Ask => {
                (line + 1, Name::new(product.authority_name(KeyKind::Vcek)), KeyKind::Vcek.path())
            }
            Authority::Asvk => {
                (line + 0x101, Name::new(product.authority_name(KeyKind::Vlek)), KeyKind::Vlek.path())
            }
        };
        let public_key = self.authority_public_key(product, authority);
        let (critical, plain) = (Extension::critical, Extension::plain);
        let own_id = plain(oid::SUBJECT_KEY_ID, asn1::octet_string(&extension::key_id(&public_key)));
        let crl = plain(
            oid::CRL_DISTRIBUTION_POINTS,
            extension::distribution_point(&format!("https://kds.emulator.invalid/{path}/v1/{product}/crl")),
        );
        let extensions = match authority {
            Authority::Ark => vec![
                // keyCertSign, cRLSign
                critical(oid::KEY_USAGE, vec![0x03, 0x02, 0x01, 0x06]),
                own_id,
                // cA TRUE
                critical(oid::BASIC_CONSTRAINTS, asn1::sequence(&[asn1::BOOLEAN_TRUE])),
                crl,
            ],
            Authority::Ask | Authority::Asvk => vec![
                own_id,
                plain(oid::AUTHORITY_KEY_ID, extension::authority_key_id(&extension::key_id(&root_key))),
                // cA TRUE, pathLenConstraint 0
                critical(oid::BASIC_CONSTRAINTS, asn1::sequence(&[asn1::BOOLEAN_TRUE, &asn1::integer(0)])),
                // keyCertSign, with the zero bit at its end that AMD leaves there against DER
                critical(oid::KEY_USAGE, vec![0x03, 0x02, 0x01, 0x04]),
                crl,
            ],
        };
        CertificateTemplate {
            serial,
            parameters: PssParameters::TrailerField,
            issuer: root,
            validity: AUTHORITY_VALIDITY,
            subject,
            public_key,
            extensions,
            signer: (product, Authority::Ark),
            broken_signature: false,
        }
    }

    /// The certificate of an endorsement key. The hardware id is the key's owner (on Turin its
    /// first 8 bytes), with a VLEK the owner is the cloud provider.
    pub fn endorsement(&self, id: &EndorsementKeyId) -> CertificateTemplate {
        let EndorsementKeyId { product, kind, tcb, owner } = id;
        // The stepping stands in the VCEKs of Milan only.
        let (version, name) = match (product, kind) {
            (Product::Milan, KeyKind::Vcek) => (0, "Milan-B0"),
            (Product::Milan, KeyKind::Vlek) => (0, "Milan"),
            (Product::Genoa, _) => (0, "Genoa"),
            (Product::Turin, _) => (1, "Turin"),
        };
        let mut template = CertificateTemplate {
            serial: 0,
            parameters: PssParameters::NoTrailerField,
            issuer: Name::new(product.authority_name(*kind)),
            validity: ENDORSEMENT_VALIDITY,
            subject: Name::new(kind.common_name()),
            public_key: self.endorsement_key(id).public_key_info(),
            extensions: Vec::new(),
            signer: (*product, Authority::of(*kind)),
            broken_signature: false,
        };
        template.set_number(oid::STRUCT_VERSION, version);
        template.set_text(oid::PRODUCT_NAME, name);
        let number =
            |template: &mut CertificateTemplate, oid, value: u8| template.set_number(oid, value.into());
        let [spl4, spl5, spl6, spl7] = oid::RESERVED;
        // AMD's order.
        match product {
            Product::Milan | Product::Genoa => {
                number(&mut template, oid::BOOTLOADER, tcb.bootloader);
                number(&mut template, oid::TEE, tcb.tee);
                for reserved in [spl4, spl5, spl6, spl7] {
                    number(&mut template, reserved, 0);
                }
                number(&mut template, oid::SNP, tcb.snp);
            }
            Product::Turin => {
                number(&mut template, oid::FMC, tcb.fmc.unwrap_or(0));
                number(&mut template, oid::BOOTLOADER, tcb.bootloader);
                number(&mut template, oid::TEE, tcb.tee);
                number(&mut template, oid::SNP, tcb.snp);
                for reserved in [spl5, spl6, spl7] {
                    number(&mut template, reserved, 0);
                }
            }
        }
        number(&mut template, oid::MICROCODE, tcb.microcode);
        match kind {
            KeyKind::Vcek => {
                let hardware_id = owner.get(..product.hwid_len()).unwrap_or(owner);
                template.set_extension(oid::HARDWARE_ID, hardware_id.to_vec());
            }
            KeyKind::Vlek => template.set_text(oid::CSP_ID, &String::from_utf8_lossy(owner)),
        }
        template
    }

    /// The product line's revocation list; nothing is revoked.
    pub fn crl(&self, product: Product) -> CrlTemplate {
        CrlTemplate {
            parameters: PssParameters::TrailerField,
            issuer: Name::new(product.root_name()),
            this_update: ENDORSEMENT_VALIDITY.not_before,
            next_update: Some(ENDORSEMENT_VALIDITY.not_after),
            revoked: Vec::new(),
            number: 1,
            signer: (product, Authority::Ark),
            broken_signature: false,
        }
    }
}
