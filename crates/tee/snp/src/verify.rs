//! The verifier: evidence, collateral, trust anchors and the time in; authenticated claims or
//! findings out.
//!
//! Rules that the ABI leaves to the verifier:
//! - A report of version 2 has no CPUID fields: the product line is the certificate's, and must fit
//!   the shape of the chip id.
//! - A hidden chip id (all zero, MaskChipId) cannot be tied to a VCEK and fails the check of the
//!   hardware id. A VLEK is not bound to a chip; there the check is not made.
//! - Debug and migration bits are claims; whether they are wanted is for the policy to say.
//! - Host data have 32 bytes. A longer digest of init data is compared by its first 32 bytes, as
//!   guests and Trustee do; the finding says so.

use std::sync::Arc;

use assay_types::{
    Authenticated, Binding, Check, Checks, CollateralRequest, CollateralSet, Facts, ParsedEvidence,
    RawEvidence, Tee, TeeClaimText, TeeClass, UnixTime, Verifier, VerifyError,
};
use moka::sync::Cache;

use crate::chain::{Chain, SigningKeyCertificate};
use crate::checks::{self, CHECKS};
use crate::claims;
use crate::collateral;
use crate::evidence::{
    ECDSA_P384_SHA384, EvidenceError, ReportError, SIGNED_LEN, SigningKey, SnpEvidence, TcbLayout,
    reserved_bytes,
};
use crate::presented::{self, Presented};
use crate::product::{KeyKind, Product};
use crate::settings::{SnpSettings, VmplPolicy};

/// Verifies evidence of AMD SEV-SNP.
pub struct SnpVerifier(Arc<Inner>);

struct Inner {
    settings: SnpSettings,
    /// Chains that were good when last seen, by the digest of what they were built from. Only
    /// evidence that was accepted adds one, so strangers cannot push others out.
    chains: Cache<[u8; 32], Arc<Chain>>,
}

impl std::fmt::Debug for SnpVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SnpVerifier").field(&self.0.settings).finish()
    }
}

impl SnpVerifier {
    /// A verifier with these settings.
    pub fn new(settings: SnpSettings) -> Self {
        let chains = Cache::new(settings.cached_chains);
        SnpVerifier(Arc::new(Inner { settings, chains }))
    }
}

impl Verifier for SnpVerifier {
    fn tee(&self) -> Tee {
        Tee::Snp
    }

    fn checks(&self) -> &'static [Check] {
        CHECKS
    }

    fn parse(&self, evidence: &RawEvidence) -> Result<Box<dyn ParsedEvidence>, VerifyError> {
        let found = evidence.bytes.len();
        if found > RawEvidence::MAX_LEN {
            let most = format!("at most {} bytes", RawEvidence::MAX_LEN);
            return Err(VerifyError::malformed(&checks::EVIDENCE_FORM, most, format!("{found} bytes"), ""));
        }
        match SnpEvidence::parse(&evidence.bytes) {
            Ok(evidence) => Ok(Box::new(Parsed { evidence, verifier: Arc::clone(&self.0) })),
            Err(e) => Err(unreadable(&e)),
        }
    }
}

fn unreadable(error: &EvidenceError) -> VerifyError {
    match error {
        EvidenceError::Report(ReportError::Version { found }) => {
            VerifyError::unsupported(&checks::REPORT_VERSION, "2 to 5", found.to_string(), "")
        }
        EvidenceError::Report(ReportError::Processor { family, model }) => VerifyError::unsupported(
            &checks::PROCESSOR,
            "Milan, Genoa, Siena, Bergamo or Turin",
            format!("CPUID family {family:#04x}, model {model:#04x}"),
            "",
        ),
        EvidenceError::Report(ReportError::Length { found }) => VerifyError::malformed(
            &checks::EVIDENCE_FORM,
            "1184 bytes, or JSON",
            format!("{found} bytes"),
            "a raw report is too short",
        ),
        other => VerifyError::malformed(&checks::EVIDENCE_FORM, "", "", other.to_string()),
    }
}

struct Parsed {
    evidence: SnpEvidence,
    verifier: Arc<Inner>,
}

impl ParsedEvidence for Parsed {
    fn collateral_needed(&self, _now: UnixTime) -> Vec<CollateralRequest> {
        collateral::needed(&self.evidence, self.verifier.settings.crl)
    }

