//! All emulated TEEs behind one door.

use std::collections::BTreeMap;

use assay_tee_snp::Product;
use assay_types::{ANCHORS_FORMAT, AnchorsFile, Digest, ReportData, Tee};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::cca::{self, CcaEvidence, CcaGuest, CcaSilicon};
use crate::intel::{self, IntelEvidence, IntelGuest, IntelSilicon, Role};
use crate::set::Field;
use crate::snp::{self, Authority, GuestEvidence, SnpSilicon};
use crate::{EmulatorError, Seed, sample};

/// The emulator of one seed. Keys are made when they are first needed, and kept; clones share them.
///
/// ```
/// use assay_emulator::{Emulator, Seed};
/// use assay_types::Tee;
///
/// let emulator = Emulator::new(Seed::DEVELOPMENT);
/// let set = [("policy.debug".to_owned(), "true".to_owned())];
/// let evidence = emulator.evidence(Tee::Snp, &[7; 48], None, &set)?;
/// assert_eq!(evidence["attestation_report"]["policy"], 0xb_0000);
/// # Ok::<(), assay_emulator::EmulatorError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Emulator {
    snp: SnpSilicon,
    cca: CcaSilicon,
    intel: IntelSilicon,
}

impl Emulator {
    /// The emulator of `seed`. Nothing is computed yet.
    pub fn new(seed: Seed) -> Self {
        Emulator {
            snp: SnpSilicon::new(seed.clone()),
            cca: CcaSilicon::new(seed.clone()),
            intel: IntelSilicon::new(seed),
        }
    }

    /// The public trust anchors of all emulated TEEs. Entries:
    /// - `snp`: `{"arks":[{"product":"Milan","certificate":"<DER in standard base64>"},…]}`, one for
    ///   each product line;
    /// - `cca`: `{"trust-anchors":[{"implementation-id":"<hex>","instance-id":"<hex>","pkey":JWK},…]}`,
    ///   the attestation keys (CPAK) of the one platform, on P-384, P-256 and P-521;
    /// - `tdx` and `sgx`: `{"roots":["<DER in standard base64>"]}`, the one root of both;
    /// - `sample`: `{}`, for it has no root.
    pub fn anchors(&self) -> AnchorsFile {
        self.snp.prepare(&Product::ALL.map(|product| (product, Authority::Ark)));
        let arks: Vec<Value> = Product::ALL
            .into_iter()
            .filter_map(|product| {
                let template = self.snp.authority(product, Authority::Ark);
                // The dates of the template are constants that certificates can hold.
                let certificate = self.snp.issue(&template).ok()?;
                Some(json!({"product": product.as_str(), "certificate": BASE64_STANDARD.encode(certificate)}))
            })
            .collect();
        // As above.
        let root = self.intel.authority(Role::Root).issue().unwrap_or_default();
        let intel = json!({ "roots": [BASE64_STANDARD.encode(root)] });
        AnchorsFile {
            format: ANCHORS_FORMAT.into(),
            emulated: true,
            description: "Roots of the Assay emulator. Whoever has the seed can make evidence under them."
                .into(),
            anchors: BTreeMap::from([
                (Tee::Snp, json!({ "arks": arks })),
                (Tee::Cca, json!({ "trust-anchors": self.cca.trust_anchors() })),
                (Tee::Tdx, intel.clone()),
                (Tee::Sgx, intel),
                (Tee::Sample, json!({})),
            ]),
        }
    }

