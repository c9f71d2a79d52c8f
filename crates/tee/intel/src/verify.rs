//! The verifiers: evidence, collateral, trust anchors and the time in; authenticated claims or
//! findings out.
//!
//! Rules that Intel leaves to the verifier:
//! - Expired collateral is rejected, never a claim only: a token may not outlive what it rests on.
//! - A TCB level that is out of date, advisories and the debug bit are claims; whether they are wanted
//!   is for the policy to say. A revoked level is rejected.
//! - Init data are compared with MRCONFIGID (48 bytes) or CONFIGID (64 bytes).
//! - Without an event log the registers are still claims; nothing then says what they are made of.

use std::sync::Arc;

use assay_types::{
    Authenticated, Binding, Check, Checks, CollateralRequest, CollateralSet, Facts, ParsedEvidence,
    RawEvidence, Tee, TeeClaimText, TeeClass, UnixTime, Verifier, VerifyError,
};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use moka::sync::Cache;

use crate::attestation_key::AttestationKey;
use crate::certified::{Certified, PckSource};
use crate::checks::{self, SGX_CHECKS, TDX_CHECKS};
use crate::claims::quote_claims;
use crate::collateral::{self, PlatformIds};
use crate::evidence::IntelEvidence;
use crate::piece_digests::PieceDigests;
use crate::quote::{
    Body, CertificationData, EnclaveReport, INTEL_VENDOR_ID, PpidCertification, PpidForm, SignatureData,
};
use crate::settings::IntelSettings;
use crate::tcb::{PlatformTcb, QeReport, TcbEvaluation, TcbInputs, TdTcb};
use crate::{Family, event_log, tcb_claims};

/// Verifies evidence of Intel TDX or of Intel SGX.
pub struct IntelVerifier(Arc<Inner>);

struct Inner {
    family: Family,
    settings: IntelSettings,
    /// Platforms with their collateral, good when last seen, by the digest of what they were built
    /// from. Only evidence that was accepted adds one, so strangers cannot push others out.
    platforms: Cache<[u8; 32], Arc<Certified>>,
    /// Attestation keys, likewise.
    keys: Cache<[u8; 32], Arc<AttestationKey>>,
    /// What quotes need at first, likewise, by the digest of what they say of their PCK.
    needs: Cache<[u8; 32], Arc<[CollateralRequest]>>,
    pieces: PieceDigests,
}

impl std::fmt::Debug for IntelVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("IntelVerifier").field(&self.0.family).field(&self.0.settings).finish()
    }
}

impl IntelVerifier {
    /// A verifier of TDX quotes, with or without an event log.
    pub fn tdx(settings: IntelSettings) -> Self {
        IntelVerifier::new(Family::Tdx, settings)
    }

    /// A verifier of SGX quotes.
    pub fn sgx(settings: IntelSettings) -> Self {
        IntelVerifier::new(Family::Sgx, settings)
    }

    fn new(family: Family, settings: IntelSettings) -> Self {
        let most = settings.cached_platforms;
        let (platforms, keys, needs) = (Cache::new(most), Cache::new(most), Cache::new(most));
        IntelVerifier(Arc::new(Inner {
            family,
            settings,
            platforms,
            keys,
            needs,
            pieces: PieceDigests::new(),
        }))
    }
}

impl Inner {
    fn checks(&self) -> &'static [Check] {
        match self.family {
            Family::Tdx => TDX_CHECKS,
            Family::Sgx => SGX_CHECKS,
        }
    }
}

impl Verifier for IntelVerifier {
    fn tee(&self) -> Tee {
        self.0.family.tee()
    }

    fn checks(&self) -> &'static [Check] {
        self.0.checks()
    }

    fn parse(&self, evidence: &RawEvidence) -> Result<Box<dyn ParsedEvidence>, VerifyError> {
        let parsed = IntelEvidence::parse(evidence.bytes.clone())?;
        let (named, found) = (self.tee(), parsed.quote.tee());
        if named != found {
            let detail = "the quote says which it is";
            return Err(VerifyError::malformed(&checks::TEE_TYPE, named.as_str(), found.as_str(), detail));
        }
        let certification = &parsed.quote.signature.certification;
        let (pck, pck_digest) = (Pck::of(certification), pck_digest(certification));
        Ok(Box::new(Parsed { evidence: parsed, pck, pck_digest, verifier: Arc::clone(&self.0) }))
    }
}

struct Parsed {
    evidence: IntelEvidence,
    pck: Pck,
    /// SHA-256 over what the quote says of its PCK.
    pck_digest: [u8; 32],
    verifier: Arc<Inner>,
}

