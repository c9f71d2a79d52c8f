//! What the parser refuses, and where it says that it stopped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use assay_eventlog::{
    Aael, CannotWrite, EventLog, EventLogBuilder, EventLogError, EventType, LogEnd, MAX_EVENT_LEN,
    MAX_EVENTS, MAX_LOG_LEN, TcgAlgorithm, UnsupportedAlgorithm,
};

/// The length of the header that the builder writes for one algorithm.
const HEADER_LEN: usize = 65;
/// Where the event of the header begins.
const SPEC_ID: usize = 32;

fn small() -> EventLogBuilder {
    let mut log = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).unwrap();
    log.event(1, EventType::SEPARATOR, &[0; 4]).unwrap();
    log.event_of(2, EventType::EFI_ACTION, b"Exit", b"Exit").unwrap();
    log.aael(4, &Aael::new("a.org", "Run", "x").unwrap()).unwrap();
    log
}

fn refused(bytes: Vec<u8>) -> EventLogError {
    EventLog::parse(bytes).unwrap_err()
}

/// The bytes of `small` with `new` at `offset`.
fn with(offset: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = small().build(LogEnd::Marker);
    bytes[offset..offset + new.len()].copy_from_slice(new);
    bytes
}

fn found_in(error: &EventLogError) -> (usize, &'static str) {
    match error {
        EventLogError::Truncated { offset, field, .. }
        | EventLogError::Field { offset, field, .. }
        | EventLogError::OutOfRange { offset, field, .. } => (*offset, field),
        other => panic!("{other}"),
    }
}

#[test]
fn the_vector_of_the_agent() {
    let mut log = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).unwrap();
    log.aael(4, &Aael::new("domain", "operation", "content").unwrap()).unwrap();
    let entry = hex::encode(&log.build(LogEnd::Events)[HEADER_LEN..]);
    assert_eq!(
        entry,
        "0400000006000000010000000c00\
         dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02\
         200000004c45414118000000646f6d61696e206f7065726174696f6e20636f6e74656e74"
    );
}

#[test]
fn a_log_that_is_cut_is_shorter_or_refused() {
    let bytes = small().build(LogEnd::Events);
    let whole = EventLog::parse(bytes.clone()).unwrap();
    let ends: Vec<usize> = whole.events().map(|event| event.offset).chain([bytes.len()]).collect();
    assert_eq!(ends[0], HEADER_LEN);
    for len in 0..=bytes.len() {
        match EventLog::parse(bytes[..len].to_vec()) {
            Ok(log) => {
                let events = ends.iter().position(|end| *end == len);
                assert_eq!(Some(log.events().len()), events, "{len} bytes");
            }
            Err(EventLogError::Truncated { offset, expected, found, .. }) => {
                assert!(!ends.contains(&len), "{len} bytes");
                assert_eq!(offset + found, len);
                assert!(expected > found);
            }
            Err(other) => panic!("{len} bytes: {other}"),
        }
    }
}

#[test]
fn every_field_of_the_header_is_checked() {
    let cases: [(usize, &[u8], usize, &str); 9] = [
        (4, &[4, 0, 0, 0], 4, "eventType of the header"),
        (8 + 19, &[1], 8, "digest of the header"),
        (28, &[34, 0, 0, 0], SPEC_ID + 33, "event of the header"),
        (28, &[32, 0, 0, 0], SPEC_ID + 32, "vendorInfoSize"),
        (28, &[0xff; 4], SPEC_ID, "event of the header"),
        (SPEC_ID, b"Spec ID Event02\0", SPEC_ID, "signature"),
        (SPEC_ID + 24, &[0, 0, 0, 0], SPEC_ID + 24, "numberOfAlgorithms"),
        (SPEC_ID + 24, &[0xff, 0xff, 0xff, 0xff], SPEC_ID + 24, "numberOfAlgorithms"),
        (SPEC_ID + 32, &[255], SPEC_ID + 33, "vendorInfo"),
    ];
    for (at, new, offset, field) in cases {
        assert_eq!(found_in(&refused(with(at, new))), (offset, field), "{new:x?} at {at}");
    }
    let message = refused(with(SPEC_ID, b"Spec ID Event02\0")).to_string();
    assert_eq!(
        message,
        "offset 32: signature: expected \"Spec ID Event03\" (a crypto-agile log), found Spec ID Event02\\x00"
    );
}

