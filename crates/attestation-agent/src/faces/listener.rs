//! Listeners: standing, accepting, stopping.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::calls::Shared;
use super::connection::{Connection, Leave, Stream};
use super::places::{NoPlace, Place, Places};
use super::unix::{self, SocketFile};
use super::{Address, ListenError, ListenerSettings, Protocol, grpc, rest, ttrpc};
use crate::api::Api;
use crate::caller::Peer;
use crate::error::AgentError;

/// How long to wait after the system refused a connection (no descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// For how long a peer that is not admitted may stay, to hear why.
const REFUSED_STAY: Duration = Duration::from_secs(5);

/// How many bytes begin every HTTP/2 connection: the preface and the header of its first frame.
const HTTP2_PREFACE: usize = 24 + 9;

/// How many peers that are not admitted are told so at a time; more are cut off without a word.
const REFUSALS: usize = 8;

/// A listener that stands, and accepts nothing yet.
#[derive(Debug)]
pub struct Bound {
    settings: ListenerSettings,
    address: Address,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    /// The file goes first: while it is there somebody listens, so nobody else puts another in its place.
    Unix {
        _file: SocketFile,
        listener: UnixListener,
    },
    Tcp(TcpListener),
}

impl Bound {
    /// Where it stands; with TCP, the port that the system chose for port 0.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Makes the socket of a listener.
///
/// A Unix socket has its mode and owner before anyone can reach it. One that nobody serves any more is
/// replaced; a live one never is, nor anything that is not a socket. It is removed when the listener ends,
/// or [`Bound`] is dropped, if it is still the same.
///
/// # Errors
/// [`ListenError`].
pub async fn bind(settings: &ListenerSettings) -> Result<Bound, ListenError> {
    settings.limits.check()?;
    let (socket, address) = match &settings.address {
        Address::Unix(path) => {
            let (listener, file) = unix::bind(path, settings.mode, settings.owner).await?;
            (Socket::Unix { _file: file, listener }, settings.address.clone())
        }
        Address::Tcp(address) => {
            if !address.ip().to_canonical().is_loopback() {
                return Err(ListenError::NotLoopback { address: *address });
            }
            let failed = |error| ListenError::System { action: "bind", what: address.to_string(), error };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            (Socket::Tcp(listener), Address::Tcp(address))
        }
    };
    Ok(Bound { settings: settings.clone(), address, socket })
}

/// Serves until `shutdown` is ready. Then nothing more is accepted, the socket is removed, and requests
/// under way end, for as long as the limits allow; what is left then is cut off.
///
/// On a Unix socket one user has at most a quarter of the connections, and a quarter is kept for root and
/// the agent's own user, who have no such bound.
pub async fn serve(bound: Bound, api: Arc<dyn Api>, shutdown: impl Future<Output = ()> + Send) {
    let own = rustix::process::geteuid().as_raw();
    serve_with(bound, api, shutdown, vec![0, own]).await;
}

async fn serve_with(
    bound: Bound,
    api: Arc<dyn Api>,
    shutdown: impl Future<Output = ()> + Send,
    trusted: Vec<u32>,
) {
    let Bound { settings, address, socket } = bound;
    let drain = settings.limits.drain;
    let connections = settings.limits.connections;
    let door = Door {
        rules: Arc::clone(&settings.rules),
        places: match socket {
            Socket::Unix { .. } => Places::of_users(connections, trusted),
            Socket::Tcp(_) => Places::of_anyone(connections),
        },
        refusals: Arc::new(Semaphore::new(REFUSALS)),
        patience: settings.limits.transfer_timeout,
        // A client of ttRPC may connect long before it asks; HTTP/1 has its own time for a request's head.
        greeting: (settings.protocol == Protocol::Grpc).then_some(settings.limits.transfer_timeout),
    };
    let shared = Arc::new(Shared::new(api, settings.rules, settings.services, settings.limits));
    let (stop, stopped) = watch::channel(());
    // gRPC's server runs its connections itself. They end when this function does, whichever way.
    let (_cut, cut) = watch::channel(());
    let mut connections = match settings.protocol {
        Protocol::TtRpc => Connections::each(move |connection, stopped| {
            ttrpc::server::serve(connection, Arc::clone(&shared), stopped)
        }),
        Protocol::Rest => {
            let face = Arc::new(rest::Face { shared, extras: settings.extras });
            Connections::each(move |connection, stopped| rest::serve(connection, Arc::clone(&face), stopped))
        }
        Protocol::Grpc => Connections::grpc(shared, stopped.clone(), cut),
    };
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = door.accept(&socket) => accepted,
        };
        match accepted {
            Ok(Some(connection)) => connections.serve(connection, stopped.clone()),
            Ok(None) => (),
            Err(error) => {
                tracing::warn!(%address, %error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    drop(stop);
    if tokio::time::timeout(drain, connections.end()).await.is_err() {
        tracing::warn!(%address, "requests under way were cut off: they took longer than the drain allows");
    }
}

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The connections that are served. Dropped, it cuts them off.
struct Connections {
    tasks: JoinSet<()>,
    serve: Box<dyn FnMut(Connection, watch::Receiver<()>) -> Option<Serving> + Send>,
}

impl Connections {
    fn each<F>(mut serve: impl FnMut(Connection, watch::Receiver<()>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve =
            move |connection, stopped| -> Option<Serving> { Some(Box::pin(serve(connection, stopped))) };
        Connections { tasks: JoinSet::new(), serve: Box::new(serve) }
    }

    /// gRPC's server takes connections from a queue.
    fn grpc(shared: Arc<Shared>, stopped: watch::Receiver<()>, cut: watch::Receiver<()>) -> Self {
        let (queue, incoming) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(grpc::serve(incoming, shared, stopped));
        // Not more than the door has places wait in it.
        let serve = move |mut connection: Connection, _| {
            let mut cut = cut.clone();
            connection.cut_by(async move {
                let _ = cut.changed().await;
            });
            let _ = queue.send(connection);
            None
        };
        Connections { tasks, serve: Box::new(serve) }
    }

    fn serve(&mut self, connection: Connection, stopped: watch::Receiver<()>) {
        if let Some(serving) = (self.serve)(connection, stopped) {
            self.tasks.spawn(serving);
        }
        while self.tasks.try_join_next().is_some() {}
    }

    async fn end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Who may come in.
struct Door {
    rules: Arc<crate::caller::Rules>,
    places: Places,
    refusals: Arc<Semaphore>,
    /// The time for a connection's first bytes.
    greeting: Option<Duration>,
    /// The time for a peer to take what is written to it.
    patience: Duration,
}

impl Door {
    /// The next connection; `None` for one that was cut off at once. A place first: who finds none waits
    /// in the system's queue.
    async fn accept(&self, socket: &Socket) -> io::Result<Option<Connection>> {
        let Some(place) = self.places.next().await else { return Ok(None) };
        let (stream, peer): (Box<dyn Stream>, Peer) = match socket {
            Socket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let cred = stream.peer_cred()?;
                (Box::new(stream), Peer::Process { uid: cred.uid(), gid: cred.gid(), pid: cred.pid() })
            }
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are one write each: waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                (Box::new(stream), Peer::Address(peer))
            }
        };
        // Who is refused takes no place from those who are admitted.
        let refusal = match self.rules.admit(&peer) {
            Ok(()) => match self.places.give(place, &peer) {
                Ok(place) => {
                    let leave = self.greeting.map(|time| Leave::after(time, HTTP2_PREFACE));
                    return Ok(Some(Connection::new(stream, peer, self.patience, leave, place)));
                }
                Err(NoPlace { max }) => {
                    tracing::debug!(%peer, listener = %self.rules.listener, max, "too many connections");
                    AgentError::TooManyRequests { max, seconds: 0 }
                }
            },
            Err(refusal) => {
                drop(place);
                tracing::warn!(%peer, listener = %self.rules.listener, "a peer was refused");
                refusal
            }
        };
        let Ok(place) = Arc::clone(&self.refusals).try_acquire_owned() else { return Ok(None) };
        let leave = Some(Leave::after(REFUSED_STAY, usize::MAX));
        let mut connection = Connection::new(stream, peer, self.patience, leave, Place::from(place));
        connection.refusal = Some(refusal);
        Ok(Some(connection))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use assay_types::{ResourceUri, SecretBytes, Tee};
    use async_trait::async_trait;
    use prost::Message as _;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::UnixStream;

    use super::*;
    use crate::api::{Extended, Info, RuntimeEvent, TokenKind};
    use crate::caller::{Caller, EvidenceForm, Rules};
    use crate::faces::ttrpc::frame::{Frame, FrameReader, Header, REQUEST, Request, Response};
    use crate::faces::{Limits, Services};

    /// Says what it is, and nothing else is asked.
    struct Named;

    #[async_trait]
    impl Api for Named {
        fn info(&self) -> Info {
            Info { version: "1".into(), tee: Tee::Snp, additional_tees: Vec::new() }
        }
        async fn evidence(&self, _: &Caller, _: &[u8]) -> Result<Vec<u8>, AgentError> {
            Err(AgentError::NoTee)
        }
        async fn additional_evidence(&self, _: &Caller, _: &[u8]) -> Result<Vec<u8>, AgentError> {
            Err(AgentError::NoTee)
        }
        async fn token(&self, _: &Caller, _: TokenKind) -> Result<SecretBytes, AgentError> {
            Err(AgentError::NoTee)
        }
        async fn extend(&self, _: &Caller, _: RuntimeEvent) -> Result<Extended, AgentError> {
            Err(AgentError::NoTee)
        }
        async fn bind_init_data(&self, _: &Caller, _: &[u8]) -> Result<(), AgentError> {
            Err(AgentError::NoTee)
        }
        async fn resource(&self, _: &Caller, _: &ResourceUri) -> Result<SecretBytes, AgentError> {
            Err(AgentError::NoTee)
        }
        async fn unseal(&self, _: &Caller, _: &[u8]) -> Result<SecretBytes, AgentError> {
            Err(AgentError::NoTee)
        }
    }

    /// Asks which TEE it is; the status, and whether the connection was closed after it. `None` if it was
    /// cut off without a word.
    async fn ask(stream: &mut UnixStream) -> Option<i32> {
        let request = Request {
            service: "attestation_agent.AttestationAgentService".into(),
            method: "GetTeeType".into(),
            ..Request::default()
        };
        let length = u32::try_from(request.encoded_len()).unwrap();
        let header = Header { length, stream: 1, kind: REQUEST, flags: 0 };
        let bytes = [header.to_bytes().to_vec(), request.encode_to_vec()].concat();
        stream.write_all(&bytes).await.ok()?;
        let mut frames = FrameReader::new(stream, 1000, Duration::from_secs(30));
        let Ok(Some(Frame::Whole(_, payload))) = frames.next().await else { return None };
        let status = Response::decode(payload).unwrap().status.unwrap();
        assert_eq!(status.code != 0, status.message.starts_with("AGT-014"), "{}", status.message);
        Some(status.code)
    }

    #[tokio::test]
    async fn a_user_that_is_not_trusted_has_a_quarter_and_is_told_so() {
        let own = rustix::process::geteuid().as_raw();
        for (trusted, places) in [(vec![], 2), (vec![own], 8)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("agent.sock");
            let settings = ListenerSettings {
                address: Address::Unix(path.clone()),
                protocol: Protocol::TtRpc,
                mode: 0o600,
                owner: None,
                services: Services::Both,
                rules: Arc::new(Rules {
                    listener: "l".into(),
                    operations: BTreeSet::new(),
                    uids: None,
                    gids: BTreeSet::new(),
                    evidence: EvidenceForm::Workload,
                    domains: None,
                    registers: BTreeSet::new(),
                    resources: None,
                }),
                limits: Limits { connections: 8, ..Limits::default() },
                extras: None,
            };
            let bound = bind(&settings).await.unwrap();
            let serving = tokio::spawn(serve_with(bound, Arc::new(Named), std::future::pending(), trusted));
            let connect = || UnixStream::connect(&path);
            let mut held = Vec::new();
            for _ in 0..places {
                let mut stream = connect().await.unwrap();
                assert_eq!(ask(&mut stream).await, Some(0));
                held.push(stream);
            }
            if places == 2 {
                let mut one_more = connect().await.unwrap();
                assert_eq!(ask(&mut one_more).await, Some(8));
                // Those that have a place keep it.
                assert_eq!(ask(&mut held[0]).await, Some(0));
            }
            held.pop();
            // There is a place once it is seen that one left.
            let again = async { while ask(&mut connect().await.unwrap()).await != Some(0) {} };
            tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
            serving.abort();
        }
    }
}
