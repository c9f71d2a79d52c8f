//! The reference value provider (RVPS): register, expire, list, and query a snapshot.
//!
//! # The message
//! What registers reference values is a JSON object, as Trustee's RVPS takes it:
//! ```json
//! {"version": "0.1.0", "type": "sample", "payload": "eyJhIjoxfQ==", "expires": "2027-01-31T12:00:00Z"}
//! ```
//! - `version` is `0.1.0`; it may be left out.
//! - `type` says how the payload is read:
//!   - `sample`: a JSON object, each member a reference value of that name, with any JSON as its value.
//!     It is not signed: whoever may register is believed. Endorsements (below) do not come this way.
//!   - `corim`: a CoRIM of one of Arm's CCA profiles, with trust anchors and reference values. It must be
//!     signed by one of the configured signers ([`CorimSettings`]) and be valid now.
//!   - `cca-reference-values`: the JSON store of reference values of rust-ccatoken and Trustee; not
//!     signed, as `sample`.
//!   - `cca-trust-anchors`: their JSON store of trust anchors. It decides whose evidence is genuine, and
//!     nobody signs it: it is taken only with [`CorimSettings::danger_allow_unsigned`].
//! - `payload` is standard base64 with padding (RFC 4648, 4).
//! - `expires` (RFC 3339) is an addition of ours: when the values end. Without it they end after 12
//!   months, as in Trustee.
//! - Other members are ignored, as Trustee does.
//!
//! [`ReferenceValues::register_corim`] takes a CoRIM without a message around it.
//!
//! # Endorsements
//! They are stored by names of three groups ([`assay_tee_cca::endorsement`]). Each edition of a CoRIM
//! replaces what earlier ones of the same identifier said: names that it no longer has are deleted in the
//! same transaction. Signers are trusted alike, so one may replace another's CoRIM. The values end with
//! the validity of the CoRIM, of its signature, and of the signer's certificates, whichever is first.
//!
//! Limits: a message of 6 MiB (`sample`: 1 MiB), 10 000 values, names of 1 to 512 printable ASCII characters, values of
//! 64 KiB of JSON text and 16 levels. A member given twice, and a number too large to be held exactly,
//! are refused, not guessed at.
//!
//! # Time
//! A value is in force until `expires`, that second excluded. After that it is listed, but a query
//! answers [`Lookup::Expired`](assay_types::Lookup::Expired), which policies see as missing.

//! # Parts
//! An attestation service asks for values through [`ReferenceValueSource`]: of this process
//! ([`ReferenceValues`]), or of a provider elsewhere ([`RemoteReferenceValues`], over gRPC, Assay's or
//! Trustee's). The interfaces are in [`proto`].

mod cca_stores;
mod corim;
mod error;
mod extractor;
mod message;
pub mod proto;
mod reference_values;
mod remote;
mod sample;
mod server;
mod signers;
mod snapshot;
mod source;
mod strict_json;

pub use error::ReferenceValueError;
pub use message::{
    MAX_DEPTH, MAX_MESSAGE_LEN, MAX_NAME_LEN, MAX_VALUE_LEN, MAX_VALUES, MESSAGE_VERSION, Registration,
    parse_message,
};
pub use reference_values::{Record, ReferenceValues, Registered};
pub use remote::{Protocol, RemoteReferenceValues, RemoteValuesSettings, SetReader, read_value};
pub use server::{ProviderParts, router};
pub use signers::{CorimSettings, CorimSigner, CorimTrust, NotASigner};
pub use snapshot::Snapshot;
pub use source::{Consultation, ReferenceValueSource};
