//! `assay config`: what the configuration is.

use crate::cli::ConfigCommand;
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) fn run(command: &ConfigCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Show { config } => {
            let settings = Settings::load(config.as_deref())?;
            out.both(settings.documented()?.trim_end(), &settings)?;
        }
        ConfigCommand::Check { config } => {
            let settings = Settings::load(Some(config))?;
            out.both(format!("{}: good", config.display()), &settings)?;
        }
    }
    Ok(Exit::Success)
}
