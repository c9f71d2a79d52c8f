//! `assay bench agent`: what the agent adds to the device's own time, what a token from its cache takes, how
//! much memory and disk it needs. The guest is simulated; everything runs on loopback, a bounded number of times.

use std::time::Instant;

use anyhow::Context as _;
use assay_emulator::{Emulator, Seed};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use serde_json::json;

use super::bench::{self, mib};
use crate::cli::BenchArgs;
use crate::exit::Exit;
use crate::guest_process::{GuestPlan, GuestProcess};
use crate::output::{self, Output};
use crate::process::{self, ServerProcess};

const INIT_DATA: &str = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n\n[data]\n";
const RULES: &str = r#"allow = ["evidence", "token"]"#;
const EVIDENCE_CALLS: u32 = 300;
const TOKEN_CALLS: u32 = 3000;

pub(super) async fn run(args: &BenchArgs, out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let roots = dir.path().join("roots.json");
    output::write(&roots, &serde_json::to_vec(&Emulator::new(Seed::DEVELOPMENT).anchors())?)?;
    let roots = roots.display().to_string();
    let server = ServerProcess::start(
        &dir.path().join("data"),
        &["--danger-trust-emulator", &roots],
        &[("ASSAY_LOG__LEVEL", "error")],
    )
    .await?;
    let guest_dir = dir.path().join("guest");
    std::fs::create_dir_all(&guest_dir)?;
    let guest = GuestProcess::start(&GuestPlan {
        dir: &guest_dir,
        url: server.url(),
        passport_url: None,
        tee: "snp",
        options: &[],
        init_data: INIT_DATA,
        rules: RULES,
        agent: args.agent.as_deref(),
    })
    .await?;
    let measured = measure(&guest).await;
    guest.stop().await?;
    server.stop().await?;
    report(args, measured?, out)
}

struct Measured {
    evidence_us: f64,
    device_us: f64,
    token_us: f64,
    idle: u64,
    end: u64,
}

async fn measure(guest: &GuestProcess) -> anyhow::Result<Measured> {
    let idle = process::resident_bytes(guest.agent_pid())?;
    let mut agent = Client::connect(guest.rest()).await?;
    let evidence_us = agent.average("/aa/evidence?runtime_data=nonce", EVIDENCE_CALLS).await?;
    let metrics = agent.get("/metrics").await?;
    let device_us = mean_of(&metrics, "assay_agent_device_duration_seconds")? * 1e6;
    // The first one attests.
    agent.get("/aa/token?token_type=kbs").await?;
    let token_us = agent.average("/aa/token?token_type=kbs", TOKEN_CALLS).await?;
    let end = process::resident_bytes(guest.agent_pid())?;
    Ok(Measured { evidence_us, device_us, token_us, idle, end })
}

fn report(args: &BenchArgs, measured: Measured, out: Output) -> anyhow::Result<Exit> {
    let Measured { evidence_us, device_us, token_us, idle, end } = measured;
    let (size, stripped) = size(args)?;
    let overhead = evidence_us - device_us;
    out.line(format!(
        "evidence, {EVIDENCE_CALLS} calls: {evidence_us:.0} µs each, of which the device {device_us:.0} µs: {overhead:.0} µs added"
    ))?;
    out.line(format!("token from the cache, {TOKEN_CALLS} calls: {token_us:.0} µs each"))?;
    out.line(format!("memory: {:.1} MiB idle, {:.1} MiB at the end", mib(idle), mib(end)))?;
    let note = if stripped { "" } else { " (with symbols: `make agent` makes the one to install)" };
    out.line(format!("program: {:.1} MiB{note}", mib(size)))?;
    out.value(&json!({
        "evidence_us": evidence_us, "device_us": device_us, "added_us": overhead, "token_us": token_us,
        "idle_mib": mib(idle), "end_mib": mib(end), "program_mib": mib(size), "stripped": stripped,
    }))?;
    Ok(Exit::Success)
}

/// The program's length in bytes, and whether it is without symbols.
fn size(args: &BenchArgs) -> anyhow::Result<(u64, bool)> {
    let program = match &args.agent {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("assay-agent"),
    };
    let bytes = output::read(&program)?;
    let symbols = bytes.windows(8).any(|window| window == b".symtab\0");
    Ok((u64::try_from(bytes.len())?, !symbols))
}

/// Sum divided by count of a histogram in the text form of OpenMetrics.
fn mean_of(metrics: &str, name: &str) -> anyhow::Result<f64> {
    let value = |suffix: &str| -> anyhow::Result<f64> {
        let line = format!("{name}{suffix} ");
        let text = metrics.lines().find_map(|text| text.strip_prefix(&line));
        Ok(text.with_context(|| format!("no {name}{suffix} in the metrics"))?.trim().parse()?)
    };
    Ok(value("_sum")? / value("_count")?.max(1.0))
}

/// One connection that is kept.
struct Client(SendRequest<Full<Bytes>>);

impl Client {
    async fn connect(address: &str) -> anyhow::Result<Self> {
        Ok(Client(bench::connect(address.parse()?).await?))
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        let answer = bench::send(&mut self.0, Request::get(path), Bytes::new()).await?;
        Ok(String::from_utf8(answer.body.to_vec())?)
    }

    /// The mean time of `calls` calls, in microseconds.
    async fn average(&mut self, path: &str, calls: u32) -> anyhow::Result<f64> {
        let begin = Instant::now();
        for _ in 0..calls {
            self.get(path).await?;
        }
        Ok(begin.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
    }
}
