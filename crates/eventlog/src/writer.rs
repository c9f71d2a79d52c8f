//! Writing logs, for agents and emulators.

use aws_lc_rs::digest as lc;

use crate::header::SIGNATURE;
use crate::{Aael, EventType, MAX_ALGORITHMS, MAX_EVENT_LEN, TcgAlgorithm, UnsupportedAlgorithm};

/// Why something cannot be written, so that it could be read again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotWrite {
    /// An algorithm whose digests are not computed here.
    #[error(transparent)]
    Algorithm(#[from] UnsupportedAlgorithm),
    /// No algorithm, one twice, or too many.
    #[error("a log has 1 to {MAX_ALGORITHMS} algorithms, each once")]
    Algorithms,
    /// The event's data is too long.
    #[error("an event has at most {MAX_EVENT_LEN} bytes, found {found}")]
    EventLen {
        /// Its length in bytes.
        found: usize,
    },
    /// Register and type of the event are both zero or both all ones: it would be read as the end.
    #[error("an event of register {index} and type {event_type} would be read as the end of the log")]
    LooksLikeEnd {
        /// The register index.
        index: u32,
        /// The type.
        event_type: EventType,
    },
}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// With the last event.
    Events,
    /// With eight bytes of 0xff, as the Attestation Agent writes it.
    Marker,
    /// With bytes of 0xff up to this size of the whole log, at least eight of them: an ACPI table as OVMF
    /// leaves it.
    Table {
        /// The size of the table in bytes.
        len: usize,
    },
}

/// Writes a log: the header, then events.
#[derive(Clone, Debug)]
pub struct EventLogBuilder {
    algorithms: Vec<(TcgAlgorithm, &'static lc::Algorithm)>,
    bytes: Vec<u8>,
    header_len: usize,
}

impl EventLogBuilder {
    /// A log whose events have a digest of each of these algorithms.
    ///
    /// # Errors
    /// [`CannotWrite::Algorithm`] and [`CannotWrite::Algorithms`].
    pub fn new(algorithms: &[TcgAlgorithm]) -> Result<Self, CannotWrite> {
        let mut table = Vec::new();
        for algorithm in algorithms {
            let implementation = algorithm.implementation()?;
            if table.iter().any(|(a, _)| a == algorithm) {
                return Err(CannotWrite::Algorithms);
            }
            table.push((*algorithm, implementation));
        }
        let count = u32::try_from(table.len()).map_err(|_| CannotWrite::Algorithms)?;
        if !(1..=MAX_ALGORITHMS).contains(&count) {
            return Err(CannotWrite::Algorithms);
        }
        let mut spec_id = SIGNATURE.to_vec();
        spec_id.extend([0; 4]); // platform class: client
        spec_id.extend([0, 2, 0, 2]); // version 2.0, no errata; UINTN of 64 bits
        spec_id.extend(count.to_le_bytes());
        for (algorithm, implementation) in &table {
            let len = u16::try_from(implementation.output_len()).map_err(|_| CannotWrite::Algorithms)?;
            spec_id.extend(algorithm.id().to_le_bytes());
            spec_id.extend(len.to_le_bytes());
        }
        spec_id.push(0); // no vendor information
        let mut builder = EventLogBuilder { algorithms: table, bytes: Vec::new(), header_len: 0 };
        builder.u32(1); // the index that TDVF writes
        builder.u32(EventType::NO_ACTION.0);
        builder.bytes.extend([0; 20]);
        builder.sized(&spec_id)?;
        builder.header_len = builder.bytes.len();
        Ok(builder)
    }

    /// Adds an event whose digests are those of its data.
    ///
    /// # Errors
    /// [`CannotWrite::EventLen`] and [`CannotWrite::LooksLikeEnd`].
    pub fn event(
        &mut self,
        index: u32,
        event_type: EventType,
        data: &[u8],
    ) -> Result<&mut Self, CannotWrite> {
        self.event_of(index, event_type, data, data)
    }

    /// Adds an event whose digests are those of `measured`, an image or a text, and whose data
    /// describes it.
    ///
    /// # Errors
    /// [`CannotWrite::EventLen`] and [`CannotWrite::LooksLikeEnd`].
    pub fn event_of(
        &mut self,
        index: u32,
        event_type: EventType,
        measured: &[u8],
        data: &[u8],
    ) -> Result<&mut Self, CannotWrite> {
        let digests: Vec<(TcgAlgorithm, Vec<u8>)> = self
            .algorithms
            .iter()
            .map(|(algorithm, implementation)| {
                (*algorithm, lc::digest(implementation, measured).as_ref().to_vec())
            })
            .collect();
        let digests: Vec<(TcgAlgorithm, &[u8])> = digests.iter().map(|(a, d)| (*a, d.as_slice())).collect();
        self.event_with(index, event_type, &digests, data)
    }

    /// Adds an event with these digests, whatever they are: for emulated guests and tests. Nothing is
    /// checked but what would not fit its field.
    ///
    /// # Errors
    /// [`CannotWrite::EventLen`] and [`CannotWrite::LooksLikeEnd`].
    pub fn event_with(
        &mut self,
        index: u32,
        event_type: EventType,
        digests: &[(TcgAlgorithm, &[u8])],
        data: &[u8],
    ) -> Result<&mut Self, CannotWrite> {
        // Before anything is written, so that a refused event leaves no half of it.
        let count = u32::try_from(digests.len()).map_err(|_| CannotWrite::Algorithms)?;
        event_len(data)?;
        if index == event_type.0 && matches!(index, 0 | u32::MAX) {
            return Err(CannotWrite::LooksLikeEnd { index, event_type });
        }
        self.u32(index);
        self.u32(event_type.0);
        self.u32(count);
        for (algorithm, digest) in digests {
            self.bytes.extend(algorithm.id().to_le_bytes());
            self.bytes.extend_from_slice(digest);
        }
        self.sized(data)?;
        Ok(self)
    }

    /// Adds an AAEL entry: an `EV_EVENT_TAG` event, its digests those of tag, size and text.
    ///
    /// # Errors
    /// [`CannotWrite::EventLen`].
    pub fn aael(&mut self, index: u32, entry: &Aael<'_>) -> Result<&mut Self, CannotWrite> {
        self.event(index, EventType::EVENT_TAG, &entry.to_tagged_event()?)
    }

    /// The events without the header and without an end.
    pub fn events(&self) -> &[u8] {
        self.bytes.get(self.header_len..).unwrap_or_default()
    }

    /// The bytes of the log.
    pub fn build(&self, end: LogEnd) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        match end {
            LogEnd::Events => {}
            LogEnd::Marker => bytes.extend([0xff; 8]),
            LogEnd::Table { len } => {
                let with_marker = bytes.len().saturating_add(8);
                bytes.resize(len.max(with_marker), 0xff);
            }
        }
        bytes
    }

    fn u32(&mut self, number: u32) {
        self.bytes.extend(number.to_le_bytes());
    }

    fn sized(&mut self, data: &[u8]) -> Result<(), CannotWrite> {
        self.u32(event_len(data)?);
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

pub(crate) fn event_len(data: &[u8]) -> Result<u32, CannotWrite> {
    u32::try_from(data.len())
        .ok()
        .filter(|len| *len <= MAX_EVENT_LEN)
        .ok_or(CannotWrite::EventLen { found: data.len() })
}
