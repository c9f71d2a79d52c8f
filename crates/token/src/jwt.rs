//! The registered claims of JWT (RFC 7519, section 4.1).

use serde_json::{Map, Value};

use assay_types::UnixTime;

use crate::TokenError;
use crate::error::shown;

/// What the registered claims of a token must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRules {
    /// `iss` must be this; anything, when `None`.
    pub issuer: Option<String>,
    /// `aud` must be or hold this. When `None`, a token that has an audience is meant for someone
    /// else and refused (RFC 7519, 4.1.3).
    pub audience: Option<String>,
    /// How far the clocks of issuer and verifier may differ, in seconds.
    pub leeway_seconds: u32,
}

/// When a token was issued, begins and ends, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// `exp`.
    pub expires: UnixTime,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
    /// `iat`.
    pub issued_at: Option<UnixTime>,
}

impl ClaimRules {
    /// Checks the registered claims at the time `now`. `exp` must be there; `nbf` and `iat` count
    /// when they are.
    ///
    /// # Errors
    /// [`TokenError::MissingClaim`], [`TokenError::Claims`] for a wrong type,
    /// [`TokenError::Expired`], [`TokenError::NotYetValid`], [`TokenError::IssuedInTheFuture`],
    /// [`TokenError::WrongIssuer`], [`TokenError::WrongAudience`].
    pub fn check(&self, claims: &Map<String, Value>, now: UnixTime) -> Result<Times, TokenError> {
        let leeway = i64::from(self.leeway_seconds);
        let expires = numeric_date(claims, "exp")?.ok_or(TokenError::MissingClaim { claim: "exp" })?;
        let not_before = numeric_date(claims, "nbf")?;
        let issued_at = numeric_date(claims, "iat")?;
        // "on or after which the JWT MUST NOT be accepted"
        if now >= expires.plus(leeway) {
            return Err(TokenError::Expired { exp: expires, now });
        }
        if let Some(nbf) = not_before.filter(|nbf| now.plus(leeway) < *nbf) {
            return Err(TokenError::NotYetValid { nbf, now });
        }
        if let Some(iat) = issued_at.filter(|iat| now.plus(leeway) < *iat) {
            return Err(TokenError::IssuedInTheFuture { iat, now });
        }
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        Ok(Times { expires, not_before, issued_at })
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let found = text(claims, "iss")?;
        let Some(expected) = self.issuer.as_deref() else { return Ok(()) };
        let found = found.ok_or(TokenError::MissingClaim { claim: "iss" })?;
        if found == expected {
            return Ok(());
        }
        Err(TokenError::WrongIssuer { expected: expected.to_owned(), found: shown(found) })
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let not_text = || TokenError::Claims { why: "aud is neither text nor a list of texts".to_owned() };
        let audiences: Vec<&str> = match claims.get("aud") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => {
                all.iter().map(|v| v.as_str().ok_or_else(not_text)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(not_text()),
        };
        match self.audience.as_deref() {
            None if claims.contains_key("aud") => {}
            None => return Ok(()),
            Some(_) if audiences.is_empty() => return Err(TokenError::MissingClaim { claim: "aud" }),
            Some(own) if audiences.contains(&own) => return Ok(()),
            Some(_) => {}
        }
        Err(TokenError::WrongAudience {
            expected: self.audience.clone().unwrap_or_default(),
            found: shown(&audiences.join(",")),
        })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Claims { why: format!("{name} is not text") }),
    }
}

