//! TCB info and the identity of the quoting enclave: which of several, who signed them, and whether
//! they are about this platform.

use std::sync::Arc;

use assay_types::{Check, Digest, UnixTime};
use assay_x509::{Certificate, PublicKey};

use super::builder::{Builder, Role, TCB_SIGNING};
use crate::checks;
use crate::collateral::pieces::{Document, HeldCertificate};
use crate::collateral::{EnclaveId, QeIdentity, TcbInfo};
use crate::roots::{ROOT_NAME, Root};

/// Who signed a document, as far as it was found.
enum Signer {
    Found(HeldCertificate),
    /// Why there is none.
    Missing(String),
}

impl<T> Document<T> {
    /// Whether `key` signed the exact text.
    fn is_signed_by(&self, key: &PublicKey) -> bool {
        match key {
            PublicKey::P256(key) => key.verify_sig(self.text.as_bytes(), &self.signature).is_ok(),
            PublicKey::Rsa4096(_) | PublicKey::P384(_) | PublicKey::Other(_) => false,
        }
    }
}

pub(super) fn tcb_info_name(document: &Document<TcbInfo>) -> String {
    match &document.content {
        Ok(info) => format!(
            "{} TCB info of FMSPC {}, evaluation {}, issued {}, next update {}",
            info.family,
            hex::encode(info.fmspc),
            info.evaluation_number,
            info.validity.not_before,
            info.validity.not_after
        ),
        Err(unknown) => format!("TCB info {:?} of version {}", unknown.id, unknown.version),
    }
}

pub(super) fn identity_name(document: &Document<QeIdentity>) -> String {
    match &document.content {
        Ok(identity) => format!(
            "identity {}, evaluation {}, issued {}, next update {}",
            enclave(identity.id),
            identity.evaluation_number,
            identity.validity.not_before,
            identity.validity.not_after
        ),
        Err(unknown) => format!("identity {:?} of version {}", unknown.id, unknown.version),
    }
}

const fn enclave(id: EnclaveId) -> &'static str {
    match id {
        EnclaveId::Quoting(family) => family.qe_identity_id(),
        EnclaveId::Verification => "QVE",
    }
}

