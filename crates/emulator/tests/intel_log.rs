//! Event logs of emulated TDs: they replay, and each way to tamper with one does just what it says. The log is
//! read here by a few lines that share nothing with the writer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

use assay_emulator::intel::{
    Boot, DEFAULT_COMMAND_LINE, Event, EventLog, IntelEvidence, IntelGuest, event_type, index,
};
use assay_emulator::{IntelSilicon, Seed};
use sha2::{Digest as _, Sha384};

fn silicon() -> IntelSilicon {
    IntelSilicon::new(Seed::DEVELOPMENT)
}

struct Read {
    index: u32,
    event_type: u32,
    digests: Vec<(u16, Vec<u8>)>,
    data: Vec<u8>,
}

fn read(log: &[u8]) -> Vec<Read> {
    let mut at = 0;
    let mut take = |len: usize| {
        at += len;
        &log[at - len..at]
    };
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |n, byte| n * 256 + u64::from(*byte)) as u32;
    assert_eq!((number(take(4)), number(take(4))), (1, 3));
    assert_eq!(take(20), [0; 20]);
    let len = number(take(4)) as usize;
    let id = take(len);
    assert_eq!(&id[..24], b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02");
    let mut lens = Vec::new();
    for place in 0..number(&id[24..28]) as usize {
        let entry = &id[28 + 4 * place..][..4];
        lens.push((number(&entry[..2]) as u16, number(&entry[2..]) as usize));
    }
    assert_eq!(id.len(), 29 + 4 * lens.len());
    let mut events = Vec::new();
    loop {
        let index = number(take(4));
        if index == u32::MAX {
            return events;
        }
        let event_type = number(take(4));
        let count = number(take(4));
        let digests = (0..count)
            .map(|_| {
                let id = number(take(2)) as u16;
                let len = lens.iter().find(|(known, _)| *known == id).expect("a declared algorithm").1;
                (id, take(len).to_vec())
            })
            .collect();
        let len = number(take(4)) as usize;
        events.push(Read { index, event_type, digests, data: take(len).to_vec() });
    }
}

fn replay(events: &[Read]) -> Vec<Vec<u8>> {
    let mut registers = vec![vec![0; 48]; 4];
    for event in events.iter().filter(|event| (1..=4).contains(&event.index)) {
        for (_, digest) in event.digests.iter().filter(|(id, _)| *id == 12) {
            let register = &mut registers[event.index as usize - 1];
            *register = Sha384::digest([register.as_slice(), digest].concat()).to_vec();
        }
    }
    registers
}

/// RTMR0 to 3 in a quote of version 4.
fn registers(evidence: &IntelEvidence) -> Vec<Vec<u8>> {
    (0..4).map(|place| evidence.quote[48 + 328 + 48 * place..][..48].to_vec()).collect()
}

fn replays(guest: IntelGuest<'_>) -> bool {
    let evidence = guest.build().unwrap();
    replay(&read(evidence.event_log.as_ref().unwrap())) == registers(&evidence)
}

#[test]
fn the_log_replays_to_the_registers() {
    let evidence = silicon().td().build().unwrap();
    let events = read(evidence.event_log.as_ref().unwrap());
    assert_eq!(replay(&events), registers(&evidence));
    for register in 1..=4 {
        assert!(events.iter().any(|event| event.index == register), "{register}");
    }
    assert!(registers(&evidence).iter().all(|register| *register != [0; 48]));
    assert!(replays(silicon().td().boot(|boot| boot.command_line = "quiet".into())));
    assert!(replays(silicon().td().event_log(|log| log.events.truncate(3))));
}

#[test]
fn what_is_booted_is_logged_and_measured() {
    let log = |edit: fn(&mut Boot)| {
        let evidence = silicon().td().boot(edit).build().unwrap();
        (registers(&evidence), read(evidence.event_log.as_ref().unwrap()))
    };
    let (plain, events) = log(|_| {});
    let kernel = events.iter().find(|event| event.event_type == event_type::EFI_BOOT_SERVICES_APPLICATION);
    assert_eq!(kernel.unwrap().digests, [(12, Sha384::digest("assay emulator kernel").to_vec())]);
    let utf16: Vec<u8> =
        format!("{DEFAULT_COMMAND_LINE}\0").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let options = events.iter().find(|event| event.data.ends_with(b"LOADED_IMAGE::LoadOptions\0")).unwrap();
    assert_eq!(options.digests, [(12, Sha384::digest(utf16).to_vec())]);
    assert_eq!(options.data[..8], [0xed, 0x22, 0x3b, 0x8f, 26, 0, 0, 0]);
    let differs = |edit: fn(&mut Boot)| -> Vec<usize> {
        let (changed, _) = log(edit);
        (0..4).filter(|place| changed[*place] != plain[*place]).collect()
    };
    assert_eq!(differs(|boot| boot.secure_boot = true), [0]);
    assert_eq!(differs(|boot| boot.kernel.push(0)), [1]);
    assert_eq!(differs(|boot| boot.command_line.push('x')), [2]);
    assert_eq!(differs(|boot| boot.initrd = None), [2]);
    assert_eq!(differs(|boot| boot.agent_events.clear()), [3]);
}

#[test]
fn an_agent_event_is_the_published_one() {
    // The vector of guest-components: register 4, SHA-384.
    let event = Event::aael(index::RTMR3, "domain", "operation", "content");
    let expected = "0400000006000000010000000c00\
        dad5f0e226318ffa9839b75a472c6aa7fdb5834949d0a0a22990cf04d5692440fb00f3aa0609db7e49cd8d793f670d02\
        200000004c45414118000000646f6d61696e206f7065726174696f6e20636f6e74656e74";
    assert_eq!(hex::encode(event.to_bytes()), expected);
}

#[test]
fn tampering_on_the_way_leaves_the_registers() {
    let plain = registers(&silicon().td().build().unwrap());
    let altered = |edit: fn(&mut EventLog)| {
        let evidence = silicon().td().sent_log(edit).build().unwrap();
        assert_eq!(registers(&evidence), plain);
        replay(&read(evidence.event_log.as_ref().unwrap())) == plain
    };
    assert!(altered(|_| {}));
    assert!(!altered(|log| log.events[3].digests[0].1[0] ^= 1));
    assert!(!altered(|log| log.events[3].index = 2));
    assert!(!altered(|log| drop(log.events.remove(5))));
    // Text, and what no register is extended with, do not show in the registers.
    assert!(altered(|log| log.events[3].data = b"another text".to_vec()));
    for register in [0, 5] {
        let evidence = silicon()
            .td()
            .sent_log(move |log| log.events.push(Event::of_data(register, event_type::IPL, vec![1])))
            .build()
            .unwrap();
        assert_eq!(replay(&read(evidence.event_log.as_ref().unwrap())), registers(&evidence));
    }
    let evidence = silicon().td().log_bytes(|bytes| bytes.truncate(10)).build().unwrap();
    assert_eq!(evidence.event_log.unwrap().len(), 10);
    assert_eq!(silicon().td().without_log().build().unwrap().event_log, None);
}
