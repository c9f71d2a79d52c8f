//! The chain of the PCK certificate.

use std::sync::Arc;

use assay_types::CollateralOrigin;
use assay_x509::{Certificate, PublicKey};

use super::PckSource;
use super::builder::{Builder, Role, foreign};
use crate::collateral::pieces::{self, HeldCertificate};
use crate::collateral::{PckCa, PlatformIds};
use crate::pck::SGX_EXTENSION;
use crate::roots::{ROOT_NAME, Root};
use crate::{PckExtensions, checks};

/// The common name of PCK certificates.
pub(crate) const PCK_NAME: &str = "Intel SGX PCK Certificate";

/// What was found of the chain.
#[derive(Clone, Default)]
pub(super) struct PckChain {
    pub(super) leaf: Option<HeldCertificate>,
    pub(super) ca: Option<HeldCertificate>,
    pub(super) root: Option<Arc<Root>>,
}

/// The place in a chain that a certificate is meant for, where it says so.
fn place(certificate: &Certificate) -> Option<usize> {
    if certificate.extensions.iter().any(|extension| extension.extn_id == SGX_EXTENSION) {
        return Some(0);
    }
    match certificate.subject.common_name()? {
        PCK_NAME => Some(0),
        ROOT_NAME => Some(2),
        name => PckCa::from_common_name(name).map(|_| 1),
    }
}

/// The PCK certificates among those at hand.
pub(crate) fn is_pck(certificate: &Certificate) -> bool {
    place(certificate) == Some(0)
}

/// Whether the extensions of a PCK certificate are those that the ids name, as far as they are in
/// clear.
pub(crate) fn is_of(extensions: &PckExtensions, ids: &PlatformIds) -> bool {
    ids.ppid.is_none_or(|ppid| ppid == extensions.ppid)
        && (ids.cpu_svn, ids.pce_svn, ids.pce_id)
            == (extensions.cpu_svn, extensions.pce_svn, extensions.pce_id)
}

