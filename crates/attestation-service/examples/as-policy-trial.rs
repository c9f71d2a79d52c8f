//! The process that tries out policies before they are admitted, for the tests of this crate.

fn main() -> std::process::ExitCode {
    assay_policy::trial_main()
}
