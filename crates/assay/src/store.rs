//! Opening the store that the settings name.

use anyhow::Context as _;
use assay_store::{KeyEncryptionKey, Store, StoreOptions};

use crate::data_dir::DataDir;
use crate::settings::Settings;

/// Opens the store; a server may be running on it. One that is not there is made, with its data
/// directory and key-encryption key, only where something `may_make` it.
pub(crate) async fn open(settings: &Settings, may_make: bool) -> anyhow::Result<Store> {
    let dir = DataDir::new(&settings.server.data_dir);
    let place = settings.server.data_dir.display();
    if may_make {
        dir.create().with_context(|| format!("the data directory {place}"))?;
    }
    anyhow::ensure!(
        may_make || dir.database().exists(),
        "there is no store in {place}; give --config or --data-dir"
    );
    Ok(Store::open(StoreOptions {
        database: dir.database(),
        key_encryption_key: KeyEncryptionKey::load_or_create(&dir.key_encryption_key())?,
    })
    .await?)
}