    fn verify(
        &self,
        binding: &Binding,
        collateral: &CollateralSet,
        now: UnixTime,
    ) -> Result<Vec<Authenticated>, VerifyError> {
        let Inner { settings, chains } = &*self.verifier;
        let digest = presented::digest(&self.evidence, collateral);
        let known = chains.get(&digest).filter(|chain| chain.validity().contains(now));
        let is_known = known.is_some();
        let chain = known.unwrap_or_else(|| {
            let presented = Presented::read(&self.evidence, collateral);
            Arc::new(Chain::build(&settings.anchors, &presented, &self.evidence.report, settings.crl))
        });

        let mut checks = Checks::new(CHECKS);
        self.check_form(&mut checks);
        chain.record(&mut checks);
        check_dates(&mut checks, &chain, now);
        if let Some(key) = &chain.key {
            self.check_key(&mut checks, key);
            self.check_signature(&mut checks, key);
        }
        self.check_vmpl(&mut checks, settings.vmpl);
        checks.report_data(&checks::REPORT_DATA, binding, &self.evidence.report.report_data);
        checks.init_data(&checks::INIT_DATA, binding, &self.evidence.report.host_data);

        let Some(key) = &chain.key else {
            return Err(checks.reject());
        };
        let report = &self.evidence.report;
        let authenticated = checks.finish(Facts {
            tee: Tee::Snp,
            class: TeeClass::Cpu,
            claims: claims::claims(report, report.product().or(key.issuer_product), key),
            report_data: Some(report.report_data.to_claim()),
            init_data: Some(report.host_data.to_claim()),
            validity: chain.validity(),
            collateral: chain.collateral.clone(),
            emulated: chain.emulated,
            appraiser: None,
        })?;
        if !is_known {
            chains.insert(digest, Arc::clone(&chain));
        }
        Ok(vec![authenticated])
    }
}

fn check_dates(checks: &mut Checks, chain: &Chain, now: UnixTime) {
    let wrong: Vec<String> = chain
        .dates
        .iter()
        .filter(|(_, validity)| !validity.contains(now))
        .map(|(name, validity)| format!("{name} is valid from {validity}"))
        .collect();
    if !wrong.is_empty() {
        checks.fail(&checks::CERTIFICATE_DATES, wrong.join("; "), now.to_string(), "");
    } else if chain.key.is_some() {
        checks.pass(&checks::CERTIFICATE_DATES, now.to_string());
    }
    match chain.crl_dates {
        Some(validity) if validity.contains(now) => checks.pass(&checks::CRL_DATES, validity.to_string()),
        Some(validity) => {
            let detail = "a list without next update is never in force";
            checks.fail(&checks::CRL_DATES, validity.to_string(), now.to_string(), detail);
        }
        // Recorded with the chain.
        None => {}
    }
}

impl Parsed {
    /// Form, version and processor hold, or there would be nothing parsed.
    fn check_form(&self, checks: &mut Checks) {
        let report = &self.evidence.report;
        checks.pass(&checks::EVIDENCE_FORM, "report of 1184 bytes");
        checks.pass(&checks::REPORT_VERSION, report.version.to_string());
        match report.product() {
            Some(product) => checks.pass(&checks::PROCESSOR, product.as_str()),
            None => checks.not_checked(&checks::PROCESSOR, "reports of version 2 do not name the processor"),
        }
        let reserved = reserved_bytes(self.evidence.report_bytes(), report.tcb_layout());
        if reserved.is_empty() {
            checks.pass(&checks::RESERVED, "");
        } else {
            // A hostile report may set all; the first few tell enough.
            let named: Vec<String> = reserved.iter().take(8).map(ToString::to_string).collect();
            let more = reserved.len().saturating_sub(named.len());
            let more = if more == 0 { String::new() } else { format!("; and {more} bytes more") };
            checks.fail(&checks::RESERVED, "", "", format!("{}{more}", named.join("; ")));
        }
        let (expected, found) = (ECDSA_P384_SHA384, report.sig_algo);
        checks.equal(&checks::SIGNATURE_ALGORITHM, &expected, &found, "1 is ECDSA P-384 with SHA-384");
    }

