//! Revocation lists of a chain.

use assay_types::CollateralOrigin;
use assay_x509::Crl;

use super::{Chain, Issuer};
use crate::checks;
use crate::presented::{Presented, PresentedCertificate};
use crate::roots::Authority;
use crate::settings::CrlPolicy;

impl Chain {
    /// Looks at the revocation lists of the root, which list authorities, and of the authority,
    /// should there be one, which lists keys. Lists of others are left alone.
    pub(super) fn revocation(
        &mut self,
        presented: &Presented,
        key: &PresentedCertificate,
        issuer: &Issuer<'_>,
        root: Option<&Authority>,
        policy: CrlPolicy,
    ) {
        let (authority_name, authority_serial, authority_crl_sign) = match issuer {
            Issuer::Presented(p) => (
                &p.certificate.subject,
                &p.certificate.serial,
                p.certificate.key_usage.as_ref().is_some_and(|usage| usage.crl_sign()),
            ),
            Issuer::Bundled(_, authority) => (&authority.name, &authority.serial, authority.crl_sign),
        };
        let Some(root) = root else {
            return self.not_checked(&checks::CRL_PRESENT, "there is no root whose list it could be");
        };
        let of_root: Vec<&(Crl, CollateralOrigin)> =
            presented.crls.iter().filter(|(crl, _)| crl.issuer == root.name).collect();
        let of_authority: Vec<&(Crl, CollateralOrigin)> =
            presented.crls.iter().filter(|(crl, _)| crl.issuer == *authority_name).collect();
        match (of_root.len(), policy) {
            (0, CrlPolicy::Required) => {
                let detail = "the settings require a revocation list of the root key";
                self.fail(&checks::CRL_PRESENT, root.name.to_string(), "none", detail);
            }
            (0, CrlPolicy::IfPresent) => {
                self.not_checked(
                    &checks::CRL_PRESENT,
                    "none came along, and the settings do not require one",
                );
            }
            (count, _) => self.pass(&checks::CRL_PRESENT, count.to_string()),
        }
        if of_root.is_empty() && of_authority.is_empty() {
            for check in [&checks::CRL_SIGNATURE, &checks::CRL_DATES, &checks::NOT_REVOKED] {
                self.not_checked(check, "no revocation list is at hand");
            }
            return;
        }
        let mut unsigned = Vec::new();
        let mut revoked = Vec::new();
        let signers = [
            (
                &of_root,
                &root.key,
                root.crl_sign,
                vec![("root", &root.serial), ("authority", authority_serial)],
            ),
            (&of_authority, issuer.key(), authority_crl_sign, vec![("key", &key.certificate.serial)]),
        ];
        for (lists, signer, may_sign, serials) in signers {
            for (crl, _) in lists {
                if !may_sign {
                    unsigned.push(format!("{} may not sign revocation lists (key usage)", crl.issuer));
                } else if !crl.signed.is_signed_by(signer) {
                    unsigned.push(format!("the signature of the list of {} does not verify", crl.issuer));
                }
                for (what, serial) in &serials {
                    if crl.revoked.contains(serial) {
                        revoked.push(format!("the {what}'s certificate is revoked by {}", crl.issuer));
                    }
                }
            }
        }
        self.all_of(&checks::CRL_SIGNATURE, "signed by their issuers", &unsigned);
        self.all_of(&checks::NOT_REVOKED, "not listed", &revoked);
        // The dates of lists older than the newest do not matter: what they revoke stays revoked.
        match of_root.iter().max_by_key(|(crl, _)| crl.this_update) {
            Some((newest, origin)) => {
                let name = format!("CRL of {}", newest.issuer.common_name().unwrap_or_default());
                self.crl_dates = Some(newest.validity());
                self.used(name, &newest.fingerprint, origin, newest.validity());
            }
            None => self.not_checked(&checks::CRL_DATES, "no revocation list of the root is at hand"),
        }
    }
}
