//! `assay collateral`.

use std::path::PathBuf;

use assay_types::Tee;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum CollateralCommand {
    /// Fetch collateral into the store: what is named, else all that is due. Exit code: 1 when something
    /// could not be had.
    Refresh(RefreshArgs),
    /// Show what the store holds, or a file: a bundle, the output of Intel's PcsClientTool, or the JSON of
    /// collateral.
    Show {
        /// The file; `-` for standard input. Nobody's signature on it is asked for.
        file: Option<PathBuf>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Write what the store holds into a signed bundle.
    Export {
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The private key that signs it: P-256 or P-384, PKCS#8 in PEM.
        #[arg(long, value_name = "PEM")]
        key: PathBuf,
        /// Only this vendor's.
        #[arg(long, value_enum)]
        vendor: Option<VendorArg>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Take a bundle, the output of Intel's PcsClientTool, or the JSON of collateral into the store, all of it
    /// or nothing. Exit code: 10 when it is refused, 30 when it is none of these.
    Import {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Whose bundles are believed: a public key (PEM, JWK) or a certificate (PEM), of which only the
        /// key counts. Needed for bundles.
        #[arg(long, value_name = "FILE")]
        signer: Vec<PathBuf>,
        /// Take what is older than what the store holds. That can bring back revoked certificates and TCB
        /// levels with known weaknesses.
        #[arg(long)]
        danger_allow_older: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RefreshArgs {
    /// TCB info of platforms of this FMSPC (12 hexadecimal digits), with all that belongs to it: identity of
    /// the quoting enclave, revocation lists.
    #[arg(long, value_name = "HEX", num_args = 1..)]
    pub(crate) fmspc: Vec<String>,
    /// For which TEE; tdx when absent.
    #[arg(long, value_enum, num_args = 1..)]
    pub(crate) tee: Vec<IntelTee>,
    /// Revocation lists of this authority for PCK certificates; both with --fmspc when absent.
    #[arg(long, value_enum, num_args = 1..)]
    pub(crate) ca: Vec<CaArg>,
    /// All that this evidence needs. With --tee for the TEE, which is found out for TDX and SGX.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fmspc", "ca"])]
    pub(crate) evidence: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// The store of a server on this machine, or one of its own. A server may be running on it.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// The server's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Its data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Trust the anchors of an emulator.
    #[arg(long, value_name = "FILE")]
    pub(crate) danger_trust_emulator: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntelTee {
    Tdx,
    Sgx,
}

impl IntelTee {
    pub(crate) fn tee(self) -> Tee {
        match self {
            IntelTee::Tdx => Tee::Tdx,
            IntelTee::Sgx => Tee::Sgx,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CaArg {
    Platform,
    Processor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VendorArg {
    Amd,
    Intel,
}
