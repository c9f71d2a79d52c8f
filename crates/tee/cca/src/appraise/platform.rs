//! The platform: lifecycle, configuration, firmware.

use assay_types::TrustClaim::{Executables, Hardware, InstanceIdentity, RuntimeOpaque, StorageOpaque};
use assay_types::{TrustClaim, TrustVector};

use super::checks::{CONFIGURATION, HARDWARE, LIFECYCLE, PLATFORM_SET};
use super::components::{Comparison, compare};
use super::reasons::Reasons;
use super::sets::{Named, Sets, badness};
use super::{config, firmware};
use crate::endorsement::PlatformReference;
use crate::lifecycle::Lifecycle;
use crate::platform::PlatformClaims;

/// AR4SI hardware: genuine.
const GENUINE: i8 = 2;
/// AR4SI executables: approved at run time.
const APPROVED: i8 = 2;
/// AR4SI executables: not recognised.
const UNRECOGNISED: i8 = 33;

/// The appraisal of a platform.
pub(super) struct Platform<'a> {
    pub(super) vector: TrustVector,
    /// The set that was compared: the one that matches, or the one that comes closest.
    pub(super) set: Option<&'a Named<PlatformReference>>,
    /// How the firmware compares with it.
    pub(super) firmware: Option<Comparison<'a>>,
}

impl Platform<'_> {
    /// Whether the firmware is that of the set.
    pub(super) fn matches(&self) -> bool {
        self.firmware.as_ref().is_some_and(Comparison::holds)
    }
}

/// The values that the lifecycle gives: instance identity, runtime opaque, storage opaque.
const fn by_lifecycle(state: Lifecycle) -> (i8, i8, i8) {
    match state {
        Lifecycle::Secured => (2, 2, 2),
        // Firmware that is no root of trust is debugged: what runs is isolated and may be seen.
        Lifecycle::NonPlatformRotDebug => (2, 32, 2),
        Lifecycle::Unknown
        | Lifecycle::AssemblyAndTest
        | Lifecycle::RotProvisioning
        | Lifecycle::RecoverablePlatformRotDebug
        | Lifecycle::Decommissioned => (96, 96, 96),
    }
}

/// Appraises a platform whose token was verified.
pub(super) fn appraise<'a>(
    claims: &'a PlatformClaims,
    sets: &'a Sets<PlatformReference>,
    reasons: &mut Reasons,
) -> Platform<'a> {
    let (instance_identity, runtime_opaque, storage_opaque) = by_lifecycle(claims.lifecycle_state);
    let mut vector = TrustVector {
        hardware: GENUINE,
        instance_identity,
        runtime_opaque,
        storage_opaque,
        configuration: config::UNKNOWN,
        executables: UNRECOGNISED,
        ..TrustVector::default()
    };
    let implementation = hex::encode(claims.implementation_id);
    reasons.pass(Hardware, &HARDWARE, &implementation, "the platform token's signature was verified");
    for claim in [InstanceIdentity, RuntimeOpaque, StorageOpaque] {
        report_lifecycle(claims, claim, vector.get(claim), reasons);
    }
    sets.report_unused(Executables, reasons);
    let best = sets.best(
        |set| {
            (compare(&claims.components, &set.components), config::value(&claims.config, set.config.as_ref()))
        },
        |(firmware, config)| (!firmware.holds(), firmware.mismatches(), badness(*config)),
    );
    let Some((named, (firmware, config))) = best else {
        let expected = format!("a set of reference values in {}", sets.group);
        let absence = sets.absence();
        let found = hex::encode(&claims.config);
        reasons.fail(TrustClaim::Configuration, &CONFIGURATION, &expected, found, &absence);
        reasons.fail(Executables, &PLATFORM_SET, expected, "none", absence);
        return Platform { vector, set: None, firmware: None };
    };
    vector.configuration = config;
    config::report(&claims.config, named.set.config.as_ref(), reasons);
    if firmware.holds() {
        vector.executables = APPROVED;
        reasons.pass(Executables, &PLATFORM_SET, &named.stored.id, "");
    } else {
        let detail = format!(
            "none of {} sets matches; {} comes closest, with {} differences; they are listed below",
            sets.in_force.len(),
            named.stored.id,
            firmware.mismatches().max(1),
        );
        reasons.fail(Executables, &PLATFORM_SET, "a set that matches the firmware", "none", detail);
    }
    firmware::report(&firmware, reasons);
    Platform { vector, set: Some(named), firmware: Some(firmware) }
}

fn report_lifecycle(claims: &PlatformClaims, claim: TrustClaim, value: i8, reasons: &mut Reasons) {
    let found = format!("{} (0x{:04x})", claims.lifecycle_state, claims.lifecycle);
    if value == 2 {
        return reasons.pass(claim, &LIFECYCLE, found, "");
    }
    let detail = match claims.lifecycle_state {
        Lifecycle::NonPlatformRotDebug => "firmware that is no root of trust, such as the RMM, is debugged",
        Lifecycle::RecoverablePlatformRotDebug => "the platform's root of trust is debugged",
        Lifecycle::Decommissioned => "the platform is decommissioned",
        _ => "the platform is not yet secured",
    };
    reasons.fail(claim, &LIFECYCLE, "secured (0x3000 to 0x30ff)", found, detail);
}
