//! A double of Intel's service on loopback: the emulator's answers.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use assay_emulator::Seed;
use assay_emulator::intel::{IntelSilicon, PcsRequest};
use assay_types::{UnixTime, Validity};
use axum::body::Body;
use axum::http::{HeaderMap, Response, Uri};
use tokio::net::TcpListener;

use super::site::SEED;

pub(crate) struct Pcs {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Pcs {
    /// Serves what the emulated Intel published at the beginning of `validity`.
    pub(crate) async fn start(validity: Validity) -> Pcs {
        let silicon = IntelSilicon::new(Seed::from_hex(SEED).unwrap());
        let collateral = Arc::new(silicon.collateral(&silicon.platform(), validity));
        let asked: Arc<Mutex<Vec<(String, HeaderMap)>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::clone(&asked);
        let router = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            seen.lock().unwrap().push((uri.to_string(), headers));
            let answer = collateral.answer(&PcsRequest::new(&uri.to_string())).unwrap();
            let mut response = Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                response = response.header(*name, value);
            }
            let response = response.body(Body::from(answer.body)).unwrap();
            async move { response }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Pcs { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.asked.lock().unwrap().clone()
    }
}

/// From so many seconds after now to so many.
pub(crate) fn around_now(from: i64, to: i64) -> Validity {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    Validity { not_before: UnixTime(now + from), not_after: UnixTime(now + to) }
}
