//! Reference values of another process.

mod read;
mod single;
mod whole;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use assay_remote::{RemoteEndpoint, RemoteError, RemoteService, RemoteSettings};
use assay_store::ReferenceValueVersion;
use assay_types::{Clock, UnixTime};
use async_trait::async_trait;
use serde_json::Value;

use crate::message::MAX_MESSAGE_LEN;
use crate::proto::assay_v1::reference_values_client::ReferenceValuesClient;
use crate::proto::assay_v1::{
    DeleteRequest, ExpireRequest, GetHistoryRequest, RegisterCorimRequest, RegisterRequest, RegisterResponse,
};
use crate::proto::reference::reference_value_provider_service_client::ReferenceValueProviderServiceClient;
use crate::proto::reference::{ReferenceValueQueryRequest, ReferenceValueRegisterRequest};
use crate::source::Whole;
use crate::{Consultation, Record, ReferenceValueError, ReferenceValueSource, Registered};

pub use read::{SetReader, read_value};

/// The largest message that is taken from a provider. A part of a set, and the history of a value, have less.
const MAX_ANSWER: usize = 16 << 20;

/// How long it may take to answer a question about its readiness.
const READY: Duration = Duration::from_secs(2);

/// What is spoken with a remote provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Assay's own: the whole set is here, and follows the provider's within a second.
    Assay,
    /// Trustee's: each value is asked for by its name. There are no groups, so no endorsements.
    Trustee,
}

/// Where a remote provider is, and how its values are kept.
#[derive(Clone, Debug)]
pub struct RemoteValuesSettings {
    /// The way to it.
    pub remote: RemoteSettings,
    /// What is spoken with it.
    pub protocol: Protocol,
    /// With [`Protocol::Trustee`]: how long an answer is good for evaluations that begin later.
    pub cache: Duration,
    /// With [`Protocol::Assay`]: how long the set is served after the provider last confirmed it.
    pub max_age: Duration,
    /// With [`Protocol::Assay`]: the pause between two questions whether the set has changed.
    pub poll: Duration,
}

impl RemoteValuesSettings {
    /// The name of the part in [`RemoteSettings`].
    pub const PART: &'static str = "reference value provider";

    /// For this way: half a second between two questions, ten seconds without confirmation; answers of
    /// Trustee's provider are good for a second.
    pub fn new(remote: RemoteSettings, protocol: Protocol) -> Self {
        RemoteValuesSettings {
            remote,
            protocol,
            cache: Duration::from_secs(1),
            max_age: Duration::from_secs(10),
            poll: Duration::from_millis(500),
        }
    }
}

/// A provider in another process.
pub struct RemoteReferenceValues {
    endpoint: RemoteEndpoint,
    kept: Kept,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for RemoteReferenceValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RemoteReferenceValues");
        shown.field("endpoint", &self.endpoint).field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// What is kept here of its values.
#[derive(Debug)]
enum Kept {
    Whole(whole::WholeSet),
    Single(single::Answers),
}

impl RemoteReferenceValues {
    /// The provider of these settings. It is asked in the background from now on (with
    /// [`Protocol::Assay`]), as long as this lives. Works within a Tokio runtime only.
    ///
    /// # Errors
    /// [`ReferenceValueError::Remote`] for a setting.
    pub fn new(settings: RemoteValuesSettings, clock: Arc<dyn Clock>) -> Result<Self, ReferenceValueError> {
        let endpoint = RemoteEndpoint::new(settings.remote.clone())?;
        let kept = match settings.protocol {
            Protocol::Assay => {
                Kept::Whole(whole::WholeSet::follow(endpoint.clone(), settings.poll, settings.max_age))
            }
            Protocol::Trustee => Kept::Single(single::Answers::new(endpoint.clone(), settings.cache)),
        };
        Ok(RemoteReferenceValues { endpoint, kept, clock })
    }

    /// The set that is kept here, if that is what the protocol does; else what cannot be done.
    fn whole(&self, what: &'static str) -> Result<&whole::WholeSet, ReferenceValueError> {
        match &self.kept {
            Kept::Whole(set) => Ok(set),
            Kept::Single(_) => Err(ReferenceValueError::NotServed { what }),
        }
    }
}

fn assay(service: RemoteService) -> ReferenceValuesClient<RemoteService> {
    ReferenceValuesClient::new(service).max_decoding_message_size(MAX_ANSWER)
}

fn trustee(service: RemoteService) -> ReferenceValueProviderServiceClient<RemoteService> {
    ReferenceValueProviderServiceClient::new(service).max_decoding_message_size(MAX_ANSWER)
}

#[async_trait]
impl ReferenceValueSource for RemoteReferenceValues {
    async fn consult(&self) -> Result<Box<dyn Consultation>, ReferenceValueError> {
        match &self.kept {
            Kept::Whole(set) => Ok(Box::new(Whole(set.current().await?))),
            Kept::Single(answers) => Ok(Box::new(answers.consult().await?)),
        }
    }

