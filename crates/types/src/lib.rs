//! The vocabulary of Assay: TEE names, evidence, claims, findings, trust vectors, the messages of
//! RCAR, error codes. No I/O, no clock, no cryptography but hashing.

mod anchors;
mod binding;
mod binding_checks;
mod collateral;
mod digest;
mod endorsed;
mod evidence;
mod fault;
mod finding;
mod init_data;
mod rcar;
mod reference_value;
mod resource_path;
mod resource_uri;
mod retry_after;
mod runtime_data;
mod tee;
mod time;
mod trust_vector;
mod workload;

pub use anchors::{ANCHORS_FORMAT, AnchorsFile, NotAnchors};
pub use binding::{Binding, ReportData, TooLong};
pub use collateral::{
    CollateralInspector, CollateralItem, CollateralKind, CollateralOrigin, CollateralRequest, CollateralSet,
    CollateralUse, ServedCollateral, Vendor,
};
pub use digest::{Digest, HashAlgorithm, NotADigest, UnknownHashAlgorithm};
pub use endorsed::{EndorsedAppraisal, EndorsedAppraiser, LayerAppraisal, LayerFinding};
pub use evidence::{
    Authenticated, Claims, Facts, ParsedEvidence, RawEvidence, TeeClaimText, Verifier, VerifyError,
};
pub use fault::{Coded, Fault};
pub use finding::{Check, Checks, Finding, INCOMPLETE, INCOMPLETE_CODE, Outcome};
pub use init_data::{InitData, InitDataError};
pub use rcar::{
    Attestation, AttestationAnswer, COMPATIBLE_VERSIONS, Challenge, CompositeEvidence, ErrorInformation,
    InitDataMessage, PROTOCOL_VERSION, Request, Response, RuntimeData, SESSION_COOKIE, SecretBytes,
    TeePubKey,
};
pub use reference_value::{AskedReferenceValue, Lookup, ReferenceValueSnapshot};
pub use resource_path::{NotAResourcePath, ResourcePath};
pub use resource_uri::{NotAResourceUri, NotOfResourcePlugin, ResourceUri};
pub use retry_after::parse_retry_after;
pub use runtime_data::{NotCanonical, additional_runtime_data, canonical_digest, primary_runtime_data};
pub use tee::{Tee, TeeClass, UnknownTee};
pub use time::{Clock, FixedClock, NotRfc3339, UnixTime, Validity};
pub use trust_vector::{TrustClaim, TrustTier, TrustVector};
pub use workload::{WORKLOAD_LABEL, workload_report_data};
