//! The demonstration for Arm CCA: a realm gets its secret when platform and realm match what was
//! endorsed, and is refused for every single thing that does not.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use assay_client::{ClientError, EvidenceError, EvidenceProvider, KbsClient};
use assay_emulator::cca::CorimKind;
use assay_emulator::{Emulator, Seed};
use assay_token::decode_unverified;
use assay_types::{Digest, Finding, ResourcePath, SecretBytes, Tee};
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::demo::{indent, problem_findings};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::guest::EmulatedGuest;
use crate::output::{self, Output};
use crate::process::ServerProcess;

const RESOURCE: &str = "default/disk/key";
const SECRET: &str = "the disk key of tenant A";

/// The platform whose endorsements are registered, and another one.
const SEEDS: [Seed; 2] = [Seed::DEVELOPMENT, Seed::new([0x77; 32])];

/// A guest that is refused: title, and what is set in the evidence of the good one.
const REFUSED: &[(&str, &[(&str, &str)])] = &[
    ("A platform in debug (lifecycle 0x5000)", &[("lifecycle", "0x5000")]),
    (
        "Another firmware measurement",
        &[("component.2.measurement", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")],
    ),
    (
        "Firmware signed by somebody else",
        &[("component.2.signer-id", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")],
    ),
    ("Another realm image", &[("rim", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")]),
    (
        "A realm that measured something while it ran",
        &[("rem1", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")],
    ),
    ("Another personalization value", &[("rpv", "5a")]),
    (
        "A good realm token on the token of another platform",
        &[("splice", "7777777777777777777777777777777777777777777777777777777777777777")],
    ),
];

pub(crate) async fn run(out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let emulator = Arc::new(Emulator::new(SEEDS[0].clone()));
    let roots = dir.path().join("emulator-roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;
    let signer = dir.path().join("endorser.pem");
    output::write(&signer, emulator.cca().corim_signer_pem().as_bytes())?;

    let data = dir.path().join("data");
    let options = [
        "--danger-trust-emulator",
        &roots.display().to_string(),
        "--corim-signer",
        &signer.display().to_string(),
    ];
    let server = ServerProcess::start(&data, &options, &[("ASSAY_LOG__LEVEL", "error")]).await?;
    out.line(format!("1  A server on an empty store: {}", server.url()))?;
    out.line("   It trusts an emulator's anchors, by a danger option; its tokens say so.")?;

    let admin = crate::admin::client_for(server.url(), &data)?;
    let good = emulator.cca_guest(&[], None, &[])?;
    for kind in [CorimKind::TrustAnchor, CorimKind::Platform, CorimKind::Realm] {
        let corim = BASE64_STANDARD.encode(good.corim(kind).signed());
        let message = json!({ "version": "0.1.0", "type": "corim", "payload": corim });
        admin.register_reference_values(&message).await?;
    }
    let path: ResourcePath = RESOURCE.parse()?;
    admin.put_resource(&path, &SecretBytes::new(SECRET.as_bytes().to_vec())).await?;
    out.line("2  Three CoRIMs, signed by the endorser: attestation key, firmware, realm")?;
    for value in admin.reference_values().await?.as_array().into_iter().flatten() {
        let name = value.get("id").and_then(Value::as_str).unwrap_or_default();
        out.line(format!("   {}", shortened(name, 88)))?;
    }
    out.line(format!("   A secret: {RESOURCE}"))?;

    let result = guests(&server, &emulator, &path, out).await;
    server.stop().await?;
    let (secret, refused) = result?;
    out.line("\nThe server was stopped and its data removed.")?;
    out.value(&json!({ "released": { "resource": RESOURCE, "secret": secret }, "refused": refused }))?;
    let all = refused.len() == REFUSED.len() + 2;
    Ok(if secret == SECRET && all { Exit::Success } else { Exit::Failure })
}

/// The wanted realm, then those that are not.
async fn guests(
    server: &ServerProcess,
    emulator: &Arc<Emulator>,
    path: &ResourcePath,
    out: Output,
) -> anyhow::Result<(String, Vec<Value>)> {
    out.line("\n3  A realm with that image, on that platform, attests and asks for the secret")?;
    let recorder = Arc::new(Recorder::new(guest(emulator, &[])));
    let client = client(server, recorder.clone())?;
    let token = client.token().await?;
    let (_, claims) = decode_unverified(token.as_str())?;
    out.line(indent(&super::token::describe(&claims)))?;
    let secret = String::from_utf8(client.resource(path).await?.expose().to_vec())?;
    out.line(format!("   secret   {secret:?}, encrypted to the realm's own key"))?;

    let mut refused = Vec::new();
    let stranger = Arc::new(Emulator::new(SEEDS[1].clone()));
    refused
        .push(refuse(4, "A platform that nobody endorsed", guest(&stranger, &[]), server, path, out).await?);
    for (number, (title, set)) in (5..).zip(REFUSED) {
        refused.push(refuse(number, title, guest(emulator, set), server, path, out).await?);
    }
    let number = 5 + REFUSED.len();
    let title = "The first realm's evidence, once more";
    refused.push(refuse(number, title, Arc::new(Replay(recorder.recorded()?)), server, path, out).await?);
    Ok((secret, refused))
}

fn guest(emulator: &Arc<Emulator>, set: &[(&str, &str)]) -> Arc<EmulatedGuest> {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::new(EmulatedGuest { emulator: Arc::clone(emulator), tee: Tee::Cca, set, init_data: None })
}

fn client(server: &ServerProcess, provider: Arc<dyn EvidenceProvider>) -> anyhow::Result<KbsClient> {
    let builder = KbsClient::builder(server.url())?.evidence_provider(provider);
    Ok(builder.clock(Arc::new(SystemClock)).build()?)
}

/// A guest that must be refused.
async fn refuse(
    number: usize,
    title: &str,
    provider: Arc<dyn EvidenceProvider>,
    server: &ServerProcess,
    path: &ResourcePath,
    out: Output,
) -> anyhow::Result<Value> {
    out.line(format!("\n{number:<2} {title}"))?;
    let (status, detail, findings) = match client(server, provider)?.resource(path).await {
        Ok(_) => anyhow::bail!("{title}: it got the secret, which must not be"),
        Err(ClientError::Denied { status, problem, .. }) => {
            (status, problem.detail.clone(), problem_findings(&problem.more))
        }
        Err(ClientError::Unauthenticated { problem, .. }) => {
            (401, problem.detail.clone(), problem_findings(&problem.more))
        }
        Err(error) => return Err(error.into()),
    };
    out.line(format!("   refused {status}"))?;
    let mut shown: Vec<(&str, &str)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.failed()) {
        // One fact may bear on several claims: once is enough here.
        let fact = (finding.code.as_ref(), finding.found.as_str());
        if !shown.contains(&fact) {
            shown.push(fact);
            brief(finding, out)?;
        }
    }
    Ok(json!({ "guest": title, "status": status, "detail": detail, "findings": findings }))
}

/// A finding in few lines; `--json` has all of it.
fn brief(finding: &Finding, out: Output) -> anyhow::Result<()> {
    out.line(format!("   ✗ {} {}", finding.code, finding.check))?;
    for (label, text) in
        [("expected", &finding.expected), ("found", &finding.found), ("why", &finding.detail)]
    {
        if !text.is_empty() {
            out.line(format!("       {label:<9}{}", shortened(text, 96)))?;
        }
    }
    Ok(())
}

fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let keep = most / 2;
    let head: String = text.chars().take(keep).collect();
    let tail: String = text.chars().skip(count - keep).collect();
    format!("{head}…{tail}")
}

/// Keeps the evidence that a guest gave, as somebody who listens would.
struct Recorder {
    guest: Arc<EmulatedGuest>,
    evidence: Mutex<Option<Value>>,
}

impl Recorder {
    fn new(guest: Arc<EmulatedGuest>) -> Self {
        Recorder { guest, evidence: Mutex::new(None) }
    }

    fn recorded(&self) -> anyhow::Result<Value> {
        let evidence = self.evidence.lock().ok().and_then(|evidence| evidence.clone());
        evidence.context("the first realm gave no evidence")
    }
}

#[async_trait]
impl EvidenceProvider for Recorder {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    async fn evidence(&self, runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        let evidence = self.guest.evidence(runtime_digest).await?;
        if let Ok(mut kept) = self.evidence.lock() {
            *kept = Some(evidence.clone());
        }
        Ok(evidence)
    }
}

/// Gives evidence that was made for another challenge.
struct Replay(Value);

#[async_trait]
impl EvidenceProvider for Replay {
    fn tee(&self) -> Tee {
        Tee::Cca
    }

    async fn evidence(&self, _runtime_digest: &Digest) -> Result<Value, EvidenceError> {
        Ok(self.0.clone())
    }
}
