//! The attestation service: verify, appraise, issue.
//!
//! ```text
//! Evaluation --authenticate--> Authenticated --appraise--> Appraisal --issue--> Issued
//! ```
//! Each step consumes one type and gives the next, and the next has no other constructor. The
//! service holds no lock across I/O: policies, reference values and keys are unchanging snapshots.
//!
//! [`AttestationService`] is the pipeline; [`Faces`] its own door, gRPC and REST; [`Passports`] what guests get
//! there; [`proto`] the messages of gRPC, for clients too.

mod appraise;
mod audited;
mod authenticate;
mod cache;
mod challenge;
mod defaults;
mod endorsed;
mod error;
mod faces;
mod housekeeping;
mod issue;
mod keys;
mod messages;
mod passport;
mod policy_set;
mod rate_limit;
mod record;
mod registry;
mod service;
mod structured;
mod verdict;

pub mod proto;

pub use appraise::{Appraisal, CHECKS as APPRAISAL_CHECKS};
pub use audited::verdict_event;
pub use cache::StoreCache;
pub use challenge::{
    Challenge, ChallengeError, ChallengeSealer, Gate, Purpose, SESSION_SEALING_PURPOSE,
    rotate_session_sealing_key, sha256,
};
pub use defaults::{ATTESTATION_POLICIES, RESOURCE_POLICIES, RESOURCE_POLICY_ID};
pub use error::EvaluationError;
pub use faces::{Discovery, FaceError, FaceParts, FaceSettings, Faces, http_status, requested_base};
pub use housekeeping::{Kept, keep_house};
pub use issue::{Issued, TokenSettings};
pub use keys::{KeyError, KeySettings, PUBLISH_AHEAD, TOKEN_SIGNING_PURPOSE, TokenKeys};
pub use messages::{
    AttestationRequest, ChallengeRequest, FormError, InitDataInput, PolicyMessage, RuntimeDataInput,
    VerificationRequest, policy_text,
};
pub use passport::{Opened, PassportError, PassportSettings, Passports};
pub use policy_set::{PolicyInForce, PolicyListing, PolicySet, PolicySetError, is_policy_id};
pub use rate_limit::{AddressLimiter, Rate, client_address};
pub use record::record;
pub use registry::{BadAnchors, Registry, TrustSettings, catalogue};
pub use service::{
    AttestationService, DEFAULT_POLICY_ID, DirectEvaluation, Evaluation, MAX_ADDITIONAL, MAX_POLICY_IDS,
    additional_evidence,
};
pub use structured::{BoundInitData, BoundRuntimeData, EvidenceRequest};
pub use verdict::{AppliedPolicy, AttesterVerdict, Verdict};
