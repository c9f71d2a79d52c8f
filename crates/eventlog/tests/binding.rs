//! Which events are bound, and that exactly these make the registers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use assay_eventlog::{
    EventLog, EventLogBuilder, EventType, LogEnd, TcgAlgorithm, UnboundReason, event_claims,
    unbound_event_claims,
};
use assay_types::{Digest, HashAlgorithm};

const SHA384: TcgAlgorithm = TcgAlgorithm::Sha384;
const SHA256: TcgAlgorithm = TcgAlgorithm::Sha256;

fn parse(log: &EventLogBuilder) -> EventLog {
    EventLog::parse(log.build(LogEnd::Marker)).unwrap()
}

fn builder() -> EventLogBuilder {
    EventLogBuilder::new(&[SHA384, SHA256]).unwrap()
}

fn fold(register: &[u8], digest: &Digest) -> Vec<u8> {
    digest.algorithm().digest(&[register, digest.as_bytes()].concat()).as_bytes().to_vec()
}

/// A log in which each of the four things that unbind an event happens once, and the reasons.
fn mixed() -> (EventLog, Vec<Option<UnboundReason>>) {
    let mut log = builder();
    let (good, other) = ([7; 48], [8; 48]);
    let short = [7; 32];
    log.event(1, EventType::SEPARATOR, &[0; 4]).unwrap();
    log.event(1, EventType::NO_ACTION, b"StartupLocality").unwrap();
    log.event(5, EventType::IPL, b"elsewhere").unwrap();
    log.event(0, EventType::IPL, b"MRTD").unwrap();
    log.event_with(2, EventType::IPL, &[(SHA256, &short)], b"other bank").unwrap();
    log.event_with(2, EventType::IPL, &[], b"no digest").unwrap();
    log.event_with(2, EventType::IPL, &[(SHA384, &good), (SHA384, &other)], b"two").unwrap();
    log.event_with(2, EventType::IPL, &[(SHA384, &good), (SHA256, &short)], b"both banks").unwrap();
    let reasons = vec![
        None,
        Some(UnboundReason::NotExtended),
        Some(UnboundReason::Register),
        Some(UnboundReason::Register),
        Some(UnboundReason::NoDigest),
        Some(UnboundReason::NoDigest),
        Some(UnboundReason::SeveralDigests),
        None,
    ];
    (parse(&log), reasons)
}

#[test]
fn each_reason_alone() {
    let (log, reasons) = mixed();
    let found: Vec<_> = log.events().map(|event| event.unbound_reason(SHA384, &(1..=4))).collect();
    assert_eq!(found, reasons);
    // The two iterators part the log.
    let bound: Vec<_> = log.bound(SHA384, 1..=4).map(|event| event.position).collect();
    assert_eq!(bound, [0, 7]);
    let unbound: Vec<_> = log.unbound(SHA384, 1..=4).map(|u| (u.event.position, u.reason)).collect();
    assert_eq!(unbound.len() + bound.len(), log.events().len());
    assert!(unbound.iter().all(|(position, reason)| reasons[*position] == Some(*reason)));
}

#[test]
fn the_registers_are_made_of_the_bound_events_alone() {
    let (log, _) = mixed();
    let registers = log.replay(HashAlgorithm::Sha384).unwrap();
    assert_eq!(registers.value(1), fold(&[0; 48], &Digest::sha384(&[0; 4])));
    assert_eq!(registers.value(2), fold(&[0; 48], &Digest::new(HashAlgorithm::Sha384, vec![7; 48]).unwrap()));
    assert_eq!(registers.value(3), [0; 48]);
    assert_eq!(registers.extended().map(|(index, _)| index).collect::<Vec<_>>(), [0, 1, 2, 5]);
}

#[test]
fn each_bank_replays_by_itself() {
    let mut log = EventLogBuilder::new(&[SHA256, SHA384, TcgAlgorithm::Sha512]).unwrap();
    log.event(1, EventType::IPL, b"a").unwrap();
    log.event(1, EventType::IPL, b"b").unwrap();
    let log = parse(&log);
    for algorithm in HashAlgorithm::ALL {
        let zero = vec![0; algorithm.digest_len()];
        let expected = fold(&fold(&zero, &algorithm.digest(b"a")), &algorithm.digest(b"b"));
        let registers = log.replay(algorithm).unwrap();
        assert_eq!(registers.value(1), expected);
        assert_eq!(registers.value(9), zero);
        assert_eq!(registers.algorithm(), TcgAlgorithm::from(algorithm));
        assert!(log.events().all(|event| event.digest_matches(algorithm.into()) == Some(true)));
    }
}

#[test]
fn claims_say_why_an_event_is_unbound_and_never_that_its_digest_matches_by_chance() {
    let (log, _) = mixed();
    let claims = unbound_event_claims(log.unbound(SHA384, 1..=4), SHA384);
    let reasons: Vec<_> = claims.as_array().unwrap().iter().map(|c| c["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        [
            "EV_NO_ACTION events are not extended",
            "the register index is not among those compared",
            "the register index is not among those compared",
            "no digest of the algorithm of the registers",
            "no digest of the algorithm of the registers",
            "several digests of the algorithm of the registers",
        ]
    );
    let bound = event_claims(log.bound(SHA384, 1..=4), SHA384);
    assert!(bound.as_array().unwrap().iter().all(|claim| claim.get("reason").is_none()));
    assert_eq!(bound[0]["digest_matches_event"], true);
    assert_eq!(bound[1]["digest_matches_event"], false);
    // The other bank's digest is in no register that is compared: it does not stand beside the one that is.
    assert_eq!(bound[1]["digests"].as_array().unwrap().len(), 1);
    assert_eq!(bound[1]["digests"][0]["alg"], "SHA-384");
    assert_eq!(bound[1]["unbound_digests"][0]["alg"], "SHA-256");
    let mut log = EventLogBuilder::new(&[SHA384]).unwrap();
    log.event(1, EventType::IPL, b"x").unwrap();
    assert_eq!(event_claims(parse(&log).events(), SHA384)[0].get("unbound_digests"), None);
    assert_eq!(claims[5]["digests"].as_array().unwrap().len(), 2);
    // Two digests of which one is the data's: which was extended is open.
    let mut log = builder();
    let (right, wrong) = (Digest::sha384(b"x"), [0; 48]);
    log.event_with(1, EventType::IPL, &[(SHA384, right.as_bytes()), (SHA384, &wrong)], b"x").unwrap();
    let log = parse(&log);
    assert_eq!(log.events().next().unwrap().digest_matches(SHA384), None);
    assert_eq!(event_claims(log.events(), SHA384)[0]["digest_matches_event"], false);
}
