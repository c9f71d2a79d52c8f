//! The demonstration for AMD SEV-SNP.

use std::sync::Arc;

use anyhow::Context as _;
use assay_emulator::{Emulator, Seed};
use assay_types::Tee;
use serde_json::{Map, Value, json};

use super::story::{Story, guest};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::process::ServerProcess;

/// The guests that are refused, each by one field that differs.
const REFUSED: &[(&str, &[(&str, &str)])] = &[
    (
        "A guest with another launch measurement",
        &[(
            "measurement",
            "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        )],
    ),
    ("A guest with the right image, but in debug mode", &[("policy.debug", "true")]),
];

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

pub(super) async fn run(out: Output) -> anyhow::Result<Exit> {
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

    let admin = crate::admin::client_for(server.url(), &data).await?;
    let values = reference_values()?;
    crate::admin::register(&admin, &values, None).await?;
    out.line(format!("2  Reference values for one guest image and one firmware: {} of them", values.len()))?;
    let mut story = Story::begin(&server, &admin, out).await?;

    let result = guests(&mut story, &emulator).await;
    server.stop().await?;
    result?;
    story.end(REFUSED.len())
}

async fn guests(story: &mut Story, emulator: &Arc<Emulator>) -> anyhow::Result<()> {
    story
        .release("A guest with that image attests and asks for the secret", guest(emulator, Tee::Snp, &[]))
        .await?;
    for (title, set) in REFUSED {
        story.refuse(title, guest(emulator, Tee::Snp, set)).await?;
    }
    Ok(())
}
