//! Puts [`Certified`] together.

use std::sync::Arc;

use assay_types::{Check, Checks, CollateralOrigin, CollateralUse, Digest, Validity};
use assay_x509::{Certificate, PublicKey, SignatureAlgorithm};

use super::{Certified, Dated, PckSource, Supplement};
use crate::collateral::pieces::{HeldCertificate, Pieces};
use crate::roots::{ROOT_NAME, Root, intel_name};
use crate::{Family, IntelAnchors, checks};

/// The name of the certificate whose key signs TCB info and identities.
pub(super) const TCB_SIGNING: &str = "Intel SGX TCB Signing";

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Signs no certificates: the PCK and the TCB signing key.
    Leaf,
    /// Signs certificates and revocation lists.
    Authority,
}

pub(super) struct Builder<'a> {
    pub(super) anchors: &'a IntelAnchors,
    pub(super) family: Family,
    pub(super) pieces: &'a Pieces,
    pub(super) out: Certified,
    /// The outcomes, for `out`.
    pub(super) record: Checks,
    /// Problems of several certificates that belong to one check.
    pub(super) unpinned: Vec<String>,
    pub(super) names: Vec<String>,
    roles: Vec<String>,
    algorithms: Vec<String>,
    /// Certificates, and what they were looked at for.
    looked_at: Vec<(Digest, String)>,
    /// The fingerprints of everything that is used.
    used: Vec<Digest>,
    /// Whether the PCK chain and both signers were found.
    pub(super) complete: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(anchors: &'a IntelAnchors, family: Family, pieces: &'a Pieces) -> Self {
        Builder {
            anchors,
            family,
            pieces,
            out: Certified::default(),
            record: Checks::new(&[]),
            unpinned: Vec::new(),
            names: Vec::new(),
            roles: Vec::new(),
            algorithms: Vec::new(),
            looked_at: Vec::new(),
            used: Vec::new(),
            complete: true,
        }
    }

    pub(super) fn build(mut self, pck: PckSource<'_>) -> Certified {
        if self.pieces.problems.is_empty() {
            let Pieces { tcb_infos, identities, certificates, crls, .. } = self.pieces;
            let found = format!(
                "{} pieces of TCB info, {} identities, {} revocation lists, {} certificates",
                tcb_infos.len(),
                identities.len(),
                crls.len(),
                certificates.len()
            );
            self.record.pass(&checks::COLLATERAL_FORM, found);
        } else {
            self.record.fail(&checks::COLLATERAL_FORM, "", "", self.pieces.problems.join("; "));
        }
        let chain = self.pck_chain(pck);
        let root = chain.root.clone().or_else(|| self.root_of_documents());
        let signers = self.documents(root.as_deref());
        self.revocation(&chain, root.as_deref(), &signers);
        if let Some(root) = &root {
            self.use_root(root);
        } else {
            self.complete = false;
        }
        let unpinned = std::mem::take(&mut self.unpinned);
        if !unpinned.is_empty() {
            let pinned: Vec<String> =
                self.anchors.roots().iter().map(|root| root.fingerprint.to_string()).collect();
            self.record.fail(&checks::ROOT_PINNED, pinned.join(" or "), "", unpinned.join("; "));
        } else if let Some(root) = &root {
            self.record.pass(&checks::ROOT_PINNED, format!("{ROOT_NAME} {}", root.fingerprint));
        }
        let (names, roles) = (std::mem::take(&mut self.names), std::mem::take(&mut self.roles));
        let algorithms = std::mem::take(&mut self.algorithms);
        self.all_of(&checks::CERTIFICATE_NAMES, "linked up to the root", &names);
        self.all_of(&checks::CERTIFICATE_ROLES, "authorities and leaves as they should be", &roles);
        self.all_of(&checks::CERTIFICATE_ALGORITHMS, "P-256, ECDSA with SHA-256", &algorithms);
        self.name_unused();
        self.supplement(root.as_deref());
        Certified { findings: self.record.findings().to_vec(), ..self.out }
    }

    /// What is wrong with certificates, under whichever check.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let all = [&self.unpinned, &self.names, &self.roles, &self.algorithms];
        all.into_iter().flatten().cloned()
    }

    /// Fails with all `problems`; passes when there is none and everything was there to be looked at.
    fn all_of(&mut self, check: &Check, found: &str, problems: &[String]) {
        if !problems.is_empty() {
            self.record.fail(check, "", "", problems.join("; "));
        } else if self.complete {
            self.record.pass(check, found);
        }
    }

    /// Records whether `key` signed the certificate. One of another algorithm was not signed by it;
    /// INTEL-017 says so alone.
    pub(super) fn signature(&mut self, check: &Check, certificate: &Certificate, key: &PublicKey) {
        let by = certificate.issuer.common_name().unwrap_or("the issuer").to_owned();
        if certificate.signed.algorithm() != SignatureAlgorithm::EcdsaSha256
            || !matches!(key, PublicKey::P256(_))
        {
            let why = "not a signature of a key on P-256 by ECDSA with SHA-256";
            self.record.not_checked(check, why);
        } else if certificate.signed.is_signed_by(key) {
            self.record.pass(check, by);
        } else {
            let detail = format!("the signature of {} does not verify", certificate.subject);
            self.record.fail(check, format!("a signature by {by}"), "another signature", detail);
        }
    }

    /// Takes a certificate into use: its name and issuer, role, algorithms, dates.
    pub(super) fn use_certificate(
        &mut self,
        what: &str,
        held: &HeldCertificate,
        common_name: Option<&str>,
        role: Role,
    ) {
        let certificate = &held.certificate;
        // One certificate signs both documents; but whatever it is used for, it must be fit for that.
        let looked_at = (certificate.fingerprint.clone(), what.to_owned());
        if self.looked_at.contains(&looked_at) {
            return;
        }
        self.looked_at.push(looked_at);
        if let Some(expected) = common_name.map(intel_name).filter(|name| *name != certificate.subject) {
            self.names.push(format!("the {what} is of {}, expected {expected}", certificate.subject));
        }
        self.look_at_role(what, certificate, role);
        if certificate.signed.algorithm() != SignatureAlgorithm::EcdsaSha256 {
            self.algorithms.push(format!("the {what} is not signed by ECDSA with SHA-256"));
        }
        if !matches!(certificate.key, PublicKey::P256(_)) {
            self.algorithms.push(format!("the {what} has an {}, expected one on P-256", certificate.key));
        }
        self.out.certificates.push(Dated { name: what.to_owned(), validity: certificate.validity });
        self.use_piece(what.to_owned(), &certificate.fingerprint, &held.origin, certificate.validity);
    }

    fn look_at_role(&mut self, what: &str, certificate: &Certificate, role: Role) {
        let usage = certificate.key_usage.as_ref();
        let is_ca = certificate.basic_constraints.as_ref().is_some_and(|basic| basic.ca);
        let signs_certificates = usage.is_some_and(|usage| usage.key_cert_sign());
        let signs_other = usage.is_some_and(|usage| usage.digital_signature());
        let authority = role == Role::Authority;
        let mut must = |holds: bool, problem: &str| {
            if !holds {
                self.roles.push(format!("the {what} {problem}"));
            }
        };
        must(certificate.is_v3, "is not an X.509 version 3 certificate");
        if authority {
            must(is_ca, "is not a certificate authority (basic constraints)");
            must(signs_certificates, "may not sign certificates (key usage)");
        } else {
            must(!is_ca, "is a certificate authority (basic constraints)");
            must(!signs_certificates, "may sign certificates (key usage)");
            must(signs_other, "may not sign (key usage)");
        }
    }

    /// A name that should be that of the issuer.
    pub(super) fn issued_by(&mut self, what: &str, certificate: &Certificate, issuer: &assay_x509::Name) {
        if certificate.issuer != *issuer {
            self.names.push(format!("the issuer of the {what} is {}, expected {issuer}", certificate.issuer));
        }
    }

    pub(super) fn use_piece(
        &mut self,
        name: String,
        digest: &Digest,
        origin: &CollateralOrigin,
        validity: Validity,
    ) {
        self.used.push(digest.clone());
        let (digest, origin) = (digest.clone(), origin.clone());
        self.out.uses.push(CollateralUse { name, digest, origin, validity });
    }

    pub(super) fn is_used(&self, digest: &Digest) -> bool {
        self.used.contains(digest)
    }

    /// The root by itself: what is pinned stands for the certificate, whether it came along or not.
    fn use_root(&mut self, root: &Root) {
        self.out.emulated = root.emulated;
        if self.is_used(&root.fingerprint) {
            return;
        }
        self.out.certificates.push(Dated { name: ROOT_NAME.to_owned(), validity: root.validity });
        self.use_piece(ROOT_NAME.to_owned(), &root.fingerprint, &CollateralOrigin::Bundled, root.validity);
    }

    fn name_unused(&mut self) {
        let pieces = self.pieces;
        let mut unused = Vec::new();
        for held in &pieces.certificates {
            if !self.is_used(&held.certificate.fingerprint) {
                unused.push(format!("certificate of {}", held.certificate.subject));
            }
        }
        for held in &pieces.crls {
            if !self.is_used(&held.crl.fingerprint) {
                unused
                    .push(format!("revocation list of {}, issued {}", held.crl.issuer, held.crl.this_update));
            }
        }
        for document in &pieces.tcb_infos {
            if !self.is_used(&Digest::sha256(document.text.as_bytes())) {
                unused.push(super::documents::tcb_info_name(document));
            }
        }
        for document in &pieces.identities {
            if !self.is_used(&Digest::sha256(document.text.as_bytes())) {
                unused.push(super::documents::identity_name(document));
            }
        }
        self.out.unused = unused;
    }

    fn supplement(&mut self, root: Option<&Root>) {
        let numbers = [
            self.out.tcb_info.as_ref().map(|info| info.evaluation_number),
            self.out.qe_identity.as_ref().map(|identity| identity.evaluation_number),
        ];
        let issues: Vec<_> = self.out.dated().map(|validity| validity.not_before).collect();
        let earliest_expiration = self.out.dated().map(|validity| validity.not_after).min();
        let Supplement { pck_crl_number, root_crl_number, .. } = self.out.supplement;
        self.out.supplement = Supplement {
            pck_crl_number,
            root_crl_number,
            evaluation_number: numbers.into_iter().flatten().min(),
            root_key_id: root.and_then(|root| root.key.bytes()).map(Digest::sha384),
            earliest_issue: issues.iter().min().copied(),
            latest_issue: issues.iter().max().copied(),
            earliest_expiration,
        };
    }
}

/// A root that came along and is not pinned. Nothing that it signs is accepted.
pub(super) fn foreign(certificate: &Certificate) -> Arc<Root> {
    Arc::new(Root {
        name: certificate.subject.clone(),
        key: certificate.key.clone(),
        serial: certificate.serial.clone(),
        validity: certificate.validity,
        fingerprint: certificate.fingerprint.clone(),
        emulated: false,
    })
}
