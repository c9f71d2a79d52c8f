//! Any single change is found, and an untouched log verifies.

use std::sync::Arc;

use assay_store::AuditRow;
use assay_token::Jwk;
use assay_types::{Digest, FixedClock, Tee, UnixTime};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};

use crate::export::{ExportReader, ExportWriter, verify_export};
use crate::memory::{InMemory, verify};
use crate::{
    AuditError, AuditKeys, AuditLog, AuditSettings, Break, ChainId, Event, Kind, Outcome, SignedHead,
};

/// A log of three chains that began one after the other; the last one has only its first record.
#[derive(Clone)]
struct Log {
    key: Jwk,
    rows: Vec<AuditRow>,
    heads: Vec<SignedHead>,
}

impl Log {
    fn check(&self) -> Vec<Break> {
        let report = verify(&self.key, &self.rows, self.heads.clone());
        report.broken.into_iter().map(|place| place.what).collect()
    }

    fn export(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ExportWriter::new(&mut out, UnixTime(5), std::slice::from_ref(&self.key)).unwrap();
        self.heads.iter().for_each(|head| writer.head(head).unwrap());
        self.rows.iter().for_each(|row| writer.record(row).unwrap());
        writer.finish().unwrap();
        out
    }
}

fn verify_text(text: &[u8], key: &Jwk) -> Result<bool, AuditError> {
    let keys = AuditKeys::new(std::slice::from_ref(key)).unwrap();
    verify_export(|| Ok(text), &keys, &[]).map(|report| report.is_sound())
}

fn log() -> &'static Log {
    static LOG: std::sync::LazyLock<Log> = std::sync::LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let backend = Arc::new(InMemory::new());
            let clock = Arc::new(FixedClock::new(UnixTime(1_790_000_000)));
            for length in [6, 3, 0] {
                let log =
                    AuditLog::start(Arc::clone(&backend), clock.clone(), AuditSettings::default(), "test");
                let log = log.await.unwrap();
                for n in 0..length {
                    clock.advance(1);
                    let event = Event::new(Kind::Verdict, Outcome::Ok)
                        .evidence(Tee::Snp, Digest::sha384(b"x"), Some("affirming"))
                        .policy("default_cpu", 3, Some(Digest::sha384(b"p")))
                        .values(Some(Digest::sha384(b"v")), ["a".to_owned(), "b".to_owned()])
                        .token(format!("jti-{n}"))
                        .request("request");
                    log.append(event).await.unwrap();
                }
            }
            Log { key: backend.public_key(), rows: backend.rows(), heads: backend.signed_heads() }
        })
    });
    &LOG
}

/// The index of the last chain to begin: no other one speaks of it.
fn youngest(log: &Log) -> ChainId {
    let alone = |row: &&AuditRow| log.rows.iter().filter(|other| other.chain == row.chain).count() == 1;
    ChainId::new(log.rows.iter().find(alone).unwrap().chain)
}

fn flip(text: &mut String, at: usize, by: u8) -> bool {
    let mut bytes = std::mem::take(text).into_bytes();
    let at = at % bytes.len();
    let before = bytes[at];
    bytes[at] = before ^ (by & 0x7f).max(1);
    let changed = String::from_utf8(bytes);
    let is_text = changed.is_ok();
    *text = changed.unwrap_or_default();
    is_text
}

#[test]
fn an_untouched_log_verifies_here_and_as_an_export() {
    let log = log();
    assert_eq!(log.rows.len(), 12);
    assert_eq!(log.check(), []);
    assert!(verify_text(&log.export(), &log.key).unwrap());
}

#[derive(Clone, Debug)]
enum Change {
    Column { row: usize, column: u8, by: u8 },
    Text { row: usize, at: usize, by: u8 },
    Hash { row: usize, at: usize, by: u8 },
    Remove(usize),
    Swap(usize, usize),
    SwapContents(usize, usize),
    Duplicate(usize),
    MoveToChain { row: usize, chain: usize },
    HeadRemoved(usize),
    HeadTwice(usize),
    HeadField { head: usize, field: u8, by: u8 },
    HeadSignature { head: usize, at: usize, by: u8 },
    HeadOfAnother(usize, usize),
    ChainRemoved(usize),
}

