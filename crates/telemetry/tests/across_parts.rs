#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]
//! Three parts, each with logs and traces of its own, and a collector that sees their spans.

mod log;
mod world;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use assay_telemetry::{
    Face, FaceMetrics, Guard, MetricsPage, PassOn, RequestScope, SPAN_ATTRIBUTES, TelemetrySettings,
    TraceSettings, build, calling, current_request_id, note_code, note_tee, surround,
};
use axum::Router;
use axum::routing::post;
use http::{HeaderMap, Request};
use log::Log;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;
use tracing::{Dispatch, Instrument as _};
use world::{Collector, Seen, settings};

const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A gRPC part that calls the next one, if there is one. The interface is any: here that of a collector.
#[derive(Clone)]
struct Part {
    next: Option<(&'static str, Channel)>,
    ids: tokio::sync::mpsc::UnboundedSender<String>,
}

#[tonic::async_trait]
impl TraceService for Part {
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.ids.send(current_request_id().unwrap().to_string()).unwrap();
        match &self.next {
            Some((name, channel)) => call(name, channel.clone()).await,
            None => {
                note_tee("snp");
                note_code("AS-003");
                Err(Status::permission_denied("no"))
            }
        }
    }
}

async fn call(name: &'static str, channel: Channel) -> Result<Response<ExportTraceServiceResponse>, Status> {
    let mut client = TraceServiceClient::with_interceptor(channel, PassOn);
    client.export(ExportTraceServiceRequest::default()).instrument(calling(name, "Export")).await
}

fn channel(address: std::net::SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

fn face(routes: &'static [&'static str], page: &MetricsPage) -> Face {
    Face::new(routes, FaceMetrics::new("part", page))
}

/// Everything that a part of one process does, does it under its own logs and traces.
fn under(router: Router, dispatch: Dispatch) -> Router {
    router.layer(axum::middleware::from_fn(
        move |request: axum::extract::Request, next: axum::middleware::Next| {
            let dispatch = dispatch.clone();
            async move { next.run(request).with_subscriber(dispatch).await }
        },
    ))
}

struct Three {
    kbs: Router,
    guards: Vec<Guard>,
    ids: tokio::sync::mpsc::UnboundedReceiver<String>,
    log: Log,
    page: MetricsPage,
}

/// KBS (REST), AS and RVPS (gRPC), each calling the next.
async fn three(settings_of: impl Fn(&str) -> TelemetrySettings) -> Three {
    let (ids, seen_ids) = tokio::sync::mpsc::unbounded_channel();
    let (mut guards, log, page) = (Vec::new(), Log::default(), MetricsPage::default());
    let mut subscriber = |name: &str| {
        let log = log.clone();
        let (dispatch, guard) = build(&settings_of(name), move || log.clone()).unwrap();
        guards.push(guard);
        dispatch
    };
    let grpc = |next, dispatch| {
        let service = TraceServiceServer::new(Part { next, ids: ids.clone() });
        let router = tonic::service::Routes::new(service).into_axum_router();
        let face = face(&[METHOD], &page);
        under(router.layer(axum::middleware::from_fn_with_state(face, surround)), dispatch)
    };
    let rvps = world::serve(grpc(None, subscriber("rvps"))).await;
    let attestation = world::serve(grpc(Some(("rvps", channel(rvps))), subscriber("as"))).await;
    let next = channel(attestation);
    let attest = move || {
        let next = next.clone();
        async move {
            match call("as", next).await {
                Ok(_) => "ok".to_owned(),
                Err(status) => format!("{:?}", status.code()),
            }
        }
    };
    let kbs = Router::new()
        .route("/attest/{id}", post(attest))
        .layer(axum::middleware::from_fn_with_state(face(&["/attest/{id}"], &page), surround));
    Three { kbs: under(kbs, subscriber("kbs")), guards, ids: seen_ids, log, page }
}

