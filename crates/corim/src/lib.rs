//! Concise reference integrity manifests (draft-ietf-rats-corim).