fn changes() -> impl Strategy<Value = Change> {
    let row = 0_usize..12;
    let head = 0_usize..3;
    let by = any::<u8>();
    prop_oneof![
        (row.clone(), 0_u8..4, by).prop_map(|(row, column, by)| Change::Column { row, column, by }),
        (row.clone(), any::<usize>(), by).prop_map(|(row, at, by)| Change::Text { row, at, by }),
        (row.clone(), 0_usize..48, by).prop_map(|(row, at, by)| Change::Hash { row, at, by }),
        row.clone().prop_map(Change::Remove),
        (row.clone(), row.clone()).prop_map(|(a, b)| Change::Swap(a, b)),
        (row.clone(), row.clone()).prop_map(|(a, b)| Change::SwapContents(a, b)),
        row.clone().prop_map(Change::Duplicate),
        (row, head.clone()).prop_map(|(row, chain)| Change::MoveToChain { row, chain }),
        head.clone().prop_map(Change::HeadRemoved),
        head.clone().prop_map(Change::HeadTwice),
        (head.clone(), 0_u8..4, by).prop_map(|(head, field, by)| Change::HeadField { head, field, by }),
        (head.clone(), any::<usize>(), by).prop_map(|(head, at, by)| Change::HeadSignature { head, at, by }),
        (head.clone(), head.clone()).prop_map(|(a, b)| Change::HeadOfAnother(a, b)),
        (head, Just(())).prop_map(|(chain, ())| Change::ChainRemoved(chain)),
    ]
}

