//! Revocation lists of the PCK CA and of the root.

use assay_types::Check;
use assay_x509::{Name, PublicKey};

use super::Dated;
use super::builder::Builder;
use super::pck_chain::PckChain;
use crate::checks;
use crate::collateral::pieces::{HeldCertificate, HeldCrl};
use crate::roots::Root;

impl<'a> Builder<'a> {
    /// INTEL-020, 021, 023 and 024.
    pub(super) fn revocation(&mut self, chain: &PckChain, root: Option<&Root>, signers: &[HeldCertificate]) {
        if let Some(ca) = &chain.ca {
            let ca = &ca.certificate;
            let may_sign = ca.key_usage.as_ref().is_some_and(|usage| usage.crl_sign());
            let lists = self.lists(&checks::PCK_CRL, &ca.subject, &ca.key, may_sign);
            self.out.supplement.pck_crl_number = lists.first().and_then(|held| held.crl.number);
            let leaf = chain.leaf.as_ref().map(|leaf| ("PCK certificate", leaf.certificate.serial.clone()));
            self.not_revoked(&checks::PCK_NOT_REVOKED, &lists, leaf.is_some(), leaf.into_iter().collect());
        }
        let Some(root) = root else { return };
        let lists = self.lists(&checks::ROOT_CRL, &root.name, &root.key, true);
        self.out.supplement.root_crl_number = lists.first().and_then(|held| held.crl.number);
        let mut serials = vec![("root", root.serial.clone())];
        serials.extend(chain.ca.as_ref().map(|ca| ("PCK CA", ca.certificate.serial.clone())));
        for signer in signers {
            serials.push(("TCB signing certificate", signer.certificate.serial.clone()));
        }
        let complete = chain.ca.is_some() && !signers.is_empty();
        self.not_revoked(&checks::CA_NOT_REVOKED, &lists, complete, serials);
    }

    /// The lists of `issuer` that `key` signed, the newest first. Lists that it did not sign say
    /// nothing, and are left alone where there is another.
    pub(super) fn lists(
        &mut self,
        check: &Check,
        issuer: &Name,
        key: &PublicKey,
        may_sign: bool,
    ) -> Vec<&'a HeldCrl> {
        let pieces = self.pieces;
        let of_issuer: Vec<&'a HeldCrl> =
            pieces.crls.iter().filter(|held| held.crl.issuer == *issuer).collect();
        let mut signed: Vec<&'a HeldCrl> =
            of_issuer.iter().copied().filter(|held| held.crl.signed.is_signed_by(key)).collect();
        signed.sort_by_key(|held| std::cmp::Reverse((held.crl.this_update, held.crl.number)));
        let wanted = format!("a list signed by {issuer}");
        match signed.first() {
            None if of_issuer.is_empty() => self.record.fail(check, wanted, "none", ""),
            None => self.record.fail(
                check,
                wanted,
                "another signature",
                "the signature of the list does not verify",
            ),
            Some(_) if !may_sign => {
                self.record.fail(
                    check,
                    wanted,
                    "",
                    format!("{issuer} may not sign revocation lists (key usage)"),
                );
                signed.clear();
            }
            Some(newest) => {
                let crl = &newest.crl;
                let number =
                    crl.number.map_or("without number".to_owned(), |number| format!("number {number}"));
                self.record.pass(check, format!("{number}, issued {}", crl.this_update));
                let name = format!("revocation list of {}", issuer.common_name().unwrap_or_default());
                self.out.crls.push(Dated { name: name.clone(), validity: crl.validity() });
                let name = format!("{name}, {number}, issued {}", crl.this_update);
                self.use_piece(name, &crl.fingerprint, &newest.origin, crl.validity());
            }
        }
        signed
    }

    /// Fails when a list, be it older than the newest, names one of `serials`: what was revoked stays
    /// revoked.
    fn not_revoked(
        &mut self,
        check: &Check,
        lists: &[&HeldCrl],
        complete: bool,
        serials: Vec<(&str, Vec<u8>)>,
    ) {
        if lists.is_empty() {
            return;
        }
        let mut revoked = Vec::new();
        for (what, serial) in &serials {
            if lists.iter().any(|held| held.crl.revoked.contains(serial)) {
                revoked.push(format!("the {what} with serial number {}", hex::encode(serial)));
            }
        }
        revoked.dedup();
        if !revoked.is_empty() {
            self.record.fail(check, "not listed", "listed", format!("revoked: {}", revoked.join("; ")));
        } else if complete {
            self.record.pass(check, "not listed");
        }
    }
}
