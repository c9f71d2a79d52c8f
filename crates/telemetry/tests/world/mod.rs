//! Parts and a collector on loopback, over HTTP/2.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_telemetry::{TelemetrySettings, TraceSettings};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// Serves `router` on a port of its own.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_on(listener, router));
    address
}

async fn serve_on(listener: TcpListener, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A span as the collector saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) service: String,
    pub(crate) resource: Vec<String>,
    pub(crate) span: Span,
}

impl Seen {
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let found = self.span.attributes.iter().find(|attribute| attribute.key == name)?;
        match found.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.clone()),
            Value::IntValue(number) => Some(number.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

/// A collector: keeps what it is given, or refuses it, or does not answer.
#[derive(Clone, Default)]
pub(crate) struct Collector {
    seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) refuse: Arc<std::sync::atomic::AtomicBool>,
    pub(crate) hang: Arc<std::sync::atomic::AtomicBool>,
}

impl Collector {
    pub(crate) async fn start() -> (Self, String) {
        let collector = Collector::default();
        let service = TraceServiceServer::new(collector.clone());
        let address = serve(tonic::service::Routes::new(service).into_axum_router()).await;
        (collector, format!("http://{address}"))
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.refuse.load(SeqCst) {
            return Err(Status::permission_denied("no"));
        }
        if self.hang.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let text = |name: &str| {
                let found = attributes.iter().find(|attribute| attribute.key == name)?;
                match found.value.as_ref()?.value.as_ref()? {
                    Value::StringValue(text) => Some(text.clone()),
                    _ => None,
                }
            };
            let service = text("service.name").unwrap_or_default();
            let names: Vec<String> = attributes.iter().map(|attribute| attribute.key.clone()).collect();
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let seen = Seen { service: service.clone(), resource: names.clone(), span };
                self.seen.lock().unwrap().push(seen);
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Settings that send at once.
pub(crate) fn settings(endpoint: &str, service: &str) -> TelemetrySettings {
    let traces = TraceSettings {
        delay: Duration::from_millis(10),
        deadline: Duration::from_secs(5),
        ..TraceSettings::new(endpoint, service)
    };
    TelemetrySettings { filter: "error".to_owned(), json: false, traces: Some(traces) }
}
