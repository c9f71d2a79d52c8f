//! The sample TEE: evidence that proves nothing, for development.
