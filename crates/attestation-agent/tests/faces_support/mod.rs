//! A double of the agent, listeners for it, and the wire by hand.

#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay_attestation_agent::api::{Api, Extended, Info, RuntimeEvent, TokenKind};
use assay_attestation_agent::caller::{Caller, EvidenceForm, Operation, Rules};
use assay_attestation_agent::error::AgentError;
use assay_attestation_agent::faces::{self, Address, Limits, ListenerSettings, Protocol, Services};
use assay_types::{ResourceUri, SecretBytes, Tee};
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything takes that goes well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something, but not for ever.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

/// Waits until something holds.
pub async fn until(holds: impl Fn() -> bool) {
    soon(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Records what it is asked; answers with what it got, or the error that is set.
#[derive(Default)]
pub struct Double {
    pub calls: Mutex<Vec<String>>,
    pub fail: Mutex<Option<AgentError>>,
    pub extended: Mutex<Option<Extended>>,
    /// Requests with runtime data that begin with `hold` that began, and that were dropped before their end.
    pub held: AtomicUsize,
    pub dropped: AtomicUsize,
}

struct Held<'a>(&'a AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Double {
    pub fn failing(error: AgentError) -> Arc<Self> {
        let double = Double::default();
        *double.fail.lock().unwrap() = Some(error);
        Arc::new(double)
    }

    pub fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn note(&self, caller: &Caller, operation: Operation, what: String) -> Result<(), AgentError> {
        caller.may(operation)?;
        self.calls.lock().unwrap().push(what);
        self.fail.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Api for Double {
    fn info(&self) -> Info {
        Info { version: "1.2.3".into(), tee: Tee::Snp, additional_tees: vec![Tee::Nvidia, Tee::SampleDevice] }
    }

    async fn evidence(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError> {
        self.note(caller, Operation::Evidence, format!("evidence {}", runtime_data.len()))?;
        match runtime_data {
            data if data.starts_with(b"hold") => {
                self.held.fetch_add(1, Ordering::SeqCst);
                let _held = Held(&self.dropped);
                std::future::pending().await
            }
            b"sleep" => tokio::time::sleep(Duration::from_millis(300)).await,
            b"panic" => panic!("as asked"),
            _ => (),
        }
        Ok([b"E:", runtime_data].concat())
    }

    async fn additional_evidence(&self, caller: &Caller, runtime_data: &[u8]) -> Result<Vec<u8>, AgentError> {
        self.note(caller, Operation::Evidence, format!("additional {}", runtime_data.len()))?;
        Ok(if runtime_data.is_empty() { Vec::new() } else { [b"A:", runtime_data].concat() })
    }

    async fn token(&self, caller: &Caller, kind: TokenKind) -> Result<SecretBytes, AgentError> {
        self.note(caller, Operation::Token, format!("token {}", kind.as_str()))?;
        Ok(SecretBytes::new(format!("{{\"token\":\"{}\"}}", kind.as_str()).into_bytes()))
    }

    async fn extend(&self, caller: &Caller, event: RuntimeEvent) -> Result<Extended, AgentError> {
        let RuntimeEvent { domain, operation, content, pcr } = event;
        self.note(caller, Operation::Extend, format!("extend {domain}|{operation}|{content}|{pcr:?}"))?;
        Ok(self.extended.lock().unwrap().unwrap_or(Extended::Done))
    }

    async fn bind_init_data(&self, caller: &Caller, digest: &[u8]) -> Result<(), AgentError> {
        self.note(caller, Operation::InitData, format!("init data {digest:?}"))
    }

    async fn resource(&self, caller: &Caller, uri: &ResourceUri) -> Result<SecretBytes, AgentError> {
        self.note(caller, Operation::Resource, format!("resource {uri}"))?;
        Ok(SecretBytes::new(b"the \0 secret \xff".to_vec()))
    }

    async fn unseal(&self, caller: &Caller, sealed: &[u8]) -> Result<SecretBytes, AgentError> {
        self.note(caller, Operation::Unseal, format!("unseal {}", String::from_utf8_lossy(sealed)))?;
        Ok(SecretBytes::new(b"unsealed".to_vec()))
    }
}

pub fn rules(listener: &str) -> Rules {
    Rules {
        listener: listener.into(),
        operations: BTreeSet::from(Operation::ALL),
        uids: None,
        gids: BTreeSet::new(),
        evidence: EvidenceForm::Workload,
        domains: None,
        registers: BTreeSet::new(),
        resources: None,
    }
}

pub fn settings(address: Address, protocol: Protocol) -> ListenerSettings {
    ListenerSettings {
        rules: Arc::new(rules(&address.to_string())),
        address,
        protocol,
        mode: 0o600,
        owner: None,
        services: Services::Both,
        limits: Limits::default(),
        extras: None,
    }
}

/// A listener that serves.
pub struct Running {
    pub address: Address,
    pub stop: Option<oneshot::Sender<()>>,
    pub task: JoinHandle<()>,
    pub directory: Option<tempfile::TempDir>,
}

impl Running {
    pub fn path(&self) -> &Path {
        match &self.address {
            Address::Unix(path) => path,
            Address::Tcp(_) => panic!("no path"),
        }
    }

    pub async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }

    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        soon(&mut self.task).await.unwrap();
    }
}

pub async fn start(settings: &ListenerSettings, api: Arc<dyn Api>) -> Running {
    let bound = faces::bind(settings).await.unwrap();
    let address = bound.address().clone();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(faces::serve(bound, api, async move {
        let _ = stopped.await;
    }));
    Running { address, stop: Some(stop), task, directory: None }
}

/// A listener on a Unix socket in a directory of its own.
pub async fn start_unix(
    protocol: Protocol,
    api: &Arc<Double>,
    edit: impl FnOnce(&mut ListenerSettings),
) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(Address::Unix(directory.path().join("agent.sock")), protocol);
    edit(&mut settings);
    let mut running = start(&settings, Arc::clone(api) as Arc<dyn Api>).await;
    running.directory = Some(directory);
    running
}

/// A listener on a loopback port.
pub async fn start_tcp(
    protocol: Protocol,
    api: &Arc<Double>,
    edit: impl FnOnce(&mut ListenerSettings),
) -> (Running, std::net::SocketAddr) {
    let mut settings = settings(Address::Tcp("127.0.0.1:0".parse().unwrap()), protocol);
    edit(&mut settings);
    let running = start(&settings, Arc::clone(api) as Arc<dyn Api>).await;
    let Address::Tcp(address) = running.address else { panic!("no port") };
    (running, address)
}

pub fn with_rules(edit: impl FnOnce(&mut Rules)) -> impl FnOnce(&mut ListenerSettings) {
    |settings| {
        let mut rules = (*settings.rules).clone();
        edit(&mut rules);
        settings.rules = Arc::new(rules);
    }
}

pub fn socket_in(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("agent.sock")
}

// Protobuf by hand.

pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of bytes, text or a message.
pub fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

/// A field of a number.
pub fn number_field(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3], varint(value)].concat()
}

