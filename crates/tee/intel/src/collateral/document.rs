//! What TCB info and enclave identities have in common.

use assay_types::{UnixTime, Validity};

use super::json::{BadJson, Field};
use crate::tcb::TcbStatus;

/// More levels than any document has; the longest have some thirty.
pub(crate) const MAX_LEVELS: usize = 256;
const MAX_ADVISORIES: usize = 512;
const MAX_ADVISORY_LEN: usize = 64;

/// A document that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDocument {
    /// It is not of the form that its version has.
    #[error(transparent)]
    Form(#[from] BadJson),
    /// It is of an identifier or version that is not known, so nothing more can be said of its form.
    #[error("id {id:?}, version {version}: not known")]
    Unknown {
        /// The member `id`; cut after 32 characters.
        id: String,
        /// The member `version`.
        version: u64,
    },
}

impl BadDocument {
    pub(crate) fn unknown(id: &str, version: u64) -> Self {
        BadDocument::Unknown { id: id.chars().take(32).collect(), version }
    }
}

/// What a TCB level says besides the versions that it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its status.
    pub status: TcbStatus,
    /// When the level was found to have no known weakness (`tcbDate`).
    pub date: UnixTime,
    /// The advisories that concern a platform at this level.
    pub advisories: Vec<String>,
}

impl Verdict {
    /// Reads `tcbStatus`, one of `known`, `tcbDate` and, where it is there, `advisoryIDs`.
    pub(crate) fn read(level: &Field<'_>, known: &[TcbStatus]) -> Result<Self, BadJson> {
        let field = level.get("tcbStatus")?;
        let name = field.text()?;
        let status = TcbStatus::from_name(name)
            .filter(|status| known.contains(status))
            .ok_or_else(|| field.error(format!("unknown status {name:.60?}")))?;
        let mut advisories: Vec<String> = Vec::new();
        if let Some(ids) = level.optional("advisoryIDs")? {
            for id in ids.elements(MAX_ADVISORIES)? {
                let text = id.text()?;
                if text.is_empty()
                    || text.len() > MAX_ADVISORY_LEN
                    || !text.bytes().all(|b| b.is_ascii_graphic())
                {
                    return Err(id.error("not the name of an advisory"));
                }
                if !advisories.iter().any(|known| known == text) {
                    advisories.push(text.to_owned());
                }
            }
        }
        Ok(Verdict { status, date: level.get("tcbDate")?.date()?, advisories })
    }
}

/// `issueDate` and `nextUpdate`.
pub(crate) fn validity(document: &Field<'_>) -> Result<Validity, BadJson> {
    let not_before = document.get("issueDate")?.date()?;
    let next = document.get("nextUpdate")?;
    let not_after = next.date()?;
    if not_after < not_before {
        return Err(next.error("earlier than issueDate"));
    }
    Ok(Validity { not_before, not_after })
}