impl Builder<'_> {
    /// Finds the chain and checks what can be said of it alone: INTEL-011, 013, 014, 019.
    pub(super) fn pck_chain(&mut self, source: PckSource<'_>) -> PckChain {
        let chain = match source {
            PckSource::Chain(text) => self.chain_of_quote(text),
            PckSource::Leaf(bytes) => match pieces::certificates(bytes).as_deref() {
                Ok([leaf]) => {
                    let origin = CollateralOrigin::Evidence;
                    self.chain_of_leaf(HeldCertificate { certificate: Arc::clone(leaf), origin })
                }
                Ok(several) => {
                    let found = format!("{} certificates", several.len());
                    self.record.fail(&checks::PCK_CHAIN, "one PCK certificate", found, "");
                    PckChain::default()
                }
                Err(e) => {
                    self.record.fail(&checks::PCK_CHAIN, "one PCK certificate", "", e.clone());
                    PckChain::default()
                }
            },
            PckSource::Ids(ids) => self.chain_of_ids(ids),
        };
        self.complete &= chain.leaf.is_some() && chain.ca.is_some() && chain.root.is_some();
        self.link(&chain);
        chain
    }

    /// Type 5: exactly PCK certificate, authority, root.
    fn chain_of_quote(&mut self, text: &[u8]) -> PckChain {
        const WANTED: &str = "PCK certificate, platform or processor CA, root";
        let all = match pieces::certificates(text) {
            Ok(all) => all,
            Err(e) => {
                self.record.fail(&checks::PCK_CHAIN, WANTED, "", format!("the chain cannot be read: {e}"));
                return PckChain::default();
            }
        };
        let held = |certificate: &Arc<Certificate>| HeldCertificate {
            certificate: Arc::clone(certificate),
            origin: CollateralOrigin::Evidence,
        };
        let in_order = all.iter().enumerate().all(|(i, c)| place(c).is_none_or(|place| place == i));
        if let ([leaf, ca, root], true) = (all.as_slice(), in_order) {
            self.record.pass(&checks::PCK_CHAIN, "3 certificates, PCK certificate first");
            return PckChain { leaf: Some(held(leaf)), ca: Some(held(ca)), root: Some(self.root(root)) };
        }
        let names: Vec<&str> = all.iter().map(|c| c.subject.common_name().unwrap_or("no name")).collect();
        self.record.fail(
            &checks::PCK_CHAIN,
            WANTED,
            format!("{:.400}", names.join(", ")),
            "wrong order or number",
        );
        // By their roles, so that more can be said.
        let by_place = |wanted: usize| all.iter().find(|c| place(c) == Some(wanted));
        PckChain {
            leaf: by_place(0).map(held),
            ca: by_place(1).map(held),
            root: by_place(2).map(|root| self.root(root)),
        }
    }

    /// The root of this certificate: a pinned one, or the certificate's own key, which is noted.
    pub(super) fn root(&mut self, certificate: &Certificate) -> Arc<Root> {
        match self.anchors.find(certificate) {
            Some(root) => Arc::clone(root),
            None => {
                let note = format!("{} {} is not pinned", certificate.subject, certificate.fingerprint);
                if !self.unpinned.contains(&note) {
                    self.unpinned.push(note);
                }
                foreign(certificate)
            }
        }
    }

    /// Types 1 to 3: the PCK certificate is among the collateral, and is the one that the ids name.
    fn chain_of_ids(&mut self, ids: &PlatformIds) -> PckChain {
        let pieces = self.pieces;
        let of_platforms = pieces.certificates.iter().filter(|held| is_pck(&held.certificate));
        let mut others = 0_usize;
        for held in of_platforms {
            match PckExtensions::find(&held.certificate.extensions) {
                Ok(extensions) if is_of(&extensions, ids) => return self.chain_of_leaf(held.clone()),
                _ => others = others.saturating_add(1),
            }
        }
        let wanted = format!(
            "the PCK certificate at CPUSVN {}, PCESVN {}, PCE id {}",
            hex::encode(ids.cpu_svn),
            ids.pce_svn,
            hex::encode(ids.pce_id)
        );
        let found = if others == 0 { "none".to_owned() } else { format!("{others} others") };
        let detail = "the quote does not carry its PCK certificate, and it is not among the collateral";
        self.record.fail(&checks::PCK_CHAIN, wanted, found, detail);
        PckChain::default()
    }

    /// A PCK certificate without its chain: the authority is among the collateral, the root pinned.
    pub(super) fn chain_of_leaf(&mut self, leaf: HeldCertificate) -> PckChain {
        let pieces = self.pieces;
        let named: Vec<&HeldCertificate> = pieces
            .certificates
            .iter()
            .filter(|held| held.certificate.subject == leaf.certificate.issuer && !is_pck(&held.certificate))
            .collect();
        let signer = named.iter().find(|ca| leaf.certificate.signed.is_signed_by(&ca.certificate.key));
        let Some(ca) = signer.or(named.first()).map(|ca| HeldCertificate::clone(ca)) else {
            let detail =
                "the quote does not carry the certificate of the PCK CA, and it is not among the collateral";
            self.record.fail(&checks::PCK_CHAIN, leaf.certificate.issuer.to_string(), "none", detail);
            return PckChain { leaf: Some(leaf), ca: None, root: None };
        };
        self.record.pass(&checks::PCK_CHAIN, "PCK certificate, and its chain from the collateral");
        let root = self.root_above(&ca.certificate);
        PckChain { leaf: Some(leaf), ca: Some(ca), root }
    }

    /// The root that signed `certificate`: a pinned one; else one at hand; else, so that the signature
    /// can be said to be another, the first that is pinned.
    pub(super) fn root_above(&mut self, certificate: &Certificate) -> Option<Arc<Root>> {
        let roots = self.anchors.roots();
        if let Some(root) = roots.iter().find(|root| certificate.signed.is_signed_by(&root.key)) {
            return Some(Arc::clone(root));
        }
        let pieces = self.pieces;
        let at_hand = pieces
            .certificates
            .iter()
            .map(|held| &held.certificate)
            .find(|root| place(root) == Some(2) && certificate.signed.is_signed_by(&root.key));
        match at_hand {
            Some(root) => Some(self.root(root)),
            None => roots.first().map(Arc::clone),
        }
    }

    /// Signatures, names, roles and extensions of what was found.
    pub(super) fn link(&mut self, chain: &PckChain) {
        if let Some(ca) = &chain.ca {
            let certificate = &ca.certificate;
            self.out.pck_ca = certificate.subject.common_name().and_then(PckCa::from_common_name);
            match self.out.pck_ca {
                Some(name) => self.use_certificate("PCK CA", ca, Some(name.common_name()), Role::Authority),
                None => {
                    let wanted = [PckCa::Platform, PckCa::Processor].map(PckCa::common_name).join(" or ");
                    self.names.push(format!("the PCK CA is {}, expected {wanted}", certificate.subject));
                    self.use_certificate("PCK CA", ca, None, Role::Authority);
                }
            }
            if let Some(root) = &chain.root {
                self.issued_by("PCK CA", certificate, &root.name);
                self.signature(&checks::CA_SIGNATURE, certificate, &root.key);
            }
        }
        let Some(leaf) = &chain.leaf else { return };
        let certificate = &leaf.certificate;
        self.use_certificate("PCK certificate", leaf, Some(PCK_NAME), Role::Leaf);
        if let Some(ca) = &chain.ca {
            self.issued_by("PCK certificate", certificate, &ca.certificate.subject);
            self.signature(&checks::PCK_SIGNATURE, certificate, &ca.certificate.key);
        }
        match PckExtensions::find(&certificate.extensions) {
            Ok(extensions) => {
                let mut found = format!("FMSPC {}", hex::encode(extensions.fmspc));
                if !extensions.unknown.is_empty() {
                    found.push_str(&format!("; passed over: {:.300}", extensions.unknown.join(", ")));
                }
                self.record.pass(&checks::PCK_EXTENSIONS, found);
                self.out.pck_extensions = Some(extensions);
            }
            Err(e) => self.record.fail(&checks::PCK_EXTENSIONS, "", "", e.to_string()),
        }
        if matches!(certificate.key, PublicKey::P256(_)) {
            self.out.pck_key = Some(certificate.key.clone());
        }
    }
}
