//! Looking for records.

use assay_store::{AuditPlace, Store};
use assay_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::{AuditError, Kind, Outcome, Record};

/// How many records are read at a time.
const PAGE: u32 = 500;

/// Which records; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on.
    pub since: Option<UnixTime>,
    /// Before this time.
    pub until: Option<UnixTime>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// With this text in who, the address, the token's id or the request's id.
    pub who: Option<String>,
    /// With a resource, or target of an administrator, whose name begins so.
    pub resource: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The records, the newest first.
    pub records: Vec<Record>,
    /// How many could not be read: altered, or of a newer program.
    pub unreadable: u64,
}

impl Filter {
    /// Whether the record is one of these, its time not looked at.
    fn takes(&self, record: &Record) -> bool {
        let event = &record.event;
        let who = |text: &String| {
            [&event.who, &event.address, &event.token, &event.request]
                .into_iter()
                .flatten()
                .any(|field| field.contains(text.as_str()))
        };
        let resource = |text: &String| {
            [&event.resource, &event.target]
                .into_iter()
                .flatten()
                .any(|field| field.starts_with(text.as_str()))
        };
        self.kind.is_none_or(|kind| kind == event.kind)
            && self.who.as_ref().is_none_or(who)
            && self.resource.as_ref().is_none_or(resource)
            && self.outcome.is_none_or(|outcome| outcome == event.outcome)
    }
}

/// The newest `limit` records of the filter. Nothing is verified.
///
/// # Errors
/// When the store cannot be read.
pub async fn find(store: &Store, filter: &Filter, limit: usize) -> Result<Found, AuditError> {
    let mut found = Found::default();
    let mut before: Option<AuditPlace> = None;
    while found.records.len() < limit {
        let page = store.audit_latest(filter.since, filter.until, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(AuditPlace { time: last.time, chain: last.chain, seq: last.seq });
        for row in page {
            match serde_json::from_str::<Record>(&row.record) {
                Ok(record) if filter.takes(&record) && found.records.len() < limit => {
                    found.records.push(record)
                }
                Ok(_) => {}
                Err(_) => found.unreadable = found.unreadable.saturating_add(1),
            }
        }
    }
    Ok(found)
}
