//! The command line. The options without a command are those of the agent that this one replaces.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::DEFAULT_SOCKET;

/// The guest's agent: evidence, tokens, secrets, runtime measurements.
///
/// Without a command it serves until it is told to end (SIGTERM, SIGINT). Exit codes: 0 done, 1 failed.
#[derive(Debug, Parser)]
#[command(name = "assay-agent", version, args_conflicts_with_subcommands = false)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) agent: AgentArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The configuration (TOML); /etc/assay-agent.toml where it exists
    #[arg(short = 'c', long = "config-file", alias = "config", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Serve ttRPC for root on this socket instead of the configured listeners
    #[arg(short = 'a', long = "attestation_sock", alias = "attestation-sock", value_name = "unix:///PATH")]
    pub(super) socket: Option<String>,
    /// The digest of the init data (base64)
    #[arg(short = 'i', long = "initdata-digest", alias = "initdata_digest", value_name = "BASE64")]
    pub(super) init_data_digest: Option<String>,
    /// The init data (TOML); wins over the digest
    #[arg(short = 't', long = "initdata-toml", alias = "initdata_toml", value_name = "FILE")]
    pub(super) init_data_toml: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What this machine is, what was looked for, and what would go wrong
    Doctor(DoctorArgs),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Call(Call),
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Attest to the key broker too, and say how it went
    #[arg(long)]
    pub(super) attest: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Every key with its default and its meaning
    Example,
    /// Reads the configuration and says what is wrong
    Check,
    /// The configuration in force: file, environment, kernel command line
    Show,
}

/// Calls of a running agent.
#[derive(Debug, Subcommand)]
pub(super) enum Call {
    /// The TEE of this guest
    GetTee(Server),
    /// Evidence bound to runtime data
    GetEvidence {
        /// The runtime data (base64)
        #[arg(short, long, value_name = "BASE64")]
        runtime_data: String,
        #[command(flatten)]
        server: Server,
    },
    /// A token: kbs or coco_as
    GetToken {
        #[arg(short = 't', long, value_name = "TYPE")]
        token_type: String,
        #[command(flatten)]
        server: Server,
    },
    /// Measures an event
    ExtendRuntimeMeasurement {
        #[arg(short, long)]
        domain: String,
        #[arg(short, long)]
        operation: String,
        #[arg(short, long)]
        content: String,
        /// The register, by the number of a PCR
        #[arg(short = 'p', long)]
        register_index: Option<u64>,
        #[command(flatten)]
        server: Server,
    },
    /// A resource of the key broker: its bytes alone, so that they can be piped
    GetResource {
        /// `kbs:///<repository>/<type>/<tag>`, or the path alone
        uri: String,
        #[command(flatten)]
        server: Server,
    },
    /// The secret that a sealed secret stands for
    Unseal {
        /// The file with the text `sealed.…`
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
pub(super) struct Server {
    /// The agent's ttRPC socket
    #[arg(long = "socket", default_value = DEFAULT_SOCKET, value_name = "unix:///PATH")]
    pub(super) address: String,
    /// How long to wait
    #[arg(long, default_value_t = 50, value_name = "SECONDS")]
    pub(super) timeout: u64,
}
