//! The administrator's client, and how it gets its rights.

use assay_access::{AdminKeys, Role};
use assay_client::AdminClient;
use assay_store::Store;
use assay_types::Clock;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

use crate::cli::ServerArgs;
use crate::clock::SystemClock;
use crate::data_dir::DataDir;
use crate::output;
use crate::settings::Settings;

/// How long a token minted for one command is valid, in seconds.
const COMMAND_TTL: i64 = 300;

/// The client that the command line describes.
pub(crate) async fn client(args: &ServerArgs) -> anyhow::Result<AdminClient> {
    let token = match (&args.admin_token_file, &args.config, &args.data_dir) {
        (Some(file), _, _) => output::read_text(file)?.trim().to_owned(),
        (None, None, None) => std::env::var("ASSAY_ADMIN_TOKEN").map_err(|_| {
            anyhow::anyhow!(
                "no rights: give --admin-token-file FILE, --config FILE or --data-dir DIR (a server on this machine), \
                 or set ASSAY_ADMIN_TOKEN"
            )
        })?,
        (None, config, dir) => mint(config.as_deref(), dir.as_deref(), Role::Admin, COMMAND_TTL).await?,
    };
    build(&args.url, &token, args.ca_certificate.as_deref())
}

/// A client with full rights for the server whose data directory is at hand.
pub(crate) async fn client_for(url: &str, data: &Path) -> anyhow::Result<AdminClient> {
    client_of(url, None, data).await
}

/// [`client_for`] a server with a configuration.
pub(crate) async fn client_of(url: &str, config: Option<&Path>, data: &Path) -> anyhow::Result<AdminClient> {
    build(url, &mint(config, Some(data), Role::Admin, COMMAND_TTL).await?, None)
}

/// The admin keys in a store; the first is made, and the file of an earlier release is taken in.
pub(crate) async fn keys(
    settings: &Settings,
    store: &Store,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<AdminKeys> {
    let file = DataDir::new(&settings.server.data_dir).admin_key();
    AdminKeys::import_file(store, clock.as_ref(), &file).await?;
    Ok(AdminKeys::load(store.clone(), clock).await?)
}

/// An admin token, made with the newest key of the store that the configuration names. A server may be
/// running on the store.
pub(crate) async fn mint(
    config: Option<&Path>,
    data_dir: Option<&Path>,
    role: Role,
    seconds: i64,
) -> anyhow::Result<String> {
    let mut settings = Settings::load(config)?;
    if let Some(dir) = data_dir {
        settings.server.data_dir = dir.to_owned();
    }
    let store = crate::store::open(&settings, false).await?;
    let token = async {
        // The servers go by the clock of the store.
        let clock = store.clock(Arc::new(SystemClock));
        let key = keys(&settings, &store, Arc::clone(&clock)).await?.newest().await?;
        Ok(key.mint(role, seconds, &settings.access.audience, clock.now())?)
    };
    let token = token.await;
    store.close().await;
    token
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
