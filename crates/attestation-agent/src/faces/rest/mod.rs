//! REST: HTTP/1.1 on a loopback address or a Unix socket.

mod guard;
mod problem;
pub(super) mod query;
mod routes;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;

use self::problem::RestError;
use super::RestExtras;
use super::budget::Hold;
use super::calls::Shared;
use super::connection::Connection;
use crate::caller::Peer;
use crate::error::AgentError;

/// The greatest head of a request, in bytes: its query may hold runtime data.
const HEAD: usize = 64 << 10;

/// What all connections of a REST listener share.
pub(crate) struct Face {
    pub(crate) shared: Arc<Shared>,
    pub(crate) extras: Option<RestExtras>,
}

/// Serves a connection until its peer closes it; when the listener stops, after the request under way.
pub(crate) async fn serve(mut connection: Connection, face: Arc<Face>, mut stopped: watch::Receiver<()>) {
    let peer = connection.peer;
    let refusal = Arc::new(connection.refusal.take());
    let time = face.shared.limits.transfer_timeout;
    let service = service_fn(move |request: Request<Incoming>| {
        let (face, refusal) = (Arc::clone(&face), Arc::clone(&refusal));
        async move {
            let mut response = match face.answer(peer, refusal.as_ref().as_ref(), request).await {
                Ok(response) => response,
                Err(error) => {
                    tracing::debug!(%peer, %error, "a request failed");
                    error.response()
                }
            };
            if refusal.is_some() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(time)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(connection), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a REST connection ended");
    }
}

impl Face {
    async fn answer(
        &self,
        peer: Peer,
        refusal: Option<&AgentError>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, RestError> {
        if let Some(refusal) = refusal {
            return Err(refusal.clone().into());
        }
        guard::check(request.uri(), request.headers(), matches!(peer, Peer::Address(_)))?;
        let route = routes::find(self, request.method(), request.uri())?;
        // Until the answer is ready.
        let (body, _memory) = match route {
            routes::Route::Extend => self.body(request.into_body()).await?,
            _ => (Bytes::new(), Hold::default()),
        };
        // How the agent does can be asked however much it does.
        let _place = if route.is_work() { Some(self.shared.place().await?) } else { None };
        let answer = route.answer(self, self.shared.caller(peer), body);
        Ok(self.shared.in_time(None, answer).await?)
    }

    async fn body(&self, body: Incoming) -> Result<(Bytes, Hold), RestError> {
        let limits = &self.shared.limits;
        let too_long = RestError::BodyTooLong { max: limits.body_bytes };
        // What is announced is not awaited.
        if body.size_hint().lower() > u64::try_from(limits.body_bytes).unwrap_or(u64::MAX) {
            return Err(too_long);
        }
        // Without a length it could be the longest.
        let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let memory = self.shared.memory(length.unwrap_or(limits.body_bytes)).await?;
        let read = Limited::new(body, limits.body_bytes).collect();
        match tokio::time::timeout(limits.transfer_timeout, read).await {
            Ok(Ok(body)) => Ok((body.to_bytes(), memory)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long),
            Ok(Err(error)) => Err(AgentError::BadRequest(format!("the body cannot be read: {error}")).into()),
            Err(_) => Err(RestError::BodyLate { millis: limits.transfer_timeout.as_millis() }),
        }
    }
}
