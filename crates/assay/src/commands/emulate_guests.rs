//! `assay emulate guests`: many guests against one address behind which there may be many replicas. Each
//! attests and fetches a resource, begins again when a server fails it, and looks hard at what it gets.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use assay_emulator::{Emulator, Seed};
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{HashAlgorithm, Response, RuntimeData, Tee, canonical_digest, primary_runtime_data};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::bench::connect;
use crate::cli::GuestsArgs;
use crate::exit::Exit;
use crate::output::{self, Output};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a guest waits before it tries again.
const PAUSE: Duration = Duration::from_millis(150);

/// One guest in so many sends its evidence several times at once.
const RACERS: u64 = 8;

/// What all guests found.
#[derive(Default)]
struct Tally {
    attested: AtomicU64,
    fetched: AtomicU64,
    retries: AtomicU64,
    replays_refused: AtomicU64,
    races: AtomicU64,
    token_ids: Mutex<HashSet<String>>,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    fn wrong(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// What every guest needs.
struct Field {
    addr: SocketAddr,
    emulator: Emulator,
    tee: Tee,
    get: String,
    expected: Vec<u8>,
    until: Instant,
    tally: Tally,
}

/// An answer; a connection that fails is none.
struct Answer {
    status: u16,
    cookie: Option<String>,
    body: Bytes,
}

pub(crate) fn run(args: &GuestsArgs, out: Output) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(play(args, out))
}

async fn play(args: &GuestsArgs, out: Output) -> anyhow::Result<Exit> {
    anyhow::ensure!((1..=1_000_000).contains(&args.count), "--count: expected 1 to 1000000");
    anyhow::ensure!((1..=256).contains(&args.clients), "--clients: expected 1 to 256");
    let field = Arc::new(Field {
        addr: args.addr,
        emulator: Emulator::new(Seed::from_hex(&args.seed)?),
        tee: args.tee,
        get: args.get.clone(),
        expected: output::read(&args.expect)?,
        until: Instant::now() + Duration::from_secs(args.within_seconds),
        tally: Tally::default(),
    });
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let mut guests = Vec::new();
    for _ in 0..args.clients {
        let (field, next, count) = (Arc::clone(&field), Arc::clone(&next), args.count);
        guests.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                if let Err(error) = guest(&field, number).await {
                    field.tally.wrong(format!("guest {number}: {error:#}"));
                }
            }
        }));
    }
    for guest in guests {
        guest.await?;
    }
    report(&field.tally, args.count, begin.elapsed(), out)
}

fn report(tally: &Tally, count: u64, took: Duration, out: Output) -> anyhow::Result<Exit> {
    let wrong = tally.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for text in wrong.iter().take(20) {
        out.line(format!("WRONG  {text}"))?;
    }
    out.line(format!(
        "{count} guests in {:.1} s: {} attested, {} fetched what was expected, {} tries anew, {} replays refused, \
         {} races won once, {} wrong",
        took.as_secs_f64(),
        of(&tally.attested),
        of(&tally.fetched),
        of(&tally.retries),
        of(&tally.replays_refused),
        of(&tally.races),
        wrong.len()
    ))?;
    out.value(&json!({
        "guests": count,
        "seconds": took.as_secs_f64(),
        "attested": of(&tally.attested),
        "fetched": of(&tally.fetched),
        "retries": of(&tally.retries),
        "replays_refused": of(&tally.replays_refused),
        "races": of(&tally.races),
        "wrong": wrong,
    }))?;
    Ok(if wrong.is_empty() && of(&tally.fetched) == count { Exit::Success } else { Exit::Failure })
}

