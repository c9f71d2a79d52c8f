//! Where the secrets of resources are kept: the own store, Vault, a PKCS#11 token.
//!
//! A [`SecretBackend`] keeps values by the whole [resource path](assay_types::ResourcePath):
//! repository, type and tag all count, so that a policy that protects a repository protects what is in
//! it. [`ByRepository`] sends each repository to its back end.
//!
//! | back end | where a value is | versions |
//! |---|---|---|
//! | [`StoreBackend`] | the own database, sealed with the key-encryption key | all are kept |
//! | [`VaultBackend`] | a KV engine of HashiCorp Vault or OpenBao, version 1 or 2 | Vault's, with version 2 |
//! | [`Pkcs11Backend`] | data objects on a token of a hardware security module | the newest, numbered |
//!
//! None of them remembers a value: what Vault or a token no longer gives, the service no longer gives.

mod backend;
mod by_repository;
mod error;
mod pkcs11;
mod store;
mod vault;

pub use backend::{Secret, SecretBackend, SecretInfo};
pub use by_repository::ByRepository;
pub use error::BackendError;
pub use pkcs11::{Pkcs11Backend, Pkcs11Error, Pkcs11Settings};
pub use store::StoreBackend;
pub use vault::{VAULT_MEMBER, VaultBackend};
