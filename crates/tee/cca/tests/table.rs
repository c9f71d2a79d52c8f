//! What every variant of evidence and of endorsements gets, end to end: a token of an emulated realm,
//! trust anchor and reference values out of CoRIMs, verified and appraised.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    missing_docs
)]

#[path = "table/accepted.rs"]
mod accepted;
#[path = "table/real.rs"]
mod real;
#[path = "table/refused.rs"]
mod refused;
mod support;

use assay_emulator::cca::{Cca, CcaGuest, CorimKind, CorimTemplate};
use assay_tee_cca::{CcaSettings, PLATFORM_SUBMODULE, REALM_SUBMODULE, rejected_layers};
use assay_types::TrustTier::{self, Affirming, Contraindicated, Warning};
use assay_types::{
    EndorsedAppraisal, Finding, LayerAppraisal, Outcome, TrustClaim, TrustVector, VerifyError,
};
use support::shelf::Shelf;
use support::{NOW, binding, files, guest, verify_with};

/// A change to the evidence.
type EditGuest = Box<dyn Fn(CcaGuest<'static>) -> CcaGuest<'static>>;
/// A change to what is endorsed.
type EditCorims = Box<dyn Fn(&mut Corims)>;

/// The endorsements of the unchanged realm and its platform: reference values of the platform with its
/// attestation key in one document, reference values of the realm in another.
struct Corims {
    platform: CorimTemplate,
    realm: Option<CorimTemplate>,
}

/// One variant.
struct Row {
    /// The line of the table that it belongs to, from 1.
    line: u32,
    variant: &'static str,
    generation: Cca,
    guest: EditGuest,
    corims: EditCorims,
    expected: Expected,
}

enum Expected {
    /// It does not verify.
    Refused {
        kind: Kind,
        /// The checks that fail.
        codes: &'static [&'static str],
        /// What both layers get in attestation results.
        vector: TrustVector,
    },
    /// It verifies, and is appraised.
    Appraised {
        platform: (TrustVector, TrustTier),
        realm: (TrustVector, TrustTier),
        /// The checks of the appraisal that fail, each once.
        codes: &'static [&'static str],
        /// A check of verification or appraisal that is named as not made, and words of the reason.
        noted: Option<(&'static str, &'static str)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Malformed,
    Unsupported,
    Rejected,
}

/// Cryptographic validation failed.
const FAILED: TrustVector = TrustVector {
    instance_identity: 99,
    configuration: 99,
    executables: 99,
    file_system: 99,
    hardware: 99,
    runtime_opaque: 99,
    storage_opaque: 99,
    sourced_data: 99,
};

/// The platform of the first line.
const PLATFORM: TrustVector = TrustVector {
    instance_identity: 2,
    configuration: 2,
    executables: 2,
    file_system: 0,
    hardware: 2,
    runtime_opaque: 2,
    storage_opaque: 2,
    sourced_data: 0,
};

/// The realm of the first line.
const REALM: TrustVector = TrustVector {
    instance_identity: 2,
    configuration: 0,
    executables: 2,
    file_system: 0,
    hardware: 0,
    runtime_opaque: 0,
    storage_opaque: 0,
    sourced_data: 0,
};

impl Row {
    /// The variant that changes nothing, and gets the best.
    fn new(line: u32, variant: &'static str) -> Self {
        Row {
            line,
            variant,
            generation: Cca::Draft2023,
            guest: Box::new(|guest| guest),
            corims: Box::new(|_| ()),
            expected: Expected::Appraised {
                platform: (PLATFORM, Affirming),
                realm: (REALM, Affirming),
                codes: &[],
                noted: None,
            },
        }
    }

    fn of(mut self, generation: Cca) -> Self {
        self.generation = generation;
        self
    }

    fn guest(mut self, edit: impl Fn(CcaGuest<'static>) -> CcaGuest<'static> + 'static) -> Self {
        self.guest = Box::new(edit);
        self
    }

    fn corims(mut self, edit: impl Fn(&mut Corims) + 'static) -> Self {
        self.corims = Box::new(edit);
        self
    }

    fn refused(mut self, kind: Kind, codes: &'static [&'static str]) -> Self {
        self.expected = Expected::Refused { kind, codes, vector: FAILED };
        self
    }

    fn platform(mut self, status: TrustTier, edit: impl Fn(&mut TrustVector)) -> Self {
        if let Expected::Appraised { platform, .. } = &mut self.expected {
            platform.1 = status;
            edit(&mut platform.0);
        }
        self
    }

    fn realm(mut self, status: TrustTier, edit: impl Fn(&mut TrustVector)) -> Self {
        if let Expected::Appraised { realm, .. } = &mut self.expected {
            realm.1 = status;
            edit(&mut realm.0);
        }
        self
    }

