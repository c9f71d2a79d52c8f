//! When a document is valid.

use assay_cbor::Value;
use assay_types::{UnixTime, Validity};

use crate::CorimError;
use crate::environment::map;
use crate::member::{Members, Notes};
use crate::path::Path;

const TAG_EPOCH: u64 = 1;

/// Reads a `validity-map`; without `not-before` it begins in 1970.
pub(crate) fn read(value: &Value, path: &Path<'_>, notes: &mut Notes) -> Result<Validity, CorimError> {
    let members = Members::of(value, path)?;
    members.note_others(&[0, 1], notes);
    let not_after = members.must(1, "not-after")?;
    let validity = Validity {
        not_before: members.maybe(0, "not-before", time)?.unwrap_or(Validity::ALWAYS.not_before),
        not_after: time(not_after, &path.member("not-after"))?,
    };
    check(validity, path)
}

/// Refuses a validity that ends before it begins.
pub(crate) fn check(validity: Validity, path: &Path<'_>) -> Result<Validity, CorimError> {
    if validity.not_after < validity.not_before {
        return Err(CorimError::NeverValid { path: path.to_string(), validity });
    }
    Ok(validity)
}

pub(crate) fn to_value(validity: &Validity) -> Value {
    let time = |time: UnixTime| Some(Value::tagged(TAG_EPOCH, time.0));
    let begins = validity.not_before != Validity::ALWAYS.not_before;
    map([(0, if begins { time(validity.not_before) } else { None }), (1, time(validity.not_after))])
}

fn time(value: &Value, path: &Path<'_>) -> Result<UnixTime, CorimError> {
    match value {
        Value::Tag(TAG_EPOCH, content) => seconds(content, path),
        other => Err(CorimError::form(path, "a time (tag 1)", other.describe())),
    }
}

/// Whole seconds from 1970 to the end of the year 9999.
pub(crate) fn seconds(value: &Value, path: &Path<'_>) -> Result<UnixTime, CorimError> {
    let seconds = value.as_i64().filter(|seconds| (0..=UnixTime::MAX.0).contains(seconds));
    seconds.map(UnixTime).ok_or_else(|| {
        let expected = "whole seconds from 1970 to the end of the year 9999";
        let found = match value {
            Value::Unsigned(_) | Value::Negative(_) => assay_cbor::diagnostic(value),
            other => other.describe(),
        };
        CorimError::form(path, expected, found)
    })
}
