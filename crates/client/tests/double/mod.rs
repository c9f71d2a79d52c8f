//! A key broker service on loopback that does what the test wants and writes down what it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_client::{EvidenceError, EvidenceProvider, KbsClient, KbsClientBuilder, RetryPolicy, Waiting};
use assay_types::{Clock, Digest, FixedClock, InitDataMessage, Tee, TeePubKey, UnixTime};
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The present of all tests, 2026-03-01T12:00:00Z.
pub(crate) const NOW: i64 = 1_772_366_400;
/// How long the double's tokens are valid, in seconds.
pub(crate) const LIFETIME: i64 = 300;
pub(crate) const SECRET: &[u8] = b"the secret of r/t/t";

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Asked {
    /// `POST /kbs/v0/auth`, query included.
    pub(crate) what: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer that the test prescribes.
#[derive(Clone, Default)]
pub(crate) struct Say {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes without end.
    pub(crate) endless: bool,
}

impl Say {
    pub(crate) fn json(status: u16, body: &Value) -> Say {
        Say { status, body: body.to_string().into_bytes(), ..Say::default() }
    }

    /// An error as servers of this protocol send it.
    pub(crate) fn problem(status: u16, variant: &str, detail: &str) -> Say {
        let kind = format!("https://github.com/confidential-containers/kbs/errors/{variant}");
        Say::json(status, &json!({ "type": kind, "detail": detail }))
    }

    pub(crate) fn text(status: u16, body: &str) -> Say {
        Say { status, body: body.into(), ..Say::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Say {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) asked: Vec<Asked>,
    /// By path; when there is none, the double does its part of the protocol.
    script: HashMap<String, VecDeque<Say>>,
    pub(crate) key: Option<TeePubKey>,
    tokens: usize,
    pub(crate) challenge_extra: Value,
    /// Claims that replace or join the token's.
    pub(crate) claims: Option<Value>,
}

pub(crate) struct Kbs {
    pub(crate) url: String,
    pub(crate) state: Mutex<State>,
    pub(crate) clock: Arc<FixedClock>,
    /// While it is set, `attest` takes a permit first.
    pub(crate) gate: Mutex<Option<Arc<Semaphore>>>,
}

impl Kbs {
    pub(crate) async fn start() -> Arc<Kbs> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kbs = Arc::new(Kbs {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Mutex::new(State { challenge_extra: json!(""), ..State::default() }),
            clock: Arc::new(FixedClock::new(UnixTime(NOW))),
            gate: Mutex::default(),
        });
        let state = Arc::clone(&kbs);
        let router = axum::Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&state);
            async move { state.answer(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        kbs
    }

    /// Prescribes the next answers to requests for `path`.
    pub(crate) fn script(&self, path: &str, says: impl IntoIterator<Item = Say>) {
        self.state.lock().unwrap().script.entry(path.to_owned()).or_default().extend(says);
    }

    pub(crate) fn asked(&self, what: &str) -> Vec<Asked> {
        self.state.lock().unwrap().asked.iter().filter(|asked| asked.what == what).cloned().collect()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.asked(what).len()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.iter().map(|asked| asked.what.clone()).collect()
    }

    pub(crate) async fn until(&self, what: &str, times: usize) {
        while self.count(what) < times {
            tokio::task::yield_now().await;
        }
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec();
        let path = parts.uri.path().to_owned();
        let what = format!("{} {}", parts.method, parts.uri);
        let asked = Asked { what, headers: parts.headers, body };
        self.state.lock().unwrap().asked.push(asked.clone());
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate.filter(|_| path.ends_with("/attest") || path.ends_with("/attestation")) {
            gate.acquire().await.unwrap().forget();
        }
        let say = self.prescribed(&path).unwrap_or_else(|| self.by_protocol(&path, &asked));
        let mut response = Response::builder().status(StatusCode::from_u16(say.status).unwrap());
        for (name, value) in say.headers {
            response = response.header(name, value);
        }
        if say.endless {
            let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65536]));
            return response.body(Body::from_stream(chunks)).unwrap();
        }
        response.body(Body::from(say.body)).unwrap()
    }

    fn prescribed(&self, path: &str) -> Option<Say> {
        self.state.lock().unwrap().script.get_mut(path)?.pop_front()
    }

    fn by_protocol(&self, path: &str, asked: &Asked) -> Say {
        let mut state = self.state.lock().unwrap();
        match path {
            "/kbs/v0/auth" => {
                Say::json(200, &json!({ "nonce": "bm9uY2U=", "extra-params": state.challenge_extra }))
                    .with("set-cookie", "kbs-session-id=5f0c; Expires=Fri, 21 Aug 2026 10:05:00 GMT")
            }
            "/kbs/v0/attest" => {
                let token = self.token(&mut state, &asked.json()["runtime-data"]);
                Say::json(200, &json!({ "token": token }))
            }
            "/challenge" => Say::text(200, "a challenge"),
            "/attestation" => {
                let runtime_data = &asked.json()["verification_requests"][0]["runtime_data"];
                Say::text(200, &self.token(&mut state, &runtime_data["structured"]))
            }
            "/kbs/v0/resource/r/t/t" | "/kbs/v0/pki/ca/sign" => {
                let jwe = assay_token::jwe::encrypt(state.key.as_ref().unwrap(), SECRET).unwrap();
                Say::json(200, &serde_json::to_value(jwe).unwrap())
            }
            "/kbs/v0/verdict" => Say::json(200, &json!({ "findings": [] })),
            _ => Say::problem(404, "InvalidRequestPath", "nothing here"),
        }
    }
}

