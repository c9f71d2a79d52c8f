//! A store for tests: in memory, and failing on demand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use assay_store::{AuditHead, AuditRow, StoreError};
use assay_token::{Jwk, SigningAlgorithm, SigningKey};

use crate::backend::Backend;
use crate::{AuditError, AuditKeys, Expectations, Report, SignedHead, Verifier};

/// What the next appends do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Work,
    Fail,
    /// Writes, and says that it failed.
    WriteAndFail,
    /// Never answers.
    Hang,
}

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) rows: BTreeMap<([u8; 16], u64), AuditRow>,
    pub(crate) heads: BTreeMap<[u8; 16], AuditHead>,
    pub(crate) flushes: usize,
}

pub(crate) struct InMemory {
    pub(crate) tables: Mutex<Tables>,
    behaviour: Mutex<Behaviour>,
    key: SigningKey,
}

impl InMemory {
    pub(crate) fn new() -> Self {
        InMemory {
            tables: Mutex::default(),
            behaviour: Mutex::new(Behaviour::Work),
            key: SigningKey::generate(SigningAlgorithm::Es256).unwrap(),
        }
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    pub(crate) fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn public_key(&self) -> Jwk {
        self.key.public_jwk().clone()
    }

    pub(crate) fn rows(&self) -> Vec<AuditRow> {
        self.tables().rows.values().cloned().collect()
    }

    pub(crate) fn signed_heads(&self) -> Vec<SignedHead> {
        self.tables().heads.values().cloned().map(SignedHead::from).collect()
    }

    pub(crate) fn verify(&self) -> Report {
        verify(&self.public_key(), &self.rows(), self.signed_heads())
    }
}

pub(crate) fn verify(key: &Jwk, rows: &[AuditRow], heads: Vec<SignedHead>) -> Report {
    let keys = AuditKeys::new(std::slice::from_ref(key)).unwrap();
    let mut expected = Expectations::new();
    rows.iter().for_each(|row| expected.read(row));
    let mut verifier = Verifier::new(&keys, heads, expected);
    rows.iter().for_each(|row| verifier.record(row));
    verifier.finish()
}

impl Backend for InMemory {
    async fn append(&self, rows: &[AuditRow], head: &AuditHead) -> Result<(), StoreError> {
        let behaviour = *self.behaviour.lock().unwrap();
        match behaviour {
            Behaviour::Fail => return Err(StoreError::Locked),
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Work | Behaviour::WriteAndFail => {}
        }
        let mut tables = self.tables();
        if rows.iter().any(|row| tables.rows.contains_key(&(row.chain, row.seq))) {
            return Err(StoreError::AlreadyExists { record: "an audit record".to_owned() });
        }
        for row in rows {
            tables.rows.insert((row.chain, row.seq), row.clone());
        }
        tables.heads.insert(head.chain, head.clone());
        tables.flushes += 1;
        if behaviour == Behaviour::WriteAndFail { Err(StoreError::Locked) } else { Ok(()) }
    }

    async fn head(&self, chain: &[u8; 16]) -> Result<Option<AuditHead>, StoreError> {
        Ok(self.tables().heads.get(chain).cloned())
    }

    async fn heads(&self) -> Result<Vec<AuditHead>, StoreError> {
        Ok(self.tables().heads.values().cloned().collect())
    }

    async fn first_records(&self) -> Result<Vec<AuditRow>, StoreError> {
        Ok(self.rows().into_iter().filter(|row| row.seq == 0).collect())
    }

    async fn signing_key(&self) -> Result<SigningKey, AuditError> {
        Ok(SigningKey::from_pkcs8(SigningAlgorithm::Es256, &self.key.to_pkcs8()?)?)
    }
}
