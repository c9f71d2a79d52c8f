//! One piece by itself: whether it is genuine, and for how long it is valid.

use assay_types::{Finding, Validity};

use super::builder::{Builder, Role};
use super::pck_chain::is_pck;
use crate::collateral::PckCa;
use crate::collateral::pieces::{HeldCertificate, Pieces};
use crate::roots::intel_name;
use crate::{Family, IntelAnchors, PckExtensions, checks};

type Inspected = Result<Validity, String>;

/// TCB info of this FMSPC.
pub(crate) fn tcb_info(anchors: &IntelAnchors, pieces: &Pieces, family: Family, fmspc: &str) -> Inspected {
    let mut builder = Builder::new(anchors, family, pieces);
    let root = builder.root_of_documents();
    builder.tcb_info(root.as_deref());
    if let Some(info) = &builder.out.tcb_info
        && hex::encode(info.fmspc) != fmspc
    {
        return Err(format!("of FMSPC {}, asked for {fmspc}", hex::encode(info.fmspc)));
    }
    builder.outcome()
}

/// The identity of the quoting enclave.
pub(crate) fn identity(anchors: &IntelAnchors, pieces: &Pieces, family: Family) -> Inspected {
    let mut builder = Builder::new(anchors, family, pieces);
    let root = builder.root_of_documents();
    builder.identity(root.as_deref());
    builder.outcome()
}

/// The revocation list of a PCK CA, with the CA's certificate.
pub(crate) fn pck_crl(anchors: &IntelAnchors, pieces: &Pieces, ca: PckCa) -> Inspected {
    let mut builder = Builder::new(anchors, Family::Sgx, pieces);
    let name = intel_name(ca.common_name());
    let Some(held) = pieces.certificates.iter().find(|held| held.certificate.subject == name) else {
        return Err(format!("it came without the certificate of {}", ca.common_name()));
    };
    builder.authority(ca, held);
    let key = &held.certificate.key;
    let may_sign = held.certificate.key_usage.as_ref().is_some_and(|usage| usage.crl_sign());
    builder.lists(&checks::PCK_CRL, &name, key, may_sign);
    builder.outcome()
}

/// The revocation list of a root.
pub(crate) fn root_crl(anchors: &IntelAnchors, pieces: &Pieces) -> Inspected {
    let signed = |held: &crate::collateral::pieces::HeldCrl| {
        let signed_by = |key| held.crl.signed.is_signed_by(key);
        anchors.roots().iter().any(|root| held.crl.issuer == root.name && signed_by(&root.key))
    };
    match pieces.crls.iter().find(|held| signed(held)) {
        Some(held) => Ok(held.crl.validity()),
        None => Err("no revocation list that a pinned root signed".to_owned()),
    }
}

/// A PCK certificate with its authority's, at this CPUSVN, PCESVN and PCE id, each in hex as in the request:
/// no other is used, and one that is kept stays for years. The encrypted PPID cannot be compared.
pub(crate) fn pck_certificate(anchors: &IntelAnchors, pieces: &Pieces, wanted: [&str; 3]) -> Inspected {
    let Some(leaf) = pieces.certificates.iter().find(|held| is_pck(&held.certificate)) else {
        return Err("no PCK certificate".to_owned());
    };
    let mut builder = Builder::new(anchors, Family::Sgx, pieces);
    let chain = builder.chain_of_leaf(leaf.clone());
    builder.link(&chain);
    if let Some(PckExtensions { cpu_svn, pce_svn, pce_id, .. }) = &builder.out.pck_extensions {
        let found = [hex::encode(cpu_svn), hex::encode(pce_svn.to_le_bytes()), hex::encode(pce_id)];
        let names = ["CPUSVN", "PCESVN", "PCE id"].into_iter();
        if let Some((name, (found, wanted))) =
            names.zip(found.iter().zip(wanted)).find(|(_, (found, wanted))| *found != wanted)
        {
            return Err(format!("of {name} {found}, asked for {wanted}"));
        }
    }
    builder.outcome()
}

impl Builder<'_> {
    /// Checks the certificate of an authority up to a root.
    fn authority(&mut self, ca: PckCa, held: &HeldCertificate) {
        self.use_certificate("PCK CA", held, Some(ca.common_name()), Role::Authority);
        if let Some(root) = self.root_above(&held.certificate) {
            self.issued_by("PCK CA", &held.certificate, &root.name);
            self.signature(&checks::CA_SIGNATURE, &held.certificate, &root.key);
        }
    }

    /// The validity of what is used, if nothing is wrong with it.
    fn outcome(self) -> Inspected {
        let failed = self.record.findings().iter().filter(|finding| finding.failed()).map(told);
        let problems: Vec<String> = failed.chain(self.problems()).collect();
        if problems.is_empty() { Ok(self.out.validity()) } else { Err(problems.join("; ")) }
    }
}

fn told(finding: &Finding) -> String {
    let Finding { code, check, expected, found, detail, .. } = finding;
    let parts = [("", detail), ("expected ", expected), ("found ", found)];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, part)| !part.is_empty())
        .map(|(what, part)| format!("{what}{part}"))
        .collect();
    format!("{code} {check}: {}", parts.join(", "))
}
