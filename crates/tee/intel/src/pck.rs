//! The SGX extension of PCK certificates.
