//! `assay bench`: servers of its own under load, one or several on one database. Prints requests a second,
//! latency, the servers' CPU time and statements for each request, and their memory. Everything runs on loopback, for a bounded time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use assay_client::AdminClient;
use assay_emulator::{Emulator, Seed};
use assay_types::{HashAlgorithm, RuntimeData, SecretBytes, Tee, canonical_digest, primary_runtime_data};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::cli::{BenchArgs, BenchWhat};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::process::{self, ServerProcess};

const RESOURCE: &str = "default/bench/secret";

/// The metric that counts statements.
const STATEMENTS: &str = "assay_store_statements_total";

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    clients: usize,
    requests: u64,
    per_second: f64,
    p50_us: u128,
    p99_us: u128,
    server_cpu_us: f64,
    statements: f64,
    server_rss_mib: f64,
}

/// What one client does over and over; the number is how many requests count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Auth,
    RcarSample,
    RcarSnp,
    ResourceGet,
}

impl Load {
    const ALL: [Load; 4] = [Load::Auth, Load::RcarSample, Load::RcarSnp, Load::ResourceGet];

    const fn name(self) -> &'static str {
        match self {
            Load::Auth => "auth",
            Load::RcarSample => "RCAR sample",
            Load::RcarSnp => "RCAR snp",
            Load::ResourceGet => "resource GET",
        }
    }
}

/// What all clients share.
struct Target {
    /// The replicas; each client has one.
    addrs: Vec<SocketAddr>,
    pids: Vec<u32>,
    emulator: Emulator,
    /// A token that opens [`RESOURCE`].
    token: String,
}

pub(crate) async fn run(args: &BenchArgs, out: Output) -> anyhow::Result<Exit> {
    if args.what == BenchWhat::Agent {
        return super::bench_agent::run(args, out).await;
    }
    anyhow::ensure!((1..=60).contains(&args.seconds), "--seconds is {}; expected 1 to 60", args.seconds);
    anyhow::ensure!(args.clients.iter().all(|n| (1..=256).contains(n)), "--clients: expected 1 to 256 each");
    let dir = tempfile::tempdir()?;
    let emulator = Emulator::new(Seed::DEVELOPMENT);
    let roots = dir.path().join("roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;
    // Once to make the stores, once to measure the start on existing ones.
    for first in start(args, dir.path(), &roots).await? {
        first.server.stop().await?;
    }
    let started = start(args, dir.path(), &roots).await?;
    let pids: Vec<u32> = started.iter().map(|one| one.server.pid()).collect();
    let idle = resident(&pids)?;

    let first = started.first().context("no server")?;
    let (config, data) = (dir.path().join("bench.toml"), dir.path().join("data-0"));
    let admin = crate::admin::client_of(first.server.url(), Some(&config), &data).await?;
    prepare(&admin, args.reference_values).await?;
    // The other replicas hear of it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let addrs: Vec<SocketAddr> = started.iter().map(|one| one.server.addr()).collect();
    let mut target = Target { addrs, pids: pids.clone(), emulator, token: String::new() };
    target.token = attest(&mut connect(first.server.addr()).await?, &target, Tee::Sample).await?;
    let ready = first.ready;
    let target = Arc::new(target);
    let mut rows = Vec::new();
    for load in Load::ALL {
        for &clients in &args.clients {
            output::note(format!("measuring {} with {clients} clients …", load.name()));
            rows.push(measure(load, clients, args.seconds, &target).await?);
        }
    }
    let after = resident(&pids)?;
    for one in started {
        one.server.stop().await?;
    }
    print(&rows, ready, idle, after, args, out)
}

struct Started {
    server: ServerProcess,
    ready: Duration,
}

/// Starts the replicas, all on one store.
async fn start(args: &BenchArgs, dir: &Path, roots: &Path) -> anyhow::Result<Vec<Started>> {
    anyhow::ensure!((1..=16).contains(&args.replicas), "--replicas is {}; expected 1 to 16", args.replicas);
    anyhow::ensure!(
        args.replicas == 1 || args.store_url.is_some(),
        "several replicas need a database that they share: --store-url"
    );
    let key = dir.join("key");
    let config = dir.join("bench.toml");
    let mut text = format!("[key_encryption]\nfile = {}\n", json!(key));
    if let Some(url) = &args.store_url {
        text.push_str(&format!("[store]\nurl = {}\n", json!(url)));
        if let Some(file) = &args.store_password_file {
            text.push_str(&format!("password_file = {}\n", json!(file)));
        }
    }
    output::write(&config, text.as_bytes())?;
    let mut started = Vec::new();
    for n in 0..args.replicas {
        let begin = Instant::now();
        let data = dir.join(format!("data-{n}"));
        let (config, roots) = (config.display().to_string(), roots.display().to_string());
        let server = ServerProcess::start(
            &data,
            &["--config", &config, "--danger-allow-sample", "--danger-trust-emulator", &roots],
            // The load comes from one address.
            &[("ASSAY_LIMITS__ATTESTATIONS_PER_MINUTE", "100000000"), ("ASSAY_LOG__LEVEL", "error")],
        )
        .await?;
        started.push(Started { server, ready: begin.elapsed() });
    }
    Ok(started)
}

/// The memory of all servers.
fn resident(pids: &[u32]) -> anyhow::Result<u64> {
    pids.iter().map(|pid| process::resident_bytes(*pid)).sum()
}

/// The CPU time of all servers.
fn cpu_time(pids: &[u32]) -> anyhow::Result<Duration> {
    pids.iter().map(|pid| process::cpu_time(*pid)).sum()
}

/// The statements that all servers sent to their database so far, as their metrics count them.
async fn statements(target: &Target) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for addr in &target.addrs {
        let answer = send(&mut connect(*addr).await?, Request::get("/metrics"), Bytes::new()).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let line =
            text.lines().find(|line| line.starts_with(STATEMENTS)).context("no count of statements")?;
        sum += line.rsplit(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(sum)
}

/// Reference values that make the sample and the emulated guest affirming, more that do not matter,
/// and the resource.
async fn prepare(admin: &AdminClient, count: usize) -> anyhow::Result<()> {
    let mut values = crate::commands::demo::reference_values()?;
    values.insert("launch_digest".into(), json!(["abcde"]));
    values.insert("svn".into(), json!(["1"]));
    values.insert("major_version".into(), json!(1));
    values.insert("minimum_minor_version".into(), json!(1));
    crate::admin::register(admin, &values, None).await?;
    let filler: Vec<usize> = (0..count).collect();
    for chunk in filler.chunks(5000) {
        let values = chunk.iter().map(|n| (format!("bench/value-{n}"), json!([n.to_string()]))).collect();
        crate::admin::register(admin, &values, None).await?;
    }
    admin
        .put_resource(&RESOURCE.parse()?, &SecretBytes::new(b"correct horse battery staple".to_vec()))
        .await?;
    Ok(())
}

/// A connection that is kept.
pub(super) async fn connect(addr: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // The error shows at the next request.
        let _ = connection.await;
    });
    Ok(sender)
}

