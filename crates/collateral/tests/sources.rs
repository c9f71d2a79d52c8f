//! The chain of sources against a double of AMD's Key Distribution Service on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

mod https;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_collateral::{
    AttemptOutcome, Cached, CollateralCache, CollateralError, CollateralService, ConfigurationError, Entry,
    HttpSettings, Listed, MemoryCache, Source, Use,
};
use assay_types::{
    Clock, Coded, CollateralKind, CollateralOrigin, CollateralRequest, Fault, FixedClock, UnixTime, Vendor,
};
use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode, Uri};
use futures_util::future::join_all;
use https::Identity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What the double answers.
#[derive(Clone)]
enum Say {
    Body(&'static [u8]),
    Status(u16),
    /// A status with one header.
    With(u16, &'static str, String),
    Html(&'static str),
    /// Bytes without end or announced length.
    Endless,
    /// Waits for the gate, then answers.
    AtGate(&'static [u8]),
    Never,
}

/// AMD's service, as the test wants it. Answers in turn; the last one stays.
struct Kds {
    url: String,
    script: Mutex<VecDeque<Say>>,
    asked: AtomicUsize,
    paths: Mutex<Vec<String>>,
    gate: Semaphore,
}

impl Kds {
    async fn start(script: impl IntoIterator<Item = Say>) -> Arc<Kds> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kds = Arc::new(Kds {
            url: format!("http://{}", listener.local_addr().unwrap()),
            script: Mutex::new(script.into_iter().collect()),
            asked: AtomicUsize::new(0),
            paths: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let state = Arc::clone(&kds);
        let router = axum::Router::new().fallback(move |uri: Uri| {
            let state = Arc::clone(&state);
            async move { state.answer(uri).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        kds
    }

    async fn answer(&self, uri: Uri) -> Response<Body> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.paths.lock().unwrap().push(uri.to_string());
        let say = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() }
        };
        let status = |code: u16| Response::builder().status(StatusCode::from_u16(code).unwrap());
        match say {
            Say::Body(bytes) => status(200).body(Body::from(bytes)),
            Say::Status(code) => status(code).body(Body::from("an explanation")),
            Say::With(code, name, value) => status(code).header(name, value).body(Body::empty()),
            Say::Html(kind) => {
                status(200).header("content-type", kind).body(Body::from("<!DOCTYPE html><p>hi"))
            }
            Say::Endless => {
                let chunks =
                    futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![7; 1000])));
                status(200).body(Body::from_stream(chunks))
            }
            Say::AtGate(bytes) => {
                self.gate.acquire().await.unwrap().forget();
                status(200).body(Body::from(bytes))
            }
            Say::Never => std::future::pending().await,
        }
        .unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn until_asked(&self, times: usize) {
        while self.asked() < times {
            tokio::task::yield_now().await;
        }
    }
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(UnixTime::parse_rfc3339("2026-03-01T12:00:00Z").unwrap()))
}

fn request() -> CollateralRequest {
    CollateralRequest {
        vendor: Vendor::Amd,
        kind: CollateralKind::Certificates,
        description: "VCEK of chip 1a2b".into(),
        cache_key: "vcek/1a2b/bl=3".into(),
        offline_paths: vec!["vcek/1a2b/bl03_vcek.der".into(), "vcek/1a2b/vcek.der".into()],
        service_path: "/vcek/v1/Milan/1a2b?blSPL=03".into(),
        chain_headers: Vec::new(),
        required: true,
        max_len: 4096,
    }
}

fn crl() -> CollateralRequest {
    CollateralRequest {
        kind: CollateralKind::Crl,
        description: "CRL of Milan".into(),
        cache_key: "crl/Milan".into(),
        service_path: "/vcek/v1/Milan/crl".into(),
        chain_headers: Vec::new(),
        ..request()
    }
}

/// A service with the double behind it, a memory cache, and times short enough for a test.
fn service(kds: &Kds, clock: &Arc<FixedClock>) -> CollateralService {
    CollateralService::builder(Arc::clone(clock) as Arc<dyn Clock>)
        .cache(Arc::new(MemoryCache::default()))
        .vendor_service(Vendor::Amd, &kds.url, HttpSettings::default())
        .build()
        .unwrap()
}

fn outcomes(error: &CollateralError) -> Vec<AttemptOutcome> {
    error.attempts().iter().map(|attempt| attempt.outcome.clone()).collect()
}

#[tokio::test]
async fn the_service_is_asked_once_and_then_the_cache_answers() {
    let (kds, clock) = (Kds::start([Say::Body(b"der")]).await, clock());
    let service = service(&kds, &clock);
    let first = service.fetch(&request()).await.unwrap();
    assert_eq!(first.origin, CollateralOrigin::Service(format!("{}/vcek/v1/Milan/1a2b?blSPL=03", kds.url)));
    assert_eq!(&first.bytes[..], b"der");
    let second = service.fetch(&request()).await.unwrap();
    assert_eq!((second.origin, second.bytes), (CollateralOrigin::Cache, first.bytes));
    assert_eq!(*kds.paths.lock().unwrap(), ["/vcek/v1/Milan/1a2b?blSPL=03"]);
}

#[tokio::test]
async fn a_path_in_the_base_url_is_kept() {
    let kds = Kds::start([Say::Body(b"der")]).await;
    let service = CollateralService::builder(clock())
        .vendor_service(Vendor::Amd, format!("{}/mirror/kds/", kds.url), HttpSettings::default())
        .build()
        .unwrap();
    service.fetch(&request()).await.unwrap();
    assert_eq!(*kds.paths.lock().unwrap(), ["/mirror/kds/vcek/v1/Milan/1a2b?blSPL=03"]);
    for above in ["/../admin", "/%2e%2e/admin", "/.%2E/admin"] {
        let request = CollateralRequest { service_path: above.into(), cache_key: above.into(), ..request() };
        let error = service.fetch(&request).await.unwrap_err();
        assert!(matches!(outcomes(&error)[2], AttemptOutcome::NotLookedUp { .. }), "{above}: {error}");
    }
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn the_folder_comes_first_and_its_paths_in_their_order() {
    let (kds, clock) = (Kds::start([Say::Body(b"from kds")]).await, clock());
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("vcek/1a2b")).unwrap();
    let service = CollateralService::builder(clock)
        .offline_folder(folder.path())
        .vendor_service(Vendor::Amd, &kds.url, HttpSettings::default())
        .build()
        .unwrap();
    let origin = |item: assay_types::CollateralItem| item.origin;
    assert!(matches!(origin(service.fetch(&request()).await.unwrap()), CollateralOrigin::Service(_)));
    for (path, content) in [("vcek/1a2b/vcek.der", "any TCB"), ("vcek/1a2b/bl03_vcek.der", "this TCB")] {
        std::fs::write(folder.path().join(path), content).unwrap();
        let item = service.fetch(&request()).await.unwrap();
        assert_eq!(&item.bytes[..], content.as_bytes());
        assert_eq!(origin(item), CollateralOrigin::Folder(path.into()));
    }
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn nothing_outside_the_folder_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("kds-store");
    std::fs::create_dir_all(root.join("vcek/1a2b")).unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    std::fs::write(root.join("vcek/good"), "good").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), root.join("vcek/out")).unwrap();
    std::os::unix::fs::symlink("../vcek/good", root.join("vcek/in")).unwrap();
    let service = CollateralService::builder(clock()).offline_folder(&root).build().unwrap();
    let ask = async |path: &str| {
        let request = CollateralRequest { offline_paths: vec![path.into()], ..request() };
        service.fetch(&request).await
    };
    let absolute = folder.path().join("secret");
    for path in
        ["../secret", "vcek/../../secret", absolute.to_str().unwrap(), "vcek/out", "", ".", "vcek/1a2b"]
    {
        let error = ask(path).await.unwrap_err();
        assert!(matches!(outcomes(&error)[0], AttemptOutcome::NotLookedUp { .. }), "{path}: {error}");
    }
    assert_eq!(&ask("vcek/in").await.unwrap().bytes[..], b"good");
    assert_eq!(outcomes(&ask("vcek/good/further").await.unwrap_err())[0], AttemptOutcome::Absent);
}

