//! Wiring: from settings to the collateral service, for the server and for `assay collateral`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_attestation_service::{StoreCache, TrustSettings};
use assay_collateral::{
    CollateralCache, CollateralService, HttpSettings, RecentCache, RefreshSettings, Route, SecretHeader,
};
use assay_store::Store;
use assay_tee_intel::collateral::{IntelInspector, UpdateChannel};
use assay_types::{Clock, Vendor};
use zeroize::Zeroizing;

use crate::output;
use crate::settings::{Collateral, IntelUpdate};

/// The header for the subscription key of Intel's service.
const API_KEY_HEADER: &str = "Ocp-Apim-Subscription-Key";
/// The path that stands for the root's revocation list in requests.
const ROOT_CRL_PATH: &str = "/IntelSGXRootCA.der";

/// The service over the store's cache.
pub(crate) fn service(
    settings: &Collateral,
    trust: &TrustSettings,
    store: &Store,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(CollateralService, Arc<dyn CollateralCache>)> {
    let cache: Arc<dyn CollateralCache> =
        Arc::new(RecentCache::new(Arc::new(StoreCache(store.clone())), Arc::clone(&clock)));
    let hours = |hours: u64| Duration::from_secs(hours.saturating_mul(3600));
    let mut builder = CollateralService::builder(clock)
        .cache(Arc::clone(&cache))
        .inspector(Vendor::Intel, Arc::new(IntelInspector::new(trust.intel_anchors()?)))
        .deadline(Duration::from_secs(settings.deadline_seconds))
        .crl_refresh_age(hours(settings.refresh_age_hours))
        .refresh(RefreshSettings {
            age: hours(settings.refresh_age_hours),
            ahead: hours(settings.refresh_ahead_hours),
            unused: hours(settings.refresh_unused_days.saturating_mul(24)),
            ..RefreshSettings::default()
        });
    if let Some(folder) = &settings.offline_folder {
        builder = builder.offline_folder(folder);
    }
    let url = settings.amd_kds_url.trim_end_matches('/');
    if !url.is_empty() {
        builder = builder.vendor_service(Vendor::Amd, url, HttpSettings::default());
    }
    if let Some(urls) = settings.intel_urls() {
        let http = intel_http(settings)?;
        if let Some(root_crl) = urls.root_crl {
            // The key is for the one origin; the authority is, too, unless this is the same place.
            let same_place = root_crl.starts_with(&format!("{}/", urls.service));
            let ca_certificates = http.ca_certificates.clone().filter(|_| same_place);
            builder = builder.vendor_route(
                Vendor::Intel,
                Route {
                    prefix: ROOT_CRL_PATH.to_owned(),
                    url: root_crl,
                    hexadecimal: true,
                    settings: HttpSettings { ca_certificates, ..HttpSettings::default() },
                },
            );
        }
        builder = builder.vendor_service(Vendor::Intel, urls.service, http);
    }
    Ok((builder.build()?, cache))
}

fn intel_http(settings: &Collateral) -> anyhow::Result<HttpSettings> {
    let secret_header = match &settings.intel_api_key_file {
        Some(file) => {
            let key = Zeroizing::new(output::read(file).context("collateral.intel_api_key_file")?);
            Some(SecretHeader::new(API_KEY_HEADER, key).context("collateral.intel_api_key_file")?)
        }
        None => None,
    };
    let ca_certificates = match &settings.intel_ca_certificate {
        Some(file) => Some(output::read(file).context("collateral.intel_ca_certificate")?),
        None => None,
    };
    Ok(HttpSettings { secret_header, ca_certificates, ..HttpSettings::default() })
}

/// The edition of TCB info and identities that is asked for.
pub(crate) fn channel(settings: &Collateral) -> UpdateChannel {
    match settings.intel_update {
        IntelUpdate::Early => UpdateChannel::Early,
        IntelUpdate::Standard => UpdateChannel::Standard,
    }
}
