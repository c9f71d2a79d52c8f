//! Boot components as claims.

use serde_json::{Map, Value};

use crate::{BootComponent, BootRole, TcgAlgorithm};

/// Boot components as claims: one array for each role, empty where the log names none.
/// ```json
/// {"kernel": [{"index": 2, "type_name": "EV_EFI_BOOT_SERVICES_APPLICATION", "source": "firmware",
///              "alg": "SHA-384", "digest": "<lower case hex>", "digest_matches_event": false,
///              "label": "VenMedia(…)/File(kernel)"}],
///  "kernel_command_line": [{…, "text": "root=…", "digest_matches_text": true}],
///  "initrd": [], "boot_loader": [], "boot_loader_commands": []}
/// ```
/// `label` is what the log calls the component and is not proven. `text` is there where the event has the
/// measured text; it is proven only with `digest_matches_text`.
pub fn boot_claims(components: &[BootComponent<'_>], algorithm: impl Into<TcgAlgorithm>) -> Value {
    let algorithm = algorithm.into();
    let of_role = |role: BootRole| -> Value {
        components.iter().filter(|c| c.role == role).map(|c| claim(c, algorithm)).collect()
    };
    let roles = BootRole::ALL.into_iter().map(|role| (role.as_str().to_owned(), of_role(role)));
    Value::Object(roles.collect())
}

fn claim(component: &BootComponent<'_>, algorithm: TcgAlgorithm) -> Value {
    let event = &component.event;
    let mut claim = Map::new();
    let mut set = |name: &str, value: Value| claim.insert(name.to_owned(), value);
    set("index", Value::from(event.index));
    set("type_name", Value::from(event.event_type.to_string()));
    set("source", Value::from(component.source.to_string()));
    set("alg", Value::from(algorithm.to_string()));
    set("digest", Value::from(hex::encode(component.digest)));
    set("digest_matches_event", Value::from(event.digest_matches(algorithm).unwrap_or(false)));
    if let Some(label) = &component.label {
        set("label", Value::from(label.as_str()));
    }
    if let Some(text) = component.text {
        set("text", Value::from(text));
        set("digest_matches_text", Value::from(component.digest_matches_text));
    }
    Value::Object(claim)
}
