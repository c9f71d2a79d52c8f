//! `assay cca`: Arm CCA tokens for people.

use assay_tee_cca::evidence::token_bytes;
use assay_tee_cca::{keys_in, show};
use assay_types::{Finding, RawEvidence, Tee};
use serde_json::json;

use crate::cli::CcaCommand;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) fn run(command: &CcaCommand, out: Output) -> anyhow::Result<Exit> {
    let CcaCommand::Show { file, key } = command;
    let mut keys = Vec::new();
    for file in key {
        let found = keys_in(&output::read(file)?)
            .map_err(|why| anyhow::anyhow!("{}: no attestation key: {why}", file.display()))?;
        keys.extend(found);
    }
    let token = match token_bytes(&RawEvidence::new(Tee::Cca, output::read(file)?)) {
        Ok(token) => token,
        Err(error) => return malformed(error.findings(), out),
    };
    let shown = match show::show(&token, &keys) {
        Ok(shown) => shown,
        Err(findings) => return malformed(&findings, out),
    };
    out.line(shown.to_text().trim_end())?;
    if !shown.findings().is_empty() {
        out.line("\nwhat is wrong with it by its own profile")?;
        out.line(output::findings(shown.findings()).trim_end())?;
    }
    out.value(&shown.to_json())?;
    Ok(if shown.fails() { Exit::Rejected } else { Exit::Success })
}

fn malformed(findings: &[Finding], out: Output) -> anyhow::Result<Exit> {
    out.line("not a CCA token")?;
    out.line(output::findings(findings).trim_end())?;
    out.value(&json!({ "findings": findings }))?;
    Ok(Exit::Malformed)
}
