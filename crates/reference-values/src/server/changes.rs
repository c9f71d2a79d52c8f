//! Assay's own interface: the whole set, and changes to it.

use std::pin::Pin;
use std::sync::Arc;

use assay_types::ReferenceValueSnapshot as _;
use futures_util::{Stream, stream};
use tonic::{Request, Response, Status};

use super::{Provider, caller};
use crate::Registered;
use crate::proto::assay_v1::reference_values_server::ReferenceValues;
use crate::proto::assay_v1::{
    DeleteRequest, DeleteResponse, ExpireRequest, ExpireResponse, GetHistoryRequest, GetHistoryResponse,
    GetSetRequest, ReferenceValue, RegisterCorimRequest, RegisterRequest, RegisterResponse, SetPart, Version,
};
use crate::snapshot::{Entry, Snapshot, canonical};

/// A part of a set ends with the value with which it has this many bytes.
const PART: usize = 256 << 10;

#[tonic::async_trait]
impl ReferenceValues for Provider {
    type GetSetStream = Pin<Box<dyn Stream<Item = Result<SetPart, Status>> + Send>>;

    async fn get_set(&self, request: Request<GetSetRequest>) -> Result<Response<Self::GetSetStream>, Status> {
        let set = self.values.snapshot();
        let known = request.into_inner().known_digest;
        let unchanged = set.digest().as_bytes() == known;
        let mut parts = Parts::new(&set, unchanged);
        let parts = std::iter::from_fn(move || parts.next());
        Ok(Response::new(Box::pin(stream::iter(parts.map(Ok)))))
    }

    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let caller = caller(&request);
        let message = request.into_inner().message;
        let registered = self.changed(&caller, REGISTERED, self.values.register(&message), names).await?;
        log(&caller, &registered);
        Ok(Response::new(registered.into()))
    }

    async fn register_corim(
        &self,
        request: Request<RegisterCorimRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let caller = caller(&request);
        let RegisterCorimRequest { corim, profile } = request.into_inner();
        let work = self.values.register_corim(&corim, profile.as_deref());
        let registered = self.changed(&caller, "endorsements registered", work, names).await?;
        log(&caller, &registered);
        Ok(Response::new(registered.into()))
    }

    async fn get_history(
        &self,
        request: Request<GetHistoryRequest>,
    ) -> Result<Response<GetHistoryResponse>, Status> {
        let id = request.into_inner().id;
        let versions = self.within(self.values.history(&id)).await?;
        let version = |version: assay_store::ReferenceValueVersion| Version {
            version: version.version,
            json: version.value.as_ref().map(canonical),
            registered: version.registered.0,
            expires: version.expires.0,
            source: version.source,
        };
        Ok(Response::new(GetHistoryResponse { versions: versions.into_iter().map(version).collect() }))
    }

    async fn expire(&self, request: Request<ExpireRequest>) -> Result<Response<ExpireResponse>, Status> {
        let caller = caller(&request);
        let id = request.into_inner().id;
        let about = |_: &bool| vec![id.clone()];
        let found = self.changed(&caller, "reference value ended", self.values.expire(&id), about).await?;
        if found {
            tracing::info!(caller, id, "reference value ended");
        }
        Ok(Response::new(ExpireResponse { found }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let caller = caller(&request);
        let id = request.into_inner().id;
        let about = |_: &bool| vec![id.clone()];
        let found = self.changed(&caller, "reference value deleted", self.values.delete(&id), about).await?;
        if found {
            tracing::info!(caller, id, "reference value deleted");
        }
        Ok(Response::new(DeleteResponse { found }))
    }
}

/// What the audit log calls a registration.
pub(super) const REGISTERED: &str = "reference values registered";

/// The names that a registration is about.
pub(super) fn names(registered: &Registered) -> Vec<String> {
    registered.ids.iter().chain(&registered.deleted).cloned().collect()
}

/// One line for each value that was registered or superseded.
pub(super) fn log(caller: &str, registered: &Registered) {
    for id in &registered.ids {
        tracing::info!(caller, id, "reference value registered");
    }
    for id in &registered.deleted {
        tracing::info!(caller, id, "reference value superseded");
    }
}

impl From<Registered> for RegisterResponse {
    fn from(registered: Registered) -> Self {
        let Registered { ids, deleted, notes } = registered;
        RegisterResponse { ids, deleted, notes }
    }
}

/// The parts of a set, each made when it is sent.
struct Parts {
    digest: Vec<u8>,
    count: u64,
    unchanged: bool,
    entries: std::vec::IntoIter<Arc<Entry>>,
    first: bool,
}

impl Parts {
    fn new(set: &Snapshot, unchanged: bool) -> Self {
        let entries: Vec<Arc<Entry>> =
            if unchanged { Vec::new() } else { set.entries().map(Arc::clone).collect() };
        Parts {
            digest: set.digest().as_bytes().to_vec(),
            count: u64::try_from(set.len()).unwrap_or(u64::MAX),
            unchanged,
            entries: entries.into_iter(),
            first: true,
        }
    }

    fn next(&mut self) -> Option<SetPart> {
        let mut values = Vec::new();
        let mut bytes = 0;
        while bytes < PART {
            let Some(entry) = self.entries.next() else { break };
            let record = &entry.record;
            let json = canonical(&record.value);
            bytes += record.id.len() + json.len() + record.source.len();
            values.push(ReferenceValue {
                id: record.id.clone(),
                json,
                version: record.version,
                registered: record.registered.0,
                expires: record.expires.0,
                source: record.source.clone(),
            });
        }
        if values.is_empty() && !self.first {
            return None;
        }
        self.first = false;
        Some(SetPart { digest: self.digest.clone(), count: self.count, unchanged: self.unchanged, values })
    }
}
