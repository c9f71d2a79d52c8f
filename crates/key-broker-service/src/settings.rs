//! What can be set.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::StartError;
use crate::limits::Rate;

/// The settings of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a challenge, and the session it becomes, is valid, in seconds.
    pub session_seconds: i64,
    /// How long a verdict is kept after its token and session have ended, in seconds.
    pub verdict_seconds: i64,
    /// The attestation policies that judge, without class; `default` when empty.
    pub attestation_policies: Vec<String>,
    /// Whether the attestation service's own interface, `/challenge` and `/attestation`, is open.
    pub attestation_api: bool,
    /// The largest body of `auth`, in bytes.
    pub auth_body_bytes: usize,
    /// How long a challenge-response session (Veraison's interface) is valid, in seconds.
    pub challenge_response_seconds: i64,
    /// The greatest number of challenge-response sessions that are open at a time.
    pub challenge_response_sessions: u64,
    /// The largest evidence of a challenge-response session, in bytes.
    pub evidence_bytes: usize,
    /// The largest body of every other request, in bytes.
    pub body_bytes: usize,
    /// The largest header, request line included, in bytes; at least 8192.
    pub header_bytes: usize,
    /// How long a header may take to arrive; a connection without a request is closed after it too.
    pub header_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take altogether.
    pub request_timeout: Duration,
    /// The greatest number of connections at a time; others wait in the system's queue.
    pub connections: usize,
    /// How long requests under way may take after the shutdown began.
    pub drain: Duration,
    /// How often one client address may call `auth`; without limit when `None`.
    pub auth_rate: Option<Rate>,
    /// How often one client address may call `attest`; without limit when `None`.
    pub attest_rate: Option<Rate>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The address that clients use (`https://kbs.example.org`), for OpenID discovery. The request's
    /// `Host` when `None`.
    pub public_url: Option<String>,
    /// How long to wait between two rounds of housekeeping.
    pub housekeeping_interval: Duration,
}

impl Settings {
    /// What types do not say.
    ///
    /// # Errors
    /// [`StartError::Setting`].
    pub fn check(&self) -> Result<(), StartError> {
        let wrong = |name, why| Err(StartError::Setting { name, why });
        if !(1..=86_400).contains(&self.session_seconds) {
            return wrong("session_seconds", "must be 1 to 86400");
        }
        if !(0..=86_400).contains(&self.verdict_seconds) {
            return wrong("verdict_seconds", "must be 0 to 86400");
        }
        if !(1..=86_400).contains(&self.challenge_response_seconds) {
            return wrong("challenge_response_seconds", "must be 1 to 86400");
        }
        if self.challenge_response_sessions == 0 {
            return wrong("challenge_response_sessions", "must not be 0");
        }
        if self.header_bytes < 8192 {
            return wrong("header_bytes", "must be at least 8192");
        }
        if self.connections == 0 {
            return wrong("connections", "must not be 0");
        }
        Ok(())
    }

    /// These settings with what `next` may change of them while the service runs.
    pub(crate) fn reconfigured(&self, next: &Settings) -> Self {
        let Settings { session_seconds, attestation_api, header_bytes, header_timeout, .. } = *self;
        Settings {
            // Sealed into challenges, part of the router, of the connections, of the keys of this start.
            session_seconds,
            attestation_api,
            header_bytes,
            header_timeout,
            connections: self.connections,
            ..next.clone()
        }
    }
}

impl Default for Settings {
    /// Five minutes, 64 KiB and 2 MiB; 150 seconds, 10 000 and 64 KiB for challenge-response sessions;
    /// 64 KiB of header, 15 and 30 seconds, 4096 connections, 600
    /// calls a minute in bursts of 60.
    fn default() -> Self {
        const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(599);
        const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
        let rate = Some(Rate { per_minute: PER_MINUTE, burst: BURST });
        Settings {
            session_seconds: 300,
            verdict_seconds: 300,
            attestation_policies: Vec::new(),
            attestation_api: false,
            auth_body_bytes: 64 << 10,
            challenge_response_seconds: 150,
            challenge_response_sessions: 10_000,
            evidence_bytes: 64 << 10,
            body_bytes: 2 << 20,
            header_bytes: 64 << 10,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(30),
            connections: 4096,
            drain: Duration::from_secs(10),
            auth_rate: rate,
            attest_rate: rate,
            trusted_proxies: Vec::new(),
            public_url: None,
            housekeeping_interval: Duration::from_secs(60),
        }
    }
}
