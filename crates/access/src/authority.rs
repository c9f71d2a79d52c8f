//! Who a caller is: by a bearer token that an admin key has signed, or by a client certificate.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use assay_token::{TokenError, TokenVerifier, TrustedKeys};
use assay_types::UnixTime;
use serde_json::Value;

use crate::admin_keys::PublicKeys;
use crate::client_rule::roles_of;
use crate::{
    ADMIN_ISSUER, AccessError, AdminKeys, ClientRule, ClientRuleError, MAX_ADMIN_TOKEN_SECONDS, Role,
};

/// The audience of admin tokens unless another is set.
pub const DEFAULT_AUDIENCE: &str = "assay-kbs";

/// How far the clocks of the administrator's machine and the server may differ, in seconds.
const LEEWAY: u32 = 30;

/// Identifies callers.
pub struct Authority {
    keys: Arc<AdminKeys>,
    audience: String,
    /// `None` until the first token comes.
    verifier: ArcSwapOption<Verifier>,
    clients: ArcSwap<Vec<ClientRule>>,
}

/// The verifier of tokens under the keys of one moment.
struct Verifier {
    keys: Arc<PublicKeys>,
    verifier: TokenVerifier,
}

/// Who was identified, and the roles it has. Only an [`Authority`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    name: String,
    roles: Vec<Role>,
}

impl Caller {
    /// For the log: `token <jti>`, or `certificate <name>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The roles it has by its token or by the rules for its certificate.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether it may do what `role` may. [`Role::Admin`] may do everything.
    pub fn has(&self, role: Role) -> bool {
        self.roles.iter().any(|own| *own == Role::Admin || *own == role)
    }

    /// Whether it may do what any of `roles` may; if not, what it may not (`action`, such as `set
    /// policies`) stands in the error. [`Role::Admin`] may do everything, also where nobody else may.
    ///
    /// # Errors
    /// [`AccessError::Forbidden`].
    pub fn require(&self, roles: &[Role], action: &str) -> Result<(), AccessError> {
        if self.has(Role::Admin) || roles.iter().any(|role| self.has(*role)) {
            return Ok(());
        }
        Err(AccessError::forbidden(self, action))
    }
}

impl Authority {
    /// Trusts the tokens of `keys` that are meant for `audience` ([`DEFAULT_AUDIENCE`] unless configured
    /// otherwise), and gives client certificates the roles that the rules name; none without a rule.
    ///
    /// # Errors
    /// [`ClientRuleError`].
    pub fn new(
        keys: Arc<AdminKeys>,
        audience: &str,
        clients: Vec<ClientRule>,
    ) -> Result<Self, ClientRuleError> {
        ClientRule::check(&clients)?;
        Ok(Authority {
            keys,
            audience: audience.to_owned(),
            verifier: ArcSwapOption::empty(),
            clients: ArcSwap::from_pointee(clients),
        })
    }

    /// The admin keys.
    pub fn keys(&self) -> &Arc<AdminKeys> {
        &self.keys
    }

    /// The audience that admin tokens must have.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Puts other rules for client certificates in force.
    ///
    /// # Errors
    /// [`ClientRuleError`]; the rules that were in force stay then.
    pub fn set_clients(&self, clients: Vec<ClientRule>) -> Result<(), ClientRuleError> {
        ClientRule::check(&clients)?;
        self.clients.store(Arc::new(clients));
        Ok(())
    }

    /// Who sent a request with this `bearer` token ([`bearer`](crate::bearer) finds it), over a
    /// connection whose `client` certificate (DER) TLS has verified. A token counts alone: with one that
    /// does not hold, the certificate does not help.
    ///
    /// # Errors
    /// [`AccessError`]. None of them says anything of the keys or the rules.
    pub fn identify(
        &self,
        bearer: Option<&str>,
        client: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<Caller, AccessError> {
        match (bearer, client) {
            (Some(token), _) => self.by_token(token, now),
            (None, Some(certificate)) => {
                let (name, roles) = roles_of(&self.clients.load(), certificate)?;
                Ok(Caller { name: format!("certificate {name}"), roles })
            }
            (None, None) => Err(AccessError::NoCredentials),
        }
    }

    fn by_token(&self, token: &str, now: UnixTime) -> Result<Caller, AccessError> {
        let verifier = self.verifier()?;
        let verified = verifier.verifier.verify(token, now).map_err(AccessError::Token)?;
        if !verifier.keys.accepts(&verified.kid, now) {
            return Err(AccessError::Token(TokenError::UnknownKey { kid: verified.kid }));
        }
        match verified.issued_at {
            Some(issued) if verified.expires <= issued.plus(MAX_ADMIN_TOKEN_SECONDS) => {}
            _ => return Err(AccessError::Lifetime { limit: MAX_ADMIN_TOKEN_SECONDS }),
        }
        let claim = |name| verified.claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let role = claim("role").parse().map_err(|_| AccessError::UnknownRole { known: Role::names() })?;
        let id: String = claim("jti").chars().filter(|c| !c.is_control()).take(64).collect();
        Ok(Caller { name: format!("token {id}"), roles: vec![role] })
    }

    /// The verifier under the keys that are in force now.
    fn verifier(&self) -> Result<Arc<Verifier>, AccessError> {
        let keys = self.keys.public();
        let current = self.verifier.load_full().filter(|current| Arc::ptr_eq(&current.keys, &keys));
        if let Some(current) = current {
            return Ok(current);
        }
        let verifier = TokenVerifier::new(TrustedKeys {
            jwks: keys.jwks(),
            certificates: Vec::new(),
            issuer: Some(ADMIN_ISSUER.to_owned()),
            audience: Some(self.audience.clone()),
            leeway_seconds: LEEWAY,
        })
        .map_err(AccessError::Keys)?;
        let fresh = Arc::new(Verifier { keys, verifier });
        self.verifier.store(Some(Arc::clone(&fresh)));
        Ok(fresh)
    }
}
