//! The removal of old records by their owner.
//!
//! From each chain the records before a time are removed, from its beginning on. A record of its own
//! says first up to where, with the hash of the last one that goes: the chain is verified from there on.
//! Each prune repeats what earlier ones said, since their records may be among those that go.

use std::collections::BTreeMap;

use assay_store::Store;
use assay_types::UnixTime;

use crate::snapshot::Snapshot;
use crate::{
    AuditError, AuditLog, ChainId, Event, Expectations, HeadRef, Kind, Outcome, RecordHash, verify_store,
};

/// How many chains one record speaks of.
const CHAINS_A_RECORD: usize = 512;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many records.
    pub records: u64,
    /// From how many chains.
    pub chains: u64,
}

/// Up to where a chain goes.
struct Cut {
    length: u64,
    hash: RecordHash,
    /// How many records are there to go.
    records: u64,
    /// A record that stays was seen.
    done: bool,
}

/// Removes the records from before `before`, and says so in `log`, in the name of `who`.
///
/// # Errors
/// [`AuditError::Broken`] when the log does not verify; others when the store fails. What was said to be
/// removed and is still there then does no harm: the next prune removes it.
pub async fn prune(store: &Store, log: &AuditLog, before: UnixTime, who: &str) -> Result<Pruned, AuditError> {
    let report = verify_store(store, &[]).await?;
    if !report.is_sound() {
        return Err(AuditError::Broken { broken: report.count() });
    }
    let mut snapshot = Snapshot::take(store).await?;
    let mut earlier = Expectations::new();
    let mut cuts: BTreeMap<ChainId, Cut> = BTreeMap::new();
    snapshot
        .records(false, |row| {
            earlier.read(&row);
            let chain = ChainId::new(row.chain);
            let cut = cuts.entry(chain).or_insert(Cut {
                length: 0,
                hash: RecordHash::new(row.hash),
                records: 0,
                done: chain == log.chain(),
            });
            cut.done |= row.time >= before;
            if !cut.done {
                cut.length = row.seq.saturating_add(1);
                cut.hash = RecordHash::new(row.hash);
                cut.records = cut.records.saturating_add(1);
            }
            Ok(())
        })
        .await?;
    cuts.retain(|_, cut| cut.records > 0);
    if cuts.is_empty() {
        return Ok(Pruned::default());
    }
    let mut said: Vec<HeadRef> = cuts
        .iter()
        .map(|(chain, cut)| HeadRef { chain: *chain, length: cut.length, hash: cut.hash })
        .collect();
    let earlier = earlier.chains.into_iter().filter_map(|(chain, known)| {
        let (length, hash) = known.cuts.last_key_value()?;
        Some(HeadRef { chain, length: *length, hash: *hash })
    });
    said.extend(earlier.filter(|cut| !cuts.contains_key(&cut.chain)));
    for pruned in said.chunks(CHAINS_A_RECORD) {
        let event = Event::new(Kind::Prune, Outcome::Ok).action(format!("pruned before {before}")).who(who);
        log.append(Event { pruned: pruned.to_vec(), ..event }).await?;
    }
    let mut pruned = Pruned::default();
    for (chain, cut) in &cuts {
        store.prune_audit(chain.as_bytes(), cut.length, before).await?;
        pruned.records = pruned.records.saturating_add(cut.records);
        pruned.chains = pruned.chains.saturating_add(1);
    }
    Ok(pruned)
}
