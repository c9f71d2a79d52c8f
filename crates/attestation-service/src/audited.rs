//! What the audit log keeps of a verdict: names and digests.

use assay_audit::{Event, Kind, Outcome};

use crate::Issued;

/// The event of a verdict: whose evidence it was, which policies and reference values judged, which token
/// came out. Who asked is for the caller to add. The event has neither the token nor any claim.
pub fn verdict_event(issued: &Issued) -> Event {
    let Issued { claims, verdict, .. } = issued;
    let mut event = Event::new(Kind::Verdict, Outcome::Ok).token(verdict.jti.as_str()).status(verdict.status);
    let mut asked = Vec::new();
    for attester in verdict.attesters.values() {
        let status = attester.status.to_string();
        event = event.evidence(attester.tee, attester.evidence.clone(), Some(&status));
        for policy in &attester.policies {
            event = event.policy(&policy.id, policy.version, Some(policy.digest.clone()));
        }
        asked.extend(attester.reference_values.iter().map(|value| value.id.clone()));
    }
    // One set for all attesters.
    let set = claims.submods.values().find_map(|submod| submod.appraised.reference_values.clone());
    match set {
        Some(set) => event.values(Some(set), asked),
        None => event,
    }
}
