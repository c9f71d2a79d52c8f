//! What all demonstrations share: guests that ask for one secret, and what they are told.

use std::sync::Arc;

use anyhow::Context as _;
use assay_client::{ClientError, EvidenceProvider, KbsClient};
use assay_emulator::Emulator;
use assay_token::decode_unverified;
use assay_types::{Finding, ResourcePath, SecretBytes, Tee};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::guest::EmulatedGuest;
use crate::output::Output;
use crate::process::ServerProcess;

const RESOURCE: &str = "default/disk/key";
const SECRET: &str = "the disk key of tenant A";

/// A server with one secret, and the guests that ask for it.
pub(super) struct Story {
    url: String,
    path: ResourcePath,
    out: Output,
    secret: Option<String>,
    refused: Vec<Value>,
}

impl Story {
    /// Stores the secret.
    pub(super) async fn begin(
        server: &ServerProcess,
        admin: &assay_client::AdminClient,
        out: Output,
    ) -> anyhow::Result<Self> {
        let path: ResourcePath = RESOURCE.parse()?;
        admin.put_resource(&path, &SecretBytes::new(SECRET.as_bytes().to_vec())).await?;
        out.line(format!("   A secret: {RESOURCE}"))?;
        Ok(Story { url: server.url().to_owned(), path, out, secret: None, refused: Vec::new() })
    }

    /// The guest that must get the secret.
    pub(super) async fn release(
        &mut self,
        title: &str,
        provider: Arc<dyn EvidenceProvider>,
    ) -> anyhow::Result<()> {
        self.out.line(format!("\n3  {title}"))?;
        let client = client(&self.url, provider)?;
        let token = client.token().await?;
        let (_, claims) = decode_unverified(token.as_str())?;
        self.out.line(indent(&crate::commands::token::describe(&claims)))?;
        let secret = String::from_utf8(client.resource(&self.path).await?.expose().to_vec())?;
        self.out.line(format!("   secret   {secret:?}, encrypted to the guest's own key"))?;
        self.secret = Some(secret);
        Ok(())
    }

    /// A guest that must be refused.
    pub(super) async fn refuse(
        &mut self,
        title: &str,
        provider: Arc<dyn EvidenceProvider>,
    ) -> anyhow::Result<()> {
        self.out.line(format!("\n{:<2} {title}", self.refused.len() + 4))?;
        let (status, detail, findings) = match client(&self.url, provider)?.resource(&self.path).await {
            Ok(_) => anyhow::bail!("{title}: it got the secret, which must not be"),
            Err(ClientError::Denied { status, problem, .. }) => {
                (status, problem.detail.clone(), problem_findings(&problem.more))
            }
            Err(ClientError::Unauthenticated { problem, .. }) => {
                (401, problem.detail.clone(), problem_findings(&problem.more))
            }
            Err(error) => return Err(error.into()),
        };
        self.out.line(format!("   refused {status}"))?;
        let mut shown: Vec<(&str, &str)> = Vec::new();
        for finding in findings.iter().filter(|finding| finding.failed()) {
            // One fact may bear on several claims: once is enough here.
            let fact = (finding.code.as_ref(), finding.found.as_str());
            if !shown.contains(&fact) {
                shown.push(fact);
                brief(finding, self.out)?;
            }
        }
        self.refused
            .push(json!({ "guest": title, "status": status, "detail": detail, "findings": findings }));
        Ok(())
    }

    /// The end: success when the first guest has the secret and so many others have not.
    pub(super) fn end(self, refused: usize) -> anyhow::Result<Exit> {
        self.out.line("\nThe server was stopped and its data removed.")?;
        let released = json!({ "resource": RESOURCE, "secret": self.secret });
        self.out.value(&json!({ "released": released, "refused": self.refused }))?;
        let right = self.secret.as_deref() == Some(SECRET) && self.refused.len() == refused;
        Ok(if right { Exit::Success } else { Exit::Failure })
    }
}

/// An emulated guest with these fields set.
pub(super) fn guest(emulator: &Arc<Emulator>, tee: Tee, set: &[(&str, &str)]) -> Arc<EmulatedGuest> {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::new(EmulatedGuest { emulator: Arc::clone(emulator), tee, set, init_data: None })
}

/// The findings in a problem's further members.
pub(crate) fn problem_findings(more: &Map<String, Value>) -> Vec<Finding> {
    more.get("findings").cloned().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

fn client(url: &str, provider: Arc<dyn EvidenceProvider>) -> anyhow::Result<KbsClient> {
    let builder = KbsClient::builder(url)?.evidence_provider(provider);
    Ok(builder.clock(Arc::new(SystemClock)).build()?)
}

/// Calls `curl` as a workload would: status and body.
pub(super) async fn curl(arguments: &[&str]) -> anyhow::Result<(u16, String)> {
    let done = Command::new("curl")
        .args(["-sS", "--max-time", "60", "-w", "\n%{http_code}"])
        .args(arguments)
        .output()
        .await
        .context("curl, which plays the workload, cannot be started")?;
    let text = String::from_utf8(done.stdout)?;
    let (body, status) = text.rsplit_once('\n').context("curl gave no status")?;
    Ok((status.parse()?, body.to_owned()))
}

/// A finding in few lines; `--json` has all of it.
fn brief(finding: &Finding, out: Output) -> anyhow::Result<()> {
    out.line(format!("   ✗ {} {}", finding.code, finding.check))?;
    let lines: [(&str, &str); 4] = [
        ("expected", &finding.expected),
        ("found", &finding.found),
        ("why", &finding.detail),
        ("to do", &finding.remedy),
    ];
    for (label, text) in lines {
        if !text.is_empty() {
            out.line(format!("       {label:<9}{}", shortened(text, 96)))?;
        }
    }
    Ok(())
}

/// The beginning and the end of a long text.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let keep = most / 2;
    let head: String = text.chars().take(keep).collect();
    let tail: String = text.chars().skip(count - keep).collect();
    format!("{head}…{tail}")
}

/// Every line behind three spaces.
pub(super) fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
