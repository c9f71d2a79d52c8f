//! `assay collateral export` and `import`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assay_collateral::bundle::looks_like_bundle;
use assay_collateral::{
    Bundle, BundleError, BundleItem, BundleSigner, ImportError, ImportOptions, Imported, Step,
};
use assay_cose::PublicKey;
use assay_types::{Coded as _, Vendor};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Opened, now, pieces};
use crate::cli::VendorArg;
use crate::exit::Exit;
use crate::output::{self, Output};

/// Writes what the store holds into a signed bundle.
pub(super) async fn export(
    opened: &Opened,
    to: &Path,
    key: &Path,
    vendor: Option<VendorArg>,
    out: Output,
) -> anyhow::Result<Exit> {
    let key_text = Zeroizing::new(output::read(key)?);
    let key_text = std::str::from_utf8(&key_text).with_context(|| format!("{} is no text", key.display()))?;
    let signer = BundleSigner::from_pem(key_text).with_context(|| key.display().to_string())?;
    let vendor = vendor.map(|vendor| match vendor {
        VendorArg::Amd => Vendor::Amd,
        VendorArg::Intel => Vendor::Intel,
    });
    let exported = opened.service.export(vendor).await.map_err(anyhow::Error::msg)?;
    anyhow::ensure!(!exported.bundle.items.is_empty(), "the store holds nothing to export");
    output::write(to, &exported.bundle.sign(&signer)?)?;
    // Standard output may be the bundle itself.
    if to != Path::new("-") {
        let names: Vec<&str> =
            exported.bundle.items.iter().map(|item| item.request.description.as_str()).collect();
        for name in &names {
            out.line(format!("✓ {name}"))?;
        }
        for (name, why) in &exported.left_out {
            out.line(format!("– {name}: left out, {why}"))?;
        }
        out.line(format!("{}: {} pieces", to.display(), names.len()))?;
        let left_out: Vec<Value> =
            exported.left_out.iter().map(|(key, why)| json!({ "key": key, "why": why })).collect();
        out.value(&json!({ "file": to, "items": names, "left_out": left_out }))?;
    }
    Ok(Exit::Success)
}

/// Takes a file into the store.
pub(super) async fn import(
    opened: &Opened,
    file: &Path,
    signers: &[PathBuf],
    allow_older_danger: bool,
    out: Output,
) -> anyhow::Result<Exit> {
    let bytes = output::read(file)?;
    let is_bundle = looks_like_bundle(&bytes);
    let items = if is_bundle {
        anyhow::ensure!(
            !signers.is_empty(),
            "{} is a bundle; give --signer: whose signature is believed",
            file.display()
        );
        let keys = signers.iter().map(|signer| public_key(signer)).collect::<anyhow::Result<Vec<_>>>()?;
        match Bundle::open(&bytes, &keys) {
            Ok(bundle) => bundle.items,
            Err(error) => {
                let exit = match error {
                    BundleError::Signature { .. } => Exit::Rejected,
                    _ => Exit::Malformed,
                };
                return refused(&error.to_string(), error.code(), &[], exit, out);
            }
        }
    } else {
        match pieces(&bytes, opened.channel(), file) {
            Ok(pieces) => {
                let fetched = now();
                let item = |(request, bytes)| BundleItem { request, bytes, fetched };
                pieces.into_iter().map(item).collect()
            }
            Err(error) => return refused(&error, "COL-010", &[], Exit::Malformed, out),
        }
    };
    let options = ImportOptions { allow_older_danger, only_inspected: !is_bundle };
    match opened.service.import(&items, &format!("file {}", file.display()), options).await {
        Ok(imported) => {
            for piece in &imported {
                out.line(line(piece))?;
            }
            let json: Vec<Value> = imported.iter().map(piece_json).collect();
            out.value(&json!({ "imported": json, "refused": [] }))?;
            Ok(Exit::Success)
        }
        Err(ImportError::Refused(pieces)) => {
            let list: Vec<(String, String)> =
                pieces.iter().map(|(name, why)| (name.clone(), why.to_string())).collect();
            let error = ImportError::Refused(pieces);
            refused(&error.to_string(), error.code(), &list, Exit::Rejected, out)
        }
        Err(error) => Err(error.into()),
    }
}

fn step(step: Step) -> &'static str {
    match step {
        Step::New => "new",
        Step::Newer => "newer",
        Step::Same => "same",
        Step::Older => "older",
    }
}

fn line(piece: &Imported) -> String {
    let (mark, validity) = match piece.validity {
        Some(validity) if validity.not_after < now() => ("!", format!(", EXPIRED {}", validity.not_after)),
        Some(validity) => ("✓", format!(", next update {}", validity.not_after)),
        None => ("✓", String::new()),
    };
    format!("{mark} {:<6} {}{validity}", step(piece.step), piece.request.description)
}

fn piece_json(piece: &Imported) -> Value {
    json!({
        "name": piece.request.description,
        "key": piece.request.cache_key,
        "vendor": piece.request.vendor,
        "step": step(piece.step),
        "issued": piece.validity.map(|validity| validity.not_before.to_string()),
        "next_update": piece.validity.map(|validity| validity.not_after.to_string()),
        "expired": piece.validity.is_some_and(|validity| validity.not_after < now()),
    })
}

fn refused(
    why: &str,
    code: &str,
    pieces: &[(String, String)],
    exit: Exit,
    out: Output,
) -> anyhow::Result<Exit> {
    out.line(format!("{code} {why}"))?;
    for (name, why) in pieces {
        out.line(format!("✗ {name}: {why}"))?;
    }
    let list: Vec<Value> = pieces.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect();
    out.value(&json!({ "imported": [], "refused": list, "code": code, "detail": why }))?;
    Ok(exit)
}

/// A signer: a public key in PEM, a JWK, or the key of a certificate in PEM.
fn public_key(file: &Path) -> anyhow::Result<PublicKey> {
    let text = output::read_text(file)?;
    let key = if text.trim_start().starts_with('{') {
        let jwk: Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        anyhow::ensure!(
            jwk.get("d").is_none(),
            "{}: the JWK is a private key; only the public half belongs here",
            file.display()
        );
        PublicKey::from_jwk(&jwk)
    } else if text.contains("-----BEGIN CERTIFICATE-----") {
        PublicKey::from_certificate(text.as_bytes())
    } else {
        PublicKey::from_pem(&text)
    };
    key.with_context(|| format!("{} is no signer", file.display()))
}
