//! `assay-agent doctor`: what this machine is, what was looked for, and what would go wrong.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use assay_attester::Attester;

use super::cli::{AgentArgs, DoctorArgs};
use super::{output, services, start};
use crate::api::TokenKind;
use crate::faces::Address;
use crate::faces::client::AgentClient;
use crate::settings::{ProtocolName, Settings};
use crate::state::in_words;

pub(super) fn run(args: &AgentArgs, doctor: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let settings = start::settings(args)?;
    services::check(&settings)?;
    output::line("configuration  good")?;
    let detection = start::detection(&settings)?;
    let mut good = detection.attester.is_some();
    let tee = detection.attester.as_ref().map(|attester| attester.tee());
    match tee {
        Some(tee) => output::line(format!("TEE            {tee}"))?,
        None => output::line("TEE            none")?,
    }
    output::line(indented(&detection.report()))?;
    services(&settings)?;
    if let Some(mut attester) = detection.attester {
        good &= init_data(&settings, attester.as_mut())?;
        let registers = if attester.registers().is_some() { "can be extended" } else { "none at run time" };
        let log = if settings.eventlog_config.enable_eventlog { "on" } else { "off" };
        output::line(format!("registers      {registers}; event log {log}"))?;
    }
    if doctor.attest && good {
        good &= attest(&settings)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn services(settings: &Settings) -> anyhow::Result<()> {
    let urls = settings.kbs_urls()?;
    let kbs =
        if urls.is_empty() { "none: no secrets, no tokens of one".to_owned() } else { urls.join(", then ") };
    output::line(format!("key broker     {kbs}"))?;
    let service = settings.token_configs.coco_as.url.as_deref().unwrap_or("none: no passports");
    output::line(format!("attestation    {service}"))?;
    for listener in &settings.listener {
        output::line(format!("listener       {} ({:?})", listener.address, listener.protocol))?;
    }
    Ok(())
}

fn init_data(settings: &Settings, attester: &mut dyn Attester) -> anyhow::Result<bool> {
    let source = start::init_data(settings)?;
    let deadline = Instant::now() + Duration::from_secs(settings.device.timeout_seconds);
    let compared = start::check_init_data(settings, source.as_ref(), attester, deadline);
    match &compared {
        Ok(state) => output::line(format!("init data      {}", in_words(state)))?,
        Err(error) => output::line(format!("init data      {error:#}"))?,
    }
    Ok(compared.is_ok())
}

/// By the running agent where there is one: it owns the event log. Else by a look at the device of its own.
fn attest(settings: &Settings) -> anyhow::Result<bool> {
    let mut settings = settings.clone();
    settings.files.clear();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let done = runtime.block_on(async {
        for listener in &settings.listener {
            if let (ProtocolName::Ttrpc, Ok(Address::Unix(path))) = (listener.protocol, listener.address())
                && let Ok(mut agent) = AgentClient::connect(&path).await
            {
                agent.token(TokenKind::Kbs).await?;
                return Ok(output::line("attestation    accepted; the running agent has a token")?);
            }
        }
        let settings = settings.clone();
        let started = tokio::task::spawn_blocking(move || start::start(&settings)).await??;
        start::attest(&started).await
    });
    match done {
        Ok(()) => Ok(true),
        Err(error) => {
            output::line(format!("attestation    {error:#}"))?;
            Ok(false)
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
