//! The cache between the offline folder and the vendor's service.

use std::sync::Arc;

use assay_types::{CollateralRequest, UnixTime, Validity, Vendor};
use async_trait::async_trait;
use bytes::Bytes;

/// An answer of a vendor's service, as cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The piece of collateral: the answer's body, or
    /// [`ServedCollateral`](assay_types::ServedCollateral) with its issuer chain.
    pub bytes: Bytes,
    /// When it was fetched.
    pub fetched: UnixTime,
    /// When it is valid, where an inspector said so.
    pub validity: Option<Validity>,
    /// What was asked for, so that it can be asked for again; `None` in entries of old.
    pub request: Option<Arc<CollateralRequest>>,
    /// Where it came from: a URL or the name of a bundle. Empty where that is not known.
    pub origin: String,
}

impl Cached {
    /// An entry of which nothing more is known.
    pub fn new(bytes: Bytes, fetched: UnixTime) -> Self {
        Cached { bytes, fetched, validity: None, request: None, origin: String::new() }
    }
}

/// An entry of a cache with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose collateral it is.
    pub vendor: Vendor,
    /// Its key, unique within the vendor.
    pub key: String,
    /// The entry.
    pub cached: Cached,
}

/// What a list says of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose collateral it is.
    pub vendor: Vendor,
    /// Its key, unique within the vendor.
    pub key: String,
    /// When it was fetched.
    pub fetched: UnixTime,
    /// When it was last used, as far as that was noted; `fetched` at first.
    pub used: UnixTime,
    /// When it is valid, where an inspector said so.
    pub validity: Option<Validity>,
    /// What was asked for.
    pub request: Option<Arc<CollateralRequest>>,
    /// Where it came from.
    pub origin: String,
}

/// That an entry was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Whose collateral it is.
    pub vendor: Vendor,
    /// Its key.
    pub key: String,
    /// When.
    pub at: UnixTime,
}

/// A cache of collateral. The key is unique within the vendor: printable ASCII, 1 to 512 characters.
///
/// Errors are text for logs: a cache that fails is as good as none, and the fetch goes on.
#[async_trait]
pub trait CollateralCache: Send + Sync {
    /// What is stored under `key`.
    async fn get(&self, vendor: Vendor, key: &str) -> Result<Option<Cached>, String>;

    /// What is stored under `key`, where that can be told at once, from memory.
    fn at_once(&self, _vendor: Vendor, _key: &str) -> Option<Cached> {
        None
    }

    /// Stores all of these or, on error, none, each in place of what was there. When an entry was last
    /// used stays noted.
    async fn put_all(&self, entries: Vec<Entry>) -> Result<(), String>;

    /// Stores one entry.
    async fn put(&self, vendor: Vendor, key: &str, cached: Cached) -> Result<(), String> {
        self.put_all(vec![Entry { vendor, key: key.to_owned(), cached }]).await
    }

    /// Removes what is stored under `key`. Nothing there is no error.
    async fn remove(&self, vendor: Vendor, key: &str) -> Result<(), String>;

    /// Every entry, in no particular order.
    async fn list(&self) -> Result<Vec<Listed>, String>;

    /// Notes uses. What is not there is passed over; an earlier time than the noted one changes nothing.
    async fn note_uses(&self, uses: &[Use]) -> Result<(), String>;
}
