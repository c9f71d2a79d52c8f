//! `assay audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::WhichStore;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List records, the newest last.
    List(ListArgs),
    /// Verify the whole log: its chains, their heads, and that no chain is missing. Exit code: 0 sound, 1
    /// something is broken or could not be read.
    Verify {
        /// An export to verify instead of the log in the store; needs --keys.
        #[arg(long, value_name = "FILE", requires = "keys", conflicts_with_all = ["config", "data_dir"])]
        file: Option<PathBuf>,
        /// The log's public keys: a JWK set (`assay audit keys`) or an export of before.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// Heads of before (`assay audit heads`), or an export: what they know must still be there. Finds a
        /// database that was rolled back.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        #[command(flatten)]
        store: WhichStore,
    },
    /// Write the log as JSON Lines: keys, heads, records.
    Export {
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
        #[command(flatten)]
        store: WhichStore,
    },
    /// Write the signed heads of all chains, to be kept elsewhere.
    Heads {
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
        #[command(flatten)]
        store: WhichStore,
    },
    /// Print the public keys of the log (a JWK set), to be kept elsewhere.
    Keys {
        #[command(flatten)]
        store: WhichStore,
    },
    /// Remove old records. The log says so itself, and what stays verifies.
    Prune {
        /// Remove the records from before this time: RFC 3339 (`2026-01-31T00:00:00Z`), or an age (`365d`).
        #[arg(long, value_name = "TIME")]
        before: String,
        #[command(flatten)]
        store: WhichStore,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// From this time on: RFC 3339, or an age (`2h`, `7d`).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Of this kind: verdict, refusal, release, denial, admin, access, chain-start, heads, chain-stop,
    /// prune.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// With this text in who did it, the address, the token's id or the request's id.
    #[arg(long)]
    pub(crate) who: Option<String>,
    /// With a resource path, policy id or name of a reference value that begins so.
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// With this result: ok, refused, failed.
    #[arg(long)]
    pub(crate) result: Option<String>,
    /// At most so many, the newest.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) store: WhichStore,
}
