//! From settings to a serving agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use assay_attester::{Attester, Host};
use assay_client::SystemWaiting;
use assay_types::{Clock, InitDataMessage};
use tokio::sync::watch;

use super::cli::AgentArgs;
use super::{output, services};
use crate::agent::{Agent, EventLog, KeyBroker, Parts};
use crate::api::Api;
use crate::clock::GuestClock;
use crate::detect::{Detection, Wanted, detect};
use crate::device::{Device, Platform};
use crate::evidence::Evidence;
use crate::faces::{self, RestExtras};
use crate::init_data::{InitDataSource, InitDataState, check_at_start};
use crate::measurement::{MeasurementSettings, Measurements};
use crate::metrics::Metrics;
use crate::notify;
use crate::secrets::{FilesTask, KeyRule, SealedSettings, Unsealer};
use crate::settings::{DEFAULT_SOCKET, ListenerConfig, Settings};
use crate::state::{LogHealth, State};

/// The settings with the options of the command line, which win.
pub(super) fn settings(args: &AgentArgs) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(args.config.as_deref())?;
    if let Some(address) = &args.socket {
        anyhow::ensure!(
            address.starts_with("unix://"),
            "--attestation_sock is {address:?}; expected unix:///path"
        );
        settings.listener = vec![ListenerConfig::for_root(address)];
    }
    if let Some(file) = &args.init_data_toml {
        settings.init_data.toml_file = Some(file.clone());
        settings.init_data.digest = None;
    } else if let Some(digest) = &args.init_data_digest {
        settings.init_data.digest = Some(digest.clone());
        settings.init_data.toml_file = None;
    }
    if settings.listener.is_empty() {
        settings.listener.push(ListenerConfig::for_root(DEFAULT_SOCKET));
    }
    Ok(settings)
}

/// The guest as the settings describe it.
pub(super) fn host(settings: &Settings) -> Host {
    let device = &settings.device;
    let mut host = Host::at(&device.root, std::env::vars().collect());
    host.device_timeout = Duration::from_secs(device.timeout_seconds);
    host.privilege_level = device.privilege_level;
    host.service_provider = device.service_provider.clone();
    host.service_guid = device.service_guid.clone();
    host
}

/// Looks for the TEE that the settings want.
pub(super) fn detection(settings: &Settings) -> anyhow::Result<Detection> {
    let wanted = Wanted::from_name(&settings.device.tee).map_err(anyhow::Error::msg).context("device.tee")?;
    Ok(detect(&host(settings), wanted))
}

/// A running agent, before its listeners stand.
pub(super) struct Started {
    agent: Arc<Agent>,
    state: Arc<State>,
    metrics: Arc<Metrics>,
    pub(super) key_broker: Arc<KeyBroker>,
    files: FilesTask,
}

/// Starts everything but the listeners.
pub(super) fn start(settings: &Settings) -> anyhow::Result<Started> {
    let detection = detection(settings)?;
    let Some(mut attester) = detection.attester else {
        anyhow::bail!("no TEE was found on this machine. What was looked for:\n{}", detection.report());
    };
    let tee = attester.tee();
    let timeout = Duration::from_secs(settings.device.timeout_seconds);
    let deadline = Instant::now() + timeout;
    let init_data = init_data(settings)?;
    let bound = check_init_data(settings, init_data.as_ref(), attester.as_mut(), deadline)?;

    let config = &settings.eventlog_config;
    let (event_log, measurements) = match (config.enable_eventlog, attester.registers()) {
        (true, None) => (EventLog::NotSupported, None),
        (false, None) => (EventLog::Off, None),
        // Turned off, but the register was extended before: without its log no evidence would replay.
        (false, Some(_)) if !config.directory.join("eventlog").exists() => (EventLog::Off, None),
        (enabled, Some(registers)) => {
            let settings = MeasurementSettings {
                directory: config.directory.clone(),
                default_pcr: config.init_pcr,
                max_log_bytes: config.max_log_bytes,
                ..MeasurementSettings::default()
            };
            let (measurements, recovered) =
                Measurements::open(settings, registers).context("the event log")?;
            tracing::info!(?recovered, bytes = measurements.log().len(), "event log opened");
            (if enabled { EventLog::On } else { EventLog::Off }, Some(measurements))
        }
    };
    let log_health = LogHealth::default();
    if let Some(measurements) = &measurements {
        log_health.set(measurements.state());
    }

    let metrics = Arc::new(Metrics::new(tee.as_str()));
    let device = Device::start(Platform { attester, measurements }, timeout)?;
    let clock: Arc<dyn Clock> = Arc::new(GuestClock::start());
    let evidence = Evidence::new(
        tee,
        device.clone(),
        init_data.as_ref().and_then(message),
        Arc::clone(&metrics),
        log_health.clone(),
    );
    let key_broker = Arc::new(KeyBroker(services::key_broker(settings, Arc::new(evidence.clone()), &clock)?));
    let unsealer = Arc::new(Unsealer::new(key_broker.clone(), sealed_settings(settings)?));
    let files = FilesTask::new(
        &settings.files,
        key_broker.clone(),
        Arc::clone(&unsealer),
        Arc::clone(&clock),
        Arc::new(SystemWaiting),
    )
    .context("files")?;
    let state = Arc::new(State {
        tee,
        device: device.clone(),
        event_log,
        log_health: log_health.clone(),
        init_data: bound,
        files: files.states(),
    });
    let agent = Arc::new(Agent::new(Parts {
        evidence: evidence.clone(),
        device,
        event_log,
        log_health,
        key_broker: Arc::clone(&key_broker),
        attestation_service: services::attestation_service(settings, Arc::new(evidence.clone()), &clock)?,
        max_log_bytes: usize::try_from(config.max_log_bytes)?,
        give_tee_key: settings.token_configs.kbs.give_tee_key_danger,
        unsealer,
        metrics: Arc::clone(&metrics),
    }));
    if settings.token_configs.kbs.give_tee_key_danger {
        tracing::warn!("DANGER: GetToken hands out the private key of the TEE");
    }
    Ok(Started { agent, state, metrics, key_broker, files })
}