impl Kbs {
    /// A token for the key in `runtime_data`, which secrets are encrypted to from now on.
    fn token(&self, state: &mut State, runtime_data: &Value) -> String {
        state.key = Some(serde_json::from_value(runtime_data["tee-pubkey"].clone()).unwrap());
        state.tokens += 1;
        let mut claims = json!({
            "jti": format!("token-{}", state.tokens),
            "iat": self.clock.now().0,
            "exp": self.clock.now().0 + LIFETIME,
        });
        if let Some(Value::Object(more)) = state.claims.clone() {
            claims.as_object_mut().unwrap().extend(more);
        }
        jwt(&claims)
    }
}

/// A token of the form that clients read; nobody verifies it here.
pub(crate) fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&json!({ "alg": "ES256" })),
        part(claims),
        BASE64_URL_SAFE_NO_PAD.encode([7; 64])
    )
}

/// Gives the digest back as evidence, and notes what it was asked.
#[derive(Default)]
pub(crate) struct Guest {
    pub(crate) digests: Mutex<Vec<Digest>>,
    pub(crate) device_digests: Mutex<Vec<Digest>>,
    pub(crate) additional: String,
    pub(crate) init_data: Option<InitDataMessage>,
    pub(crate) fails: Mutex<Option<&'static str>>,
}

#[async_trait]
impl EvidenceProvider for Guest {
    fn tee(&self) -> Tee {
        Tee::Sample
    }

    async fn evidence(&self, runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        if let Some(why) = *self.fails.lock().unwrap() {
            return Err(EvidenceError::new(why));
        }
        self.digests.lock().unwrap().push(runtime_digest.clone());
        Ok(json!({ "svn": "1", "report_data": runtime_digest.to_hex() }))
    }

    async fn additional_evidence(&self, digest: &Digest) -> Result<String, EvidenceError> {
        self.device_digests.lock().unwrap().push(digest.clone());
        Ok(self.additional.clone())
    }

    fn init_data(&self) -> Option<InitDataMessage> {
        self.init_data.clone()
    }
}

/// Does not wait, and notes how long it should have.
#[derive(Default)]
pub(crate) struct Waits(pub(crate) Mutex<Vec<Duration>>);

#[async_trait]
impl Waiting for Waits {
    async fn wait(&self, time: Duration) {
        self.0.lock().unwrap().push(time);
        tokio::task::yield_now().await;
    }

    /// The longest, so that the waits of a test are known.
    fn jitter(&self, most: Duration) -> Duration {
        most
    }
}

/// A double, a guest and what the client's waits were.
pub(crate) struct World {
    pub(crate) kbs: Arc<Kbs>,
    pub(crate) guest: Arc<Guest>,
    pub(crate) waits: Arc<Waits>,
}

impl World {
    pub(crate) async fn new() -> World {
        World::with(Guest::default()).await
    }

    pub(crate) async fn with(guest: Guest) -> World {
        World { kbs: Kbs::start().await, guest: Arc::new(guest), waits: Arc::default() }
    }

    pub(crate) fn builder(&self) -> KbsClientBuilder {
        self.set(KbsClient::builder(&self.kbs.url).unwrap())
    }

    /// With the guest, clock and waits of this world.
    pub(crate) fn set(&self, builder: KbsClientBuilder) -> KbsClientBuilder {
        builder
            .evidence_provider(Arc::clone(&self.guest) as Arc<dyn EvidenceProvider>)
            .clock(Arc::clone(&self.kbs.clock) as Arc<dyn Clock>)
            .waiting(Arc::clone(&self.waits) as Arc<dyn Waiting>)
            // Far away: only the number of attempts ends a retry here.
            .retry(RetryPolicy { deadline: Duration::from_secs(600), ..RetryPolicy::default() })
    }

    pub(crate) fn client(&self) -> KbsClient {
        self.builder().build().unwrap()
    }

    pub(crate) fn waited(&self) -> Vec<u128> {
        self.waits.0.lock().unwrap().iter().map(Duration::as_millis).collect()
    }
}
