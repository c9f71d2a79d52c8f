//! CBOR (RFC 8949), read strictly and written deterministically.
//!
//! Evidence and endorsements come from strangers, so [`read`] takes less than the RFC allows:
//! definite lengths only, each map key once (by value, whatever its encoding), valid UTF-8, nothing
//! after the item, and no more bytes, levels and items than [`Limits`] say. Integers and lengths may be
//! longer than they need be: attesters do that (RFC 8949, 4.1, leaves it to the encoder).
//!
//! [`Value::encode`] writes shortest forms. Map members keep the order they have in the [`Value`].
//! [`diagnostic`] and [`pretty`] write diagnostic notation (RFC 8949, section 8).

mod diagnostic;
mod error;
mod read;
mod value;
mod write;

pub use diagnostic::{Annotate, diagnostic, pretty};
pub use error::{CborError, Problem};
pub use read::{Limits, read};
pub use value::Value;
