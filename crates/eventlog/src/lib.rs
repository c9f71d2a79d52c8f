//! Event logs of measured boot: TCG2 (TPM), CCEL (TDX and other confidential guests) and AAEL (the
//! Attestation Agent's), parsed, replayed, and turned into claims. No I/O.
//!
//! ```text
//! bytes ──parse──▶ EventLog ──replay(algorithm)──▶ Registers        compare with the quote's
//!                           ──bound(algorithm, indices)──▶ events   what a policy may rely on
//!                           ──unbound(algorithm, indices)──▶ the rest, each with its reason
//! events ──event_claims──▶ `uefi_event_logs`     (Trustee's names and encodings)
//!        ──boot_claims───▶ kernel, command line, initrd, boot loader, its commands
//! ```
//!
//! # What a log proves
//! A log is a list of statements of the guest. Once the replay gives the registers of a signed quote,
//! this is proven and no more: **which digests were extended into which register, in which order**.
//! - The type, the description and the data of an event are not part of its digest, unless the
//!   digest is that of the data ([`Event::digest_matches`]) or of the text in it
//!   ([`BootComponent::digest_matches_text`]). A guest can write `kernel` beside any digest it has
//!   extended itself. A policy therefore compares digests, with the register index, and best compares
//!   the registers too.
//! - An event that was not folded into a compared register proves nothing. These are the unbound
//!   ones; they must never stand where a policy looks for measured events.
//! - The header is not measured.
//!
//! # Format
//! TCG PC Client Platform Firmware Profile 1.06, section 10: a `TCG_PCR_EVENT` (Spec ID Event03) with
//! the table of algorithms, then `TCG_PCR_EVENT2` entries, all little endian. Section 38 of UEFI 2.11
//! defines the same bytes as CCEL, with the register index of the platform: for TDX 1 to 4 are RTMR 0
//! to 3 (0 is MRTD, which no event extends). An AAEL entry is an event of type `EV_EVENT_TAG` with
//! the tag `0x4141454C`.
//!
//! A log ends with the bytes, or with at least eight bytes of `0x00` or eight of `0xFF`. Firmware
//! fills the table to its end with one of the two, and the agent closes its log with eight `0xFF`. After
//! them only the same byte may follow: nothing can hide behind the end.
//!
//! # Differences from Trustee
//! - An event that cannot be decoded, or of an unknown type, does not spoil the log: its `details` have
//!   a member `undecoded` with the reason, its `type_name` is the number (`0x0000001f`).
//! - `EV_NO_ACTION` events and events with two digests of one algorithm are not folded into a register.
//! - `digests` of a bound event has the digest that was folded alone; those of other algorithms, which no
//!   register proves, stand in `unbound_digests`.
//! - `digest_matches_event` is about the digest of the algorithm that is replayed; where this build
//!   cannot hash (SM3, SHA-1) it is `false`.
//! - `EV_IPL` data in UTF-16 is read as such, not only where it begins with a full stop. A description
//!   loses a NUL at its end, not its last character whatever it is.
//! - Device path nodes for MAC, IPv4, Fibre Channel and BIOS boot are shown as
//!   `Path(<type>,<subtype>,<hex>)`.

mod aael;
mod aael_file;
mod algorithm;
mod boot;
mod boot_claims;
mod bound;
mod claims;
mod details;
mod device_path;
mod error;
mod event;
mod event_type;
mod header;
mod log;
mod measured;
mod reader;
mod replay;
mod writer;

pub use aael::{AAEL_TAG, Aael, MAX_CONTENT_DEPTH, NotAael};
pub use aael_file::{AaelEntry, NotAnAaelFile, read_aael_file};
pub use algorithm::{TcgAlgorithm, UnsupportedAlgorithm};
pub use boot::{BootComponent, BootRole, BootSource};
pub use boot_claims::boot_claims;
pub use bound::{Unbound, UnboundReason};
pub use claims::{event_claims, unbound_event_claims};
pub use details::Details;
pub use error::EventLogError;
pub use event::{Event, EventDigest};
pub use event_type::EventType;
pub use header::{MAX_ALGORITHMS, SpecId};
pub use log::{EventLog, MAX_DIGESTS, MAX_EVENT_LEN, MAX_EVENTS, MAX_LOG_LEN};
pub use replay::Registers;
pub use writer::{CannotWrite, EventLogBuilder, LogEnd};
