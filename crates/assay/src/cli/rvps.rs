//! The commands for a reference value provider.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RvpsCommand {
    /// Register a message file `{"version","type","payload"}`.
    Register {
        /// The message.
        file: PathBuf,
        #[command(flatten)]
        provider: RvpsArgs,
    },
    /// Print a reference value that is in force.
    Query {
        /// Its name.
        name: String,
        #[command(flatten)]
        provider: RvpsArgs,
    },
    /// List the reference values; Trustee's provider has no call for it.
    List {
        #[command(flatten)]
        provider: RvpsArgs,
    },
}

/// Where the provider is, whom to believe there, and what to show.
#[derive(Debug, Args)]
pub(crate) struct RvpsArgs {
    /// The provider; plain http to loopback addresses only.
    #[arg(long, env = "ASSAY_RVPS", default_value = "http://127.0.0.1:50003", value_name = "URL")]
    pub(crate) address: String,
    /// The only certificate authority to trust (PEM); needed with https.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_certificate: Option<PathBuf>,
    /// The certificate chain to show (PEM).
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    pub(crate) client_key: Option<PathBuf>,
    /// A file with the bearer token to show; `assay admin token` makes one.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}
