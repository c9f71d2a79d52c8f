//! Logs and traces of a process.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter as _};
use tokio::time::Instant;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter, reload};

use crate::settings::ratio;
use crate::traces::{Batches, Flush, Ratio, SpanCounts, exporter, sampler};
use crate::{TelemetryError, TelemetrySettings, TraceSettings};

/// Logs and traces that run. Keep it as long as the process; [`Guard::shutdown`] at its end.
pub struct Guard {
    filter: Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
    counts: Arc<SpanCounts>,
    tracing: Option<Tracing>,
}

struct Tracing {
    ratio: Ratio,
    flush: Flush,
    provider: SdkTracerProvider,
}

/// Starts logs on standard error, and traces if they are asked for, for the whole process. Within a tokio
/// runtime if there are traces.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(settings: &TelemetrySettings) -> Result<Guard, TelemetryError> {
    let (dispatch, guard) = build(settings, std::io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| TelemetryError::Taken)?;
    Ok(guard)
}

/// The same, not yet for anybody, with the log written to `writer`.
///
/// # Errors
/// [`TelemetryError`].
pub fn build<W>(settings: &TelemetrySettings, writer: W) -> Result<(Dispatch, Guard), TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse(&settings.filter)?);
    let log = tracing_subscriber::fmt::layer().with_writer(writer);
    let log: Box<dyn Layer<Registry> + Send + Sync> = match settings.json {
        true => log.json().with_filter(filter).boxed(),
        false => log.with_filter(filter).boxed(),
    };
    let counts = Arc::new(SpanCounts::default());
    let (traces, tracing) = match &settings.traces {
        Some(settings) => {
            let (layer, tracing) = traces(settings, &counts)?;
            (Some(layer), Some(tracing))
        }
        None => (None, None),
    };
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(log).with(traces));
    let filter = Box::new(move |filter| handle.reload(filter));
    Ok((dispatch, Guard { filter, counts, tracing }))
}

fn traces<S>(
    settings: &TraceSettings,
    counts: &Arc<SpanCounts>,
) -> Result<(impl Layer<S> + Send + Sync + use<S>, Tracing), TelemetryError>
where
    S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
{
    let mut exporter = exporter(settings)?;
    let resource = resource(settings);
    exporter.set_resource(&resource);
    let (batches, flush) = Batches::start(exporter, settings, Arc::clone(counts));
    let ratio = Ratio::new(settings.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(batches)
        .with_sampler(sampler(ratio.clone()))
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("assay"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Spans of ours only, whatever the log shows; those of libraries carry what they like.
        .with_filter(filter::filter_fn(|metadata| {
            metadata.is_span() && metadata.target().starts_with("assay")
        }));
    Ok((layer, Tracing { ratio, flush, provider }))
}

fn resource(settings: &TraceSettings) -> Resource {
    let instance = settings.instance.clone().unwrap_or_else(|| {
        let mut bytes = [0_u8; 8];
        // An instance without a name of its own is still traced.
        let _ = rand::fill(&mut bytes);
        format!("{:016x}", u64::from_be_bytes(bytes))
    });
    Resource::builder_empty()
        .with_service_name(settings.service_name.clone())
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attribute(KeyValue::new("service.version", settings.version.clone()))
        .build()
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), why: error.to_string() })
}

impl Guard {
    /// Whether `filter` is one, for a check before [`Guard::set_filter`].
    ///
    /// # Errors
    /// [`TelemetryError::Filter`].
    pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
        parse(filter).map(drop)
    }

    /// Logs by another filter from now on.
    ///
    /// # Errors
    /// [`TelemetryError::Filter`]; then the one before stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        (self.filter)(parse(filter)?)
            .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), why: error.to_string() })
    }

    /// Traces another share of the requests from now on. Without traces nothing changes.
    ///
    /// # Errors
    /// [`TelemetryError::Ratio`]; then the one before stays.
    pub fn set_sample_ratio(&self, share: f64) -> Result<(), TelemetryError> {
        let share = ratio(share)?;
        if let Some(tracing) = &self.tracing {
            tracing.ratio.set(share);
        }
        Ok(())
    }

    /// What became of the spans of this process.
    pub fn spans(&self) -> Arc<SpanCounts> {
        Arc::clone(&self.counts)
    }

    /// Sends the spans that wait. Whether that was done within `patience`; it is, where there are no traces.
    pub async fn flush(&self, patience: Duration) -> bool {
        match &self.tracing {
            Some(tracing) => tracing.flush.now(Instant::now() + patience).await,
            None => true,
        }
    }

    /// The end: sends the spans that wait, for as long as `patience`, and takes no more.
    pub async fn shutdown(&self, patience: Duration) {
        if !self.flush(patience).await {
            tracing::warn!("the OTLP collector did not take the last spans in time");
        }
        if let Some(tracing) = &self.tracing {
            // Everything that it could do is done.
            let _ = tracing.provider.shutdown();
        }
    }
}
