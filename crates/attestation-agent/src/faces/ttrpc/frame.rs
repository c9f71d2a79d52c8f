//! Frames and the messages in them.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;

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

/// How many bytes are made room for at a time: what a peer only announces takes none.
const STEP: usize = 64 << 10;

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
    /// Not looked at.
    #[prost(message, repeated, tag = "5")]
    pub metadata: Vec<KeyValue>,
}

/// One of the metadata.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
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
    /// A whole one.
    Whole(Header, Bytes),
    /// A longer one than is read; its payload is thrown away.
    TooLong(Header),
}

/// Takes frames out of a stream of bytes.
pub struct FrameReader<R> {
    io: R,
    bytes: BytesMut,
    /// What is still to be thrown away.
    discard: usize,
    max: usize,
    patience: Duration,
    /// When the frame that has begun must be here.
    deadline: Option<Instant>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads payloads of up to `max` bytes. A frame that began must arrive within `patience`.
    pub fn new(io: R, max: usize, patience: Duration) -> Self {
        FrameReader { io, bytes: BytesMut::new(), discard: 0, max, patience, deadline: None }
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
                && let Some(frame) = self.take()
            {
                self.deadline = None;
                return Ok(Some(frame));
            }
            let begun = self.discard > 0 || !self.bytes.is_empty();
            if begun && self.deadline.is_none() {
                self.deadline = Instant::now().checked_add(self.patience);
            }
            self.bytes.reserve(if begun { STEP } else { HEADER });
            let read = self.io.read_buf(&mut self.bytes);
            let read = match self.deadline.filter(|_| begun) {
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

    fn take(&mut self) -> Option<Frame> {
        let header = Header::from_bytes(*self.bytes.first_chunk()?);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length > self.max {
            self.bytes.advance(HEADER);
            self.discard = length;
            return Some(Frame::TooLong(header));
        }
        if self.bytes.len() - HEADER < length {
            return None;
        }
        self.bytes.advance(HEADER);
        Some(Frame::Whole(header, self.bytes.split_to(length).freeze()))
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
