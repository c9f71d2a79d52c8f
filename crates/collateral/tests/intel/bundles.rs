//! Bundles: signed, opened, taken over, put together.

use assay_collateral::{
    AttemptOutcome, Bundle, BundleError, BundleItem, BundleSigner, Cached, CollateralCache as _,
    HttpSettings, ImportError, ImportOptions, MemoryCache, Step, Unfit, bundle,
};
use assay_cose::{PublicKey, header, sign1};
use assay_types::{Coded as _, CollateralOrigin, CollateralRequest, UnixTime, Vendor};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use super::double::{Say, request};
use super::world::{DAY, END, GOOD, START, World, builder, validity};

fn pem(algorithm: &'static EcdsaSigningAlgorithm) -> String {
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let body = BASE64_STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

fn signer() -> BundleSigner {
    BundleSigner::from_pem(&pem(&ECDSA_P256_SHA256_FIXED_SIGNING)).unwrap()
}

fn item(name: &str, text: &str) -> BundleItem {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    BundleItem { request: request(name), bytes, fetched: UnixTime(START) }
}

fn good(name: &str) -> BundleItem {
    item(name, GOOD)
}

fn a_bundle() -> Bundle {
    Bundle { created: UnixTime(START), items: vec![good("a"), good("b")] }
}

/// A message of the right type with this payload.
fn signed(signer: &BundleSigner, content_type: &str, payload: &[u8]) -> Vec<u8> {
    let genuine = a_bundle().sign(signer).unwrap();
    let kid = assay_cose::Sign1::read(&genuine).unwrap().signature().to_vec();
    let protected =
        vec![(header::ALG.into(), (-7_i64).into()), (header::CONTENT_TYPE.into(), content_type.into())];
    sign1::<()>(protected, Vec::new(), payload, |_| Ok(kid)).unwrap()
}

#[test]
fn what_was_signed_is_opened_with_the_signers_key_only() {
    for algorithm in [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING] {
        let signer = BundleSigner::from_pem(&pem(algorithm)).unwrap();
        let encoded = a_bundle().sign(&signer).unwrap();
        let key = signer.public_key().clone();
        let others: Vec<PublicKey> = [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING]
            .map(|other| BundleSigner::from_pem(&pem(other)).unwrap().public_key().clone())
            .to_vec();
        let mut all = others.clone();
        all.push(key);
        assert_eq!(Bundle::open(&encoded, &all), Ok(a_bundle()));
        assert_eq!(Bundle::read_unverified(&encoded), Ok(a_bundle()));
        assert!(bundle::looks_like_bundle(&encoded));
        for keys in [&others[..], &[]] {
            let error = Bundle::open(&encoded, keys).unwrap_err();
            assert!(matches!(error, BundleError::Signature { .. }), "{error}");
            assert_eq!(error.code(), "COL-009");
        }
    }
}

#[test]
fn a_bundle_that_was_changed_anywhere_is_not_opened() {
    let signer = signer();
    let encoded = a_bundle().sign(&signer).unwrap();
    let keys = [signer.public_key().clone()];
    for at in 0..encoded.len() {
        let mut changed = encoded.clone();
        changed[at] ^= 1;
        assert!(Bundle::open(&changed, &keys).is_err(), "byte {at}");
        assert!(Bundle::open(&encoded[..at], &keys).is_err(), "cut at {at}");
    }
}

#[test]
fn other_messages_and_other_payloads_are_refused_by_name() {
    let signer = signer();
    let genuine = serde_json::json!({ "format": "assay-collateral-bundle-v1", "created": 1, "items": [] });
    let read = |payload: &serde_json::Value| {
        Bundle::read_unverified(&signed(&signer, bundle::CONTENT_TYPE, payload.to_string().as_bytes()))
    };
    assert!(read(&genuine).is_ok());
    let form = Bundle::read_unverified(&signed(&signer, "text/plain", genuine.to_string().as_bytes()));
    assert!(matches!(form, Err(BundleError::Form { .. })));
    assert!(matches!(Bundle::read_unverified(b"{}"), Err(BundleError::Form { .. })));
    let item = serde_json::json!({ "request": request("a"), "bytes": "*", "fetched": 1 });
    let many = vec![serde_json::json!({ "request": request("a"), "bytes": "", "fetched": 1 }); 4097];
    for (member, value, part) in [
        ("format", serde_json::json!("assay-collateral-bundle-v2"), "v2"),
        ("created", serde_json::json!("now"), "line 1 column"),
        ("created", serde_json::json!(1.5), "1.5"),
        ("surplus", serde_json::json!(1), "surplus"),
        ("items", serde_json::json!([{}]), "request"),
        ("items", serde_json::json!([item]), "items[0].bytes"),
        ("items", serde_json::json!(many), "4097"),
    ] {
        let mut payload = genuine.clone();
        payload[member] = value;
        let error = read(&payload).unwrap_err();
        assert!(matches!(error, BundleError::Content { .. }), "{error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[test]
fn keys_that_cannot_sign_are_refused_with_a_way_out() {
    let wrong_curve = pem(&aws_lc_rs::signature::ECDSA_P521_SHA512_FIXED_SIGNING);
    let two = pem(&ECDSA_P256_SHA256_FIXED_SIGNING).repeat(2);
    let good = pem(&ECDSA_P256_SHA256_FIXED_SIGNING);
    for (text, part) in [
        ("", "PEM"),
        (two.as_str(), "one private key"),
        (&good.replace("PRIVATE", "EC PRIVATE"), "topk8"),
        (&good.replace("PRIVATE", "ENCRYPTED PRIVATE"), "encrypted"),
        (&good.replace("PRIVATE", "PUBLIC"), "PEM"),
        (&wrong_curve, "P-256 or P-384"),
        ("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----", "base64"),
    ] {
        let error = BundleSigner::from_pem(text).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert_eq!(error.code(), "COL-011");
    }
    assert_eq!(format!("{:?}", signer()), "BundleSigner { curve: P256, .. }");
}

#[tokio::test]
async fn imported_collateral_serves_where_there_is_no_network() {
    let world = World::new(Say::status(500)).await;
    let offline = world.without_vendor();
    let items = [good("a"), good("b"), good("a")];
    let imported = offline.import(&items, "bundle.cose", ImportOptions::default()).await.unwrap();
    assert_eq!(imported.len(), 2);
    assert_eq!((imported[0].step, imported[0].validity), (Step::New, Some(validity(START, END))));
    let item = offline.fetch(&request("a")).await.unwrap();
    assert_eq!((&item.bytes[..], item.origin), (GOOD.as_bytes(), CollateralOrigin::Cache));
    let cached = world.cached().await.unwrap();
    assert_eq!((cached.origin.as_str(), cached.fetched), ("bundle.cose", UnixTime(START)));
    assert_eq!(cached.request.as_deref(), Some(&request("a")));
    let again = offline.import(&items, "other", ImportOptions::default()).await.unwrap();
    assert!(again.iter().all(|imported| imported.step == Step::Same));
    assert_eq!(world.cached().await.unwrap().origin, "bundle.cose");
}

#[tokio::test]
async fn one_piece_that_is_not_fit_keeps_all_out() {
    let amd = CollateralRequest { vendor: Vendor::Amd, ..request("amd") };
    for (bad, unfit) in [
        (
            item("x", "forged 1 2"),
            Unfit::Piece(AttemptOutcome::NotGenuine { cause: "nobody signed it".into() }),
        ),
        (item("x", ""), Unfit::Piece(AttemptOutcome::Empty)),
        (item("x", "<html>"), Unfit::Piece(AttemptOutcome::Html)),
        (item("x", &"x".repeat(1 << 20)), Unfit::Piece(AttemptOutcome::TooLarge { limit: 38_360 })),
        (
            BundleItem {
                request: CollateralRequest { cache_key: "a\n".into(), ..request("x") },
                ..good("x")
            },
            Unfit::Key,
        ),
        (item("a", "good 86400000 88992001"), Unfit::Twice),
        (BundleItem { request: amd, ..good("x") }, Unfit::NotInspected),
    ] {
        let world = World::new(Say::status(500)).await;
        let options = ImportOptions { only_inspected: true, ..ImportOptions::default() };
        let wanted = bad.request.description.clone();
        let error = world.service.import(&[good("a"), bad, good("b")], "x", options).await.unwrap_err();
        assert_eq!(error, ImportError::Refused(vec![(wanted, unfit)]));
        assert_eq!(world.cache.list().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_step_back_is_refused_unless_it_is_asked_for() {
    let world = World::new(Say::status(500)).await;
    let import = async |text: &str, danger| {
        let options = ImportOptions { allow_older_danger: danger, ..ImportOptions::default() };
        world.service.import(&[item("a", text)], "x", options).await.map(|imported| imported[0].step)
    };
    assert_eq!(import(GOOD, false).await, Ok(Step::New));
    for (from, to) in [(START - 1, END), (START, END - 1), (START - DAY, END + DAY)] {
        let refused = import(&format!("good {from} {to}"), false).await.unwrap_err();
        let unfit = Unfit::Older { found: validity(from, to), cached: validity(START, END) };
        assert_eq!(refused, ImportError::Refused(vec![("TCB info a".into(), unfit)]));
        assert_eq!(world.cached().await.unwrap().validity, Some(validity(START, END)));
    }
    assert_eq!(import(&format!("good {START} {}", END - 1), true).await, Ok(Step::Older));
    assert_eq!(import(&format!("good {START} {END}"), false).await, Ok(Step::Newer));
    // An expired copy is no licence either.
    world.at(END + 1);
    assert!(import(&format!("good {START} {}", END - 1), false).await.is_err());
    // Nor is an entry of before the inspector, whose end nobody noted.
    let old = Cached::new(Bytes::from_static(GOOD.as_bytes()), UnixTime(START));
    world.cache.put(Vendor::Intel, "tcb-info/a", old).await.unwrap();
    assert!(import(&format!("good {START} {}", END - 1), false).await.is_err());
}

#[tokio::test]
async fn what_is_not_inspected_is_ordered_by_when_it_was_fetched() {
    let world = World::new(Say::status(500)).await;
    let request = CollateralRequest { vendor: Vendor::Amd, ..request("a") };
    let import = async |text: &'static [u8], fetched| {
        let bytes = Bytes::from_static(text);
        let item = BundleItem { request: request.clone(), bytes, fetched: UnixTime(fetched) };
        world.service.import(&[item], "x", ImportOptions::default()).await.map(|imported| imported[0].step)
    };
    assert_eq!(import(b"one", START).await, Ok(Step::New));
    assert_eq!(import(b"two", START + 1).await, Ok(Step::Newer));
    let unfit = Unfit::FetchedEarlier { found: UnixTime(START), cached: UnixTime(START + 1) };
    assert_eq!(import(b"one", START).await, Err(ImportError::Refused(vec![("TCB info a".into(), unfit)])));
}

#[tokio::test]
async fn an_export_holds_what_serves_and_names_what_it_leaves_out() {
    let world = World::new(Say::body(GOOD)).await;
    for name in ["b", "a"] {
        world.service.fetch(&request(name)).await.unwrap();
    }
    let put = async |vendor, key: &str, cached| world.cache.put(vendor, key, cached).await.unwrap();
    put(Vendor::Amd, "old", Cached::new(Bytes::from_static(b"x"), UnixTime(START))).await;
    let expired = Cached {
        validity: Some(validity(1, START - 1)),
        request: Some(request("c").into()),
        ..Cached::new(Bytes::from_static(b"x"), UnixTime(1))
    };
    put(Vendor::Intel, "tcb-info/c", expired).await;
    let exported = world.service.export(None).await.unwrap();
    let keys: Vec<&str> = exported.bundle.items.iter().map(|i| i.request.cache_key.as_str()).collect();
    assert_eq!(keys, ["tcb-info/a", "tcb-info/b"]);
    let left_out: Vec<&str> = exported.left_out.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(left_out, ["old", "tcb-info/c"]);
    assert_eq!(exported.bundle.created, UnixTime(START));
    assert!(world.service.export(Some(Vendor::Amd)).await.unwrap().bundle.items.is_empty());

    // And elsewhere it serves.
    let signer = signer();
    let encoded = exported.bundle.sign(&signer).unwrap();
    let opened = Bundle::open(&encoded, &[signer.public_key().clone()]).unwrap();
    let elsewhere = builder(&world.clock, &MemoryCache::default().into())
        .vendor_service(Vendor::Intel, "http://127.0.0.1:1", HttpSettings::default())
        .build()
        .unwrap();
    elsewhere.import(&opened.items, "bundle", ImportOptions::default()).await.unwrap();
    assert_eq!(elsewhere.fetch(&request("b")).await.unwrap().origin, CollateralOrigin::Cache);
}
