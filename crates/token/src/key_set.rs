//! The signing key in use and those before it. Pure data: who keeps it where is not its business.

use serde::{Deserialize, Serialize};

use assay_types::UnixTime;

use crate::{Issuer, Jwk, JwkSet};

/// The public half of a signing key that is no longer used, kept until its last token has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredKey {
    /// The key.
    pub jwk: Jwk,
    /// When the last token it signed ends.
    pub until: UnixTime,
}

/// The signing key in use, and the retired ones whose tokens are still valid.
#[derive(Debug)]
pub struct KeySet {
    current: Issuer,
    retired: Vec<RetiredKey>,
}

impl KeySet {
    /// A set of these keys. A retired key that is also the current one is left out.
    pub fn new(current: Issuer, retired: Vec<RetiredKey>) -> Self {
        let own = current.key().public_jwk().material.clone();
        let retired = retired.into_iter().filter(|old| old.jwk.material != own).collect();
        KeySet { current, retired }
    }

    /// The issuer that signs.
    pub fn current(&self) -> &Issuer {
        &self.current
    }

    /// The keys before, oldest first.
    pub fn retired(&self) -> &[RetiredKey] {
        &self.retired
    }

    /// Signs with `next` from now on. The key so far stays in the JWKS until `last_token_ends`: now
    /// plus the longest time a token lives, plus the leeway that verifiers allow.
    #[must_use]
    pub fn rotate(self, next: Issuer, last_token_ends: UnixTime) -> Self {
        let mut retired = self.retired;
        retired.push(RetiredKey { jwk: self.current.key().public_jwk().clone(), until: last_token_ends });
        KeySet::new(next, retired)
    }

    /// Without the retired keys whose last token has ended by `now`.
    #[must_use]
    pub fn prune(mut self, now: UnixTime) -> Self {
        self.retired.retain(|old| now < old.until);
        self
    }

    /// The public keys under which a token may be verified at `now`, the current one first: what
    /// `/.well-known/jwks.json` says.
    pub fn jwks(&self, now: UnixTime) -> JwkSet {
        let current = std::iter::once(self.current.key().public_jwk());
        let retired = self.retired.iter().filter(|old| now < old.until).map(|old| &old.jwk);
        JwkSet { keys: current.chain(retired).cloned().collect() }
    }
}