async fn ask(three: &Three, headers: &[(&str, &str)]) -> HeaderMap {
    let mut request = Request::post("/attest/secret-name").body(axum::body::Body::empty()).unwrap();
    for (name, value) in headers {
        request
            .headers_mut()
            .append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    three.kbs.clone().oneshot(request).await.unwrap().headers().clone()
}

async fn flush(three: &Three) {
    for guard in &three.guards {
        assert!(guard.flush(Duration::from_secs(20)).await);
    }
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_spans_of_three_parts_are_one_trace_under_one_request_id() {
    let (collector, endpoint) = Collector::start().await;
    let mut three = three(|name| settings(&endpoint, name)).await;
    let answer =
        ask(&three, &[("traceparent", PARENT), ("tracestate", "vendor=1"), ("x-request-id", "guest-7")])
            .await;
    assert_eq!(answer["x-request-id"], "guest-7");
    assert_eq!([three.ids.recv().await.unwrap(), three.ids.recv().await.unwrap()], ["guest-7", "guest-7"]);
    flush(&three).await;

    let seen = collector.seen();
    assert_eq!(seen.len(), 5, "{seen:?}");
    for each in &seen {
        assert_eq!(hex(&each.span.trace_id), &PARENT[3..35]);
        assert_eq!(each.span.trace_state, "vendor=1");
        for name in ["service.name", "service.instance.id", "service.version"] {
            assert!(each.resource.iter().any(|key| key == name), "{name}");
        }
        for attribute in &each.span.attributes {
            assert!(SPAN_ATTRIBUTES.contains(&attribute.key.as_str()), "{attribute:?}");
        }
        assert!(each.span.events.is_empty());
        assert!(!format!("{each:?}").contains("secret-name"));
    }
    // Each span is the child of the one before: the caller's, KBS, its call, AS, its call, RVPS.
    let mut parent = PARENT[36..52].to_owned();
    let mut path = Vec::new();
    while let Some(Seen { service, span, .. }) =
        seen.iter().find(|seen| hex(&seen.span.parent_span_id) == parent)
    {
        path.push(format!("{service} {} {}", span.name, span.kind));
        parent = hex(&span.span_id);
    }
    assert_eq!(
        path,
        [
            "kbs POST /attest/{id} 2".to_owned(),
            "kbs as Export 3".to_owned(),
            format!("as POST {METHOD} 2"),
            "as rvps Export 3".to_owned(),
            format!("rvps POST {METHOD} 2"),
        ]
    );
    let last = seen.iter().find(|seen| seen.service == "rvps").unwrap();
    assert_eq!(last.attribute("assay.tee").as_deref(), Some("snp"));
    assert_eq!(last.attribute("assay.code").as_deref(), Some("AS-003"));
    assert_eq!(last.attribute("assay.request_id").as_deref(), Some("guest-7"));
    let page = three.page.render().unwrap();
    assert!(
        page.contains(&format!("part_requests_total{{route=\"{METHOD}\",status=\"PERMISSION_DENIED\"}} 1")),
        "{page}"
    );
    assert!(page.contains("part_requests_total{route=\"/attest/{id}\",status=\"2xx\"} 1"), "{page}");
}

#[tokio::test]
async fn without_traces_of_our_own_id_and_trace_are_passed_on_as_they_came() {
    let (ids, mut seen_ids) = tokio::sync::mpsc::unbounded_channel();
    let echo = move |headers: HeaderMap| {
        let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        ids.send([text("x-request-id"), text("traceparent"), text("tracestate")]).unwrap();
        async {}
    };
    let next = Router::new().route("/", post(echo));
    let first = move || {
        let next = next.clone();
        async move {
            let mut request = Request::post("/").body(axum::body::Body::empty()).unwrap();
            assay_telemetry::inject(request.headers_mut());
            next.oneshot(request).await.unwrap();
        }
    };
    let page = MetricsPage::default();
    let face = face(&["/"], &page);
    let router =
        Router::new().route("/", post(first)).layer(axum::middleware::from_fn_with_state(face, surround));
    let ask = |parent: &str| {
        let request = Request::post("/")
            .header("traceparent", parent)
            .header("tracestate", "vendor=1")
            .header("x-request-id", "guest-7")
            .body(axum::body::Body::empty());
        router.clone().oneshot(request.unwrap())
    };
    ask(PARENT).await.unwrap();
    assert_eq!(seen_ids.recv().await.unwrap(), ["guest-7", PARENT, "vendor=1"]);
    ask("nonsense").await.unwrap();
    assert_eq!(seen_ids.recv().await.unwrap(), ["guest-7", "", ""]);
    assert_eq!(current_request_id(), None);
}

#[tokio::test]
async fn the_callers_decision_is_followed_and_the_ratio_decides_for_the_others() {
    let (collector, endpoint) = Collector::start().await;
    let three = three(|name| {
        let settings = settings(&endpoint, name);
        let traces = settings.traces.map(|traces| TraceSettings { sample_ratio: 0.0, ..traces });
        TelemetrySettings { traces, ..settings }
    })
    .await;
    ask(&three, &[]).await;
    ask(&three, &[("traceparent", &PARENT.replace("-01", "-00"))]).await;
    flush(&three).await;
    assert!(collector.seen().is_empty());
    ask(&three, &[("traceparent", PARENT)]).await;
    flush(&three).await;
    assert_eq!(collector.seen().len(), 5);
    for guard in &three.guards {
        guard.set_sample_ratio(1.0).unwrap();
        guard.set_sample_ratio(2.0).unwrap_err();
    }
    ask(&three, &[]).await;
    flush(&three).await;
    assert_eq!(collector.seen().len(), 10);
}

#[tokio::test]
async fn a_collector_that_refuses_or_hangs_or_is_not_there_holds_up_nobody() {
    let (collector, endpoint) = Collector::start().await;
    let small = |name: &str| {
        let settings = settings(&endpoint, name);
        let traces = settings.traces.map(|traces| TraceSettings { queue: 2, ..traces });
        TelemetrySettings { traces, ..settings }
    };
    let three = three(small).await;
    collector.refuse.store(true, SeqCst);
    ask(&three, &[]).await;
    flush(&three).await;
    let failed: u64 = three.guards.iter().map(|guard| guard.spans().failed()).sum();
    assert_eq!(failed, 5);
    collector.refuse.store(false, SeqCst);

    collector.hang.store(true, SeqCst);
    // Every answer comes, though the collector gives none; and at last the queues are full.
    while three.guards.iter().any(|guard| guard.spans().dropped() == 0) {
        ask(&three, &[]).await;
    }
    for guard in &three.guards {
        assert!(!guard.flush(Duration::from_millis(50)).await);
        guard.shutdown(Duration::from_millis(50)).await;
    }
    assert!(three.log.text().is_empty(), "the filter is error: {}", three.log.text());
}

#[tokio::test]
async fn nobody_at_the_collectors_address_is_counted_and_said_once() {
    let log = Log::default();
    let writer = log.clone();
    let settings = TelemetrySettings { filter: "info".to_owned(), ..settings("http://127.0.0.1:1", "kbs") };
    let (dispatch, guard) = build(&settings, move || writer.clone()).unwrap();
    // The task that sends logs where the thread does.
    let _default = tracing::dispatcher::set_default(&dispatch);
    for n in 1..=3 {
        RequestScope::new(&HeaderMap::new(), &http::Method::GET, "/").span().in_scope(|| ());
        assert!(guard.flush(Duration::from_secs(20)).await);
        assert_eq!(guard.spans().failed(), n);
    }
    assert_eq!(log.text().matches("does not take spans").count(), 1, "{}", log.text());
}
