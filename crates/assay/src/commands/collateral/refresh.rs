//! `assay collateral refresh`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use assay_attestation_service::Registry;
use assay_collateral::{CollateralError, Refreshed};
use assay_tee_intel::Family;
use assay_tee_intel::collateral::{
    PckCa, UpdateChannel, pck_crl_request, qe_identity_request, root_crl_request, tcb_info_request,
};
use assay_types::{
    Clock as _, Coded as _, CollateralItem, CollateralOrigin, CollateralRequest, CollateralSet,
    ParsedEvidence, RawEvidence, Tee, VerifyError,
};
use serde_json::{Value, json};

use super::table::{Row, text};
use super::{Opened, now, progress};
use crate::cli::{CaArg, IntelTee, RefreshArgs};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::{self, Output};

/// How often a piece of collateral may name another that is wanted.
const MAX_FURTHER_ROUNDS: usize = 3;

/// What came of it.
#[derive(Default)]
struct Fetched {
    refreshed: Vec<Refreshed>,
    failed: Vec<(String, CollateralError)>,
}

pub(super) async fn run(args: &RefreshArgs, opened: &Opened, out: Output) -> anyhow::Result<Exit> {
    let mut fetched = Fetched::default();
    if let Some(file) = &args.evidence {
        for_evidence(file, args, opened, &mut fetched).await?;
    } else if args.fmspc.is_empty() && args.ca.is_empty() {
        anyhow::ensure!(args.tee.is_empty(), "--tee is for --fmspc or --evidence");
        let due = opened.service.due().await.map_err(anyhow::Error::msg)?;
        let requests: Vec<CollateralRequest> =
            due.into_iter().filter_map(|listed| listed.request.map(Arc::unwrap_or_clone)).collect();
        fetch(&requests, opened, &mut fetched).await;
        if fetched.refreshed.is_empty() && fetched.failed.is_empty() {
            out.line("nothing is due")?;
        }
    } else {
        fetch(&named(args, opened.channel())?, opened, &mut fetched).await;
    }
    show(&fetched, out)
}

/// The requests that the options name.
fn named(args: &RefreshArgs, channel: UpdateChannel) -> anyhow::Result<Vec<CollateralRequest>> {
    let mut requests = Vec::new();
    if !args.fmspc.is_empty() {
        let tees = if args.tee.is_empty() { vec![IntelTee::Tdx] } else { args.tee.clone() };
        let families = tees.into_iter().map(|tee| match tee {
            IntelTee::Tdx => Family::Tdx,
            IntelTee::Sgx => Family::Sgx,
        });
        for family in families {
            for text in &args.fmspc {
                requests.push(tcb_info_request(family, fmspc(text)?, channel));
            }
            requests.push(qe_identity_request(family, channel));
        }
    } else {
        anyhow::ensure!(args.tee.is_empty(), "--tee is for --fmspc or --evidence");
    }
    let authorities =
        if args.ca.is_empty() { vec![CaArg::Platform, CaArg::Processor] } else { args.ca.clone() };
    for authority in authorities {
        requests.push(pck_crl_request(match authority {
            CaArg::Platform => PckCa::Platform,
            CaArg::Processor => PckCa::Processor,
        }));
    }
    requests.push(root_crl_request());
    Ok(requests)
}

fn fmspc(text: &str) -> anyhow::Result<[u8; 6]> {
    let bytes = crate::arguments::hex(text).context("--fmspc")?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| anyhow::anyhow!("--fmspc {text}: an FMSPC has 6 bytes, found {found}"))
}

/// All that evidence needs, in as many rounds as one piece names another.
async fn for_evidence(
    file: &Path,
    args: &RefreshArgs,
    opened: &Opened,
    fetched: &mut Fetched,
) -> anyhow::Result<()> {
    let parsed = parse(file, &args.tee, opened)?;
    let mut needed = parsed.collateral_needed(SystemClock.now());
    for _ in 0..=MAX_FURTHER_ROUNDS {
        if needed.is_empty() {
            break;
        }
        fetch(&needed, opened, fetched).await;
        let items = fetched.refreshed.iter().map(|refreshed| CollateralItem {
            kind: refreshed.request.kind,
            bytes: refreshed.bytes.clone(),
            origin: CollateralOrigin::Service(refreshed.url.clone()),
        });
        let at_hand = CollateralSet { items: items.collect() };
        needed = parsed.further_collateral_needed(&at_hand, SystemClock.now());
        // What failed a moment ago is not asked for again.
        needed.retain(|request| !fetched.failed.iter().any(|(name, _)| *name == request.description));
    }
    Ok(())
}

fn parse(file: &Path, tees: &[IntelTee], opened: &Opened) -> anyhow::Result<Box<dyn ParsedEvidence>> {
    let registry = Registry::new(opened.trust.clone())?;
    let bytes = output::read(file)?;
    let tees = if tees.is_empty() { &[IntelTee::Tdx, IntelTee::Sgx][..] } else { tees };
    let mut reasons = Vec::new();
    for tee in tees.iter().map(|tee| tee.tee()) {
        let verifier = registry.get(tee).with_context(|| format!("there is no verifier for {tee}"))?;
        match verifier.parse(&RawEvidence::new(tee, bytes.clone())) {
            Ok(parsed) => return Ok(parsed),
            Err(error) => reasons.push(format!("{tee}: {}", first(tee, &error))),
        }
    }
    anyhow::bail!("{} is no evidence that is known here: {}", file.display(), reasons.join("; "))
}

fn first(tee: Tee, error: &VerifyError) -> String {
    error
        .findings()
        .first()
        .map_or_else(|| format!("not evidence of {tee}"), |finding| finding.detail.clone())
}

/// Fetches one after the other: vendors limit how often they are asked.
async fn fetch(requests: &[CollateralRequest], opened: &Opened, fetched: &mut Fetched) {
    for (index, request) in requests.iter().enumerate() {
        let bar = progress(&format!("{}/{} {}", index + 1, requests.len(), request.description));
        match opened.service.refresh(request).await {
            Ok(refreshed) => fetched.refreshed.push(refreshed),
            Err(error) => fetched.failed.push((request.description.clone(), error)),
        }
        bar.finish_and_clear();
    }
}

fn show(fetched: &Fetched, out: Output) -> anyhow::Result<Exit> {
    let now = now();
    let row = |refreshed: &Refreshed| {
        let mut row = Row::new(&refreshed.request, &refreshed.bytes, now);
        row.validity = refreshed.validity;
        row.origin.clone_from(&refreshed.url);
        row
    };
    let rows: Vec<Row> = fetched.refreshed.iter().map(row).collect();
    if !rows.is_empty() {
        out.line(text(&rows, now).trim_end())?;
    }
    for (name, error) in &fetched.failed {
        out.line(format!("✗ {name}\n  {} {error}", error.code()))?;
    }
    let failed: Vec<Value> = fetched
        .failed
        .iter()
        .map(|(name, error)| json!({ "name": name, "code": error.code(), "detail": error.to_string() }))
        .collect();
    out.value(&json!({
        "refreshed": rows.iter().map(|row| row.json(now)).collect::<Vec<Value>>(),
        "failed": failed,
    }))?;
    Ok(if fetched.failed.is_empty() { Exit::Success } else { Exit::Failure })
}
