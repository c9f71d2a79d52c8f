//! Taking collateral over from files: inspected, never a step back, all or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use assay_types::{Coded, CollateralRequest, Fault, UnixTime, Validity};

use crate::bundle::BundleItem;
use crate::cache::{Cached, Entry};
use crate::chain::{Key, key, plausible};
use crate::error::AttemptOutcome;
use crate::fresh::is_older;
use crate::issuer_chain::largest_piece;
use crate::service::{CollateralService, is_key};

/// How files are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Takes pieces that are older than what is in the cache. Whoever gives them can so bring back
    /// revoked certificates and TCB levels with known weaknesses.
    pub allow_older_danger: bool,
    /// Takes only pieces whose vendor's collateral is inspected: for files that nobody signed.
    pub only_inspected: bool,
}

/// What a piece was to the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was none.
    New,
    /// It took the place of an older one.
    Newer,
    /// It was there already. Nothing was written.
    Same,
    /// It took the place of a newer one.
    Older,
}

/// A piece that was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What it answers.
    pub request: CollateralRequest,
    /// When it was fetched.
    pub fetched: UnixTime,
    /// When it is valid, where an inspector said so. It may have expired.
    pub validity: Option<Validity>,
    /// What it was to the cache.
    pub step: Step,
}

/// Why a piece is not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not collateral, or not genuine.
    #[error("{0}")]
    Piece(AttemptOutcome),
    /// Its cache key is not 1 to 512 printable ASCII characters.
    #[error("its cache key is not 1 to 512 printable ASCII characters")]
    Key,
    /// It stands there twice, with different content.
    #[error("it stands there twice, with different content")]
    Twice,
    /// Nothing inspects its vendor's collateral, and nobody signed the file.
    #[error("its vendor's collateral is not inspected here, so a file without a signature proves nothing")]
    NotInspected,
    /// The cache has a newer one.
    #[error("it is older (valid {found}) than the copy in the cache (valid {cached})")]
    Older {
        /// When it is valid.
        found: Validity,
        /// When the copy in the cache is valid.
        cached: Validity,
    },
    /// The cache has one that was fetched later, and nothing else tells which is newer.
    #[error("it was fetched at {found}, before the copy in the cache, at {cached}")]
    FetchedEarlier {
        /// When it was fetched.
        found: UnixTime,
        /// When the copy in the cache was fetched.
        cached: UnixTime,
    },
}

/// Why nothing was taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Some pieces are not fit.
    #[error("nothing is taken over: {} not fit", count(.0.len()))]
    Refused(
        /// What each is, in words, and why.
        Vec<(String, Unfit)>,
    ),
    /// There is no cache, or it failed.
    #[error("nothing is taken over, the cache failed: {0}")]
    Cache(
        /// What it said.
        String,
    ),
}

fn count(pieces: usize) -> String {
    if pieces == 1 { "one piece is".to_owned() } else { format!("{pieces} pieces are") }
}

impl Coded for ImportError {
    fn code(&self) -> &'static str {
        match self {
            ImportError::Refused(_) => "COL-012",
            ImportError::Cache(_) => "COL-013",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ImportError::Refused(_) => Fault::BadRequest,
            ImportError::Cache(_) => Fault::Unavailable,
        }
    }
}

impl CollateralService {
    /// Puts all of these pieces into the cache, or none. `origin` is noted as where they came from. One
    /// that has expired is taken as well: it does no harm, and says since when something newer is
    /// wanted.
    ///
    /// # Errors
    /// [`ImportError::Refused`] with every piece that is not fit; [`ImportError::Cache`].
    pub async fn import(
        &self,
        items: &[BundleItem],
        origin: &str,
        options: ImportOptions,
    ) -> Result<Vec<Imported>, ImportError> {
        let no_cache = || ImportError::Cache("there is none".to_owned());
        let cache = self.inner.cache.as_ref().ok_or_else(no_cache)?;
        let mut imported = Vec::with_capacity(items.len());
        let mut entries = Vec::new();
        let mut refused = Vec::new();
        let mut seen: HashMap<Key, &BundleItem> = HashMap::new();
        for item in items {
            let key = key(&item.request);
            match seen.insert(key.clone(), item) {
                Some(other) if other.bytes == item.bytes => continue,
                Some(_) => {
                    refused.push((item.request.description.clone(), Unfit::Twice));
                    continue;
                }
                None => {}
            }
            let cached = cache.get(key.0, &key.1).await.map_err(ImportError::Cache)?;
            match self.judge_import(item, cached.as_ref(), options) {
                Ok((validity, step)) => {
                    imported.push(Imported {
                        request: item.request.clone(),
                        fetched: item.fetched,
                        validity,
                        step,
                    });
                    if step != Step::Same {
                        entries.push(entry(item, validity, origin));
                    }
                }
                Err(unfit) => refused.push((item.request.description.clone(), unfit)),
            }
        }
        if !refused.is_empty() {
            return Err(ImportError::Refused(refused));
        }
        cache.put_all(entries).await.map_err(ImportError::Cache)?;
        Ok(imported)
    }

    fn judge_import(
        &self,
        item: &BundleItem,
        cached: Option<&Cached>,
        options: ImportOptions,
    ) -> Result<(Option<Validity>, Step), Unfit> {
        if !is_key(&item.request.cache_key) {
            return Err(Unfit::Key);
        }
        plausible(&item.bytes, largest_piece(&item.request)).map_err(Unfit::Piece)?;
        let validity = self.inner.inspect(&item.request, &item.bytes).map_err(Unfit::Piece)?;
        if validity.is_none() && options.only_inspected {
            return Err(Unfit::NotInspected);
        }
        let Some(cached) = cached else { return Ok((validity, Step::New)) };
        if cached.bytes == item.bytes {
            return Ok((validity, Step::Same));
        }
        let older = match (validity, self.inner.validity_of(&item.request, cached)) {
            (Some(found), Ok(Some(cached))) => {
                is_older(found, cached).then_some(Unfit::Older { found, cached })
            }
            // What is in the cache is not genuine by the inspector of today.
            (Some(_), _) => None,
            (None, _) => (item.fetched < cached.fetched)
                .then_some(Unfit::FetchedEarlier { found: item.fetched, cached: cached.fetched }),
        };
        match older {
            None => Ok((validity, Step::Newer)),
            Some(_) if options.allow_older_danger => Ok((validity, Step::Older)),
            Some(unfit) => Err(unfit),
        }
    }
}

fn entry(item: &BundleItem, validity: Option<Validity>, origin: &str) -> Entry {
    let cached = Cached {
        bytes: item.bytes.clone(),
        fetched: item.fetched,
        validity,
        request: Some(Arc::new(item.request.clone())),
        origin: origin.to_owned(),
    };
    Entry { vendor: item.request.vendor, key: item.request.cache_key.clone(), cached }
}
