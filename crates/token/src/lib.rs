//! Attestation result tokens (EAR), JOSE signing and encryption, key sets.
