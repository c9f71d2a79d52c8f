//! `assay checks`: the catalogue of checks, from the verifiers' own tables, and of error codes.

use assay_attestation_service::{APPRAISAL_CHECKS, catalogue};
use assay_types::Check;
use serde_json::json;

use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(markdown: bool, out: Output) -> anyhow::Result<Exit> {
    let mut tables = catalogue();
    tables.push(("appraisal", APPRAISAL_CHECKS));
    if markdown {
        out.line(page(&tables).trim_end())?;
    } else {
        for (title, checks) in &tables {
            out.line(title)?;
            for check in *checks {
                out.line(format!("  {:<13} {}", check.code, check.name))?;
            }
        }
    }
    out.value(&json!(
        tables.iter().map(|(title, checks)| json!({ "of": title, "checks": checks })).collect::<Vec<_>>()
    ))?;
    Ok(Exit::Success)
}

fn page(tables: &[(&str, &[Check])]) -> String {
    let mut out = String::from(
        "# Catalogue of checks\n\n\
         Written by `make docs` from the tables in the source; change it there. Findings carry these\n\
         codes in verdicts, in `assay verify --json` and in error bodies. A code is never given to\n\
         another check.\n",
    );
    for (title, checks) in tables {
        out.push_str(&format!(
            "\n## {title}\n\n| code | check | source | what to do when it fails |\n|---|---|---|---|\n"
        ));
        for check in *checks {
            out.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                check.code,
                cell(check.name),
                cell(check.source),
                cell(check.remedy)
            ));
        }
    }
    out.push_str(
        "\nThe default policies add findings of their own, `APR-<TEE>-NNN`; they stand in the policies'\n\
         texts (`assay policy get default_cpu`).\n\n## Error codes\n\n\
         Errors of the services carry a code as well; the fault decides the HTTP status\n\
         ([http-status.md](http-status.md)).\n\n| code | meaning |\n|---|---|\n",
    );
    for (code, meaning) in crate::codes::ERROR_CODES {
        out.push_str(&format!("| {code} | {} |\n", cell(meaning)));
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
