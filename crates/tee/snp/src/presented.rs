//! The certificates and revocation lists brought to a verification: with the evidence, and as
//! collateral.

use assay_types::{CollateralKind, CollateralOrigin, CollateralSet};
use assay_x509::{Certificate, Crl, Der, NotDer, split_pem};
use aws_lc_rs::digest::{Context, SHA256};

use crate::evidence::{CertEntry, CertType, MAX_CERTIFICATE_LEN, SnpEvidence};
use crate::product::{KeyKind, Product};

/// The largest piece of collateral that is looked at, in bytes.
pub(crate) const MAX_COLLATERAL_LEN: usize = 1 << 20;

/// The most pieces of collateral that are looked at.
const MAX_COLLATERAL_ITEMS: usize = 64;

/// What a certificate is for, by its subject's common name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    Authority,
    Key(KeyKind),
}

impl Role {
    fn of_name(common_name: &str) -> Option<Self> {
        if let Some(kind) = KeyKind::ALL.into_iter().find(|kind| kind.common_name() == common_name) {
            return Some(Role::Key(kind));
        }
        if Product::from_authority_name(common_name).is_some() {
            return Some(Role::Authority);
        }
        Product::ALL.iter().any(|product| product.root_name() == common_name).then_some(Role::Root)
    }

    fn of_label(label: CertType) -> Option<Self> {
        match label {
            CertType::Ark => Some(Role::Root),
            CertType::Ask => Some(Role::Authority),
            CertType::Vcek => Some(Role::Key(KeyKind::Vcek)),
            CertType::Vlek => Some(Role::Key(KeyKind::Vlek)),
            CertType::Empty | CertType::Crl | CertType::Other(_) => None,
        }
    }
}

/// A certificate with where it came from.
pub(crate) struct PresentedCertificate {
    pub(crate) role: Role,
    pub(crate) certificate: Certificate,
    pub(crate) origin: CollateralOrigin,
}

/// All that was brought, read. What could not be read is named in `problems`.
#[derive(Default)]
pub(crate) struct Presented {
    pub(crate) certificates: Vec<PresentedCertificate>,
    pub(crate) crls: Vec<(Crl, CollateralOrigin)>,
    pub(crate) problems: Vec<String>,
}

/// Entries that the verifier has no use for.
fn ignored(entry: &CertEntry) -> bool {
    matches!(entry.cert_type, CertType::Empty | CertType::Other(_))
}

