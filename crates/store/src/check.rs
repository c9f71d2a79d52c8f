//! Looking through a whole store for what is damaged.

use assay_types::{Digest, ResourcePath};
use serde::Serialize;

use crate::rows::number;
use crate::statement::{column, statement};
use crate::{Store, StoreError};

/// What a look through the store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreCheck {
    /// Versions of resources that were opened.
    pub resources: u64,
    /// Keys that were opened.
    pub keys: u64,
    /// Policies whose text was compared with its digest.
    pub policies: u64,
    /// Reference values that were read, all versions.
    pub reference_values: u64,
    /// What is damaged, one finding each.
    pub damaged: Vec<String>,
}

impl Store {
    /// Opens every sealed record and reads every other one. Damage is a finding, not an error.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn check(&self) -> Result<StoreCheck, StoreError> {
        let mut found = StoreCheck::default();
        let paths = "SELECT path, version FROM resources ORDER BY path, version";
        for row in self.database().fetch_all(statement(paths)).await? {
            let (path, version): (String, u64) = (column(&row, 0)?, number(&row, 1)?);
            let Ok(path) = path.parse::<ResourcePath>() else {
                found.damaged.push(format!("the resource path {path:?} is malformed"));
                continue;
            };
            match self.get_resource_version(&path, version).await {
                Ok(_) => found.resources += 1,
                Err(error) => found.note(error)?,
            }
        }
        let purposes = "SELECT DISTINCT purpose FROM keys ORDER BY purpose";
        for row in self.database().fetch_all(statement(purposes)).await? {
            let purpose: String = column(&row, 0)?;
            match self.keys(&purpose).await {
                Ok(keys) => found.keys += u64::try_from(keys.len()).unwrap_or(u64::MAX),
                Err(error) => found.note(error)?,
            }
        }
        let policies = "SELECT kind, id, text, digest FROM policies WHERE text IS NOT NULL ORDER BY kind, id";
        for row in self.database().fetch_all(statement(policies)).await? {
            let (kind, id): (String, String) = (column(&row, 0)?, column(&row, 1)?);
            let (text, digest): (String, String) = (column(&row, 2)?, column(&row, 3)?);
            found.policies += 1;
            if Digest::sha384(text.as_bytes()).to_string() != digest {
                found
                    .damaged
                    .push(format!("the {kind} policy {id} is not the text that its digest was made of"));
            }
        }
        let values =
            "SELECT id, version, value FROM reference_values WHERE value IS NOT NULL ORDER BY id, version";
        for row in self.database().fetch_all(statement(values)).await? {
            let (id, version): (String, u64) = (column(&row, 0)?, number(&row, 1)?);
            let value: String = column(&row, 2)?;
            found.reference_values += 1;
            if serde_json::from_str::<serde::de::IgnoredAny>(&value).is_err() {
                found.damaged.push(format!("version {version} of the reference value {id:?} is not JSON"));
            }
        }
        Ok(found)
    }
}

impl StoreCheck {
    /// A damaged record is a finding; a database that does not answer is none.
    fn note(&mut self, error: StoreError) -> Result<(), StoreError> {
        match error {
            StoreError::Tampered { .. } | StoreError::Corrupt { .. } | StoreError::WrongKey { .. } => {
                self.damaged.push(error.to_string());
                Ok(())
            }
            other => Err(other),
        }
    }
}
