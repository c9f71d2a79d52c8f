//! Attribute words as named flags.
