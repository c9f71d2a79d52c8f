//! The demonstration of the agent: a server, a guest's kernel files, the agent in between, and `curl` as
//! the workload. Every part is a process of its own, as it would be.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use assay_emulator::{Emulator, Seed};
use assay_token::{JwkSet, TokenVerifier, TrustedKeys};
use assay_types::{Clock as _, SecretBytes, Tee};
use serde_json::{Value, json};
use tokio::process::Command;

use super::intel::{INIT_DATA, OTHER_48, reference_values};
use super::story::{indent, problem_findings, shortened};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::guest_process::{GuestPlan, GuestProcess};
use crate::output::{self, Output};
use crate::process::ServerProcess;

const RESOURCE: &str = "default/disk/key";
const SECRET: &str = "the disk key of tenant A";
const EVENT: &str = r#"{"domain":"example.com","operation":"Start","content":"web server 1.2"}"#;

/// What workloads may do by REST.
const RULES: &str = r#"allow = ["resource", "token", "extend"]
domains = ["example.com"]
resources = ["default/disk"]"#;

/// The guest, and `curl` as its workload.
struct Guest(GuestProcess);

pub(super) async fn run(out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let emulator = Arc::new(Emulator::new(Seed::DEVELOPMENT));
    let roots = dir.path().join("emulator-roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;
    let seed = "00".repeat(32);
    let pcs =
        ServerProcess::run(&["emulate", "pcs", "--seed", &seed, "--listen", "127.0.0.1:0"], &[]).await?;
    let environment = [
        ("ASSAY_LOG__LEVEL", "error"),
        ("ASSAY_COLLATERAL__INTEL_URL", pcs.url()),
        ("ASSAY_SERVER__ATTESTATION_API", "true"),
    ];
    let data = dir.path().join("data");
    let server =
        ServerProcess::start(&data, &["--danger-trust-emulator", &roots.display().to_string()], &environment)
            .await?;
    out.line(format!("1  A server on an empty store: {}", server.url()))?;
    out.line("   It trusts an emulator's anchors, by a danger option; its tokens say so.")?;
    let admin = crate::admin::client_for(server.url(), &data).await?;
    crate::admin::register(&admin, &reference_values(&emulator, Tee::Tdx)?, None).await?;
    admin.put_resource(&RESOURCE.parse()?, &SecretBytes::new(SECRET.as_bytes().to_vec())).await?;
    out.line(format!("   Reference values for one TD, and a secret: {RESOURCE}"))?;

    let result = tell(dir.path(), &server, out).await;
    server.stop().await?;
    pcs.stop().await?;
    let (released, passport, refused) = result?;
    out.line("\nEverything was stopped and removed.")?;
    let right = released == SECRET && passport.is_some() && refused.len() == 3;
    out.value(&json!({
        "released": { "resource": RESOURCE, "secret": released }, "passport": passport, "refused": refused,
    }))?;
    Ok(if right { Exit::Success } else { Exit::Failure })
}

type Told = (String, Option<Value>, Vec<Value>);

async fn tell(dir: &Path, server: &ServerProcess, out: Output) -> anyhow::Result<Told> {
    out.line("\n2  A TD: the files of its kernel, and the agent with this configuration")?;
    let guest = Guest::start(&dir.join("td"), server.url(), &[]).await?;
    out.line(indent(guest.0.configuration()))?;
    let story = wanted(&guest, server, out).await;
    guest.0.stop().await?;
    let (secret, passport, mut refused) = story?;

    out.line("\n6  The same agent in a TD with another firmware")?;
    let firmware = format!("mr_td={OTHER_48}");
    let other = Guest::start(&dir.join("other"), server.url(), &["--set", &firmware]).await?;
    let told = refuse(&other, &format!("/cdh/resource/{RESOURCE}"), out).await;
    other.0.stop().await?;
    refused.push(told?);
    Ok((secret, passport, refused))
}

/// What the wanted guest can do, and what its workloads cannot.
async fn wanted(guest: &Guest, server: &ServerProcess, out: Output) -> anyhow::Result<Told> {
    out.line("\n3  A workload has an event measured, and gets the secret (background check)")?;
    let (_, measured) = guest
        .curl(&["-X", "POST", "-H", "content-type: application/json", "-d", EVENT], "/aa/aael", out)
        .await?;
    anyhow::ensure!(measured == r#"{"success":"true"}"#, "the event was not measured: {measured}");
    out.line(format!("   {measured}"))?;
    let (_, secret) = guest.curl(&[], &format!("/cdh/resource/{RESOURCE}"), out).await?;
    out.line(format!("   {secret}"))?;

    out.line("\n4  It gets a token from the attestation service (passport), for any relying party")?;
    let (status, token) = guest.curl(&[], "/aa/token?token_type=coco_as", out).await?;
    anyhow::ensure!(status == 200, "no token: {token}");
    out.line(format!("   {}", shortened(&token, 80)))?;
    let passport = relying_party(server.url(), &token).await?;
    out.line("   A relying party that knows only the service's published keys finds it good:")?;
    out.line(indent(&crate::commands::token::describe(&passport)))?;
    let event = passport.to_string().contains("web server 1.2");
    anyhow::ensure!(event, "the measured event is not in the token");
    out.line("   The event that was measured stands in its claims, proved by RTMR 3.")?;

    out.line("\n5  What a workload may not do, the agent refuses, with the reason")?;
    let refused = vec![
        refuse(guest, "/cdh/resource/default/other/key", out).await?,
        refuse(guest, "/aa/evidence?runtime_data=nonce", out).await?,
    ];
    Ok((secret, Some(passport), refused))
}

async fn refuse(guest: &Guest, path: &str, out: Output) -> anyhow::Result<Value> {
    let (status, body) = guest.curl(&[], path, out).await?;
    let problem: Value =
        serde_json::from_str(&body).with_context(|| format!("no problem details: {body}"))?;
    let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    out.line(format!("   {status} {} {}", text("code"), shortened(&text("detail"), 160)))?;
    let findings = problem.as_object().map(problem_findings).unwrap_or_default();
    let mut shown = Vec::new();
    for finding in findings.iter().filter(|finding| finding.failed()) {
        if !shown.contains(&finding.code) {
            shown.push(finding.code.clone());
            out.line(format!("   ✗ {} {}", finding.code, finding.check))?;
            out.line(format!("       expected {}", shortened(&finding.expected, 96)))?;
            out.line(format!("       found    {}", shortened(&finding.found, 96)))?;
        }
    }
    anyhow::ensure!(status >= 400, "{path} was answered {status}: it must be refused");
    Ok(
        json!({ "path": path, "status": status, "code": text("code"), "detail": text("detail"), "findings": findings }),
    )
}

/// What a relying party does: fetches the service's keys, verifies the token.
async fn relying_party(url: &str, token: &str) -> anyhow::Result<Value> {
    let keys = Command::new("curl")
        .args(["-sS", "--fail", "--max-time", "10", &format!("{url}/.well-known/jwks.json")])
        .output()
        .await
        .context("curl")?;
    let verifier = TokenVerifier::new(TrustedKeys {
        jwks: JwkSet::from_json(std::str::from_utf8(&keys.stdout)?)?,
        certificates: Vec::new(),
        issuer: None,
        audience: None,
        leeway_seconds: 0,
    })?;
    Ok(verifier.verify(token, SystemClock.now())?.claims)
}

impl Guest {
    async fn start(dir: &Path, url: &str, options: &[&str]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let plan =
            GuestPlan { dir, url, tee: "tdx", options, init_data: INIT_DATA, rules: RULES, agent: None };
        Ok(Guest(GuestProcess::start(&plan).await?))
    }

    /// Shows a call of `curl` and does it: status and body.
    async fn curl(&self, options: &[&str], path: &str, out: Output) -> anyhow::Result<(u16, String)> {
        let url = format!("http://{}{path}", self.0.rest());
        let mut shown: Vec<String> = options.iter().map(|option| quoted(option)).collect();
        shown.push(quoted(&url));
        out.line(format!("   $ curl {}", shown.join(" ")))?;
        let done = Command::new("curl")
            .args(["-sS", "--max-time", "60", "-w", "\n%{http_code}"])
            .args(options)
            .arg(&url)
            .output()
            .await
            .context("curl, which plays the workload, cannot be started")?;
        let text = String::from_utf8(done.stdout)?;
        let (body, status) = text.rsplit_once('\n').context("curl gave no status")?;
        Ok((status.parse()?, body.to_owned()))
    }
}

/// As one would type it into a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-=".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{text}'") }
}
