//! The chain from a pinned root key to the key that signs reports.
//!
//! [`Chain::build`] does all that does not depend on the time: it chooses the certificates,
//! verifies their signatures, names, constraints and extensions, and reads revocation lists. What
//! it finds is kept, so that a chain that was good once costs nothing the next time but the look at
//! its dates.

mod links;
mod revocation;

use std::sync::Arc;

use assay_types::{Check, Checks, CollateralOrigin, CollateralUse, Validity};
use assay_x509::{Certificate, PublicKey};
use aws_lc_rs::signature::ParsedPublicKey;

use crate::anchors::{Root, SnpAnchors};
use crate::checks;
use crate::evidence::{Report, SigningKey};
use crate::extensions::KeyExtensions;
use crate::presented::{Presented, PresentedCertificate, Role};
use crate::product::{KeyKind, Product};
use crate::roots::Authority;
use crate::settings::CrlPolicy;

/// The outcome of a check that does not depend on the time.
#[derive(Clone, Debug)]
enum Verdict {
    Passed(String),
    Failed { expected: String, found: String, detail: String },
    NotChecked(String),
}

/// A chain as far as it was found, with the outcomes of its checks.
pub(crate) struct Chain {
    verdicts: Vec<(&'static Check, Verdict)>,
    /// The certificate of the signing key, when there is one.
    pub(crate) key: Option<SigningKeyCertificate>,
    /// The certificates by name, with their dates.
    pub(crate) dates: Vec<(String, Validity)>,
    /// The dates of the newest revocation list of the root key.
    pub(crate) crl_dates: Option<Validity>,
    /// Whether the root is an emulator's.
    pub(crate) emulated: bool,
    /// What the chain consists of.
    pub(crate) collateral: Vec<CollateralUse>,
}

/// What the checks of a report need of its signing key's certificate.
pub(crate) struct SigningKeyCertificate {
    pub(crate) kind: KeyKind,
    /// The product line that the issuer's name says.
    pub(crate) issuer_product: Option<Product>,
    /// `None` when it is not a key on P-384.
    pub(crate) key: Option<ParsedPublicKey>,
    /// `None` when they could not be read.
    pub(crate) extensions: Option<KeyExtensions>,
}

/// Who certified the signing key.
enum Issuer<'a> {
    /// A certificate that came along.
    Presented(&'a PresentedCertificate),
    /// One that is bundled with its root.
    Bundled(&'a Root, Arc<Authority>),
}

impl Issuer<'_> {
    fn key(&self) -> &PublicKey {
        match self {
            Issuer::Presented(presented) => &presented.certificate.key,
            Issuer::Bundled(_, authority) => &authority.key,
        }
    }
}

impl Chain {
    /// Whether all certificates and the revocation list are valid at a time within `validity()`.
    pub(crate) fn validity(&self) -> Validity {
        let certificates =
            self.dates.iter().fold(Validity::ALWAYS, |all, (_, validity)| all.intersect(*validity));
        self.crl_dates.map_or(certificates, |crl| certificates.intersect(crl))
    }

    /// Adds the outcomes to the record.
    pub(crate) fn record(&self, checks: &mut Checks) {
        for (check, verdict) in &self.verdicts {
            match verdict {
                Verdict::Passed(found) => checks.pass(check, found),
                Verdict::Failed { expected, found, detail } => checks.fail(check, expected, found, detail),
                Verdict::NotChecked(why) => checks.not_checked(check, why),
            }
        }
    }

