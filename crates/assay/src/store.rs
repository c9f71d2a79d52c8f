//! Opening the store that the settings name.

use std::time::Duration;

use anyhow::{Context as _, bail};
use assay_store::{KeyEncryptionKey, KeySource, Location, Store, StoreLimits};

use crate::data_dir::DataDir;
use crate::settings::{KeyEncryption, KeySourceKind, Settings};

/// Opens the store; servers may be running on it. An SQLite file that is not there is made, with its data
/// directory and key-encryption key, only where something `may_make` it.
pub(crate) async fn open(settings: &Settings, may_make: bool) -> anyhow::Result<Store> {
    let location = location(settings)?;
    let dir = DataDir::new(&settings.server.data_dir);
    if let Location::Sqlite(file) = &location {
        let place = settings.server.data_dir.display();
        if may_make {
            dir.create().with_context(|| format!("the data directory {place}"))?;
        }
        anyhow::ensure!(
            may_make || file.exists(),
            "there is no store in {place}; give --config or --data-dir"
        );
    }
    let source = key_source(settings, &settings.key_encryption, may_make)?;
    let limits = StoreLimits {
        busy_timeout: Duration::from_secs(settings.store.answer_seconds),
        ..StoreLimits::default()
    };
    Ok(Store::open_at(&location, source, limits).await?)
}

/// Where the store is.
pub(crate) fn location(settings: &Settings) -> anyhow::Result<Location> {
    let sqlite = DataDir::new(&settings.server.data_dir).database();
    settings.store.location(sqlite, settings.danger.plaintext_store)
}

/// Where the key-encryption key comes from. A key file that is not there is made only where something
/// `may_make` it: with a store that others have, a new key opens nothing.
pub(crate) fn key_source(
    settings: &Settings,
    key: &KeyEncryption,
    may_make: bool,
) -> anyhow::Result<KeySource> {
    match key.source {
        KeySourceKind::File => {
            let in_data_dir = DataDir::new(&settings.server.data_dir).key_encryption_key();
            let file = key.file.as_ref().unwrap_or(&in_data_dir);
            anyhow::ensure!(
                may_make || file.exists(),
                "there is no key-encryption key {}; give the file that belongs to the store",
                file.display()
            );
            Ok(KeyEncryptionKey::load_or_create(file)?.into())
        }
        KeySourceKind::Environment => {
            let name = &key.environment_variable;
            let text = std::env::var(name).with_context(|| {
                format!("the environment variable {name} (key_encryption.environment_variable)")
            })?;
            Ok(KeyEncryptionKey::from_text(&text)?.into())
        }
        KeySourceKind::VaultTransit => bail!("key_encryption.source = \"vault-transit\" is not there yet"),
    }
}
