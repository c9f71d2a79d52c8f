//! The program `assay-agent`.

use std::process::ExitCode;

fn main() -> ExitCode {
    assay_attestation_agent::program::main()
}
