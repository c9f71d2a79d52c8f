//! A client of HashiCorp Vault: authentication, secrets (KV v1 and v2), the transit engine.
