use assay_store::{CachedCollateral, StoreError};
use assay_types::{UnixTime, Validity};

use super::{NOW, Place};

pub(crate) fn item(bytes: &[u8], fetched: UnixTime) -> CachedCollateral {
    CachedCollateral {
        bytes: bytes.to_vec(),
        fetched,
        origin: "https://example.org/x".to_owned(),
        validity: Some(Validity { not_before: NOW, not_after: NOW.plus(1000) }),
        request: Some(r#"{"a":1}"#.to_owned()),
    }
}

fn bare(bytes: &[u8], fetched: UnixTime) -> CachedCollateral {
    CachedCollateral { validity: None, request: None, ..item(bytes, fetched) }
}

#[tokio::test]
async fn collateral_is_replaced_by_newer() {
    let place = Place::new();
    let store = place.open().await;
    let (old, new, other) = (item(b"old", NOW), bare(b"new", NOW.plus(1)), item(b"", NOW));
    assert_eq!(store.get_collateral("amd", "vcek/1").await.unwrap(), None);
    store.put_collateral(&[("amd", "vcek/1", &old)]).await.unwrap();
    assert_eq!(store.get_collateral("amd", "vcek/1").await.unwrap(), Some(old));
    store.put_collateral(&[("amd", "vcek/1", &new), ("intel", "vcek/1", &other)]).await.unwrap();
    assert_eq!(store.get_collateral("amd", "vcek/1").await.unwrap(), Some(new));
    assert_eq!(store.get_collateral("intel", "vcek/1").await.unwrap(), Some(other));
    store.delete_collateral("amd", "vcek/1").await.unwrap();
    assert_eq!(store.get_collateral("amd", "vcek/1").await.unwrap(), None);
}

#[tokio::test]
async fn pieces_are_written_together_or_not_at_all() {
    let place = Place::new();
    let store = place.open().await;
    place.refuse_collateral("b").await;
    let piece = item(b"1", NOW);
    let both = [("intel", "a", &piece), ("intel", "b", &piece)];
    assert!(store.put_collateral(&both).await.is_err());
    assert_eq!(store.list_collateral().await.unwrap(), []);
    store.put_collateral(&both[..1]).await.unwrap();
    assert_eq!(store.list_collateral().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_last_use_is_noted_and_stays_when_a_piece_is_replaced() {
    let place = Place::new();
    let store = place.open().await;
    store.put_collateral(&[("intel", "a", &item(b"1", NOW))]).await.unwrap();
    let used = async || store.list_collateral().await.unwrap()[0].used;
    assert_eq!(used().await, NOW);
    for (at, noted) in [(50, 50), (40, 50)] {
        store.note_collateral_uses(&[("intel", "a", NOW.plus(at)), ("intel", "none", NOW)]).await.unwrap();
        assert_eq!(used().await, NOW.plus(noted));
    }
    store.put_collateral(&[("intel", "a", &item(b"2", NOW.plus(60)))]).await.unwrap();
    let [listed] = &store.list_collateral().await.unwrap()[..] else { panic!() };
    assert_eq!((listed.fetched, listed.used), (NOW.plus(60), NOW.plus(50)));
    assert_eq!((listed.vendor.as_str(), listed.key.as_str()), ("intel", "a"));
    assert_eq!(listed.validity, item(b"", NOW).validity);
    assert_eq!(listed.request, item(b"", NOW).request);
}

#[tokio::test]
async fn rows_of_before_the_validity_work_on() {
    let place = Place::new();
    place.open().await.close().await;
    let sql = "ALTER TABLE collateral DROP COLUMN not_before; ALTER TABLE collateral DROP COLUMN not_after; \
               ALTER TABLE collateral DROP COLUMN request; ALTER TABLE collateral DROP COLUMN used; \
               DELETE FROM schema_migrations WHERE version = 3;";
    let bytes = place.bytes_literal("01");
    place.run(&format!("{sql} INSERT INTO collateral VALUES ('amd', 'k', {bytes}, 7, '')")).await;
    let store = place.open().await;
    let old = CachedCollateral { origin: String::new(), ..bare(&[1], UnixTime(7)) };
    assert_eq!(store.get_collateral("amd", "k").await.unwrap(), Some(old));
    assert_eq!(store.list_collateral().await.unwrap()[0].used, UnixTime(7));
    store.note_collateral_uses(&[("amd", "k", UnixTime(9))]).await.unwrap();
    assert_eq!(store.list_collateral().await.unwrap()[0].used, UnixTime(9));
}

#[tokio::test]
async fn half_a_validity_is_damage() {
    let place = Place::new();
    let store = place.open().await;
    store.put_collateral(&[("amd", "k", &item(b"1", NOW))]).await.unwrap();
    place.run("UPDATE collateral SET not_before = NULL").await;
    assert!(matches!(store.get_collateral("amd", "k").await, Err(StoreError::Corrupt { .. })));
}
