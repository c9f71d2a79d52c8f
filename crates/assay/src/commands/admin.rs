//! `assay admin`: administrators' keys and tokens.

use assay_key_broker_service::{AdminKey, DEFAULT_AUDIENCE, Role};
use assay_types::Clock as _;
use serde_json::json;

use crate::arguments;
use crate::cli::AdminCommand;
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(command: &AdminCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        AdminCommand::Token { data_dir, role, ttl } => {
            let role: Role = role.parse()?;
            let key = AdminKey::load(&DataDir::new(data_dir).admin_key())?;
            let token = key.mint(role, arguments::duration(ttl)?, DEFAULT_AUDIENCE, SystemClock.now())?;
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
