//! `assay policy`: the policies that appraise evidence and open resources.

use assay_policy::PolicyKind;
use serde_json::json;

use crate::cli::{PolicyCommand, PolicyKindArg};
use crate::commands::policy_offline::{self, Eval};
use crate::exit::Exit;
use crate::output::{self, Output};

impl From<PolicyKindArg> for PolicyKind {
    fn from(kind: PolicyKindArg) -> Self {
        match kind {
            PolicyKindArg::Attestation => PolicyKind::Attestation,
            PolicyKindArg::Resource => PolicyKind::Resource,
        }
    }
}

pub(crate) async fn run(command: &PolicyCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Set { id, file, kind, server } => {
            let text = output::read_text(file)?;
            let client = crate::admin::client(server).await?;
            match PolicyKind::from(*kind) {
                PolicyKind::Attestation => client.set_attestation_policy(id, &text).await?,
                PolicyKind::Resource => client.set_resource_policy(Some(id), &text).await?,
            }
            out.both(format!("{id}: in force"), &json!({ "set": id }))?;
        }
        PolicyCommand::Get { id, kind, server } => {
            let client = crate::admin::client(server).await?;
            let text = match PolicyKind::from(*kind) {
                PolicyKind::Attestation => client.attestation_policy(id).await?,
                PolicyKind::Resource => client.resource_policy(id).await?,
            };
            out.both(text.trim_end(), &json!({ "policy_id": id, "policy": text }))?;
        }
        PolicyCommand::List { kind, server } => {
            let client = crate::admin::client(server).await?;
            let list = match PolicyKind::from(*kind) {
                PolicyKind::Attestation => client.attestation_policies().await?,
                PolicyKind::Resource => client.resource_policies().await?.into(),
            };
            out.both(serde_json::to_string_pretty(&list)?, &list)?;
        }
        PolicyCommand::Delete { id, kind, server } => {
            let client = crate::admin::client(server).await?;
            match PolicyKind::from(*kind) {
                PolicyKind::Attestation => client.delete_attestation_policy(id).await?,
                PolicyKind::Resource => client.delete_resource_policy(id).await?,
            }
            out.both(format!("{id}: deleted"), &json!({ "deleted": id }))?;
        }
        PolicyCommand::Check { file, kind } => return policy_offline::check(file, (*kind).into(), out).await,
        PolicyCommand::Eval { policy, claims, reference_values, kind, resource } => {
            let eval = Eval {
                policy: policy.as_deref(),
                claims,
                reference_values: reference_values.as_deref(),
                kind: (*kind).into(),
                resource: resource.as_deref(),
            };
            return policy_offline::eval(eval, out).await;
        }
    }
    Ok(Exit::Success)
}
