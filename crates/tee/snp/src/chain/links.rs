//! The links of a chain: signatures, names, constraints, algorithms.

use assay_types::Check;
use assay_x509::{Certificate, PublicKey, SignatureAlgorithm};

use super::{Chain, Issuer};
use crate::checks;
use crate::presented::PresentedCertificate;
use crate::product::{KeyKind, Product};
use crate::roots::Authority;

impl Chain {
    pub(super) fn signature(
        &mut self,
        check: &'static Check,
        what: &str,
        certificate: &Certificate,
        key: Option<&PublicKey>,
    ) {
        let Some(key) = key else {
            return self.not_checked(check, "there is no key to check it with");
        };
        if certificate.signed.algorithm() != SignatureAlgorithm::PssSha384
            || !matches!(key, PublicKey::Rsa4096(_))
        {
            return self.not_checked(check, "not a signature of RSA-4096 with RSASSA-PSS and SHA-384");
        }
        if certificate.signed.is_signed_by(key) {
            self.pass(check, certificate.issuer.common_name().unwrap_or_default());
        } else {
            self.fail(
                check,
                format!("a signature by {}", certificate.issuer.common_name().unwrap_or("the issuer")),
                "another signature",
                format!("the signature of the {what} certificate does not verify"),
            );
        }
    }

    pub(super) fn names(
        &mut self,
        product: Product,
        kind: KeyKind,
        key: &PresentedCertificate,
        issuer: &Issuer<'_>,
        root: Option<&Authority>,
    ) {
        let mut problems = Vec::new();
        let mut same = |what: &str, expected: &str, found: &str| {
            if expected != found {
                problems.push(format!("{what} is {found:.100?}, expected {expected:.100?}"));
            }
        };
        let certificate = &key.certificate;
        let common_name = certificate.subject.common_name().unwrap_or_default();
        same(&format!("the {kind}'s common name"), kind.common_name(), common_name);
        let subject = match issuer {
            Issuer::Presented(presented) => {
                if let Some(root) = root {
                    let found = presented.certificate.issuer.to_string();
                    same(&format!("the {}'s issuer", kind.authority()), &root.name.to_string(), &found);
                }
                &presented.certificate.subject
            }
            Issuer::Bundled(_, authority) => &authority.name,
        };
        let found = subject.common_name().unwrap_or_default();
        same(&format!("the {}'s common name", kind.authority()), product.authority_name(kind), found);
        same(&format!("the {kind}'s issuer"), &subject.to_string(), &certificate.issuer.to_string());
        self.all_of(&checks::CERTIFICATE_NAMES, product.authority_name(kind), &problems);
    }

    pub(super) fn roles(&mut self, kind: KeyKind, key: &PresentedCertificate, issuer: &Issuer<'_>) {
        let mut problems = Vec::new();
        if let Issuer::Presented(presented) = issuer {
            let authority = kind.authority();
            let certificate = &presented.certificate;
            let mut must = |holds: bool, what: &str| {
                if !holds {
                    problems.push(format!("the {authority} {what}"));
                }
            };
            must(certificate.is_v3, "is not an X.509 version 3 certificate");
            let is_ca = certificate.basic_constraints.as_ref().is_some_and(|basic| basic.ca);
            must(is_ca, "is not a certificate authority (basic constraints)");
            let may_sign = certificate.key_usage.as_ref().is_some_and(|usage| usage.key_cert_sign());
            must(may_sign, "may not sign certificates (key usage)");
        }
        let certificate = &key.certificate;
        let mut must = |holds: bool, what: &str| {
            if !holds {
                problems.push(format!("the {kind} {what}"));
            }
        };
        must(certificate.is_v3, "is not an X.509 version 3 certificate");
        let is_ca = certificate.basic_constraints.as_ref().is_some_and(|basic| basic.ca);
        must(!is_ca, "is a certificate authority (basic constraints)");
        let may_sign = certificate.key_usage.as_ref().is_some_and(|usage| usage.key_cert_sign());
        must(!may_sign, "may sign certificates (key usage)");
        self.all_of(&checks::CERTIFICATE_ROLES, "authorities and key as they should be", &problems);
    }

    pub(super) fn algorithms(&mut self, kind: KeyKind, key: &PresentedCertificate, issuer: &Issuer<'_>) {
        let mut problems = Vec::new();
        let mut look = |what: &str, certificate: &Certificate, right_key: bool, wanted: &str| {
            if certificate.signed.algorithm() != SignatureAlgorithm::PssSha384 {
                problems.push(format!("the {what} is not signed with RSASSA-PSS, SHA-384 and a salt of 48"));
            }
            if !right_key {
                problems.push(format!("the {what} has an {}, expected {wanted}", certificate.key));
            }
        };
        if let Issuer::Presented(presented) = issuer {
            let certificate = &presented.certificate;
            let is_rsa = matches!(certificate.key, PublicKey::Rsa4096(_));
            look(kind.authority(), certificate, is_rsa, "RSA with 4096 bits");
        }
        let is_p384 = matches!(key.certificate.key, PublicKey::P384(_));
        look(kind.as_str(), &key.certificate, is_p384, "a key on P-384");
        self.all_of(&checks::CERTIFICATE_ALGORITHMS, "RSA-4096 with RSASSA-PSS, P-384", &problems);
    }
}
