//! Table `attestations`: answered challenges and the sessions they became.

use std::fmt;

use assay_types::UnixTime;

use crate::rows::{column, time};
use crate::statement::{Row, statement};
use crate::{Store, StoreError};

/// How many rows a sweep removes at a time, so that attestations need not wait for it.
const SWEEP_BATCH: i64 = 200;

/// The sweeps of PostgreSQL.
const SWEEPS: [&str; 2] = [
    "DELETE FROM attestations WHERE challenge_hash IN (SELECT challenge_hash FROM attestations \
     WHERE expires < $1 LIMIT $2)",
    "DELETE FROM challenge_response_sessions WHERE id_hash IN (SELECT id_hash FROM \
     challenge_response_sessions WHERE expires < $1 LIMIT $2)",
];

/// An answered challenge, and the session it became.
///
/// Each unique member is the key of an index. When keys that are made one after the other also sort
/// one after the other (they begin with the time of issue, big endian), a record costs about half of
/// what it costs with keys at random places, because many records share the pages they change.
#[derive(Clone, PartialEq, Eq)]
pub struct AttestedSession {
    /// What the challenge is known by: the SHA-256 of its nonce or sealed cookie, or the time it was
    /// issued with the first 28 bytes of that. Unique: a challenge yields one token.
    pub challenge_hash: [u8; 32],
    /// What the session is known by: the SHA-256 of its identifier, or time and hash as above. Unique.
    pub session_hash: [u8; 32],
    /// The token's identifier (`jti`). Unique.
    pub jti: String,
    /// When the row may be removed: not before both the session and the challenge have ended, or the
    /// challenge could be used again. Whoever reads a session checks its end himself.
    pub expires: UnixTime,
    /// The token, a JWT.
    pub token: String,
    /// The verdict with its findings, JSON.
    pub verdict: String,
}

impl fmt::Debug for AttestedSession {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttestedSession")
            .field("jti", &self.jti)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Records that a challenge was answered, and the session it became. Returns once it is written;
    /// records that arrive together are written together. It survives the death of the process.
    ///
    /// # Errors
    /// `AlreadyUsed` when the challenge was answered before (also at the same moment elsewhere), or
    /// the session hash or `jti` is taken; then nothing is written.
    pub async fn record_attestation(&self, session: AttestedSession) -> Result<(), StoreError> {
        self.session_writer().record(session).await
    }

    /// The session of that hash, whether it has ended or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, session_hash: &[u8; 32]) -> Result<Option<AttestedSession>, StoreError> {
        let query = statement(
            "SELECT challenge_hash, session_hash, jti, expires, token, verdict FROM attestations \
             WHERE session_hash = $1",
        )
        .bind(session_hash.to_vec());
        self.database().fetch_optional(query).await?.map(|row| read(&row)).transpose()
    }

    /// The verdict (JSON) behind the token of that identifier.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn verdict(&self, jti: &str) -> Result<Option<String>, StoreError> {
        let query = statement("SELECT verdict FROM attestations WHERE jti = $1").bind(jti);
        self.database().fetch_optional(query).await?.map(|row| column(&row, 0)).transpose()
    }

    /// Removes sessions and used challenges that expired before `now`, and so challenge-response
    /// sessions, a few at a time. Returns how many. With PostgreSQL nothing is done while another
    /// process does the same.
    ///
    /// # Errors
    /// When the database cannot be written; what was removed until then stays removed.
    pub async fn sweep(&self, now: UnixTime) -> Result<u64, StoreError> {
        let mut removed = 0;
        if let Some(database) = self.database().as_postgres() {
            while let Some(count) = database.sweep(&SWEEPS, now, SWEEP_BATCH).await?
                && count > 0
            {
                removed += count;
            }
            return Ok(removed);
        }
        loop {
            let query = statement(
                "DELETE FROM attestations WHERE challenge_hash IN \
                 (SELECT challenge_hash FROM attestations WHERE expires < $1 LIMIT $2)",
            )
            .bind(now.0)
            .bind(SWEEP_BATCH);
            let mut writer = self.database().session_writer().await?;
            let count = writer.execute(query).await?;
            writer.finish().await?;
            let count = count + self.sweep_challenge_responses(now).await?;
            if count == 0 {
                return Ok(removed);
            }
            removed += count;
        }
    }
}

fn read(row: &Row) -> Result<AttestedSession, StoreError> {
    Ok(AttestedSession {
        challenge_hash: hash(row, 0)?,
        session_hash: hash(row, 1)?,
        jti: column(row, 2)?,
        expires: time(row, 3)?,
        token: column(row, 4)?,
        verdict: column(row, 5)?,
    })
}

fn hash(row: &Row, index: usize) -> Result<[u8; 32], StoreError> {
    let bytes: &[u8] = column(row, index)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt { detail: format!("a hash has {} bytes", bytes.len()) })
}
