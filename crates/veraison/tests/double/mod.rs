//! A double of a Veraison verification service on loopback, with faults to switch on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use assay_token::{SigningAlgorithm, SigningKey};
use assay_types::UnixTime;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

pub(crate) const SESSION: &str = "application/vnd.veraison.challenge-response-session+json";
pub(crate) const DISCOVERY: &str = "application/vnd.veraison.discovery+json";
pub(crate) const PROBLEM: &str = "application/problem+json";
/// As the service writes it: without white space.
pub(crate) const CCA: &str = "application/eat-collection;profile=\"http://arm.com/CCA-SSD/1.0.0\"";
/// What the service's clock shows.
pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum On {
    Discovery,
    NewSession,
    Evidence,
    Result,
}

/// What is said instead of the right answer.
#[derive(Clone)]
pub(crate) enum Say {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Bytes without end or announced length, of the right type.
    Endless,
    Never,
}

impl Say {
    pub(crate) fn status(code: u16) -> Say {
        Say::Answer(code, Vec::new(), String::new())
    }

    pub(crate) fn problem(code: u16, detail: &str) -> Say {
        let body = json!({"type": "about:blank", "title": "a title", "status": code, "detail": detail});
        Say::Answer(code, vec![("content-type", PROBLEM.into())], body.to_string())
    }

    pub(crate) fn with(code: u16, name: &'static str, value: &str) -> Say {
        Say::Answer(code, vec![(name, value.into())], String::new())
    }
}

/// Changes what is about to be sent.
pub(crate) type Change = Box<dyn Fn(&mut Value) + Send>;

pub(crate) struct Double {
    pub(crate) url: String,
    /// What signs the results.
    pub(crate) signer: Mutex<Arc<SigningKey>>,
    /// What discovery names.
    pub(crate) published: Mutex<Arc<SigningKey>>,
    faults: Mutex<HashMap<On, Say>>,
    session: Mutex<Change>,
    ear: Mutex<Change>,
    /// What comes out instead of the signed result.
    pub(crate) result: Mutex<Option<String>>,
    pub(crate) location: Mutex<Option<String>>,
    /// How many times the result is not ready yet.
    pub(crate) processing: AtomicUsize,
    sessions: Mutex<HashMap<String, Vec<u8>>>,
    /// How many sessions were made.
    pub(crate) made: AtomicUsize,
    /// Method and path of each request, without the query.
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) evidence: Mutex<Option<(String, Vec<u8>)>>,
}

pub(crate) fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(SigningAlgorithm::Es256).unwrap())
}

