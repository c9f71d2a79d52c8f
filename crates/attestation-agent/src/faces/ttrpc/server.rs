//! One ttRPC connection: requests in, answers out, in any order.
//!
//! A request gets its place among those worked on before the next frame is read. So a connection holds at
//! most one request that waits, and a peer that floods waits with everyone else, in turn. A large request
//! gets its memory before it is read, and gives it back when it is answered; a connection has one at a
//! time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tonic::Code;
use zeroize::{Zeroize as _, Zeroizing};

use super::frame::{self, Frame, FrameReader, Header, Request, Response, Status};
use crate::caller::{Caller, Peer};
use crate::error::AgentError;
use crate::faces::budget::{Hold, Ration};
use crate::faces::calls::Shared;
use crate::faces::connection::Connection;
use crate::faces::dispatch::{self, Failure};

/// What the names and numbers around a message may take, in bytes.
const ENVELOPE: usize = 4096;

/// Serves a connection until its peer closes it, or until the listener stops; then what runs ends.
pub(crate) async fn serve(mut connection: Connection, shared: Arc<Shared>, stopped: watch::Receiver<()>) {
    let peer = connection.peer;
    let refusal = connection.refusal.take();
    let (reader, writer) = tokio::io::split(connection);
    let max = shared.limits.body_bytes.saturating_add(ENVELOPE).min(frame::MAX_PAYLOAD);
    let ration = Ration::new(shared.limits.large.clone(), shared.limits.place_timeout);
    let frames = FrameReader::new(reader, max, shared.limits.transfer_timeout).with_ration(ration);
    let writer = Arc::new(Writer { io: Mutex::new(writer), patience: shared.limits.transfer_timeout });
    let ended = match refusal {
        Some(refusal) => refuse(frames, &writer, &refusal, shared.limits.transfer_timeout).await,
        None => Session { shared, writer, peer, tasks: JoinSet::new() }.run(frames, stopped).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a ttRPC connection ended");
    }
}

/// Answers the first request with the refusal, so that its sender learns why.
async fn refuse(
    mut frames: FrameReader<ReadHalf<Connection>>,
    writer: &Writer,
    refusal: &AgentError,
    patience: Duration,
) -> io::Result<()> {
    let first = tokio::time::timeout(patience, frames.next()).await;
    match first.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
        Some(Frame::Whole(header, _) | Frame::TooLong(header) | Frame::NoRoom(header)) => {
            writer.write(header.stream, Err(Failure::from(refusal))).await
        }
        None => Ok(()),
    }
}

struct Session {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    peer: Peer,
    /// What is worked on. It ends with the connection: nobody is left to take the answers.
    tasks: JoinSet<io::Result<()>>,
}

impl Session {
    async fn run(
        mut self,
        mut frames: FrameReader<ReadHalf<Connection>>,
        mut stopped: watch::Receiver<()>,
    ) -> io::Result<()> {
        loop {
            tokio::select! {
                _ = stopped.changed() => break,
                // An answer that cannot be written ends the connection.
                Some(written) = self.tasks.join_next() => finished(written)?,
                frame = frames.next() => match frame? {
                    Some(frame) => self.take(frame, frames.take_hold()).await?,
                    None => return Ok(()),
                },
            }
        }
        while let Some(written) = self.tasks.join_next().await {
            finished(written)?;
        }
        Ok(())
    }

    async fn take(&mut self, frame: Frame, memory: Hold) -> io::Result<()> {
        let refused = |header: Header, code, text: &str| {
            self.writer.write(header.stream, Err(Failure { code, text: text.to_owned() }))
        };
        match frame {
            Frame::TooLong(header) => {
                let text = format!(
                    "AGT-005: a message of {} bytes; at most {} are taken",
                    header.length, self.shared.limits.body_bytes
                );
                refused(header, Code::InvalidArgument, &text).await
            }
            Frame::NoRoom(header) => {
                self.writer.write(header.stream, Err(Failure::from(&self.shared.too_many()))).await
            }
            Frame::Whole(header, _) if header.stream % 2 == 0 => {
                refused(header, Code::InvalidArgument, "AGT-007: a stream id of a client is odd").await
            }
            Frame::Whole(header, payload) => match header.kind {
                frame::REQUEST => self.request(header.stream, payload, memory).await,
                frame::DATA => {
                    refused(header, Code::InvalidArgument, "AGT-007: no method here takes a stream").await
                }
                // Types to come are passed over, as the protocol wants it.
                kind => {
                    tracing::debug!(peer = %self.peer, kind, "a frame of unknown type");
                    Ok(())
                }
            },
        }
    }