/// One guest's life. An error is what no failing server explains.
async fn guest(field: &Field, number: u64) -> anyhow::Result<()> {
    let key = DecryptionKey::generate(KeyAlgorithm::EcdhP256)?;
    loop {
        anyhow::ensure!(Instant::now() < field.until, "not done in time");
        let Some(cookie) = attested(field, number, &key).await? else {
            field.tally.retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        field.tally.attested.fetch_add(1, Ordering::Relaxed);
        if fetched(field, &key, &cookie).await? {
            field.tally.fetched.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
    }
}

/// A challenge, evidence, a token. Returns the session's cookie; `None` to begin again.
async fn attested(field: &Field, number: u64, key: &DecryptionKey) -> anyhow::Result<Option<String>> {
    let body = json!({ "version": assay_types::PROTOCOL_VERSION, "tee": field.tee, "extra-params": "" });
    let Some(answer) = call(field, Method::POST, "/kbs/v0/auth", None, body.to_string()).await else {
        return Ok(None);
    };
    if is_trouble(answer.status) {
        return Ok(None);
    }
    anyhow::ensure!(answer.status == 200, "auth: {}", described(&answer));
    let challenge: Value = serde_json::from_slice(&answer.body)?;
    let nonce = challenge.get("nonce").and_then(Value::as_str).context("no nonce")?.to_owned();
    let cookie = answer.cookie.context("no cookie")?;

    let runtime_data = RuntimeData { nonce, tee_pubkey: serde_json::to_value(key.public_jwk())? };
    let digest = canonical_digest(&primary_runtime_data(&runtime_data, ""), HashAlgorithm::Sha384)?;
    let evidence = field.emulator.evidence(field.tee, digest.as_bytes(), None, &[])?;
    let body = json!({
        "init-data": null,
        "runtime-data": runtime_data,
        "tee-evidence": { "primary_evidence": evidence, "additional_evidence": "" },
    })
    .to_string();
    let send = || call(field, Method::POST, "/kbs/v0/attest", Some(&cookie), body.clone());
    let racing = number.is_multiple_of(RACERS);
    let mut answers = if racing {
        let (one, two, three) = tokio::join!(send(), send(), send());
        vec![one, two, three]
    } else {
        vec![send().await]
    };
    // One that got no answer may have been the one that won.
    let unknown = answers.iter().any(Option::is_none);
    let mut tokens = Vec::new();
    for answer in answers.drain(..).flatten() {
        match answer.status {
            200 => tokens.push(token(&answer)?),
            _ if is_used(&answer) => {}
            status if is_trouble(status) => {}
            _ => anyhow::bail!("attest: {}", described(&answer)),
        }
    }
    anyhow::ensure!(tokens.len() <= 1, "one challenge gave {} tokens", tokens.len());
    if racing && tokens.len() == 1 && !unknown {
        field.tally.races.fetch_add(1, Ordering::Relaxed);
    }
    let Some(token) = tokens.pop() else { return Ok(None) };
    let fresh =
        field.tally.token_ids.lock().unwrap_or_else(PoisonError::into_inner).insert(token_id(&token)?);
    anyhow::ensure!(fresh, "a token was given twice");
    // Once more, at whatever replica: the challenge is used.
    if let Some(answer) = send().await {
        anyhow::ensure!(answer.status != 200, "a used challenge gave another token");
        if is_used(&answer) {
            field.tally.replays_refused.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(Some(cookie))
}

/// Fetches the resource and compares. `false` when the session is not known any more.
async fn fetched(field: &Field, key: &DecryptionKey, cookie: &str) -> anyhow::Result<bool> {
    let path = format!("/kbs/v0/resource/{}", field.get);
    loop {
        anyhow::ensure!(Instant::now() < field.until, "the resource was not had in time");
        match call(field, Method::GET, &path, Some(cookie), String::new()).await {
            Some(answer) if answer.status == 200 => {
                let message: Response = serde_json::from_slice(&answer.body)?;
                let value = key.decrypt(&message)?;
                anyhow::ensure!(value.expose() == field.expected, "the resource is another");
                return Ok(true);
            }
            Some(answer) if answer.status == 401 => {
                anyhow::bail!("an acknowledged session was lost: {}", described(&answer))
            }
            Some(answer) if !is_trouble(answer.status) => anyhow::bail!("resource: {}", described(&answer)),
            _ => {
                field.tally.retries.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the server says that the challenge was used before.
fn is_used(answer: &Answer) -> bool {
    let code = serde_json::from_slice::<Value>(&answer.body).ok();
    code.is_some_and(|body| body.get("code") == Some(&json!("KBS-010")))
}

/// Whether to try again: the server, or what it depends on, is in trouble, or busy.
fn is_trouble(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

fn described(answer: &Answer) -> String {
    format!(
        "{}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>()
    )
}

fn token(answer: &Answer) -> anyhow::Result<String> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    Ok(body.get("token").and_then(Value::as_str).context("no token")?.to_owned())
}

fn token_id(token: &str) -> anyhow::Result<String> {
    let claims = token.split('.').nth(1).context("no claims")?;
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims)?)?;
    Ok(claims.get("jti").and_then(Value::as_str).context("no jti")?.to_owned())
}

/// One request on a connection of its own, so that each may reach another replica. `None` when the
/// connection fails.
async fn call(
    field: &Field,
    method: Method,
    path: &str,
    cookie: Option<&str>,
    body: String,
) -> Option<Answer> {
    let exchange = async {
        let mut connection = connect(field.addr).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("connection", "close")
            .header("content-type", "application/json");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let answer = connection.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = answer.status().as_u16();
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(';').next())
            .map(str::to_owned);
        let body = answer.into_body().collect().await?.to_bytes();
        anyhow::Ok(Answer { status, cookie, body })
    };
    tokio::time::timeout(PATIENCE, exchange).await.ok()?.ok()
}
