//! `assay emulate configfs-tsm`: the kernel files of an emulated guest, until it is told to stop.

use std::path::Path;
use std::time::Duration;

use assay_emulator::Seed;
use assay_tsm_simulator::{Faults, Handle, Mount, SimulatedGuest, Watched, clear, mount, watch};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments;
use crate::cli::ConfigfsTsmArgs;
use crate::exit::Exit;
use crate::output::{self, Output};

/// How often it is looked whether someone else has unmounted.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The files, which go when this is dropped.
enum Presented {
    Mounted(Mount),
    Watched(Watched),
}

impl Presented {
    fn path(&self) -> &Path {
        match self {
            Presented::Mounted(mounted) => mounted.path(),
            Presented::Watched(watched) => watched.path(),
        }
    }

    fn handle(&self) -> Handle {
        match self {
            Presented::Mounted(mounted) => mounted.handle(),
            Presented::Watched(watched) => watched.handle(),
        }
    }

    fn is_there(&self) -> bool {
        match self {
            Presented::Mounted(mounted) => mounted.is_mounted(),
            Presented::Watched(_) => true,
        }
    }
}

pub(super) fn run(args: &ConfigfsTsmArgs, out: Output) -> anyhow::Result<Exit> {
    let init_data = arguments::init_data_digest(args.init_data.as_deref())?;
    let set = args.set.iter().map(|text| arguments::field_value(text)).collect::<Result<Vec<_>, _>>()?;
    let mut guest = SimulatedGuest::new(args.tee, Seed::from_hex(&args.seed)?, init_data, &set)?;
    if let Some(file) = &args.state {
        guest.keep_state(file)?;
    }
    if args.remount && clear(&args.mount)? {
        output::note(format!("cleared what another simulator had left at {}", args.mount.display()));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(present(args, guest, out))
}

async fn present(args: &ConfigfsTsmArgs, guest: SimulatedGuest, out: Output) -> anyhow::Result<Exit> {
    // Before anything is said to be ready: whoever reads that may ask to stop at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let presented = if args.without_fuse {
        Presented::Watched(watch(guest, &args.mount)?)
    } else {
        Presented::Mounted(mount(guest, &args.mount)?)
    };
    let answer_after = Duration::from_millis(args.answer_after.into());
    presented.handle().set_faults(Faults { answer_after, ..Faults::default() });
    out.line(format!("ready: {} at {}", args.tee, presented.path().display()))?;
    // One line, so that a program that reads it need not wait for the end.
    if out.json {
        let ready = json!({ "ready": args.tee, "at": presented.path(), "fuse": !args.without_fuse });
        output::raw(format!("{ready}\n").as_bytes())?;
    }
    let gone = async {
        while presented.is_there() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = gone => anyhow::bail!("someone else has unmounted {}", presented.path().display()),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(presented);
    Ok(Exit::Success)
}
