//! Frames and the messages in them.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;
use zeroize::{Zeroize as _, Zeroizing};

use crate::faces::LARGE;
use crate::faces::budget::{Hold, Ration};

/// The length of a header, in bytes.
pub const HEADER: usize = 10;
/// The longest payload that ttRPC's implementations take, in bytes.
pub const MAX_PAYLOAD: usize = 4 << 20;
/// The type of a request.
pub const REQUEST: u8 = 1;
/// The type of a response.
pub const RESPONSE: u8 = 2;
/// The type of a stream's data.
pub const DATA: u8 = 3;

/// How many bytes are read at a time where no large payload is read: a whole frame that is not large.
const STEP: usize = HEADER + LARGE;

/// The payload of a request's frame.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// The service, such as `api.GetResourceService`.
    #[prost(string, tag = "1")]
    pub service: String,
    /// The method, such as `GetResource`.
    #[prost(string, tag = "2")]
    pub method: String,
    /// The method's message.
    #[prost(bytes = "vec", tag = "3")]
    pub payload: Vec<u8>,
    /// For how long the caller waits, in nanoseconds; 0 says nothing.
    #[prost(int64, tag = "4")]
    pub timeout_nano: i64,
    // 5, the metadata, are passed over: decoded, two bytes of an empty one would take 48.
}

/// The payload of a response's frame.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    /// How it went; no status is a good one.
    #[prost(message, optional, tag = "1")]
    pub status: Option<Status>,
    /// The method's message.
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
}

/// How a call went.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Status {
    /// gRPC's number, 0 for good.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// Why.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The length of the payload, in bytes.
    pub length: u32,
    /// Which call it belongs to.
    pub stream: u32,
    /// [`REQUEST`], [`RESPONSE`] or [`DATA`].
    pub kind: u8,
    /// Not looked at.
    pub flags: u8,
}

impl Header {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [l0, l1, l2, l3, s0, s1, s2, s3, self.kind, self.flags]
    }

    /// Reads it.
    pub fn from_bytes(bytes: [u8; HEADER]) -> Self {
        let [l0, l1, l2, l3, s0, s1, s2, s3, kind, flags] = bytes;
        Header {
            length: u32::from_be_bytes([l0, l1, l2, l3]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            kind,
            flags,
        }
    }
}

/// A frame that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole one; its payload is wiped when dropped.
    Whole(Header, Bytes),
    /// A longer one than is read; its payload is thrown away.
    TooLong(Header),
    /// A large one for which there was no memory in time; its payload is thrown away.
    NoRoom(Header),
}

/// Takes frames out of a stream of bytes.
pub struct FrameReader<R> {
    io: R,
    /// What was read and not looked at: a header, a payload that is not large, or a part of them.
    bytes: BytesMut,
    /// A large payload that is being read.
    large: Option<Large>,
    /// What is still to be thrown away.
    discard: usize,
    max: usize,
    patience: Duration,
    /// When the frame that has begun must be here.
    deadline: Option<Instant>,
    /// Where the memory of large payloads comes from.
    ration: Option<Ration>,
    /// Until when the frame that has begun waits for it.
    queued: Option<Instant>,
    /// The memory of the frame that came last.
    hold: Hold,
}

struct Large {
    header: Header,
    length: usize,
    bytes: Zeroizing<Vec<u8>>,
    hold: Hold,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads payloads of up to `max` bytes. A frame that began must arrive within `patience`.
    pub fn new(io: R, max: usize, patience: Duration) -> Self {
        FrameReader {
            io,
            bytes: BytesMut::new(),
            large: None,
            discard: 0,
            max,
            patience,
            deadline: None,
            ration: None,
            queued: None,
            hold: Hold::default(),
        }
    }

    /// Before a large payload is read, its memory is taken.
    pub(crate) fn with_ration(self, ration: Ration) -> Self {
        FrameReader { ration: Some(ration), ..self }
    }

    /// The memory that was taken for the frame that came last.
    pub(crate) fn take_hold(&mut self) -> Hold {
        std::mem::take(&mut self.hold)
    }

