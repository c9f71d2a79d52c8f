//! Claims in the JSON of the draft's dialect → a map in CBOR.

use assay_cbor::Value as Cbor;
use assay_types::TrustClaim;
use serde_json::{Map, Value};

use super::json::{map, to_cbor};
use super::keys::{AKPUB, APPRAISAL, Form, Key, STATUS, TOKEN, VERIFIER_ID, number};
use crate::ear::decode_either;
use crate::error::shown;

/// The claims as a map; the error says which claim cannot be written.
pub(super) fn claims(claims: &Value) -> Result<Cbor, String> {
    object(claims, TOKEN)
}

fn object(members: &Value, keys: &[Key]) -> Result<Cbor, String> {
    let members = members.as_object().ok_or("not an object")?;
    let named = |(name, value): (&String, &Value)| {
        let shown = shown(name);
        if let Some(key) = keys.iter().find(|key| key.name == name) {
            let value = formed(key.form, value).map_err(|why| format!("{shown}: {why}"))?;
            return Ok((Cbor::from(key.number), value));
        }
        match number(name) {
            Some(number) if keys.iter().any(|key| key.number == number) => {
                Err(format!("the claim {number} is written under its name only"))
            }
            Some(number) => Ok((Cbor::from(number), to_cbor(value))),
            None => Ok((Cbor::from(name.as_str()), to_cbor(value))),
        }
    };
    Ok(map(members.iter().map(named).collect::<Result<_, String>>()?))
}

fn formed(form: Form, value: &Value) -> Result<Cbor, String> {
    let text = || value.as_str().ok_or_else(|| "not a text".to_owned());
    match form {
        Form::Same => Ok(to_cbor(value)),
        Form::Text => text().map(Cbor::from),
        Form::Seconds => value.as_i64().map(Cbor::from).ok_or_else(|| "not a number of seconds".to_owned()),
        Form::TextBytes => text().map(|text| Cbor::from(text.as_bytes())),
        Form::Bytes => bytes(value),
        Form::Status => {
            let text = text()?;
            let tier = STATUS.iter().find(|(_, name)| *name == text);
            tier.map(|(number, _)| Cbor::from(*number)).ok_or_else(|| "not a tier".to_owned())
        }
        Form::Vector => {
            let members = value.as_object().ok_or("not an object")?;
            let claim = |(number, claim): (i64, &TrustClaim)| {
                members.get(claim.as_str()).map(|value| (Cbor::from(number), to_cbor(value)))
            };
            Ok(Cbor::Map((0..).zip(&TrustClaim::ALL).filter_map(claim).collect()))
        }
        Form::PolicyIds => Ok(to_cbor(value)),
        Form::VerifierId => {
            let member = |(number, name): &(i64, &str)| {
                let text = value.get(*name).and_then(Value::as_str);
                text.map(|text| (Cbor::from(*number), Cbor::from(text))).ok_or(format!("no {name}"))
            };
            Ok(Cbor::Map(VERIFIER_ID.iter().map(member).collect::<Result<_, _>>()?))
        }
        Form::RawEvidence => match value.as_array().map(Vec::as_slice) {
            Some([media_type @ Value::String(_), content]) => {
                Ok(Cbor::Array(vec![to_cbor(media_type), bytes(content)?]))
            }
            Some(_) => Err("neither base64url nor [type, base64url]".to_owned()),
            None => bytes(value),
        },
        Form::KeyAttestation => {
            let members = value.as_object().ok_or("not an object")?;
            let member = |(name, value): (&String, &Value)| {
                let value = if name == AKPUB { bytes(value)? } else { to_cbor(value) };
                Ok((Cbor::from(name.as_str()), value))
            };
            Ok(map(members.iter().map(member).collect::<Result<_, String>>()?))
        }
        Form::Submods => {
            let members: &Map<String, Value> = value.as_object().ok_or("not an object")?;
            let member = |(name, value): (&String, &Value)| {
                let value = object(value, APPRAISAL).map_err(|why| format!("{}: {why}", shown(name)))?;
                Ok((Cbor::from(name.as_str()), value))
            };
            Ok(map(members.iter().map(member).collect::<Result<_, String>>()?))
        }
    }
}

fn bytes(value: &Value) -> Result<Cbor, String> {
    value.as_str().and_then(decode_either).map(Cbor::from).ok_or_else(|| "not base64url".to_owned())
}
