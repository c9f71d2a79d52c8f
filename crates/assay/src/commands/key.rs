//! `assay key`: the keys of a store, listed and exchanged beside running servers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use assay_access::{ADMIN_KEY_PURPOSE, AdminKeys};
use assay_attestation_service::{KeySettings, PUBLISH_AHEAD, TokenKeys};
use assay_key_broker_service::{SESSION_SEALING_PURPOSE, rotate_session_sealing_key};
use assay_store::{KeySource, Store};
use serde_json::json;

use crate::cli::{KeyCommand, KeyPurpose, WhichStore};
use crate::clock::SystemClock;
use crate::commands::store::settings;
use crate::exit::Exit;
use crate::output::Output;
use crate::settings::{KeyEncryption, KeySourceKind, Settings};

/// How long servers that follow a store may take to hear of a key, with room to spare.
const HEARD: Duration = Duration::from_secs(3);

/// The purposes of keys that are shown.
const PURPOSES: [&str; 4] = [
    assay_attestation_service::TOKEN_SIGNING_PURPOSE,
    SESSION_SEALING_PURPOSE,
    ADMIN_KEY_PURPOSE,
    assay_audit::KEY_PURPOSE,
];

pub(crate) async fn run(command: &KeyCommand, out: Output) -> anyhow::Result<Exit> {
    let which = match command {
        KeyCommand::List { store } | KeyCommand::Rotate { store, .. } | KeyCommand::Retire { store, .. } => {
            store
        }
    };
    let settings = settings(which)?;
    let store = crate::store::open(&settings, false).await?;
    let log = match command {
        KeyCommand::List { .. } => None,
        KeyCommand::Rotate { .. } | KeyCommand::Retire { .. } => Some(super::audit::begin(&store).await?),
    };
    let done = match command {
        KeyCommand::List { .. } => list(&store, out).await,
        KeyCommand::Rotate { purpose: KeyPurpose::KeyEncryption, .. } => {
            exchange(&settings, &store, command, which, out).await
        }
        KeyCommand::Rotate { purpose, revoke, .. } => rotate(&settings, &store, *purpose, *revoke, out).await,
        KeyCommand::Retire { id, .. } => retire(&store, id, out).await,
    };
    if let Some(log) = log {
        let (action, target) = match command {
            KeyCommand::Rotate { purpose, .. } => ("key rotated", format!("{purpose:?}")),
            KeyCommand::Retire { id, .. } => ("key-encryption key retired", id.clone()),
            KeyCommand::List { .. } => ("", String::new()),
        };
        super::audit::end(&log, action, &target, done.is_ok()).await?;
    }
    store.close().await;
    done.map(|()| Exit::Success)
}

async fn list(store: &Store, out: Output) -> anyhow::Result<()> {
    let mut listed = Vec::new();
    for purpose in PURPOSES {
        for key in store.keys(purpose).await? {
            out.line(format!(
                "{purpose:<16} {:<44} {:<8} from {}  in use until {}  known until {}",
                key.kid, key.algorithm, key.created, key.sign_until, key.expires
            ))?;
            listed.push(json!({
                "purpose": purpose,
                "kid": key.kid,
                "algorithm": key.algorithm,
                "from": key.created.to_string(),
                "in_use_until": key.sign_until.to_string(),
                "known_until": key.expires.to_string(),
            }));
        }
    }
    let encrypting = store.key_encryption_keys().await?;
    for key in &encrypting {
        let state = if key.active { "active" } else { "old" };
        out.line(format!(
            "{:<16} {:<44} {state:<8} seals {} records",
            "key-encryption", key.id, key.records
        ))?;
    }
    out.value(&json!({ "keys": listed, "key_encryption_keys": encrypting }))
}

