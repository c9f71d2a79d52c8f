//! The catalogue: every check of a verification.
//!
//! CCA-001 to CCA-010, CCA-019 and CCA-024 to CCA-026 are made while the token is read: one that fails
//! makes the evidence malformed (an unknown profile: unsupported), and all that fail are reported.

use assay_types::Check;

const DRAFT: &str = "draft-ffm-rats-cca-token-04";
const NOT_A_TOKEN: &str = "send the token as the Realm Management Monitor returned it";
const OF_FIRMWARE: &str =
    "report it to the platform's vendor: its firmware emits what its own profile does not allow";

macro_rules! catalogue {
    ($($name:ident = $code:literal, $what:literal, $remedy:expr, $source:expr;)*) => {
        $(
            #[doc = concat!($code, ": ", $what, ".")]
            pub const $name: Check = Check { code: $code, name: $what, remedy: $remedy, source: $source };
        )*
        /// Every check.
        pub const CHECKS: &[Check] = &[$($name),*];
    };
}

catalogue! {
    EVIDENCE_FORM = "CCA-001", "form of the evidence",
        "send the bare token, or JSON {\"token\": [bytes]}", "guest components, CCA evidence";
    WRAPPER = "CCA-002", "wrapper of the token", NOT_A_TOKEN,
        "draft-ffm-rats-cca-token-04, 4.1; RMM specification 1.0, A7.2.2";
    PLATFORM_TOKEN = "CCA-003", "platform token is a signed message", NOT_A_TOKEN, "RFC 9052, 4.2";
    REALM_TOKEN = "CCA-004", "realm token has the form of its attestation model", NOT_A_TOKEN,
        "draft-ffm-rats-cca-token-04, 3.1, 3.2";
    PLATFORM_PROFILE = "CCA-005", "profile of the platform token",
        "update the verifier if the profile is newer than it", "draft-ffm-rats-cca-token-04, 4.5.1";
    REALM_PROFILE = "CCA-006", "profile of the realm token",
        "update the verifier if the profile is newer than it", "draft-ffm-rats-cca-token-04, 4.8";
    PLATFORM_MANDATORY = "CCA-007", "mandatory claims of the platform token", OF_FIRMWARE, DRAFT;
    PLATFORM_TYPES = "CCA-008", "types and lengths of the platform token's claims", OF_FIRMWARE, DRAFT;
    REALM_MANDATORY = "CCA-009", "mandatory claims of the realm token", OF_FIRMWARE, DRAFT;
    REALM_TYPES = "CCA-010", "types and lengths of the realm token's claims", OF_FIRMWARE, DRAFT;
    TRUST_ANCHOR = "CCA-011", "trust anchor of the platform",
        "register the platform's attestation key (CPAK): a CoRIM with its attest-key triple, from the platform's vendor",
        "RFC 9334, 7.4; draft-ydb-rats-cca-endorsements";
    PLATFORM_TEST_KEY = "CCA-012", "platform attestation key is not a published one",
        "the private key is public: anyone can make this evidence. For tests there is --danger-allow-test-keys",
        "Trusted Firmware-A, sample platform token";
    PLATFORM_ALGORITHM = "CCA-013", "algorithm of the platform token fits the key",
        "register the key that this platform signs with", "RFC 9053, 2.1";
    PLATFORM_SIGNATURE = "CCA-014", "signature of the platform token",
        "register the key of this platform; if it is, the evidence was altered", "RFC 9052, 4.4";
    RAK = "CCA-015", "realm attestation key", OF_FIRMWARE, "draft-ffm-rats-cca-token-04, 4.8; RFC 9053, 7.1.1";
    REALM_TEST_KEY = "CCA-016", "realm attestation key is not a published one",
        "the private key is public: anyone can make this realm token. For tests there is --danger-allow-test-keys",
        "Trusted Firmware-A, sample realm attestation key";
    REALM_ALGORITHM = "CCA-017", "algorithm of the realm token fits the key", OF_FIRMWARE, "RFC 9053, 2.1";
    REALM_SIGNATURE = "CCA-018", "signature of the realm token",
        "ask the guest for new evidence; if it fails again, the evidence was altered", "RFC 9052, 4.4";
    BINDING_CLAIM = "CCA-019", "the claim that binds the realm is the profile's", OF_FIRMWARE,
        "draft-ffm-rats-cca-token-04, 4.3";
    BINDING = "CCA-020", "realm token belongs to this platform token",
        "the realm token was made on another platform, or under another key: refuse this guest",
        "draft-ffm-rats-cca-token-04, 4.3.3, 4.10";
    CHALLENGE = "CCA-021", "challenge",
        "ask the guest for new evidence with the nonce of this session",
        "draft-ffm-rats-cca-token-04, 4.8; RCAR";
    PLATFORM_CHALLENGE = "CCA-022", "challenge in the platform token is the realm's", OF_FIRMWARE,
        "draft-ffm-rats-cca-token-04, 4.3.3.6";
    INIT_DATA = "CCA-023", "init data",
        "start the realm with the digest of this init data as its personalization value",
        "Confidential Containers, init data specification";
    LIFECYCLE = "CCA-024", "lifecycle has a meaning", OF_FIRMWARE, "draft-ffm-rats-cca-token-04, 4.5.2";
    REMS = "CCA-025", "four extensible measurements of one length", OF_FIRMWARE,
        "draft-ffm-rats-cca-token-04, 4.8; RMM specification, A7.1.2";
    ALGORITHMS = "CCA-026", "hash algorithms are known", OF_FIRMWARE,
        "IANA, Named Information Hash Algorithm Registry";
    MEASUREMENT_LENGTHS = "CCA-027", "measurements have the length of their algorithm", OF_FIRMWARE, DRAFT;
    FURTHER_ENTRIES = "CCA-028", "no further entries in the token", "nothing: they are not used",
        "draft-ffm-rats-cca-token-04, 4.1";
    COLLATERAL_USABLE = "CCA-029", "all collateral can be read and is valid",
        "give CoRIMs, JSON stores of trust anchors, or public keys (JWK, PEM)", "";
    ENDORSEMENT_SIGNATURE = "CCA-030", "trust anchor is endorsed by somebody trusted",
        "register endorsements with the server, which checks their signatures", "draft-ietf-rats-corim";
}