/// What the quote says of its PCK.
enum Pck {
    Chain(Bytes),
    Leaf(Bytes),
    Ids(PlatformIds),
}

impl Pck {
    fn of(certification: &CertificationData) -> Self {
        match certification {
            CertificationData::PckChain(bytes) => Pck::Chain(bytes.clone()),
            CertificationData::PckLeaf(bytes) => Pck::Leaf(bytes.clone()),
            CertificationData::Ppid(certification) => {
                let plain = certification.form == PpidForm::Plain;
                Pck::Ids(PlatformIds {
                    ppid: if plain { certification.ppid.as_ref().try_into().ok() } else { None },
                    encrypted_ppid: (!plain).then(|| certification.ppid.to_vec()),
                    cpu_svn: certification.cpu_svn,
                    pce_svn: certification.pce_svn,
                    pce_id: certification.pce_id.to_le_bytes(),
                })
            }
        }
    }

    fn source(&self) -> PckSource<'_> {
        match self {
            Pck::Chain(bytes) => PckSource::Chain(bytes),
            Pck::Leaf(bytes) => PckSource::Leaf(bytes),
            Pck::Ids(ids) => PckSource::Ids(ids),
        }
    }
}

impl ParsedEvidence for Parsed {
    fn collateral_needed(&self, _now: UnixTime) -> Vec<CollateralRequest> {
        match self.verifier.needs.get(&self.pck_digest) {
            Some(known) => known.to_vec(),
            None => self.needed(&CollateralSet::default()),
        }
    }

    fn further_collateral_needed(&self, at_hand: &CollateralSet, _now: UnixTime) -> Vec<CollateralRequest> {
        // A quote that carries its PCK certificate names all that it needs at once.
        if matches!(self.pck, Pck::Ids(_)) { self.needed(at_hand) } else { Vec::new() }
    }

    fn verify(
        &self,
        binding: &Binding,
        collateral: &CollateralSet,
        now: UnixTime,
    ) -> Result<Vec<Authenticated>, VerifyError> {
        let Inner { family, settings, platforms, keys, needs, .. } = &*self.verifier;
        let quote = &self.evidence.quote;
        let mut checks = Checks::new(self.verifier.checks());
        self.check_form(&mut checks);

        let platform_digest = self.platform_digest(collateral);
        let known = platforms.get(&platform_digest);
        let is_known = known.is_some();
        let certified = known.unwrap_or_else(|| {
            Arc::new(Certified::build(&settings.anchors, *family, self.pck.source(), collateral))
        });
        certified.record(&mut checks, now, settings.minimum_evaluation_number);

        let tcb = self.evaluate(&certified);
        tcb.record(&mut checks);
        let key_digest = certified.pck_key().and_then(|pck| Some(key_digest(pck.bytes()?, &quote.signature)));
        let key = match (certified.pck_key(), key_digest.and_then(|digest| keys.get(&digest))) {
            (_, Some(known)) => Some(known),
            (Some(pck), None) => Some(Arc::new(AttestationKey::build(pck, &quote.signature))),
            (None, None) => None,
        };
        if let Some(key) = &key {
            key.record(&mut checks);
            key.check_signature(&mut checks, quote.signed_bytes(), &quote.signature.signature);
        }
        checks.report_data(&checks::REPORT_DATA, binding, quote.report_data());
        let init_data = init_data_field(&quote.body);
        checks.init_data(&checks::INIT_DATA, binding, init_data);

        let mut claims = quote_claims(quote);
        tcb_claims::add(&mut claims, &certified, &tcb, now);
        if let Body::Td(report) = &quote.body {
            let proven = event_log::check(&mut checks, self.evidence.event_log.as_ref(), &report.rtmrs);
            if let Some(log) = proven.filter(|_| !checks.any_failed()) {
                event_log::add_claims(&mut claims, &log);
            }
        }
        let authenticated = checks.finish(Facts {
            tee: family.tee(),
            class: TeeClass::Cpu,
            claims,
            report_data: Some(quote.report_data().to_claim()),
            init_data: Some(init_data.to_claim()),
            validity: certified.validity(),
            collateral: certified.uses().to_vec(),
            emulated: certified.emulated(),
            appraiser: None,
        })?;
        if !is_known {
            platforms.insert(platform_digest, certified);
            needs.insert(self.pck_digest, self.needed(&CollateralSet::default()).into());
        }
        if let (Some(digest), Some(key)) = (key_digest, key) {
            keys.insert(digest, key);
        }
        Ok(vec![authenticated])
    }
}

