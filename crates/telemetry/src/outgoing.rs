//! Handing id and trace on to the next part.

use http::HeaderMap;
use tonic::service::Interceptor;
use tonic::{Request, Status};
use tracing::Span;

use crate::current_request_id;
use crate::request::current_trace;

/// Puts the id of the request that this task works for, and its place in its trace, into the headers of a
/// request to another part. Without a request there is nothing to put there.
pub fn inject(headers: &mut HeaderMap) {
    if let Some(id) = current_request_id() {
        id.write(headers);
    }
    if let Some(context) = current_trace() {
        context.write(headers);
    }
}

/// The headers of [`inject`] alone.
pub fn outgoing_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    headers
}

/// The span of a call of another part: `to` is that part (`as`, `rvps`), `operation` the method of its
/// interface. Run the call in it (`tracing::Instrument`), so that the other part's span becomes its child.
pub fn calling(to: &'static str, operation: &'static str) -> Span {
    tracing::info_span!("call", to, operation)
}

/// A tonic interceptor that does [`inject`] for every call of a gRPC client.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassOn;

impl Interceptor for PassOn {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        inject(request.metadata_mut().as_mut());
        Ok(request)
    }
}
