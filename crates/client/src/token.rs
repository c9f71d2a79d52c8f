//! The attestation token as the client holds it.

use std::fmt;
use std::sync::Arc;

use assay_types::UnixTime;
use serde_json::Value;
use zeroize::Zeroizing;

/// An attestation token: a JWT that says what the guest is. Whoever holds it can show it, so
/// [`Debug`] does not.
#[derive(Clone)]
pub struct Token {
    text: Arc<Zeroizing<String>>,
    id: Option<String>,
    expires: UnixTime,
    ends: UnixTime,
    lifetime: i64,
}

impl Token {
    /// Reads what the client must know of a token that was asked for at `asked`. The signature is not
    /// verified.
    ///
    /// # Errors
    /// In words, without any of the token's text.
    pub(crate) fn read(text: String, asked: UnixTime) -> Result<Self, String> {
        let text = Zeroizing::new(text);
        let (_, claims) =
            assay_token::decode_unverified(&text).map_err(|_| "the token is not a JWT".to_owned())?;
        let time = |name: &str| claims.get(name).and_then(seconds).map(UnixTime);
        let expires = time("exp").ok_or("the token has no expiry (claim exp)")?;
        // The guest's clock may be off, so the span counts from when the token was asked for. Only
        // where the token does not say when it began, its end is taken by the guest's clock.
        let lifetime = expires.0.saturating_sub(time("iat").unwrap_or(asked).0);
        if lifetime <= 0 {
            return Err(format!("the token ends at {expires}, before it begins; the time here is {asked}"));
        }
        let id = claims.get("jti").and_then(Value::as_str).map(str::to_owned);
        Ok(Token { text: Arc::new(text), id, expires, ends: asked.plus(lifetime), lifetime })
    }

    /// The token's text, a compact JWS.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The claim `jti`, by which an administrator can have the verdict explained.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The claim `exp`, by the server's clock.
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// When it ends by the guest's clock.
    pub(crate) fn ends(&self) -> UnixTime {
        self.ends
    }

    /// When it was asked for, by the guest's clock.
    pub(crate) fn asked(&self) -> UnixTime {
        self.ends.plus(self.lifetime.saturating_neg())
    }

    /// How long it is valid in all, in seconds; more than 0.
    pub(crate) fn lifetime(&self) -> i64 {
        self.lifetime
    }
}

/// A NumericDate (RFC 7519, 2) in whole seconds; one with a fraction is not taken for a time.
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}
