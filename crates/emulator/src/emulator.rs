//! All emulated TEEs behind one door.

use std::collections::BTreeMap;

use assay_tee_snp::Product;
use assay_types::{ANCHORS_FORMAT, AnchorsFile, Digest, ReportData, Tee};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::cca::{self, CcaEvidence, CcaGuest, CcaSilicon};
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
}

impl Emulator {
    /// The emulator of `seed`. Nothing is computed yet.
    pub fn new(seed: Seed) -> Self {
        Emulator { snp: SnpSilicon::new(seed.clone()), cca: CcaSilicon::new(seed) }
    }

    /// The public trust anchors of all emulated TEEs. Entries:
    /// - `snp`: `{"arks":[{"product":"Milan","certificate":"<DER in standard base64>"},…]}`, one for
    ///   each product line;
    /// - `cca`: `{"trust-anchors":[{"implementation-id":"<hex>","instance-id":"<hex>","pkey":JWK},…]}`,
    ///   the attestation keys (CPAK) of the one platform, on P-384, P-256 and P-521;
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
        AnchorsFile {
            format: ANCHORS_FORMAT.into(),
            emulated: true,
            description: "Roots of the Assay emulator. Whoever has the seed can make evidence under them."
                .into(),
            anchors: BTreeMap::from([
                (Tee::Snp, json!({ "arks": arks })),
                (Tee::Cca, json!({ "trust-anchors": self.cca.trust_anchors() })),
                (Tee::Sample, json!({})),
            ]),
        }
    }

    /// Evidence in the JSON of the wire.
    ///
    /// `report_data` is what the attester binds, in RCAR the digest of the runtime data; each TEE
    /// puts it into its field by its own rule (SNP and CCA: zeros on the right up to 64 bytes; sample:
    /// as it is). The first 32 bytes of `init_data` go into the host data of SNP, all of them and zeros
    /// into the personalization value of CCA; the sample TEE ignores them. `set` sets fields by text: [`Emulator::fields`] lists them. A field that is set wins over
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
            Tee::Sample => sample::evidence(report_data, set),
            tee => Err(EmulatorError::UnsupportedTee { tee }),
        }
    }

    /// The same evidence in the raw form: the report of SNP with its table of certificates, the CBOR
    /// token of CCA; for the sample TEE, which has no other form, its JSON.
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

    /// The fields of a TEE's evidence that can be set, empty where there is no emulator.
    pub fn fields(tee: Tee) -> &'static [Field] {
        match tee {
            Tee::Snp => snp::FIELDS,
            Tee::Cca => cca::FIELDS,
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
}

/// The host data for init data: the first 32 bytes of their digest, which is all of it for SHA-256.
/// The hypervisor has no more room, and the guest and Trustee compare just these (guest-components,
/// SNP attester; Trustee, `regularize_data`).
fn host_data(init_data: &Digest) -> [u8; 32] {
    init_data.as_bytes().first_chunk().copied().unwrap_or_default()
}
