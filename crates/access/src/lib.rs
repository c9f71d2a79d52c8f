//! Who may do what: roles, admin keys, bearer tokens, client certificates.
//!
//! ```text
//! Authorization: Bearer ──signature, dates, audience──▶ role ─┐
//! client certificate ──exact name in a rule──▶ roles ─────────┴▶ Caller ──has a role?──▶ allowed
//! ```
//! - [`Role`] is what somebody may be allowed to do; each door says which roles its methods take.
//! - [`AdminKeys`] are the keys that sign admin tokens: sealed in the store, shared by all replicas,
//!   rotated without downtime. Whoever can open the store is administrator.
//! - [`Authority`] identifies a request's [`Caller`], by its bearer token, or by the client certificate
//!   that TLS has verified.
//!
//! Everything is refused that is not allowed: a token without a known role, a certificate without a
//! rule. There is no mode that lets everybody in.

mod admin_key;
mod admin_keys;
mod authority;
mod bearer;
mod client_rule;
mod error;
mod role;

pub use admin_key::{ADMIN_ISSUER, ADMIN_KEY_FILE, AdminKey, MAX_ADMIN_TOKEN_SECONDS};
pub use admin_keys::{ADMIN_KEY_PURPOSE, AdminKeys};
pub use authority::{Authority, Caller, DEFAULT_AUDIENCE};
pub use bearer::bearer;
pub use client_rule::{ClientRule, ClientRuleError};
pub use error::{AccessError, AdminKeyError};
pub use role::{Role, UnknownRole};