/// Starts, binds the listeners and serves until `stopped` says so.
pub(super) async fn serve(
    settings: &Settings,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    // Devices may take their time: no work for the runtime's threads.
    let owned = settings.clone();
    let runtime = tokio::runtime::Handle::current();
    let started = tokio::task::spawn_blocking(move || {
        let _inside = runtime.enter();
        start(&owned)
    })
    .await??;
    let mut bound = Vec::new();
    for listener in &settings.listener {
        let extras = RestExtras {
            ready: {
                let state = Arc::clone(&started.state);
                Arc::new(move || state.readiness())
            },
            metrics: {
                let metrics = Arc::clone(&started.metrics);
                Arc::new(move || metrics.text())
            },
        };
        let settings = listener.settings(settings.eventlog_config.init_pcr, extras)?;
        bound.push(faces::bind(&settings).await?);
        tracing::info!(address = listener.address, protocol = ?listener.protocol, "listening");
    }
    let readiness = started.state.readiness();
    tracing::info!(state = readiness.detail, "serving");
    notify::ready(&readiness.detail);
    Ok(async move {
        let files = tokio::spawn(async move { started.files.run().await });
        let api: Arc<dyn Api> = started.agent;
        let listeners = bound.into_iter().map(|bound| {
            let mut stopped = stopped.clone();
            faces::serve(bound, Arc::clone(&api), async move {
                // The sender lives as long as the program; without it there is nothing to wait for.
                let _ = stopped.wait_for(|stop| *stop).await;
            })
        });
        futures_util::future::join_all(listeners).await;
        files.abort();
        Ok(())
    })
}

/// The init data that the settings name.
pub(super) fn init_data(settings: &Settings) -> anyhow::Result<Option<InitDataSource>> {
    let config = &settings.init_data;
    if let Some(file) = &config.toml_file {
        let text = std::fs::read_to_string(file).with_context(|| format!("init data {}", file.display()))?;
        return Ok(Some(InitDataSource::from_toml(text).with_context(|| file.display().to_string())?));
    }
    let digest = config.digest.as_deref().map(InitDataSource::from_digest_base64).transpose();
    digest.context("init_data.digest")
}

/// Compares them with what the platform measured at launch.
pub(super) fn check_init_data(
    settings: &Settings,
    source: Option<&InitDataSource>,
    attester: &mut dyn Attester,
    deadline: Instant,
) -> anyhow::Result<InitDataState> {
    let require = source.is_some() && settings.init_data.require_bound;
    check_at_start(attester, source, require, deadline).context("init data")
}

/// The text, as it goes with every attestation.
fn message(source: &InitDataSource) -> Option<InitDataMessage> {
    let body = source.text()?.to_owned();
    Some(InitDataMessage { format: "toml".to_owned(), body })
}

fn sealed_settings(settings: &Settings) -> anyhow::Result<SealedSettings> {
    let config = &settings.sealed_secret;
    let rule = |text: &String| KeyRule::parse(text).context("sealed_secret.trusted_keys");
    Ok(SealedSettings {
        trusted_keys: config.trusted_keys.iter().map(rule).collect::<anyhow::Result<_>>()?,
        key_directory: config.key_directory.clone(),
        skip_verification_danger: config.skip_verification_danger,
        allow_ctr_danger: config.allow_ctr_danger,
        ..SealedSettings::default()
    })
}

/// Shows how an attestation to the key broker goes.
pub(super) async fn attest(started: &Started) -> anyhow::Result<()> {
    let token = started.key_broker.client()?.token().await?;
    output::line(format!(
        "attestation  accepted; the token {} ends {}",
        token.id().unwrap_or("without a name"),
        token.expires()
    ))?;
    Ok(())
}
