//! `assay store` and `assay key`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which store.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichStore {
    /// The server's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Its data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Bring the schema up to date, or make it. Servers do this at their start, too.
    Migrate {
        #[command(flatten)]
        store: WhichStore,
    },
    /// Write everything into one encrypted file. Servers may be running.
    Export {
        #[command(flatten)]
        store: WhichStore,
        /// The file, which must not be there yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The key of the export: a file of 32 bytes, made (mode 0600) when it is not there. Without it
        /// nobody opens the export again.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Take in an export: all of it or nothing. The store must be new; it may be of the other kind and have
    /// another key-encryption key.
    Import {
        #[command(flatten)]
        store: WhichStore,
        /// The file.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The key of the export.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Open every record and say what is damaged. Exit code 1 when something is.
    Check {
        #[command(flatten)]
        store: WhichStore,
    },
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyPurpose {
    /// Signs attestation result tokens.
    TokenSigning,
    /// Seals challenges.
    SessionSealing,
    /// Signs admin tokens.
    Admin,
    /// Signs the heads of the audit log.
    AuditSigning,
    /// Encrypts the secrets in the store.
    KeyEncryption,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// The keys of a store: what each is for, since when, until when. No secrets.
    List {
        #[command(flatten)]
        store: WhichStore,
    },
    /// Put a new key in force. Servers go on running, and use it within seconds.
    Rotate {
        #[command(flatten)]
        store: WhichStore,
        /// Which key.
        purpose: KeyPurpose,
        /// End the old admin keys, and all tokens of theirs, at once instead of in a day.
        #[arg(long)]
        revoke: bool,
        /// The new key-encryption key: a file of 32 bytes, made when it is not there.
        #[arg(long, value_name = "FILE", group = "new_key")]
        new_key_file: Option<PathBuf>,
        /// The new key-encryption key: an environment variable, in hexadecimal or base64.
        #[arg(long, value_name = "NAME", group = "new_key")]
        new_key_environment: Option<String>,
        /// A new key-encryption key that Vault's transit engine seals (key_encryption.transit_key).
        #[arg(long, group = "new_key")]
        new_key_vault_transit: bool,
    },
    /// Forget an old key-encryption key, once every server has the new one.
    Retire {
        #[command(flatten)]
        store: WhichStore,
        /// Its id, as `assay key list` shows it.
        id: String,
    },
}