#[tokio::test]
async fn what_cannot_be_collateral_is_refused_in_the_folder_too() {
    let folder = tempfile::tempdir().unwrap();
    let service = CollateralService::builder(clock()).offline_folder(folder.path()).build().unwrap();
    for (content, outcome) in [
        (&b""[..], AttemptOutcome::Empty),
        (&[1; 4097], AttemptOutcome::TooLarge { limit: 4096 }),
        (b" \n<HTML>", AttemptOutcome::Html),
    ] {
        std::fs::write(folder.path().join("file"), content).unwrap();
        let request = CollateralRequest { offline_paths: vec!["file".into()], ..request() };
        assert_eq!(outcomes(&service.fetch(&request).await.unwrap_err())[0], outcome);
    }
}

#[tokio::test]
async fn without_any_source_the_error_names_each_as_missing() {
    let service = CollateralService::builder(clock()).build().unwrap();
    let error = service.fetch(&request()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no VCEK of chip 1a2b: offline folder: not configured; cache: not configured; AMD's service: not configured"
    );
    assert_eq!((error.code(), error.fault()), ("COL-002", Fault::CollateralPermanent));
}

#[tokio::test]
async fn a_refusal_is_permanent_and_remembered_for_a_minute() {
    let (kds, clock) = (Kds::start([Say::Status(404), Say::Body(b"der")]).await, clock());
    let service = service(&kds, &clock);
    let error = service.fetch(&request()).await.unwrap_err();
    assert_eq!(error.fault(), Fault::CollateralPermanent);
    assert_eq!(outcomes(&error)[2], AttemptOutcome::Refused { status: 404 });
    clock.advance(59);
    let error = service.fetch(&request()).await.unwrap_err();
    assert_eq!(
        outcomes(&error)[2],
        AttemptOutcome::RefusedLately { status: 404, wait: Duration::from_secs(1) }
    );
    assert_eq!(kds.asked(), 1);
    // Other requests are not touched by it.
    assert!(service.fetch(&crl()).await.is_ok());
    clock.advance(1);
    assert!(service.fetch(&request()).await.is_ok());
    assert_eq!(kds.asked(), 3);
}

