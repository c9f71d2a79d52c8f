//! One accepted connection: its bytes, its peer, and the times after which it ends by itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::places::Place;
use crate::caller::Peer;
use crate::error::AgentError;

/// Bytes to and from a peer.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An accepted connection, and its place among them.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// The other end.
    pub(crate) peer: Peer,
    /// Why it may do nothing here; it is told so, and no more.
    pub(crate) refusal: Option<AgentError>,
    leave: Option<Leave>,
    /// Ends the connection.
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// When a peer that takes nothing is given up.
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    _place: Place,
}

/// When a connection ends by itself, unless so many bytes came before.
pub(crate) struct Leave {
    at: Pin<Box<Sleep>>,
    unless: usize,
}

impl Leave {
    pub(crate) fn after(time: Duration, unless: usize) -> Self {
        Leave { at: Box::pin(tokio::time::sleep(time)), unless }
    }
}

impl Connection {
    pub(crate) fn new(
        stream: Box<dyn Stream>,
        peer: Peer,
        patience: Duration,
        leave: Option<Leave>,
        place: Place,
    ) -> Self {
        Connection { stream, peer, refusal: None, leave, cut: None, stalled: None, patience, _place: place }
    }

    /// The connection ends when `cut` is ready.
    pub(crate) fn cut_by(&mut self, cut: impl Future<Output = ()> + Send + 'static) {
        self.cut = Some(Box::pin(cut));
    }

    /// Whether the time of this connection is over; its peer's stream ends then.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(cut) = &mut self.cut
            && cut.as_mut().poll(cx).is_ready()
        {
            self.cut = None;
            self.leave = Some(Leave::after(Duration::ZERO, usize::MAX));
        }
        self.leave.as_mut().is_some_and(|leave| leave.at.as_mut().poll(cx).is_ready())
    }

    /// Passes a write on, but waits for the peer for so long only.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut dyn Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut *self.stream), cx);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over(cx) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let count = buf.filled().len().saturating_sub(before);
        self.leave = self.leave.take().filter(|leave| count < leave.unless).map(|mut leave| {
            leave.unless -= count;
            leave
        });
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, |stream, cx| stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
