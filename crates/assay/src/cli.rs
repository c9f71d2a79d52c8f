//! The command line: one verb, one job.

mod audit;
mod collateral;
mod configfs_tsm;
mod import;
mod rvps;
mod sealed_secret;
mod store;
mod vault;

use std::net::SocketAddr;
use std::path::PathBuf;

use assay_types::Tee;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use audit::{AuditCommand, ListArgs};
pub(crate) use collateral::{CaArg, CollateralCommand, IntelTee, RefreshArgs, StoreArgs, VendorArg};
pub(crate) use configfs_tsm::ConfigfsTsmArgs;
pub(crate) use import::{ImportCommand, ImportKind, TrusteeArgs};
pub(crate) use rvps::{RvpsArgs, RvpsCommand};
pub(crate) use sealed_secret::{SealCommand, SealedSecretCommand, Signer};
pub(crate) use store::{KeyCommand, KeyPurpose, StoreCommand, WhichStore};
pub(crate) use vault::EmulateVaultArgs;

/// Confidential-computing attestation: prove what a guest is, and give it its secrets.
#[derive(Debug, Parser)]
#[command(name = "assay", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole chain with an emulated guest, in a throw-away server.
    Demo(DemoArgs),
    /// Run the server: key broker, attestation service, reference values; all of them, or one.
    Serve(ServeArgs),
    /// Attest to a key broker as a guest, and fetch a resource.
    Attest(AttestArgs),
    /// Verify a file of evidence, offline. Exit code: 0 accepted, 10 rejected, 20 unsupported,
    /// 30 malformed, 1 our fault.
    Verify(VerifyArgs),
    /// Explain a token: every check, reference value and verdict behind it.
    Explain(ExplainArgs),
    /// The secrets that the key broker releases.
    #[command(subcommand)]
    Resource(ResourceCommand),
    /// Sealed secrets: signed texts that stand for secrets, for their owner.
    #[command(subcommand)]
    SealedSecret(SealedSecretCommand),
    /// The policies that appraise evidence and open resources.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The values that evidence is compared with.
    #[command(subcommand)]
    ReferenceValue(ReferenceValueCommand),
    /// A reference value provider over gRPC, Assay's or Trustee's.
    #[command(subcommand)]
    Rvps(RvpsCommand),
    /// Endorsements of Arm CCA platforms and realms: CoRIMs and JSON stores.
    #[command(subcommand)]
    Endorsement(EndorsementCommand),
    /// Arm CCA tokens.
    #[command(subcommand)]
    Cca(CcaCommand),
    /// The collateral in a server's store: certificates, revocation lists, TCB information.
    #[command(subcommand)]
    Collateral(CollateralCommand),
    /// Attestation result tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Mock silicon: evidence and trust anchors from a seed.
    #[command(subcommand)]
    Emulate(EmulateCommand),
    /// Administrators' keys and tokens.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// The audit log: what was decided and done, by whom; unchanged since.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The keys of a server's store: listed, and exchanged beside running servers.
    #[command(subcommand)]
    Key(KeyCommand),
    /// A server's store as a whole: its schema, its export, its state.
    #[command(subcommand)]
    Store(StoreCommand),
    /// The server's configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Take over what another program stores.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Measure a server (requests a second, latency, CPU, memory) or the agent (time added, memory, size).
    Bench(BenchArgs),
    /// Print the catalogue of checks and error codes.
    Checks {
        /// As a Markdown page, the form of docs/catalogue.md.
        #[arg(long)]
        markdown: bool,
    },
    /// Print the metrics of the server and what they mean.
    Metrics {
        /// As a Markdown page, the form of docs/metrics.md.
        #[arg(long)]
        markdown: bool,
    },
    /// Print the OpenAPI document of the server.
    Openapi,
    /// Print a shell's completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Try out a policy under limits; the server starts this for each policy it is given.
    #[command(hide = true)]
    PolicyTrial,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The TEE of the guest: snp (unless set), cca, tdx or sgx.
    #[arg(long)]
    pub(crate) tee: Option<Tee>,
    /// What is shown besides: the agent in a simulated guest, used by `curl`; or the passport, its parts apart.
    #[arg(long)]
    pub(crate) mode: Option<DemoMode>,
}

/// What a demonstration shows besides the chain itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoMode {
    /// The attestation agent.
    Agent,
    /// The passport: an attestation service, a key broker and a relying party apart.
    Passport,
}

