//! A whole log: its header, its events, its end.

use std::ops::Range;

use bytes::Bytes;

use crate::event::StoredDigest;
use crate::reader::{Reader, usize_from};
use crate::{Event, EventLogError, EventType, SpecId, TcgAlgorithm};

/// The longest log that is read, in bytes (16 MiB). ACPI tables have 64 KiB to 1 MiB.
pub const MAX_LOG_LEN: usize = 16 << 20;
/// The longest data of one event, in bytes (1 MiB).
pub const MAX_EVENT_LEN: u32 = 1 << 20;
/// The most events in a log.
pub const MAX_EVENTS: usize = 1 << 16;
/// The most digests of one event.
pub const MAX_DIGESTS: u32 = 16;

/// How many bytes of 0x00 or 0xff end a log.
const END_LEN: usize = 8;

/// An event log: parsed once, its bytes kept, its events views of them.
#[derive(Clone, Debug)]
pub struct EventLog {
    bytes: Bytes,
    spec_id: SpecId,
    records: Vec<Record>,
    digests: Vec<StoredDigest>,
    events_end: usize,
}

/// Where an event stands.
#[derive(Clone, Debug)]
struct Record {
    offset: usize,
    index: u32,
    event_type: EventType,
    digests: Range<usize>,
    data: Range<usize>,
}

impl EventLog {
    /// Reads a log (TCG PC Client Platform Firmware Profile 1.06, section 10). The limits are
    /// [`MAX_LOG_LEN`], [`MAX_EVENTS`], [`MAX_EVENT_LEN`], [`MAX_DIGESTS`] and
    /// [`crate::MAX_ALGORITHMS`]; what is kept of an event is its place, so a log in memory takes its own
    /// size, about 80 bytes for each event and 32 for each digest.
    ///
    /// # Errors
    /// [`EventLogError`], with the offset.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, EventLogError> {
        let bytes: Bytes = bytes.into();
        if bytes.len() > MAX_LOG_LEN {
            return Err(EventLogError::TooLong { found: bytes.len(), max: MAX_LOG_LEN });
        }
        let mut r = Reader::new(&bytes);
        let spec_id = SpecId::read(&mut r)?;
        let events_start = r.offset();
        EventLog::read_events(spec_id, bytes, events_start)
    }

    /// Reads events without a header of their own, as if after this one. The limits are the same.
    pub(crate) fn parse_events(spec_id: SpecId, bytes: Bytes) -> Result<Self, EventLogError> {
        if bytes.len() > MAX_LOG_LEN {
            return Err(EventLogError::TooLong { found: bytes.len(), max: MAX_LOG_LEN });
        }
        EventLog::read_events(spec_id, bytes, 0)
    }

    fn read_events(spec_id: SpecId, bytes: Bytes, start: usize) -> Result<Self, EventLogError> {
        let mut r = Reader::new(&bytes);
        r.take(start, "header")?;
        let mut records = Vec::new();
        let mut digests = Vec::new();
        while !at_end(&r)? {
            if records.len() >= MAX_EVENTS {
                return Err(EventLogError::TooManyEvents { offset: r.offset(), max: MAX_EVENTS });
            }
            records.push(read_event(&mut r, &spec_id, &mut digests)?);
        }
        let events_end = r.offset();
        Ok(EventLog { bytes, spec_id, records, digests, events_end })
    }

    /// The header. Not measured.
    pub fn spec_id(&self) -> &SpecId {
        &self.spec_id
    }

    /// The events in the order of the log, without the header.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> + Clone {
        self.records.iter().enumerate().map(|(position, record)| Event {
            position,
            offset: record.offset,
            index: record.index,
            event_type: record.event_type,
            data: self.bytes.get(record.data.clone()).unwrap_or_default(),
            digests: self.digests.get(record.digests.clone()).unwrap_or_default(),
            log: &self.bytes,
        })
    }

    /// The header and the events as they were read, without the end and the padding. An agent that
    /// adds events to a log begins with these bytes.
    pub fn without_end(&self) -> Bytes {
        self.bytes.slice(..self.events_end)
    }
}

/// Whether the log ends here: no bytes are left, or padding. A tail that is shorter than an end
/// of eight bytes is taken for an event, which it then is not.
fn at_end(r: &Reader<'_>) -> Result<bool, EventLogError> {
    let rest = r.rest();
    let Some((first, after)) = rest.split_first() else { return Ok(true) };
    let end = rest.get(..END_LEN).unwrap_or_default();
    if !matches!(first, 0x00 | 0xff) || end.is_empty() || !end.iter().all(|b| b == first) {
        return Ok(false);
    }
    match after.iter().position(|b| b != first) {
        None => Ok(true),
        Some(position) => Err(EventLogError::AfterEnd {
            offset: r.offset().saturating_add(1).saturating_add(position),
            expected: *first,
            found: after.get(position).copied().unwrap_or_default(),
        }),
    }
}

fn read_event(
    r: &mut Reader<'_>,
    spec_id: &SpecId,
    digests: &mut Vec<StoredDigest>,
) -> Result<Record, EventLogError> {
    let offset = r.offset();
    let index = r.u32("pcrIndex")?;
    let event_type = EventType(r.u32("eventType")?);
    let at_count = r.offset();
    let count = r.u32("digest count")?;
    at_most(at_count, "digest count", count, MAX_DIGESTS)?;
    let first_digest = digests.len();
    for _ in 0..count {
        let at_id = r.offset();
        let algorithm = TcgAlgorithm::from_id(r.u16("digest algorithm")?);
        let len = spec_id
            .digest_len(algorithm)
            .ok_or(EventLogError::AlgorithmNotInTable { offset: at_id, algorithm })?;
        let start = r.offset();
        r.take(len, "digest")?;
        digests.push(StoredDigest { algorithm, range: start..r.offset() });
    }
    let at_size = r.offset();
    let size = r.u32("eventSize")?;
    at_most(at_size, "eventSize", size, MAX_EVENT_LEN)?;
    let start = r.offset();
    r.take(usize_from(size), "event")?;
    let data = start..r.offset();
    Ok(Record { offset, index, event_type, digests: first_digest..digests.len(), data })
}

fn at_most(offset: usize, field: &'static str, found: u32, max: u32) -> Result<(), EventLogError> {
    if found <= max { Ok(()) } else { Err(EventLogError::OutOfRange { offset, field, min: 0, max, found }) }
}