#[test]
fn the_table_of_algorithms_is_checked() {
    assert_eq!(
        refused(with(SPEC_ID + 30, &[32, 0])),
        EventLogError::DigestSize {
            offset: SPEC_ID + 30,
            algorithm: TcgAlgorithm::Sha384,
            expected: 48,
            found: 32
        }
    );
    // An algorithm that is not known, with no length, with a too short and with an absurd one.
    for size in [[0, 0], [19, 0], [0xff, 0xff]] {
        let new = [&[0x27, 0][..], &size].concat();
        assert_eq!(found_in(&refused(with(SPEC_ID + 28, &new))), (SPEC_ID + 30, "digestSize"));
    }
    let mut two =
        EventLogBuilder::new(&[TcgAlgorithm::Sha256, TcgAlgorithm::Sha384]).unwrap().build(LogEnd::Events);
    two[SPEC_ID + 32] = 0x0b;
    assert_eq!(
        refused(two),
        EventLogError::RepeatedAlgorithm { offset: SPEC_ID + 32, algorithm: TcgAlgorithm::Sha256 }
    );
}

#[test]
fn an_algorithm_that_is_not_known_is_skipped_over_with_its_length() {
    // The table says that 0x27 has 48 bytes, and the first event has such a digest.
    let mut bytes = with(SPEC_ID + 28, &[0x27, 0]);
    for event in EventLog::parse(small().build(LogEnd::Marker)).unwrap().events() {
        bytes[event.offset + 12] = 0x27;
    }
    let log = EventLog::parse(bytes).unwrap();
    let unknown = TcgAlgorithm::Other(0x27);
    let event = log.events().next().unwrap();
    assert_eq!(event.digest(unknown).unwrap().len(), 48);
    assert_eq!(event.digest_matches(unknown), None);
    assert_eq!(log.replay(unknown).unwrap_err(), UnsupportedAlgorithm(unknown));
    // The known one extends nothing.
    assert_eq!(log.replay(TcgAlgorithm::Sha384).unwrap().extended().count(), 0);
}

#[test]
fn an_algorithm_that_is_not_in_the_table_is_refused() {
    for id in [0x0b_u16, 0x27, 0xffff] {
        assert_eq!(
            refused(with(HEADER_LEN + 12, &id.to_le_bytes())),
            EventLogError::AlgorithmNotInTable {
                offset: HEADER_LEN + 12,
                algorithm: TcgAlgorithm::from_id(id)
            }
        );
    }
}

#[test]
fn digest_counts() {
    let count = HEADER_LEN + 8;
    for lie in [17, 1 << 16, u32::MAX] {
        assert_eq!(
            refused(with(count, &lie.to_le_bytes())),
            EventLogError::OutOfRange { offset: count, field: "digest count", min: 0, max: 16, found: lie }
        );
    }
    // One more than there are: the event's size is taken for an algorithm.
    assert_eq!(
        refused(with(count, &[2, 0, 0, 0])),
        EventLogError::AlgorithmNotInTable { offset: HEADER_LEN + 12 + 50, algorithm: TcgAlgorithm::Sha1 }
    );
    let mut none = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).unwrap();
    none.event_with(1, EventType::SEPARATOR, &[], &[0; 4]).unwrap();
    let log = EventLog::parse(none.build(LogEnd::Events)).unwrap();
    assert_eq!(log.events().next().unwrap().digests().len(), 0);
}

#[test]
fn event_sizes_that_lie() {
    let at = HEADER_LEN + 12 + 50;
    for lie in [MAX_EVENT_LEN + 1, i32::MAX as u32, 0x8000_0000, u32::MAX] {
        assert_eq!(
            refused(with(at, &lie.to_le_bytes())),
            EventLogError::OutOfRange {
                offset: at,
                field: "eventSize",
                min: 0,
                max: MAX_EVENT_LEN,
                found: lie
            }
        );
    }
    let left = small().build(LogEnd::Marker).len() - at - 4;
    assert_eq!(
        refused(with(at, &MAX_EVENT_LEN.to_le_bytes())),
        EventLogError::Truncated { offset: at + 4, field: "event", expected: 1 << 20, found: left }
    );
}

