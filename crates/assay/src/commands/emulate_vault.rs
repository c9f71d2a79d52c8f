//! `assay emulate vault`: a double of HashiCorp Vault.

use std::sync::Arc;

use assay_vault::double::{Double, DoubleSettings};

use crate::cli::EmulateVaultArgs;
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::output::Output;

pub(super) fn run(args: &EmulateVaultArgs, out: Output) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        args.listen.ip().is_loopback(),
        "{} is no loopback address: whoever reaches the double can read and control it",
        args.listen
    );
    let settings = DoubleSettings {
        token: args.token.clone(),
        role_id: args.role_id.clone(),
        secret_id: args.secret_id.clone(),
        kubernetes_role: args.kubernetes_role.clone(),
        kubernetes_jwt: args.kubernetes_jwt.clone(),
        kv1_mount: args.kv1_mount.clone(),
        kv2_mount: args.kv2_mount.clone(),
        transit_mount: args.transit_mount.clone(),
        transit_keys: args.transit_keys.clone(),
        namespace: args.namespace.clone(),
    };
    let double = Double::new(settings, Arc::new(SystemClock)).map_err(anyhow::Error::msg)?;
    double.behave(|behaviour| behaviour.lease_seconds = args.lease_seconds.into());
    super::emulate_server::run(args.listen, double.router(), out)
}