    /// Builds the chain for `report` from what was presented.
    pub(crate) fn build(
        anchors: &SnpAnchors,
        presented: &Presented,
        report: &Report,
        crl_policy: CrlPolicy,
    ) -> Self {
        let mut chain = Chain {
            verdicts: Vec::with_capacity(16),
            key: None,
            dates: Vec::new(),
            crl_dates: None,
            emulated: false,
            collateral: Vec::new(),
        };
        if presented.problems.is_empty() {
            let counted =
                format!("{} certificates, {} CRLs", presented.certificates.len(), presented.crls.len());
            chain.pass(&checks::CERTIFICATE_FORM, counted);
        } else {
            chain.fail(&checks::CERTIFICATE_FORM, "", "", presented.problems.join("; "));
        }
        let Some((kind, key)) = choose_key(presented, report) else {
            let wanted = match report.signing_key() {
                SigningKey::Signed(kind) => kind.as_str(),
                SigningKey::None | SigningKey::Reserved(_) => "VCEK or VLEK",
            };
            chain.fail(
                &checks::CHAIN_COMPLETE,
                wanted,
                "none",
                format!("no {wanted} certificate is at hand"),
            );
            return chain;
        };
        let issuer_name = key.certificate.issuer.common_name().unwrap_or_default();
        let issuer_product = Product::from_authority_name(issuer_name).map(|(product, _)| product);
        chain.add_key(kind, key, issuer_product, report);
        let Some(product) = issuer_product.or(report.product()) else {
            let found = key.certificate.issuer.to_string();
            chain.fail(&checks::CERTIFICATE_NAMES, "an issuer of a known product line", found, "");
            return chain;
        };
        let Some(issuer) = choose_issuer(anchors, presented, product, kind, key) else {
            let wanted = product.authority_name(kind);
            let detail =
                format!("the {} certificate did not come along and is not bundled", kind.authority());
            chain.fail(&checks::CHAIN_COMPLETE, wanted, "none", detail);
            return chain;
        };
        chain.pass(&checks::CHAIN_COMPLETE, format!("{kind} issued by {issuer_name}"));
        chain.link(anchors, presented, product, kind, key, &issuer, crl_policy);
        chain
    }

    fn pass(&mut self, check: &'static Check, found: impl Into<String>) {
        self.verdicts.push((check, Verdict::Passed(found.into())));
    }

    fn fail(
        &mut self,
        check: &'static Check,
        expected: impl Into<String>,
        found: impl Into<String>,
        detail: impl Into<String>,
    ) {
        let (expected, found, detail) = (expected.into(), found.into(), detail.into());
        self.verdicts.push((check, Verdict::Failed { expected, found, detail }));
    }

    fn not_checked(&mut self, check: &'static Check, why: impl Into<String>) {
        self.verdicts.push((check, Verdict::NotChecked(why.into())));
    }

    /// Passes when `problems` is empty, else fails with all of them.
    fn all_of(&mut self, check: &'static Check, found: &str, problems: &[String]) {
        if problems.is_empty() {
            self.pass(check, found);
        } else {
            self.fail(check, "", "", problems.join("; "));
        }
    }

    fn used(
        &mut self,
        name: String,
        fingerprint: &assay_types::Digest,
        origin: &CollateralOrigin,
        v: Validity,
    ) {
        let (digest, origin) = (fingerprint.clone(), origin.clone());
        self.collateral.push(CollateralUse { name, digest, origin, validity: v });
    }

    fn add_certificate(&mut self, name: String, certificate: &Certificate, origin: &CollateralOrigin) {
        self.dates.push((name.clone(), certificate.validity));
        self.used(name, &certificate.fingerprint, origin, certificate.validity);
    }

    fn add_authority(&mut self, name: String, authority: &Authority) {
        self.dates.push((name.clone(), authority.validity));
        self.used(name, &authority.fingerprint, &CollateralOrigin::Bundled, authority.validity);
    }