impl Double {
    pub(crate) async fn start() -> Arc<Double> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let signer = key();
        let double = Arc::new(Double {
            url: format!("http://{}/veraison", listener.local_addr().unwrap()),
            published: Mutex::new(Arc::clone(&signer)),
            signer: Mutex::new(signer),
            faults: Mutex::default(),
            session: Mutex::new(Box::new(|_| {})),
            ear: Mutex::new(Box::new(|_| {})),
            result: Mutex::default(),
            location: Mutex::default(),
            processing: AtomicUsize::new(0),
            sessions: Mutex::default(),
            made: AtomicUsize::new(0),
            log: Mutex::default(),
            evidence: Mutex::default(),
        });
        let state = Arc::clone(&double);
        let router =
            axum::Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let state = Arc::clone(&state);
                async move { state.answer(method, &uri, &headers, &body).await }
            });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        double
    }

    pub(crate) fn fault(&self, on: On, say: Say) {
        self.faults.lock().unwrap().insert(on, say);
    }

    /// Changes each session's body before it is sent.
    pub(crate) fn change_session(&self, change: impl Fn(&mut Value) + Send + 'static) {
        *self.session.lock().unwrap() = Box::new(change);
    }

    /// Changes the claims of each result before it is signed.
    pub(crate) fn change_ear(&self, change: impl Fn(&mut Value) + Send + 'static) {
        *self.ear.lock().unwrap() = Box::new(change);
    }

    pub(crate) fn asked(&self, request: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.starts_with(request)).count()
    }

    async fn answer(&self, method: Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        self.log.lock().unwrap().push(format!("{method} {}", uri.path()));
        let path = uri.path().strip_prefix("/veraison/").unwrap_or_default();
        let api = path.strip_prefix("challenge-response/v1/");
        let session = api.and_then(|path| path.strip_prefix("session/"));
        let on = match (method.as_str(), path, api, session) {
            ("GET", ".well-known/veraison/verification", ..) => On::Discovery,
            ("POST", _, Some("newSession"), _) => On::NewSession,
            ("POST", _, _, Some(_)) => On::Evidence,
            ("GET", _, _, Some(_)) => On::Result,
            ("DELETE", _, _, Some(id)) => {
                self.sessions.lock().unwrap().remove(id);
                return answer(204, &[], Body::empty());
            }
            _ => return answer(404, &[], Body::empty()),
        };
        let fault = self.faults.lock().unwrap().get(&on).cloned();
        match fault {
            None => {}
            Some(Say::Answer(code, headers, body)) => return answer(code, &headers, body.into()),
            Some(Say::Never) => return std::future::pending().await,
            Some(Say::Endless) => {
                let chunks = futures_util::stream::repeat_with(|| {
                    Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 4096]))
                });
                let (code, kind) = if on == On::NewSession { (201, SESSION) } else { (200, SESSION) };
                return answer(code, &[("content-type", kind.into())], Body::from_stream(chunks));
            }
        }
        match on {
            On::Discovery => self.discovery(),
            On::NewSession => self.new_session(uri),
            On::Evidence => self.take(session.unwrap(), headers, body),
            On::Result => self.state(session.unwrap()),
        }
    }

    fn discovery(&self) -> Response<Body> {
        let document = json!({
            "ear-verification-key": self.published.lock().unwrap().public_jwk(),
            "media-types": [CCA], "version": "1", "service-state": "READY",
            "api-endpoints": {"newChallengeResponseSession": "/challenge-response/v1/newSession"},
        });
        answer(200, &[("content-type", DISCOVERY.into())], document.to_string().into())
    }

    fn new_session(&self, uri: &Uri) -> Response<Body> {
        let nonce = uri.query().and_then(|query| query.strip_prefix("nonce=")).unwrap();
        let nonce = BASE64_URL_SAFE_NO_PAD.decode(nonce).unwrap();
        let id = format!("5d1e-{}", self.made.fetch_add(1, Ordering::SeqCst));
        let body = self.session_body(&nonce, "waiting", None);
        self.sessions.lock().unwrap().insert(id.clone(), nonce);
        let location = self.location.lock().unwrap().clone().unwrap_or(format!("session/{id}"));
        answer(201, &[("content-type", SESSION.into()), ("location", location)], body.into())
    }

    fn take(&self, id: &str, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        let kind = headers["content-type"].to_str().unwrap().to_owned();
        *self.evidence.lock().unwrap() = Some((kind, body.to_vec()));
        self.state(id)
    }

    fn state(&self, id: &str) -> Response<Body> {
        let Some(nonce) = self.sessions.lock().unwrap().get(id).cloned() else {
            return answer(404, &[("content-type", PROBLEM.into())], Body::from("{}"));
        };
        let left = self.processing.load(Ordering::SeqCst);
        if left > 0 {
            self.processing.store(left - 1, Ordering::SeqCst);
            let body = self.session_body(&nonce, "processing", None);
            return answer(202, &[("content-type", SESSION.into())], body.into());
        }
        let mut ear = good_ear(&nonce);
        (self.ear.lock().unwrap())(&mut ear);
        let signed = self.signer.lock().unwrap().sign_jwt(&Map::new(), &ear).unwrap();
        let result = self.result.lock().unwrap().clone().unwrap_or(signed);
        let body = self.session_body(&nonce, "complete", Some(result));
        answer(200, &[("content-type", SESSION.into())], body.into())
    }

    fn session_body(&self, nonce: &[u8], status: &str, result: Option<String>) -> String {
        let mut body = json!({
            "nonce": BASE64_STANDARD.encode(nonce), "expiry": "2027-01-15T08:02:30Z",
            "accept": ["application/psa-attestation-token", CCA], "status": status,
        });
        if let Some(result) = result {
            body["evidence"] = json!({"type": CCA, "value": "2QGP"});
            body["result"] = json!(result);
        }
        (self.session.lock().unwrap())(&mut body);
        body.to_string()
    }
}

/// Like the service's answer to good evidence that was made for `nonce`.
pub(crate) fn good_ear(nonce: &[u8]) -> Value {
    let mut personalisation = vec![0; 64];
    personalisation[..4].copy_from_slice(b"demo");
    json!({
        "eat_profile": "tag:github.com,2023:veraison/ear",
        "iat": NOW.0,
        "eat_nonce": BASE64_URL_SAFE.encode(nonce),
        "ear.verifier-id": {"build": "N/A", "developer": "Veraison Project"},
        "submods": {
            "CCA_SSD_PLATFORM": {
                "ear.status": "affirming",
                "ear.trustworthiness-vector": {
                    "instance-identity": 2, "configuration": 2, "executables": 2, "file-system": 0,
                    "hardware": 2, "runtime-opaque": 2, "storage-opaque": 2, "sourced-data": 0,
                },
                "ear.appraisal-policy-id": "policy:ARM_CCA",
                "ear.veraison.annotated-evidence": {
                    "cca-platform-profile": "tag:arm.com,2023:cca_platform#1.0.0",
                    "cca-platform-lifecycle": 12288,
                    "cca-platform-implementation-id": BASE64_STANDARD.encode([1; 32]),
                },
            },
            "CCA_REALM": {
                "ear.status": "affirming",
                "ear.trustworthiness-vector": {"instance-identity": 2, "executables": 2},
                "ear.appraisal-policy-id": "policy:ARM_CCA",
                "ear.veraison.annotated-evidence": {
                    "cca-realm-challenge": BASE64_STANDARD.encode(nonce),
                    "cca-realm-personalization-value": BASE64_STANDARD.encode(&personalisation),
                    "cca-realm-hash-algo-id": "sha-256",
                },
            },
        },
    })
}

fn answer(code: u16, headers: &[(&'static str, String)], body: Body) -> Response<Body> {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(body).unwrap()
}