    /// The next frame; `None` at the end. Nothing is lost when this future is dropped.
    ///
    /// # Errors
    /// `UnexpectedEof` when the stream ends within a frame, `TimedOut` when it stalls within one,
    /// `InvalidData` for a length beyond [`MAX_PAYLOAD`] (the frame before it was [`Frame::TooLong`]), or
    /// the stream's own.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let thrown = self.discard.min(self.bytes.len());
            self.bytes.advance(thrown);
            self.discard -= thrown;
            if self.discard > MAX_PAYLOAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.discard == 0
                && let Some(frame) = self.take().await
            {
                self.deadline = None;
                return Ok(Some(frame));
            }
            let begun = self.discard > 0 || self.large.is_some() || !self.bytes.is_empty();
            if begun && self.deadline.is_none() {
                self.deadline = Instant::now().checked_add(self.patience);
            }
            let deadline = self.deadline.filter(|_| begun);
            let read = async {
                if let Some(large) = &mut self.large {
                    // The next frame stays where it is.
                    let missing = large.length - large.bytes.len();
                    return self.io.read_buf(&mut (&mut *large.bytes).limit(missing)).await;
                }
                let room = if begun { STEP.saturating_sub(self.bytes.len()).max(1) } else { HEADER };
                self.bytes.reserve(room);
                self.io.read_buf(&mut self.bytes).await
            };
            let read = match deadline {
                None => read.await?,
                Some(deadline) => tokio::time::timeout_at(deadline, read)
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??,
            };
            if read == 0 {
                return if begun { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
            }
        }
    }

    /// The frame that is whole, or is not going to be. It waits for nothing but memory.
    async fn take(&mut self) -> Option<Frame> {
        if let Some(large) = self.large.take_if(|large| large.bytes.len() == large.length) {
            self.hold = large.hold;
            return Some(Frame::Whole(large.header, Bytes::from_owner(large.bytes)));
        }
        if self.large.is_some() {
            return None;
        }
        let header = Header::from_bytes(*self.bytes.first_chunk()?);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length > self.max {
            return Some(self.discarded(length, Frame::TooLong(header)));
        }
        if length > LARGE {
            let Some(hold) = self.memory(length).await else {
                return Some(self.discarded(length, Frame::NoRoom(header)));
            };
            // Exactly as much as is needed, so that no grown buffer is left behind. The system gives the
            // pages when they are written: what a peer only announces takes none.
            let mut bytes = Zeroizing::new(Vec::with_capacity(length));
            self.bytes.advance(HEADER);
            self.move_to(length, &mut bytes);
            if bytes.len() < length {
                self.large = Some(Large { header, length, bytes, hold });
                return None;
            }
            self.hold = hold;
            return Some(Frame::Whole(header, Bytes::from_owner(bytes)));
        }
        if self.bytes.len() - HEADER < length {
            return None;
        }
        self.bytes.advance(HEADER);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        self.move_to(length, &mut bytes);
        self.hold = Hold::default();
        Some(Frame::Whole(header, Bytes::from_owner(bytes)))
    }

    fn discarded(&mut self, length: usize, frame: Frame) -> Frame {
        self.bytes.advance(HEADER);
        self.discard = length;
        frame
    }

    /// Moves up to so many bytes out of what was read; none are left there.
    fn move_to(&mut self, most: usize, to: &mut Vec<u8>) {
        let count = most.min(self.bytes.len());
        let (moved, _) = self.bytes.split_at_mut(count);
        to.extend_from_slice(moved);
        moved.zeroize();
        self.bytes.advance(count);
    }

    /// The memory of a large payload; `None` if there was none in time. Then the frame has its time to
    /// arrive: the wait was ours.
    async fn memory(&mut self, length: usize) -> Option<Hold> {
        let Some(ration) = &self.ration else { return Some(Hold::default()) };
        let until = *self.queued.get_or_insert_with(|| {
            let now = Instant::now();
            now.checked_add(ration.wait).unwrap_or(now)
        });
        let hold = tokio::time::timeout_at(until, ration.take(length)).await.ok();
        self.queued = None;
        self.deadline = None;
        hold
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use proptest::prelude::{any, prop_assert_eq, proptest};
    use tokio::io::ReadBuf;

    use super::*;

    /// Bytes that come in pieces, each after a pause.
    struct Pieces(VecDeque<Vec<u8>>, bool);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.1 = !self.1;
            if self.1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(mut piece) = self.0.pop_front() {
                let rest = piece.split_off(piece.len().min(buf.remaining()));
                buf.put_slice(&piece);
                if !rest.is_empty() {
                    self.0.push_front(rest);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    /// The frames, and how the stream ended. With `drops`, the future is dropped whenever it waits.
    fn read(pieces: Vec<Vec<u8>>, max: usize, drops: bool) -> (Vec<Frame>, Option<io::ErrorKind>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
            let mut reader = FrameReader::new(Pieces(pieces, false), max, Duration::from_secs(60));
            let mut frames = Vec::new();
            loop {
                let next = if drops {
                    tokio::select! {
                        biased;
                        next = reader.next() => next,
                        () = std::future::ready(()) => continue,
                    }
                } else {
                    reader.next().await
                };
                match next {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => return (frames, None),
                    Err(error) => return (frames, Some(error.kind())),
                }
            }
        })
    }

    fn written(frames: &[(u32, u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (stream, kind, payload) in frames {
            let header = Header {
                length: u32::try_from(payload.len()).unwrap(),
                stream: *stream,
                kind: *kind,
                flags: 0,
            };
            bytes.extend_from_slice(&header.to_bytes());
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    proptest! {
        #[test]
        fn however_the_bytes_come_the_same_frames_come_out(
            frames: Vec<(u32, u8, Vec<u8>)>, step in 1_usize..40, drops: bool,
        ) {
            let bytes = written(&frames);
            let pieces = bytes.chunks(step).map(<[u8]>::to_vec).collect();
            let max = 50;
            let expected: Vec<Frame> = frames
                .into_iter()
                .map(|(stream, kind, payload)| {
                    let header = Header { length: u32::try_from(payload.len()).unwrap(), stream, kind, flags: 0 };
                    if payload.len() > max {
                        Frame::TooLong(header)
                    } else {
                        Frame::Whole(header, payload.into())
                    }
                })
                .collect();
            prop_assert_eq!(read(pieces, max, drops), (expected, None));
        }

        #[test]
        fn a_stream_that_ends_within_a_frame_says_so(payload: Vec<u8>, cut in any::<proptest::sample::Index>()) {
            let bytes = written(&[(1, 1, payload)]);
            let cut = 1 + cut.index(bytes.len() - 1);
            let (frames, end) = read(vec![bytes[..cut].to_vec()], 1000, false);
            prop_assert_eq!((frames.len(), end), (0, Some(io::ErrorKind::UnexpectedEof)));
        }

        #[test]
        fn headers_keep_their_bytes(bytes: [u8; HEADER]) {
            prop_assert_eq!(Header::from_bytes(bytes).to_bytes(), bytes);
        }
    }
}
