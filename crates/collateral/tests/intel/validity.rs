//! Inspected collateral: what is valid serves without the vendor, what has expired does not serve, what
//! is not genuine or a step back is not kept.

use std::time::Duration;

use assay_collateral::{AttemptOutcome, Cached, CollateralCache as _, HttpSettings, Source};
use assay_types::{Coded as _, CollateralOrigin, Fault, UnixTime, Vendor};
use bytes::Bytes;
use futures_util::future::join_all;

use super::double::{Say, body, request};
use super::world::{DAY, END, GOOD, START, World, builder, outcomes, validity};

#[tokio::test]
async fn a_warm_cache_serves_until_the_first_expiry_and_recovers_by_itself() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    world.double.say(Say::status(503));
    for time in [START + DAY, START + 29 * DAY, END] {
        world.at(time);
        assert_eq!(world.service.refresh_due().await.unwrap().refreshed, []);
        let item = world.fetch().await.unwrap();
        assert_eq!((body(&item.bytes).as_str(), item.origin), (GOOD, CollateralOrigin::Cache));
    }
    world.at(END + 1);
    let error = world.fetch().await.unwrap_err();
    assert_eq!(error.fault(), Fault::CollateralTransient);
    let since = UnixTime(END);
    assert_eq!(error.attempts()[1].source, Source::Cache);
    assert_eq!(
        outcomes(&error)[1..],
        [AttemptOutcome::Expired { since }, AttemptOutcome::Failed { status: 503 }]
    );
    assert!(error.to_string().contains("its copy expired at 1972-10-27T00:00:00Z"), "{error}");
    let newer = format!("good {END} {}", END + 30 * DAY);
    world.double.say(Say::body(&newer));
    // Failures pause the vendor for a minute at most.
    world.clock.advance(60);
    let item = world.fetch().await.unwrap();
    assert!(matches!(item.origin, CollateralOrigin::Service(_)));
    assert_eq!(body(&item.bytes), newer);
    assert_eq!(world.fetch().await.unwrap().origin, CollateralOrigin::Cache);
}

#[tokio::test]
async fn an_expired_copy_without_a_vendor_is_a_permanent_error() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    let offline = world.without_vendor();
    assert_eq!(offline.fetch(&request("a")).await.unwrap().origin, CollateralOrigin::Cache);
    world.at(END + 1);
    let error = offline.fetch(&request("a")).await.unwrap_err();
    assert_eq!(error.fault(), Fault::CollateralPermanent);
    let since = UnixTime(END);
    assert_eq!(outcomes(&error)[1..], [AttemptOutcome::Expired { since }, AttemptOutcome::NotConfigured]);
}

#[tokio::test]
async fn too_many_requests_are_no_error_while_the_copy_is_valid() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    world.double.say(Say::status(429).with("retry-after", "600"));
    world.clock.advance(2 * DAY);
    let report = world.service.refresh_due().await.unwrap();
    assert!(matches!(outcomes(&report.failed[0])[..], [AttemptOutcome::RateLimited { status: 429, .. }]));
    for _ in 0..3 {
        assert_eq!(world.fetch().await.unwrap().origin, CollateralOrigin::Cache);
    }
    // It is left alone for as long as it said, and then asked again.
    world.clock.advance(599);
    let report = world.service.refresh_due().await.unwrap();
    assert!(matches!(outcomes(&report.failed[0])[..], [AttemptOutcome::Paused { .. }]));
    assert_eq!(world.double.count(), 2);
    world.double.say(Say::body(GOOD));
    world.clock.advance(120);
    assert_eq!(world.service.refresh_due().await.unwrap().refreshed.len(), 1);
}

