//! The rules of Arm's CoRIM profiles, one check each.

use assay_types::Check;

const DRAFT: &str = "draft-ydb-rats-cca-endorsements";

const fn check(code: &'static str, name: &'static str, remedy: &'static str) -> Check {
    Check { code, name, remedy, source: DRAFT }
}

pub(super) const PROFILE: Check = check(
    "CCA-201",
    "the CoRIM names a profile that is known",
    "use tag:arm.com,2025:cca_platform#1.0.0 or tag:arm.com,2025:cca_realm#1.0.0",
);
pub(super) const CLASS: Check =
    check("CCA-202", "environment: a class with an identifier", "add environment.class.class-id");
pub(super) const IMPLEMENTATION_ID: Check = check(
    "CCA-203",
    "platform: the class id is the implementation id",
    "write the 32 bytes of the implementation id with tag 560",
);
pub(super) const REALM_CLASS: Check = check(
    "CCA-204",
    "realm: the class id is the initial measurement",
    "write the 32, 48 or 64 bytes of the RIM with tag 560",
);
pub(super) const ENVIRONMENT: Check = check(
    "CCA-205",
    "environment: nothing that the profile does not have",
    "remove instance (of reference values), group, layer and index",
);
pub(super) const INSTANCE: Check = check(
    "CCA-206",
    "trust anchor: the instance id",
    "write the 33 bytes of the instance id, the first of them 01, with tag 550 (ueid)",
);
pub(super) const KEY: Check = check(
    "CCA-207",
    "trust anchor: exactly one key, a pkix-base64-key",
    "write the SubjectPublicKeyInfo of a P-256, P-384 or P-521 key in PEM with tag 554",
);
pub(super) const REALM_KEY: Check = check(
    "CCA-208",
    "realm: no attestation keys",
    "put the attest-key triples into a CoRIM of the platform profile",
);
pub(super) const MKEY: Check = check("CCA-209", "measurement: mkey is there, a text", "add the mkey");
pub(super) const MKEY_NAME: Check = check(
    "CCA-210",
    "measurement: mkey is one of the profile's",
    "use cca.software-component, cca.platform-config; of realms cca.rim, cca.rem0 to cca.rem3, cca.rpv",
);
pub(super) const DIGESTS: Check = check(
    "CCA-211",
    "measurement: digests are there, one for each algorithm",
    "state each digest once, with its algorithm",
);
pub(super) const DIGEST_LENGTH: Check = check(
    "CCA-212",
    "measurement: digests have the length of their algorithm",
    "digests have 32, 48 or 64 bytes: those of SHA-256, SHA-384, SHA-512",
);
pub(super) const SIGNER_ID: Check = check(
    "CCA-213",
    "software component: cryptokeys is exactly one signer id",
    "write the 32, 48 or 64 bytes of the signer id with tag 560",
);
pub(super) const RAW_VALUE: Check = check(
    "CCA-214",
    "configuration and personalization value: raw-value is there, as bytes",
    "write the bytes with tag 560; a configuration with a mask with tag 563",
);
pub(super) const RPV_LENGTH: Check =
    check("CCA-215", "personalization value: 64 bytes", "write all 64 bytes, zeros at the end among them");
pub(super) const CONFIG: Check = check(
    "CCA-216",
    "configuration: not empty, and one mask of its length at the most",
    "make the mask as long as the value",
);
pub(super) const ONCE: Check = check(
    "CCA-217",
    "each measurement but software components once for an environment",
    "put alternatives into CoMIDs of their own",
);
pub(super) const RIM: Check =
    check("CCA-218", "realm: the initial measurement is there", "add a measurement with mkey cca.rim");
pub(super) const RIM_IS_CLASS: Check = check(
    "CCA-219",
    "realm: a digest of the initial measurement is the class id",
    "make class-id and cca.rim agree",
);
pub(super) const VERSION: Check = check(
    "CCA-220",
    "software component: the version has no scheme",
    "remove the version scheme: versions are compared as texts",
);
pub(super) const MEMBERS: Check = check(
    "CCA-221",
    "nothing in measurements and keys that the profile does not have",
    "remove what would narrow the reference value in a way that is not applied here",
);
pub(super) const COMPONENTS: Check = check(
    "CCA-222",
    "platform: one software component or more",
    "add the components to the CoMID that has the configuration",
);
pub(super) const NAMES: Check = check(
    "CCA-223",
    "identifiers give each endorsement a name of its own",
    "give each CoMID its own tag id, each instance one key, and keep identifiers short",
);
pub(super) const SOMETHING: Check = check(
    "CCA-224",
    "the CoRIM endorses something",
    "add reference or attest-key triples in a CoMID (tag 506)",
);

/// The rules of Arm's CoRIM profiles (draft-ydb-rats-cca-endorsements).
pub const PROFILE_CHECKS: &[Check] = &[
    PROFILE,
    CLASS,
    IMPLEMENTATION_ID,
    REALM_CLASS,
    ENVIRONMENT,
    INSTANCE,
    KEY,
    REALM_KEY,
    MKEY,
    MKEY_NAME,
    DIGESTS,
    DIGEST_LENGTH,
    SIGNER_ID,
    RAW_VALUE,
    RPV_LENGTH,
    CONFIG,
    ONCE,
    RIM,
    RIM_IS_CLASS,
    VERSION,
    MEMBERS,
    COMPONENTS,
    NAMES,
    SOMETHING,
];
