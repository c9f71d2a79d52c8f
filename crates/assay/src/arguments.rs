//! Reading the small languages of the command line.

use std::path::Path;

use anyhow::Context as _;
use assay_types::{Digest, InitData};

use crate::output;

/// Hexadecimal bytes.
pub(crate) fn hex(text: &str) -> anyhow::Result<Vec<u8>> {
    hex::decode(text)
        .with_context(|| format!("{:?} is not hexadecimal", text.chars().take(80).collect::<String>()))
}

/// `field=value`.
pub(crate) fn field_value(text: &str) -> anyhow::Result<(String, String)> {
    let (field, value) = text.split_once('=').with_context(|| format!("{text:?} is not FIELD=VALUE"))?;
    Ok((field.trim().to_owned(), value.trim().to_owned()))
}

/// `30s`, `15m`, `2h`, `1d`: seconds.
pub(crate) fn duration(text: &str) -> anyhow::Result<i64> {
    let wrong = || format!("{text:?} is not a duration such as 30s, 15m, 2h or 1d");
    let unit = text.chars().last().with_context(wrong)?;
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => anyhow::bail!(wrong()),
    };
    let number: u32 = digits.parse().with_context(wrong)?;
    Ok(i64::from(number) * factor)
}

/// The digest of a file of init data.
pub(crate) fn init_data_digest(file: Option<&Path>) -> anyhow::Result<Option<Digest>> {
    file.map(|file| Ok(InitData::from_toml(&output::read_text(file)?)?.digest)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86_400)] {
            assert_eq!(duration(text).unwrap(), seconds);
        }
        for text in ["", "m", "15", "-1m", "15x", "99999999999h", "ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields() {
        assert_eq!(field_value("a.b=c=d").unwrap(), ("a.b".into(), "c=d".into()));
        assert!(field_value("a").is_err());
    }
}
