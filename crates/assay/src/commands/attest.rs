//! `assay attest`: the guest's part.

use assay_client::{ClientError, KbsClient};
use assay_token::decode_unverified;
use assay_types::{Coded as _, ResourcePath};
use serde_json::json;

use crate::cli::AttestArgs;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) async fn run(args: &AttestArgs, out: Output) -> anyhow::Result<Exit> {
    let path: Option<ResourcePath> = args.get.as_deref().map(str::parse).transpose()?;
    let client = crate::guest::client(&args.guest)?;
    let token = match client.token().await {
        Ok(token) => token,
        Err(error) => return refused(&error, out),
    };
    let (_, claims) = decode_unverified(token.as_str())?;
    match path {
        None => {
            out.line(crate::commands::token::describe(&claims))?;
            out.value(&json!({ "token": token.as_str(), "claims": claims }))?;
            Ok(Exit::Success)
        }
        Some(path) => get(&client, &path, out).await,
    }
}

/// Prints the resource: its bytes alone, so that it can be piped; with `--json` in base64.
pub(crate) async fn get(client: &KbsClient, path: &ResourcePath, out: Output) -> anyhow::Result<Exit> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    match client.resource(path).await {
        Ok(secret) if out.json => {
            out.value(&json!({ "resource": path, "base64": BASE64_STANDARD.encode(secret.expose()) }))?;
            Ok(Exit::Success)
        }
        Ok(secret) => {
            output::raw(secret.expose())?;
            Ok(Exit::Success)
        }
        Err(error) => refused(&error, out),
    }
}

/// A denial explains itself with the server's findings; everything else is an error of its own.
pub(crate) fn refused(error: &ClientError, out: Output) -> anyhow::Result<Exit> {
    let (word, findings, exit) = match error {
        ClientError::Denied { problem, .. }
        | ClientError::NotFound { problem, .. }
        | ClientError::Unauthenticated { problem, .. } => {
            ("refused", crate::commands::demo::problem_findings(&problem.more), Exit::Rejected)
        }
        // Nothing was said of the evidence.
        _ => ("failed", Vec::new(), Exit::Failure),
    };
    if out.json {
        out.value(&json!({
            "accepted": false, "code": error.code(), "detail": error.to_string(), "findings": findings,
        }))?;
    } else {
        output::note(format!("{word}: {error}"));
        output::note(output::findings(&findings).trim_end());
    }
    Ok(exit)
}
