//! Quotes: SGX version 3, TDX versions 4 and 5, parsed strictly.