    fn add_key(
        &mut self,
        kind: KeyKind,
        key: &PresentedCertificate,
        issuer_product: Option<Product>,
        report: &Report,
    ) {
        let certificate = &key.certificate;
        self.add_certificate(kind.as_str().to_owned(), certificate, &key.origin);
        let product = report.product().or(issuer_product);
        let extensions = match KeyExtensions::read(&certificate.extensions, kind, product) {
            Ok(extensions) => {
                self.pass(&checks::KEY_EXTENSIONS, &*extensions.product_name);
                Some(extensions)
            }
            Err(e) => {
                self.fail(&checks::KEY_EXTENSIONS, "", "", e.to_string());
                None
            }
        };
        let p384 = match &certificate.key {
            PublicKey::P384(key) => Some(key.clone()),
            PublicKey::Rsa4096(_) | PublicKey::P256(_) | PublicKey::Other(_) => None,
        };
        self.key = Some(SigningKeyCertificate { kind, issuer_product, key: p384, extensions });
    }

    /// Checks the links from the root to the key, and revocation.
    #[expect(clippy::too_many_arguments, reason = "the parts of one chain; a struct would only rename them")]
    fn link(
        &mut self,
        anchors: &SnpAnchors,
        presented: &Presented,
        product: Product,
        kind: KeyKind,
        key: &PresentedCertificate,
        issuer: &Issuer<'_>,
        crl_policy: CrlPolicy,
    ) {
        let root = self.root(anchors, presented, product, issuer);
        let authority = kind.authority();
        let authority_name = product.authority_name(kind);
        match (issuer, &root) {
            (Issuer::Bundled(_, bundled), _) => {
                self.pass(&checks::AUTHORITY_SIGNATURE, format!("{authority_name}, bundled with its root"));
                self.add_authority(format!("{authority} {authority_name}"), bundled);
            }
            (Issuer::Presented(presented), root) => {
                let certificate = &presented.certificate;
                self.add_certificate(format!("{authority} {authority_name}"), certificate, &presented.origin);
                let by = root.as_ref().map(|root| &root.key);
                self.signature(&checks::AUTHORITY_SIGNATURE, authority, certificate, by);
            }
        }
        self.signature(&checks::KEY_SIGNATURE, kind.as_str(), &key.certificate, Some(issuer.key()));
        self.names(product, kind, key, issuer, root.as_ref());
        self.roles(kind, key, issuer);
        self.algorithms(kind, key, issuer);
        self.revocation(presented, key, issuer, root.as_ref(), crl_policy);
    }

