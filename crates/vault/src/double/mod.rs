//! A double of Vault: a server on loopback that speaks its API, keeps everything in memory and fails on
//! command.
//!
//! It serves what this crate asks for, with the paths, statuses and JSON of the real one: `sys/health`,
//! token, AppRole and Kubernetes login, a KV engine of each version, a transit engine.
//!
//! ```text
//! GET  /control    {"behaviour": {…}, "requests": {"GET secret/data/a": n, …}, "tokens": n}
//! POST /control    {"sealed": true, …} changes what is named; {"expire_tokens": true} ends every token
//! ```

mod answer;
mod auth;
mod behaviour;
mod kv;
mod transit;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_types::Clock;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use behaviour::Behaviour;

use answer::{denied, failed, no_route, sealed, shown, with_status};
use auth::Tokens;
use transit::TransitKeys;

/// The most paths whose requests are counted one by one.
const MAX_COUNTED: usize = 10_000;

/// What the double knows at its start.
#[derive(Clone, Debug)]
pub struct DoubleSettings {
    /// A token that may do everything and has no end.
    pub token: String,
    /// The AppRole's id.
    pub role_id: String,
    /// The AppRole's secret id.
    pub secret_id: String,
    /// The Kubernetes role.
    pub kubernetes_role: String,
    /// The service account's token that the role takes.
    pub kubernetes_jwt: String,
    /// Where the KV engine of version 1 is mounted.
    pub kv1_mount: String,
    /// Where the KV engine of version 2 is mounted.
    pub kv2_mount: String,
    /// Where the transit engine is mounted.
    pub transit_mount: String,
    /// The keys of the transit engine.
    pub transit_keys: Vec<String>,
    /// The namespace that requests must name.
    pub namespace: Option<String>,
}

impl Default for DoubleSettings {
    fn default() -> Self {
        DoubleSettings {
            token: "hvs.double".into(),
            role_id: "assay-role".into(),
            secret_id: "assay-secret-id".into(),
            kubernetes_role: "assay".into(),
            kubernetes_jwt: "double.service.account".into(),
            kv1_mount: "kv1".into(),
            kv2_mount: "secret".into(),
            transit_mount: "transit".into(),
            transit_keys: vec!["assay".into()],
            namespace: None,
        }
    }
}

/// The double. A clone is another handle of the same.
#[derive(Clone)]
pub struct Double {
    settings: Arc<DoubleSettings>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<Inside>>,
}

struct Inside {
    behaviour: Behaviour,
    requests: BTreeMap<String, u64>,
    tokens: Tokens,
    kv1: kv::Kv1,
    kv2: kv::Kv2,
    transit: TransitKeys,
}

/// A request below `/v1/`, as the engines see it.
struct Request<'a> {
    method: &'a Method,
    /// Without `/v1/`.
    path: &'a str,
    /// Whether it is a listing: the method LIST, or `?list=true`.
    list: bool,
    body: Value,
    now: i64,
}

impl Request<'_> {
    /// Whether it writes: POST and PUT mean the same.
    fn writes(&self) -> bool {
        matches!(*self.method, Method::POST | Method::PUT)
    }
}

impl Double {
    /// A double with these settings.
    ///
    /// # Errors
    /// Why no key of the transit engine could be made.
    pub fn new(settings: DoubleSettings, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let inside = Inside {
            behaviour: Behaviour::default(),
            requests: BTreeMap::new(),
            tokens: Tokens::new(&settings.token),
            kv1: kv::Kv1::default(),
            kv2: kv::Kv2::default(),
            transit: TransitKeys::new(&settings.transit_keys)?,
        };
        Ok(Double { settings: Arc::new(settings), clock, state: Arc::new(Mutex::new(inside)) })
    }

