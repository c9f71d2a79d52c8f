//! Trustee's interface.

use tonic::{Request, Response, Status};

use super::{Provider, caller, changes};
use crate::proto::reference::reference_value_provider_service_server::ReferenceValueProviderService;
use crate::proto::reference::{
    ReferenceValueQueryRequest, ReferenceValueQueryResponse, ReferenceValueRegisterRequest,
    ReferenceValueRegisterResponse,
};

#[tonic::async_trait]
impl ReferenceValueProviderService for Provider {
    async fn query_reference_value(
        &self,
        request: Request<ReferenceValueQueryRequest>,
    ) -> Result<Response<ReferenceValueQueryResponse>, Status> {
        let id = request.into_inner().reference_value_id;
        let record = self.values.get(&id).filter(|record| !record.expired);
        let reference_value_results = record.map(|record| record.value.to_string());
        Ok(Response::new(ReferenceValueQueryResponse { reference_value_results }))
    }

    async fn register_reference_value(
        &self,
        request: Request<ReferenceValueRegisterRequest>,
    ) -> Result<Response<ReferenceValueRegisterResponse>, Status> {
        let caller = caller(&request);
        let message = request.into_inner().message;
        let work = self.values.register(message.as_bytes());
        let registered = self.changed(&caller, changes::REGISTERED, work, changes::names).await?;
        changes::log(&caller, &registered);
        Ok(Response::new(ReferenceValueRegisterResponse {}))
    }
}
