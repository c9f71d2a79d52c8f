//! Table `challenge_response_sessions`: sessions of Veraison's challenge-response API. One begins with
//! a nonce, takes one piece of evidence, and ends with its result or with its time.

use std::fmt;

use assay_types::UnixTime;

use crate::rows::{column, stored, time};
use crate::statement::{Row, statement};
use crate::{Store, StoreError};

/// How many rows a sweep removes at a time.
const SWEEP_BATCH: i64 = 200;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengeResponseStatus {
    /// It waits for evidence.
    Waiting,
    /// Its evidence is being verified. It takes no other.
    Processing,
    /// It has a result.
    Complete,
    /// Its evidence could not be verified for a reason that is not the evidence's.
    Failed,
}

impl ChallengeResponseStatus {
    /// All four.
    pub const ALL: [ChallengeResponseStatus; 4] = [
        ChallengeResponseStatus::Waiting,
        ChallengeResponseStatus::Processing,
        ChallengeResponseStatus::Complete,
        ChallengeResponseStatus::Failed,
    ];

    /// The name, as Veraison has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChallengeResponseStatus::Waiting => "waiting",
            ChallengeResponseStatus::Processing => "processing",
            ChallengeResponseStatus::Complete => "complete",
            ChallengeResponseStatus::Failed => "failed",
        }
    }
}

/// A session as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeResponseSession {
    /// The nonce that the evidence must have.
    pub nonce: Vec<u8>,
    /// When the session ends. Whoever reads a session checks this himself.
    pub expires: UnixTime,
    /// How far it is.
    pub status: ChallengeResponseStatus,
    /// The evidence that it took.
    pub evidence: Option<SubmittedEvidence>,
    /// The result, a JWT.
    pub result: Option<String>,
}

/// Evidence as it was submitted to a session.
#[derive(Clone, PartialEq, Eq)]
pub struct SubmittedEvidence {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for ChallengeResponseSession {
    /// Without the result.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeResponseSession")
            .field("expires", &self.expires)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SubmittedEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmittedEvidence({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

impl Store {
    /// Begins a session that waits for evidence until `expires`. `id_hash` is the SHA-256 of the
    /// session's identifier. Sessions that have ended at the time `now` do not count towards `limit`.
    ///
    /// # Errors
    /// `TooManySessions` when `limit` sessions are there, `AlreadyExists` when one has this identifier.
    pub async fn create_challenge_response(
        &self,
        id_hash: &[u8; 32],
        nonce: &[u8],
        expires: UnixTime,
        now: UnixTime,
        limit: u64,
    ) -> Result<(), StoreError> {
        let query = statement(
            "INSERT INTO challenge_response_sessions (id_hash, nonce, expires, status) \
             SELECT $1, $2, $3, $4 \
             WHERE (SELECT COUNT(*) FROM challenge_response_sessions WHERE expires > $5) < $6",
        )
        .bind(id_hash.to_vec())
        .bind(nonce.to_vec())
        .bind(expires.0)
        .bind(ChallengeResponseStatus::Waiting.as_str())
        .bind(now.0)
        .bind(stored(limit)?);
        let mut writer = self.database().session_writer().await?;
        let written = writer.execute(query).await?;
        writer.finish().await?;
        if written == 1 { Ok(()) } else { Err(StoreError::TooManySessions { limit }) }
    }

    /// The session of that identifier's hash, whether it has ended or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn challenge_response(
        &self,
        id_hash: &[u8; 32],
    ) -> Result<Option<ChallengeResponseSession>, StoreError> {
        let query = statement(
            "SELECT nonce, expires, status, evidence_type, evidence, result \
             FROM challenge_response_sessions WHERE id_hash = $1",
        )
        .bind(id_hash.to_vec());
        self.database().fetch_optional(query).await?.map(|row| read(&row)).transpose()
    }

    /// Takes the session for one piece of evidence: from waiting to processing. Of all who try, at
    /// whatever moment and in whatever process, one gets `true`. `false` too when the session ended
    /// before `now`, or is not there.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn claim_challenge_response(
        &self,
        id_hash: &[u8; 32],
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let query = statement(
            "UPDATE challenge_response_sessions SET status = $1 \
             WHERE id_hash = $2 AND status = $3 AND expires > $4",
        )
        .bind(ChallengeResponseStatus::Processing.as_str())
        .bind(id_hash.to_vec())
        .bind(ChallengeResponseStatus::Waiting.as_str())
        .bind(now.0);
        let mut writer = self.database().session_writer().await?;
        let changed = writer.execute(query).await?;
        writer.finish().await?;
        Ok(changed == 1)
    }

    /// Ends the processing of a session that was claimed: complete with a result, failed without.
    /// `false` when there is no session in processing: it was deleted, or swept after its end.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn complete_challenge_response(
        &self,
        id_hash: &[u8; 32],
        evidence: &SubmittedEvidence,
        result: Option<&str>,
    ) -> Result<bool, StoreError> {
        let status = match result {
            Some(_) => ChallengeResponseStatus::Complete,
            None => ChallengeResponseStatus::Failed,
        };
        let query = statement(
            "UPDATE challenge_response_sessions \
             SET status = $1, evidence_type = $2, evidence = $3, result = $4 \
             WHERE id_hash = $5 AND status = $6",
        )
        .bind(status.as_str())
        .bind(evidence.media_type.as_str())
        .bind(evidence.bytes.as_slice())
        .bind(result)
        .bind(id_hash.to_vec())
        .bind(ChallengeResponseStatus::Processing.as_str());
        let mut writer = self.database().session_writer().await?;
        let changed = writer.execute(query).await?;
        writer.finish().await?;
        Ok(changed == 1)
    }

    /// Deletes a session that has not ended before `now`. Returns whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_challenge_response(
        &self,
        id_hash: &[u8; 32],
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let query = statement("DELETE FROM challenge_response_sessions WHERE id_hash = $1 AND expires > $2")
            .bind(id_hash.to_vec())
            .bind(now.0);
        let mut writer = self.database().session_writer().await?;
        let deleted = writer.execute(query).await?;
        writer.finish().await?;
        Ok(deleted == 1)
    }

    /// Removes a few sessions that expired before `now`. Returns how many.
    pub(crate) async fn sweep_challenge_responses(&self, now: UnixTime) -> Result<u64, StoreError> {
        let query = statement(
            "DELETE FROM challenge_response_sessions WHERE id_hash IN \
             (SELECT id_hash FROM challenge_response_sessions WHERE expires < $1 LIMIT $2)",
        )
        .bind(now.0)
        .bind(SWEEP_BATCH);
        let mut writer = self.database().session_writer().await?;
        let count = writer.execute(query).await?;
        writer.finish().await?;
        Ok(count)
    }
}

fn read(row: &Row) -> Result<ChallengeResponseSession, StoreError> {
    let name: &str = column(row, 2)?;
    let status = ChallengeResponseStatus::ALL.into_iter().find(|status| status.as_str() == name);
    let status = status.ok_or_else(|| StoreError::Corrupt {
        detail: "a challenge-response session has an unknown status".to_owned(),
    })?;
    let (media_type, bytes): (Option<String>, Option<Vec<u8>>) = (column(row, 3)?, column(row, 4)?);
    Ok(ChallengeResponseSession {
        nonce: column(row, 0)?,
        expires: time(row, 1)?,
        status,
        evidence: media_type.zip(bytes).map(|(media_type, bytes)| SubmittedEvidence { media_type, bytes }),
        result: column(row, 5)?,
    })
}