/// SHA-256 over all that [`Presented::read`] would read and over what the choice of the signing
/// key's certificate depends on: the same digest, the same chain.
pub(crate) fn digest(evidence: &SnpEvidence, collateral: &CollateralSet) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let report = &evidence.report;
    let mut part = |tag: u8, bytes: &[u8]| {
        context.update(&[tag]);
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        context.update(bytes);
    };
    part(0, &report.key_info.to_le_bytes());
    part(0, &report.reported_tcb.to_bytes(report.tcb_layout()));
    part(0, &[report.product().map_or(u8::MAX, product_tag)]);
    part(0, &report.chip_id);
    for entry in evidence.certificates().iter().filter(|entry| !ignored(entry)) {
        let tag = match entry.cert_type {
            CertType::Ark => 1,
            CertType::Ask => 2,
            CertType::Vcek => 3,
            CertType::Vlek => 4,
            CertType::Crl | CertType::Empty | CertType::Other(_) => 5,
        };
        part(tag, &entry.data);
    }
    for item in &collateral.items {
        // The origin is part of the result, so it is part of the key.
        let origin = format!("{:?}", item.origin);
        part(6, origin.as_bytes());
        let tag = match item.kind {
            CollateralKind::Crl => 7,
            CollateralKind::Certificates => 8,
            _ => 9,
        };
        part(tag, &item.bytes);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

const fn product_tag(product: Product) -> u8 {
    match product {
        Product::Milan => 0,
        Product::Genoa => 1,
        Product::Turin => 2,
    }
}

impl Presented {
    /// Reads everything; certificates of the evidence come first.
    pub(crate) fn read(evidence: &SnpEvidence, collateral: &CollateralSet) -> Self {
        let mut presented = Presented::default();
        for (index, entry) in evidence.certificates().iter().enumerate() {
            if ignored(entry) {
                continue;
            }
            let what = format!("entry {index} of the certificate table ({:?})", entry.cert_type);
            let label = (entry.cert_type != CertType::Crl).then_some(entry.cert_type);
            let wanted = if label.is_some() { CollateralKind::Certificates } else { CollateralKind::Crl };
            presented.add(
                &what,
                &entry.data,
                wanted,
                label,
                &CollateralOrigin::Evidence,
                MAX_CERTIFICATE_LEN,
            );
        }
        if collateral.items.len() > MAX_COLLATERAL_ITEMS {
            let found = collateral.items.len();
            presented.problems.push(format!("{found} pieces of collateral, at most {MAX_COLLATERAL_ITEMS}"));
        }
        for (index, item) in collateral.items.iter().take(MAX_COLLATERAL_ITEMS).enumerate() {
            let what = format!("collateral {index} ({:?})", item.origin);
            presented.add(&what, &item.bytes, item.kind, None, &item.origin, MAX_COLLATERAL_LEN);
        }
        presented
    }

    fn add(
        &mut self,
        what: &str,
        bytes: &[u8],
        kind: CollateralKind,
        label: Option<CertType>,
        origin: &CollateralOrigin,
        max_len: usize,
    ) {
        if bytes.is_empty() {
            self.problems.push(format!("{what} is empty"));
            return;
        }
        if bytes.len() > max_len {
            self.problems.push(format!("{what} has {} bytes, at most {max_len} are read", bytes.len()));
            return;
        }
        let values = match split_pem(bytes) {
            Ok(values) => values,
            Err(e) => {
                self.problems.push(format!("{what}: {e}"));
                return;
            }
        };
        for value in values {
            let read = match value {
                Der::Certificate(der) => self.certificate(&der, label, origin),
                Der::Crl(der) => self.crl(&der, origin),
                Der::Unlabelled(der) => match kind {
                    CollateralKind::Crl => self.crl(&der, origin),
                    CollateralKind::Certificates => self.certificate(&der, label, origin),
                    // A file given by hand may be either; the first error is the one that is told.
                    _ => self.certificate(&der, label, origin).or_else(|e| {
                        self.crl(&der, origin)
                            .map_err(|_| NotDer::new(format!("neither a certificate ({e}) nor a CRL")))
                    }),
                },
            };
            if let Err(e) = read {
                self.problems.push(format!("{what}: {e}"));
            }
        }
    }

    /// Takes a certificate. Its name says what it is for. Where the name says nothing, a labelled
    /// VCEK or VLEK is taken at its label, so that the name is one finding among others; a labelled
    /// ASK or ARK could only be passed over, and what came along must not be; a certificate without
    /// a label is none of ours.
    fn certificate(
        &mut self,
        der: &[u8],
        label: Option<CertType>,
        origin: &CollateralOrigin,
    ) -> Result<(), NotDer> {
        let certificate =
            Certificate::from_der(der).map_err(|e| NotDer::new(format!("not a certificate: {e}")))?;
        let by_name = certificate.subject.common_name().and_then(Role::of_name);
        let by_label = label.and_then(Role::of_label);
        let role = match (by_name, by_label) {
            (Some(name), Some(label)) if name != label => {
                return Err(NotDer::new(format!("holds the certificate of {}", certificate.subject)));
            }
            (None, Some(Role::Root | Role::Authority)) => {
                return Err(NotDer::new(format!("{} is no authority of a known line", certificate.subject)));
            }
            (Some(role), _) | (None, Some(role)) => role,
            (None, None) => return Ok(()),
        };
        self.certificates.push(PresentedCertificate { role, certificate, origin: origin.clone() });
        Ok(())
    }

    fn crl(&mut self, der: &[u8], origin: &CollateralOrigin) -> Result<(), NotDer> {
        let crl = Crl::from_der(der).map_err(|e| NotDer::new(format!("not a CRL: {e}")))?;
        self.crls.push((crl, origin.clone()));
        Ok(())
    }

    /// The certificates with this role.
    pub(crate) fn with_role(&self, role: Role) -> impl Iterator<Item = &PresentedCertificate> {
        self.certificates.iter().filter(move |c| c.role == role)
    }
}