    /// Finds the root: the certificate that came along when there is one, else the pinned root
    /// that signed. Says whether it is pinned.
    fn root(
        &mut self,
        anchors: &SnpAnchors,
        presented: &Presented,
        product: Product,
        issuer: &Issuer<'_>,
    ) -> Option<Authority> {
        let named = presented
            .with_role(Role::Root)
            .filter(|c| c.certificate.subject.common_name() == Some(product.root_name()));
        let mut foreign = None;
        let mut pinned = None;
        for candidate in named {
            match anchors.of(product).find(|root| is_pinned(root, &candidate.certificate)) {
                Some(root) => pinned = pinned.or(Some((root, &candidate.origin))),
                None => foreign = foreign.or(Some(candidate)),
            }
        }
        if let Some(foreign) = foreign {
            let certificate = &foreign.certificate;
            let expected: Vec<String> =
                anchors.of(product).map(|root| root.authority.fingerprint.to_string()).collect();
            let detail = format!("{} is not one of the pinned roots", certificate.subject);
            let expected = if expected.is_empty() { "no root".to_owned() } else { expected.join(" or ") };
            self.fail(&checks::ROOT_PINNED, expected, certificate.fingerprint.to_string(), detail);
            self.add_certificate(product.root_name().to_owned(), certificate, &foreign.origin);
            return Some(Authority {
                name: certificate.subject.clone(),
                key: certificate.key.clone(),
                serial: certificate.serial.clone(),
                validity: certificate.validity,
                fingerprint: certificate.fingerprint.clone(),
                crl_sign: certificate.key_usage.as_ref().is_some_and(|usage| usage.crl_sign()),
            });
        }
        let root = match (issuer, pinned) {
            (Issuer::Bundled(root, _), _) => Some(*root),
            (Issuer::Presented(_), Some((root, _))) => Some(root),
            (Issuer::Presented(presented), None) => {
                let signer = |root: &&Root| presented.certificate.signed.is_signed_by(&root.authority.key);
                match anchors.of(product).count() {
                    0 | 1 => anchors.of(product).next(),
                    _ => anchors.of(product).find(signer).or_else(|| anchors.of(product).next()),
                }
            }
        };
        let Some(root) = root else {
            self.fail(&checks::ROOT_PINNED, product.root_name(), "none", "no root of this line is trusted");
            return None;
        };
        self.emulated = root.emulated;
        self.pass(&checks::ROOT_PINNED, format!("{} {}", product.root_name(), root.authority.fingerprint));
        self.add_authority(product.root_name().to_owned(), &root.authority);
        Some(Authority::clone(&root.authority))
    }
}

/// Whether the certificate is that of the pinned root: its fingerprint is, or, should the vendor
/// issue it anew, its key and name are and it is signed by itself.
fn is_pinned(root: &Root, certificate: &Certificate) -> bool {
    let pinned = &root.authority;
    certificate.fingerprint == pinned.fingerprint
        || (certificate.key.bytes().is_some_and(|bytes| Some(bytes) == pinned.key.bytes())
            && certificate.subject == pinned.name
            && certificate.signed.is_signed_by(&pinned.key))
}

/// The certificate of the signing key. Of several of the kind that the report names, the one that
/// fits its TCB version and chip; failing that, the first. Failing those, one of the other kind,
/// so that more can be said than that there is none.
fn choose_key<'a>(presented: &'a Presented, report: &Report) -> Option<(KeyKind, &'a PresentedCertificate)> {
    let named = match report.signing_key() {
        SigningKey::Signed(KeyKind::Vlek) => [KeyKind::Vlek, KeyKind::Vcek],
        _ => [KeyKind::Vcek, KeyKind::Vlek],
    };
    named.into_iter().find_map(|kind| {
        let mut of_kind = presented.with_role(Role::Key(kind)).peekable();
        let first = *of_kind.peek()?;
        let fitting = of_kind.find(|c| fits(&c.certificate, kind, report));
        Some((kind, fitting.unwrap_or(first)))
    })
}

fn fits(certificate: &Certificate, kind: KeyKind, report: &Report) -> bool {
    let Ok(e) = KeyExtensions::read(&certificate.extensions, kind, report.product()) else {
        return false;
    };
    let tcb = report.reported_tcb;
    (e.bootloader, e.tee, e.snp, e.microcode, e.fmc)
        == (tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode, tcb.fmc)
        && e.hardware_id.is_none_or(|id| report.chip_id.starts_with(&id))
}

/// Who certified `key`: a certificate that came along under the name of the authority (of several,
/// the one that signed); else the bundled one.
fn choose_issuer<'a>(
    anchors: &'a SnpAnchors,
    presented: &'a Presented,
    product: Product,
    kind: KeyKind,
    key: &PresentedCertificate,
) -> Option<Issuer<'a>> {
    let name = product.authority_name(kind);
    let mut named = presented
        .with_role(Role::Authority)
        .filter(|c| c.certificate.subject.common_name() == Some(name))
        .peekable();
    if let Some(first) = named.next() {
        // One is checked later anyway; only a choice among several needs the signature now.
        let signer = match named.peek() {
            Some(_) => std::iter::once(first)
                .chain(named)
                .find(|c| key.certificate.signed.is_signed_by(&c.certificate.key)),
            None => None,
        };
        return Some(Issuer::Presented(signer.unwrap_or(first)));
    }
    anchors.of(product).find_map(|root| {
        let (_, authority) = root.bundled.iter().find(|(k, _)| *k == kind)?;
        Some(Issuer::Bundled(root, Arc::clone(authority)))
    })
}