impl Parsed {
    /// Form, version and types hold, or there would be nothing parsed.
    fn check_form(&self, checks: &mut Checks) {
        let quote = &self.evidence.quote;
        checks.pass(&checks::EVIDENCE_FORM, format!("a quote of {} bytes", quote.bytes().len()));
        checks.pass(&checks::QUOTE_VERSION, quote.header.version.to_string());
        checks.pass(&checks::TEE_TYPE, self.verifier.family.tee().as_str());
        checks.pass(&checks::ATTESTATION_KEY_TYPE, "ECDSA P-256");
        let (expected, found) = (INTEL_VENDOR_ID.to_claim(), quote.header.vendor_id.to_claim());
        checks.equal(&checks::VENDOR_ID, &*expected, &*found, "");
        let certification = quote.signature.certification.type_number();
        checks.pass(&checks::CERTIFICATION_DATA, format!("type {certification}"));
    }

    fn needed(&self, at_hand: &CollateralSet) -> Vec<CollateralRequest> {
        let Inner { family, settings, .. } = &*self.verifier;
        collateral::needed(*family, self.pck.source(), settings.update_channel, at_hand)
    }

    fn evaluate(&self, certified: &Certified) -> TcbEvaluation {
        let quote = &self.evidence.quote;
        let platform = certified
            .pck_extensions()
            .map(|pck| PlatformTcb { components: pck.components, pce_svn: pck.pce_svn });
        let td = match &quote.body {
            Body::Sgx(_) => None,
            Body::Td(report) => Some(TdTcb {
                tee_tcb_svn: report.tee_tcb_svn,
                tee_tcb_svn2: report.v15.as_ref().map(|v15| v15.tee_tcb_svn2),
                mrsigner_seam: report.mrsigner_seam,
                seam_attributes: report.seam_attributes,
            }),
        };
        let EnclaveReport { mr_signer, isv_prod_id, isv_svn, misc_select, attributes, .. } =
            quote.signature.qe_report;
        TcbEvaluation::new(TcbInputs {
            tcb_info: certified.tcb_info().map(Arc::as_ref),
            qe_identity: certified.qe_identity().map(Arc::as_ref),
            platform,
            td,
            qe: Some(QeReport { mr_signer, isv_prod_id, isv_svn, misc_select, attributes }),
        })
    }

    /// SHA-256 over all that [`Certified::build`] looks at: the same digest, the same outcome.
    fn platform_digest(&self, collateral: &CollateralSet) -> [u8; 32] {
        let mut context = Parts::new();
        context.part(b"pck", &self.pck_digest);
        for item in &collateral.items {
            // Kind and origin are part of the result, so they are part of the key.
            context.part(
                format!("{:?} {:?}", item.kind, item.origin).as_bytes(),
                self.verifier.pieces.of(&item.bytes).as_bytes(),
            );
        }
        context.finish()
    }
}

/// SHA-256 over what the quote says of its PCK: a certificate, a chain, or what identifies it.
fn pck_digest(certification: &CertificationData) -> [u8; 32] {
    let mut context = Parts::new();
    match certification {
        CertificationData::PckChain(bytes) => context.part(b"chain", bytes),
        CertificationData::PckLeaf(bytes) => context.part(b"leaf", bytes),
        CertificationData::Ppid(PpidCertification { form, ppid, cpu_svn, pce_svn, pce_id }) => {
            context.part(format!("{form:?}").as_bytes(), ppid);
            context.part(b"cpu svn", cpu_svn);
            context.part(b"pce", [pce_svn.to_le_bytes(), pce_id.to_le_bytes()].as_flattened());
        }
    }
    context.finish()
}

/// SHA-256 over all that [`AttestationKey::build`] looks at.
fn key_digest(pck: &[u8], signature: &SignatureData) -> [u8; 32] {
    let mut context = Parts::new();
    context.part(b"pck", pck);
    context.part(b"report", &signature.qe_report_bytes);
    context.part(b"signature", &signature.qe_report_signature);
    context.part(b"key", &signature.attestation_key);
    context.part(b"data", &signature.qe_auth_data);
    context.finish()
}

/// MRCONFIGID or CONFIGID.
fn init_data_field(body: &Body) -> &[u8] {
    match body {
        Body::Td(report) => &report.mr_config_id,
        Body::Sgx(report) => &report.config_id,
    }
}

/// A digest over parts, each with its name and length, so that no two lists of parts run together.
struct Parts(Context);

impl Parts {
    fn new() -> Self {
        Parts(Context::new(&SHA256))
    }

    fn part(&mut self, name: &[u8], bytes: &[u8]) {
        for text in [name, bytes] {
            self.0.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
            self.0.update(text);
        }
    }

    fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        out
    }
}