#[tokio::test]
async fn after_429_the_service_is_left_alone_for_as_long_as_it_says() {
    let date = "Sun, 01 Mar 2026 12:00:30 GMT".to_owned();
    for value in ["30".to_owned(), date] {
        let (kds, clock) =
            (Kds::start([Say::With(429, "retry-after", value), Say::Body(b"der")]).await, clock());
        let service = service(&kds, &clock);
        let wait = Duration::from_secs(30);
        let error = service.fetch(&request()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(wait));
        assert_eq!((error.code(), error.fault()), ("COL-001", Fault::CollateralTransient));
        assert_eq!(outcomes(&error)[2], AttemptOutcome::RateLimited { status: 429, wait });
        // Nothing is asked meanwhile, whatever is wanted.
        clock.advance(29);
        for request in [request(), crl()] {
            let error = service.fetch(&request).await.unwrap_err();
            assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
        }
        assert_eq!(kds.asked(), 1);
        clock.advance(1);
        assert!(service.fetch(&request()).await.is_ok());
        assert_eq!(kds.asked(), 2);
    }
}

#[tokio::test]
async fn after_429_without_a_time_the_pauses_grow() {
    let (kds, clock) = (Kds::start([Say::Status(429)]).await, clock());
    let service = service(&kds, &clock);
    for (asked, seconds) in [(1, 10), (2, 20), (3, 40)] {
        let error = service.fetch(&request()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
        assert_eq!(kds.asked(), asked);
        clock.advance(i64::try_from(seconds).unwrap());
    }
}

#[tokio::test]
async fn an_overload_with_a_time_pauses_like_429() {
    let (kds, clock) = (Kds::start([Say::With(503, "retry-after", "5".into())]).await, clock());
    let service = service(&kds, &clock);
    assert_eq!(service.fetch(&request()).await.unwrap_err().retry_after(), Some(Duration::from_secs(5)));
    assert!(matches!(
        outcomes(&service.fetch(&request()).await.unwrap_err())[2],
        AttemptOutcome::Paused { .. }
    ));
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn repeated_failures_pause_too() {
    let (kds, clock) = (Kds::start([Say::Status(500)]).await, clock());
    let service = service(&kds, &clock);
    for _ in 0..3 {
        let error = service.fetch(&request()).await.unwrap_err();
        assert_eq!(outcomes(&error)[2], AttemptOutcome::Failed { status: 500 });
        assert_eq!(error.fault(), Fault::CollateralTransient);
    }
    assert!(matches!(
        outcomes(&service.fetch(&request()).await.unwrap_err())[2],
        AttemptOutcome::Paused { .. }
    ));
    assert_eq!(kds.asked(), 3);
}

#[tokio::test]
async fn answers_that_are_no_collateral_are_refused_and_not_cached() {
    let location = "https://elsewhere.example/vcek".to_owned();
    for (say, outcome) in [
        (Say::Body(b""), AttemptOutcome::Empty),
        (Say::Body(&[1; 4097]), AttemptOutcome::TooLarge { limit: 4096 }),
        (Say::Endless, AttemptOutcome::TooLarge { limit: 4096 }),
        (Say::Html("text/html; charset=utf-8"), AttemptOutcome::Html),
        (Say::Html("application/octet-stream"), AttemptOutcome::Html),
        (
            Say::With(302, "location", location.clone()),
            AttemptOutcome::Redirected { status: 302, location: location.clone() },
        ),
        (Say::Status(204), AttemptOutcome::Redirected { status: 204, location: String::new() }),
    ] {
        let (kds, clock) = (Kds::start([say, Say::Body(b"der")]).await, clock());
        let service = service(&kds, &clock);
        let error = service.fetch(&request()).await.unwrap_err();
        assert_eq!(outcomes(&error)[2], outcome);
        assert_eq!(error.fault(), Fault::CollateralPermanent, "{error}");
        assert!(matches!(service.fetch(&request()).await.unwrap().origin, CollateralOrigin::Service(_)));
    }
}

#[tokio::test]
async fn a_service_that_never_answers_meets_the_deadline() {
    let kds = Kds::start([Say::Never]).await;
    let service = CollateralService::builder(clock())
        .vendor_service(Vendor::Amd, &kds.url, HttpSettings::default())
        .deadline(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = service.fetch(&request()).await.unwrap_err();
    assert_eq!(outcomes(&error)[2], AttemptOutcome::TimedOut);
    assert_eq!(error.fault(), Fault::CollateralTransient);
}

#[tokio::test]
async fn a_request_has_its_own_timeout() {
    let kds = Kds::start([Say::Never]).await;
    let settings = HttpSettings { request_timeout: Duration::from_millis(50), ..HttpSettings::default() };
    let service =
        CollateralService::builder(clock()).vendor_service(Vendor::Amd, &kds.url, settings).build().unwrap();
    assert_eq!(outcomes(&service.fetch(&request()).await.unwrap_err())[2], AttemptOutcome::TimedOut);
}

#[tokio::test]
async fn broken_connections_are_transient_and_name_their_cause() {
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer).await.unwrap();
        });
        let service = CollateralService::builder(clock())
            .vendor_service(Vendor::Amd, &url, HttpSettings::default())
            .build()
            .unwrap();
        let error = service.fetch(&request()).await.unwrap_err();
        assert_eq!(error.fault(), Fault::CollateralTransient);
        let AttemptOutcome::Unreachable { cause } = &outcomes(&error)[2] else { panic!("{error}") };
        assert!(cause.contains(':'), "only the outermost error is named: {cause}");
        // The listener is gone now: nobody answers at all.
        let error = service.fetch(&request()).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_request() {
    let (kds, clock) = (Kds::start([Say::AtGate(b"der")]).await, clock());
    let service = service(&kds, &clock);
    let request = request();
    let (items, ()) = tokio::join!(join_all((0..50).map(|_| service.fetch(&request))), async {
        kds.until_asked(1).await;
        kds.gate.add_permits(100);
    });
    assert!(items.iter().all(|item| item.as_ref().is_ok_and(|item| &item.bytes[..] == b"der")));
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn callers_at_the_same_time_share_a_failure_as_well() {
    let (kds, clock) = (Kds::start([Say::Status(500)]).await, clock());
    let service = service(&kds, &clock);
    let request = request();
    let answers = join_all((0..50).map(|_| service.fetch(&request))).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_fetch_of_the_others() {
    let (kds, clock) = (Kds::start([Say::AtGate(b"der")]).await, clock());
    let service = service(&kds, &clock);
    let leader = tokio::spawn({
        let service = service.clone();
        async move { service.fetch(&request()).await }
    });
    kds.until_asked(1).await;
    let request = request();
    let (item, ()) = tokio::join!(service.fetch(&request), async {
        leader.abort();
        kds.gate.add_permits(1);
    });
    assert_eq!(&item.unwrap().bytes[..], b"der");
    assert!(leader.await.unwrap_err().is_cancelled());
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn a_storm_of_different_chips_stops_at_the_first_429() {
    let (kds, clock) = (Kds::start([Say::Status(429)]).await, clock());
    let settings = HttpSettings { max_concurrent_requests: 2, ..HttpSettings::default() };
    let service =
        CollateralService::builder(clock).vendor_service(Vendor::Amd, &kds.url, settings).build().unwrap();
    let chips: Vec<_> =
        (0..40).map(|n| CollateralRequest { cache_key: format!("vcek/{n}"), ..request() }).collect();
    let gathered = service.gather(&chips).await;
    assert_eq!(gathered.misses.len(), 40);
    assert!(gathered.misses.iter().all(|miss| miss.error.retry_after().is_some()));
    assert!(kds.asked() <= 2, "{} requests", kds.asked());
}

#[tokio::test]
async fn an_old_revocation_list_is_fetched_anew_and_serves_on_when_that_fails() {
    let script = [Say::Body(b"first"), Say::Status(500), Say::Status(404), Say::Body(b"second")];
    let (kds, clock) = (Kds::start(script).await, clock());
    let service = service(&kds, &clock);
    let bytes = async || service.fetch(&crl()).await.unwrap().bytes;
    assert_eq!(&bytes().await[..], b"first");
    clock.advance(24 * 3600 - 1);
    assert_eq!(&bytes().await[..], b"first");
    assert_eq!(kds.asked(), 1);
    clock.advance(1);
    for asked in [2, 3] {
        let item = service.fetch(&crl()).await.unwrap();
        assert_eq!((&item.bytes[..], item.origin), (&b"first"[..], CollateralOrigin::Cache));
        assert_eq!(kds.asked(), asked);
    }
    clock.advance(60);
    assert_eq!(&bytes().await[..], b"second");
    assert_eq!(&bytes().await[..], b"second");
    assert_eq!(kds.asked(), 4);
}

#[tokio::test]
async fn certificates_in_the_cache_do_not_age() {
    let (kds, clock) = (Kds::start([Say::Body(b"der")]).await, clock());
    let service = service(&kds, &clock);
    service.fetch(&request()).await.unwrap();
    clock.advance(10 * 365 * 24 * 3600);
    service.fetch(&request()).await.unwrap();
    assert_eq!(kds.asked(), 1);
}

#[tokio::test]
async fn a_discarded_answer_is_fetched_anew_but_not_without_end() {
    let (kds, clock) = (Kds::start([Say::Body(b"poison"), Say::Body(b"der")]).await, clock());
    let service = service(&kds, &clock);
    service.fetch(&request()).await.unwrap();
    // Whoever sends bad evidence over and over does not make us ask over and over.
    for _ in 0..10 {
        service.discard(&request()).await;
        assert_eq!(&service.fetch(&request()).await.unwrap().bytes[..], b"poison");
    }
    assert_eq!(kds.asked(), 1);
    clock.advance(60);
    service.discard(&request()).await;
    assert_eq!(&service.fetch(&request()).await.unwrap().bytes[..], b"der");
    assert_eq!(kds.asked(), 2);
}

#[tokio::test]
async fn bad_evidence_cannot_empty_the_cache_while_the_service_is_away() {
    let script = [Say::Body(b"good"), Say::With(429, "retry-after", "600".into()), Say::Body(b"new")];
    let (kds, clock) = (Kds::start(script).await, clock());
    let service = service(&kds, &clock);
    service.fetch(&request()).await.unwrap();
    clock.advance(60);
    for _ in 0..10 {
        service.discard(&request()).await;
        let item = service.fetch(&request()).await.unwrap();
        assert_eq!((&item.bytes[..], item.origin), (&b"good"[..], CollateralOrigin::Cache));
        assert_eq!(kds.asked(), 2);
    }
    // As soon as the service answers again, the suspect is replaced.
    clock.advance(600);
    assert_eq!(&service.fetch(&request()).await.unwrap().bytes[..], b"new");
    assert_eq!(service.fetch(&request()).await.unwrap().origin, CollateralOrigin::Cache);
    assert_eq!(kds.asked(), 3);
}

#[tokio::test]
async fn a_poisoned_cache_entry_that_is_no_collateral_is_replaced() {
    let (kds, clock) = (Kds::start([Say::Body(b"der")]).await, clock());
    let cache = Arc::new(MemoryCache::default());
    let poison = Cached::new(Bytes::from_static(b"<html>"), clock.now());
    cache.put(Vendor::Amd, &request().cache_key, poison).await.unwrap();
    let service = CollateralService::builder(clock)
        .cache(Arc::clone(&cache) as Arc<dyn CollateralCache>)
        .vendor_service(Vendor::Amd, &kds.url, HttpSettings::default())
        .build()
        .unwrap();
    assert!(matches!(service.fetch(&request()).await.unwrap().origin, CollateralOrigin::Service(_)));
    assert_eq!(service.fetch(&request()).await.unwrap().origin, CollateralOrigin::Cache);
}

struct BrokenCache;

#[async_trait]
impl CollateralCache for BrokenCache {
    async fn get(&self, _: Vendor, _: &str) -> Result<Option<Cached>, String> {
        Err("the disk is full".into())
    }
    async fn put_all(&self, _: Vec<Entry>) -> Result<(), String> {
        Err("the disk is full".into())
    }
    async fn list(&self) -> Result<Vec<Listed>, String> {
        Err("the disk is full".into())
    }
    async fn note_uses(&self, _: &[Use]) -> Result<(), String> {
        Err("the disk is full".into())
    }
    async fn remove(&self, _: Vendor, _: &str) -> Result<(), String> {
        Err("the disk is full".into())
    }
}

#[tokio::test]
async fn a_cache_that_fails_is_as_good_as_none() {
    let (kds, clock) = (Kds::start([Say::Body(b"der"), Say::Status(404)]).await, clock());
    let service = CollateralService::builder(clock)
        .cache(Arc::new(BrokenCache))
        .vendor_service(Vendor::Amd, &kds.url, HttpSettings::default())
        .build()
        .unwrap();
    assert_eq!(&service.fetch(&request()).await.unwrap().bytes[..], b"der");
    service.discard(&request()).await;
    let error = service.fetch(&request()).await.unwrap_err();
    assert!(error.to_string().contains("cache: the disk is full"), "{error}");
}

#[tokio::test]
async fn what_is_not_required_may_be_missing() {
    let (kds, clock) = (Kds::start([Say::Body(b"der"), Say::Status(404)]).await, clock());
    let service = service(&kds, &clock);
    service.fetch(&request()).await.unwrap();
    let optional = CollateralRequest { required: false, ..crl() };
    let both = [request(), optional.clone()];
    assert_eq!(service.fetch_all(&both).await.unwrap().items.len(), 1);
    let gathered = service.gather(&both).await;
    assert_eq!(gathered.set.items.len(), 1);
    assert_eq!(gathered.misses[0].wanted, optional.description);
    assert!(!gathered.misses[0].required);
    let error = service.fetch_all(&[request(), crl()]).await.unwrap_err();
    assert_eq!(error.attempts().len(), 3);
    assert!(service.fetch_all(&[]).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn several_missing_pieces_are_all_named() {
    let service = CollateralService::builder(clock()).build().unwrap();
    let error = service.fetch_all(&[request(), crl()]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no VCEK of chip 1a2b: ") && text.contains(". No CRL of Milan: "), "{text}");
    assert!(error.attempts().iter().any(|attempt| attempt.source == Source::Folder));
}

#[tokio::test]
async fn paths_that_lead_away_from_the_service_are_not_asked() {
    let (kds, clock) = (Kds::start([Say::Body(b"der")]).await, clock());
    let service = service(&kds, &clock);
    let long = format!("/{}", "a".repeat(3000));
    for path in
        ["", "vcek", "@evil.example/", ".evil.example/", "/../x", "/a b", "/a\r\nb", "/a#b", "/\\evil", &long]
    {
        let request = CollateralRequest { service_path: path.into(), ..request() };
        let error = service.fetch(&request).await.unwrap_err();
        assert!(
            matches!(outcomes(&error).last(), Some(AttemptOutcome::NotLookedUp { .. })),
            "{path}: {error}"
        );
    }
    for key in [String::new(), "a\n".into(), "k".repeat(513)] {
        let request = CollateralRequest { cache_key: key, ..request() };
        assert!(service.fetch(&request).await.is_err());
    }
    assert_eq!(kds.asked(), 0);
}

#[tokio::test]
async fn tls_is_verified_against_the_given_roots_only() {
    let (right, other, misnamed) = (Identity::new(1), Identity::new(1), Identity::new(2));
    let ask = async |server: &Identity, root: &Identity| {
        let settings = HttpSettings { ca_certificates: Some(root.pem().into()), ..HttpSettings::default() };
        let service = CollateralService::builder(clock())
            .vendor_service(Vendor::Amd, server.serve("der").await, settings)
            .build()
            .unwrap();
        service.fetch(&request()).await
    };
    assert_eq!(&ask(&right, &right).await.unwrap().bytes[..], b"der");
    for (server, root) in [(&right, &other), (&misnamed, &misnamed)] {
        let error = ask(server, root).await.unwrap_err();
        assert!(matches!(outcomes(&error)[2], AttemptOutcome::Untrusted { .. }), "{error}");
        assert_eq!(error.fault(), Fault::CollateralPermanent);
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let build = |url: &str, settings: HttpSettings| {
        CollateralService::builder(clock()).vendor_service(Vendor::Amd, url, settings).build()
    };
    let plain = build("http://kdsintf.amd.com", HttpSettings::default()).unwrap_err();
    assert!(matches!(plain, ConfigurationError::PlainHttp { .. }));
    assert_eq!(plain.code(), "COL-005");
    let danger = HttpSettings { allow_plain_http_to_remote_hosts_danger: true, ..HttpSettings::default() };
    assert!(build("http://kds.example", danger).is_ok());
    for url in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1/prefix"] {
        assert!(build(url, HttpSettings::default()).is_ok(), "{url}");
    }
    for url in ["", "kds", "ftp://127.0.0.1", "http://127.0.0.1/?a=b", "http://127.0.0.1/#a", "file:///tmp"] {
        assert!(matches!(build(url, HttpSettings::default()), Err(ConfigurationError::Url { .. })), "{url}");
    }
    let error = build("https://user:geheim@kds.example", HttpSettings::default()).unwrap_err();
    assert!(!error.to_string().contains("geheim"), "{error}");
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let settings = HttpSettings { ca_certificates: Some(pem.into()), ..HttpSettings::default() };
        assert!(
            matches!(build("https://kds.example", settings), Err(ConfigurationError::Tls { .. })),
            "{pem}"
        );
    }
    let missing = CollateralService::builder(clock()).offline_folder("/nonexistent/kds-store").build();
    assert!(matches!(missing, Err(ConfigurationError::Folder { .. })));
}
