//! `assay reference-value`: what evidence is compared with.

use serde_json::{Map, Value, json};

use crate::cli::ReferenceValueCommand;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) async fn run(command: &ReferenceValueCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        ReferenceValueCommand::Set { name, values, single, expires, server } => {
            let read: Vec<Value> = values.iter().map(|text| value(text)).collect();
            let value = match (single, read.as_slice()) {
                (false, _) => Value::Array(read),
                (true, [one]) => one.clone(),
                (true, _) => anyhow::bail!("--single takes exactly one value"),
            };
            let mut map = Map::new();
            map.insert(name.clone(), value);
            crate::admin::register(&crate::admin::client(server).await?, &map, expires.as_deref()).await?;
            out.both(format!("{name}: registered"), &json!({ "registered": map }))?;
        }
        ReferenceValueCommand::Register { file, server } => {
            let message: Value = serde_json::from_slice(&output::read(file)?)?;
            crate::admin::client(server).await?.register_reference_values(&message).await?;
            out.both(format!("{}: registered", file.display()), &json!({ "registered": file }))?;
        }
        ReferenceValueCommand::Get { name, server } => {
            let value = crate::admin::client(server).await?.reference_value(name).await?;
            out.both(value.to_string(), &value)?;
        }
        ReferenceValueCommand::List { server } => {
            let list = crate::admin::client(server).await?.reference_values().await?;
            out.both(serde_json::to_string_pretty(&list)?, &list)?;
        }
        ReferenceValueCommand::History { name, server } => {
            let history = crate::admin::client(server).await?.reference_value_history(name).await?;
            out.both(serde_json::to_string_pretty(&history)?, &history)?;
        }
        ReferenceValueCommand::Delete { name, server } => {
            crate::admin::client(server).await?.delete_reference_value(name).await?;
            out.both(format!("{name}: deleted"), &json!({ "deleted": name }))?;
        }
    }
    Ok(Exit::Success)
}

/// JSON where it is JSON (`1`, `true`, `"text"`), else text as it stands.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
