//! Wiring: where the secrets of resources are kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_secret_backends::{
    ByRepository, Pkcs11Backend, Pkcs11Settings, SecretBackend, StoreBackend, VaultBackend,
};
use assay_store::Store;
use assay_types::Clock;
use assay_vault::{Kv, KvVersion, VaultClient, VaultPath, VaultSettings};

use crate::output;
use crate::settings::{BackendKind, Settings};

/// The client of Vault, where the settings name one. Its token is kept alive in the background, for as
/// long as somebody holds the client. Must be called within a tokio runtime.
pub(crate) fn vault_client(
    settings: &Settings,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Option<Arc<VaultClient>>> {
    let vault = &settings.vault;
    let Some(address) = &vault.address else { return Ok(None) };
    if settings.danger.vault_plain_http {
        tracing::warn!(
            "DANGER: Vault may be spoken to in plain HTTP; everyone on the way reads every secret"
        );
    }
    let client = VaultClient::new(
        VaultSettings {
            ca_certificate: vault.ca_certificate.as_deref().map(output::read).transpose()?,
            namespace: vault.namespace.clone(),
            deadline: Duration::from_secs(vault.deadline_seconds),
            allow_plain_http_to_remote_hosts_danger: settings.danger.vault_plain_http,
            ..VaultSettings::new(address, vault.auth()?)
        },
        clock,
    )?;
    let client = Arc::new(client);
    client.spawn_keeper();
    Ok(Some(client))
}

/// The back ends that the settings name, as one.
pub(crate) fn secret_backends(
    settings: &Settings,
    store: &Store,
    vault: Option<Arc<VaultClient>>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn SecretBackend>> {
    let resources = &settings.resources;
    let mut made: BTreeMap<BackendKind, Arc<dyn SecretBackend>> = BTreeMap::new();
    for kind in std::iter::once(&resources.backend).chain(resources.by_repository.values()) {
        if made.contains_key(kind) {
            continue;
        }
        let backend: Arc<dyn SecretBackend> = match kind {
            BackendKind::Store => Arc::new(StoreBackend::new(store.clone(), Arc::clone(&clock))),
            BackendKind::Vault => Arc::new(vault_backend(settings, vault.clone().context("vault.address")?)?),
            BackendKind::Pkcs11 => Arc::new(pkcs11_backend(settings)?),
        };
        made.insert(*kind, backend);
    }
    let of = |kind: &BackendKind| made.get(kind).cloned().context("a back end that was not made");
    let default = of(&resources.backend)?;
    if resources.by_repository.is_empty() {
        return Ok(default);
    }
    let named = resources.by_repository.iter().map(|(name, kind)| Ok((name.clone(), of(kind)?)));
    Ok(Arc::new(ByRepository::new(default, named.collect::<anyhow::Result<_>>()?)))
}

fn vault_backend(settings: &Settings, client: Arc<VaultClient>) -> anyhow::Result<VaultBackend> {
    let resources = &settings.resources;
    let mount = VaultPath::new(&resources.vault_mount, "vault_mount")?;
    let version = if resources.vault_kv_version == 1 { KvVersion::V1 } else { KvVersion::V2 };
    let prefix = resources.vault_prefix.as_deref();
    let prefix = prefix.map(|prefix| VaultPath::new(prefix, "vault_prefix")).transpose()?;
    tracing::info!(%mount, version = resources.vault_kv_version, "secrets are kept in Vault");
    Ok(VaultBackend::new(Arc::clone(&client), Kv::new(client, mount, version), prefix))
}

fn pkcs11_backend(settings: &Settings) -> anyhow::Result<Pkcs11Backend> {
    let resources = &settings.resources;
    let module = resources.pkcs11_module.as_ref().context("resources.pkcs11_module")?;
    let label = resources.pkcs11_token_label.as_ref().context("resources.pkcs11_token_label")?;
    let pin_file = resources.pkcs11_pin_file.as_ref().context("resources.pkcs11_pin_file")?;
    tracing::info!(module = %module.display(), label, "secrets are kept on a PKCS#11 token");
    Ok(Pkcs11Backend::new(Pkcs11Settings {
        deadline: Duration::from_secs(resources.pkcs11_deadline_seconds),
        ..Pkcs11Settings::new(module, label, pin_file)
    }))
}
