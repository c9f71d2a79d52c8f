//! Who may do what: the admin token, checked against the table of endpoints.

use assay_token::{JwkSet, TokenError, TokenVerifier, TrustedKeys};
use assay_types::UnixTime;
use serde_json::Value;

use super::{ADMIN_ISSUER, AdminKey, MAX_ADMIN_TOKEN_SECONDS, Role};
use crate::RequestError;

/// How far the clocks of the administrator's machine and the server may differ, in seconds.
const LEEWAY: u32 = 30;

/// Verifies admin tokens.
pub(crate) struct AdminVerifier {
    verifier: TokenVerifier,
}

/// The holder of an admin token that holds.
pub(crate) struct Caller {
    /// The role.
    pub(crate) role: Role,
    /// The token's id, for the log.
    pub(crate) token_id: String,
}

impl AdminVerifier {
    /// Trusts the tokens of `key` that are meant for `audience`.
    pub(crate) fn new(key: &AdminKey, audience: &str) -> Result<Self, TokenError> {
        let verifier = TokenVerifier::new(TrustedKeys {
            jwks: JwkSet { keys: vec![key.public_jwk().clone()] },
            certificates: Vec::new(),
            issuer: Some(ADMIN_ISSUER.to_owned()),
            audience: Some(audience.to_owned()),
            leeway_seconds: LEEWAY,
        })?;
        Ok(AdminVerifier { verifier })
    }

    /// The role and id in a token that holds.
    pub(crate) fn verify(&self, token: &str, now: UnixTime) -> Result<Caller, RequestError> {
        let verified = self.verifier.verify(token, now).map_err(RequestError::AdminToken)?;
        let lifetime = RequestError::AdminTokenLifetime { limit: MAX_ADMIN_TOKEN_SECONDS };
        match verified.issued_at {
            Some(issued) if verified.expires <= issued.plus(MAX_ADMIN_TOKEN_SECONDS) => {}
            _ => return Err(lifetime),
        }
        let claim = |name| verified.claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let role = claim("role").parse().map_err(|_| RequestError::UnknownRole { known: Role::names() })?;
        Ok(Caller { role, token_id: RequestError::shown(claim("jti")) })
    }
}

impl Caller {
    /// The name in the audit log.
    pub(crate) fn name(&self) -> String {
        format!("token {}", self.token_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::Coded as _;
    use serde_json::json;

    const NOW: UnixTime = UnixTime(1_000_000);

    fn refused(key: &AdminKey, token: &str) -> &'static str {
        AdminVerifier::new(key, "here").unwrap().verify(token, NOW).err().map_or("", |error| error.code())
    }

    fn good() -> Value {
        json!({"iss": ADMIN_ISSUER, "aud": "here", "iat": NOW.0, "exp": NOW.0 + 60, "role": "admin", "jti": "x"})
    }

    #[test]
    fn each_claim_counts() {
        let key = AdminKey::generate().unwrap();
        let token = key.mint(Role::Auditor, 60, "here", NOW).unwrap();
        let found = AdminVerifier::new(&key, "here").unwrap().verify(&token, NOW).unwrap();
        assert_eq!(found.role, Role::Auditor);
        assert_eq!(refused(&key, &key.sign(&good()).unwrap()), "");
        for (name, value) in [
            ("iss", json!("CoCo-Attestation-Service")),
            ("aud", json!("elsewhere")),
            ("aud", Value::Null),
            ("iat", Value::Null),
            ("iat", json!(NOW.0 + 60 - MAX_ADMIN_TOKEN_SECONDS - 1)),
            ("exp", json!(NOW.0 - 31)),
            ("exp", Value::Null),
            ("nbf", json!(NOW.0 + 31)),
            ("role", json!("root")),
            ("role", json!(["admin"])),
            ("role", Value::Null),
        ] {
            let mut claims = good();
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                ref value => claims.as_object_mut().unwrap().insert(name.to_owned(), value.clone()),
            };
            assert_ne!(refused(&key, &key.sign(&claims).unwrap()), "", "{name}: {value}");
        }
    }

    #[test]
    fn another_key_is_refused() {
        let key = AdminKey::generate().unwrap();
        let other = AdminKey::generate().unwrap();
        assert_eq!(refused(&key, &other.mint(Role::Admin, 60, "here", NOW).unwrap()), "KBS-027");
    }
}
