//! Device calls that the standard library does not offer.
