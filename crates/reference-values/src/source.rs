//! Where the reference values of an evaluation come from: this process, or a remote provider.

use std::sync::Arc;

use assay_store::ReferenceValueVersion;
use assay_types::{AskedReferenceValue, Digest, ReferenceValueSnapshot};
use async_trait::async_trait;
use serde_json::Value;

use crate::{Record, ReferenceValueError, ReferenceValues, Registered, Snapshot};

/// A provider of reference values, here or elsewhere.
///
/// # Errors
/// All methods fail with [`ReferenceValueError`]: those of the message, of the store, and of the way to a
/// remote provider. A remote provider may lack a call; then it is [`ReferenceValueError::NotServed`].
#[async_trait]
pub trait ReferenceValueSource: Send + Sync {
    /// Begins the questions of one evaluation.
    async fn consult(&self) -> Result<Box<dyn Consultation>, ReferenceValueError>;

    /// Registers the values of a message, all or none; see [`ReferenceValues::register`].
    async fn register(&self, message: &[u8]) -> Result<Registered, ReferenceValueError>;

    /// Registers what a CoRIM says; see [`ReferenceValues::register_corim`].
    async fn register_corim(
        &self,
        corim: &[u8],
        profile: Option<&str>,
    ) -> Result<Registered, ReferenceValueError>;

    /// The value of that name, if it is in force.
    async fn value(&self, id: &str) -> Result<Option<Value>, ReferenceValueError>;

    /// All values, expired ones among them, by name.
    async fn list(&self) -> Result<Vec<Record>, ReferenceValueError>;

    /// The newest versions of the value of that name; see [`ReferenceValues::history`].
    async fn history(&self, id: &str) -> Result<Vec<ReferenceValueVersion>, ReferenceValueError>;

    /// Lets the value of that name end now. Returns whether there was one.
    async fn expire(&self, id: &str) -> Result<bool, ReferenceValueError>;

    /// Deletes the value of that name. Returns whether there was one.
    async fn delete(&self, id: &str) -> Result<bool, ReferenceValueError>;

    /// Whether questions can be answered now, for readiness.
    async fn check(&self) -> Result<(), ReferenceValueError>;
}

/// The questions of one evaluation. A source that does not hold all values answers what it knows, and
/// keeps what it was asked and does not know; that is fetched between rounds:
/// ```text
/// loop { work with values(); if !learn()? { break } }
/// ```
/// Only the work of the last round counts. Answers do not change from round to round, they only become more.
#[async_trait]
pub trait Consultation: Send + Sync {
    /// What is known.
    fn values(&self) -> &dyn ReferenceValueSnapshot;

    /// Whether all is known, so that there is one round.
    fn is_complete(&self) -> bool;

    /// Fetches what was asked and is not known. Returns whether there was any: then the round is repeated.
    ///
    /// # Errors
    /// Those of the remote provider. [`ReferenceValueError::GroupsNotServed`] if a group was asked for, and
    /// the provider has no such question: then all that came of the silence counts for nothing.
    async fn learn(&mut self) -> Result<bool, ReferenceValueError>;

    /// The digest of the set for tokens: of the whole set; where it is not known, of the set of those values
    /// that were `used`.
    fn digest(&self, used: &mut (dyn Iterator<Item = &AskedReferenceValue> + Send)) -> Digest;
}

/// The questions to a whole set.
pub(crate) struct Whole(pub(crate) Arc<Snapshot>);

#[async_trait]
impl Consultation for Whole {
    fn values(&self) -> &dyn ReferenceValueSnapshot {
        self.0.as_ref()
    }

    fn is_complete(&self) -> bool {
        true
    }

    async fn learn(&mut self) -> Result<bool, ReferenceValueError> {
        Ok(false)
    }

    fn digest(&self, _used: &mut (dyn Iterator<Item = &AskedReferenceValue> + Send)) -> Digest {
        self.0.digest()
    }
}

#[async_trait]
impl ReferenceValueSource for ReferenceValues {
    async fn consult(&self) -> Result<Box<dyn Consultation>, ReferenceValueError> {
        Ok(Box::new(Whole(self.snapshot())))
    }

    async fn register(&self, message: &[u8]) -> Result<Registered, ReferenceValueError> {
        ReferenceValues::register(self, message).await
    }

    async fn register_corim(
        &self,
        corim: &[u8],
        profile: Option<&str>,
    ) -> Result<Registered, ReferenceValueError> {
        ReferenceValues::register_corim(self, corim, profile).await
    }

    async fn value(&self, id: &str) -> Result<Option<Value>, ReferenceValueError> {
        Ok(self.get(id).filter(|record| !record.expired).map(|record| record.value))
    }

    async fn list(&self) -> Result<Vec<Record>, ReferenceValueError> {
        Ok(ReferenceValues::list(self))
    }

    async fn history(&self, id: &str) -> Result<Vec<ReferenceValueVersion>, ReferenceValueError> {
        ReferenceValues::history(self, id).await
    }

    async fn expire(&self, id: &str) -> Result<bool, ReferenceValueError> {
        ReferenceValues::expire(self, id).await
    }

    async fn delete(&self, id: &str) -> Result<bool, ReferenceValueError> {
        ReferenceValues::delete(self, id).await
    }

    async fn check(&self) -> Result<(), ReferenceValueError> {
        ReferenceValues::check(self).await
    }
}