    /// Serves on a free port of loopback; its address, and the task that serves.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(&self) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = self.router();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the double of Vault ended");
            }
        });
        Ok((address, task))
    }

    /// What it serves.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/control", get(look).post(change))
            .fallback(serve)
            .layer(DefaultBodyLimit::max(32 << 20))
            .with_state(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, Inside> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// Ends every token but the one of the settings.
    pub fn expire_tokens(&self) {
        self.state().tokens.expire(&self.settings.token);
    }

    /// Makes a token that lives for so many seconds (0: without an end).
    pub fn make_token(&self, seconds: i64, renewable: bool) -> String {
        let now = self.clock.now().0;
        self.state().tokens.make(seconds, renewable, now)
    }

    /// Makes a new version of a transit key.
    ///
    /// # Errors
    /// When there is no such key, or no random bytes are to be had.
    pub fn rotate_transit_key(&self, key: &str) -> Result<(), String> {
        self.state().transit.rotate(key)
    }

    /// How often `"<METHOD> <path>"` was asked; listings count as `LIST`.
    pub fn requests(&self, what: &str) -> u64 {
        self.state().requests.get(what).copied().unwrap_or_default()
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
        let Some(path) = uri.path().strip_prefix("/v1/") else { return no_route(uri.path()) };
        let mut inside = self.state();
        let inside = &mut *inside;
        if path == "sys/health" {
            return inside.behaviour.health();
        }
        if inside.behaviour.sealed {
            return sealed();
        }
        if let Some(answer) = inside.behaviour.instead(path) {
            return answer;
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if self.settings.namespace.as_deref()
            != header("x-vault-namespace").map(|text| text.trim_matches('/'))
        {
            return denied(false);
        }
        let Ok(body) = (if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) }) else {
            return failed(400, "error parsing JSON");
        };
        let list = method.as_str() == "LIST" || uri.query() == Some("list=true");
        let request = Request { method, path, list, body, now: self.clock.now().0 };
        if let Some(answer) = inside.tokens.login(&request, &self.settings, &inside.behaviour) {
            return answer;
        }
        let Some(token) = header("x-vault-token").filter(|token| inside.tokens.is_valid(token, request.now))
        else {
            return denied(!inside.behaviour.vague);
        };
        if inside.behaviour.denies(path) {
            return denied(false);
        }
        if let Some(answer) = inside.tokens.own(&request, token) {
            return answer;
        }
        if let Some(mount) = path.strip_prefix("sys/internal/ui/mounts/") {
            return self.mount(mount);
        }
        let settings = &self.settings;
        let below = |mount: &str| path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/'));
        if let Some(rest) = below(&settings.kv1_mount) {
            return inside.kv1.answer(&request, rest);
        }
        if let Some(rest) = below(&settings.kv2_mount) {
            return inside.kv2.answer(&request, rest);
        }
        if let Some(rest) = below(&settings.transit_mount) {
            return inside.transit.answer(&request, rest);
        }
        no_route(path)
    }

    /// The "preflight" that tells which engine is mounted.
    fn mount(&self, mount: &str) -> Response {
        let settings = &self.settings;
        let (engine, options) = if mount == settings.kv1_mount {
            ("kv", json!({ "version": "1" }))
        } else if mount == settings.kv2_mount {
            ("kv", json!({ "version": "2" }))
        } else if mount == settings.transit_mount {
            ("transit", Value::Null)
        } else {
            let why = format!(
                "preflight capability check returned 403, please ensure client's policies grant access to path \"{mount}/\""
            );
            return failed(403, &why);
        };
        answer::data(
            json!({ "path": format!("{mount}/"), "type": engine, "options": options, "description": "" }),
        )
    }
}

async fn serve(
    State(double): State<Double>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let delay = {
        let mut inside = double.state();
        let list = method.as_str() == "LIST" || uri.query() == Some("list=true");
        let what = if list { "LIST" } else { method.as_str() };
        let what = format!("{what} {}", uri.path().trim_start_matches("/v1/"));
        if inside.requests.len() < MAX_COUNTED || inside.requests.contains_key(&what) {
            *inside.requests.entry(what).or_default() += 1;
        }
        inside.behaviour.delay_ms
    };
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay.into())).await;
    }
    double.answer(&method, &uri, &headers, &body)
}

async fn look(State(double): State<Double>) -> Response {
    shown(&double.state())
}

async fn change(State(double): State<Double>, body: Bytes) -> Response {
    let mut change: serde_json::Map<String, Value> = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return failed(400, &error.to_string()),
    };
    if change.remove("expire_tokens") == Some(Value::Bool(true)) {
        double.expire_tokens();
    }
    let mut inside = double.state();
    match inside.behaviour.changed(change) {
        Ok(behaviour) => {
            inside.behaviour = behaviour;
            shown(&inside)
        }
        Err(error) => with_status(400, &json!({ "errors": [error] })),
    }
}