    async fn register(&self, message: &[u8]) -> Result<Registered, ReferenceValueError> {
        check_length(message)?;
        match &self.kept {
            Kept::Whole(set) => {
                let request = RegisterRequest { message: message.to_vec() };
                let call = |service| {
                    let request = request.clone();
                    async move { assay(service).register(request).await }
                };
                let registered = self.endpoint.call(false, call).await?;
                set.catch_up().await;
                Ok(registered.into())
            }
            Kept::Single(answers) => {
                let text = std::str::from_utf8(message)
                    .map_err(|error| ReferenceValueError::Message { detail: error.to_string() })?;
                let request = ReferenceValueRegisterRequest { message: text.to_owned() };
                let call = |service| {
                    let request = request.clone();
                    async move { trustee(service).register_reference_value(request).await }
                };
                self.endpoint.call(false, call).await?;
                answers.forget();
                Ok(Registered { ids: read::names(message), deleted: Vec::new(), notes: Vec::new() })
            }
        }
    }

    async fn register_corim(
        &self,
        corim: &[u8],
        profile: Option<&str>,
    ) -> Result<Registered, ReferenceValueError> {
        check_length(corim)?;
        let set = self.whole("register a CoRIM without a message around it")?;
        let request = RegisterCorimRequest { corim: corim.to_vec(), profile: profile.map(str::to_owned) };
        let call = |service| {
            let request = request.clone();
            async move { assay(service).register_corim(request).await }
        };
        let registered = self.endpoint.call(false, call).await?;
        set.catch_up().await;
        Ok(registered.into())
    }

    async fn value(&self, id: &str) -> Result<Option<Value>, ReferenceValueError> {
        match &self.kept {
            Kept::Whole(set) => {
                let set = set.newest().await?;
                let record = set.entry(id).map(|entry| Record::new(&entry.record, self.clock.now()));
                Ok(record.filter(|record| !record.expired).map(|record| record.value))
            }
            Kept::Single(_) => single::ask(&self.endpoint, id).await,
        }
    }

    async fn list(&self) -> Result<Vec<Record>, ReferenceValueError> {
        let set = self.whole("list reference values")?.all().await?;
        let now = self.clock.now();
        let mut records: Vec<Record> = set.entries().map(|entry| Record::new(&entry.record, now)).collect();
        records.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(records)
    }

    async fn history(&self, id: &str) -> Result<Vec<ReferenceValueVersion>, ReferenceValueError> {
        self.whole("read the history of a reference value")?;
        let call = |service| {
            let request = GetHistoryRequest { id: id.to_owned() };
            async move { assay(service).get_history(request).await }
        };
        let history = self.endpoint.call(true, call).await?;
        let version = |version: crate::proto::assay_v1::Version| {
            let value = version.json.as_deref().map(read_value).transpose();
            Ok(ReferenceValueVersion {
                version: version.version,
                value: value.map_err(|why| self.endpoint.unusable(why))?,
                registered: UnixTime(version.registered),
                expires: UnixTime(version.expires),
                source: version.source,
            })
        };
        history.versions.into_iter().map(version).collect()
    }

    async fn expire(&self, id: &str) -> Result<bool, ReferenceValueError> {
        let set = self.whole("let a reference value end")?;
        let call = |service| {
            let request = ExpireRequest { id: id.to_owned() };
            async move { assay(service).expire(request).await }
        };
        let found = self.endpoint.call(false, call).await?.found;
        set.catch_up().await;
        Ok(found)
    }

    async fn delete(&self, id: &str) -> Result<bool, ReferenceValueError> {
        let set = self.whole("delete a reference value")?;
        let call = |service| {
            let request = DeleteRequest { id: id.to_owned() };
            async move { assay(service).delete(request).await }
        };
        let found = self.endpoint.call(false, call).await?.found;
        set.catch_up().await;
        Ok(found)
    }

    async fn check(&self) -> Result<(), ReferenceValueError> {
        match &self.kept {
            Kept::Whole(set) => set.check(),
            // A name that nobody gives: whatever the answer, there is one.
            Kept::Single(_) => {
                let asked = single::ask(&self.endpoint, "assay/readiness");
                let late = RemoteError::TimedOut { part: RemoteValuesSettings::PART, deadline: READY };
                tokio::time::timeout(READY, asked).await.map_err(|_| late)?.map(|_| ())
            }
        }
    }
}

impl From<RegisterResponse> for Registered {
    fn from(response: RegisterResponse) -> Self {
        let RegisterResponse { ids, deleted, notes } = response;
        Registered { ids, deleted, notes }
    }
}

impl ReferenceValueQueryRequest {
    fn of(id: &str) -> Self {
        ReferenceValueQueryRequest { reference_value_id: id.to_owned() }
    }
}

/// What the provider would refuse is not sent.
fn check_length(message: &[u8]) -> Result<(), ReferenceValueError> {
    let (limit, found) = (MAX_MESSAGE_LEN, message.len());
    if found > limit { Err(ReferenceValueError::MessageTooLarge { limit, found }) } else { Ok(()) }
}
