//! How the guest obtains the evidence.
