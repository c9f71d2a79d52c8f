//! The keys that sign heads: kept in the store, never removed while heads of theirs may be verified.

use std::collections::BTreeMap;

use assay_store::{KeyRecord, Store};
use assay_token::{Jwk, JwkSet, SigningAlgorithm, SigningKey, TokenError, VerifyingKey};
use assay_types::UnixTime;

use crate::AuditError;

/// The purpose of these keys in the store.
pub const KEY_PURPOSE: &str = "audit-signing";

/// The public keys of a log.
#[derive(Debug, Default)]
pub struct AuditKeys(BTreeMap<String, VerifyingKey>);

impl AuditKeys {
    /// These keys.
    ///
    /// # Errors
    /// [`TokenError::InvalidKey`].
    pub fn new(keys: &[Jwk]) -> Result<Self, TokenError> {
        let named = |jwk: &Jwk| VerifyingKey::new(jwk).map(|key| (key.name().to_owned(), key));
        keys.iter().map(named).collect::<Result<_, _>>().map(AuditKeys)
    }

    /// The key of that name.
    pub(crate) fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }
}

/// The key that signs: the newest, made when there is none.
pub(crate) async fn newest(store: &Store, now: UnixTime) -> Result<SigningKey, AuditError> {
    let record = store.first_key(KEY_PURPOSE, || new_key(now)).await?;
    signing_key(&record)
}

/// The public halves of all keys that ever signed heads.
///
/// # Errors
/// [`AuditError::Store`], [`AuditError::Key`].
pub async fn public_keys(store: &Store) -> Result<JwkSet, AuditError> {
    let records = store.keys(KEY_PURPOSE).await?;
    let keys = records.iter().map(|record| Ok(signing_key(record)?.public_jwk().clone()));
    Ok(JwkSet { keys: keys.collect::<Result<_, AuditError>>()? })
}

/// A new key, in the form of the store. It has no end: old heads are verified with it for as long as
/// there are records.
fn new_key(now: UnixTime) -> Result<KeyRecord, AuditError> {
    let key = SigningKey::generate(SigningAlgorithm::Es256)?;
    Ok(KeyRecord {
        purpose: KEY_PURPOSE.to_owned(),
        kid: key.kid().to_owned(),
        algorithm: SigningAlgorithm::Es256.as_str().to_owned(),
        secret: key.to_pkcs8()?,
        certificate: None,
        created: now,
        sign_until: UnixTime::MAX,
        expires: UnixTime::MAX,
    })
}

fn signing_key(record: &KeyRecord) -> Result<SigningKey, AuditError> {
    let algorithm = SigningAlgorithm::from_name(&record.algorithm)
        .ok_or_else(|| AuditError::Key { kid: record.kid.clone(), algorithm: record.algorithm.clone() })?;
    Ok(SigningKey::from_pkcs8(algorithm, &record.secret)?)
}

/// Puts a new key into the store; whoever writes uses it from the next [`AuditLog::reload_keys`] on.
///
/// [`AuditLog::reload_keys`]: crate::AuditLog::reload_keys
///
/// # Errors
/// [`AuditError::Store`].
pub async fn rotate(store: &Store, now: UnixTime) -> Result<String, AuditError> {
    // Later than the one before, even when both are made within one second: the newest signs.
    let newest = store.keys(KEY_PURPOSE).await?.first().map(|record| record.created.plus(1));
    let key = new_key(newest.map_or(now, |least| now.max(least)))?;
    let kid = key.kid.clone();
    store.put_key(key).await?;
    Ok(kid)
}
