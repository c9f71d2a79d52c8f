//! The attestation service: verify, appraise, issue.
//!
//! ```text
//! Evaluation --authenticate--> Authenticated --appraise--> Appraisal --issue--> Issued
//! ```
//! Each step consumes one type and gives the next, and the next has no other constructor. The
//! service holds no lock across I/O: policies, reference values and keys are unchanging snapshots.

mod appraise;
mod audited;
mod authenticate;
mod cache;
mod defaults;
mod endorsed;
mod error;
mod issue;
mod keys;
mod policy_set;
mod registry;
mod service;
mod structured;
mod verdict;

pub use appraise::{Appraisal, CHECKS as APPRAISAL_CHECKS};
pub use audited::verdict_event;
pub use cache::StoreCache;
pub use defaults::{ATTESTATION_POLICIES, RESOURCE_POLICIES, RESOURCE_POLICY_ID};
pub use error::EvaluationError;
pub use issue::{Issued, TokenSettings};
pub use keys::{KeyError, KeySettings, PUBLISH_AHEAD, TOKEN_SIGNING_PURPOSE, TokenKeys};
pub use policy_set::{PolicyInForce, PolicyListing, PolicySet, PolicySetError};
pub use registry::{BadAnchors, Registry, TrustSettings, catalogue};
pub use service::{
    AttestationService, DEFAULT_POLICY_ID, DirectEvaluation, Evaluation, MAX_ADDITIONAL, MAX_POLICY_IDS,
};
pub use structured::{BoundInitData, StructuredEvaluation};
pub use verdict::{AppliedPolicy, AttesterVerdict, Verdict};
