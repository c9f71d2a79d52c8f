//! The record of an attestation: the challenge is used up, and the explanation is kept.

use assay_store::{AttestedSession, Store, StoreError};

use crate::challenge::Challenge;
use crate::verdict::Verdict;

/// Takes the challenge for this token, which only the one who did may have. The verdict is kept for
/// `verdict_seconds` after token and challenge have ended.
///
/// # Errors
/// [`StoreError::AlreadyUsed`] when the challenge gave its token before; others when the store fails.
pub async fn record(
    store: &Store,
    challenge: &Challenge,
    token: String,
    verdict: &Verdict,
    verdict_seconds: i64,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(verdict)
        .map_err(|error| StoreError::Corrupt { detail: format!("the verdict has no JSON form: {error}") })?;
    // Beyond the session's end: the challenge must stay used as long as it opens, and the verdict is asked
    // for after a refusal.
    let last = challenge.ends().max(verdict.expires);
    let session = AttestedSession {
        challenge_hash: challenge.challenge_hash(),
        session_hash: challenge.session_hash(),
        jti: verdict.jti.clone(),
        expires: last.plus(verdict_seconds),
        token,
        verdict: text,
    };
    store.record_attestation(session).await?;
    let (tee, status) = (challenge.tee(), verdict.status);
    tracing::info!(%tee, jti = verdict.jti, %status, emulated = verdict.emulated, "attested");
    Ok(())
}
