//! `assay resource`: the secrets that the key broker releases.

use std::path::Path;

use assay_types::{ResourcePath, SecretBytes};
use serde_json::{Value, json};

use crate::cli::ResourceCommand;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) async fn run(command: &ResourceCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        ResourceCommand::Set { path, file, server } => {
            let path: ResourcePath = path.parse()?;
            let secret = SecretBytes::new(output::read(file.as_deref().unwrap_or(Path::new("-")))?);
            let bytes = secret.expose().len();
            crate::admin::client(server).await?.put_resource(&path, &secret).await?;
            out.both(format!("{path}: {bytes} bytes stored"), &json!({ "stored": path, "bytes": bytes }))?;
        }
        ResourceCommand::Get { path, guest } => {
            let path = path.parse()?;
            return crate::commands::attest::get(&crate::guest::client(guest)?, &path, out).await;
        }
        ResourceCommand::List { prefix, server } => {
            let list = crate::admin::client(server).await?.resources(prefix.as_deref()).await?;
            for item in list.as_array().into_iter().flatten() {
                let member = |name: &str| item.get(name).map(Value::to_string).unwrap_or_default();
                let path = item.get("path").and_then(Value::as_str).unwrap_or_default();
                out.line(format!("{path:<48} version {:<4} {:>8} bytes", member("version"), member("size")))?;
            }
            out.value(&list)?;
        }
        ResourceCommand::Delete { path, server } => {
            let path: ResourcePath = path.parse()?;
            crate::admin::client(server).await?.delete_resource(&path).await?;
            out.both(format!("{path}: deleted, all versions"), &json!({ "deleted": path }))?;
        }
    }
    Ok(Exit::Success)
}
