//! The arguments of `assay emulate configfs-tsm`.

use std::path::PathBuf;

use assay_types::Tee;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ConfigfsTsmArgs {
    /// Where the files stand: an empty directory, made where it is missing. It is the root of the guest's files,
    /// so give it to an agent as its device root.
    #[arg(long, value_name = "DIR")]
    pub(crate) mount: PathBuf,
    /// The TEE: snp, tdx or cca.
    #[arg(long)]
    pub(crate) tee: Tee,
    /// 64 hexadecimal digits; the emulator's seed for development unless given.
    #[arg(long, value_name = "HEX64", default_value_t = "00".repeat(32))]
    pub(crate) seed: String,
    /// Init data (TOML) with whose digest the guest was launched.
    #[arg(long, value_name = "FILE")]
    pub(crate) init_data: Option<PathBuf>,
    /// Set a field of the evidence. Registers of TDX grow from the value set.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// Plain files that a thread fills in, where FUSE cannot be used. A reader must wait for `generation` and
    /// `outblob`, and registers cannot be extended.
    #[arg(long)]
    pub(crate) without_fuse: bool,
    /// How long a report takes, at most ten minutes.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=600_000))]
    pub(crate) answer_after: u32,
    /// Keeps the registers of TDX in this file (JSON), so that they outlive this process. Without it the guest
    /// boots anew each time.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// First clear what a simulator that was killed has left in the directory: its mount, or its plain files.
    #[arg(long)]
    pub(crate) remount: bool,
}
