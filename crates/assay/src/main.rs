//! The `assay` program: server, offline verifier, administrator's and guest's tool.

mod admin;
mod arguments;
mod cli;
mod clock;
mod codes;
mod collateral;
mod commands;
mod data_dir;
mod doors;
mod exit;
mod file_values;
mod follow;
mod guest;
mod guest_process;
mod numbers;
mod output;
mod process;
mod reload;
mod rvps;
mod secret_backends;
mod server;
mod settings;
mod shutdown;
mod store;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::PolicyTrial) {
        return assay_policy::trial_main();
    }
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::note(format!("assay: {error:#}"));
            Exit::Failure.into()
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let out = Output { json: cli.json };
    match cli.command {
        Command::Serve(args) => commands::serve::run(&args, out),
        Command::Verify(args) => commands::verify::run(&args, out),
        Command::Emulate(command) => commands::emulate::run(&command, out),
        Command::Cca(command) => commands::cca::run(&command, out),
        Command::Config(command) => commands::config::run(&command, out),
        Command::Checks { markdown } => commands::checks::run(markdown, out),
        Command::Metrics { markdown } => commands::metrics::run(markdown, out),
        Command::SealedSecret(command) => commands::sealed_secret::run(&command, out),
        Command::Token(command) => commands::token::run(&command, out),
        Command::Openapi => {
            output::raw(assay_key_broker_service::openapi().as_bytes())?;
            Ok(Exit::Success)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "assay", &mut std::io::stdout());
            Ok(Exit::Success)
        }
        Command::PolicyTrial => Ok(Exit::Failure),
        Command::Demo(args) => asynchronous(commands::demo::run(&args, out)),
        Command::Admin(command) => asynchronous(commands::admin::run(&command, out)),
        Command::Key(command) => asynchronous(commands::key::run(&command, out)),
        Command::Store(command) => asynchronous(commands::store::run(&command, out)),
        Command::Attest(args) => asynchronous(commands::attest::run(&args, out)),
        Command::Explain(args) => asynchronous(commands::explain::run(&args, out)),
        Command::Resource(command) => asynchronous(commands::resource::run(&command, out)),
        Command::Policy(command) => asynchronous(commands::policy::run(&command, out)),
        Command::Rvps(command) => asynchronous(commands::rvps::run(&command, out)),
        Command::ReferenceValue(command) => asynchronous(commands::reference_value::run(&command, out)),
        Command::Endorsement(command) => asynchronous(commands::endorsement::run(&command, out)),
        Command::Collateral(command) => asynchronous(commands::collateral::run(&command, out)),
        Command::Audit(command) => asynchronous(commands::audit::run(&command, out)),
        Command::Import(command) => asynchronous(commands::import::run(&command, out)),
        Command::Bench(args) => asynchronous(commands::bench::run(&args, out)),
    }
}

fn asynchronous(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
