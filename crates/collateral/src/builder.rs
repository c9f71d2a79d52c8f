//! Which sources there are, and how they are used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Clock, CollateralInspector, Vendor};

use crate::cache::CollateralCache;
use crate::chain::{Inner, Times};
use crate::configuration_error::ConfigurationError;
use crate::flight::Flights;
use crate::folder;
use crate::http::VendorService;
use crate::http_settings::{HttpSettings, Route};
use crate::inspectors::Inspectors;
use crate::refresh::{RefreshSettings, Retries};
use crate::refusals::Refusals;
use crate::service::CollateralService;
use crate::suspects::Suspects;
use crate::uses::Uses;

/// The most fetches under way at the same time.
const MAX_FETCHES: usize = 1024;
/// The longest deadline; a longer one would be none.
const LONGEST_DEADLINE: Duration = Duration::from_secs(3600);

/// Makes a [`CollateralService`].
pub struct CollateralServiceBuilder {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) cache: Option<Arc<dyn CollateralCache>>,
    pub(crate) services: BTreeMap<Vendor, (String, HttpSettings)>,
    pub(crate) routes: BTreeMap<Vendor, Vec<Route>>,
    pub(crate) inspectors: BTreeMap<Vendor, Arc<dyn CollateralInspector>>,
    pub(crate) refresh: RefreshSettings,
    pub(crate) times: Times,
}

impl CollateralServiceBuilder {
    /// Looks below this folder first, in the layout of Trustee's `kds-store`.
    #[must_use]
    pub fn offline_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// Keeps the answers of vendors' services here, and looks here before they are asked.
    #[must_use]
    pub fn cache(mut self, cache: Arc<dyn CollateralCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Asks this service for the vendor's collateral, `https://kdsintf.amd.com` for AMD. Without a
    /// call no vendor is ever asked. A path in the URL is kept as a prefix.
    #[must_use]
    pub fn vendor_service(
        mut self,
        vendor: Vendor,
        base_url: impl Into<String>,
        settings: HttpSettings,
    ) -> Self {
        self.services.insert(vendor, (base_url.into(), settings));
        self
    }

    /// Sends some paths of the vendor's service elsewhere. It counts only with a
    /// [`vendor_service`](Self::vendor_service).
    #[must_use]
    pub fn vendor_route(mut self, vendor: Vendor, route: Route) -> Self {
        self.routes.entry(vendor).or_default().push(route);
        self
    }

    /// Has the vendor's answers inspected before they are used or kept. What is known to be valid is then
    /// served from the cache without asking the vendor, and what has expired is not.
    #[must_use]
    pub fn inspector(mut self, vendor: Vendor, inspector: Arc<dyn CollateralInspector>) -> Self {
        self.inspectors.insert(vendor, inspector);
        self
    }

    /// When cached collateral is fetched anew in the background (see
    /// [`CollateralService::spawn_refresher`]).
    #[must_use]
    pub fn refresh(mut self, settings: RefreshSettings) -> Self {
        self.refresh = settings;
        self
    }

    /// How long a fetch may take, all sources together: 15 s unless set, at most an hour.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.times.deadline = deadline.min(LONGEST_DEADLINE);
        self
    }

    /// The age from which a cached revocation list is fetched anew; when that fails, the cached one
    /// still serves, and its own validity decides. 24 hours unless set.
    #[must_use]
    pub fn crl_refresh_age(mut self, age: Duration) -> Self {
        self.times.crl_refresh = age;
        self
    }

    /// How long a refusal of a vendor's service (`404`, mostly) is remembered. 60 s unless set.
    #[must_use]
    pub fn refusal_memory(mut self, span: Duration) -> Self {
        self.times.refusal_memory = span;
        self
    }

    /// The age below which [`CollateralService::discard`] does nothing. 60 s unless set.
    #[must_use]
    pub fn discard_hold(mut self, age: Duration) -> Self {
        self.times.discard_hold = age;
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    /// [`ConfigurationError`] when the offline folder is not there, a URL is not acceptable, or TLS
    /// cannot be set up.
    pub fn build(self) -> Result<CollateralService, ConfigurationError> {
        let folder = self.folder.map(folder::check).transpose()?.map(Arc::new);
        let services = self
            .services
            .into_iter()
            .map(|(vendor, (url, settings))| {
                let routes = self.routes.get(&vendor).map_or(&[][..], Vec::as_slice);
                Ok((vendor, VendorService::new(&url, &settings, routes, &self.clock)?))
            })
            .collect::<Result<_, ConfigurationError>>()?;
        Ok(CollateralService {
            inner: Arc::new(Inner {
                clock: self.clock,
                folder,
                cache: self.cache,
                services,
                inspectors: Inspectors::new(self.inspectors),
                searches: Flights::new(MAX_FETCHES),
                fetches: Flights::new(MAX_FETCHES),
                refusals: Refusals::default(),
                suspects: Suspects::default(),
                uses: Uses::default(),
                retries: Retries::default(),
                refresh: self.refresh,
                times: self.times,
            }),
        })
    }
}
