//! The tables of the audit log.

use assay_store::{AuditHead, AuditPlace, AuditRow, StoreError};
use assay_types::UnixTime;

use crate::{NOW, Place};

fn row(chain: u8, seq: u64) -> AuditRow {
    AuditRow {
        chain: [chain; 16],
        seq,
        time: NOW.plus(i64::try_from(seq).unwrap() * 10 + i64::from(chain)),
        kind: if seq.is_multiple_of(2) { "release" } else { "heads" }.to_owned(),
        record: format!("{{\"text\":\"{chain} {seq} \\u0000 ä\"}}"),
        hash: [u8::try_from(seq % 251).unwrap(); 48],
    }
}

fn head(chain: u8, length: u64) -> AuditHead {
    AuditHead {
        chain: [chain; 16],
        length,
        hash: [7; 48],
        updated: NOW.plus(5),
        signature: format!("signature {length}"),
    }
}

#[tokio::test]
async fn records_and_heads_are_written_together_and_read_by_pages() {
    let place = Place::new();
    let store = place.open().await;
    assert!(store.audit_heads().await.unwrap().is_empty());
    // Any number at once.
    for chain in [2, 1] {
        let mut next = 0;
        for count in [1, 3, 32, 7] {
            let rows: Vec<_> = (next..next + count).map(|seq| row(chain, seq)).collect();
            next += count;
            store.append_audit(&rows, &head(chain, next)).await.unwrap();
        }
    }
    assert_eq!(store.audit_heads().await.unwrap(), [head(1, 43), head(2, 43)]);
    assert_eq!(store.audit_head(&[2; 16]).await.unwrap(), Some(head(2, 43)));
    assert_eq!(store.audit_head(&[3; 16]).await.unwrap(), None);
    assert_eq!(store.audit_first_records().await.unwrap(), [row(1, 0), row(2, 0)]);

    let expected: Vec<_> =
        [1, 2].into_iter().flat_map(|chain| (0..43).map(move |seq| row(chain, seq))).collect();
    for of_chains in [false, true] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = if of_chains {
                store.audit_page_of_chains(after, 10).await.unwrap()
            } else {
                store.audit_page(after, 10).await.unwrap()
            };
            let Some(last) = page.last() else { break };
            after = Some((last.chain, last.seq));
            found.extend(page);
        }
        let wanted: Vec<_> =
            expected.iter().filter(|row| !of_chains || row.kind == "heads").cloned().collect();
        assert_eq!(found, wanted, "{of_chains}");
    }

    let mut by_time = expected.clone();
    by_time.sort_by_key(|row| std::cmp::Reverse((row.time, row.chain, row.seq)));
    for (since, until) in [
        (None, None),
        (Some(NOW.plus(100)), None),
        (None, Some(NOW.plus(200))),
        (Some(NOW.plus(51)), Some(NOW.plus(52))),
    ] {
        let mut found: Vec<AuditRow> = Vec::new();
        let mut before = None;
        loop {
            let page = store.audit_latest(since, until, before, 7).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(AuditPlace { time: last.time, chain: last.chain, seq: last.seq });
            found.extend(page);
        }
        let within = |row: &&AuditRow| {
            since.is_none_or(|since: UnixTime| row.time >= since)
                && until.is_none_or(|until: UnixTime| row.time < until)
        };
        let wanted: Vec<_> = by_time.iter().filter(within).cloned().collect();
        assert_eq!(found, wanted, "{since:?} {until:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_number_is_given_once_and_nothing_is_written_by_halves() {
    let place = Place::new();
    let store = place.open().await;
    store.append_audit(&[row(1, 0)], &head(1, 1)).await.unwrap();
    let twice = store.append_audit(&[row(1, 1), row(1, 0)], &head(1, 2)).await.unwrap_err();
    assert!(matches!(twice, StoreError::AlreadyExists { .. }), "{twice:?}");
    let mixed = store.append_audit(&[row(1, 1), row(2, 0)], &head(1, 2)).await;
    assert!(mixed.is_err());
    assert_eq!(store.audit_page(None, 10).await.unwrap(), [row(1, 0)]);
    assert_eq!(store.audit_heads().await.unwrap(), [head(1, 1)]);
    store.close().await;
}

#[tokio::test]
async fn a_prune_removes_a_beginning_and_the_head_of_a_chain_that_is_all_gone() {
    let place = Place::new();
    let store = place.open().await;
    for chain in [1, 2, 3] {
        store.append_audit(&[row(chain, 0), row(chain, 1), row(chain, 2)], &head(chain, 3)).await.unwrap();
    }
    // More than are deleted at a time.
    for first in (0..6400).step_by(32) {
        let rows: Vec<_> = (first..first + 32).map(|seq| row(4, seq)).collect();
        store.append_audit(&rows, &head(4, first + 32)).await.unwrap();
    }
    store.prune_audit(&[4; 16], 6399, NOW).await.unwrap();
    assert_eq!(store.audit_page(None, 10).await.unwrap().last(), Some(&row(4, 6399)));
    store.prune_audit(&[4; 16], 6400, NOW.plus(100)).await.unwrap();
    store.prune_audit(&[1; 16], 2, NOW.plus(100)).await.unwrap();
    store.prune_audit(&[2; 16], 3, NOW.plus(100)).await.unwrap();
    // Its head is younger than that.
    store.prune_audit(&[3; 16], 3, NOW).await.unwrap();
    assert_eq!(store.audit_page(None, 10).await.unwrap(), [row(1, 2)]);
    assert_eq!(store.audit_heads().await.unwrap(), [head(1, 3), head(3, 3)]);
    store.close().await;
}
