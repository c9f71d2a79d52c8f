//! Spans wait in a bounded queue and are sent together. Who ends a span never waits: where the queue is
//! full the span is dropped, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::attribute::tidy;
use crate::TraceSettings;

/// The greatest number of spans in one export.
const BATCH: usize = 512;

/// What became of the spans of this process.
#[derive(Debug, Default)]
pub struct SpanCounts {
    dropped: AtomicU64,
    failed: AtomicU64,
    exported: AtomicU64,
}

impl SpanCounts {
    /// Spans that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Spans that the collector did not take.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Spans that the collector took.
    pub fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }
}

enum Message {
    Span(Box<SpanData>),
    Flush(oneshot::Sender<()>),
}

/// The end of the queue where spans come in.
#[derive(Clone)]
pub(crate) struct Batches {
    queue: mpsc::Sender<Message>,
    counts: Arc<SpanCounts>,
}

/// Asks for everything that waits to be sent now.
pub(crate) struct Flush(mpsc::Sender<Message>);

impl Batches {
    /// Starts the task that sends. It ends when the last handle is gone.
    pub(crate) fn start<E: SpanExporter + 'static>(
        exporter: E,
        settings: &TraceSettings,
        counts: Arc<SpanCounts>,
    ) -> (Self, Flush) {
        let (queue, waiting) = mpsc::channel(settings.queue.max(1));
        let sending = Sending {
            exporter,
            waiting,
            counts: Arc::clone(&counts),
            delay: settings.delay,
            deadline: settings.deadline,
            answered: true,
        };
        tokio::spawn(sending.run());
        (Batches { queue: queue.clone(), counts }, Flush(queue))
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl SpanProcessor for Batches {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.queue.try_send(Message::Span(Box::new(span))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    // Flushing waits, and this may be called on a thread that must not: `Flush` does it.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn set_resource(&mut self, _: &Resource) {}
}

impl Flush {
    /// Sends everything that waits. Whether it was done by `deadline`.
    pub(crate) async fn now(&self, deadline: Instant) -> bool {
        let (done, is_done) = oneshot::channel();
        let asked = timeout_at(deadline, self.0.send(Message::Flush(done))).await;
        matches!(asked, Ok(Ok(()))) && matches!(timeout_at(deadline, is_done).await, Ok(Ok(())))
    }
}

/// The task that sends.
struct Sending<E> {
    exporter: E,
    waiting: mpsc::Receiver<Message>,
    counts: Arc<SpanCounts>,
    delay: Duration,
    deadline: Duration,
    /// Whether the collector took what it got last.
    answered: bool,
}

impl<E: SpanExporter> Sending<E> {
    async fn run(mut self) {
        while let Some(first) = self.waiting.recv().await {
            let mut batch = Vec::new();
            let mut asked = self.sort(first, &mut batch);
            let until = Instant::now() + self.delay;
            while asked.is_none() && batch.len() < BATCH {
                match timeout_at(until, self.waiting.recv()).await {
                    Ok(Some(message)) => asked = self.sort(message, &mut batch),
                    Ok(None) | Err(_) => break,
                }
            }
            self.export(batch).await;
            if let Some(done) = asked {
                // Who asked may have gone.
                let _ = done.send(());
            }
        }
    }

    fn sort(&self, message: Message, batch: &mut Vec<SpanData>) -> Option<oneshot::Sender<()>> {
        match message {
            Message::Span(span) => {
                batch.push(tidy(*span));
                None
            }
            Message::Flush(done) => Some(done),
        }
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let why = match timeout(self.deadline, self.exporter.export(batch)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it did not answer in time".to_owned()),
        };
        let count = if why.is_none() { &self.counts.exported } else { &self.counts.failed };
        count.fetch_add(spans, Ordering::Relaxed);
        // One line for each change: a collector that is away for a night is no reason for a full log.
        let before = std::mem::replace(&mut self.answered, why.is_none());
        match why {
            None if !before => tracing::info!("the OTLP collector takes spans again"),
            Some(why) if before => tracing::warn!(why, "the OTLP collector does not take spans"),
            _ => (),
        }
    }
}
