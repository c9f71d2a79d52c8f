//! X.509 certificates and revocation lists (RFC 5280) as TEE vendors use them: read strictly, and
//! reduced to what verifiers check.
//!
//! Nothing here decides what is trusted. A verifier links names, compares roles and dates, and asks
//! [`Signed::is_signed_by`]. Two algorithms are known, AMD's and Intel's; any other is
//! [`SignatureAlgorithm::Other`] and verifies nothing.

mod certificate;
mod crl;
mod key;
mod name;
mod not_der;
mod pem;
mod signed;

pub use certificate::{Certificate, minimal};
pub use crl::Crl;
pub use key::PublicKey;
pub use name::Name;
pub use not_der::NotDer;
pub use pem::{Der, split_pem};
pub use signed::{SignatureAlgorithm, Signed};
pub use x509_cert::ext::Extension;
