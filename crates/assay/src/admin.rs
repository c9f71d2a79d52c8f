//! The administrator's client, and how it gets its rights.

use assay_client::AdminClient;
use assay_key_broker_service::{AdminKey, DEFAULT_AUDIENCE, Role};
use assay_types::Clock as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};
use std::path::Path;

use crate::cli::ServerArgs;
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::output;

/// How long a token minted for one command is valid, in seconds.
const COMMAND_TTL: i64 = 300;

/// The client that the command line describes.
pub(crate) fn client(args: &ServerArgs) -> anyhow::Result<AdminClient> {
    let token = match (&args.admin_token_file, &args.data_dir) {
        (Some(file), _) => output::read_text(file)?.trim().to_owned(),
        (None, Some(dir)) => mint(dir)?,
        (None, None) => std::env::var("ASSAY_ADMIN_TOKEN").map_err(|_| {
            anyhow::anyhow!(
                "no rights: give --admin-token-file FILE, --data-dir DIR (a server on this machine), or set \
                 ASSAY_ADMIN_TOKEN"
            )
        })?,
    };
    build(&args.url, &token, args.ca_certificate.as_deref())
}

/// A client with full rights for the server whose data directory is at hand.
pub(crate) fn client_for(url: &str, data: &Path) -> anyhow::Result<AdminClient> {
    build(url, &mint(data)?, None)
}

/// An admin token from the key of a data directory.
fn mint(data: &Path) -> anyhow::Result<String> {
    let key = AdminKey::load(&DataDir::new(data).admin_key())?;
    Ok(key.mint(Role::Admin, COMMAND_TTL, DEFAULT_AUDIENCE, SystemClock.now())?)
}

fn build(url: &str, token: &str, ca_certificate: Option<&Path>) -> anyhow::Result<AdminClient> {
    let mut builder = AdminClient::builder(url)?.token(token);
    if let Some(file) = ca_certificate {
        builder = builder.ca_certificate(&output::read(file)?)?;
    }
    Ok(builder.build()?)
}

/// Registers reference values by name.
pub(crate) async fn register(
    client: &AdminClient,
    values: &Map<String, Value>,
    expires: Option<&str>,
) -> anyhow::Result<()> {
    let mut message = json!({
        "version": "0.1.0",
        "type": "sample",
        "payload": BASE64_STANDARD.encode(serde_json::to_vec(values)?),
    });
    if let (Some(expires), Some(message)) = (expires, message.as_object_mut()) {
        message.insert("expires".into(), json!(expires));
    }
    client.register_reference_values(&message).await?;
    Ok(())
}
