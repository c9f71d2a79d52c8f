//! The attestation key: that the quoting enclave vouches for it, and the PCK for the enclave.
//!
//! The same key signs all quotes of a platform until its quoting enclave is installed anew, with the
//! same report beside it. So what was found out about it once is kept.

use assay_types::{Checks, Finding, TeeClaimText};
use assay_x509::PublicKey;
use aws_lc_rs::digest::{SHA256, digest};

use crate::checks;
use crate::quote::SignatureData;

/// An attestation key with the outcomes of the checks of it.
#[derive(Clone)]
pub(crate) struct AttestationKey {
    findings: Vec<Finding>,
    /// The key; none where its bytes are no point on P-256.
    key: Option<PublicKey>,
}

impl AttestationKey {
    /// Checks INTEL-050 and INTEL-051 by the key of the PCK certificate.
    pub(crate) fn build(pck: &PublicKey, signature: &SignatureData) -> Self {
        let mut record = Checks::new(&[]);
        let holds = match pck {
            PublicKey::P256(key) => {
                key.verify_sig(&signature.qe_report_bytes, &signature.qe_report_signature).is_ok()
            }
            _ => false,
        };
        if holds {
            record.pass(&checks::QE_REPORT_SIGNATURE, "ECDSA P-256 with SHA-256");
        } else {
            let (expected, found) = ("a signature by the PCK", "another signature");
            record.fail(&checks::QE_REPORT_SIGNATURE, expected, found, "it does not verify");
        }
        // The hash of 32 bytes, then zeros.
        let bound = [&signature.attestation_key[..], &signature.qe_auth_data].concat();
        let mut expected = [0; 64];
        for (to, from) in expected.iter_mut().zip(digest(&SHA256, &bound).as_ref()) {
            *to = *from;
        }
        let found = &signature.qe_report.report_data;
        if expected == *found {
            record.pass(&checks::QE_REPORT_DATA, found.to_claim());
        } else {
            let detail = "expected is the SHA-256 of attestation key and authentication data, then zeros";
            record.fail(&checks::QE_REPORT_DATA, expected.to_claim(), found.to_claim(), detail);
        }
        let point = [&[4], &signature.attestation_key[..]].concat();
        let key = Some(PublicKey::p256(&point)).filter(|key| matches!(key, PublicKey::P256(_)));
        AttestationKey { findings: record.findings().to_vec(), key }
    }

    /// Adds the outcomes to the record.
    pub(crate) fn record(&self, checks: &mut Checks) {
        checks.add_all(&self.findings);
    }

    /// Records whether the key signed these bytes (INTEL-060).
    pub(crate) fn check_signature(&self, checks: &mut Checks, signed: &[u8], signature: &[u8; 64]) {
        let expected = "a signature by the attestation key";
        match &self.key {
            Some(PublicKey::P256(key)) if key.verify_sig(signed, signature).is_ok() => {
                checks.pass(&checks::QUOTE_SIGNATURE, "ECDSA P-256 with SHA-256");
            }
            Some(_) => {
                let found = "another signature";
                checks.fail(&checks::QUOTE_SIGNATURE, expected, found, "it does not verify");
            }
            None => {
                let found = "no key";
                checks.fail(
                    &checks::QUOTE_SIGNATURE,
                    expected,
                    found,
                    "the attestation key is no point on P-256",
                );
            }
        }
    }
}
