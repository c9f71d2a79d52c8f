//! HTTP/1.1 or HTTP/2, where TLS does not say: by a connection's first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with (RFC 9113, 3.4); no request of HTTP/1.1 does.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until it is clear which version the client speaks. True for HTTP/2. The stream that is given
/// back still gives the bytes read.
///
/// # Errors
/// When the stream cannot be read, or ends within the preface.
pub(crate) async fn is_http2<S>(mut stream: S) -> io::Result<(bool, Replayed<S>)>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = Vec::with_capacity(PREFACE.len());
    loop {
        if !PREFACE.starts_with(&bytes) || bytes.len() == PREFACE.len() {
            return Ok((bytes == PREFACE, Replayed { bytes, next: 0, stream }));
        }
        let left = PREFACE.len().saturating_sub(bytes.len());
        let room = u64::try_from(left).unwrap_or_default();
        if (&mut stream).take(room).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A stream whose first bytes were read already, and are given again.
pub(crate) struct Replayed<S> {
    bytes: Vec<u8>,
    next: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.bytes.get(self.next..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..count).unwrap_or_default());
        self.next = self.next.saturating_add(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is found in `bytes` that come in pieces of `piece`, and what can be read afterwards.
    fn found(bytes: &[u8], piece: usize) -> io::Result<(bool, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(piece);
            let bytes = bytes.to_vec();
            let writing = async move {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut client, &bytes).await;
            };
            let reading = async {
                let (http2, mut replayed) = is_http2(server).await?;
                let mut all = Vec::new();
                replayed.read_to_end(&mut all).await?;
                Ok((http2, all))
            };
            tokio::join!(writing, reading).1
        })
    }

    #[test]
    fn the_preface_in_any_pieces_is_http2_and_nothing_is_lost() {
        let bytes = [PREFACE.as_slice(), b"and what follows"].concat();
        for piece in 1..40 {
            assert_eq!(found(&bytes, piece).unwrap(), (true, bytes.clone()));
        }
    }

    #[test]
    fn other_beginnings_are_not() {
        for text in
            ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", "P", "PRI * HTTP/1.1\r\n\r\n"]
        {
            let ends_within = PREFACE.starts_with(text.as_bytes());
            match found(text.as_bytes(), 100) {
                Ok(found) => assert_eq!(found, (false, text.as_bytes().to_vec())),
                Err(_) => assert!(ends_within, "{text}"),
            }
        }
        assert!(found(b"", 3).is_err());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_given_again(bytes in proptest::collection::vec(any::<u8>(), 25..60), piece in 1..60_usize) {
            let expected = (bytes.starts_with(PREFACE), bytes.clone());
            prop_assert_eq!(found(&bytes, piece).unwrap(), expected);
        }
    }
}
