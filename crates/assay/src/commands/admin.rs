//! `assay admin`: administrators' tokens and roles.

use assay_access::Role;
use serde_json::json;

use crate::arguments;
use crate::cli::AdminCommand;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(command: &AdminCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        AdminCommand::Token { config, data_dir, role, ttl } => {
            let role: Role = role.parse()?;
            let seconds = arguments::duration(ttl)?;
            let token = crate::admin::mint(config.as_deref(), data_dir.as_deref(), role, seconds).await?;
            out.both(&token, &json!({ "token": token, "role": role.as_str() }))?;
        }
        AdminCommand::Roles => {
            for role in Role::ALL {
                out.line(format!("{:<24} {}", role.as_str(), role.description()))?;
            }
            let list: Vec<_> =
                Role::ALL.iter().map(|r| json!({ "role": r.as_str(), "meaning": r.description() })).collect();
            out.value(&list)?;
        }
    }
    Ok(Exit::Success)
}