/// What a server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Key broker, attestation service and reference values in one process.
    #[default]
    All,
    /// The key broker; who evaluates evidence, or whose tokens are believed, says `[attestation]`.
    Kbs,
    /// The attestation service.
    As,
    /// The reference value provider.
    Rvps,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// The part to run.
    #[arg(value_enum, default_value_t = Part::All)]
    pub(crate) part: Part,
    /// The configuration file (TOML); options given here win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the store and the keys are; made at first start.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on; of the part's own door where one part is run.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Plain HTTP, on loopback addresses only.
    #[arg(long)]
    pub(crate) http: bool,
    /// The TLS certificate chain (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The TLS private key (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A folder of collateral in the layout of Trustee's kds-store.
    #[arg(long, value_name = "DIR")]
    pub(crate) offline_collateral: Option<PathBuf>,
    /// Trust the anchors of an emulator as if they were a vendor's. Anyone who knows the seed can
    /// then forge evidence. Tokens say so.
    #[arg(long, value_name = "FILE")]
    pub(crate) danger_trust_emulator: Option<PathBuf>,
    /// A key or certificate (PEM, JWK) whose signature on a CoRIM is trusted.
    #[arg(long, value_name = "FILE")]
    pub(crate) corim_signer: Vec<PathBuf>,
    /// Take evidence of the sample TEE, which proves nothing. Tokens say so.
    #[arg(long)]
    pub(crate) danger_allow_sample: bool,
    /// Take endorsements that nobody signed: CoRIMs, and JSON stores of trust anchors.
    #[arg(long)]
    pub(crate) danger_allow_unsigned_corim: bool,
    /// Arm CCA: take evidence under keys whose private half is public. Tokens say so.
    #[arg(long)]
    pub(crate) danger_allow_test_keys: bool,
}

/// How an administrator's command finds the server and shows its rights.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The key broker's address.
    #[arg(long, env = "ASSAY_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// A file with an admin token (see `assay admin token`).
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// The configuration file of a server on this machine: a token is minted with its admin key.
    #[arg(long, value_name = "FILE", conflicts_with = "admin_token_file")]
    pub(crate) config: Option<PathBuf>,
    /// Its data directory, instead of the configured one.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The only certificate authority to trust for this server (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_certificate: Option<PathBuf>,
}

