//! The attestation service: verify, appraise, issue.
