//! Round trips, and that no bytes make the crate panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use assay_eventlog::{
    Details, EventLog, EventLogBuilder, EventType, LogEnd, TcgAlgorithm, boot_claims, event_claims,
    unbound_event_claims,
};
use assay_types::HashAlgorithm;
use proptest::collection::vec;
use proptest::prelude::*;

const SHA384: TcgAlgorithm = TcgAlgorithm::Sha384;

#[derive(Clone, Debug)]
struct Made {
    index: u32,
    event_type: EventType,
    data: Vec<u8>,
}

/// Data that looks like what decoders expect, or anything.
fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..80),
        "[ -~]{0,40}".prop_map(|text| [text.as_bytes(), &[0]].concat()),
        "(grub_cmd: |grub_cmd |kernel_cmdline: )(linux|initrd)? [ -~]{0,30}".prop_map(String::into_bytes),
        r"\.[a-z]{1,8}".prop_map(|text| {
            text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
        }),
        (any::<u32>(), 0..40_u32, "[ -~]{0,40}").prop_map(|(tag, len, text)| [
            &tag.to_le_bytes()[..],
            &len.to_le_bytes(),
            text.as_bytes()
        ]
        .concat()),
        // A variable, and an image with a device path, whose lengths may lie.
        (vec(any::<u8>(), 16), 0..9_u64, 0..9_u64, vec(any::<u8>(), 0..32)).prop_map(
            |(guid, name, data, rest)| {
                [&guid[..], &name.to_le_bytes(), &data.to_le_bytes(), &rest].concat()
            }
        ),
        (vec((1..5_u8, 1..6_u8, vec(any::<u8>(), 0..44)), 0..4), 0..3_u64).prop_map(|(nodes, lie)| {
            let mut path = Vec::new();
            for (kind, subtype, data) in nodes {
                path.extend([kind, subtype]);
                path.extend(u16::try_from(data.len() + 4).unwrap().to_le_bytes());
                path.extend(data);
            }
            path.extend([0x7f, 0xff, 4, 0]);
            let len = (path.len() as u64).saturating_sub(lie);
            [&[0; 24][..], &len.to_le_bytes(), &path].concat()
        }),
    ]
}

fn events() -> impl Strategy<Value = Vec<Made>> {
    let event_type =
        prop_oneof![proptest::sample::select(EventType::NAMED.to_vec()), any::<u32>().prop_map(EventType),];
    // Index 0 with type 0, or all ones, would be taken for the end.
    let event = (1..20_u32, event_type, data()).prop_map(|(index, event_type, data)| Made {
        index,
        event_type,
        data,
    });
    vec(event, 0..12)
}

fn ends() -> impl Strategy<Value = LogEnd> {
    prop_oneof![
        Just(LogEnd::Events),
        Just(LogEnd::Marker),
        (0..4096_usize).prop_map(|len| LogEnd::Table { len }),
    ]
}

fn build(events: &[Made], end: LogEnd) -> Vec<u8> {
    let mut log = EventLogBuilder::new(&[TcgAlgorithm::Sha256, SHA384]).unwrap();
    for Made { index, event_type, data } in events {
        log.event(*index, *event_type, data).unwrap();
    }
    log.build(end)
}

/// Everything that can be asked of a log.
fn exercise(log: &EventLog) {
    for algorithm in HashAlgorithm::ALL {
        let registers = log.replay(algorithm).unwrap();
        assert!(registers.extended().all(|(_, value)| value.len() == algorithm.digest_len()));
        let claims = event_claims(log.bound(algorithm, 1..=4), algorithm);
        let rest = unbound_event_claims(log.unbound(algorithm, 1..=4), algorithm);
        let all = claims.as_array().unwrap().len() + rest.as_array().unwrap().len();
        assert_eq!(all, log.events().len());
        let components = log.boot_components(algorithm, 1..=3).unwrap();
        assert!(components.len() <= claims.as_array().unwrap().len());
        assert_eq!(boot_claims(&components, algorithm).as_object().unwrap().len(), 5);
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(made in events(), end in ends()) {
        let log = EventLog::parse(build(&made, end)).unwrap();
        prop_assert_eq!(log.events().len(), made.len());
        for (event, made) in log.events().zip(&made) {
            prop_assert_eq!(event.index, made.index);
            prop_assert_eq!(event.event_type, made.event_type);
            prop_assert_eq!(event.data, &made.data[..]);
            for digest in event.digests() {
                prop_assert_eq!(event.digest_matches(digest.algorithm), Some(true));
            }
        }
        prop_assert_eq!(log.without_end(), build(&made, LogEnd::Events));
        exercise(&log);
    }

    #[test]
    fn registers_are_folds_of_the_bound_digests(made in events()) {
        let log = EventLog::parse(build(&made, LogEnd::Marker)).unwrap();
        let registers = log.replay(SHA384).unwrap();
        for index in 0..20 {
            let mut register = vec![0; 48];
            for event in log.bound(SHA384, index..=index) {
                let both = [&register[..], event.digest(SHA384).unwrap()].concat();
                register = HashAlgorithm::Sha384.digest(&both).as_bytes().to_vec();
            }
            prop_assert_eq!(registers.value(index), &register[..]);
        }
    }

    #[test]
    fn a_changed_log_is_refused_or_answers_everything(
        made in events(),
        end in ends(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = build(&made, end);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(log) = EventLog::parse(bytes) {
            exercise(&log);
        }
    }

    #[test]
    fn a_cut_log_never_gives_other_events(made in events(), at in any::<proptest::sample::Index>()) {
        let bytes = build(&made, LogEnd::Events);
        let cut = &bytes[..at.index(bytes.len())];
        if let Ok(log) = EventLog::parse(cut.to_vec()) {
            prop_assert!(log.events().len() < made.len());
            for (event, made) in log.events().zip(&made) {
                prop_assert_eq!(event.data, &made.data[..]);
            }
        }
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(EventLog::parse(bytes).is_err());
    }

    #[test]
    fn any_data_decodes_or_says_why(data in data(), event_type in proptest::sample::select(EventType::NAMED.to_vec())) {
        let made = [Made { index: 1, event_type, data }];
        let log = EventLog::parse(build(&made, LogEnd::Marker)).unwrap();
        let details = log.events().next().unwrap().details();
        let claims = details.to_claims();
        if matches!(details, Details::Undecoded(_)) {
            prop_assert!(claims["undecoded"].is_string());
            prop_assert_eq!(claims.as_object().unwrap().len(), 1);
        } else {
            prop_assert!(claims.get("undecoded").is_none());
        }
    }
}
