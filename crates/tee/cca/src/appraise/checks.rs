//! The checks of the appraisal, numbered.

use assay_types::Check;

/// Every check of the appraisal of CCA claims. Several have more than one finding: one for each
/// trustworthiness claim, component or measurement that they bear on.
pub const APPRAISAL_CHECKS: &[Check] = &[
    HARDWARE,
    LIFECYCLE,
    PLATFORM_SET,
    CONFIGURATION,
    COMPONENT_MEASUREMENT,
    COMPONENT_SIGNER,
    COMPONENT_VERSION,
    COMPONENT_EXPECTED,
    COMPONENT_PRESENT,
    COMPONENT_ONCE,
    REALM_INSTANCE,
    REALM_ON_SECURED_PLATFORM,
    REALM_SET,
    REALM_PERSONALIZATION,
    REALM_EXTENSIBLE_MEASUREMENT,
    SET_IN_FORCE,
    SET_READABLE,
];

const TOKEN: &str = "draft-ffm-rats-cca-token-04";
const ENDORSEMENTS: &str = "draft-ydb-rats-cca-endorsements, reference values";

pub(super) const HARDWARE: Check = Check {
    code: "CCA-101",
    name: "platform is genuine",
    remedy: "see the checks of the verification: no claim is appraised unless they hold",
    source: "AR4SI, section 2.3.3, hardware",
};

pub(super) const LIFECYCLE: Check = Check {
    code: "CCA-102",
    name: "platform is secured",
    remedy: "use a platform in the secured state, with the debugging of its firmware off",
    source: "draft-ffm-rats-cca-token-04, section 4.5.2",
};

pub(super) const PLATFORM_SET: Check = Check {
    code: "CCA-103",
    name: "platform matches a set of reference values",
    remedy: "register a CoRIM for this implementation id, or the JSON store of reference values that has it",
    source: ENDORSEMENTS,
};

pub(super) const CONFIGURATION: Check = Check {
    code: "CCA-104",
    name: "platform configuration is the expected one",
    remedy: "set the platform up as endorsed, or register its configuration once it is judged safe",
    source: ENDORSEMENTS,
};

pub(super) const COMPONENT_MEASUREMENT: Check = Check {
    code: "CCA-105",
    name: "firmware component has an expected measurement",
    remedy: "install the endorsed firmware, or register the measurement once it is judged safe",
    source: ENDORSEMENTS,
};

pub(super) const COMPONENT_SIGNER: Check = Check {
    code: "CCA-106",
    name: "firmware component has the expected signer",
    remedy: "install the firmware that the endorsed signer signed, or register the signer id once it is trusted",
    source: ENDORSEMENTS,
};

pub(super) const COMPONENT_VERSION: Check = Check {
    code: "CCA-107",
    name: "firmware component has the expected version",
    remedy: "install the endorsed version, or register the version once it is judged safe",
    source: ENDORSEMENTS,
};

pub(super) const COMPONENT_EXPECTED: Check = Check {
    code: "CCA-108",
    name: "firmware component is endorsed",
    remedy: "remove the component from the platform, or register it once it is judged safe",
    source: ENDORSEMENTS,
};

pub(super) const COMPONENT_PRESENT: Check = Check {
    code: "CCA-109",
    name: "endorsed firmware component is in the evidence",
    remedy: "find out why the platform did not measure the component; register a set without it if that is right",
    source: ENDORSEMENTS,
};

pub(super) const COMPONENT_ONCE: Check = Check {
    code: "CCA-110",
    name: "firmware component is in the evidence once",
    remedy: "find out why the platform measured the component again; a policy can allow it \
             (details, duplicate-components)",
    source: "draft-ffm-rats-cca-token-04, section 4.6.1",
};

pub(super) const REALM_INSTANCE: Check = Check {
    code: "CCA-121",
    name: "realm is bound to its platform",
    remedy: "see the checks of the verification: no claim is appraised unless they hold",
    source: TOKEN,
};

pub(super) const REALM_ON_SECURED_PLATFORM: Check = Check {
    code: "CCA-122",
    name: "realm runs on a secured platform",
    remedy: "run the realm on a platform in the secured state",
    source: "draft-ffm-rats-cca-token-04, section 4.5.2",
};

pub(super) const REALM_SET: Check = Check {
    code: "CCA-123",
    name: "realm matches a set of reference values",
    remedy: "start the realm from the expected image, or register a CoRIM for its initial measurement",
    source: ENDORSEMENTS,
};

pub(super) const REALM_PERSONALIZATION: Check = Check {
    code: "CCA-124",
    name: "realm's personalization value is the expected one",
    remedy: "start the realm with the endorsed personalization value, or register the one it has",
    source: ENDORSEMENTS,
};

pub(super) const REALM_EXTENSIBLE_MEASUREMENT: Check = Check {
    code: "CCA-125",
    name: "realm's extensible measurement is the expected one",
    remedy: "load what is endorsed into the realm, or register the extensible measurement",
    source: ENDORSEMENTS,
};

pub(super) const SET_IN_FORCE: Check = Check {
    code: "CCA-131",
    name: "set of reference values is in force",
    remedy: "register the set again once it is known to be still good",
    source: "RFC 9334, section 8.3",
};

pub(super) const SET_READABLE: Check = Check {
    code: "CCA-132",
    name: "set of reference values can be read",
    remedy: "register the document again; delete what is stored under this name",
    source: ENDORSEMENTS,
};
