//! The trial process by itself, for the tests of this crate: the same as the hidden subcommand of the
//! server's program.

fn main() -> std::process::ExitCode {
    assay_policy::trial_main()
}