/// A NumericDate (RFC 7519, section 2); fractions of a second are cut off.
fn numeric_date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<UnixTime>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // Display writes every digit, never an exponent; what is out of range does not parse.
            let text = number.as_f64()?.to_string();
            text.split('.').next()?.parse().ok()
        }),
        _ => None,
    };
    match seconds {
        Some(seconds) => Ok(Some(UnixTime(seconds))),
        None => Err(TokenError::Claims { why: format!("{name} is not a number of seconds") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: UnixTime = UnixTime(1_000);

    fn check(rules: &ClaimRules, claims: Value) -> Result<Times, TokenError> {
        rules.check(claims.as_object().unwrap(), NOW)
    }

    #[test]
    fn times_count_to_the_second() {
        let none = ClaimRules::default();
        assert!(check(&none, json!({ "exp": 1_001, "nbf": 1_000, "iat": 1_000 })).is_ok());
        assert_eq!(
            check(&none, json!({ "exp": 1_000 })),
            Err(TokenError::Expired { exp: UnixTime(1_000), now: NOW })
        );
        assert_eq!(
            check(&none, json!({ "exp": 2_000, "nbf": 1_001 })),
            Err(TokenError::NotYetValid { nbf: UnixTime(1_001), now: NOW })
        );
        assert_eq!(
            check(&none, json!({ "exp": 2_000, "iat": 1_001 })),
            Err(TokenError::IssuedInTheFuture { iat: UnixTime(1_001), now: NOW })
        );
    }

    #[test]
    fn the_leeway_moves_each_border() {
        let rules = ClaimRules { leeway_seconds: 60, ..ClaimRules::default() };
        assert!(check(&rules, json!({ "exp": 941, "nbf": 1_060, "iat": 1_060 })).is_ok());
        assert!(check(&rules, json!({ "exp": 940 })).is_err());
        assert!(check(&rules, json!({ "exp": 941, "nbf": 1_061 })).is_err());
        assert!(check(&rules, json!({ "exp": 941, "iat": 1_061 })).is_err());
    }

    #[test]
    fn dates_may_have_fractions_but_nothing_else() {
        let none = ClaimRules::default();
        let times = check(&none, json!({ "exp": 1_001.9, "nbf": 1_000.5 })).unwrap();
        assert_eq!(times.expires, UnixTime(1_001));
        assert!(check(&none, json!({ "exp": i64::MAX })).is_ok());
        for exp in [json!("2000"), json!(null), json!([2_000]), json!(u64::MAX), json!(1e300)] {
            let error = check(&none, json!({ "exp": exp })).unwrap_err();
            assert!(matches!(error, TokenError::Claims { .. }), "{exp}: {error}");
        }
        assert_eq!(check(&none, json!({})), Err(TokenError::MissingClaim { claim: "exp" }));
    }

    #[test]
    fn a_pinned_issuer_must_be_the_one() {
        let rules = ClaimRules { issuer: Some("a".into()), ..ClaimRules::default() };
        assert!(check(&rules, json!({ "exp": 2_000, "iss": "a" })).is_ok());
        assert_eq!(
            check(&rules, json!({ "exp": 2_000, "iss": "b" })),
            Err(TokenError::WrongIssuer { expected: "a".into(), found: "b".into() })
        );
        assert_eq!(check(&rules, json!({ "exp": 2_000 })), Err(TokenError::MissingClaim { claim: "iss" }));
        assert!(check(&ClaimRules::default(), json!({ "exp": 2_000, "iss": 3 })).is_err());
    }

    #[test]
    fn a_token_for_another_audience_is_refused() {
        let rules = ClaimRules { audience: Some("kbs".into()), ..ClaimRules::default() };
        assert!(check(&rules, json!({ "exp": 2_000, "aud": "kbs" })).is_ok());
        assert!(check(&rules, json!({ "exp": 2_000, "aud": ["x", "kbs"] })).is_ok());
        assert_eq!(
            check(&rules, json!({ "exp": 2_000, "aud": ["x", "y"] })),
            Err(TokenError::WrongAudience { expected: "kbs".into(), found: "x,y".into() })
        );
        assert_eq!(
            check(&rules, json!({ "exp": 2_000, "aud": [] })),
            Err(TokenError::MissingClaim { claim: "aud" })
        );
        assert!(matches!(
            check(&rules, json!({ "exp": 2_000, "aud": ["kbs", 1] })),
            Err(TokenError::Claims { .. })
        ));
        // A verifier without a name of its own is nobody's audience.
        for aud in [json!("kbs"), json!([])] {
            assert!(matches!(
                check(&ClaimRules::default(), json!({ "exp": 2_000, "aud": aud })),
                Err(TokenError::WrongAudience { .. })
            ));
        }
    }
}
