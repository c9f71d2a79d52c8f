//! From a guest under construction to its quote.

use assay_types::Tee;
use sha2::{Digest as _, Sha256};

use super::certification::certification_data;
use super::evidence::IntelEvidence;
use super::guest::{Edit, IntelGuest};
use super::identity::IdentityKind;
use super::pck::Platform;
use super::quote::{QuoteSignature, length32, signed_part};
use super::report::{Body, EnclaveReport, attributes};
use super::shape::qe_mr_signer;
use super::silicon::Role;
use crate::EmulatorError;

fn apply<T>(edits: Edit<'_, T>, mut value: T) -> T {
    for edit in edits {
        edit(&mut value);
    }
    value
}

impl IntelGuest<'_> {
    /// Signs everything.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn build(self) -> Result<IntelEvidence, EmulatorError> {
        let IntelGuest { silicon, platform, header, body, log, auth_data, certification, edits, .. } = self;
        let (tee, kind) = match body {
            Body::Td(_) => (Tee::Tdx, IdentityKind::TdQe),
            Body::Enclave(_) => (Tee::Sgx, IdentityKind::Qe),
        };
        let mut quote = apply(edits.signed_part, signed_part(&header, &body));
        let signer = self.quote_signer.as_ref().unwrap_or(&self.attestation_key);
        // The point without the byte that says that it is not compressed.
        let point = self.attestation_key.public_key();
        let attestation_key = point.point().get(1..).unwrap_or_default().to_vec();

        let qe_report = apply(edits.qe_report, qe_report(kind, &platform, &attestation_key, &auth_data));
        let qe_report = apply(edits.qe_report_bytes, qe_report.to_bytes());
        let pck_key = self.qe_signer.unwrap_or_else(|| silicon.pck_key(&platform));

        let chain = [
            apply(edits.pck, silicon.pck_certificate(&platform)).issue()?,
            apply(edits.authority, silicon.authority(Role::of(platform.ca))).issue()?,
            apply(edits.root, silicon.authority(Role::Root)).issue()?,
        ];
        let chain = apply(edits.chain, chain.to_vec());
        let signature = QuoteSignature {
            signature: signer.sign(&quote),
            attestation_key,
            qe_report_signature: pck_key.sign(&qe_report),
            qe_report,
            qe_auth_data: auth_data,
            certification_type: certification.number(),
            certification_data: certification_data(&silicon, &platform, certification, &chain),
        };
        let signature = apply(edits.signature, signature).to_bytes(header.version);
        quote.extend_from_slice(&length32(signature.len()));
        quote.extend_from_slice(&signature);
        let event_log = log.map(|log| apply(edits.log_bytes, apply(edits.sent_log, log).to_bytes()));
        Ok(IntelEvidence { tee, quote: apply(edits.quote, quote), event_log })
    }
}

/// The report of a quoting enclave. It binds the attestation key: SHA-256(key || auth data), then zeros.
fn qe_report(kind: IdentityKind, platform: &Platform, key: &[u8], auth_data: &[u8]) -> EnclaveReport {
    let binding: [u8; 32] = Sha256::digest([key, auth_data].concat()).into();
    let mut report_data = [0; 64];
    for (to, from) in report_data.iter_mut().zip(binding) {
        *to = from;
    }
    EnclaveReport {
        cpu_svn: platform.cpu_svn,
        flags: attributes::SGX_INIT | attributes::SGX_MODE64 | attributes::SGX_PROVISION_KEY,
        xfrm: 0xe7,
        mr_enclave: Sha256::digest(format!("assay emulator {}", kind.as_str())).into(),
        mr_signer: qe_mr_signer(kind),
        isv_prod_id: kind.isv_prod_id(),
        isv_svn: kind.isv_svn(),
        report_data,
        ..EnclaveReport::default()
    }
}