// ttRPC by hand.

pub fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    [&length.to_be_bytes()[..], &stream.to_be_bytes(), &[kind, 0], payload].concat()
}

pub fn request(service: &str, method: &str, payload: &[u8]) -> Vec<u8> {
    [bytes_field(1, service.as_bytes()), bytes_field(2, method.as_bytes()), bytes_field(3, payload)].concat()
}

/// One frame: stream, type, payload.
pub async fn read_frame(stream: &mut UnixStream) -> (u32, u8, Vec<u8>) {
    let mut header = [0; 10];
    soon(stream.read_exact(&mut header)).await.unwrap();
    let length = u32::from_be_bytes(header[..4].try_into().unwrap());
    let mut payload = vec![0; length as usize];
    soon(stream.read_exact(&mut payload)).await.unwrap();
    assert_eq!(header[9], 0);
    (u32::from_be_bytes(header[4..8].try_into().unwrap()), header[8], payload)
}

/// Sends a request and gives the payload of the answer's frame.
pub async fn exchange(stream: &mut UnixStream, service: &str, method: &str, payload: &[u8]) -> Vec<u8> {
    stream.write_all(&frame(1, 1, &request(service, method, payload))).await.unwrap();
    let (id, kind, payload) = read_frame(stream).await;
    assert_eq!((id, kind), (1, 2));
    payload
}

/// A good answer: an empty status, which says 0, and the message.
pub fn good(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x0a, 0x00];
    if !message.is_empty() {
        bytes.extend(bytes_field(2, message));
    }
    bytes
}

/// A status without a message.
pub fn bad(code: u64, text: &str) -> Vec<u8> {
    bytes_field(1, &[number_field(1, code), bytes_field(2, text.as_bytes())].concat())
}

/// Whether an answer is a status of this code whose text has these words.
pub fn is_bad(answer: &[u8], code: u64, words: &str) -> bool {
    let text = String::from_utf8_lossy(answer);
    // Tag and length of the status come first; a length over 127 takes two bytes.
    let status = if answer[1] & 0x80 == 0 { &answer[2..] } else { &answer[3..] };
    answer[0] == 0x0a && status.starts_with(&number_field(1, code)) && text.contains(words)
}

pub const AGENT: &str = "attestation_agent.AttestationAgentService";

