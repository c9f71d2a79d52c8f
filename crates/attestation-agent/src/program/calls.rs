//! Calls of a running agent by its ttRPC socket.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::cli::{Call, Server};
use super::output;
use crate::api::{Extended, RuntimeEvent, TokenKind};
use crate::faces::client::AgentClient;

pub(super) fn run(call: &Call) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(make(call))
}

async fn make(call: &Call) -> anyhow::Result<ExitCode> {
    match call {
        Call::GetTee(server) => output::line(client(server).await?.tee_type().await?)?,
        Call::GetEvidence { runtime_data, server } => {
            let data = BASE64_STANDARD.decode(runtime_data).context("--runtime-data is no base64")?;
            output::raw(&client(server).await?.evidence(&data).await?)?;
        }
        Call::GetToken { token_type, server } => {
            output::raw(client(server).await?.token(TokenKind::from_name(token_type)?).await?.expose())?;
        }
        Call::ExtendRuntimeMeasurement { domain, operation, content, register_index, server } => {
            let event = RuntimeEvent {
                domain: domain.clone(),
                operation: operation.clone(),
                content: content.clone(),
                pcr: *register_index,
            };
            let said = match client(server).await?.extend(event).await? {
                Extended::Done => "measured",
                Extended::NotSupported => anyhow::bail!("the platform has no register that can be extended"),
                Extended::NotEnabled => {
                    anyhow::bail!("the event log is turned off (eventlog_config.enable_eventlog)")
                }
            };
            output::line(said)?;
        }
        Call::GetResource { uri, server } => {
            // The path alone means a secret of the key broker that the agent knows.
            let uri = if uri.contains("://") { uri.clone() } else { format!("kbs:///{uri}") };
            output::raw(client(server).await?.resource(&uri).await?.expose())?;
        }
        Call::Unseal { file, server } => {
            let text = std::fs::read(file).with_context(|| file.display().to_string())?;
            output::raw(client(server).await?.unseal(&text).await?.expose())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn client(server: &Server) -> anyhow::Result<AgentClient> {
    let path = server.address.strip_prefix("unix://").context("--socket: expected unix:///path")?;
    let client = AgentClient::connect(Path::new(path)).await?;
    Ok(client.with_deadline(Duration::from_secs(server.timeout)))
}