#[tokio::test]
async fn a_slow_vendor_does_not_slow_requests_that_have_a_copy() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    world.double.say(Say::body(GOOD).gated());
    world.clock.advance(2 * DAY);
    let refresh = tokio::spawn({
        let service = world.service.clone();
        async move { service.refresh_due().await }
    });
    world.double.until_asked(2).await;
    // The refresh hangs at the vendor's; these do not.
    let item = tokio::time::timeout(Duration::from_secs(5), world.fetch()).await.unwrap().unwrap();
    assert_eq!(item.origin, CollateralOrigin::Cache);
    assert!(!refresh.is_finished());
    world.double.open();
    assert_eq!(refresh.await.unwrap().unwrap().refreshed.len(), 1);
    assert_eq!(world.double.count(), 2);
}

#[tokio::test]
async fn requests_and_the_refresh_share_one_fetch_of_what_has_expired() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    world.double.say(Say::body(format!("good {END} {}", END + DAY)).gated());
    world.at(END);
    world.fetch().await.unwrap();
    world.at(END + 1);
    let refresh = tokio::spawn({
        let service = world.service.clone();
        async move { service.refresh_due().await }
    });
    let wanted = request("a");
    let (items, ()) = tokio::join!(join_all((0..50).map(|_| world.service.fetch(&wanted))), async {
        world.double.until_asked(2).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.double.open();
    });
    assert!(items.iter().all(Result::is_ok));
    assert_eq!(refresh.await.unwrap().unwrap().refreshed.len(), 1);
    assert_eq!(world.double.count(), 2);
}

#[tokio::test]
async fn an_answer_that_is_a_step_back_does_not_replace_the_valid_copy() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    for (from, to, is_older) in [
        (START - 1, END, true),
        (START, END - 1, true),
        (START - DAY, END + DAY, true),
        (START + DAY, END - DAY, true),
        (START, END, false),
        (START + DAY, END + DAY, false),
    ] {
        world.clock.advance(1);
        world.double.say(Say::body(format!("good {from} {to}")));
        let before = world.cached().await;
        let answer = world.service.refresh(&request("a")).await;
        assert_eq!(answer.is_err(), is_older, "{from} {to}");
        if let Err(error) = answer {
            let (found, cached) = (validity(from, to), validity(START, END));
            assert_eq!(outcomes(&error), [AttemptOutcome::Older { found, cached }]);
            assert_eq!(world.cached().await, before);
        }
    }
    assert_eq!(world.cached().await.unwrap().validity, Some(validity(START + DAY, END + DAY)));
}

#[tokio::test]
async fn nor_does_it_replace_a_valid_entry_of_before_the_inspector() {
    let world = World::new(Say::body(format!("good {START} {}", END - 1))).await;
    let old = Cached::new(Bytes::from_static(GOOD.as_bytes()), UnixTime(START));
    world.cache.put(Vendor::Intel, "tcb-info/a", old.clone()).await.unwrap();
    let error = world.service.refresh(&request("a")).await.unwrap_err();
    assert!(matches!(outcomes(&error)[..], [AttemptOutcome::Older { .. }]), "{error}");
    assert_eq!(world.cached().await, Some(old));
}

#[tokio::test]
async fn an_answer_that_does_not_pass_is_neither_used_nor_kept() {
    let world = World::new(Say::body("forged 1 2")).await;
    let error = world.fetch().await.unwrap_err();
    assert_eq!(outcomes(&error)[2], AttemptOutcome::NotGenuine { cause: "nobody signed it".into() });
    assert_eq!(error.fault(), Fault::CollateralPermanent);
    assert_eq!(world.cached().await, None);
    // Nor does it take the place of a good one.
    world.double.say(Say::body(GOOD));
    world.fetch().await.unwrap();
    world.double.say(Say::body("forged 1 2"));
    assert!(world.service.refresh(&request("a")).await.is_err());
    assert_eq!(body(&world.fetch().await.unwrap().bytes), GOOD);
}

