//! The demonstration of the passport: an attestation service, a key broker that has none and believes that
//! one, a guest with the agent, and a relying party that knows an address. Every part is a process of its
//! own, as it would be.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use assay_client::{ClientError, EvidenceProvider as _, KbsClient};
use assay_emulator::{Emulator, Seed};
use assay_token::jwe::{DecryptionKey, KeyAlgorithm};
use assay_types::{Clock as _, HashAlgorithm, SecretBytes, Tee, canonical_digest};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use super::snp::reference_values;
use super::story::{curl, indent, shortened};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::guest::EmulatedGuest;
use crate::guest_process::{GuestPlan, GuestProcess};
use crate::output::{self, Output};
use crate::process::ServerProcess;

const RESOURCE: &str = "default/disk/key";
const SECRET: &str = "the disk key of tenant A";

/// What workloads may do by REST.
const RULES: &str = "allow = [\"resource\", \"token\"]\nresources = [\"default/disk\"]";

/// What the guest was started with.
const INIT_DATA: &str = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n";

/// The parts.
struct Parts {
    service: ServerProcess,
    broker: ServerProcess,
}

pub(super) async fn run(out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let emulator = Arc::new(Emulator::new(Seed::DEVELOPMENT));
    let roots = dir.path().join("emulator-roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;
    let roots = roots.display().to_string();

    let service_data = dir.path().join("as");
    register(&service_data).await?;
    let service = attestation_service(&service_data, &roots).await?;
    out.line(format!("1  An attestation service alone: {}", service.url()))?;
    out.line("   It lets guests in, and trusts an emulator's anchors by a danger option.")?;
    out.line("   Its store has the reference values of one guest.")?;

    let broker_data = dir.path().join("kbs");
    let keys = format!("{}/", service.url());
    let trusted = [("ASSAY_ATTESTATION__TRUSTED_KEYS", keys.as_str()), ("ASSAY_LOG__LEVEL", "error")];
    let broker = ServerProcess::part("kbs", &broker_data, &[], &trusted).await?;
    out.line(format!("\n2  A key broker alone: {}", broker.url()))?;
    out.line(
        "   It evaluates nothing itself; it believes the tokens of that service, whose keys it fetches",
    )?;
    out.line(format!("   by OpenID discovery at {keys}"))?;
    let admin = crate::admin::client_for(broker.url(), &broker_data).await?;
    admin.put_resource(&RESOURCE.parse()?, &SecretBytes::new(SECRET.as_bytes().to_vec())).await?;
    out.line(format!("   A secret: {RESOURCE}"))?;

    let parts = Parts { service, broker };
    let told = tell(dir.path(), &parts, &roots, out).await;
    parts.broker.stop().await?;
    parts.service.stop().await?;
    let (released, passport, refused) = told?;
    out.line("\nEverything was stopped and removed.")?;
    let right = released == SECRET && refused.len() == 4;
    out.value(&json!({
        "released": { "resource": RESOURCE, "secret": released }, "passport": passport, "refused": refused,
    }))?;
    Ok(if right { Exit::Success } else { Exit::Failure })
}

/// Registers reference values, by a server on the store that the service will have.
async fn register(data: &Path) -> anyhow::Result<()> {
    let server = ServerProcess::start(data, &[], &[("ASSAY_LOG__LEVEL", "error")]).await?;
    let admin = crate::admin::client_for(server.url(), data).await?;
    crate::admin::register(&admin, &reference_values()?, None).await?;
    server.stop().await
}

async fn attestation_service(data: &Path, roots: &str) -> anyhow::Result<ServerProcess> {
    let environment = [("ASSAY_ATTESTATION_SERVICE__GUESTS", "true"), ("ASSAY_LOG__LEVEL", "error")];
    ServerProcess::part("as", data, &["--danger-trust-emulator", roots], &environment).await
}

type Told = (String, Value, Vec<Value>);

async fn tell(dir: &Path, parts: &Parts, roots: &str, out: Output) -> anyhow::Result<Told> {
    out.line(
        "\n3  A guest with the agent. It attests to the service and shows the token to the key broker:",
    )?;
    let folder = dir.join("guest");
    std::fs::create_dir_all(&folder)?;
    let guest = GuestProcess::start(&GuestPlan {
        dir: &folder,
        url: parts.broker.url(),
        passport_url: Some(parts.service.url()),
        tee: "snp",
        options: &[],
        init_data: INIT_DATA,
        rules: RULES,
        agent: None,
    })
    .await?;
    let asked = wanted(&guest, parts, out).await;
    guest.stop().await?;
    let (secret, token, passport) = asked?;

    out.line("\n5  What is refused, and why")?;
    let refused = vec![
        later(&token, parts, out).await?,
        replayed(parts, out).await?,
        stranger(dir, parts, roots, out).await?,
        background(parts, out).await?,
    ];
    Ok((secret, passport, refused))
}

/// The secret by the agent; its token; and what a relying party reads in it.
async fn wanted(guest: &GuestProcess, parts: &Parts, out: Output) -> anyhow::Result<(String, String, Value)> {
    let url = |path: &str| format!("http://{}{path}", guest.rest());
    out.line(format!("   $ curl {}", url(&format!("/cdh/resource/{RESOURCE}"))))?;
    let (_, secret) = curl(&[&url(&format!("/cdh/resource/{RESOURCE}"))]).await?;
    out.line(format!("   {secret}"))?;
    out.line(format!("   $ curl '{}'", url("/aa/token?token_type=coco_as")))?;
    let (status, token) = curl(&[&url("/aa/token?token_type=coco_as")]).await?;
    anyhow::ensure!(status == 200, "no token: {token}");
    out.line(format!("   {}", shortened(&token, 80)))?;

    let discovery = format!("{}/.well-known/openid-configuration", parts.service.url());
    out.line("\n4  A relying party that knows nothing but where the service is:")?;
    out.line(format!("   $ assay token verify --discovery {discovery} token.jwt"))?;
    let verified = crate::commands::token::verify_by_discovery(&discovery, &token, SystemClock.now()).await?;
    out.line(indent(&crate::commands::token::describe(&verified.claims)))?;
    Ok((secret, token, verified.claims))
}

fn refusal(what: &str, code: &str, detail: &str, out: Output) -> anyhow::Result<Value> {
    out.line(format!("   {what}"))?;
    out.line(format!("   ✗ {code} {}", shortened(detail, 160)))?;
    Ok(json!({ "what": what, "code": code, "detail": detail }))
}

/// The token, when it has ended.
async fn later(token: &str, parts: &Parts, out: Output) -> anyhow::Result<Value> {
    use assay_types::Coded as _;
    let discovery = format!("{}/", parts.service.url());
    let tomorrow = SystemClock.now().plus(86_400);
    match crate::commands::token::verify_by_discovery(&discovery, token, tomorrow).await {
        Ok(_) => anyhow::bail!("a token of yesterday was taken"),
        Err(error) => refusal("The same token, tomorrow", error.code(), &error.to_string(), out),
    }
}

/// Evidence for a challenge that gave its token.
async fn replayed(parts: &Parts, out: Output) -> anyhow::Result<Value> {
    let post = async |path: &str, body: Value| {
        let (url, body) = (format!("{}{path}", parts.service.url()), body.to_string());
        curl(&["-X", "POST", "-H", "content-type: application/json", "-d", &body, &url]).await
    };
    let (_, nonce) = post("/challenge", json!({ "tee": "snp", "tee_params": "" })).await?;
    let key = DecryptionKey::generate(KeyAlgorithm::EcdhP256)?;
    let data = json!({ "nonce": nonce, "tee-pubkey": key.public_jwk() });
    let evidence = emulated().evidence(&canonical_digest(&data, HashAlgorithm::Sha384)?).await?;
    let request = json!({
        "verification_requests": [{
            "tee": "snp",
            "evidence": BASE64_URL_SAFE_NO_PAD.encode(evidence.to_string()),
            "runtime_data": { "structured": data },
        }],
        "policy_ids": [],
    });
    let (status, answer) = post("/attestation", request.clone()).await?;
    anyhow::ensure!(status == 200, "the first attempt: {status} {answer}");
    let (status, answer) = post("/attestation", request).await?;
    let problem: Value = serde_json::from_str(&answer).with_context(|| format!("{status} {answer}"))?;
    let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    refusal("The evidence of before, sent again", &text("code"), &text("detail"), out)
}

/// A token of a service that nobody here knows.
async fn stranger(dir: &Path, parts: &Parts, roots: &str, out: Output) -> anyhow::Result<Value> {
    let other = attestation_service(&dir.join("stranger"), roots).await?;
    let client = KbsClient::builder(parts.broker.url())?
        .passport(other.url(), None)?
        .evidence_provider(Arc::new(emulated()))
        .clock(Arc::new(SystemClock))
        .build()?;
    let asked = client.resource(&RESOURCE.parse()?).await;
    other.stop().await?;
    denied("A token of a service that the key broker does not know", asked, out)
}

/// A guest that wants to attest to the key broker itself.
async fn background(parts: &Parts, out: Output) -> anyhow::Result<Value> {
    let client = KbsClient::builder(parts.broker.url())?
        .evidence_provider(Arc::new(emulated()))
        .clock(Arc::new(SystemClock))
        .build()?;
    denied("A guest that brings evidence to the key broker", client.resource(&RESOURCE.parse()?).await, out)
}

fn denied(what: &str, asked: Result<SecretBytes, ClientError>, out: Output) -> anyhow::Result<Value> {
    let error = asked.err().context("the secret was given away")?;
    match error.problem() {
        Some(problem) => {
            let code = problem.more.get("code").and_then(Value::as_str).unwrap_or_default();
            refusal(what, code, &problem.detail, out)
        }
        None => refusal(what, "", &error.to_string(), out),
    }
}

fn emulated() -> EmulatedGuest {
    EmulatedGuest {
        emulator: Arc::new(Emulator::new(Seed::DEVELOPMENT)),
        tee: Tee::Snp,
        set: Vec::new(),
        init_data: None,
    }
}