    fn check_key(&self, checks: &mut Checks, key: &SigningKeyCertificate) {
        let report = &self.evidence.report;
        let (expected, found) = (SigningKey::Signed(key.kind), report.signing_key());
        checks.equal(
            &checks::SIGNING_KEY,
            &*expected.to_string(),
            &*found.to_string(),
            "expected is the certificate's",
        );

        let Some(extensions) = &key.extensions else {
            return;
        };
        self.check_product(checks, key, &extensions.product_name);
        let tcb = report.reported_tcb;
        let detail = "expected is the certificate's, found the report's";
        checks.equal(&checks::TCB_BOOTLOADER, &extensions.bootloader, &tcb.bootloader, detail);
        checks.equal(&checks::TCB_TEE, &extensions.tee, &tcb.tee, detail);
        checks.equal(&checks::TCB_SNP, &extensions.snp, &tcb.snp, detail);
        checks.equal(&checks::TCB_MICROCODE, &extensions.microcode, &tcb.microcode, detail);
        let text = |fmc: Option<u8>| fmc.map_or_else(|| "none".to_owned(), |fmc| fmc.to_string());
        checks.equal(&checks::TCB_FMC, &*text(extensions.fmc), &*text(tcb.fmc), detail);
        let (expected, found) = ([0; 4].to_claim(), extensions.reserved.to_claim());
        checks.equal(&checks::TCB_RESERVED, &*expected, &*found, "spl4 to spl7 of the certificate");
        match (key.kind, &extensions.hardware_id) {
            (KeyKind::Vlek, _) | (KeyKind::Vcek, None) => {
                checks.not_checked(&checks::HARDWARE_ID, "a VLEK is not bound to a chip");
            }
            (KeyKind::Vcek, Some(id)) => self.check_hardware_id(checks, id),
        }
    }

    fn check_product(&self, checks: &mut Checks, key: &SigningKeyCertificate, product_name: &str) {
        let report = &self.evidence.report;
        let by_extension = Product::from_product_name(product_name);
        let name = |product: Option<Product>| product.map_or("unknown", Product::as_str);
        // Version 2 leaves the report's side to the layout of its TCB versions.
        let by_report = match report.product() {
            Some(product) => name(Some(product)),
            None => match (report.tcb_layout(), key.issuer_product) {
                (TcbLayout::Turin, _) => Product::Turin.as_str(),
                (TcbLayout::Legacy, Some(Product::Turin)) if !report.chip_id_masked() => "Milan or Genoa",
                (TcbLayout::Legacy, product) => name(product),
            },
        };
        let by_issuer = name(key.issuer_product);
        if by_report == by_issuer && by_extension == key.issuer_product && by_extension.is_some() {
            checks.pass(&checks::PRODUCT, product_name);
        } else {
            let found = format!("issuer {by_issuer}, product name {product_name:?}");
            checks.fail(&checks::PRODUCT, format!("report {by_report}"), found, "");
        }
    }

    fn check_hardware_id(&self, checks: &mut Checks, id: &[u8]) {
        let report = &self.evidence.report;
        if report.chip_id_masked() {
            let detail = "the host hides the chip id (MaskChipId), so a VCEK cannot be tied to the chip";
            checks.fail(&checks::HARDWARE_ID, id.to_claim(), "zero", detail);
            return;
        }
        let len = match report.tcb_layout() {
            TcbLayout::Legacy => Product::Milan.hwid_len(),
            TcbLayout::Turin => Product::Turin.hwid_len(),
        };
        let (chip_id, rest) = report.chip_id.split_at_checked(len).unwrap_or((&report.chip_id, &[]));
        if id == chip_id && rest.iter().all(|b| *b == 0) {
            checks.pass(&checks::HARDWARE_ID, id.to_claim());
        } else {
            let detail = format!("the first {len} bytes of the chip id count, all others must be zero");
            checks.fail(&checks::HARDWARE_ID, id.to_claim(), report.chip_id.to_claim(), detail);
        }
    }

    fn check_signature(&self, checks: &mut Checks, key: &SigningKeyCertificate) {
        let report = &self.evidence.report;
        if report.sig_algo != ECDSA_P384_SHA384 {
            return checks.not_checked(&checks::REPORT_SIGNATURE, "its algorithm is unknown");
        }
        let Some(public) = &key.key else {
            return checks.not_checked(&checks::REPORT_SIGNATURE, "the certificate has no key on P-384");
        };
        let signed = self.evidence.report_bytes().get(..SIGNED_LEN).unwrap_or_default();
        let holds = report
            .signature
            .to_fixed()
            .is_some_and(|signature| public.verify_sig(signed, &signature).is_ok());
        if holds {
            checks.pass(&checks::REPORT_SIGNATURE, "ECDSA P-384 with SHA-384");
        } else {
            let expected = format!("a signature by the {}", key.kind);
            checks.fail(&checks::REPORT_SIGNATURE, expected, "another signature", "it does not verify");
        }
    }

    fn check_vmpl(&self, checks: &mut Checks, allowed: VmplPolicy) {
        let vmpl = self.evidence.report.vmpl;
        if allowed.allows(vmpl) {
            checks.pass(&checks::VMPL, vmpl.to_string());
        } else {
            checks.fail(&checks::VMPL, allowed.to_string(), vmpl.to_string(), "");
        }
    }
}
