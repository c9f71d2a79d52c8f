//! `assay-agent config`.

use std::process::ExitCode;

use super::cli::{AgentArgs, ConfigCommand};
use super::start::settings;
use super::{output, services};
use crate::settings::DOCUMENTED;

pub(super) fn run(args: &AgentArgs, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Example => output::raw(DOCUMENTED.as_bytes())?,
        ConfigCommand::Check => {
            services::check(&settings(args)?)?;
            output::line("the configuration is good")?;
        }
        ConfigCommand::Show => output::raw(toml::to_string_pretty(&settings(args)?)?.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