async fn rotate(
    settings: &Settings,
    store: &Store,
    purpose: KeyPurpose,
    revoke: bool,
    out: Output,
) -> anyhow::Result<()> {
    anyhow::ensure!(!revoke || purpose == KeyPurpose::Admin, "--revoke is for admin keys");
    let clock = store.clock(Arc::new(SystemClock));
    let (name, kid) = match purpose {
        KeyPurpose::TokenSigning => {
            let key_settings: KeySettings = crate::server::key_settings(settings)?;
            let keys = TokenKeys::load(store.clone(), key_settings, &settings.token.issuer, clock).await?;
            ("token-signing", keys.rotate().await?)
        }
        KeyPurpose::SessionSealing => {
            let kid = rotate_session_sealing_key(store, settings.limits.session_seconds, clock.now()).await?;
            ("session-sealing", kid)
        }
        KeyPurpose::Admin => {
            let keys: AdminKeys = crate::admin::keys(settings, store, clock).await?;
            ("admin", keys.rotate(revoke).await?)
        }
        KeyPurpose::AuditSigning => ("audit-signing", assay_audit::rotate(store, clock.now()).await?),
        KeyPurpose::KeyEncryption => anyhow::bail!("this key is exchanged, not made anew"),
    };
    let when = match purpose {
        KeyPurpose::Admin | KeyPurpose::AuditSigning => "at once".to_owned(),
        _ => format!("in {PUBLISH_AHEAD} seconds"),
    };
    out.both(format!("the new {name} key {kid} is in force {when}"), &json!({ "purpose": name, "kid": kid }))
}

/// Exchanges the key-encryption key; see the steps in `assay_store`.
async fn exchange(
    settings: &Settings,
    store: &Store,
    command: &KeyCommand,
    which: &WhichStore,
    out: Output,
) -> anyhow::Result<()> {
    let source = new_source(settings, command)?;
    let now = store.clock(Arc::new(SystemClock)).now();
    let old = store.key_encryption_keys().await?.into_iter().find(|key| key.active);
    let old = old.context("the store names no active key-encryption key")?.id;
    let new = store.introduce_key_encryption_key(&source, now).await?;
    anyhow::ensure!(new != old, "the key given is the one in force, {old}");
    // A server that has not heard of it yet would read it when it meets it; it need not come to that.
    tokio::time::sleep(HEARD).await;
    store.activate_key_encryption_key(&new).await?;
    tokio::time::sleep(HEARD).await;
    let resealed = store.reseal().await?;
    out.line(format!(
        "the key-encryption key {new} is in force; {} versions of resources and {} keys were sealed with it",
        resealed.resources, resealed.keys
    ))?;
    let place = match (&which.config, &which.data_dir) {
        (Some(file), _) => format!("--config {}", file.display()),
        (None, Some(dir)) => format!("--data-dir {}", dir.display()),
        (None, None) => String::new(),
    };
    out.line(format!("give it to every server, then: assay key retire {place} {old}"))?;
    out.value(&json!({ "purpose": "key-encryption", "id": new, "old": old, "resealed": resealed }))
}

fn new_source(settings: &Settings, command: &KeyCommand) -> anyhow::Result<KeySource> {
    let KeyCommand::Rotate { new_key_file, new_key_environment, new_key_vault_transit, .. } = command else {
        anyhow::bail!("only rotate takes a new key");
    };
    let mut key: KeyEncryption = settings.key_encryption.clone();
    match (new_key_file, new_key_environment, new_key_vault_transit) {
        (Some(file), None, false) => {
            key.source = KeySourceKind::File;
            key.file = Some(file.clone());
        }
        (None, Some(name), false) => {
            key.source = KeySourceKind::Environment;
            key.environment_variable.clone_from(name);
        }
        (None, None, true) => key.source = KeySourceKind::VaultTransit,
        _ => anyhow::bail!(
            "the new key-encryption key: give --new-key-file, --new-key-environment or --new-key-vault-transit"
        ),
    }
    crate::store::key_source(settings, &key, true)
}

async fn retire(store: &Store, id: &str, out: Output) -> anyhow::Result<()> {
    let known = store.key_encryption_keys().await?;
    anyhow::ensure!(
        known.iter().any(|key| key.id == id),
        "there is no key-encryption key {id}; there are {}",
        known.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(", ")
    );
    let resealed = store.retire_key_encryption_key(id).await?;
    out.both(
        format!(
            "the key-encryption key {id} opens nothing any more; {} versions of resources and {} keys were \
             still sealed with it",
            resealed.resources, resealed.keys
        ),
        &json!({ "retired": id, "resealed": resealed }),
    )
}