impl Builder<'_> {
    /// The root at the end of a document's chain, for when the PCK certificate's was not found.
    pub(super) fn root_of_documents(&mut self) -> Option<Arc<Root>> {
        let pieces = self.pieces;
        let chains = pieces.tcb_infos.iter().map(|document| &document.chain);
        let mut chains = chains.chain(pieces.identities.iter().map(|document| &document.chain));
        chains.find_map(|chain| match chain.as_slice() {
            [_, root] => self.anchors.find(root).map(Arc::clone),
            [signer] => {
                self.anchors.roots().iter().find(|r| signer.signed.is_signed_by(&r.key)).map(Arc::clone)
            }
            _ => None,
        })
    }

    /// Chooses and checks both documents; the certificates of who signed them.
    pub(super) fn documents(&mut self, root: Option<&Root>) -> Vec<HeldCertificate> {
        let signers = [self.tcb_info(root), self.identity(root)];
        self.complete &= signers.iter().all(Option::is_some);
        signers.into_iter().flatten().collect()
    }

    pub(super) fn tcb_info(&mut self, root: Option<&Root>) -> Option<HeldCertificate> {
        let (pieces, family) = (self.pieces, self.family);
        let fmspc = self.out.pck_extensions.as_ref().map(|extensions| extensions.fmspc);
        // First those of the family and the FMSPC, then those of the family, then any.
        let rank = |info: &TcbInfo| (info.family == family, Some(info.fmspc) == fmspc);
        let issued = |info: &TcbInfo| (info.issued(), info.evaluation_number);
        let Some(document) = self.newest(&pieces.tcb_infos, root, rank, issued) else {
            let detail =
                if pieces.problems.is_empty() { "" } else { "there is collateral that cannot be read" };
            let platform =
                fmspc.map_or("the platform".to_owned(), |fmspc| format!("FMSPC {}", hex::encode(fmspc)));
            self.record.fail(&checks::TCB_INFO, format!("{family} TCB info of {platform}"), "none", detail);
            return None;
        };
        let name = tcb_info_name(document);
        self.record.pass(&checks::TCB_INFO, name.clone());
        let signer = self.signed(&checks::TCB_INFO_SIGNATURE, document, root, &name);
        let info = match &document.content {
            Ok(info) if info.family == family => info,
            Ok(info) => {
                self.record.fail(
                    &checks::TCB_INFO_FORM,
                    family.tcb_info_id(),
                    info.family.tcb_info_id(),
                    "of the other TEE",
                );
                return signer;
            }
            Err(unknown) => {
                let found = format!("{}, version {}", unknown.id, unknown.version);
                self.record.fail(
                    &checks::TCB_INFO_FORM,
                    format!("{family}, version 3 (SGX: or 2)"),
                    found,
                    "",
                );
                return signer;
            }
        };
        self.record.pass(&checks::TCB_INFO_FORM, format!("{}, version {}", info.family, info.version));
        self.use_piece(name, &Digest::sha256(document.text.as_bytes()), &document.origin, info.validity);
        self.out.tcb_info = Some(Arc::clone(info));
        if let Some(extensions) = self.out.pck_extensions.clone() {
            let [expected, found] = [extensions.fmspc, info.fmspc].map(hex::encode);
            self.same(&checks::TCB_INFO_FMSPC, expected, found);
            let [expected, found] = [extensions.pce_id, info.pce_id].map(hex::encode);
            self.same(&checks::TCB_INFO_PCEID, expected, found);
        }
        signer
    }

    pub(super) fn identity(&mut self, root: Option<&Root>) -> Option<HeldCertificate> {
        let (pieces, family) = (self.pieces, self.family);
        let wanted = EnclaveId::Quoting(family);
        let rank = |identity: &QeIdentity| (identity.id == wanted, true);
        let issued = |identity: &QeIdentity| (identity.issued(), identity.evaluation_number);
        let Some(document) = self.newest(&pieces.identities, root, rank, issued) else {
            let detail =
                if pieces.problems.is_empty() { "" } else { "there is collateral that cannot be read" };
            self.record.fail(&checks::QE_IDENTITY, format!("identity {}", enclave(wanted)), "none", detail);
            return None;
        };
        let name = identity_name(document);
        self.record.pass(&checks::QE_IDENTITY, name.clone());
        let signer = self.signed(&checks::QE_IDENTITY_SIGNATURE, document, root, &name);
        match &document.content {
            Ok(identity) if identity.id == wanted => {
                self.record.pass(
                    &checks::QE_IDENTITY_FORM,
                    format!("{}, version {}", enclave(wanted), identity.version),
                );
                self.use_piece(
                    name,
                    &Digest::sha256(document.text.as_bytes()),
                    &document.origin,
                    identity.validity,
                );
                self.out.qe_identity = Some(Arc::clone(identity));
            }
            Ok(identity) => {
                self.record.fail(
                    &checks::QE_IDENTITY_FORM,
                    enclave(wanted),
                    enclave(identity.id),
                    "of another enclave",
                );
            }
            Err(unknown) => {
                let found = format!("{}, version {}", unknown.id, unknown.version);
                self.record.fail(
                    &checks::QE_IDENTITY_FORM,
                    format!("{}, version 2", enclave(wanted)),
                    found,
                    "",
                );
            }
        }
        signer
    }

    fn same(&mut self, check: &Check, expected: String, found: String) {
        if expected == found {
            self.record.pass(check, found);
        } else {
            self.record.fail(check, expected, found, "");
        }
    }

    /// Of the documents with the best rank, the newest; of several, one that is signed before one that
    /// is not, so that nobody can push a good one out.
    fn newest<'d, T>(
        &self,
        documents: &'d [Document<T>],
        root: Option<&Root>,
        rank: impl Fn(&T) -> (bool, bool),
        issued: impl Fn(&T) -> (UnixTime, u32),
    ) -> Option<&'d Document<T>> {
        let rank = |document: &Document<T>| document.content.as_ref().map_or((false, false), |c| rank(c));
        let best = documents.iter().map(rank).max()?;
        let candidates: Vec<&Document<T>> =
            documents.iter().filter(|document| rank(document) == best).collect();
        let only = candidates.len() == 1;
        let order = |document: &&Document<T>| {
            let good = only || self.problem(document, root).is_none();
            (good, document.content.as_ref().map(|content| issued(content)).ok())
        };
        candidates.into_iter().max_by_key(order)
    }

    /// Who is said to have signed: the first of the document's chain; where it has none, one of the
    /// certificates at hand.
    fn signer<T>(&self, document: &Document<T>) -> Signer {
        let held = |certificate: &Arc<Certificate>| HeldCertificate {
            certificate: Arc::clone(certificate),
            origin: document.origin.clone(),
        };
        match document.chain.as_slice() {
            [] => {
                let named =
                    |held: &&HeldCertificate| held.certificate.subject.common_name() == Some(TCB_SIGNING);
                let mut named = self.pieces.certificates.iter().filter(named).peekable();
                let first = named.peek().copied();
                match named.find(|held| document.is_signed_by(&held.certificate.key)).or(first) {
                    Some(held) => Signer::Found(held.clone()),
                    None => {
                        Signer::Missing(format!("it came without a chain, and no {TCB_SIGNING} is at hand"))
                    }
                }
            }
            [signer] => Signer::Found(held(signer)),
            [signer, root] if root.subject.common_name() == Some(ROOT_NAME) => Signer::Found(held(signer)),
            chain => {
                let names: Vec<&str> =
                    chain.iter().map(|c| c.subject.common_name().unwrap_or("no name")).collect();
                Signer::Missing(format!(
                    "its chain is {:.300}; expected {TCB_SIGNING}, {ROOT_NAME}",
                    names.join(", ")
                ))
            }
        }
    }

    /// What is wrong with the signature or the chain of who made it.
    fn problem<T>(&self, document: &Document<T>, root: Option<&Root>) -> Option<String> {
        let signer = match self.signer(document) {
            Signer::Found(signer) => signer.certificate,
            Signer::Missing(why) => return Some(why),
        };
        let Some(root) = root else { return Some("there is no root that its chain could end at".to_owned()) };
        if !document.is_signed_by(&signer.key) {
            Some("the signature over its exact text does not verify".to_owned())
        } else if !signer.signed.is_signed_by(&root.key) {
            Some(format!("the certificate of {} is not signed by the root", signer.subject))
        } else {
            None
        }
    }

    /// Records whether a document is signed, and takes the certificate of who signed it into use.
    fn signed<T>(
        &mut self,
        check: &Check,
        document: &Document<T>,
        root: Option<&Root>,
        name: &str,
    ) -> Option<HeldCertificate> {
        match self.problem(document, root) {
            None => self.record.pass(check, name),
            Some(problem) => {
                self.record.fail(check, "a signature under the root", "", format!("{name}: {problem}"))
            }
        }
        let Signer::Found(signer) = self.signer(document) else { return None };
        if let Some(root) = root {
            self.issued_by("TCB signing certificate", &signer.certificate, &root.name);
        }
        if let [_, certificate] = document.chain.as_slice()
            && root.is_none_or(|root| root.fingerprint != certificate.fingerprint)
        {
            // Notes a root that is not pinned.
            self.root(certificate);
        }
        self.use_certificate("TCB signing certificate", &signer, Some(TCB_SIGNING), Role::Leaf);
        Some(signer)
    }
}
