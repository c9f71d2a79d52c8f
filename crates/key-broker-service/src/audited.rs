//! What becomes of attestations, in the audit log. It is recorded before anything is answered: what cannot
//! be recorded does not happen.

use assay_attestation_service::{Issued, verdict_event};
use assay_audit::Kind;
use assay_types::{Digest, Tee};

use crate::origin::Origin;
use crate::{KeyBroker, RequestError};

/// Records a verdict.
pub(crate) async fn verdict(
    broker: &KeyBroker,
    origin: &Origin,
    issued: &Issued,
) -> Result<(), RequestError> {
    Ok(broker.audit().append(origin.add_to(verdict_event(issued))).await?)
}

/// Records that an attestation was refused, and gives back why; or why that could not be recorded.
pub(crate) async fn refusal(
    broker: &KeyBroker,
    origin: &Origin,
    tee: Tee,
    evidence: Option<Digest>,
    error: RequestError,
) -> RequestError {
    let result: Result<(), RequestError> = Err(error);
    let mut event = origin.event(Kind::Refusal, &result);
    event = match evidence {
        Some(digest) => event.evidence(tee, digest, None),
        None => event.target(tee.as_str()),
    };
    match (broker.audit().append(event).await, result) {
        (Ok(()), Err(error)) => error,
        (Err(error), _) => error.into(),
        (Ok(()), Ok(())) => RequestError::internal("a refusal without a reason"),
    }
}
