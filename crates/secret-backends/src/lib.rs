//! Where the secrets of resources are kept: the own store, Vault, a PKCS#11 token.