async fn measure(load: Load, clients: usize, seconds: u64, target: &Arc<Target>) -> anyhow::Result<Row> {
    let sent = statements(target).await?;
    let cpu = cpu_time(&target.pids)?;
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for client in 0..clients {
        let target = Arc::clone(target);
        tasks.push(tokio::spawn(async move {
            let addr = target.addrs.get(client % target.addrs.len().max(1)).context("no server")?;
            let mut connection = connect(*addr).await?;
            let mut times = Vec::new();
            while Instant::now() < end {
                let start = Instant::now();
                once(load, &mut connection, &target).await?;
                times.push(start.elapsed().as_micros());
            }
            anyhow::Ok(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let elapsed = begin.elapsed();
    let used = cpu_time(&target.pids)?.saturating_sub(cpu);
    let sent = statements(target).await? - sent;
    times.sort_unstable();
    let count = u32::try_from(times.len())?.max(1);
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    Ok(Row {
        what: load.name(),
        clients,
        requests: u64::from(count),
        per_second: f64::from(count) / elapsed.as_secs_f64(),
        p50_us: at(50),
        p99_us: at(99),
        server_cpu_us: used.as_secs_f64() * 1e6 / f64::from(count),
        statements: sent / f64::from(count),
        server_rss_mib: mib(resident(&target.pids)?),
    })
}

async fn once(load: Load, connection: &mut SendRequest<Full<Bytes>>, target: &Target) -> anyhow::Result<()> {
    match load {
        Load::Auth => auth(connection, Tee::Sample).await.map(|_| ()),
        Load::RcarSample => attest(connection, target, Tee::Sample).await.map(|_| ()),
        Load::RcarSnp => attest(connection, target, Tee::Snp).await.map(|_| ()),
        Load::ResourceGet => {
            let request = Request::get(format!("/kbs/v0/resource/{RESOURCE}"))
                .header("authorization", format!("Bearer {}", target.token));
            send(connection, request, Bytes::new()).await.map(|_| ())
        }
    }
}

pub(super) struct Answer {
    cookie: Option<String>,
    pub(super) body: Bytes,
}

/// Sends a request and takes the answer, which must be 200.
pub(super) async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    request: hyper::http::request::Builder,
    body: Bytes,
) -> anyhow::Result<Answer> {
    let request = request.header("host", "localhost").body(Full::new(body))?;
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    let status = answer.status();
    let cookie = answer
        .headers()
        .get("set-cookie")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(str::to_owned);
    let body = answer.into_body().collect().await?.to_bytes();
    anyhow::ensure!(status == StatusCode::OK, "{status}: {}", String::from_utf8_lossy(&body));
    Ok(Answer { cookie, body })
}

async fn auth(connection: &mut SendRequest<Full<Bytes>>, tee: Tee) -> anyhow::Result<(String, String)> {
    let body = json!({ "version": assay_types::PROTOCOL_VERSION, "tee": tee, "extra-params": "" });
    let request = Request::builder()
        .method(Method::POST)
        .uri("/kbs/v0/auth")
        .header("content-type", "application/json");
    let answer = send(connection, request, Bytes::from(body.to_string())).await?;
    let challenge: Value = serde_json::from_slice(&answer.body)?;
    let nonce = challenge.get("nonce").and_then(Value::as_str).context("no nonce")?.to_owned();
    Ok((answer.cookie.context("no cookie")?, nonce))
}

async fn attest(
    connection: &mut SendRequest<Full<Bytes>>,
    target: &Target,
    tee: Tee,
) -> anyhow::Result<String> {
    let (cookie, nonce) = auth(connection, tee).await?;
    // The key of RFC 7518, appendix C: on the curve, and nobody's.
    let tee_pubkey = json!({
        "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    });
    let runtime_data = RuntimeData { nonce, tee_pubkey };
    let digest = canonical_digest(&primary_runtime_data(&runtime_data, ""), HashAlgorithm::Sha384)?;
    let evidence = target.emulator.evidence(tee, digest.as_bytes(), None, &[])?;
    let body = json!({
        "init-data": null,
        "runtime-data": runtime_data,
        "tee-evidence": { "primary_evidence": evidence, "additional_evidence": "" },
    });
    let request = Request::builder()
        .method(Method::POST)
        .uri("/kbs/v0/attest")
        .header("content-type", "application/json")
        .header("cookie", cookie);
    let answer = send(connection, request, Bytes::from(body.to_string())).await?;
    let answer: Value = serde_json::from_slice(&answer.body)?;
    Ok(answer.get("token").and_then(Value::as_str).context("no token")?.to_owned())
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn print(
    rows: &[Row],
    ready: Duration,
    idle: u64,
    after: u64,
    args: &BenchArgs,
    out: Output,
) -> anyhow::Result<Exit> {
    out.line(format!(
        "{:<14} {:>7} {:>9} {:>10} {:>9} {:>9} {:>12} {:>11} {:>9}",
        "what", "clients", "requests", "per second", "p50 µs", "p99 µs", "CPU µs each", "SQL each", "RSS MiB"
    ))?;
    for row in rows {
        out.line(format!(
            "{:<14} {:>7} {:>9} {:>10.0} {:>9} {:>9} {:>12.1} {:>11.2} {:>9.1}",
            row.what,
            row.clients,
            row.requests,
            row.per_second,
            row.p50_us,
            row.p99_us,
            row.server_cpu_us,
            row.statements,
            row.server_rss_mib
        ))?;
    }
    out.line(format!(
        "\nready on an existing store in {:.0} ms; {:.1} MiB idle, {:.1} MiB at the end; {} reference values",
        ready.as_secs_f64() * 1e3,
        mib(idle),
        mib(after),
        args.reference_values
    ))?;
    out.value(&json!({
        "rows": rows,
        "ready_ms": ready.as_secs_f64() * 1e3,
        "idle_mib": mib(idle),
        "end_mib": mib(after),
        "reference_values": args.reference_values,
        "replicas": args.replicas,
        "store": if args.store_url.is_some() { "postgresql" } else { "sqlite" },
    }))?;
    Ok(Exit::Success)
}
