//! The catalogue of checks on an attestation result that a Veraison service gave.

use assay_types::Check;

/// What VER-002 to VER-009 have in common.
const SERVICE: &str =
    "see the error VER-2xx that came instead of findings: it is the service's, not the evidence's";

/// The evidence is a token in one of its two forms.
pub(crate) const TOKEN: Check = Check {
    code: "VER-001",
    name: "form of the token",
    remedy: "send {\"token\":[…]} or the token itself: CBOR tagged 399 or 907",
    source: "draft-ffm-rats-cca-token; guest-components, CCA attester",
};

/// The service made a session for our nonce.
pub(crate) const SESSION: Check = Check {
    code: "VER-002",
    name: "challenge-response session",
    remedy: SERVICE,
    source: "Veraison, challenge-response API",
};

/// The service takes evidence of that media type.
pub(crate) const MEDIA_TYPE: Check = Check {
    code: "VER-003",
    name: "media type accepted by the service",
    remedy: SERVICE,
    source: "Veraison, challenge-response API; RFC 9110, 8.3.1",
};

/// The result is signed by the service's key.
pub(crate) const SIGNATURE: Check = Check {
    code: "VER-004",
    name: "signature of the attestation result",
    remedy: SERVICE,
    source: "RFC 7515, 5.2; Veraison, discovery API",
};

/// The result has a profile that is understood.
pub(crate) const PROFILE: Check = Check {
    code: "VER-005",
    name: "profile of the attestation result",
    remedy: SERVICE,
    source: "draft-ietf-rats-ear; RFC 9711, 4.3.2",
};

/// The result was made for our nonce.
pub(crate) const NONCE: Check = Check {
    code: "VER-006",
    name: "nonce of the attestation result",
    remedy: SERVICE,
    source: "draft-ietf-rats-ear; RFC 9711, 4.1",
};

/// The result was made during this session.
pub(crate) const TIME: Check = Check {
    code: "VER-007",
    name: "time of the attestation result",
    remedy: SERVICE,
    source: "RFC 7519, 4.1.4 to 4.1.6",
};

/// The result has the submodules of a CCA token.
pub(crate) const SUBMODULES: Check = Check {
    code: "VER-008",
    name: "submodules of the attestation result",
    remedy: SERVICE,
    source: "draft-ietf-rats-ear; Veraison, scheme ARM_CCA",
};

/// No submodule's status is better than its trust vector.
pub(crate) const STATUS: Check = Check {
    code: "VER-009",
    name: "status fits the trust vector",
    remedy: SERVICE,
    source: "draft-ietf-rats-ear; AR4SI, section 2.3",
};

/// The service found the evidence authentic, and appraised both layers.
pub(crate) const ACCEPTED: Check = Check {
    code: "VER-010",
    name: "evidence accepted by the verifier",
    remedy: "see what the verifier says; mostly its trust anchor for this platform is missing, or the token was made for another nonce",
    source: "Veraison, scheme ARM_CCA; AR4SI, section 2.3.2",
};

/// The realm's challenge is the expected one, by our own comparison.
pub(crate) const CHALLENGE: Check = Check {
    code: "VER-011",
    name: "realm challenge",
    remedy: "make a new token for the current nonce and key, zero-padded on the right to 64 bytes",
    source: "draft-ffm-rats-cca-token, realm challenge; RCAR protocol, attestation",
};

/// The realm's personalisation value is the digest of the init data.
pub(crate) const INIT_DATA: Check = Check {
    code: "VER-012",
    name: "init data",
    remedy: "start the realm with the digest of these init data as its personalisation value, zero-padded on the right to 64 bytes",
    source: "Realm Management Monitor specification, realm personalization value",
};

/// Every check, in the order of its code. VER-002 to VER-009 are checks on the service: where one does
/// not hold, [`VeraisonError`](crate::VeraisonError) comes instead, since nothing is known of the
/// evidence then; in findings they stand as passed.
pub const CHECKS: &[Check] = &[
    TOKEN, SESSION, MEDIA_TYPE, SIGNATURE, PROFILE, NONCE, TIME, SUBMODULES, STATUS, ACCEPTED, CHALLENGE,
    INIT_DATA,
];
