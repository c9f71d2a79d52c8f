//! What commands say of a piece of collateral: a row of a table, or a JSON object.

use assay_types::{CollateralRequest, Digest, ServedCollateral, UnixTime, Validity, Vendor};
use serde_json::{Value, json};

/// A piece of collateral as it is shown.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) vendor: Vendor,
    pub(super) key: String,
    /// SHA-256 of the body; not known where the piece is not at hand.
    pub(super) digest: Option<Digest>,
    pub(super) fetched: UnixTime,
    pub(super) validity: Option<Validity>,
    /// Where it came from.
    pub(super) origin: String,
    /// Why it is not genuine.
    pub(super) refused: Option<String>,
}

impl Row {
    /// A row for the answer to a request.
    pub(super) fn new(request: &CollateralRequest, bytes: &[u8], fetched: UnixTime) -> Self {
        Row {
            name: request.description.clone(),
            vendor: request.vendor,
            key: request.cache_key.clone(),
            digest: Some(body_digest(bytes)),
            fetched,
            validity: None,
            origin: String::new(),
            refused: None,
        }
    }

    /// `valid`, `expired`, `not yet valid`, `not inspected` or `not genuine`.
    pub(super) fn state(&self, now: UnixTime) -> &'static str {
        match (&self.refused, self.validity) {
            (Some(_), _) => "not genuine",
            (None, None) => "not inspected",
            (None, Some(validity)) if validity.not_after < now => "expired",
            (None, Some(validity)) if now < validity.not_before => "not yet valid",
            (None, Some(_)) => "valid",
        }
    }

    pub(super) fn json(&self, now: UnixTime) -> Value {
        json!({
            "name": self.name,
            "vendor": self.vendor,
            "key": self.key,
            "digest": self.digest,
            "fetched": self.fetched.to_string(),
            "issued": self.validity.map(|validity| validity.not_before.to_string()),
            "next_update": self.validity.map(|validity| validity.not_after.to_string()),
            "origin": self.origin,
            "state": self.state(now),
            "refused": self.refused,
        })
    }
}

/// The SHA-256 of what the vendor served: of the body, where its issuer chain is kept with it.
fn body_digest(bytes: &[u8]) -> Digest {
    match ServedCollateral::from_bytes(bytes) {
        Some(served) => Digest::sha256(&served.body),
        None => Digest::sha256(bytes),
    }
}

/// The rows for people, two lines each.
pub(super) fn text(rows: &[Row], now: UnixTime) -> String {
    let mut out = String::new();
    for row in rows {
        let state = row.state(now);
        let mark = if matches!(state, "valid" | "not inspected") { "✓" } else { "✗" };
        out.push_str(&format!("{mark} {:<14} {}\n", state, row.name));
        let span = row.validity.map_or_else(
            || format!("fetched {}", row.fetched),
            |validity| format!("issued {}, next update {}", validity.not_before, validity.not_after),
        );
        out.push_str(&format!("  {:<14} {span}\n", ""));
        if let Some(digest) = &row.digest {
            out.push_str(&format!("  {:<14} {digest}\n", ""));
        }
        if let Some(why) = &row.refused {
            out.push_str(&format!("  {:<14} {why}\n", ""));
        }
    }
    if rows.is_empty() {
        out.push_str("nothing\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(validity: Option<Validity>, refused: Option<&str>) -> Row {
        Row {
            name: "CRL".into(),
            vendor: Vendor::Intel,
            key: "crl".into(),
            digest: None,
            fetched: UnixTime(5),
            validity,
            origin: String::new(),
            refused: refused.map(str::to_owned),
        }
    }

    #[test]
    fn states_at_their_borders() {
        let validity = Some(Validity { not_before: UnixTime(10), not_after: UnixTime(20) });
        for (now, state) in [(9, "not yet valid"), (10, "valid"), (20, "valid"), (21, "expired")] {
            assert_eq!(row(validity, None).state(UnixTime(now)), state);
        }
        assert_eq!(row(None, None).state(UnixTime(1)), "not inspected");
        assert_eq!(row(validity, Some("forged")).state(UnixTime(15)), "not genuine");
        let shown = text(&[row(validity, Some("forged"))], UnixTime(15));
        assert!(shown.starts_with('✗') && shown.contains("forged"), "{shown}");
    }

    #[test]
    fn the_digest_is_that_of_the_body() {
        let served = ServedCollateral { issuer_chain: "chain".into(), body: b"body".to_vec() };
        assert_eq!(body_digest(&served.to_bytes()), Digest::sha256(b"body"));
        assert_eq!(body_digest(b"der"), Digest::sha256(b"der"));
    }
}