#[tokio::test]
async fn an_answer_that_has_expired_already_is_not_kept_and_better_may_come() {
    let stale = format!("good {} {}", START - 30 * DAY, START - 1);
    let world = World::new(Say::body(stale)).await;
    let error = world.fetch().await.unwrap_err();
    assert_eq!(outcomes(&error)[2], AttemptOutcome::Stale { since: UnixTime(START - 1) });
    assert_eq!(error.fault(), Fault::CollateralTransient);
    assert_eq!(world.cached().await, None);
    world.double.say(Say::body(format!("good {} {START}", START - DAY)));
    assert!(world.fetch().await.is_ok());
}

#[tokio::test]
async fn what_is_kept_says_how_long_what_for_and_whence() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    let cached = world.cached().await.unwrap();
    assert_eq!(cached.fetched, UnixTime(START));
    assert_eq!(cached.validity, Some(validity(START, END)));
    assert_eq!(cached.request.as_deref(), Some(&request("a")));
    assert_eq!(cached.origin, format!("{}/tdx/certification/v4/tcb?fmspc=a", world.double.url));
}

#[tokio::test]
async fn entries_of_before_the_inspector_are_inspected_once_used() {
    let world = World::new(Say::status(500)).await;
    let put = async |text: &'static str| {
        let old = Cached::new(Bytes::from_static(text.as_bytes()), UnixTime(START - DAY));
        world.cache.put(Vendor::Intel, "tcb-info/a", old).await.unwrap();
    };
    put(GOOD).await;
    assert_eq!(world.fetch().await.unwrap().origin, CollateralOrigin::Cache);
    let cached = world.cached().await.unwrap();
    assert_eq!((cached.validity, cached.fetched), (Some(validity(START, END)), UnixTime(START - DAY)));
    assert_eq!(cached.request.as_deref(), Some(&request("a")));
    put("forged 1 2").await;
    let error = world.fetch().await.unwrap_err();
    assert!(matches!(outcomes(&error)[1], AttemptOutcome::NotGenuine { .. }), "{error}");
    assert_eq!(world.cached().await, None);
}

#[tokio::test]
async fn bad_evidence_cannot_make_us_ask_for_genuine_collateral() {
    let world = World::new(Say::body(GOOD)).await;
    world.fetch().await.unwrap();
    world.clock.advance(DAY);
    for _ in 0..5 {
        world.service.discard(&request("a")).await;
        assert_eq!(world.fetch().await.unwrap().origin, CollateralOrigin::Cache);
    }
    assert_eq!(world.double.count(), 1);
    // What is not genuine by the inspector of today is gone.
    let forged = Cached {
        validity: Some(validity(START, END)),
        ..Cached::new(Bytes::from_static(b"forged 1 2"), UnixTime(START))
    };
    world.cache.put(Vendor::Intel, "tcb-info/a", forged).await.unwrap();
    world.service.discard(&request("a")).await;
    assert_eq!(world.cached().await, None);
}

#[tokio::test]
async fn what_expired_in_the_folder_gives_way_to_something_better_and_serves_without() {
    let world = World::new(Say::body(GOOD)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("intel")).unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("intel/a.json"), text).unwrap();
    let service = builder(&world.clock, &world.cache)
        .offline_folder(folder.path())
        .vendor_service(Vendor::Intel, &world.double.url, HttpSettings::default())
        .build()
        .unwrap();
    let in_folder = CollateralOrigin::Folder("intel/a.json".into());
    let origin = async || service.fetch(&request("a")).await.map(|item| item.origin);
    // The last moment still counts.
    write(&format!("good 1 {START}"));
    assert_eq!(origin().await.unwrap(), in_folder);
    write(&format!("good 1 {}", START - 1));
    assert!(matches!(origin().await.unwrap(), CollateralOrigin::Service(_)));
    assert_eq!(origin().await.unwrap(), CollateralOrigin::Cache);
    world.at(END + 1);
    world.double.say(Say::status(500));
    assert_eq!(origin().await.unwrap(), in_folder);
    // What is not genuine does not serve at all.
    write("forged 1 2");
    let error = origin().await.unwrap_err();
    assert!(matches!(outcomes(&error)[0], AttemptOutcome::NotGenuine { .. }), "{error}");
}
