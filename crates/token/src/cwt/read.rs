//! A map in CBOR → claims in the JSON of the draft's dialect.

use assay_cbor::Value as Cbor;
use assay_types::TrustClaim;
use serde_json::{Map, Value};

use super::json::{cut, from_cbor};
use super::keys::{AKPUB, APPRAISAL, Form, Key, STATUS, TOKEN, VERIFIER_ID, number};
use crate::base64url;
use crate::ear::underscored;
use crate::error::shown;

/// The claims as JSON; the error says which claim cannot be read.
pub(super) fn claims(map: &Cbor) -> Result<Value, String> {
    object(map, TOKEN)
}

/// Reads a map of claims. A claim that has an integer key is refused under a text key: it would be
/// another claim, and readers could differ in which one counts.
fn object(value: &Cbor, keys: &[Key]) -> Result<Value, String> {
    let members = value.as_map().ok_or_else(|| expected("a map", value))?;
    let mut out = Map::new();
    for (label, value) in members {
        let (name, value) = match (label, label.as_i64()) {
            (_, Some(number)) => match keys.iter().find(|key| key.number == number) {
                Some(key) => {
                    let value =
                        formed(key.form, value).map_err(|why| format!("{} ({number}): {why}", key.name))?;
                    (key.name.to_owned(), value)
                }
                None => (number.to_string(), named(&number.to_string(), value)?),
            },
            (Cbor::Text(name), None) => {
                let other = underscored(name);
                let other = other.as_deref().unwrap_or(name);
                if let Some(key) = keys.iter().find(|key| key.name == other) {
                    return Err(format!("the claim {} has the key {}, not a text", key.name, key.number));
                }
                if number(name).is_some() {
                    return Err(format!("the text key {name:?} is a number"));
                }
                (name.clone(), named(name, value)?)
            }
            (other, None) => return Err(format!("the key {} is neither text nor integer", cut(other))),
        };
        out.insert(name, value);
    }
    Ok(Value::Object(out))
}

fn named(name: &str, value: &Cbor) -> Result<Value, String> {
    from_cbor(value).map_err(|why| format!("{}: {why}", shown(name)))
}

fn expected(what: &str, found: &Cbor) -> String {
    format!("expected {what}, found {}", found.describe())
}

fn formed(form: Form, value: &Cbor) -> Result<Value, String> {
    match form {
        Form::Same => from_cbor(value),
        Form::Text => text(value),
        Form::Seconds => {
            value.as_i64().map(Value::from).ok_or_else(|| expected("an integer (seconds)", value))
        }
        Form::TextBytes => {
            let bytes = value.as_bytes().ok_or_else(|| expected("a byte string", value))?;
            let text =
                std::str::from_utf8(bytes).map_err(|_| "a byte string that is not UTF-8".to_owned())?;
            Ok(Value::from(text))
        }
        Form::Bytes => bytes(value),
        Form::Status => {
            let tier = value.as_i64().and_then(|n| STATUS.iter().find(|(number, _)| *number == n));
            tier.map(|(_, name)| Value::from(*name))
                .ok_or_else(|| format!("expected 0, 2, 32 or 96, found {}", cut(value)))
        }
        Form::Vector => vector(value),
        Form::PolicyIds => match value {
            Cbor::Text(_) => Ok(Value::Array(vec![text(value)?])),
            Cbor::Array(ids) => Ok(Value::Array(ids.iter().map(text).collect::<Result<_, _>>()?)),
            other => Err(expected("a list of texts", other)),
        },
        Form::VerifierId => {
            let mut out = Map::new();
            for (number, name) in VERIFIER_ID {
                let member = value.get(number).ok_or_else(|| format!("no {name} ({number})"))?;
                out.insert(name.to_owned(), text(member).map_err(|why| format!("{name}: {why}"))?);
            }
            match value.as_map().map_or(0, <[_]>::len) {
                2 => Ok(Value::Object(out)),
                found => Err(format!("{found} members; there are developer (0) and build (1)")),
            }
        }
        Form::RawEvidence => match value.as_array() {
            Some([media_type, content]) => Ok(Value::Array(vec![text(media_type)?, bytes(content)?])),
            Some(_) => Err(expected("a byte string or [type, bytes]", value)),
            None => bytes(value),
        },
        Form::KeyAttestation => {
            let key = value.get_text(AKPUB).ok_or_else(|| format!("no {AKPUB}"))?;
            bytes(key).map_err(|why| format!("{AKPUB}: {why}"))?;
            from_cbor(value)
        }
        Form::Submods => {
            let members = value.as_map().ok_or_else(|| expected("a map", value))?;
            let mut out = Map::new();
            for (name, appraisal) in members {
                let name = name.as_text().ok_or_else(|| format!("the name {} is not a text", cut(name)))?;
                let appraisal =
                    object(appraisal, APPRAISAL).map_err(|why| format!("{}: {why}", shown(name)))?;
                out.insert(name.to_owned(), appraisal);
            }
            Ok(Value::Object(out))
        }
    }
}

fn vector(value: &Cbor) -> Result<Value, String> {
    let members = value.as_map().ok_or_else(|| expected("a map", value))?;
    let mut out = Map::new();
    for (label, member) in members {
        let claim = label.as_u64().and_then(|n| TrustClaim::ALL.get(usize::try_from(n).ok()?));
        let claim = claim.ok_or_else(|| format!("there is no claim {}", cut(label)))?;
        let number = member.as_i64().and_then(|n| i8::try_from(n).ok());
        let number = number.ok_or_else(|| format!("{claim}: expected -128 to 127, found {}", cut(member)))?;
        out.insert(claim.as_str().to_owned(), Value::from(number));
    }
    Ok(Value::Object(out))
}

fn text(value: &Cbor) -> Result<Value, String> {
    value.as_text().map(Value::from).ok_or_else(|| expected("a text", value))
}

fn bytes(value: &Cbor) -> Result<Value, String> {
    value
        .as_bytes()
        .map(|bytes| Value::String(base64url::encode(bytes)))
        .ok_or_else(|| expected("a byte string", value))
}
