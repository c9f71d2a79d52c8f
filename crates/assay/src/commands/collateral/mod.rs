//! `assay collateral`: the store's collateral, without a server.

mod bundle;
mod refresh;
mod show;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assay_attestation_service::TrustSettings;
use assay_collateral::{CollateralCache, CollateralService};
use assay_store::Store;
use assay_tee_intel::collateral::{UpdateChannel, split_collateral};
use assay_types::{Clock as _, CollateralRequest};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{CollateralCommand, StoreArgs};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(command: &CollateralCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        CollateralCommand::Refresh(args) => {
            let opened = Opened::new(&args.store, true).await?;
            let exit = refresh::run(args, &opened, out).await;
            opened.store.close().await;
            exit
        }
        CollateralCommand::Show { file: Some(file), store } => show::file(file, store, out),
        CollateralCommand::Show { file: None, store } => {
            let opened = Opened::new(store, false).await?;
            let exit = show::cache(&opened, out).await;
            opened.store.close().await;
            exit
        }
        CollateralCommand::Export { out: to, key, vendor, store } => {
            let opened = Opened::new(store, false).await?;
            let exit = bundle::export(&opened, to, key, *vendor, out).await;
            opened.store.close().await;
            exit
        }
        CollateralCommand::Import { file, signer, danger_allow_older, store } => {
            let opened = Opened::new(store, true).await?;
            let exit = bundle::import(&opened, file, signer, *danger_allow_older, out).await;
            opened.store.close().await;
            exit
        }
    }
}

/// The configuration with the options of the command.
fn settings(args: &StoreArgs) -> anyhow::Result<(Settings, TrustSettings)> {
    let mut settings = Settings::load(args.config.as_deref())?;
    if let Some(dir) = &args.data_dir {
        settings.server.data_dir.clone_from(dir);
    }
    if args.danger_trust_emulator.is_some() {
        settings.danger.trust_emulator.clone_from(&args.danger_trust_emulator);
    }
    let trust = crate::server::trust(&settings)?;
    Ok((settings, trust))
}

/// A store with the collateral service over it.
struct Opened {
    settings: Settings,
    trust: TrustSettings,
    store: Store,
    service: CollateralService,
    cache: Arc<dyn CollateralCache>,
}

impl Opened {
    /// Opens the store. One that is not there is made only where something will be put into it.
    async fn new(args: &StoreArgs, may_make: bool) -> anyhow::Result<Self> {
        let (settings, trust) = settings(args)?;
        let store = crate::store::open(&settings, may_make).await?;
        let clock = Arc::new(SystemClock);
        let (service, cache) = crate::collateral::service(&settings.collateral, &trust, &store, clock)?;
        Ok(Opened { settings, trust, store, service, cache })
    }

    fn channel(&self) -> UpdateChannel {
        crate::collateral::channel(&self.settings.collateral)
    }
}

/// The pieces in a file that nobody signed as a whole.
fn pieces(
    bytes: &[u8],
    channel: UpdateChannel,
    file: &Path,
) -> Result<Vec<(CollateralRequest, Bytes)>, String> {
    split_collateral(bytes, channel).map_err(|error| format!("{}: {error}", file.display()))
}

/// A line on the terminal that says what is going on; nothing where standard error is no terminal.
fn progress(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn now() -> assay_types::UnixTime {
    SystemClock.now()
}
