//! `assay rvps`: a reference value provider over gRPC.

use std::sync::Arc;

use assay_reference_values::{
    Protocol, ReferenceValueSource as _, RemoteReferenceValues, RemoteValuesSettings,
};
use assay_remote::RemoteSettings;
use serde_json::json;

use crate::cli::{RvpsArgs, RvpsCommand};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) async fn run(command: &RvpsCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        RvpsCommand::Register { file, provider } => {
            client(provider, Protocol::Trustee)?.register(&output::read(file)?).await?;
            out.both(format!("{}: registered", file.display()), &json!({ "registered": file }))?;
        }
        RvpsCommand::Query { name, provider } => {
            let value = client(provider, Protocol::Trustee)?.value(name).await?;
            let value =
                value.ok_or_else(|| anyhow::anyhow!("there is no reference value {name:?} in force"))?;
            out.both(value.to_string(), &value)?;
        }
        RvpsCommand::List { provider } => {
            let list = client(provider, Protocol::Assay)?.list().await?;
            out.both(serde_json::to_string_pretty(&list)?, &serde_json::to_value(&list)?)?;
        }
    }
    Ok(Exit::Success)
}

fn client(args: &RvpsArgs, protocol: Protocol) -> anyhow::Result<RemoteReferenceValues> {
    let remote = RemoteSettings {
        ca_certificate: args.ca_certificate.clone(),
        client_certificate: args.client_certificate.clone(),
        client_key: args.client_key.clone(),
        token_file: args.token_file.clone(),
        ..RemoteSettings::new(RemoteValuesSettings::PART, &args.address)
    };
    Ok(RemoteReferenceValues::new(RemoteValuesSettings::new(remote, protocol), Arc::new(SystemClock))?)
}
