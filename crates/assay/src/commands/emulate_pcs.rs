//! `assay emulate pcs`: a double of Intel's provisioning certification service.
//!
//! ```text
//! GET  /sgx|tdx/certification/v4/…   as the service answers
//! GET  /control                      {"behaviour": {…}, "requests": {"total": n, "by_path": {…}}}
//! POST /control                      {"fail_status": 503, …} changes what is named; null takes away
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_emulator::intel::PcsRequest;
use assay_emulator::{IntelSilicon, Seed};
use assay_types::Clock;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::emulate_pcs_state::{Behaviour, Change, Requests};
use crate::cli::PcsArgs;
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(args: &PcsArgs, out: Output) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        args.listen.ip().is_loopback() || args.danger_listen_anywhere,
        "{} is no loopback address: whoever reaches the double can control it; \
         --danger-listen-anywhere allows it",
        args.listen
    );
    let double = Double {
        silicon: IntelSilicon::new(Seed::from_hex(&args.seed)?),
        clock: Arc::new(SystemClock),
        state: Arc::new(Mutex::new((Behaviour::of(args), Requests::default()))),
    };
    super::emulate_server::run(args.listen, router(double), out)
}

#[derive(Clone)]
struct Double {
    silicon: IntelSilicon,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<(Behaviour, Requests)>>,
}

impl Double {
    fn state(&self) -> MutexGuard<'_, (Behaviour, Requests)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn router(double: Double) -> Router {
    Router::new().route("/control", get(look).post(change)).fallback(answer).with_state(double)
}

fn shown((behaviour, requests): &(Behaviour, Requests)) -> Json<Value> {
    Json(json!({ "behaviour": behaviour, "requests": requests }))
}

async fn look(State(double): State<Double>) -> Json<Value> {
    shown(&double.state())
}

async fn change(State(double): State<Double>, body: Bytes) -> Response {
    let change: Result<Change, String> = serde_json::from_slice(&body).map_err(|error| error.to_string());
    let mut state = double.state();
    match change.and_then(|change| change.apply(&state.0)) {
        Ok(behaviour) => {
            state.0 = behaviour;
            shown(&state).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response(),
    }
}

async fn answer(State(double): State<Double>, method: Method, uri: Uri) -> Response {
    let behaviour = {
        let mut state = double.state();
        state.1.count(uri.path());
        state.0.clone()
    };
    if behaviour.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(behaviour.delay_ms.into())).await;
    }
    let empty = |status: u16| Response::builder().status(status);
    let built = if let Some(status) = behaviour.fail_status {
        let mut response = empty(status);
        if let Some(seconds) = behaviour.retry_after {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        response.body(Body::empty())
    } else if method != Method::GET {
        empty(405).header(header::ALLOW, "GET").body(Body::empty())
    } else {
        let request = PcsRequest::new(uri.path_and_query().map_or("/", |text| text.as_str()));
        match behaviour.collateral(&double.silicon, double.clock.now()).answer(&request) {
            Ok(answer) => {
                let mut response = empty(answer.status);
                for (name, value) in &answer.headers {
                    response = response.header(*name, value);
                }
                response.body(Body::from(answer.body))
            }
            // A clock or an age beyond what certificates can say.
            Err(error) => empty(500).body(Body::from(error.to_string())),
        }
    };
    built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use assay_types::{FixedClock, UnixTime};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    const NOW: UnixTime = UnixTime(1_767_225_600);
    const TCB: &str = "/tdx/certification/v4/tcb?fmspc=00A55A000000";

    fn double() -> Router {
        let behaviour = Behaviour {
            fail_status: None,
            retry_after: None,
            delay_ms: 0,
            age_seconds: 0,
            next_update_seconds: 60,
            revoked: false,
        };
        router(Double {
            silicon: IntelSilicon::new(Seed::DEVELOPMENT),
            clock: Arc::new(FixedClock::new(NOW)),
            state: Arc::new(Mutex::new((behaviour, Requests::default()))),
        })
    }

    async fn ask(double: &Router, method: &str, uri: &str, body: &str) -> (u16, Option<String>, Vec<u8>) {
        let request = Request::builder().method(method).uri(uri).body(Body::from(body.to_owned())).unwrap();
        let response = double.clone().oneshot(request).await.unwrap();
        let retry = response.headers().get(header::RETRY_AFTER).map(|v| v.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (status, retry, axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
    }

    async fn dates(double: &Router) -> (String, String) {
        let (status, _, body) = ask(double, "GET", TCB, "").await;
        assert_eq!(status, 200);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let date = |name: &str| body["tcbInfo"][name].as_str().unwrap().to_owned();
        (date("issueDate"), date("nextUpdate"))
    }

    #[tokio::test]
    async fn it_answers_at_the_present_time_fails_on_command_and_recovers() {
        let double = double();
        assert_eq!(dates(&double).await, (NOW.to_string(), NOW.plus(60).to_string()));
        let control = ask(&double, "POST", "/control", r#"{"fail_status":429,"retry_after":9}"#).await;
        assert_eq!(control.0, 200);
        assert_eq!(ask(&double, "GET", TCB, "").await, (429, Some("9".into()), Vec::new()));
        let back = r#"{"fail_status":null,"retry_after":null,"age_seconds":61}"#;
        assert_eq!(ask(&double, "POST", "/control", back).await.0, 200);
        // Stale: the next update was due a second ago.
        assert_eq!(dates(&double).await, (NOW.plus(-61).to_string(), NOW.plus(-1).to_string()));
        assert_eq!(ask(&double, "GET", "/nothing", "").await.0, 404);
        assert_eq!(ask(&double, "POST", TCB, "").await.0, 405);
        let (_, _, counted) = ask(&double, "GET", "/control", "").await;
        let counted: Value = serde_json::from_slice(&counted).unwrap();
        assert_eq!(
            counted["requests"],
            json!({ "total": 5, "by_path": { "/tdx/certification/v4/tcb": 4, "other": 1 } })
        );
        assert_eq!(counted["behaviour"]["age_seconds"], 61);
    }

    #[tokio::test]
    async fn revocation_and_headers_come_through() {
        let double = double();
        let list = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der";
        let (_, _, plain) = ask(&double, "GET", list, "").await;
        assert_eq!(ask(&double, "POST", "/control", r#"{"revoked":true}"#).await.0, 200);
        let (_, _, revoked) = ask(&double, "GET", list, "").await;
        assert!(revoked.len() > plain.len() + 7 * 20);
        let request = Request::builder().uri(TCB).body(Body::empty()).unwrap();
        let response = double.oneshot(request).await.unwrap();
        assert!(
            response.headers()["tcb-info-issuer-chain"].to_str().unwrap().starts_with("-----BEGIN%20CERT")
        );
    }

    #[tokio::test]
    async fn nonsense_changes_nothing() {
        let double = double();
        let (status, _, body) = ask(&double, "POST", "/control", r#"{"fail_status":99}"#).await;
        assert_eq!(status, 400);
        assert_eq!(body, br#"{"error":"fail_status is 99, not 400 to 599"}"#);
        assert_eq!(ask(&double, "GET", TCB, "").await.0, 200);
    }

    #[tokio::test]
    async fn it_can_be_slow() {
        let double = double();
        assert_eq!(ask(&double, "POST", "/control", r#"{"delay_ms":150}"#).await.0, 200);
        let before = std::time::Instant::now();
        assert_eq!(ask(&double, "GET", TCB, "").await.0, 200);
        assert!(before.elapsed() >= Duration::from_millis(150));
    }
}
