//! Event logs as a TD's firmware writes them (TCG PC Client Platform Firmware Profile, section 10; UEFI 2.10,
//! section 38, for the registers). Numbers are little-endian.
//!
//! They are written here and not with the parser's crate, so that the two judge each other.

use sha2::{Digest as _, Sha256, Sha384};

use super::quote::length32;

/// The registers by the index in the log.
pub mod index {
    /// MRTD. What is logged here is bound to nothing.
    pub const MRTD: u32 = 0;
    /// RTMR0: firmware and its configuration.
    pub const RTMR0: u32 = 1;
    /// RTMR1: boot loader and kernel.
    pub const RTMR1: u32 = 2;
    /// RTMR2: command line and initial file system.
    pub const RTMR2: u32 = 3;
    /// RTMR3: what the guest measures while it runs.
    pub const RTMR3: u32 = 4;
}

/// Algorithms of digests (TCG Algorithm Registry).
pub mod algorithm {
    /// SHA-256, 32 bytes.
    pub const SHA256: u16 = 0x000b;
    /// SHA-384, 48 bytes.
    pub const SHA384: u16 = 0x000c;
}

/// Types of events.
pub mod event_type {
    /// Not measured.
    pub const NO_ACTION: u32 = 0x03;
    /// End of a phase.
    pub const SEPARATOR: u32 = 0x04;
    /// An id, a length and that many bytes.
    pub const EVENT_TAG: u32 = 0x06;
    /// Configuration of the platform.
    pub const PLATFORM_CONFIG_FLAGS: u32 = 0x0a;
    /// A boot loader's.
    pub const IPL: u32 = 0x0d;
    /// A UEFI variable of the configuration.
    pub const EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
    /// A UEFI variable of the boot order.
    pub const EFI_VARIABLE_BOOT: u32 = 0x8000_0002;
    /// A program started by the firmware.
    pub const EFI_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
    /// An action of the firmware.
    pub const EFI_ACTION: u32 = 0x8000_0007;
    /// A piece of firmware.
    pub const EFI_PLATFORM_FIRMWARE_BLOB2: u32 = 0x8000_000a;
    /// Tables handed over by the host.
    pub const EFI_HANDOFF_TABLES2: u32 = 0x8000_000b;
}

/// The id of the Attestation Agent's events: `LEAA` on disk.
const AAEL: u32 = 0x4141_454c;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The register, see [`index`].
    pub index: u32,
    /// The type, see [`event_type`].
    pub event_type: u32,
    /// The digests, each with its algorithm.
    pub digests: Vec<(u16, Vec<u8>)>,
    /// The event itself.
    pub data: Vec<u8>,
}

impl Event {
    /// An event whose digest is the SHA-384 of `measured`, which need not be the event.
    pub fn measured(index: u32, event_type: u32, measured: &[u8], data: Vec<u8>) -> Self {
        let digest = Sha384::digest(measured).to_vec();
        Event { index, event_type, digests: vec![(algorithm::SHA384, digest)], data }
    }

    /// An event whose digest is its own.
    pub fn of_data(index: u32, event_type: u32, data: Vec<u8>) -> Self {
        Event::measured(index, event_type, &data.clone(), data)
    }

    /// A tagged event (EV_EVENT_TAG) that measures something else.
    pub fn tagged(index: u32, id: u32, text: &[u8], measured: &[u8]) -> Self {
        Event::measured(index, event_type::EVENT_TAG, measured, tagged_event(id, text))
    }

    /// An event of the Attestation Agent: the text `<domain> <operation> <content>`, tagged, and measured
    /// with its tag.
    pub fn aael(index: u32, domain: &str, operation: &str, content: &str) -> Self {
        let text = format!("{domain} {operation} {content}");
        Event::of_data(index, event_type::EVENT_TAG, tagged_event(AAEL, text.as_bytes()))
    }

    /// Gives it one digest, the SHA-256 of what it says: one that no register is extended with.
    pub fn with_sha256(mut self) -> Self {
        self.digests = vec![(algorithm::SHA256, Sha256::digest(&self.data).to_vec())];
        self
    }

    /// The digest that the register is extended with.
    pub fn sha384(&self) -> Option<&[u8]> {
        self.digests.iter().find(|(id, _)| *id == algorithm::SHA384).map(|(_, digest)| digest.as_slice())
    }

    /// TCG_PCR_EVENT2.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out =
            [self.index.to_le_bytes(), self.event_type.to_le_bytes(), length32(self.digests.len())].concat();
        for (id, digest) in &self.digests {
            out.extend_from_slice(&id.to_le_bytes());
            out.extend_from_slice(digest);
        }
        out.extend_from_slice(&length32(self.data.len()));
        out.extend_from_slice(&self.data);
        out
    }
}

/// TCG_PCClientTaggedEvent.
fn tagged_event(id: u32, data: &[u8]) -> Vec<u8> {
    [id.to_le_bytes().as_slice(), &length32(data.len()), data].concat()
}

/// A whole log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    /// The algorithms that the first event declares, each with the length of its digests.
    pub algorithms: Vec<(u16, u16)>,
    /// The events.
    pub events: Vec<Event>,
    /// What follows the last event; the Attestation Agent ends a log with eight bytes of 0xFF.
    pub end: Vec<u8>,
}

impl EventLog {
    /// A log of SHA-384 with these events.
    pub fn new(events: Vec<Event>) -> Self {
        EventLog { algorithms: vec![(algorithm::SHA384, 48)], events, end: vec![0xff; 8] }
    }

    /// The encoded log. The first event is a TCG_PCClientPCREvent of the type EV_NO_ACTION with
    /// TCG_EfiSpecIDEvent in it; its register is 1, as TDVF writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut id = b"Spec ID Event03\0".to_vec();
        // platformClass, version 2.0 errata 0, UINTN of 64 bits
        id.extend_from_slice(&[0, 0, 0, 0, 0, 2, 0, 2]);
        id.extend_from_slice(&length32(self.algorithms.len()));
        for (algorithm, len) in &self.algorithms {
            id.extend_from_slice(&algorithm.to_le_bytes());
            id.extend_from_slice(&len.to_le_bytes());
        }
        // No vendor information.
        id.push(0);
        let mut out = [index::RTMR0.to_le_bytes(), event_type::NO_ACTION.to_le_bytes()].concat();
        out.extend_from_slice(&[0; 20]);
        out.extend_from_slice(&length32(id.len()));
        out.extend_from_slice(&id);
        out.extend(self.events.iter().flat_map(Event::to_bytes));
        out.extend_from_slice(&self.end);
        out
    }

    /// RTMR0 to RTMR3 when these events are measured: zeros, and for each event of the register
    /// SHA-384(register || digest). Events of other registers and without a digest of SHA-384 change
    /// nothing, and EV_NO_ACTION is not measured.
    pub fn replay(&self) -> [[u8; 48]; 4] {
        let mut registers = [[0; 48]; 4];
        for event in self.events.iter().filter(|event| event.event_type != event_type::NO_ACTION) {
            let place = event.index.checked_sub(1).and_then(|place| usize::try_from(place).ok());
            let register = place.and_then(|place| registers.get_mut(place));
            if let (Some(register), Some(digest)) = (register, event.sha384()) {
                let mut hash = Sha384::new();
                hash.update(*register);
                hash.update(digest);
                *register = hash.finalize().into();
            }
        }
        registers
    }

    /// The first event of that type and register.
    pub fn find_mut(&mut self, index: u32, event_type: u32) -> Option<&mut Event> {
        self.events.iter_mut().find(|event| event.index == index && event.event_type == event_type)
    }
}
