//! Printing. Secrets go to standard output alone, words about them to standard error.

use std::io::{self, Write as _};

use assay_types::Coded;

use crate::error::AgentError;
use crate::faces::client::CallError;

/// A line for people.
pub(super) fn line(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref())
}

/// Bytes as they are, so that they can be piped.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Why the program ends in failure: the error and its causes, on one line of standard error.
pub(super) fn problem(error: &anyhow::Error) {
    let coded = error.chain().find_map(|cause| {
        let call = cause.downcast_ref::<CallError>().map(Coded::code);
        call.or_else(|| cause.downcast_ref::<AgentError>().map(Coded::code))
    });
    // What the agent itself refused has its code in the text.
    let code = coded.filter(|code| *code != "AGC-002").map_or(String::new(), |code| format!("{code} "));
    // Standard error may be closed; then there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "assay-agent: {code}{error:#}");
}
