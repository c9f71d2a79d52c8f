//! The refresh ahead of expiry.

use std::sync::Arc;
use std::time::Duration;

use assay_collateral::{Cached, CollateralCache as _, Use};
use assay_types::{CollateralKind, CollateralRequest, UnixTime, Validity, Vendor};
use bytes::Bytes;

use super::double::{Say, request};
use super::world::{DAY, END, GOOD, START, World, validity};

/// Puts a genuine piece that was fetched and used at these times into the cache.
async fn put(world: &World, wanted: CollateralRequest, fetched: i64, used: i64, validity: Option<Validity>) {
    let key = wanted.cache_key.clone();
    let cached = Cached {
        validity,
        request: Some(Arc::new(wanted)),
        ..Cached::new(Bytes::from_static(GOOD.as_bytes()), UnixTime(fetched))
    };
    world.cache.put(Vendor::Intel, &key, cached).await.unwrap();
    let noted = Use { vendor: Vendor::Intel, key, at: UnixTime(used) };
    world.cache.note_uses(&[noted]).await.unwrap();
}

#[tokio::test]
async fn what_is_due_is_old_or_near_its_end_and_was_used_lately() {
    let (now, hour) = (START, 3600);
    let long = Some(validity(now - 40 * DAY, now + 60 * DAY));
    for (name, fetched, used, kind, validity, due) in [
        ("a day old", now - DAY, now, CollateralKind::TcbInformation, long, true),
        ("a list a day old", now - DAY, now, CollateralKind::Crl, long, true),
        ("younger", now - DAY + 1, now, CollateralKind::TcbInformation, long, false),
        ("certificates do not age", now - 9 * DAY, now, CollateralKind::Certificates, long, false),
        (
            "ends in two days",
            now - 2 * hour,
            now,
            CollateralKind::Certificates,
            Some(validity(now - 9 * DAY, now + 2 * DAY)),
            true,
        ),
        (
            "ends later",
            now - 2 * hour,
            now,
            CollateralKind::Certificates,
            Some(validity(now - 9 * DAY, now + 2 * DAY + 1)),
            false,
        ),
        (
            "last third of a short life",
            now - 2 * hour,
            now,
            CollateralKind::Crl,
            Some(validity(now - 4 * hour, now + 2 * hour)),
            true,
        ),
        (
            "before the last third",
            now - 2 * hour,
            now,
            CollateralKind::Crl,
            Some(validity(now - 4 * hour, now + 2 * hour + 3)),
            false,
        ),
        (
            "asked a moment ago",
            now - hour + 1,
            now,
            CollateralKind::Crl,
            Some(validity(now - DAY, now + 1)),
            false,
        ),
        (
            "expired",
            now - 20 * DAY,
            now - DAY,
            CollateralKind::Crl,
            Some(validity(now - 30 * DAY, now - 1)),
            true,
        ),
        ("not used for long", now - 40 * DAY, now - 30 * DAY, CollateralKind::Crl, long, false),
        ("used a little later", now - 40 * DAY, now - 30 * DAY + 1, CollateralKind::Crl, long, true),
        ("no known end", now - DAY, now, CollateralKind::Crl, None, true),
    ] {
        let world = World::new(Say::status(500)).await;
        put(&world, CollateralRequest { kind, ..request("a") }, fetched, used, validity).await;
        assert_eq!(world.service.due().await.unwrap().len() == 1, due, "{name}");
        assert!(world.without_vendor().due().await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_refresh_begins_with_what_was_used_last() {
    let world = World::new(Say::body(GOOD)).await;
    for (name, used) in [("a", 10), ("b", 30), ("c", 20)] {
        put(&world, request(name), START - 5 * DAY, START - 4 * DAY + used, Some(validity(START, END))).await;
    }
    // A use on the way of a request counts, though nothing was written then.
    world.service.fetch(&request("a")).await.unwrap();
    let due: Vec<String> = world.service.due().await.unwrap().into_iter().map(|listed| listed.key).collect();
    assert_eq!(due, ["tcb-info/a", "tcb-info/b", "tcb-info/c"]);
    assert_eq!(world.service.refresh_due().await.unwrap().refreshed.len(), 3);
    assert!(world.service.due().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refresh_that_fails_keeps_the_copy_and_comes_back_later() {
    let world = World::new(Say::status(500)).await;
    put(&world, request("a"), START - 5 * DAY, START, Some(validity(START, END))).await;
    let before = world.cached().await;
    let mut waits = Vec::new();
    for failures in 1..=8 {
        let report = world.service.refresh_due().await.unwrap();
        assert_eq!((report.refreshed.len(), report.failed.len()), (0, 1), "{failures}");
        let mut waited = 0;
        while world.service.due().await.unwrap().is_empty() {
            world.clock.advance(10);
            waited += 10;
        }
        waits.push(waited);
    }
    assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    assert_eq!(world.cached().await, before);
    world.double.say(Say::body(GOOD));
    assert_eq!(world.service.refresh_due().await.unwrap().refreshed.len(), 1);
    assert_eq!(world.cached().await.unwrap().fetched, UnixTime(START + waits.iter().sum::<i64>()));
}

#[tokio::test]
async fn one_bad_piece_does_not_keep_the_others_from_refresh() {
    let world = World::new(Say::body(GOOD)).await;
    for name in ["a", "b"] {
        put(&world, request(name), START - 5 * DAY, START, Some(validity(START, END))).await;
    }
    world.double.say_at("/tdx/certification/v4/tcb?fmspc=a", Say::status(404));
    let report = world.service.refresh_due().await.unwrap();
    assert_eq!((report.refreshed.len(), report.failed.len()), (1, 1));
    assert_eq!(report.refreshed[0].request, request("b"));
}

#[tokio::test]
async fn the_background_task_refreshes_and_ends_when_it_is_dropped() {
    let world = World::new(Say::body(GOOD)).await;
    put(&world, request("a"), START - 5 * DAY, START, Some(validity(START, END))).await;
    let refresher = world.service.spawn_refresher(Duration::from_millis(10));
    world.double.until_asked(1).await;
    while world.cached().await.unwrap().fetched != UnixTime(START) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(refresher);
    world.clock.advance(2 * DAY);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.double.count(), 1);
}
