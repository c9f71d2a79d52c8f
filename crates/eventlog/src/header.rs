//! The first event: which specification the log follows, and its algorithms.

use std::ops::RangeInclusive;

use crate::reader::{Reader, usize_from};
use crate::{EventLogError, EventType, TcgAlgorithm};

/// The most algorithms in a log's table. Real logs have one to five.
pub const MAX_ALGORITHMS: u32 = 16;

/// The digests of an algorithm that is not known, in bytes. None in the TCG registry is shorter than SHA-1's,
/// and shorter ones would let a small log hold a million.
const DIGEST_LENS: RangeInclusive<u32> = 20..=256;

pub(crate) const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";

/// The first event of a crypto-agile log, `TCG_EfiSpecIdEvent` (TCG PC Client Platform Firmware
/// Profile 1.06, 10.4.5.1). It is not measured: nothing in it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecId {
    /// The register index of the event: 0 by the specification, 1 as TDVF writes it.
    pub index: u32,
    /// 0 client, 1 server.
    pub platform_class: u32,
    /// Major, minor and errata number of the specification.
    pub version: [u8; 3],
    /// The size of the firmware's UINTN: 1 for 32 bits, 2 for 64 bits.
    pub uintn_size: u8,
    /// The algorithms of the log, each with the length of its digests in bytes. No algorithm is there
    /// twice, and known ones have their length.
    pub algorithms: Vec<(TcgAlgorithm, usize)>,
    /// What the vendor adds, at most 255 bytes.
    pub vendor_info: Vec<u8>,
}

impl SpecId {
    /// The length of this algorithm's digests in bytes, where the table has it.
    pub fn digest_len(&self, algorithm: TcgAlgorithm) -> Option<usize> {
        self.algorithms.iter().find(|(a, _)| *a == algorithm).map(|(_, len)| *len)
    }

    /// The header of a log with one algorithm, as [`crate::EventLogBuilder`] writes it.
    pub(crate) fn of_one(algorithm: TcgAlgorithm, digest_len: usize) -> Self {
        SpecId {
            index: 1,
            platform_class: 0,
            version: [2, 0, 0],
            uintn_size: 2,
            algorithms: vec![(algorithm, digest_len)],
            vendor_info: Vec::new(),
        }
    }

    /// Reads the first event, a `TCG_PCR_EVENT`, whose shape is that of SHA-1 logs.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, EventLogError> {
        let index = r.u32("pcrIndex of the header")?;
        let at_type = r.offset();
        let event_type = EventType(r.u32("eventType of the header")?);
        if event_type != EventType::NO_ACTION {
            return Err(EventLogError::Field {
                offset: at_type,
                field: "eventType of the header",
                expected: "EV_NO_ACTION",
                found: event_type.to_string(),
            });
        }
        let at_digest = r.offset();
        let digest: [u8; 20] = r.array("digest of the header")?;
        if digest != [0; 20] {
            return Err(EventLogError::Field {
                offset: at_digest,
                field: "digest of the header",
                expected: "20 bytes of zero",
                found: hex::encode(digest),
            });
        }
        let size = r.u32("eventDataSize of the header")?;
        let mut r = r.part(usize_from(size), "event of the header")?;
        let at_signature = r.offset();
        let signature: [u8; 16] = r.array("signature")?;
        if signature != *SIGNATURE {
            return Err(EventLogError::Field {
                offset: at_signature,
                field: "signature",
                expected: "\"Spec ID Event03\" (a crypto-agile log)",
                found: signature.escape_ascii().to_string(),
            });
        }
        let platform_class = r.u32("platformClass")?;
        let [minor, major, errata, uintn_size] = r.array("specVersion and uintnSize")?;
        let algorithms = algorithms(&mut r)?;
        let vendor_info_size = r.u8("vendorInfoSize")?;
        let vendor_info = r.take(usize::from(vendor_info_size), "vendorInfo")?.to_vec();
        if !r.rest().is_empty() {
            return Err(EventLogError::Field {
                offset: r.offset(),
                field: "event of the header",
                expected: "its end after vendorInfo",
                found: format!("{} more bytes", r.rest().len()),
            });
        }
        let version = [major, minor, errata];
        Ok(SpecId { index, platform_class, version, uintn_size, algorithms, vendor_info })
    }
}

fn algorithms(r: &mut Reader<'_>) -> Result<Vec<(TcgAlgorithm, usize)>, EventLogError> {
    let at_count = r.offset();
    let count = r.u32("numberOfAlgorithms")?;
    in_range(at_count, "numberOfAlgorithms", count, 1..=MAX_ALGORITHMS)?;
    let mut algorithms: Vec<(TcgAlgorithm, usize)> = Vec::new();
    for _ in 0..count {
        let at_id = r.offset();
        let algorithm = TcgAlgorithm::from_id(r.u16("algorithmId")?);
        if algorithms.iter().any(|(a, _)| *a == algorithm) {
            return Err(EventLogError::RepeatedAlgorithm { offset: at_id, algorithm });
        }
        let at_size = r.offset();
        let size = r.u16("digestSize")?;
        let found = usize::from(size);
        match algorithm.digest_len() {
            Some(expected) if expected != found => {
                return Err(EventLogError::DigestSize { offset: at_size, algorithm, expected, found });
            }
            Some(_) => {}
            None => in_range(at_size, "digestSize", u32::from(size), DIGEST_LENS)?,
        }
        algorithms.push((algorithm, found));
    }
    Ok(algorithms)
}

fn in_range(
    offset: usize,
    field: &'static str,
    found: u32,
    range: RangeInclusive<u32>,
) -> Result<(), EventLogError> {
    let (min, max) = (*range.start(), *range.end());
    if range.contains(&found) {
        Ok(())
    } else {
        Err(EventLogError::OutOfRange { offset, field, min, max, found })
    }
}
