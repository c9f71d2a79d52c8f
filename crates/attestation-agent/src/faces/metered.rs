//! The body of a gRPC request that takes its memory when it turns out to be large. How long it is nobody
//! says before it comes, so it takes that of the longest.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::LARGE;
use super::budget::Hold;
use super::calls::Shared;
use super::grpc::status;
use crate::error::AgentError;

/// The memory that the body took. It outlives the body: the message that was in it is worked on.
pub(crate) type Memory = Arc<Mutex<Hold>>;

type Waiting = Pin<Box<dyn Future<Output = Result<Hold, AgentError>> + Send>>;

struct Metered {
    inner: Body,
    shared: Arc<Shared>,
    /// How many bytes came.
    count: usize,
    /// How many bytes the longest body has.
    longest: usize,
    asked: bool,
    waiting: Option<Waiting>,
    memory: Memory,
}

/// What makes a body one that takes memory, and that memory. A body may be `envelope` bytes longer than a
/// message.
pub(crate) fn metered(shared: &Arc<Shared>, envelope: usize) -> (impl FnOnce(Body) -> Body + use<>, Memory) {
    let memory = Memory::default();
    let (shared, taken) = (Arc::clone(shared), Arc::clone(&memory));
    let longest = shared.limits.body_bytes.saturating_add(envelope);
    let body = move |inner| {
        Body::new(Metered { inner, shared, count: 0, longest, asked: false, waiting: None, memory: taken })
    };
    (body, memory)
}

impl hyper::body::Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.count > LARGE && !this.asked {
            this.asked = true;
            let (shared, longest) = (Arc::clone(&this.shared), this.longest);
            this.waiting = Some(Box::pin(async move { shared.memory(longest).await }));
        }
        if let Some(waiting) = &mut this.waiting {
            let taken = ready!(waiting.as_mut().poll(cx));
            this.waiting = None;
            match taken {
                Ok(hold) => *this.memory.lock().unwrap_or_else(PoisonError::into_inner) = hold,
                Err(error) => return Poll::Ready(Some(Err(status(&error)))),
            }
        }
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.count = this.count.saturating_add(data.len());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
