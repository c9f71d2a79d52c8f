//! `assay demo`: the whole chain with an emulated guest, in a throw-away server. This is the story for
//! SEV-SNP; the one for Arm CCA is [`super::demo_cca`].

use std::sync::Arc;

use anyhow::Context as _;
use assay_client::{ClientError, KbsClient};
use assay_emulator::{Emulator, Seed};
use assay_token::decode_unverified;
use assay_types::{Finding, ResourcePath, SecretBytes, Tee};
use serde_json::{Map, Value, json};

use crate::cli::DemoArgs;
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::guest::EmulatedGuest;
use crate::output::{self, Output};
use crate::process::ServerProcess;

const RESOURCE: &str = "default/disk/key";
const SECRET: &str = "the disk key of tenant A";

/// The reference values that the emulator's default SNP guest meets.
pub(crate) fn reference_values() -> anyhow::Result<Map<String, Value>> {
    let evidence = Emulator::new(Seed::DEVELOPMENT).evidence(Tee::Snp, &[], None, &[])?;
    let report = evidence.get("attestation_report").context("the emulated evidence has no report")?;
    let measurement: Vec<u8> =
        serde_json::from_value(report.get("measurement").cloned().context("no measurement")?)?;
    let tcb = |name: &str| report.pointer(&format!("/reported_tcb/{name}")).cloned().context("no TCB");
    let mut values = Map::new();
    values.insert("snp_launch_measurement".into(), json!([hex::encode(measurement)]));
    values.insert("snp_bootloader".into(), json!([tcb("bootloader")?]));
    values.insert("snp_microcode".into(), json!([tcb("microcode")?]));
    values.insert("snp_snp_svn".into(), json!([tcb("snp")?]));
    values.insert("snp_tee_svn".into(), json!([tcb("tee")?]));
    Ok(values)
}

pub(crate) async fn run(args: &DemoArgs, out: Output) -> anyhow::Result<Exit> {
    match args.tee {
        Tee::Snp => snp(out).await,
        Tee::Cca => super::demo_cca::run(out).await,
        tee => anyhow::bail!("there is no demonstration for {tee}; there are snp and cca"),
    }
}

async fn snp(out: Output) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let emulator = Arc::new(Emulator::new(Seed::DEVELOPMENT));
    let roots = dir.path().join("emulator-roots.json");
    output::write(&roots, &serde_json::to_vec(&emulator.anchors())?)?;

    let data = dir.path().join("data");
    let server = ServerProcess::start(
        &data,
        &["--danger-trust-emulator", &roots.display().to_string()],
        &[("ASSAY_LOG__LEVEL", "error")],
    )
    .await?;
    out.line(format!("1  A server on an empty store: {}", server.url()))?;
    out.line("   It trusts an emulator's anchors, by a danger option; its tokens say so.")?;

    let admin = crate::admin::client_for(server.url(), &data)?;
    let values = reference_values()?;
    crate::admin::register(&admin, &values, None).await?;
    let path: ResourcePath = RESOURCE.parse()?;
    admin.put_resource(&path, &SecretBytes::new(SECRET.as_bytes().to_vec())).await?;
    out.line(format!("2  Reference values for one guest image and one firmware: {} of them", values.len()))?;
    out.line(format!("   A secret: {RESOURCE}"))?;

    let result = guests(&server, &emulator, &path, out).await;
    server.stop().await?;
    let (good, refused) = result?;
    out.line("\nThe server was stopped and its data removed.")?;
    out.value(&json!({ "released": good, "refused": refused }))?;
    let right = good.get("secret").and_then(Value::as_str) == Some(SECRET) && refused.len() == 2;
    Ok(if right { Exit::Success } else { Exit::Failure })
}

/// The wanted guest, then the two that are not.
async fn guests(
    server: &ServerProcess,
    emulator: &Arc<Emulator>,
    path: &ResourcePath,
    out: Output,
) -> anyhow::Result<(Value, Vec<Value>)> {
    out.line("\n3  A guest with that image attests and asks for the secret")?;
    let client = guest(server, emulator, &[])?;
    let token = client.token().await?;
    let (_, claims) = decode_unverified(token.as_str())?;
    out.line(indent(&crate::commands::token::describe(&claims)))?;
    let secret = client.resource(path).await?;
    let secret = String::from_utf8(secret.expose().to_vec())?;
    out.line(format!("   secret   {secret:?}, encrypted to the guest's own key"))?;

    let mut refused = Vec::new();
    let other = "5a".repeat(48);
    for (number, title, field, value) in [
        (4, "A guest with another launch measurement", "measurement", other.as_str()),
        (5, "A guest with the right image, but in debug mode", "policy.debug", "true"),
    ] {
        out.line(format!("\n{number}  {title}"))?;
        let client = guest(server, emulator, &[(field.to_owned(), value.to_owned())])?;
        match client.resource(path).await {
            Ok(_) => out.line("   GOT THE SECRET, which must not be")?,
            Err(ClientError::Denied { status, problem, .. }) => {
                out.line(format!("   refused  {status}: {}", problem.detail))?;
                let findings = problem_findings(&problem.more);
                out.line(output::findings(&findings).trim_end())?;
                refused.push(json!({ "guest": title, "status": status, "findings": findings }));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((json!({ "resource": RESOURCE, "secret": secret }), refused))
}

fn guest(
    server: &ServerProcess,
    emulator: &Arc<Emulator>,
    set: &[(String, String)],
) -> anyhow::Result<KbsClient> {
    let provider =
        EmulatedGuest { emulator: Arc::clone(emulator), tee: Tee::Snp, set: set.to_vec(), init_data: None };
    Ok(KbsClient::builder(server.url())?
        .evidence_provider(Arc::new(provider))
        .clock(Arc::new(SystemClock))
        .build()?)
}

/// The findings in a problem's further members.
pub(crate) fn problem_findings(more: &Map<String, Value>) -> Vec<Finding> {
    more.get("findings").cloned().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

pub(super) fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}")).collect::<Vec<_>>().join("\n")
}
