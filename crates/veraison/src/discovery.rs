//! The discovery document of a verification service.

use assay_token::{Jwk, VerifyingKey};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The media type of the document.
pub(crate) const DISCOVERY_MEDIA_TYPE: &str = "application/vnd.veraison.discovery+json";

/// Where it is, below the service.
pub(crate) const DISCOVERY_PATH: &str = ".well-known/veraison/verification";

/// The discovery document, as far as it matters here: `{"ear-verification-key": {JWK}, …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The key that verifies attestation results.
    pub ear_verification_key: Jwk,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    ear_verification_key: Option<Box<RawValue>>,
}

impl Discovery {
    /// Reads the JSON text of a document.
    ///
    /// # Errors
    /// What is wrong, in words; a key that verifies no signatures is wrong too.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let key = wire.ear_verification_key.ok_or("it has no ear-verification-key")?;
        let key = Jwk::from_json(key.get()).map_err(|error| format!("ear-verification-key: {error}"))?;
        VerifyingKey::new(&key).map_err(|error| format!("ear-verification-key: {error}"))?;
        Ok(Discovery { ear_verification_key: key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_token::{SigningAlgorithm, SigningKey};
    use serde_json::json;

    #[test]
    fn the_key_is_read_and_the_rest_is_not_looked_at() {
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let document = json!({
            "ear-verification-key": key.public_jwk(), "version": "1", "service-state": "READY",
            "media-types": [], "api-endpoints": {"newChallengeResponseSession": "/x"},
        });
        let read = Discovery::read(document.to_string().as_bytes()).unwrap();
        assert_eq!(&read.ear_verification_key, key.public_jwk());
    }

    #[test]
    fn bad_documents_say_what_is_wrong() {
        for (document, part) in [
            ("<html>", "expected value"),
            ("{}", "no ear-verification-key"),
            (r#"{"ear-verification-key":null}"#, "no ear-verification-key"),
            (r#"{"ear-verification-key":{"kty":"oct","k":"AAAA"}}"#, "oct"),
            (r#"{"ear-verification-key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}"#, "32 bytes"),
            (r#"{"ear-verification-key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}}"#, "private"),
        ] {
            let error = Discovery::read(document.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{document}: {error}");
        }
        // A point that is not on its curve.
        let ones = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let document = json!({"ear-verification-key": {"kty": "EC", "crv": "P-256", "x": ones, "y": ones}});
        assert!(Discovery::read(document.to_string().as_bytes()).unwrap_err().contains("not on P-256"));
    }
}
