//! The body of a challenge-response session.

use std::fmt;

use serde::Deserialize;

use crate::MediaType;
use crate::base64_text;

/// The media type of a session's body.
pub const SESSION_MEDIA_TYPE: &str = "application/vnd.veraison.challenge-response-session+json";

/// The most media types that a session may list.
const MAX_ACCEPT: usize = 256;

/// How far the service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// For evidence.
    Waiting,
    /// Evidence was taken; there is no result yet.
    Processing,
    /// There is a result.
    Complete,
    /// There will be none.
    Failed,
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SessionStatus::Waiting => "waiting",
            SessionStatus::Processing => "processing",
            SessionStatus::Complete => "complete",
            SessionStatus::Failed => "failed",
        })
    }
}

/// A session, as far as it matters here:
/// `{"nonce": base64, "accept": [media types], "status": "waiting", "result": "<EAR>"}`.
/// Other members (`expiry`, `evidence`) are not looked at: the service keeps its own time.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The nonce, 8 to 64 bytes.
    pub nonce: Vec<u8>,
    /// The media types that it takes, as they came.
    pub accept: Vec<String>,
    /// How far it is.
    pub status: SessionStatus,
    /// The attestation result, a compact JWS.
    pub result: Option<String>,
}

impl fmt::Debug for Session {
    /// Without the result: it is a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("nonce", &hex::encode(&self.nonce))
            .field("accept", &self.accept)
            .field("status", &self.status)
            .field("result", &self.result.as_ref().map(String::len))
            .finish()
    }
}

#[derive(Deserialize)]
struct Wire {
    nonce: String,
    #[serde(default)]
    accept: Option<Vec<String>>,
    status: SessionStatus,
    #[serde(default)]
    result: Option<String>,
}

impl Session {
    /// Reads the JSON text of a session. The nonce may be in either alphabet of base64, padded or
    /// not: the API's description and its code differ.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let nonce = base64_text::decode(&wire.nonce).ok_or("the nonce is not base64")?;
        if !(8..=64).contains(&nonce.len()) {
            return Err(format!("the nonce has {} bytes; 8 to 64 are allowed", nonce.len()));
        }
        let accept = wire.accept.unwrap_or_default();
        if accept.len() > MAX_ACCEPT {
            return Err(format!("{} media types in accept; at most {MAX_ACCEPT} are read", accept.len()));
        }
        Ok(Session { nonce, accept, status: wire.status, result: wire.result })
    }

    /// Whether the session takes evidence of that type.
    pub fn accepts(&self, media_type: &MediaType) -> bool {
        self.accept.iter().any(|text| MediaType::read(text).as_ref() == Some(media_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_as_veraison_writes_it_is_read() {
        let body = r#"{
            "nonce": "mVubqtg3Wa5GSrx3L/2B99cQU2bMQFVYUI9aTmDYi64=",
            "expiry": "2026-07-13T13:50:24.520525+01:00",
            "accept": ["application/eat-collection;profile=http://arm.com/CCA-SSD/1.0.0"],
            "status": "waiting"
        }"#;
        let session = Session::read(body.as_bytes()).unwrap();
        assert_eq!(session.nonce.len(), 32);
        assert_eq!((session.status, session.result.as_ref()), (SessionStatus::Waiting, None));
        assert!(session.accepts(&MediaType::read(crate::CCA_MEDIA_TYPE).unwrap()));
        assert!(!session.accepts(&MediaType::read("application/eat-collection").unwrap()));
    }

    #[test]
    fn the_result_does_not_show_in_debug() {
        let body = r#"{"nonce":"AAAAAAAAAAA","status":"complete","result":"secret.secret.secret"}"#;
        let session = Session::read(body.as_bytes()).unwrap();
        assert!(!format!("{session:?}").contains("secret"));
    }

    #[test]
    fn bad_bodies_say_what_is_wrong() {
        let many =
            format!(r#"{{"nonce":"AAAAAAAAAAA","status":"waiting","accept":[{}""]}}"#, "\"\",".repeat(300));
        for (body, part) in [
            ("", "EOF"),
            ("[]", "invalid length"),
            ("{}", "nonce"),
            (r#"{"nonce":"AAAAAAAAAAA","state":"waiting"}"#, "status"),
            (r#"{"nonce":"AAAAAAAAAAA","status":"done"}"#, "done"),
            (r#"{"nonce":"AAAAAAAAAAA","nonce":"AAAAAAAAAAA","status":"waiting"}"#, "duplicate"),
            (r#"{"nonce":"A A","status":"waiting"}"#, "base64"),
            (r#"{"nonce":"AAAA","status":"waiting"}"#, "3 bytes"),
            (r#"{"nonce":"AAAAAAAAAAA","status":"waiting"} x"#, "trailing"),
            (&many, "301"),
        ] {
            let error = Session::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{body}: {error}");
        }
    }
}