/// Makes the change; false when it is none.
fn apply(log: &mut Log, change: &Change) -> bool {
    match *change {
        Change::Column { row, column, by } => {
            let row = &mut log.rows[row];
            match column {
                0 => row.chain[usize::from(by % 16)] ^= by.max(1),
                1 => row.seq = row.seq.wrapping_add(u64::from(by.max(1))),
                2 => row.time = row.time.plus(i64::from(by.max(1))),
                _ => row.kind.push('x'),
            }
            true
        }
        Change::Text { row, at, by } => flip(&mut log.rows[row].record, at, by),
        Change::Hash { row, at, by } => {
            log.rows[row].hash[at] ^= by.max(1);
            true
        }
        Change::Remove(row) => {
            log.rows.remove(row);
            true
        }
        Change::Swap(a, b) => {
            log.rows.swap(a, b);
            a != b
        }
        Change::SwapContents(a, b) => {
            let (one, other) = (log.rows[a].clone(), log.rows[b].clone());
            log.rows[a] = AuditRow { chain: one.chain, seq: one.seq, ..other.clone() };
            log.rows[b] = AuditRow { chain: other.chain, seq: other.seq, ..one };
            a != b
        }
        Change::Duplicate(row) => {
            let twice = log.rows[row].clone();
            log.rows.insert(row, twice);
            true
        }
        Change::MoveToChain { row, chain } => {
            let chain = *log.heads[chain].head.chain.as_bytes();
            let mut moved = log.rows.remove(row);
            if moved.chain == chain {
                return false;
            }
            let next = log.rows.iter().filter(|row| row.chain == chain).map(|row| row.seq + 1).max();
            (moved.chain, moved.seq) = (chain, next.unwrap_or(0));
            log.rows.push(moved);
            log.rows.sort_by_key(|row| (row.chain, row.seq));
            true
        }
        Change::HeadRemoved(head) => {
            log.heads.remove(head);
            true
        }
        Change::HeadTwice(head) => {
            log.heads.push(log.heads[head].clone());
            true
        }
        Change::HeadField { head, field, by } => {
            let head = &mut log.heads[head].head;
            match field {
                0 => {
                    let mut chain = *head.chain.as_bytes();
                    chain[0] ^= by.max(1);
                    head.chain = chain.into();
                }
                1 => head.length = head.length.wrapping_add(u64::from(by.max(1))),
                2 => {
                    let mut hash = *head.hash.as_bytes();
                    hash[7] ^= by.max(1);
                    head.hash = hash.into();
                }
                _ => head.updated = head.updated.plus(-i64::from(by.max(1))),
            }
            true
        }
        Change::HeadSignature { head, at, by } => flip(&mut log.heads[head].signature, at, by),
        Change::HeadOfAnother(a, b) => {
            log.heads[a].signature = log.heads[b].signature.clone();
            a != b
        }
        Change::ChainRemoved(chain) => {
            let chain = log.heads.remove(chain).head.chain;
            log.rows.retain(|row| &row.chain != chain.as_bytes());
            // Nobody speaks of the youngest: only heads exported earlier tell (see below).
            chain != youngest(self::log())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_single_change_is_found(change in changes()) {
        let mut log = log().clone();
        if apply(&mut log, &change) {
            prop_assert!(!log.check().is_empty(), "{change:?}");
        }
    }

    #[test]
    fn any_single_change_of_an_export_is_found(at in any::<usize>(), by in 1_u8..=255) {
        let log = log();
        let mut text = log.export();
        let at = at % text.len();
        // What the exporter says of itself and of keys is not believed, and not part of the log.
        let log_begins = text.windows(8).position(|part| part == b"{\"head\":").unwrap();
        text[at] ^= by;
        if at >= log_begins {
            prop_assert!(!matches!(verify_text(&text, &log.key), Ok(true)), "{at} {by}");
        }
    }

    #[test]
    fn a_cut_export_is_found(at in any::<usize>()) {
        let log = log();
        let text = log.export();
        prop_assert!(!matches!(verify_text(&text[..at % text.len()], &log.key), Ok(true)));
    }
}

#[test]
fn a_removed_chain_is_named_and_the_youngest_is_found_by_heads_of_before() {
    let log = log();
    let whole = |chain: ChainId| {
        let mut log = log.clone();
        log.heads.retain(|head| head.head.chain != chain);
        log.rows.retain(|row| &row.chain != chain.as_bytes());
        log
    };
    let youngest = youngest(log);
    for head in &log.heads {
        let chain = head.head.chain;
        let rest = whole(chain);
        let expected: &[Break] = if chain == youngest { &[] } else { &[Break::ChainMissing] };
        assert_eq!(rest.check(), expected);
        let keys = AuditKeys::new(std::slice::from_ref(&log.key)).unwrap();
        let text = rest.export();
        let report = verify_export(|| Ok(text.as_slice()), &keys, &log.heads).unwrap();
        assert_eq!(report.broken.len(), 1, "{report:?}");
        assert_eq!((report.broken[0].what, report.broken[0].chain), (Break::ChainMissing, chain));
    }
}

#[test]
fn each_kind_of_damage_has_its_name() {
    let chain = {
        let youngest = youngest(log());
        log().heads.iter().map(|head| head.head.chain).find(|chain| *chain != youngest).unwrap()
    };
    let first = log().rows.iter().position(|row| &row.chain == chain.as_bytes()).unwrap();
    let count = log().rows.iter().filter(|row| &row.chain == chain.as_bytes()).count();
    let head = log().heads.iter().position(|head| head.head.chain == chain).unwrap();
    let broken = |change: &dyn Fn(&mut Log)| {
        let mut log = log().clone();
        change(&mut log);
        log.check()
    };
    // One altered record is one broken place, also when its neighbours are not.
    assert_eq!(
        broken(&|log| log.rows[first + 1].record = log.rows[first + 1].record.replace("jti-0", "jti-9")),
        [Break::Altered]
    );
    assert_eq!(broken(&|log| drop(log.rows.remove(first + 1))), [Break::Missing]);
    assert_eq!(broken(&|log| drop(log.rows.remove(first))), [Break::Missing]);
    // The last one: its head, and the chain that quotes it, tell.
    assert_eq!(broken(&|log| drop(log.rows.remove(first + count - 1))), [Break::Missing]);
    assert_eq!(broken(&|log| drop(log.heads.remove(head))), [Break::HeadMissing]);
    assert_eq!(broken(&|log| log.heads[head].signature.push('A')), [Break::HeadForged]);
    assert!(broken(&|log| log.rows.swap(first, first + 1)).contains(&Break::OutOfOrder));
}

#[test]
fn a_rolled_back_chain_is_found_where_others_or_an_export_speak_of_what_is_gone() {
    // The head of an earlier moment is genuine; so only what others say tells.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let backend = Arc::new(InMemory::new());
        let clock = Arc::new(FixedClock::new(UnixTime(1_790_000_000)));
        let log =
            AuditLog::start(Arc::clone(&backend), clock, AuditSettings::default(), "test").await.unwrap();
        let (early_rows, early_heads) = (backend.rows(), backend.signed_heads());
        log.append(Event::new(Kind::Release, Outcome::Ok)).await.unwrap();
        let late_heads = backend.signed_heads();
        let text = Log { key: backend.public_key(), rows: early_rows, heads: early_heads }.export();
        let keys = AuditKeys::new(&[backend.public_key()]).unwrap();
        let alone = verify_export(|| Ok(text.as_slice()), &keys, &[]).unwrap();
        assert!(alone.is_sound());
        let compared = verify_export(|| Ok(text.as_slice()), &keys, &late_heads).unwrap();
        assert_eq!(compared.broken.iter().map(|place| place.what).collect::<Vec<_>>(), [Break::Missing]);
    });
}

#[test]
fn an_export_signed_by_another_key_is_not_believed() {
    let other = InMemory::new().public_key();
    assert!(!verify_text(&log().export(), &other).unwrap());
}

#[test]
fn foreign_texts_are_no_exports() {
    for text in [
        "",
        "\n",
        "{}\n",
        "{\"export\":{\"format\":\"other\",\"time\":\"\"}}\n",
        "{\"export\":{\"format\":\"assay-audit-export/1\",\"time\":\"\"}}\n",
        "{\"export\":{\"format\":\"assay-audit-export/1\",\"time\":\"\"}}\n{\"end\":{\"heads\":0,\"records\":1}}\n",
        "{\"export\":{\"format\":\"assay-audit-export/1\",\"time\":\"\"}}\n{\"end\":{\"heads\":0,\"records\":0}}\nx",
        "{\"export\":{\"format\":\"assay-audit-export/1\",\"time\":\"\"}}\n{\"hash\":\"00\"}\n",
    ] {
        let read = ExportReader::new(text.as_bytes()).and_then(|mut reader| {
            while reader.next_line()?.is_some() {}
            Ok(())
        });
        assert!(read.is_err(), "{text:?}");
    }
}
