//! The options of `assay emulate vault`.

use std::net::SocketAddr;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct EmulateVaultArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// The token that may do everything and has no end.
    #[arg(long, default_value = "hvs.double")]
    pub(crate) token: String,
    /// The AppRole's id.
    #[arg(long, default_value = "assay-role")]
    pub(crate) role_id: String,
    /// The AppRole's secret id.
    #[arg(long, default_value = "assay-secret-id")]
    pub(crate) secret_id: String,
    /// The Kubernetes role.
    #[arg(long, default_value = "assay")]
    pub(crate) kubernetes_role: String,
    /// The service account's token that the role takes.
    #[arg(long, default_value = "double.service.account")]
    pub(crate) kubernetes_jwt: String,
    /// Where the KV engine of version 1 is mounted.
    #[arg(long, default_value = "kv1")]
    pub(crate) kv1_mount: String,
    /// Where the KV engine of version 2 is mounted.
    #[arg(long, default_value = "secret")]
    pub(crate) kv2_mount: String,
    /// Where the transit engine is mounted.
    #[arg(long, default_value = "transit")]
    pub(crate) transit_mount: String,
    /// A key of the transit engine; may be given several times.
    #[arg(long = "transit-key", value_name = "NAME", default_value = "assay")]
    pub(crate) transit_keys: Vec<String>,
    /// The namespace that requests must name.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// How long the tokens of logins live; 0 is for ever.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32))]
    pub(crate) lease_seconds: u32,
}