/// Service, name, request, what the double records, answer.
pub type MethodCase = (&'static str, &'static str, Vec<u8>, Option<&'static str>, Vec<u8>);

/// Every method.
pub fn methods() -> Vec<MethodCase> {
    let event = [bytes_field(1, b"d"), bytes_field(2, b"o"), bytes_field(3, b"c c")].concat();
    let event17 = [event.clone(), number_field(4, 300)].concat();
    let event0 = [event.clone(), number_field(4, 0)].concat();
    vec![
        (AGENT, "GetEvidence", bytes_field(1, b"abc"), Some("evidence 3"), bytes_field(1, b"E:abc")),
        (AGENT, "GetEvidence", vec![], Some("evidence 0"), bytes_field(1, b"E:")),
        (
            AGENT,
            "GetAdditionalEvidence",
            bytes_field(1, b"abc"),
            Some("additional 3"),
            bytes_field(1, b"A:abc"),
        ),
        (AGENT, "GetAdditionalEvidence", vec![], Some("additional 0"), vec![]),
        (
            AGENT,
            "GetToken",
            bytes_field(1, b"kbs"),
            Some("token kbs"),
            bytes_field(1, b"{\"token\":\"kbs\"}"),
        ),
        (
            AGENT,
            "GetToken",
            bytes_field(1, b"coco_as"),
            Some("token coco_as"),
            bytes_field(1, b"{\"token\":\"coco_as\"}"),
        ),
        (AGENT, "ExtendRuntimeMeasurement", event, Some("extend d|o|c c|None"), vec![]),
        (AGENT, "ExtendRuntimeMeasurement", event17, Some("extend d|o|c c|Some(300)"), vec![]),
        (AGENT, "ExtendRuntimeMeasurement", event0, Some("extend d|o|c c|Some(0)"), vec![]),
        (AGENT, "BindInitData", bytes_field(1, &[1, 2]), Some("init data [1, 2]"), vec![]),
        (AGENT, "GetTeeType", vec![], None, bytes_field(1, b"snp")),
        (
            AGENT,
            "GetAdditionalTees",
            vec![],
            None,
            [bytes_field(1, b"nvidia"), bytes_field(1, b"sampledevice")].concat(),
        ),
        (
            "api.SealedSecretService",
            "UnsealSecret",
            bytes_field(1, b"sealed.a.b.c"),
            Some("unseal sealed.a.b.c"),
            bytes_field(1, b"unsealed"),
        ),
        (
            "api.GetResourceService",
            "GetResource",
            bytes_field(1, b"kbs:///a/b/c"),
            Some("resource kbs:///a/b/c"),
            bytes_field(1, b"the \0 secret \xff"),
        ),
    ]
}

/// Every kind of failure, with its gRPC and HTTP status.
pub fn failures() -> Vec<(AgentError, u64, u16)> {
    use assay_attester::AttesterError;
    use assay_client::{Attempt, ClientError};
    use assay_types::ErrorInformation;
    let problem = || Box::new(ErrorInformation { detail: "why".into(), ..ErrorInformation::default() });
    let denied = |status| ClientError::Denied { what: "it".into(), status, problem: problem() };
    let attempt = Attempt { what: "POST".into(), outcome: "refused".into() };
    let unavailable = ClientError::Unavailable { attempts: vec![attempt], retry_after: None };
    let data = |found| AgentError::RuntimeDataTooLong { found, max: 1 };
    vec![
        (AgentError::BadRequest("bad".into()), 3, 400),
        (AgentError::TokenType { found: "x".into() }, 3, 400),
        (data(2), 3, 413),
        (
            AgentError::NotAllowed { what: "it".into(), peer: "p".into(), listener: "l".into(), key: "k" },
            7,
            403,
        ),
        (denied(403).into(), 7, 403),
        (denied(401).into(), 7, 403),
        (denied(400).into(), 3, 400),
        (denied(405).into(), 9, 502),
        (denied(409).into(), 9, 502),
        (denied(413).into(), 9, 502),
        (denied(422).into(), 9, 422),
        (ClientError::NotFound { what: "it".into(), problem: problem() }.into(), 5, 404),
        (ClientError::Unauthenticated { what: "it".into(), problem: problem() }.into(), 16, 502),
        (unavailable.into(), 14, 503),
        (ClientError::Protocol { what: "it".into(), detail: "x".into() }.into(), 9, 502),
        (ClientError::Configuration("x".into()).into(), 13, 500),
        (AgentError::InitDataUnbound { why: "x".into() }, 9, 422),
        (AttesterError::Deadline { what: "the device".into(), waited_ms: 1 }.into(), 4, 504),
        (
            AttesterError::InitDataMismatch { field: "HOSTDATA", expected: "aa".into(), found: "bb".into() }
                .into(),
            9,
            409,
        ),
        (AgentError::TookTooLong { millis: 1 }, 4, 504),
        (AgentError::TooManyRequests { max: 1, seconds: 1 }, 8, 429),
        (AgentError::NoTee, 14, 503),
        (AgentError::DeviceBusy { what: "evidence", seconds: 1 }, 14, 503),
        (AgentError::NotConfigured { what: "key broker", key: "token_configs.kbs" }, 14, 503),
        (AgentError::Internal("x".into()), 13, 500),
    ]
}
