//! The comparison of firmware in words.

use assay_types::TrustClaim::Executables;
use serde_json::{Map, Value};

use super::checks::{
    COMPONENT_EXPECTED, COMPONENT_MEASUREMENT, COMPONENT_ONCE, COMPONENT_PRESENT, COMPONENT_SIGNER,
    COMPONENT_VERSION,
};
use super::components::{Comparison, Difference, Differs, Place, compare};
use super::reasons::Reasons;
use crate::platform::SoftwareComponent;

/// What a component is called: its type, or its measurement where it states none.
fn label(component: &SoftwareComponent) -> String {
    match &component.component_type {
        Some(component_type) => component_type.clone(),
        None => format!("measurement {}", hex::encode(&component.measurement)),
    }
}

fn place_label(place: &Place<'_>) -> String {
    match place.name {
        Some(name) => name.to_owned(),
        None => format!("measurement {}", place.measurements()),
    }
}

/// Records every component, matched ones too.
pub(super) fn report(firmware: &Comparison<'_>, reasons: &mut Reasons) {
    for found in &firmware.matched {
        let detail = format!("component {}", label(found));
        reasons.pass(Executables, &COMPONENT_MEASUREMENT, hex::encode(&found.measurement), &detail);
    }
    for difference in &firmware.differing {
        report_difference(difference, reasons);
    }
    for found in &firmware.unexpected {
        let detail = if firmware.nothing_expected {
            format!("component {}: the set has no firmware components", label(found))
        } else {
            format!("component {}: the set has nothing of that name and measurement", label(found))
        };
        let hex = hex::encode(&found.measurement);
        reasons.fail(Executables, &COMPONENT_EXPECTED, "no such component", hex, detail);
    }
    for place in &firmware.missing {
        let detail = format!("component {}: the evidence does not have it", place_label(place));
        reasons.fail(Executables, &COMPONENT_PRESENT, place.measurements(), "", detail);
    }
    for found in &firmware.duplicate {
        let detail = format!("component {}: another one in the evidence has its place", label(found));
        let hex = hex::encode(&found.measurement);
        reasons.fail(Executables, &COMPONENT_ONCE, "the component once", hex, detail);
    }
}

/// One finding for each member that differs.
fn report_difference(difference: &Difference<'_>, reasons: &mut Reasons) {
    let Difference { found, closest, measurements } = difference;
    let name = label(found);
    let differs = Differs::between(found, closest);
    if differs.measurement {
        let hex = hex::encode(&found.measurement);
        let detail = format!("component {name}: the measurement differs");
        reasons.fail(Executables, &COMPONENT_MEASUREMENT, measurements, hex, detail);
    }
    if differs.signer {
        let detail = format!("component {name}: the signer id differs");
        let (expected, hex) = (hex::encode(&closest.signer_id), hex::encode(&found.signer_id));
        reasons.fail(Executables, &COMPONENT_SIGNER, expected, hex, detail);
    }
    if differs.version {
        let expected = closest.version.as_deref().unwrap_or_default();
        let stated = found.version.as_deref().unwrap_or("none stated");
        let detail = format!("component {name}: the version differs");
        reasons.fail(Executables, &COMPONENT_VERSION, expected, stated, detail);
    }
}

/// The same for policies: component names by kind of difference. Without a set (`None`) every component
/// is unexpected.
pub(super) fn details(
    firmware: Option<&Comparison<'_>>,
    evidence: &[SoftwareComponent],
    details: &mut Map<String, Value>,
) {
    let mut put = |name: &str, labels: Vec<String>| details.insert(name.into(), labels.into());
    let labels = |components: &[&SoftwareComponent]| components.iter().map(|c| label(c)).collect();
    let none = compare(evidence, &[]);
    let firmware = firmware.unwrap_or(&none);
    put("missing-components", firmware.missing.iter().map(place_label).collect());
    put("unexpected-components", labels(&firmware.unexpected));
    put("differing-components", firmware.differing.iter().map(|d| label(d.found)).collect());
    put("duplicate-components", labels(&firmware.duplicate));
}
