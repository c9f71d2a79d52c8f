#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]
//! Readiness and the metrics page.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use assay_telemetry::{
    MetricsPage, Operation, ProcessMetrics, Readiness, SpanCounts, StoreMetrics, Unready, readyz,
};
use assay_types::{Coded, Fault};
use axum::extract::State;
use tokio::sync::Barrier;

#[derive(Debug, thiserror::Error)]
#[error("postgresql://user@db.internal:5432 said: password wrong")]
struct Away(Fault);

impl Coded for Away {
    fn code(&self) -> &'static str {
        "STORE-020"
    }

    fn fault(&self) -> Fault {
        self.0
    }
}

fn always() -> Readiness {
    Readiness::new(Duration::ZERO, Duration::from_secs(20))
}

async fn page(readiness: &Readiness) -> (u16, String) {
    let operation = Operation { readiness: readiness.clone(), metrics: MetricsPage::default() };
    let response = readyz(State(operation)).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn each_dependency_that_fails_is_named_and_nothing_of_its_message() {
    let readiness = always();
    assert_eq!(page(&readiness).await, (200, "{\"status\":\"ready\"}".to_owned()));
    readiness.add("store", || async { Err(Away(Fault::Unavailable)) });
    readiness.add("attestation service", || async { Ok::<(), Away>(()) });
    readiness.add("reference values", || async { Err(Away(Fault::Forbidden)) });
    let (status, text) = page(&readiness).await;
    assert_eq!(status, 503);
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        problem["failing"],
        serde_json::json!([
            { "name": "store", "code": "STORE-020", "reason": "is not available" },
            { "name": "reference values", "code": "STORE-020", "reason": "does not let this service in" },
        ])
    );
    assert!(!text.contains("db.internal") && !text.contains("password"), "{text}");
}

#[tokio::test]
async fn all_are_asked_at_once_and_who_is_silent_fails_alone() {
    let readiness = Readiness::new(Duration::ZERO, Duration::from_millis(200));
    // Each waits for the other: one after the other they would never answer.
    let barrier = Arc::new(Barrier::new(2));
    for name in ["one", "two"] {
        let barrier = Arc::clone(&barrier);
        readiness.add(name, move || {
            let barrier = Arc::clone(&barrier);
            async move {
                barrier.wait().await;
                Ok::<(), Away>(())
            }
        });
    }
    readiness.add("silent", std::future::pending::<Result<(), Away>>);
    let silent = Unready { name: "silent", code: "TEL-006", reason: "did not answer in time" };
    assert_eq!(readiness.report().await.failing, [silent]);
}

#[tokio::test]
async fn a_hundred_probes_at_once_ask_once() {
    let readiness = Readiness::new(Duration::from_secs(3600), Duration::from_secs(20));
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    readiness.add("store", move || {
        count.fetch_add(1, SeqCst);
        async {
            tokio::task::yield_now().await;
            Ok::<(), Away>(())
        }
    });
    let probes = (0..100).map(|_| async { assert!(readiness.report().await.is_ready()) });
    futures_util::future::join_all(probes).await;
    assert_eq!(asked.load(SeqCst), 1);
    readiness.stop();
    assert!(!readiness.report().await.is_ready(), "the end is told at once");
    assert_eq!(page(&readiness).await.0, 503);
}

#[tokio::test]
async fn ready_again_without_a_restart() {
    let readiness = always();
    let left = Arc::new(AtomicU64::new(2));
    readiness.add("store", move || {
        let away = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        async move { if away { Err(Away(Fault::Unavailable)) } else { Ok(()) } }
    });
    let mut found = Vec::new();
    for _ in 0..4 {
        found.push(readiness.report().await.is_ready());
    }
    assert_eq!(found, [false, false, true, true]);
}

struct Numbers;

impl StoreMetrics for Numbers {
    fn statements(&self) -> u64 {
        41
    }

    fn idle_connections(&self) -> u64 {
        3
    }

    fn connection_limit(&self) -> u64 {
        5
    }
}

#[test]
fn numbers_that_others_count_stand_on_the_page_when_they_are_known() {
    let page = MetricsPage::default();
    let process = ProcessMetrics::new(&page);
    assert!(page.render().unwrap().contains("\nassay_store_statements_total 0\n"));
    process.watch_store(Arc::new(Numbers));
    process.watch_spans(Arc::new(SpanCounts::default()));
    process.reloaded(true);
    process.reloaded(false);
    process.reloaded(false);
    let text = page.render().unwrap();
    for line in [
        "assay_store_statements_total 41",
        "assay_store_connection_limit 5",
        "assay_store_idle_connections 3",
        "assay_otel_spans_dropped_total 0",
        "assay_config_reloads_total{result=\"success\"} 1",
        "assay_config_reloads_total{result=\"failure\"} 2",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    let names: Vec<String> = page.entries().into_iter().map(|entry| entry.name).collect();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}
