//! What a listener is told.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_types::{Coded, Fault};

use super::{Address, Budget};
use crate::caller::Rules;

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// ttRPC.
    TtRpc,
    /// gRPC: HTTP/2 without TLS.
    Grpc,
    /// REST: HTTP/1.1 without TLS.
    Rest,
}

/// Which services a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Services {
    /// `attestation_agent.AttestationAgentService`, and in REST `/aa/…`.
    AttestationAgent,
    /// `api.SealedSecretService` and `api.GetResourceService`, and in REST `/cdh/…`.
    ConfidentialDataHub,
    /// All of them.
    Both,
}

impl Services {
    /// Whether those of the Attestation Agent are among them.
    pub const fn attestation(self) -> bool {
        matches!(self, Services::AttestationAgent | Services::Both)
    }

    /// Whether those of the Confidential Data Hub are among them.
    pub const fn resource(self) -> bool {
        matches!(self, Services::ConfidentialDataHub | Services::Both)
    }

    /// The name that `/info` gives as `feature`, and the reference's option takes.
    pub const fn feature(self) -> &'static str {
        match self {
            Services::AttestationAgent => "attestation",
            Services::ConfidentialDataHub => "resource",
            Services::Both => "all",
        }
    }
}

/// The time that a request's answer has, unless a listener is told otherwise: 90 s.
///
/// The bound that the agent's own times are checked against: the deadlines of the device and of the key
/// broker in its settings are to be less, or else a caller hears `AGT-015` (no answer in time) where the
/// device or the key broker is what took too long.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// How much a listener lets happen at once.
///
/// What arrives while no place is free waits for [`place_timeout`](Limits::place_timeout), and is refused
/// then (`AGT-014`; 429, `RESOURCE_EXHAUSTED`). Of REST, `/healthz`, `/readyz`, `/metrics` and `/info` take
/// no place.
///
/// The memory for what peers send, with the defaults:
///
/// ```text
/// large requests, read or worked on, of all listeners together     large                        32 MiB
/// of each listener: what each connection has beside
///   ttRPC: a frame that is not large, and one worked on in each place   64 * 64 KiB + 48 * 16 KiB    5 MiB
///   REST:  a head of a request, up to four times while it is worked on  64 * 256 KiB                16 MiB
///   gRPC:  HTTP/2's windows (256 KiB), 32 heads of 4 KiB                64 * 384 KiB                24 MiB
/// ```
/// That is 77 MiB for an agent with one listener of each protocol. A large request is there once while it
/// is worked on, twice only for the moment in which its message is decoded. Answers are not counted: they
/// are as long as the key broker's and the device's, and go when their peer takes them or is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Requests that are worked on, over all connections. Fewer than connections, so that some are left
    /// to ask how the agent does.
    pub requests_at_a_time: usize,
    /// The time for one request's answer.
    pub request_timeout: Duration,
    /// For how long a request waits for a place, and for its memory; zero waits for none.
    pub place_timeout: Duration,
    /// The time for a request to arrive once it began, and for an answer to be taken.
    pub transfer_timeout: Duration,
    /// The greatest body or message, in bytes.
    pub body_bytes: usize,
    /// The time for requests under way to end when the listener stops.
    pub drain: Duration,
    /// The memory for large requests ([`LARGE`](super::LARGE)). The default is one for all listeners of
    /// the process ([`LARGE_REQUESTS`](super::LARGE_REQUESTS)).
    pub large: Budget,
}

impl Default for Limits {
    /// 64 connections, 48 requests, 90 s for an answer (an attestation with the key broker's retries), 2 s
    /// for a place, 15 s to arrive, 1 MiB, 10 s to stop, the process's memory for large requests.
    fn default() -> Self {
        Limits {
            connections: 64,
            requests_at_a_time: 48,
            request_timeout: REQUEST_TIMEOUT,
            place_timeout: Duration::from_secs(2),
            transfer_timeout: Duration::from_secs(15),
            body_bytes: 1 << 20,
            drain: Duration::from_secs(10),
            large: Budget::default(),
        }
    }
}