#[test]
fn the_longest_log_and_the_most_events() {
    let header = EventLogBuilder::new(&[TcgAlgorithm::Sha384]).unwrap();
    let full = header.build(LogEnd::Table { len: MAX_LOG_LEN });
    assert_eq!(full.len(), MAX_LOG_LEN);
    assert_eq!(EventLog::parse(full.clone()).unwrap().events().len(), 0);
    let mut over = full;
    over.push(0xff);
    assert_eq!(refused(over), EventLogError::TooLong { found: MAX_LOG_LEN + 1, max: MAX_LOG_LEN });

    let mut bytes = header.build(LogEnd::Events);
    let event = [&1_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), &[0; 8]].concat();
    bytes.extend(event.repeat(MAX_EVENTS));
    assert_eq!(EventLog::parse(bytes.clone()).unwrap().events().len(), MAX_EVENTS);
    let offset = bytes.len();
    bytes.extend(&event);
    assert_eq!(refused(bytes), EventLogError::TooManyEvents { offset, max: MAX_EVENTS });
}

#[test]
fn the_end_of_a_log() {
    let log = small();
    let events = log.build(LogEnd::Events);
    for byte in [0x00, 0xff] {
        for padding in [8, 9, 4096] {
            let mut bytes = events.clone();
            bytes.resize(bytes.len() + padding, byte);
            let log = EventLog::parse(bytes.clone()).unwrap();
            assert_eq!(log.events().len(), 3);
            assert_eq!(log.without_end(), events);
            // Nothing hides behind the end.
            for at in [events.len() + 8, bytes.len() - 1] {
                if at < events.len() + 8 || at >= bytes.len() {
                    continue;
                }
                let mut hidden = bytes.clone();
                hidden[at] = 0x41;
                assert_eq!(
                    refused(hidden),
                    EventLogError::AfterEnd { offset: at, expected: byte, found: 0x41 }
                );
            }
        }
        // Less than eight bytes are no end.
        for padding in 1..8 {
            let mut bytes = events.clone();
            bytes.resize(bytes.len() + padding, byte);
            let (offset, field) = found_in(&refused(bytes));
            let expected = if padding < 4 { (0, "pcrIndex") } else { (4, "eventType") };
            assert_eq!((offset - events.len(), field), expected, "{padding} bytes of {byte}");
        }
    }
}

#[test]
fn a_log_in_the_padding_of_another_is_refused() {
    let mut bytes = small().build(LogEnd::Marker);
    let offset = bytes.len();
    bytes.extend(&small().build(LogEnd::Marker)[HEADER_LEN..]);
    assert_eq!(refused(bytes), EventLogError::AfterEnd { offset, expected: 0xff, found: 1 });
}

#[test]
fn what_cannot_be_written() {
    assert_eq!(EventLogBuilder::new(&[]).unwrap_err(), CannotWrite::Algorithms);
    assert_eq!(
        EventLogBuilder::new(&[TcgAlgorithm::Sha256, TcgAlgorithm::Sha256]).unwrap_err(),
        CannotWrite::Algorithms
    );
    let sm3 = TcgAlgorithm::Sm3;
    assert_eq!(EventLogBuilder::new(&[sm3]).unwrap_err(), CannotWrite::Algorithm(UnsupportedAlgorithm(sm3)));
    let mut log = small();
    let before = log.build(LogEnd::Events);
    let long = vec![0; MAX_EVENT_LEN as usize + 1];
    assert_eq!(log.event(1, EventType::IPL, &long).unwrap_err(), CannotWrite::EventLen { found: long.len() });
    for number in [0, u32::MAX] {
        let (index, event_type) = (number, EventType(number));
        let error = log.event(index, event_type, b"").unwrap_err();
        assert_eq!(error, CannotWrite::LooksLikeEnd { index, event_type });
    }
    assert_eq!(log.build(LogEnd::Events), before, "a refused event leaves nothing behind");
}
