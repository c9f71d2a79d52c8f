//! The verifiers, by TEE. A new TEE adds its line to [`Registry::new`] and to [`catalogue`].

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_tee_cca::{CcaSettings, CcaVerifier, EmulatedAnchors};
use assay_tee_intel::{IntelAnchors, IntelSettings, IntelVerifier};
use assay_tee_sample::SampleVerifier;
use assay_tee_snp::{SnpAnchors, SnpSettings, SnpVerifier};
use assay_types::{AnchorsFile, Check, INCOMPLETE, Tee, Verifier};
use assay_veraison::VeraisonClient;

/// What the verifiers trust.
#[derive(Clone, Debug)]
pub struct TrustSettings {
    /// Trust anchors of an emulator, admitted beside the vendors' own. Only by an option spelled as
    /// a danger; tokens that rest on them say so.
    pub emulated_anchors: Option<AnchorsFile>,
    /// Whether evidence of the sample TEE, which proves nothing, is taken. Only by an option spelled
    /// as a danger.
    pub allow_sample: bool,
    /// The settings of the SEV-SNP verifier; its anchors are extended by `emulated_anchors`.
    pub snp: SnpSettings,
    /// The settings of the Arm CCA verifier; its anchors are extended by `emulated_anchors`.
    pub cca: CcaSettings,
    /// The settings of the TDX and SGX verifiers; their anchors are extended by `emulated_anchors`.
    pub intel: IntelSettings,
}

impl TrustSettings {
    /// The vendors' trust anchors and nothing else.
    pub fn production() -> Self {
        TrustSettings {
            emulated_anchors: None,
            allow_sample: false,
            snp: SnpSettings::production(),
            cca: CcaSettings::production(),
            intel: IntelSettings::production(),
        }
    }
}

impl TrustSettings {
    /// Intel's trust anchors, the emulator's among them where they are trusted.
    ///
    /// # Errors
    /// [`BadAnchors`] when the emulator's anchors cannot be read.
    pub fn intel_anchors(&self) -> Result<IntelAnchors, BadAnchors> {
        let emulated = self.emulated_anchors.as_ref();
        let mut anchors = self.intel.anchors.clone();
        // One vendor, one root for both.
        for tee in [Tee::Tdx, Tee::Sgx] {
            if let Some(entry) = emulated.and_then(|file| file.anchors.get(&tee)) {
                anchors = anchors
                    .with_emulated(entry)
                    .map_err(|error| BadAnchors { tee, reason: error.to_string() })?;
            }
        }
        Ok(anchors)
    }
}

/// Trust anchors that a verifier refuses.
#[derive(Debug, thiserror::Error)]
#[error("the trust anchors for {tee} cannot be used: {reason}")]
pub struct BadAnchors {
    /// Whose they are.
    pub tee: Tee,
    /// The reason.
    pub reason: String,
}

/// The verifiers that are in force.
#[derive(Clone)]
pub struct Registry {
    verifiers: BTreeMap<Tee, Arc<dyn Verifier>>,
    veraison: Option<Arc<VeraisonClient>>,
}

impl Registry {
    /// One verifier for each TEE that this build knows and the settings admit.
    ///
    /// # Errors
    /// [`BadAnchors`] when the emulator's anchors cannot be read.
    pub fn new(settings: TrustSettings) -> Result<Self, BadAnchors> {
        let intel = IntelSettings { anchors: settings.intel_anchors()?, ..settings.intel.clone() };
        let emulated = settings.emulated_anchors.as_ref();
        let entry = |tee| emulated.and_then(|file| file.anchors.get(&tee));
        let (mut snp, mut cca) = (settings.snp, settings.cca);
        if let Some(entry) = entry(Tee::Snp) {
            snp.anchors = std::mem::replace(&mut snp.anchors, SnpAnchors::amd())
                .with_emulated(entry)
                .map_err(|error| BadAnchors { tee: Tee::Snp, reason: error.to_string() })?;
        }
        if let Some(entry) = entry(Tee::Cca) {
            cca.emulated = EmulatedAnchors::read(entry)
                .map_err(|error| BadAnchors { tee: Tee::Cca, reason: error.to_string() })?;
        }
        let mut all: Vec<Arc<dyn Verifier>> = vec![
            Arc::new(SnpVerifier::new(snp)),
            Arc::new(CcaVerifier::new(cca)),
            Arc::new(IntelVerifier::tdx(intel.clone())),
            Arc::new(IntelVerifier::sgx(intel)),
        ];
        if settings.allow_sample {
            all.push(Arc::new(SampleVerifier));
        }
        Ok(Registry { verifiers: all.into_iter().map(|v| (v.tee(), v)).collect(), veraison: None })
    }

    /// This registry with `verifier` in addition, or in place of the one of its TEE: for tests, and
    /// for programs that embed the service. What it believes is believed.
    #[must_use]
    pub fn with(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.verifiers.insert(verifier.tee(), verifier);
        self
    }

    /// This registry with a Veraison service as the verifier of Arm CCA, in place of our own.
    #[must_use]
    pub fn with_veraison(mut self, client: Arc<VeraisonClient>) -> Self {
        self.verifiers.remove(&Tee::Cca);
        self.veraison = Some(client);
        self
    }

    /// The Veraison service that verifies evidence of `tee`, where there is one.
    pub(crate) fn veraison(&self, tee: Tee) -> Option<&Arc<VeraisonClient>> {
        self.veraison.as_ref().filter(|_| tee == Tee::Cca)
    }

    /// The verifier of `tee`.
    pub fn get(&self, tee: Tee) -> Option<&Arc<dyn Verifier>> {
        self.verifiers.get(&tee)
    }

    /// The TEEs whose evidence is taken.
    pub fn tees(&self) -> impl Iterator<Item = Tee> {
        self.verifiers.keys().copied().chain(self.veraison.as_ref().map(|_| Tee::Cca))
    }
}

/// Every check of every verifier, by TEE, whether its evidence is taken or not.
pub fn catalogue() -> Vec<(&'static str, &'static [Check])> {
    const COMMON: &[Check] = &[INCOMPLETE];
    vec![
        ("every verifier", COMMON),
        ("AMD SEV-SNP", assay_tee_snp::CHECKS),
        ("Arm CCA", assay_tee_cca::CHECKS),
        ("Arm CCA, appraisal", assay_tee_cca::APPRAISAL_CHECKS),
        ("Arm CCA, endorsements", assay_tee_cca::endorsement::PROFILE_CHECKS),
        ("Arm CCA through Veraison", assay_veraison::CHECKS),
        ("Arm CCA through Veraison, appraisal", assay_veraison::APPRAISAL_CHECKS),
        // Those of SGX are all among them.
        ("Intel TDX and SGX", assay_tee_intel::TDX_CHECKS),
        ("sample", assay_tee_sample::checks::CATALOGUE),
    ]
}