/// What stands for the guest: an emulated TEE.
#[derive(Clone, Debug, Args)]
pub(crate) struct GuestArgs {
    /// The key broker's address.
    #[arg(long, env = "ASSAY_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The only certificate authority to trust for this server (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_certificate: Option<PathBuf>,
    /// The TEE to emulate.
    #[arg(long, value_name = "TEE")]
    pub(crate) emulate: Tee,
    /// The emulator's seed: 64 hexadecimal digits.
    #[arg(long, value_name = "HEX64")]
    pub(crate) seed: String,
    /// Set a field of the evidence, e.g. `measurement=<hex>` or `policy.debug=true`.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// Init data (TOML) to send along; its digest is put into the evidence.
    #[arg(long, value_name = "FILE")]
    pub(crate) init_data: Option<PathBuf>,
    /// The guest's key.
    #[arg(long, value_enum, default_value_t = GuestKey::P256)]
    pub(crate) key: GuestKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuestKey {
    P256,
    P384,
    P521,
    Rsa,
}

#[derive(Debug, Args)]
pub(crate) struct AttestArgs {
    #[command(flatten)]
    pub(crate) guest: GuestArgs,
    /// Fetch this resource with the token and print it to standard output.
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) get: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The TEE.
    #[arg(long)]
    pub(crate) tee: String,
    /// The evidence: JSON, or the raw report, quote or token.
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: PathBuf,
    /// Certificates (DER, PEM), CRLs or collateral sets; Arm CCA: trust anchors (CoRIM, JSON store, or
    /// the platform's public key as JWK or PEM). A folder stands for its files.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) collateral: Vec<PathBuf>,
    /// Arm CCA: reference values (CoRIM or JSON store) to appraise the claims with. They are taken as
    /// given: nobody's signature is asked for.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) endorsements: Vec<PathBuf>,
    /// Trust anchors of an emulator, beside the vendors' own.
    #[arg(long, value_name = "FILE")]
    pub(crate) anchors: Option<PathBuf>,
    /// The report data to expect, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub(crate) report_data: Option<String>,
    /// The init data (TOML) to expect.
    #[arg(long, value_name = "FILE")]
    pub(crate) init_data: Option<PathBuf>,
    /// The time of the check; now when absent.
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<String>,
    /// SEV-SNP: the privilege levels that the report may come from.
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', default_values_t = [0])]
    pub(crate) allowed_vmpl: Vec<u32>,
    /// SEV-SNP: reject when no revocation list is given.
    #[arg(long)]
    pub(crate) require_crl: bool,
    /// Intel: the lowest tcbEvaluationDataNumber that TCB info and QE identity may have.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) minimum_evaluation_number: Option<u32>,
    /// Arm CCA: reject measurements whose length is not that of the algorithm their token names.
    #[arg(long)]
    pub(crate) strict_lengths: bool,
    /// Arm CCA: accept keys whose private half is public.
    #[arg(long)]
    pub(crate) danger_allow_test_keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The token's `jti`, or a file with the token.
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ResourceCommand {
    /// Store a resource; an existing one gets a new version.
    Set {
        /// `<repository>/<type>/<tag>`.
        path: String,
        /// The file with the secret; `-` or nothing for standard input.
        file: Option<PathBuf>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Fetch a resource as a guest, with an emulated TEE.
    Get {
        /// `<repository>/<type>/<tag>`.
        path: String,
        #[command(flatten)]
        guest: GuestArgs,
    },
    /// List the resources.
    List {
        /// Only paths that begin so.
        #[arg(long)]
        prefix: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete a resource, all its versions.
    Delete {
        /// `<repository>/<type>/<tag>`.
        path: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyKindArg {
    /// Appraises claims; id `<policy id>_<class>`, such as `default_cpu`.
    Attestation,
    /// Opens resources; id `resource-policy`, or the prefix of the paths it decides.
    Resource,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Set a policy.
    Set {
        /// Its id.
        id: String,
        /// The Rego text.
        file: PathBuf,
        /// What it decides.
        #[arg(long, value_enum, default_value_t = PolicyKindArg::Attestation)]
        kind: PolicyKindArg,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print a policy's text.
    Get {
        /// Its id.
        id: String,
        /// What it decides.
        #[arg(long, value_enum, default_value_t = PolicyKindArg::Attestation)]
        kind: PolicyKindArg,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the policies.
    List {
        /// What they decide.
        #[arg(long, value_enum, default_value_t = PolicyKindArg::Attestation)]
        kind: PolicyKindArg,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete a policy; a bundled one of the same id comes back into force.
    Delete {
        /// Its id.
        id: String,
        /// What it decides.
        #[arg(long, value_enum, default_value_t = PolicyKindArg::Attestation)]
        kind: PolicyKindArg,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Check a policy file as the server would before it takes it.
    Check {
        /// The Rego text.
        file: PathBuf,
        /// What it decides.
        #[arg(long, value_enum, default_value_t = PolicyKindArg::Attestation)]
        kind: PolicyKindArg,
    },
    /// Evaluate a policy file against recorded claims, offline.
    Eval {
        /// The Rego text; the bundled default policy when absent.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// The claims: the policy input (JSON), the output of `assay verify --json`, or a token.
        #[arg(long, value_name = "FILE")]
        claims: PathBuf,
        /// A JSON object of reference values by name.
        #[arg(long, value_name = "FILE")]
        reference_values: Option<PathBuf>,
        /// What the policy decides.
        #[arg(long, value_enum, default_value_t = PolicyKindArg::Attestation)]
        kind: PolicyKindArg,
        /// For resource policies: the resource asked for.
        #[arg(long, value_name = "RESOURCE")]
        resource: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReferenceValueCommand {
    /// Register a reference value.
    Set {
        /// Its name.
        name: String,
        /// The values that are wanted: each a JSON value, or else text.
        #[arg(required = true)]
        values: Vec<String>,
        /// Register the one value itself instead of a list.
        #[arg(long)]
        single: bool,
        /// When it ends (RFC 3339); twelve months from now when absent.
        #[arg(long, value_name = "RFC3339")]
        expires: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Register a message file `{"version","type","payload"}`.
    Register {
        /// The message.
        file: PathBuf,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print a reference value.
    Get {
        /// Its name.
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the reference values.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print what a reference value was before.
    History {
        /// Its name.
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete a reference value.
    Delete {
        /// Its name.
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EndorsementCommand {
    /// Submit a CoRIM, or a JSON store of trust anchors or reference values.
    Submit {
        /// The file.
        file: PathBuf,
        /// When its endorsements end (RFC 3339), if its own validity does not end earlier.
        #[arg(long, value_name = "RFC3339")]
        expires: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the endorsements: trust anchors, platforms, realms.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Print an endorsement.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// End an endorsement now. It stays in the list, as expired.
    Expire {
        /// Its name.
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Delete an endorsement.
    Delete {
        /// Its name.
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CcaCommand {
    /// Show a token: every claim with its name, and what its signatures are worth. Exit code: 10 when
    /// a signature or the binding does not hold.
    Show {
        /// The token: raw, or the evidence in JSON; `-` for standard input.
        file: PathBuf,
        /// Platform attestation keys to try: CoRIM, JSON store, or public key (JWK, PEM).
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show what a token says. Nothing is verified.
    Inspect {
        /// The file with the token; `-` for standard input.
        file: PathBuf,
    },
    /// Verify a token.
    Verify {
        /// The file with the token; `-` for standard input.
        file: PathBuf,
        /// A JWK Set to trust.
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
        /// Trust the keys at this address: of keys, of an OpenID discovery document, or with `/` at its end of
        /// the service that has one.
        #[arg(long, value_name = "URL", conflicts_with = "jwks")]
        discovery: Option<String>,
        /// A certificate to trust (PEM or DER; PEM with --discovery).
        #[arg(long, value_name = "FILE")]
        certificate: Vec<PathBuf>,
        /// The issuer to expect.
        #[arg(long)]
        issuer: Option<String>,
        /// The time of the check; now when absent.
        #[arg(long, value_name = "RFC3339")]
        at: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EmulateCommand {
    /// Write the public trust anchors of a seed, for all TEEs.
    Roots {
        /// 64 hexadecimal digits.
        #[arg(long, value_name = "HEX64")]
        seed: String,
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write evidence.
    Evidence {
        /// The TEE.
        #[arg(long)]
        tee: String,
        /// 64 hexadecimal digits.
        #[arg(long, value_name = "HEX64")]
        seed: String,
        /// The report data in hexadecimal, zero-padded by the TEE's rule.
        #[arg(long, value_name = "HEX", default_value = "")]
        report_data: String,
        /// Init data (TOML) whose digest is put into the evidence.
        #[arg(long, value_name = "FILE")]
        init_data: Option<PathBuf>,
        /// Set a field of the evidence.
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        set: Vec<String>,
        /// Write the bare report or token, not the JSON around it.
        #[arg(long)]
        raw: bool,
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write endorsements of the CCA platform and realm that `emulate evidence --tee cca` shows with the
    /// same fields.
    Endorsements {
        /// What they are about.
        #[arg(long, value_enum)]
        kind: EndorsementKind,
        /// The form.
        #[arg(long, value_enum, default_value_t = EndorsementForm::SignedCorim)]
        form: EndorsementForm,
        /// 64 hexadecimal digits.
        #[arg(long, value_name = "HEX64")]
        seed: String,
        /// Init data (TOML) whose digest is the realm's personalization value.
        #[arg(long, value_name = "FILE")]
        init_data: Option<PathBuf>,
        /// Set a field of the evidence that is endorsed.
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        set: Vec<String>,
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write what the vendor publishes about the platform that `emulate evidence --tee tdx|sgx` shows with the
    /// same fields, as one JSON object for verification without a network.
    Collateral {
        /// The TEE: tdx or sgx.
        #[arg(long)]
        tee: String,
        /// 64 hexadecimal digits.
        #[arg(long, value_name = "HEX64")]
        seed: String,
        /// Set a field of the evidence.
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        set: Vec<String>,
        /// When it is issued. Without a time it is valid from 2025 to 2031.
        #[arg(long, value_name = "RFC3339")]
        at: Option<String>,
        /// How long after that the next is due.
        #[arg(
            long,
            value_name = "SECONDS",
            requires = "at",
            default_value_t = THIRTY_DAYS,
            value_parser = clap::value_parser!(u32).range(1..)
        )]
        next_update_seconds: u32,
        /// The update channel.
        #[arg(long, value_enum, default_value_t = UpdateChannel::Standard)]
        channel: UpdateChannel,
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Serve what Intel's provisioning certification service (PCS) would say about an emulated platform, over
    /// plain HTTP, and a control at /control: GET counts requests, POST changes how the service behaves.
    Pcs(PcsArgs),
    /// Serve a double of HashiCorp Vault on loopback, over plain HTTP: its login, KV engines and transit engine, and a
    /// control at /control: GET counts requests, POST changes how it behaves.
    Vault(EmulateVaultArgs),
    /// Present the kernel files of a confidential guest under a directory, so that an agent whose device root it is
    /// attests as on hardware: configfs-tsm; with TDX also its registers and event log. Stays until it is stopped.
    ConfigfsTsm(ConfigfsTsmArgs),
    /// Play many guests against a server, or several behind one address: each attests and fetches a resource,
    /// begins again when a server fails it, and looks whether every answer is right. Exit code 1 when one was
    /// not.
    Guests(GuestsArgs),
    /// Write the public key that signs the CoRIMs of a seed.
    CorimSigner {
        /// 64 hexadecimal digits.
        #[arg(long, value_name = "HEX64")]
        seed: String,
        /// A JWK; without it PEM.
        #[arg(long)]
        jwk: bool,
        /// The file to write; `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The time from one issue of collateral to the next, unless it is set.
const THIRTY_DAYS: u32 = 30 * 86_400;

#[derive(Debug, Args)]
pub(crate) struct PcsArgs {
    /// 64 hexadecimal digits.
    #[arg(long, value_name = "HEX64")]
    pub(crate) seed: String,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// How long after its issue the next collateral is due.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = THIRTY_DAYS,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) next_update_seconds: u32,
    /// How long ago collateral was issued: more than until the next update is stale.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) age_seconds: u32,
    /// The platform's certificates are revoked.
    #[arg(long)]
    pub(crate) revoked: bool,
    /// Wait so long before each answer, at most ten minutes.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=600_000))]
    pub(crate) delay_ms: u32,
    /// Answer everything with this status, 400 to 599.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(400..=599))]
    pub(crate) fail_status: Option<u16>,
    /// Say with it when to come again.
    #[arg(long, value_name = "SECONDS", requires = "fail_status")]
    pub(crate) retry_after: Option<u32>,
    /// Listen on an address that is not a loopback one: whoever reaches it can control it.
    #[arg(long)]
    pub(crate) danger_listen_anywhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UpdateChannel {
    /// The evaluation in force.
    Standard,
    /// The next one.
    Early,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EndorsementKind {
    /// Firmware and configuration of the platform.
    Platform,
    /// Measurements of the realm.
    Realm,
    /// The platform's attestation key.
    TrustAnchor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EndorsementForm {
    /// A signed CoRIM.
    SignedCorim,
    /// A CoRIM without a signature.
    Corim,
    /// The JSON stores of rust-ccatoken and Trustee.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Mint a token with the newest admin key in a server's store. The server may be running.
    Token {
        /// The server's configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Its data directory, instead of the configured one.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// The role; `assay admin roles` lists them.
        #[arg(long)]
        role: String,
        /// How long it is valid: 30s, 15m, 2h; at most 24h.
        #[arg(long, default_value = "15m")]
        ttl: String,
    },
    /// List the roles and what each may do.
    Roles,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration in force, every key with its meaning.
    Show {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check a configuration file.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GuestsArgs {
    /// The address, plain HTTP; each request is a connection of its own.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) addr: SocketAddr,
    /// How many guests.
    #[arg(long, default_value_t = 100)]
    pub(crate) count: u64,
    /// How many at a time.
    #[arg(long, default_value_t = 8)]
    pub(crate) clients: usize,
    /// Their TEE.
    #[arg(long, default_value = "snp")]
    pub(crate) tee: Tee,
    /// 64 hexadecimal digits.
    #[arg(long, value_name = "HEX64")]
    pub(crate) seed: String,
    /// The resource that each fetches.
    #[arg(long, value_name = "PATH")]
    pub(crate) get: String,
    /// What it must be: a file.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: PathBuf,
    /// How long all of it may take.
    #[arg(long, default_value_t = 300)]
    pub(crate) within_seconds: u64,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure.
    #[arg(default_value = "server")]
    pub(crate) what: BenchWhat,
    /// The agent's program; the one beside this program unless given.
    #[arg(long, value_name = "FILE")]
    pub(crate) agent: Option<PathBuf>,
    /// The numbers of clients to try.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    pub(crate) clients: Vec<usize>,
    /// Seconds for each measurement.
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
    /// The PostgreSQL database, empty, that the servers share; SQLite when absent.
    #[arg(long, value_name = "URL")]
    pub(crate) store_url: Option<String>,
    /// The file with its password.
    #[arg(long, value_name = "FILE")]
    pub(crate) store_password_file: Option<PathBuf>,
    /// How many servers.
    #[arg(long, default_value_t = 1)]
    pub(crate) replicas: usize,
    /// Reference values to store beforehand.
    #[arg(long, default_value_t = 10)]
    pub(crate) reference_values: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchWhat {
    /// A server under load.
    Server,
    /// The agent in a simulated guest.
    Agent,
}
