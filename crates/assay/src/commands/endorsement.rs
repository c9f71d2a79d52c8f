//! `assay endorsement`: attestation keys and reference values of Arm CCA platforms and realms.

use anyhow::Context as _;
use assay_types::TrustTier;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::cli::{EndorsementCommand, ServerArgs};
use crate::exit::Exit;
use crate::output::{self, Output};

/// How the names of endorsements begin.
const PREFIX: &str = "cca/";

pub(crate) async fn run(command: &EndorsementCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        EndorsementCommand::Submit { file, expires, server } => {
            let message = message(&output::read(file)?, expires.as_deref());
            crate::admin::client(server).await?.register_reference_values(&message).await?;
            out.both(format!("{}: registered", file.display()), &json!({ "registered": file }))?;
        }
        EndorsementCommand::List { server } => {
            let list = all(server).await?;
            for endorsement in &list {
                out.line(line(endorsement))?;
            }
            out.value(&list)?;
        }
        EndorsementCommand::Show { name, server } => {
            // From the list, which has the expired ones too, with their dates.
            let found = all(server).await?.into_iter().find(|endorsement| id(endorsement) == name);
            let found = found.with_context(|| format!("there is no endorsement {name:?}"))?;
            out.both(serde_json::to_string_pretty(&found)?, &found)?;
        }
        EndorsementCommand::Expire { name, server } => {
            crate::admin::client(server).await?.expire_reference_value(name).await?;
            out.both(format!("{name}: ended"), &json!({ "expired": name }))?;
        }
        EndorsementCommand::Delete { name, server } => {
            crate::admin::client(server).await?.delete_reference_value(name).await?;
            out.both(format!("{name}: deleted"), &json!({ "deleted": name }))?;
        }
    }
    Ok(Exit::Success)
}

/// Every endorsement, expired ones among them.
async fn all(server: &ServerArgs) -> anyhow::Result<Vec<Value>> {
    let all = crate::admin::client(server).await?.reference_values().await?;
    let ours = |value: &&Value| id(value).starts_with(PREFIX);
    Ok(all.as_array().into_iter().flatten().filter(ours).cloned().collect())
}

fn id(endorsement: &Value) -> &str {
    endorsement.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// The message for a file: a JSON array is a store of trust anchors, a JSON object one of reference
/// values, anything else a CoRIM.
fn message(bytes: &[u8], expires: Option<&str>) -> Value {
    let kind = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => "cca-trust-anchors",
        Some(b'{') => "cca-reference-values",
        _ => "corim",
    };
    let mut message = json!({ "version": "0.1.0", "type": kind, "payload": BASE64_STANDARD.encode(bytes) });
    if let (Some(expires), Some(message)) = (expires, message.as_object_mut()) {
        message.insert("expires".into(), json!(expires));
    }
    message
}

fn line(endorsement: &Value) -> String {
    let text = |name: &str| endorsement.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let expired = endorsement.get("expired").and_then(Value::as_bool).unwrap_or_default();
    let mark = if expired { TrustTier::Warning } else { TrustTier::Affirming };
    let until = if expired { "ended" } else { "until" };
    format!("{} {}  {until} {}", super::verify::tier_mark(mark), text("id"), text("expires"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_file_is_seen_by_its_first_byte() {
        for (bytes, kind) in [
            (&b" [\n"[..], "cca-trust-anchors"),
            (b"{}", "cca-reference-values"),
            (&[0xd9, 0x01, 0xf5], "corim"),
            (b"", "corim"),
        ] {
            assert_eq!(message(bytes, None)["type"], kind);
        }
        assert_eq!(message(b"[]", Some("2027-01-01T00:00:00Z"))["expires"], "2027-01-01T00:00:00Z");
    }
}
