//! The reference value provider: as a part of its own, and as a part that is elsewhere.

use std::sync::Arc;

use assay_reference_values::{ReferenceValueSource, ReferenceValues, RemoteReferenceValues, router};
use assay_store::Store;
use assay_types::Clock;
use axum::Router;

use crate::follow::Followers;
use crate::server::Foundation;
use crate::settings::Settings;

/// The reference values of a process.
pub(crate) struct Values {
    pub(crate) source: Arc<dyn ReferenceValueSource>,
    /// Those of the store, where they come from there.
    pub(crate) local: Option<Arc<ReferenceValues>>,
}

/// The values that evaluations use: those of the store, or of a provider elsewhere.
pub(crate) async fn source(
    settings: &Settings,
    store: &Store,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Values> {
    let danger = settings.danger.plaintext_reference_values;
    let Some(remote) = settings.reference_values.remote(danger) else {
        let corims = crate::server::corims(settings)?;
        let local = Arc::new(ReferenceValues::load_with(store.clone(), clock, corims).await?);
        return Ok(Values { source: Arc::<ReferenceValues>::clone(&local), local: Some(local) });
    };
    if danger {
        tracing::warn!(
            "DANGER: reference values may come over plain HTTP; whoever is on the way chooses them"
        );
    }
    tracing::info!(address = remote.remote.address, "reference values come from a provider elsewhere");
    Ok(Values { source: Arc::new(RemoteReferenceValues::new(remote, clock)?), local: None })
}

/// The interface of a provider alone, on the values of the store.
pub(crate) async fn provider(
    settings: &Settings,
    foundation: &Foundation,
    followers: &mut Followers,
) -> anyhow::Result<(Router, Arc<ReferenceValues>)> {
    let corims = crate::server::corims(settings)?;
    let (store, clock) = (foundation.store.clone(), Arc::clone(&foundation.clock));
    let values = Arc::new(ReferenceValues::load_with(store, clock, corims).await?);
    followers.values(&values);
    let router = router(crate::server::provider(settings, foundation, &values))?;
    Ok((router, values))
}
