//! Who is asking, and whether its roles may.

use assay_access::{Caller, Role, bearer};
use assay_listener::Connection;
use http::{Extensions, HeaderMap, header};

use super::{FaceError, Faces};
use crate::rate_limit::{AddressLimiter, client_address};

/// Something to do, and the roles that may; the role `admin` may do all.
pub(crate) struct Right {
    roles: &'static [Role],
    action: &'static str,
}

impl Right {
    /// To have evidence evaluated, and to get challenges.
    pub(crate) const EVALUATE: Right = Right { roles: &[Role::Evaluator], action: "have evidence evaluated" };
    /// To set policies.
    pub(crate) const SET_POLICY: Right =
        Right { roles: &[Role::PolicyWriter], action: "set attestation policies" };
    /// To read policies.
    pub(crate) const READ_POLICY: Right =
        Right { roles: &[Role::PolicyWriter, Role::Auditor], action: "read attestation policies" };
}

impl Faces {
    /// The caller, if it has the right.
    pub(crate) fn allow(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        right: &Right,
    ) -> Result<Caller, FaceError> {
        let client = extensions.get::<Connection>().and_then(|connection| connection.client.clone());
        let now = self.inner.clock.now();
        let caller = self.inner.authority.identify(bearer(headers), client.as_deref(), now)?;
        caller.require(right.roles, right.action)?;
        Ok(caller)
    }

    /// Whether the request comes from a guest: it shows no credentials at all, and guests are let in. Each of
    /// their calls is counted by `limiter`.
    pub(crate) fn is_guest(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        limiter: Option<&AddressLimiter>,
    ) -> Result<bool, FaceError> {
        let connection = extensions.get::<Connection>();
        let client = connection.is_some_and(|connection| connection.client.is_some());
        let settings = &self.inner.settings;
        if !settings.guests || client || headers.contains_key(header::AUTHORIZATION) {
            return Ok(false);
        }
        if let Some(limiter) = limiter {
            let peer = connection.map(|connection| connection.peer.ip());
            let address = client_address(peer, headers, &settings.trusted_proxies);
            limiter.check(address).map_err(|retry_after| FaceError::RateLimited { retry_after })?;
        }
        Ok(true)
    }
}