    fn because(mut self, failing: &'static [&'static str]) -> Self {
        if let Expected::Appraised { codes, .. } = &mut self.expected {
            *codes = failing;
        }
        self
    }

    fn noting(mut self, code: &'static str, words: &'static str) -> Self {
        if let Expected::Appraised { noted, .. } = &mut self.expected {
            *noted = Some((code, words));
        }
        self
    }

    fn run(&self) {
        let good = guest(self.generation);
        let mut corims = Corims {
            platform: good.corim(CorimKind::PlatformWithKey),
            realm: Some(good.corim(CorimKind::Realm)),
        };
        (self.corims)(&mut corims);
        let documents: Vec<Vec<u8>> = [Some(corims.platform), corims.realm]
            .into_iter()
            .flatten()
            .map(|corim| corim.unsigned())
            .collect();
        let token = (self.guest)(guest(self.generation)).build().token;
        let result = verify_with(CcaSettings::production(), &token, &binding(), &files(&documents));
        let name = format!("line {}, {}, {:?}", self.line, self.variant, self.generation);
        match (&self.expected, result) {
            (Expected::Refused { kind, codes, vector }, Err(error)) => {
                let found = match error {
                    VerifyError::Malformed(_) => Kind::Malformed,
                    VerifyError::Rejected(_) => Kind::Rejected,
                    VerifyError::Unsupported(_) => Kind::Unsupported,
                };
                assert_eq!((found, failing(error.findings())), (*kind, codes.to_vec()), "{name}: {error}");
                let both = [("platform", PLATFORM_SUBMODULE), ("realm", REALM_SUBMODULE)];
                let layer = |(layer, submodule): (&str, &str)| LayerAppraisal {
                    layer: layer.into(),
                    submodule: submodule.into(),
                    trust_vector: *vector,
                };
                assert_eq!(rejected_layers(error.findings()), both.map(layer), "{name}");
                assert_eq!(vector.status(), Contraindicated, "{name}");
            }
            (Expected::Appraised { platform, realm, codes, noted }, Ok(genuine)) => {
                let appraiser = genuine.facts().appraiser.as_ref().unwrap();
                let appraisal = appraiser.appraise(&Shelf::of(&documents), NOW);
                assert_layers(&name, &appraisal, *platform, *realm);
                let findings: Vec<Finding> =
                    appraisal.findings.into_iter().map(|reason| reason.finding).collect();
                assert_eq!(failing(&findings), *codes, "{name}: {findings:#?}");
                if let Some((code, words)) = noted {
                    let mut all = genuine.findings().iter().chain(&findings);
                    let says = |finding: &Finding| {
                        finding.outcome == Outcome::NotChecked
                            && finding.code == *code
                            && finding.detail.contains(words)
                    };
                    assert!(all.any(says), "{name}: {findings:#?}");
                }
            }
            (Expected::Refused { .. }, Ok(_)) => panic!("{name}: it was accepted"),
            (Expected::Appraised { .. }, Err(error)) => panic!("{name}: {error}"),
        }
    }
}

/// The two vectors, their status, and that what is not affirming has a reason.
fn assert_layers(
    name: &str,
    appraisal: &EndorsedAppraisal,
    platform: (TrustVector, TrustTier),
    realm: (TrustVector, TrustTier),
) {
    let found: Vec<_> = appraisal
        .layers
        .iter()
        .map(|layer| (layer.layer.as_str(), layer.trust_vector, layer.trust_vector.status()))
        .collect();
    assert_eq!(
        found,
        [("platform", platform.0, platform.1), ("realm", realm.0, realm.1)],
        "{name}: {:#?}",
        appraisal.findings
    );
    for claim in TrustClaim::ALL {
        let bad = [platform.0, realm.0].iter().any(|vector| TrustTier::of(vector.get(claim)) > Affirming);
        let explained =
            appraisal.findings.iter().any(|reason| reason.claim == claim && reason.finding.failed());
        assert_eq!(bad, explained, "{name}: {claim}: {:#?}", appraisal.findings);
    }
}

/// The codes that failed, in order, each once.
fn failing(findings: &[Finding]) -> Vec<&str> {
    let failed = findings.iter().filter(|finding| finding.failed());
    let mut codes: Vec<&str> = failed.map(|finding| finding.code.as_ref()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn table() -> Vec<Row> {
    let mut rows = accepted::rows();
    rows.extend(refused::rows());
    rows
}

#[test]
fn every_variant_of_every_line_gets_what_the_table_says() {
    for row in table() {
        row.run();
    }
}

#[test]
fn no_line_is_left_out() {
    let mut lines: Vec<u32> = table().iter().map(|row| row.line).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines, (1..=32).collect::<Vec<_>>());
}

/// A realm without reference values, or with others than it has, is never affirming; nor is what is
/// warned of called worse than it is.
#[test]
fn the_worst_claim_is_the_status() {
    for row in table() {
        if let Expected::Appraised { platform, realm, .. } = row.expected {
            for (vector, status) in [platform, realm] {
                let worst = TrustClaim::ALL.map(|claim| TrustTier::of(vector.get(claim))).into_iter().max();
                assert_eq!(Some(status), worst, "{}", row.variant);
                assert!(matches!(status, Affirming | Warning | Contraindicated), "{}", row.variant);
            }
        }
    }
}