/// Whether the agent can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it can.
    pub ready: bool,
    /// Why not, or what was looked at, for people.
    pub detail: String,
}

/// What REST has beyond the interface: `/readyz` and `/metrics`.
#[derive(Clone)]
pub struct RestExtras {
    /// Asked by `GET /readyz`; it must not block.
    pub ready: Arc<dyn Fn() -> Readiness + Send + Sync>,
    /// The metrics in the OpenMetrics text form, for `GET /metrics`; it must not block.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for RestExtras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestExtras")
    }
}

/// A listener.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Where it stands.
    pub address: Address,
    /// What it speaks.
    pub protocol: Protocol,
    /// The permissions of a Unix socket, such as `0o660`.
    pub mode: u32,
    /// The user and group id that a Unix socket is given to.
    pub owner: Option<(u32, u32)>,
    /// Which services it has.
    pub services: Services,
    /// Who may do what by it.
    pub rules: Arc<Rules>,
    /// How much at once.
    pub limits: Limits,
    /// With REST: what else there is to ask.
    pub extras: Option<RestExtras>,
}

/// Why a listener does not stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address is not of this machine alone.
    #[error(
        "{address} is not a loopback address; the agent listens on 127.0.0.0/8, ::1 and Unix sockets only"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// Something answers at the socket.
    #[error("another agent serves {}: stop it first, or choose another path", path.display())]
    Live {
        /// The socket.
        path: PathBuf,
    },
    /// There is something else at the path.
    #[error("{} is {found}, not a socket; it is left as it is: remove it or choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
        /// What it is: `a file`, `a directory`, `a symbolic link`, ….
        found: &'static str,
    },
    /// The mode has more than permissions.
    #[error("the mode {mode:#o} of {}: permissions are 0o000 to 0o777", path.display())]
    Mode {
        /// The socket.
        path: PathBuf,
        /// The mode.
        mode: u32,
    },
    /// A limit is zero.
    #[error("the limit `{limit}` is zero; nothing could be served")]
    ZeroLimit {
        /// Its name.
        limit: &'static str,
    },
    /// The system says no.
    #[error("cannot {action} {what}: {error}")]
    System {
        /// What was done, such as `bind`.
        action: &'static str,
        /// To what.
        what: String,
        /// What the system said.
        error: io::Error,
    },
}

impl Coded for ListenError {
    fn code(&self) -> &'static str {
        match self {
            ListenError::NotLoopback { .. } => "LSN-001",
            ListenError::Live { .. } => "LSN-002",
            ListenError::NotASocket { .. } => "LSN-003",
            ListenError::Mode { .. } => "LSN-004",
            ListenError::ZeroLimit { .. } => "LSN-005",
            ListenError::System { .. } => "LSN-006",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ListenError::NotLoopback { .. } | ListenError::Mode { .. } | ListenError::ZeroLimit { .. } => {
                Fault::BadRequest
            }
            ListenError::Live { .. } | ListenError::NotASocket { .. } => Fault::Conflict,
            ListenError::System { .. } => Fault::Unavailable,
        }
    }
}

impl Limits {
    /// Checks that none of them is zero.
    pub(crate) fn check(&self) -> Result<(), ListenError> {
        let zero = [
            ("connections", self.connections == 0),
            ("requests_at_a_time", self.requests_at_a_time == 0),
            ("request_timeout", self.request_timeout.is_zero()),
            ("transfer_timeout", self.transfer_timeout.is_zero()),
            ("body_bytes", self.body_bytes == 0),
        ];
        match zero.into_iter().find(|(_, zero)| *zero) {
            Some((limit, _)) => Err(ListenError::ZeroLimit { limit }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_leaves_connections_without_a_request_in_work_and_shares_its_memory() {
        let limits = Limits::default();
        assert!(limits.requests_at_a_time <= limits.connections / 4 * 3);
        assert_eq!(limits.request_timeout, REQUEST_TIMEOUT);
        assert!(limits.place_timeout < Duration::from_secs(5));
        assert_eq!(limits.large, Limits::default().large);
    }
}
