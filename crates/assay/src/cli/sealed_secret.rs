//! `assay sealed-secret`.

use std::path::PathBuf;

use assay_types::ResourceUri;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SealedSecretCommand {
    /// Make the owner's key pair (P-256, JWK).
    Keygen {
        /// The name by which guests find the public key: the URI of a resource, or the name of a file in
        /// the guest.
        #[arg(long)]
        kid: String,
        /// Where to write the private key, with mode 0600. What is there already is never overwritten.
        #[arg(long, value_name = "FILE")]
        out_private: PathBuf,
        /// Where to write the public key, which guests need.
        #[arg(long, value_name = "FILE")]
        out_public: PathBuf,
    },
    /// Seal a secret, or the name of one; the sealed secret goes to standard output.
    #[command(subcommand)]
    Seal(SealCommand),
    /// Show what a sealed secret says. Nothing is verified, and no secret is shown.
    Show {
        /// The file with the sealed secret; `-` for standard input.
        file: PathBuf,
    },
    /// Verify the signature of a sealed secret. Exit code: 0 it holds, 10 it does not, 30 the file is no
    /// sealed secret.
    Verify {
        /// The file with the sealed secret; `-` for standard input.
        file: PathBuf,
        /// The owner's public key (JWK).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

/// Who seals.
#[derive(Debug, Args)]
pub(crate) struct Signer {
    /// The owner's private key (JWK).
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key: PathBuf,
    /// The name by which guests find the public key.
    #[arg(long)]
    pub(crate) kid: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SealCommand {
    /// The name of a secret that the key broker releases.
    Vault {
        #[command(flatten)]
        signer: Signer,
        /// The secret: `kbs:///<repository>/<type>/<tag>`.
        #[arg(long, value_name = "URI")]
        resource: ResourceUri,
        /// Who keeps it.
        #[arg(long, default_value = "kbs", value_parser = ["kbs"])]
        provider: String,
    },
    /// A secret, encrypted under a key that the key broker releases.
    Envelope {
        #[command(flatten)]
        signer: Signer,
        /// The key-encryption key: a file of 32 random bytes, which the key broker must have as --key-id.
        #[arg(long, value_name = "FILE")]
        kek: PathBuf,
        /// Where the key broker has that key: `kbs:///<repository>/<type>/<tag>`.
        #[arg(long, value_name = "URI")]
        key_id: ResourceUri,
        /// The secret; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}
