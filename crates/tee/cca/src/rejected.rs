//! What a rejection is as a trust vector, for attestation results that have no other way to say it.

use assay_types::{Finding, LayerAppraisal, TrustVector};

use crate::checks;

/// The name of the platform's submodule in Veraison's attestation results.
pub const PLATFORM_SUBMODULE: &str = "CCA_SSD_PLATFORM";
/// The name of the realm's submodule in Veraison's attestation results.
pub const REALM_SUBMODULE: &str = "CCA_REALM";

/// Whether nobody endorsed the platform's key, and nothing else is wrong with the evidence as far as it
/// could be looked at.
pub fn is_unknown_platform(findings: &[Finding]) -> bool {
    let mut failed = findings.iter().filter(|finding| finding.failed()).peekable();
    failed.peek().is_some() && failed.all(|finding| finding.code == checks::TRUST_ANCHOR.code)
}

/// Of an unknown platform: instance-identity 97 (the instance is not recognised), nothing else is claimed. For every other reason: 99 (cryptographic validation failed) throughout. See AR4SI,
/// section 2.3.
pub fn rejected_vector(findings: &[Finding]) -> TrustVector {
    if is_unknown_platform(findings) {
        return TrustVector { instance_identity: 97, ..TrustVector::default() };
    }
    TrustVector {
        instance_identity: 99,
        configuration: 99,
        executables: 99,
        file_system: 99,
        hardware: 99,
        runtime_opaque: 99,
        storage_opaque: 99,
        sourced_data: 99,
    }
}

/// The two layers of a rejected token, both with [`rejected_vector`]: a realm is believed by its
/// platform only.
pub fn rejected_layers(findings: &[Finding]) -> Vec<LayerAppraisal> {
    let trust_vector = rejected_vector(findings);
    let layer = |layer: &str, submodule: &str| LayerAppraisal {
        layer: layer.to_owned(),
        submodule: submodule.to_owned(),
        trust_vector,
    };
    vec![layer("platform", PLATFORM_SUBMODULE), layer("realm", REALM_SUBMODULE)]
}
