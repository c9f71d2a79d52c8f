//! The program `assay-agent`: its command line, and what each command does.

mod calls;
mod cli;
mod config;
mod doctor;
mod output;
mod run;
mod services;
mod start;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        None => run::run(&cli.agent),
        Some(Command::Doctor(args)) => doctor::run(&cli.agent, args),
        Some(Command::Config(command)) => config::run(&cli.agent, command),
        Some(Command::Call(call)) => calls::run(call),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            output::problem(&error);
            ExitCode::FAILURE
        }
    }
}
