//! A double of a vendor's service on loopback that answers as a test says, and an inspector that
//! believes bodies of the form `good <not before> <not after> …`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use assay_types::{
    CollateralInspector, CollateralKind, CollateralRequest, ServedCollateral, UnixTime, Validity, Vendor,
};
use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// An answer.
#[derive(Clone, Default)]
pub(crate) struct Say {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether it waits for [`Double::open`].
    pub(crate) gated: bool,
}

impl Say {
    pub(crate) fn body(body: impl AsRef<[u8]>) -> Say {
        Say { status: 200, body: body.as_ref().to_vec(), ..Say::default() }
    }

    pub(crate) fn status(status: u16) -> Say {
        Say { status, ..Say::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Say {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn gated(mut self) -> Say {
        self.gated = true;
        self
    }
}

/// The service.
pub(crate) struct Double {
    pub(crate) url: String,
    say: Mutex<(HashMap<String, Say>, Say)>,
    asked: Mutex<Vec<(String, HeaderMap)>>,
    gate: Semaphore,
}

impl Double {
    /// Answers everything with `say`.
    pub(crate) async fn start(say: Say) -> Arc<Double> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let double = Arc::new(Double {
            url: format!("http://{}", listener.local_addr().unwrap()),
            say: Mutex::new((HashMap::new(), say)),
            asked: Mutex::default(),
            gate: Semaphore::new(0),
        });
        let state = Arc::clone(&double);
        let router = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            let state = Arc::clone(&state);
            async move { state.answer(&uri, headers).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        double
    }

    /// Answers everything with `say` from now on.
    pub(crate) fn say(&self, say: Say) {
        *self.say.lock().unwrap() = (HashMap::new(), say);
    }

    /// Answers this path and query with `say` from now on.
    pub(crate) fn say_at(&self, path: &str, say: Say) {
        self.say.lock().unwrap().0.insert(path.into(), say);
    }

    async fn answer(&self, uri: &Uri, headers: HeaderMap) -> Response<Body> {
        self.asked.lock().unwrap().push((uri.to_string(), headers));
        let say = {
            let say = self.say.lock().unwrap();
            say.0.get(&uri.to_string()).unwrap_or(&say.1).clone()
        };
        if say.gated {
            self.gate.acquire().await.unwrap().forget();
        }
        let mut answer = Response::builder().status(StatusCode::from_u16(say.status).unwrap());
        for (name, value) in say.headers {
            answer = answer.header(name, value);
        }
        answer.body(Body::from(say.body)).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<(String, HeaderMap)> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) async fn until_asked(&self, times: usize) {
        while self.count() < times {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(1000);
    }
}

/// Believes `good <not before> <not after> …`.
pub(crate) struct Inspector;

impl CollateralInspector for Inspector {
    fn inspect(&self, _: &CollateralRequest, bytes: &[u8]) -> Result<Validity, String> {
        let body = ServedCollateral::from_bytes(bytes).map_or_else(|| bytes.to_vec(), |served| served.body);
        let text = String::from_utf8_lossy(&body).into_owned();
        let mut words = text.split(' ');
        let time = |word: Option<&str>| word.and_then(|w| w.parse().ok()).map(UnixTime);
        match (words.next(), time(words.next()), time(words.next())) {
            (Some("good"), Some(not_before), Some(not_after)) => Ok(Validity { not_before, not_after }),
            _ => Err("nobody signed it".into()),
        }
    }
}

/// A request for TCB information named `name`.
pub(crate) fn request(name: &str) -> CollateralRequest {
    CollateralRequest {
        vendor: Vendor::Intel,
        kind: CollateralKind::TcbInformation,
        description: format!("TCB info {name}"),
        cache_key: format!("tcb-info/{name}"),
        offline_paths: vec![format!("intel/{name}.json")],
        service_path: format!("/tdx/certification/v4/tcb?fmspc={name}"),
        chain_headers: vec!["TCB-Info-Issuer-Chain".into(), "SGX-TCB-Info-Issuer-Chain".into()],
        required: true,
        max_len: 4096,
    }
}

/// The body of a served piece.
pub(crate) fn body(bytes: &[u8]) -> String {
    String::from_utf8(ServedCollateral::from_bytes(bytes).unwrap().body).unwrap()
}
