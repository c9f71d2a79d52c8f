//! The command line of `assay import`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Take over the configuration, resources, policies and reference values of Trustee. Exit code: 0 all taken,
    /// 10 something was refused (the report says what, why, and what to do), 1 something could not be read or written.
    Trustee(TrusteeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TrusteeArgs {
    /// The configuration of Trustee's KBS, TOML or JSON; it names where the rest is stored.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The configuration of its attestation service, where that is a program of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) as_config: Option<PathBuf>,
    /// The configuration of its RVPS, where that is a program of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) rvps_config: Option<PathBuf>,
    /// The configuration of Assay whose store things are put into.
    #[arg(long, value_name = "CONFIG", required_unless_present_any = ["data_dir", "dry_run"])]
    pub(crate) into: Option<PathBuf>,
    /// The data directory with the store that things are put into; made when it is not there.
    #[arg(long, value_name = "DIR", conflicts_with = "into")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Say what would be taken, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write Assay's configuration to this file, which must not be there yet.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(crate) write_config: Option<PathBuf>,
    /// Where the file tree of Trustee's host or container is: put before the folders that its configuration names.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Only these kinds of stored data; the configuration is looked at in any case.
    #[arg(long, value_name = "KIND", value_enum, num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<ImportKind>,
    /// A file with the password of Trustee's database, instead of the one in its configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) postgres_password_file: Option<PathBuf>,
    /// The authority (PEM) of the certificate of Trustee's database; needed when that is on another host.
    #[arg(long, value_name = "FILE")]
    pub(crate) postgres_root_certificate: Option<PathBuf>,
}

/// What is stored, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    Resources,
    ResourcePolicy,
    AttestationPolicies,
    ReferenceValues,
}
