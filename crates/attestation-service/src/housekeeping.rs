//! What is done again and again beside the requests.

use assay_access::AdminKeys;
use assay_store::Store;
use assay_types::{Coded as _, UnixTime};

use crate::challenge::ChallengeSealer;
use crate::keys::TokenKeys;

/// What is cared for.
pub struct Kept<'a> {
    /// The store, whose ended sessions are removed.
    pub store: &'a Store,
    /// The keys that sign tokens, where tokens are signed here.
    pub keys: Option<&'a TokenKeys>,
    /// The keys that seal challenges.
    pub sealer: &'a ChallengeSealer,
    /// The keys that sign admin tokens.
    pub admin_keys: &'a AdminKeys,
}

/// One round: removes ended sessions, makes new keys where they are due, learns of those that replicas made.
/// What fails is logged. Returns how many sessions were removed.
pub async fn keep_house(kept: &Kept<'_>, now: UnixTime) -> u64 {
    let swept = kept.store.sweep(now).await.unwrap_or_else(|error| {
        tracing::error!(%error, code = error.code(), "sweeping sessions failed");
        0
    });
    if let Some(keys) = kept.keys {
        match keys.rotate_if_due().await {
            Ok(true) => tracing::info!("the token-signing key was rotated"),
            Ok(false) => {
                if let Err(error) = keys.reload().await {
                    tracing::error!(%error, "reading the token-signing keys failed");
                }
            }
            Err(error) => tracing::error!(%error, "rotating the token-signing key failed"),
        }
    }
    match kept.sealer.rotate_if_due(now).await {
        Ok(true) => tracing::info!("the session-sealing key was rotated"),
        Ok(false) => {
            if let Err(error) = kept.sealer.reload().await {
                tracing::error!(%error, "reading the session-sealing keys failed");
            }
        }
        Err(error) => tracing::error!(%error, "rotating the session-sealing key failed"),
    }
    if let Err(error) = kept.admin_keys.reload().await {
        tracing::error!(%error, code = error.code(), "reading the admin keys failed");
    }
    swept
}
