//! Tokens and logins.

use std::collections::BTreeMap;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use axum::response::Response;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use super::answer::{auth, data, denied, failed, nothing};
use super::{Behaviour, DoubleSettings, Request};

/// A token.
struct Life {
    /// When it ends, if ever.
    ends: Option<i64>,
    /// What a renewal gives.
    lease: i64,
    /// When no renewal helps any more, if ever.
    last: Option<i64>,
    renewable: bool,
}

/// The tokens that are valid or were.
pub(super) struct Tokens(BTreeMap<String, Life>);

impl Tokens {
    pub(super) fn new(first: &str) -> Self {
        let life = Life { ends: None, lease: 0, last: None, renewable: false };
        Tokens(BTreeMap::from([(first.to_owned(), life)]))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn expire(&mut self, except: &str) {
        self.0.retain(|token, _| token == except);
    }

    pub(super) fn is_valid(&self, token: &str, now: i64) -> bool {
        self.0.get(token).is_some_and(|life| life.ends.is_none_or(|ends| now < ends))
    }

    pub(super) fn make(&mut self, seconds: i64, renewable: bool, now: i64) -> String {
        let mut random = [0; 24];
        // A double may do with a counter where there is no randomness.
        let _ = SystemRandom::new().fill(&mut random);
        let token = format!("hvs.{}{}", BASE64_URL_SAFE_NO_PAD.encode(random), self.0.len());
        let ends = (seconds > 0).then(|| now.saturating_add(seconds));
        self.0.insert(token.clone(), Life { ends, lease: seconds, last: None, renewable });
        token
    }

    /// The logins, which need no token.
    pub(super) fn login(
        &mut self,
        request: &Request<'_>,
        settings: &DoubleSettings,
        behaviour: &Behaviour,
    ) -> Option<Response> {
        let text = |member: &str| request.body.get(member).and_then(Value::as_str).unwrap_or_default();
        match request.path {
            "auth/approle/login" if request.writes() => {
                if (text("role_id"), text("secret_id")) != (&settings.role_id, &settings.secret_id) {
                    return Some(failed(400, "invalid role or secret ID"));
                }
            }
            "auth/kubernetes/login" if request.writes() => {
                if text("role") != settings.kubernetes_role {
                    return Some(failed(400, &format!("invalid role name {:?}", text("role"))));
                }
                if text("jwt") != settings.kubernetes_jwt {
                    return Some(denied(false));
                }
            }
            _ => return None,
        }
        let token = self.make(behaviour.lease_seconds, behaviour.renewable, request.now);
        if let Some(life) = self.0.get_mut(&token) {
            let longest = behaviour.longest_life_seconds;
            life.last = (longest > 0).then(|| request.now.saturating_add(longest));
        }
        Some(auth(self.shown(&token, request.now)))
    }

    /// What a token asks about itself.
    pub(super) fn own(&mut self, request: &Request<'_>, token: &str) -> Option<Response> {
        match request.path {
            "auth/token/lookup-self" => {
                let life = self.0.get(token)?;
                let ttl = life.ends.map_or(0, |ends| ends.saturating_sub(request.now));
                Some(data(json!({
                    "accessor": "accessor", "creation_ttl": life.lease, "display_name": "token", "entity_id": "",
                    "explicit_max_ttl": 0, "id": token, "meta": null, "num_uses": 0, "orphan": true, "path": "auth/token/create",
                    "policies": ["default", "assay"], "renewable": life.renewable, "ttl": ttl, "type": "service",
                })))
            }
            "auth/token/renew-self" if request.writes() => {
                let life = self.0.get_mut(token)?;
                if !life.renewable {
                    return Some(failed(400, "lease is not renewable"));
                }
                let ends = request.now.saturating_add(life.lease);
                life.ends = Some(life.last.map_or(ends, |last| ends.min(last)));
                Some(auth(self.shown(token, request.now)))
            }
            "auth/token/revoke-self" if request.writes() => {
                self.0.remove(token);
                Some(nothing())
            }
            _ => None,
        }
    }

    fn shown(&self, token: &str, now: i64) -> Value {
        let life = self.0.get(token);
        let left = life.and_then(|life| life.ends).map_or(0, |ends| ends.saturating_sub(now));
        json!({
            "client_token": token, "accessor": "accessor", "policies": ["default", "assay"],
            "token_policies": ["default", "assay"], "metadata": {}, "lease_duration": left,
            "renewable": life.is_some_and(|life| life.renewable), "entity_id": "", "token_type": "service",
            "orphan": true, "mfa_requirement": null, "num_uses": 0,
        })
    }
}
