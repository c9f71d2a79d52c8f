//! `assay policy check` and `assay policy eval`: policies without a server.

use std::collections::BTreeMap;
use std::path::Path;

use assay_attestation_service::{ATTESTATION_POLICIES, RESOURCE_POLICIES};
use assay_policy::{Admission, Limits, Policy, PolicyError, PolicyKind, TrialProcess};
use assay_token::decode_unverified;
use assay_types::{Clock as _, Coded as _, Lookup, Tee, TrustClaim, TrustTier, UnixTime};
use serde_json::{Map, Value, json};

use crate::clock::SystemClock;
use crate::commands::verify::tier_mark;
use crate::exit::Exit;
use crate::file_values::FileValues;
use crate::output::{self, Output};

/// The hidden subcommand that tries out a policy.
pub(crate) const TRIAL_COMMAND: &str = "policy-trial";

/// How this program admits policies.
pub(crate) fn admission() -> anyhow::Result<Admission> {
    let trial = TrialProcess { program: std::env::current_exe()?, args: vec![TRIAL_COMMAND.to_owned()] };
    Ok(Admission::new(trial, Limits::default()))
}

pub(crate) async fn check(file: &Path, kind: PolicyKind, out: Output) -> anyhow::Result<Exit> {
    let text = output::read_text(file)?;
    match admission()?.admit(kind, &text).await {
        Ok(policy) => {
            out.both(
                format!("{}: good ({kind} policy, {})", file.display(), policy.digest()),
                &json!({ "accepted": true, "kind": kind, "digest": policy.digest() }),
            )?;
            Ok(Exit::Success)
        }
        Err(error) => refused(&error, out),
    }
}

fn refused(error: &PolicyError, out: Output) -> anyhow::Result<Exit> {
    out.both(
        format!("refused: {} {error}", error.code()),
        &json!({ "accepted": false, "code": error.code(), "detail": error.to_string() }),
    )?;
    Ok(Exit::Rejected)
}

/// The arguments of `assay policy eval`.
pub(crate) struct Eval<'a> {
    pub(crate) policy: Option<&'a Path>,
    pub(crate) claims: &'a Path,
    pub(crate) reference_values: Option<&'a Path>,
    pub(crate) kind: PolicyKind,
    pub(crate) resource: Option<&'a str>,
}

pub(crate) async fn eval(args: Eval<'_>, out: Output) -> anyhow::Result<Exit> {
    let policy = match args.policy {
        // A file is somebody's: it goes the way of every policy from outside.
        Some(file) => match admission()?.admit(args.kind, &output::read_text(file)?).await {
            Ok(policy) => policy,
            Err(error) => return refused(&error, out),
        },
        None => {
            let bundled = match args.kind {
                PolicyKind::Attestation => ATTESTATION_POLICIES,
                PolicyKind::Resource => RESOURCE_POLICIES,
            };
            let (_, text) = bundled.first().ok_or_else(|| anyhow::anyhow!("no bundled policy"))?;
            Policy::bundled(args.kind, text)?
        }
    };
    let recorded = output::read_text(args.claims)?;
    let now = SystemClock.now();
    match args.kind {
        PolicyKind::Attestation => {
            let values = match args.reference_values {
                Some(file) => serde_json::from_slice(&output::read(file)?)?,
                None => BTreeMap::new(),
            };
            appraise(&policy, &attestation_input(&recorded)?, &FileValues(values), now, out)
        }
        PolicyKind::Resource => {
            let path: assay_types::ResourcePath = args
                .resource
                .ok_or_else(|| anyhow::anyhow!("give --resource REPOSITORY/TYPE/TAG"))?
                .parse()?;
            let data = json!({ "plugin": "resource", "resource-path": path.segments(), "query": {} });
            match policy.allow(&data, &token_claims(&recorded)?) {
                Ok(allow) => {
                    out.both(
                        if allow { "✓ released" } else { "✗ refused" },
                        &json!({ "allow": allow, "policy": policy.digest() }),
                    )?;
                    Ok(if allow { Exit::Success } else { Exit::Rejected })
                }
                Err(error) => refused(&error, out),
            }
        }
    }
}

fn appraise(
    policy: &Policy,
    input: &Value,
    values: &FileValues,
    now: UnixTime,
    out: Output,
) -> anyhow::Result<Exit> {
    let said = match policy.appraise(input, values, now) {
        Ok(said) => said,
        Err(error) => return refused(&error, out),
    };
    let reasons = match policy.explain(input, values, now) {
        Ok(reasons) => reasons,
        Err(error) => return refused(&error, out),
    };
    let status = said.trust_vector.status();
    out.line(format!("{} {status}", tier_mark(status)))?;
    for claim in TrustClaim::ALL {
        let value = said.trust_vector.get(claim);
        if value != 0 {
            let tier = TrustTier::of(value);
            out.line(format!("  {} {claim:<18} {value:>4} {tier}", tier_mark(tier)))?;
        }
    }
    for asked in &said.asked {
        let answer = match &asked.answer {
            Lookup::Found { value, .. } => value.to_string(),
            Lookup::Missing => "MISSING".to_owned(),
            Lookup::Expired { since } => format!("EXPIRED {since}"),
        };
        out.line(format!("  asked for {:<28} {answer}", asked.id))?;
    }
    for reason in &reasons {
        out.line(format!(
            "  ✗ {} {}: expected {}, found {}",
            reason.code, reason.detail, reason.expected, reason.found
        ))?;
    }
    out.value(&json!({
        "status": status,
        "trust_vector": said.trust_vector,
        "extensions": said.extensions,
        "reference_values": said.asked,
        "findings": reasons,
        "policy": policy.digest(),
    }))?;
    Ok(if status == TrustTier::Affirming { Exit::Success } else { Exit::Rejected })
}

/// The policy input in whatever was recorded: itself, the output of `assay verify --json`, or a
/// token's first submodule.
fn attestation_input(recorded: &str) -> anyhow::Result<Value> {
    if let Ok((_, claims)) = decode_unverified(recorded.trim()) {
        return claims
            .pointer("/submods/cpu0/ear.veraison.annotated-evidence")
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("the token has no submods.cpu0 with annotated evidence"));
    }
    let value: Value = serde_json::from_str(recorded)?;
    let (Some(tee), Some(claims)) =
        (value.get("tee").and_then(Value::as_str), value.get("claims").and_then(Value::as_object))
    else {
        return Ok(value);
    };
    let tee: Tee = tee.parse()?;
    let mut claims = claims.clone();
    // What policies see below the claims of a TEE whose claims are compared with endorsements.
    if let Some(appraisal) = value.get("appraisal") {
        claims.insert("appraisal".into(), appraisal.clone());
    }
    let mut tree = Map::new();
    for name in ["report_data", "init_data"] {
        if let Some(value) = claims.remove(name) {
            tree.insert(name.into(), value);
        }
    }
    tree.insert(tee.to_string(), Value::Object(claims));
    Ok(Value::Object(tree))
}

fn token_claims(recorded: &str) -> anyhow::Result<Value> {
    match decode_unverified(recorded.trim()) {
        Ok((_, claims)) => Ok(claims),
        Err(_) => Ok(serde_json::from_str(recorded)?),
    }
}
