//! `assay collateral show`.

use std::path::Path;

use assay_collateral::bundle::looks_like_bundle;
use assay_collateral::{Bundle, BundleItem};
use assay_tee_intel::collateral::IntelInspector;
use assay_types::{Coded as _, CollateralInspector as _, UnixTime, Vendor};
use serde_json::{Value, json};

use super::table::{Row, text};
use super::{Opened, now, pieces, settings};
use crate::cli::StoreArgs;
use crate::exit::Exit;
use crate::output::{self, Output};

/// What the store holds.
pub(super) async fn cache(opened: &Opened, out: Output) -> anyhow::Result<Exit> {
    let mut listed = opened.cache.list().await.map_err(anyhow::Error::msg)?;
    listed.sort_by(|a, b| (a.vendor, &a.key).cmp(&(b.vendor, &b.key)));
    let mut rows = Vec::with_capacity(listed.len());
    for entry in listed {
        let got = opened.cache.get(entry.vendor, &entry.key).await.map_err(anyhow::Error::msg)?;
        let Some(cached) = got else { continue };
        let mut row = match &cached.request {
            Some(request) => Row::new(request, &cached.bytes, cached.fetched),
            None => Row {
                name: entry.key.clone(),
                vendor: entry.vendor,
                key: entry.key,
                digest: Some(assay_types::Digest::sha256(&cached.bytes)),
                fetched: cached.fetched,
                validity: None,
                origin: String::new(),
                refused: None,
            },
        };
        row.validity = cached.validity;
        row.origin = cached.origin;
        rows.push(row);
    }
    let now = now();
    out.line(text(&rows, now).trim_end())?;
    out.value(&rows.iter().map(|row| row.json(now)).collect::<Vec<Value>>())?;
    Ok(Exit::Success)
}

/// What a file holds.
pub(super) fn file(file: &Path, args: &StoreArgs, out: Output) -> anyhow::Result<Exit> {
    let (settings, trust) = settings(args)?;
    let bytes = output::read(file)?;
    let now = now();
    let (items, created) = if looks_like_bundle(&bytes) {
        match Bundle::read_unverified(&bytes) {
            Ok(bundle) => (bundle.items, Some(bundle.created)),
            Err(error) => return malformed(&format!("{} {error}", error.code()), out),
        }
    } else {
        let channel = crate::collateral::channel(&settings.collateral);
        match pieces(&bytes, channel, file) {
            Ok(pieces) => {
                let item = |(request, bytes)| BundleItem { request, bytes, fetched: now };
                (pieces.into_iter().map(item).collect(), None)
            }
            Err(error) => return malformed(&error, out),
        }
    };
    let inspector = IntelInspector::new(trust.intel_anchors()?);
    let rows: Vec<Row> = items.iter().map(|item| row(item, &inspector)).collect();
    heading(created, out)?;
    out.line(text(&rows, now).trim_end())?;
    out.value(&json!({
        "bundle": created.is_some(),
        "created": created.map(|created| created.to_string()),
        "items": rows.iter().map(|row| row.json(now)).collect::<Vec<Value>>(),
    }))?;
    Ok(Exit::Success)
}

fn row(item: &BundleItem, inspector: &IntelInspector) -> Row {
    let mut row = Row::new(&item.request, &item.bytes, item.fetched);
    if item.request.vendor == Vendor::Intel {
        match inspector.inspect(&item.request, &item.bytes) {
            Ok(validity) => row.validity = Some(validity),
            Err(why) => row.refused = Some(why),
        }
    }
    row
}

fn heading(created: Option<UnixTime>, out: Output) -> anyhow::Result<()> {
    match created {
        Some(created) => out.line(format!("a bundle of {created}; its signature is NOT VERIFIED here\n")),
        None => Ok(()),
    }
}

fn malformed(why: &str, out: Output) -> anyhow::Result<Exit> {
    out.both(format!("not collateral: {why}"), &json!({ "items": [], "detail": why }))?;
    Ok(Exit::Malformed)
}
