//! The way to another part.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use assay_types::Digest;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::files::Files;
use crate::{RemoteError, RemoteSettings};

/// How often a silent connection is asked whether it is still there, and how long it may think about it.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(5);

/// The files are read again this often at most.
const REREAD: Duration = Duration::from_secs(1);

/// What clients made by tonic are put on top of.
pub type RemoteService = InterceptedService<Channel, Outgoing>;

/// Adds the bearer token and the deadline to a call, and the id and the trace of the request that it is made for.
#[derive(Clone)]
pub struct Outgoing {
    bearer: Option<AsciiMetadataValue>,
    end: Instant,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("bearer", &self.bearer.is_some()).finish_non_exhaustive()
    }
}

impl Interceptor for Outgoing {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        assay_telemetry::inject(request.metadata_mut().as_mut());
        request.set_timeout(self.end.saturating_duration_since(Instant::now()));
        Ok(request)
    }
}

/// The way to another part. A clone is another handle of the same.
#[derive(Clone)]
pub struct RemoteEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    settings: RemoteSettings,
    current: ArcSwap<Current>,
    /// When the files were last read.
    read: Mutex<Instant>,
}

/// A connection, made when it is first used and again when it is lost, and what is shown on it.
struct Current {
    endpoint: Endpoint,
    channel: Channel,
    bearer: Option<AsciiMetadataValue>,
    files: Digest,
}

impl fmt::Debug for RemoteEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteEndpoint").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl RemoteEndpoint {
    /// The way to the part of these settings. Their files are read; nothing is sent yet. Works within a
    /// Tokio runtime only.
    ///
    /// # Errors
    /// [`RemoteError::Setting`].
    pub fn new(settings: RemoteSettings) -> Result<Self, RemoteError> {
        settings.check()?;
        let files = Files::read(&settings)?;
        let current = ArcSwap::from_pointee(Current::new(&settings, &files)?);
        let read = Mutex::new(Instant::now());
        Ok(RemoteEndpoint { shared: Arc::new(Shared { settings, current, read }) })
    }

    /// Its settings.
    pub fn settings(&self) -> &RemoteSettings {
        &self.shared.settings
    }

    /// Makes a call: `call` gets what a client made by tonic works on. A call that is `repeatable`, since it
    /// changes nothing, is made once more where the connection was lost; every call is, where the caller
    /// was refused and its files have changed since they were read.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn call<T, F, A>(&self, repeatable: bool, call: F) -> Result<T, RemoteError>
    where
        F: Fn(RemoteService) -> A + Send + Sync,
        A: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let settings = &self.shared.settings;
        let end = Instant::now() + settings.deadline;
        let mut again = true;
        loop {
            let current = self.shared.current.load_full();
            let outgoing = Outgoing { bearer: current.bearer.clone(), end };
            let service = InterceptedService::new(current.channel.clone(), outgoing);
            let error = match timeout_at(end, call(service)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => RemoteError::of(settings.part, settings.deadline, &status),
                Err(_) => self.timed_out(),
            };
            let repeat = match &error {
                RemoteError::CallerRefused { .. } => again && self.reread(&current).await,
                RemoteError::Unreachable { .. } => {
                    // A certificate that has ended makes handshakes fail.
                    self.reread(&current).await;
                    again && repeatable
                }
                RemoteError::TimedOut { .. } => {
                    self.give_up(&current);
                    false
                }
                _ => false,
            };
            if !repeat {
                return Err(error);
            }
            again = false;
        }
    }

    /// Waits for the next part of an answer that comes in several, no longer than a call may take.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn next<T>(
        &self,
        part: impl Future<Output = Result<Option<T>, Status>> + Send,
    ) -> Result<Option<T>, RemoteError> {
        let settings = &self.shared.settings;
        match timeout_at(Instant::now() + settings.deadline, part).await {
            Ok(next) => next.map_err(|status| RemoteError::of(settings.part, settings.deadline, &status)),
            Err(_) => Err(self.timed_out()),
        }
    }

    /// An answer that cannot be used.
    pub fn unusable(&self, why: impl fmt::Display) -> RemoteError {
        RemoteError::Answer { part: self.shared.settings.part, why: crate::shown(&why.to_string()) }
    }

    fn timed_out(&self) -> RemoteError {
        let settings = &self.shared.settings;
        RemoteError::TimedOut { part: settings.part, deadline: settings.deadline }
    }

    /// A connection on which a call ran out of time may have gone silent: the next call makes another. Calls
    /// under way stay where they are.
    fn give_up(&self, stale: &Arc<Current>) {
        let channel = stale.endpoint.connect_lazy();
        let next = Current {
            endpoint: stale.endpoint.clone(),
            channel,
            bearer: stale.bearer.clone(),
            files: stale.files.clone(),
        };
        self.shared.current.compare_and_swap(stale, Arc::new(next));
    }

    /// Reads the files again. Whether there is something new to try.
    async fn reread(&self, tried: &Arc<Current>) -> bool {
        if !Arc::ptr_eq(&self.shared.current.load(), tried) {
            return true;
        }
        {
            let mut read = self.shared.read.lock().unwrap_or_else(PoisonError::into_inner);
            if read.elapsed() < REREAD {
                return false;
            }
            *read = Instant::now();
        }
        let shared = Arc::clone(&self.shared);
        let files = tokio::task::spawn_blocking(move || Files::read(&shared.settings)).await;
        let next = match files {
            Ok(Ok(files)) if files.digest == tried.files => return false,
            Ok(files) => files.and_then(|files| Current::new(&self.shared.settings, &files)),
            Err(_) => return false,
        };
        match next {
            Ok(next) => {
                tracing::info!(part = self.shared.settings.part, "token or certificate were read again");
                self.shared.current.store(Arc::new(next));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "token and certificate in use stay in use");
                false
            }
        }
    }
}

impl Current {
    fn new(settings: &RemoteSettings, files: &Files) -> Result<Self, RemoteError> {
        let mut endpoint = Endpoint::from(settings.uri()?)
            .connect_timeout(settings.deadline)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(KEEP_ALIVE))
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .keep_alive_while_idle(true);
        if let Some(tls) = files.tls() {
            let unusable = |error: tonic::transport::Error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                settings.wrong("ca_certificate", &cause.unwrap_or_else(|| error.to_string()))
            };
            endpoint = endpoint.tls_config(tls).map_err(unusable)?;
        }
        let channel = endpoint.connect_lazy();
        let bearer = files.bearer(settings)?;
        Ok(Current { endpoint, channel, bearer, files: files.digest.clone() })
    }
}