    async fn request(&mut self, stream: u32, payload: Bytes, memory: Hold) -> io::Result<()> {
        let place = match self.shared.place().await {
            Ok(place) => place,
            Err(error) => return self.writer.write(stream, Err(Failure::from(&error))).await,
        };
        let call = Call {
            shared: Arc::clone(&self.shared),
            caller: self.shared.caller(self.peer),
            writer: Arc::clone(&self.writer),
            _place: place,
            _memory: memory,
        };
        self.tasks.spawn(async move {
            let answer = call.answer(payload).await;
            call.writer.write(stream, answer).await
        });
        Ok(())
    }
}

/// A call that panicked has no answer; so that its caller does not wait for one, the connection ends.
fn finished(written: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    written.unwrap_or_else(|error| Err(io::Error::other(error)))
}

struct Call {
    shared: Arc<Shared>,
    caller: Caller,
    writer: Arc<Writer>,
    /// Until the answer is written: one that nobody takes is work, too.
    _place: OwnedSemaphorePermit,
    _memory: Hold,
}

impl Call {
    async fn answer(&self, payload: Bytes) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let bad = |why: String| Failure::from(&AgentError::BadRequest(why));
        let mut request = Request::decode(&*payload)
            .map_err(|error| bad(format!("the ttRPC request cannot be decoded: {error}")))?;
        // While the call is worked on there is one of what was sent: the method's message.
        drop(payload);
        let message = Zeroizing::new(std::mem::take(&mut request.payload));
        let asked = match u64::try_from(request.timeout_nano) {
            Ok(0) => None,
            Ok(nanos) => Some(Duration::from_nanos(nanos)),
            Err(_) => return Err(bad(format!("a timeout of {} ns", request.timeout_nano))),
        };
        let method = dispatch::find(self.shared.services, &request.service, &request.method)?;
        let answer = dispatch::call(&*self.shared.api, &self.caller, method, message);
        let answer = self.shared.in_time(asked, answer).await.map_err(|error| {
            tracing::debug!(peer = %self.caller.peer, method = method.names().1, %error, "a request failed");
            Failure::from(&error)
        })?;
        if answer.len() > frame::MAX_PAYLOAD - ENVELOPE {
            return Err(Failure {
                code: Code::ResourceExhausted,
                text: format!("AGT-013: an answer of {} bytes is too long for ttRPC", answer.len()),
            });
        }
        Ok(answer)
    }
}

struct Writer {
    io: Mutex<WriteHalf<Connection>>,
    patience: Duration,
}

impl Writer {
    /// Writes one frame. Who does not take its answers loses the connection.
    async fn write(&self, stream: u32, answer: Result<Zeroizing<Vec<u8>>, Failure>) -> io::Result<()> {
        let frame = frame_of(stream, answer);
        let write = async {
            let mut io = self.io.lock().await;
            io.write_all(&frame).await?;
            io.flush().await
        };
        tokio::time::timeout(self.patience, write)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The bytes of an answer's frame, in one buffer that is wiped.
fn frame_of(stream: u32, answer: Result<Zeroizing<Vec<u8>>, Failure>) -> Zeroizing<Vec<u8>> {
    let mut response = match answer {
        Ok(mut payload) => Response {
            status: Some(Status { code: 0, message: String::new() }),
            payload: std::mem::take(&mut *payload),
        },
        Err(Failure { code, text }) => {
            Response { status: Some(Status { code: code.into(), message: text }), payload: Vec::new() }
        }
    };
    let length = response.encoded_len();
    let header = Header {
        // An answer is at most 4 MiB long, a text of an error 4 KiB.
        length: u32::try_from(length).unwrap_or(u32::MAX),
        stream,
        kind: frame::RESPONSE,
        flags: 0,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(frame::HEADER + length));
    bytes.extend_from_slice(&header.to_bytes());
    // A vector has room for anything, so this does not fail.
    let _ = response.encode(&mut *bytes);
    response.payload.zeroize();
    bytes
}
