//! `assay store`: the store as a whole.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use assay_store::{KeyEncryptionKey, Store, Transferred};
use serde_json::json;

use crate::cli::{StoreCommand, WhichStore};
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::Settings;

/// The settings of the store that the command line names.
pub(crate) fn settings(which: &WhichStore) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(which.config.as_deref())?;
    if let Some(dir) = &which.data_dir {
        settings.server.data_dir.clone_from(dir);
    }
    Ok(settings)
}

async fn open(which: &WhichStore, may_make: bool) -> anyhow::Result<Store> {
    crate::store::open(&settings(which)?, may_make).await
}

pub(crate) async fn run(command: &StoreCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        StoreCommand::Migrate { store } => {
            // Opening brings the schema up to date.
            let store = open(store, true).await?;
            let version = store.schema_version();
            store.close().await;
            out.both(format!("the schema has version {version}"), &json!({ "schema": version }))?;
            Ok(Exit::Success)
        }
        StoreCommand::Export { store, to, key_file } => {
            let store = open(store, false).await?;
            let key = KeyEncryptionKey::load_or_create(key_file)?;
            let done = export(&store, to, &key).await;
            store.close().await;
            report("exported", &done?, out)?;
            Ok(Exit::Success)
        }
        StoreCommand::Import { store, from, key_file } => {
            anyhow::ensure!(key_file.exists(), "there is no key {}", key_file.display());
            let key = KeyEncryptionKey::load_or_create(key_file)?;
            let file = File::open(from).with_context(|| from.display().to_string())?;
            let store = open(store, true).await?;
            let done = store.import(BufReader::new(file), &key).await;
            store.close().await;
            report("imported", &done?, out)?;
            Ok(Exit::Success)
        }
        StoreCommand::Check { store } => {
            let store = open(store, false).await?;
            let found = store.check().await;
            store.close().await;
            let found = found?;
            for damaged in &found.damaged {
                out.line(format!("DAMAGED  {damaged}"))?;
            }
            out.line(format!(
                "{} versions of resources, {} keys, {} policies, {} versions of reference values: {}",
                found.resources,
                found.keys,
                found.policies,
                found.reference_values,
                if found.damaged.is_empty() { "all well" } else { "restore what is damaged from a backup" }
            ))?;
            out.value(&found)?;
            Ok(if found.damaged.is_empty() { Exit::Success } else { Exit::Failure })
        }
    }
}

/// Writes the export beside its place and puts it there when it is complete.
async fn export(store: &Store, to: &Path, key: &KeyEncryptionKey) -> anyhow::Result<Transferred> {
    anyhow::ensure!(!to.exists(), "{} is there already", to.display());
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let named = || partial.display().to_string();
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial).with_context(named)?;
    let written = async {
        let (file, done) = store.export(BufWriter::new(file), key).await?;
        file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        // A link, unlike a rename, takes nobody else's file away.
        std::fs::hard_link(partial, to).with_context(|| to.display().to_string())?;
        anyhow::Ok(done)
    }
    .await;
    std::fs::remove_file(partial).with_context(named)?;
    written
}

fn report(what: &str, done: &Transferred, out: Output) -> anyhow::Result<()> {
    for (table, count) in &done.tables {
        out.line(format!("{count:>8}  {table}"))?;
    }
    out.line(format!("{what} {} rows", done.rows))?;
    out.value(done)
}
