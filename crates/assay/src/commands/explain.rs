//! `assay explain`: every check, reference value and verdict behind a token.

use std::path::Path;

use assay_attestation_service::Verdict;
use assay_token::decode_unverified;
use assay_types::{Lookup, Outcome, TrustClaim, TrustTier};
use serde_json::Value;

use crate::cli::ExplainArgs;
use crate::commands::verify::tier_mark;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) async fn run(args: &ExplainArgs, out: Output) -> anyhow::Result<Exit> {
    let jti = match Path::new(&args.token) {
        file if file.is_file() => {
            let (_, claims) = decode_unverified(output::read_text(file)?.trim())?;
            let jti = claims.get("jti").and_then(Value::as_str);
            jti.ok_or_else(|| anyhow::anyhow!("the token has no jti"))?.to_owned()
        }
        _ => args.token.clone(),
    };
    let verdict = crate::admin::client(&args.server).await?.explain(&jti).await?;
    out.value(&verdict)?;
    if !out.json {
        show(&serde_json::from_value(verdict)?, out)?;
    }
    Ok(Exit::Success)
}

fn show(verdict: &Verdict, out: Output) -> anyhow::Result<()> {
    out.line(format!("token {}, {} to {}", verdict.jti, verdict.issued, verdict.expires))?;
    if verdict.emulated {
        out.line("EMULATED: no hardware stands behind it")?;
    }
    for (name, attester) in &verdict.attesters {
        out.line(format!("\n{} {name} ({}): {}", tier_mark(attester.status), attester.tee, attester.status))?;
        for claim in TrustClaim::ALL {
            let value = attester.trust_vector.get(claim);
            if value != 0 {
                let tier = TrustTier::of(value);
                out.line(format!("  {} {claim:<18} {value:>4} {tier}", tier_mark(tier)))?;
            }
        }
        for policy in &attester.policies {
            out.line(format!("  policy {} version {} {}", policy.id, policy.version, policy.digest))?;
        }
        for asked in &attester.reference_values {
            let answer = match &asked.answer {
                Lookup::Found { value, .. } => value.to_string(),
                Lookup::Missing => "MISSING".to_owned(),
                Lookup::Expired { since } => format!("EXPIRED {since}"),
            };
            out.line(format!("  asked for {:<26} {answer}", asked.id))?;
        }
        for item in &attester.collateral {
            out.line(format!("  rests on {} ({})", item.name, item.validity))?;
        }
        let passed = attester.findings.iter().filter(|f| f.outcome == Outcome::Passed).count();
        out.line(format!("  {passed} checks hold"))?;
        out.line(output::findings(&attester.findings).trim_end())?;
    }
    Ok(())
}