    /// Evidence in the JSON of the wire.
    ///
    /// `report_data` is what the attester binds, in RCAR the digest of the runtime data; each TEE
    /// puts it into its field by its own rule (sample: as it is; all others: zeros on the right up to 64
    /// bytes). The first 32 bytes of `init_data` go into the host data of SNP, the first 48 and zeros into
    /// MRCONFIGID of TDX, all of them and zeros into CONFIGID of SGX and the personalization value of CCA;
    /// the sample TEE ignores them. `set` sets fields by text: [`Emulator::fields`] lists them. A field that is set wins over
    /// the other arguments.
    ///
    /// # Errors
    /// [`EmulatorError`]: no such TEE or field, a field set twice, a value that does not fit, report
    /// data that are too long.
    pub fn evidence(
        &self,
        tee: Tee,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<Value, EmulatorError> {
        match tee {
            Tee::Snp => Ok(self.snp_evidence(report_data, init_data, set)?.to_json()),
            Tee::Cca => Ok(self.cca_evidence(report_data, init_data, set)?.to_json()),
            Tee::Tdx | Tee::Sgx => Ok(self.intel_evidence(tee, report_data, init_data, set)?.to_json()),
            Tee::Sample => sample::evidence(report_data, set),
            tee => Err(EmulatorError::UnsupportedTee { tee }),
        }
    }

    /// The same evidence in the raw form: the report of SNP with its table of certificates, the quote of
    /// TDX and SGX without an event log, the CBOR token of CCA; for the sample TEE, which has no other form, its JSON.
    ///
    /// # Errors
    /// As [`Emulator::evidence`].
    pub fn raw_evidence(
        &self,
        tee: Tee,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<Vec<u8>, EmulatorError> {
        match tee {
            Tee::Snp => Ok(self.snp_evidence(report_data, init_data, set)?.to_raw()),
            Tee::Cca => Ok(self.cca_evidence(report_data, init_data, set)?.token),
            Tee::Tdx | Tee::Sgx => Ok(self.intel_evidence(tee, report_data, init_data, set)?.quote),
            tee => Ok(self.evidence(tee, report_data, init_data, set)?.to_string().into_bytes()),
        }
    }

    fn snp_evidence(
        &self,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<GuestEvidence, EmulatorError> {
        let host_data = init_data.map(host_data).unwrap_or_default();
        snp::guest(&self.snp, ReportData::padded(report_data)?, host_data, set)?.build()
    }

    fn cca_evidence(
        &self,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<CcaEvidence, EmulatorError> {
        Ok(self.cca_guest(report_data, init_data, set)?.build())
    }

    /// The realm that [`Emulator::evidence`] makes its CCA evidence of, still to be built. What
    /// endorses it is [`CcaGuest::corim`] and [`CcaGuest::reference_value_store`].
    ///
    /// # Errors
    /// As [`Emulator::evidence`].
    pub fn cca_guest(
        &self,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<CcaGuest<'static>, EmulatorError> {
        cca::guest(&self.cca, ReportData::padded(report_data)?, init_data, set)
    }

    fn intel_evidence(
        &self,
        tee: Tee,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<IntelEvidence, EmulatorError> {
        self.intel_guest(tee, report_data, init_data, set)?.build()
    }

    /// The TD or enclave that [`Emulator::evidence`] makes its TDX or SGX evidence of, still to be built.
    /// What the vendor publishes about its platform is [`IntelGuest::collateral`].
    ///
    /// # Errors
    /// As [`Emulator::evidence`]; [`EmulatorError::NotIntel`] for another TEE than TDX and SGX.
    pub fn intel_guest(
        &self,
        tee: Tee,
        report_data: &[u8],
        init_data: Option<&Digest>,
        set: &[(String, String)],
    ) -> Result<IntelGuest<'static>, EmulatorError> {
        intel::guest(&self.intel, tee, ReportData::padded(report_data)?, init_data, set)
    }

    /// The fields of a TEE's evidence that can be set, empty where there is no emulator.
    pub fn fields(tee: Tee) -> &'static [Field] {
        match tee {
            Tee::Snp => snp::FIELDS,
            Tee::Cca => cca::FIELDS,
            Tee::Tdx => intel::TDX_FIELDS,
            Tee::Sgx => intel::SGX_FIELDS,
            Tee::Sample => sample::FIELDS,
            _ => &[],
        }
    }

    /// The SNP silicon: certificates, lists and reports with any field changed.
    pub fn snp(&self) -> SnpSilicon {
        self.snp.clone()
    }

    /// The CCA silicon: tokens with any claim, key or byte changed, and the platform's endorsements.
    pub fn cca(&self) -> CcaSilicon {
        self.cca.clone()
    }

    /// The Intel silicon: certificates, lists, TCB info, quotes and event logs with any one thing changed.
    pub fn intel(&self) -> IntelSilicon {
        self.intel.clone()
    }
}

/// The host data for init data: the first 32 bytes of their digest, which is all of it for SHA-256.
/// The hypervisor has no more room, and the guest and Trustee compare just these (guest-components,
/// SNP attester; Trustee, `regularize_data`).
fn host_data(init_data: &Digest) -> [u8; 32] {
    init_data.as_bytes().first_chunk().copied().unwrap_or_default()
}
