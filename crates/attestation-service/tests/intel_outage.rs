//! Intel's service goes away while TDs attest: what is cached serves until it expires, and all is well again
//! when the service is back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code
)]

mod support;

use std::sync::{Arc, Mutex};

use assay_attestation_service::{EvaluationError, TrustSettings};
use assay_collateral::{AttemptOutcome, CollateralService, HttpSettings, MemoryCache};
use assay_emulator::intel::{Collateral, PcsRequest};
use assay_emulator::{Emulator, Seed};
use assay_tee_intel::collateral::IntelInspector;
use assay_types::{Coded as _, CollateralOrigin, Fault, Tee, UnixTime, Validity, Vendor};
use axum::body::Body;
use axum::http::{Response, Uri};
use support::{Guest, NOW, Options, World};
use tokio::net::TcpListener;

const DAY: i64 = 86_400;

/// What the service has; nothing while it is down.
type Published = Arc<Mutex<Option<Collateral>>>;

/// A double of Intel's service on loopback; its URL.
async fn serve(published: Published) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(move |uri: Uri| {
        let answer = published
            .lock()
            .unwrap()
            .as_ref()
            .map(|collateral| collateral.answer(&PcsRequest::new(&uri.to_string())).unwrap());
        let mut response = Response::builder().status(answer.as_ref().map_or(503, |answer| answer.status));
        for (name, value) in answer.iter().flat_map(|answer| &answer.headers) {
            response = response.header(*name, value);
        }
        let response =
            response.body(Body::from(answer.map(|answer| answer.body).unwrap_or_default())).unwrap();
        async move { response }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// What is published from then on for 30 days.
fn published(from: UnixTime) -> Collateral {
    let validity = Validity { not_before: from, not_after: from.plus(30 * DAY) };
    Emulator::new(Seed::DEVELOPMENT).intel().td().collateral(validity)
}

#[tokio::test]
async fn attestation_outlives_an_outage_until_the_first_expiry_and_recovers_by_itself() {
    let service: Published = Arc::new(Mutex::new(Some(published(NOW))));
    let url = serve(Arc::clone(&service)).await;
    let trust = TrustSettings {
        emulated_anchors: Some(Emulator::new(Seed::DEVELOPMENT).anchors()),
        ..TrustSettings::production()
    };
    let inspector = IntelInspector::new(trust.intel_anchors().unwrap());
    let options = Options { trust_emulator: true, ..Options::default() };
    let world = World::with_collateral(options, |clock| {
        CollateralService::builder(clock)
            .cache(Arc::new(MemoryCache::default()))
            .inspector(Vendor::Intel, Arc::new(inspector))
            .vendor_service(Vendor::Intel, url, HttpSettings::default())
            .build()
            .unwrap()
    })
    .await;
    let attest = async || world.attest(Guest::of(Tee::Tdx)).await;
    attest().await.unwrap();

    *service.lock().unwrap() = None;
    let end = NOW.plus(30 * DAY);
    for now in [NOW.plus(DAY), NOW.plus(29 * DAY), end] {
        world.clock.set(now);
        let issued = attest().await.unwrap();
        let used = &issued.verdict.attesters["cpu0"].collateral;
        let from_cache = used.iter().filter(|used| used.origin == CollateralOrigin::Cache);
        assert!(from_cache.clone().count() >= 4, "{used:#?}");
        assert!(from_cache.clone().all(|used| now <= used.validity.not_after), "{used:#?}");
    }

    world.clock.set(end.plus(1));
    let Err(EvaluationError::Collateral(error)) = attest().await else { panic!("it went on") };
    assert_eq!((error.code(), error.fault()), ("COL-001", Fault::CollateralTransient));
    let expired = AttemptOutcome::Expired { since: end };
    assert!(error.attempts().iter().any(|attempt| attempt.outcome == expired), "{error}");

    *service.lock().unwrap() = Some(published(end));
    // The longest pause after failures.
    world.clock.advance(60);
    attest().await.unwrap();
}
