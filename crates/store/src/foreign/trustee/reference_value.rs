//! How Trustee's RVPS stores a reference value.

use assay_types::UnixTime;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A reference value as Trustee's RVPS stores it: `{"version","name","expiration","value"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrusteeReferenceValue {
    /// Its name.
    pub name: String,
    /// When it ends. Trustee notes it, and goes on using the value.
    pub expiration: UnixTime,
    /// The JSON text of the value, as it stands there: it is valid JSON, and not looked at otherwise.
    pub value: String,
}

/// Why a stored value is not such a reference value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAReferenceValue {
    /// It is not JSON of that form.
    #[error("it is not a reference value as Trustee stores them: {detail}")]
    Form {
        /// Where, and why.
        detail: String,
    },
    /// It is of the form that Trustee stored before 2025: digests, without a value.
    #[error("it is of the form with `hash-value` that Trustee stored formerly; it has no value to take")]
    HashValue,
    /// Its expiration is no time.
    #[error("its expiration is not a time of RFC 3339")]
    Expiration,
}

#[derive(Deserialize)]
struct Stored<'a> {
    name: String,
    #[serde(default)]
    expiration: Option<String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "hash-value")]
    hash_value: Option<&'a RawValue>,
}

impl TrusteeReferenceValue {
    /// Reads what is stored under a name. Members that are not named above are passed over, as Trustee does.
    ///
    /// # Errors
    /// [`NotAReferenceValue`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAReferenceValue> {
        let stored: Stored<'_> = serde_json::from_slice(bytes)
            .map_err(|error| NotAReferenceValue::Form { detail: error.to_string() })?;
        if stored.hash_value.is_some() && stored.value.is_none() {
            return Err(NotAReferenceValue::HashValue);
        }
        let missing =
            |name: &str| NotAReferenceValue::Form { detail: format!("the member `{name}` is missing") };
        let expiration = stored.expiration.ok_or_else(|| missing("expiration"))?;
        let expiration = UnixTime::parse_rfc3339(&expiration).map_err(|_| NotAReferenceValue::Expiration)?;
        // A value of null is one, and reads as `None` above.
        let value = match stored.value {
            Some(value) => value.get().to_owned(),
            None if has_member(bytes, "value") => "null".to_owned(),
            None => return Err(missing("value")),
        };
        Ok(TrusteeReferenceValue { name: stored.name, expiration, value })
    }
}

fn has_member(object: &[u8], name: &str) -> bool {
    let members: Result<std::collections::HashMap<String, &RawValue>, _> = serde_json::from_slice(object);
    members.is_ok_and(|members| members.contains_key(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<TrusteeReferenceValue, String> {
        TrusteeReferenceValue::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_form_of_today() {
        let text = r#"{"version":"0.1.0","name":"svn","expiration":"2027-08-21T10:05:00.123456789Z","value":["1", 2]}"#;
        let read = parse(text).unwrap();
        assert_eq!(read.name, "svn");
        assert_eq!(read.expiration.to_string(), "2027-08-21T10:05:00Z");
        assert_eq!(read.value, r#"["1", 2]"#);
        let null = r#"{"name":"n","expiration":"2027-08-21T10:05:00+02:00","value":null,"more":1}"#;
        assert_eq!(parse(null).unwrap().value, "null");
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let deep =
            format!(r#"{{"name":"n","expiration":"2027-08-21T10:05:00Z","value":{}"#, "[".repeat(100_000));
        for (text, why) in [
            ("", "not a reference value"),
            ("[]", "not a reference value"),
            (r#"{"expiration":"2027-08-21T10:05:00Z","value":1}"#, "name"),
            (r#"{"name":"n","value":1}"#, "`expiration` is missing"),
            (r#"{"name":"n","expiration":"2027-08-21T10:05:00Z"}"#, "`value` is missing"),
            (r#"{"name":"n","expiration":"tomorrow","value":1}"#, "RFC 3339"),
            (r#"{"name":"n","expired":"2027-08-21T10:05:00Z","hash-value":[]}"#, "formerly"),
            (r#"{"name":"n","name":"m","expiration":"2027-08-21T10:05:00Z","value":1}"#, "duplicate"),
            (&deep, "not a reference value"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text:.80}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            let _ = TrusteeReferenceValue::parse(&bytes);
        }
    }
}
