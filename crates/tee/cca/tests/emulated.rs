//! Emulated evidence of every generation: accepted, with the right claims; and odd but honest tokens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    clippy::type_complexity,
    missing_docs
)]

mod support;

use assay_cbor::Value as Cbor;
use assay_cose::Curve;
use assay_emulator::cca::{Cca, CcaGuest, Wrapper};
use assay_tee_cca::evidence::RealmToken;
use assay_tee_cca::{CcaEvidence, CcaSettings, CcaVerifier, EmulatedAnchors};
use assay_types::{
    Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, HashAlgorithm, Outcome,
    RawEvidence, Tee, Verifier,
};
use proptest::prelude::{any, prop, prop_assert, proptest};
use serde_json::{Value, json};
use support::{CHALLENGE, anchors, binding, failed, files, guest, outcome, silicon, verify, verify_with};

#[test]
fn every_generation_verifies_in_both_wrappers_under_every_key() {
    for generation in Cca::ALL {
        for wrapper in [Wrapper::Eat, Wrapper::Cmw] {
            // The collection of RMM 1.0 has no place for claims that are not signed.
            if wrapper == Wrapper::Eat && matches!(generation, Cca::Direct2024 | Cca::Direct2026) {
                continue;
            }
            for curve in Curve::ALL {
                let token = guest(generation).wrapper(wrapper).cpak(silicon().cpak(curve)).build().token;
                let genuine = verify(&token).unwrap_or_else(|error| panic!("{generation:?}: {error}"));
                assert_eq!(outcome(genuine.findings(), "CCA-014"), Outcome::Passed);
                assert_eq!(outcome(genuine.findings(), "CCA-020"), Outcome::Passed);
                let facts = genuine.facts();
                assert!(!facts.emulated, "the anchor was given as one of a vendor");
                assert_eq!(
                    facts.report_data.as_deref(),
                    Some(&*format!("{}{}", "5a".repeat(48), "00".repeat(16)))
                );
            }
        }
    }
}

#[test]
fn generations_mix() {
    use assay_tee_cca::profile::{PLATFORM_PROFILES, REALM_PROFILES};
    for platform in PLATFORM_PROFILES {
        let generation = match platform.name {
            name if name.ends_with(";direct") => continue,
            name if name.ends_with(";HESRAK") => Cca::HesRak2026,
            name if name.contains(",2026:") => Cca::Rmm20Of2026,
            name if name.contains("#2.") => Cca::Rmm20Of2024,
            _ => Cca::Draft2023,
        };
        for realm in REALM_PROFILES {
            let g = guest(generation).platform(|claims| claims.profile = platform).realm(|claims| {
                claims.profile = realm;
                claims.instance_id = Some(silicon().realm_instance_id());
                claims.mec_policy = Some(assay_tee_cca::MecPolicy::Private);
            });
            let g = if realm.has_raw_key() { g.raw_rak() } else { g.cose_rak() };
            let token = g.build().token;
            assert!(verify(&token).is_ok(), "{platform} with {realm}: {:?}", verify(&token).err());
        }
    }
}

#[test]
fn odd_but_honest_tokens_are_accepted() {
    let odd: [(&str, fn(CcaGuest<'static>) -> CcaGuest<'static>); 9] = [
        ("an unknown claim of the platform", |g| g.platform_members(|m| m.add(99_999_i64, "x"))),
        ("an unknown claim of the realm", |g| g.realm_members(|m| m.add("text", Cbor::Null))),
        ("a claim of a later profile in another form", |g| g.platform_members(|m| m.add(2403_i64, "text"))),
        ("a component without type", |g| g.platform(|p| p.components[0].component_type = None)),
        ("a component with a further member", |g| {
            g.platform_members(|m| {
                let Some(Cbor::Array(all)) = m.get_mut(2399) else { panic!() };
                let Cbor::Map(first) = &mut all[0] else { panic!() };
                first.push((9_i64.into(), true.into()));
            })
        }),
        ("an empty configuration", |g| g.platform(|p| p.config = Vec::new())),
        ("the policy on memory encryption as text", |g| g.realm_members(|m| m.set(44243, "private"))),
        ("members in another order", |g| {
            g.platform_members(|m| m.0.reverse()).realm_members(|m| m.0.reverse())
        }),
        ("a further entry", |g| g.collection(|c| c.members.add(44244_i64, vec![1_u8]))),
    ];
    for (name, edit) in odd {
        let token = edit(guest(Cca::Mixed)).build().token;
        assert!(verify(&token).is_ok(), "{name}: {:?}", verify(&token).err());
    }
    for algorithm in HashAlgorithm::ALL {
        assert!(verify(&guest(Cca::Mixed).rak_hash(algorithm).build().token).is_ok());
    }
}

/// Some libraries drop leading zeros of a coordinate and then refuse the key.
#[test]
fn a_leading_zero_byte_in_a_coordinate_is_nothing_special() {
    for generation in [Cca::Rmm10, Cca::Mixed] {
        let key = silicon().leading_zero_rak();
        let public = key.public_key();
        let (x, y) = public.curve().split(public.point()).unwrap();
        assert!(x[0] == 0 || y[0] == 0);
        assert!(verify(&guest(generation).rak(key).build().token).is_ok());
    }
}

#[test]
fn a_good_realm_token_on_another_platform_token_is_a_splice() {
    let other = assay_emulator::CcaSilicon::new(assay_emulator::Seed::new([9; 32]));
    for generation in
        [Cca::Rmm10, Cca::Draft2023, Cca::Mixed, Cca::Rmm20Of2024, Cca::Rmm20Of2026, Cca::HesRak2026]
    {
        let token = guest(generation).splice(&other).build().token;
        let error = verify(&token).unwrap_err();
        assert_eq!(failed(&error), ["CCA-020"], "{generation:?}");
        assert_eq!(outcome(error.findings(), "CCA-018"), Outcome::Passed, "its own signature is good");
    }
}

#[test]
fn a_platform_token_is_no_realm_token() {
    let token = guest(Cca::Mixed)
        .collection(|c| {
            let platform = c.members.get(44234).cloned().unwrap();
            c.members.set(44241, platform);
        })
        .build()
        .token;
    let error = verify(&token).unwrap_err();
    assert!(failed(&error).iter().all(|code| ["CCA-006", "CCA-009", "CCA-010"].contains(code)), "{error}");
}

#[test]
fn claims_have_the_names_and_encodings_of_the_reference() {
    let token = guest(Cca::Mixed).build().token;
    let genuine = verify(&token).unwrap();
    let claims = Value::Object(genuine.facts().claims.clone());
    let base64 = |bytes: &[u8]| {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        json!(BASE64_STANDARD.encode(bytes))
    };
    let platform = &claims["platform"];
    assert_eq!(platform["cca-platform-profile"], "tag:arm.com,2023:cca_platform#1.0.0");
    assert_eq!(platform["cca-platform-lifecycle"], 0x3003);
    assert_eq!(platform["cca-platform-lifecycle-state"], "secured");
    assert_eq!(platform["cca-platform-instance-id"], base64(&silicon().instance_id()));
    assert_eq!(platform["cca-platform-implementation-id"], base64(&silicon().implementation_id()));
    assert_eq!(platform["cca-platform-sw-components"].as_array().unwrap().len(), 4);
    assert_eq!(platform["cca-platform-sw-components"][0]["measurement-type"], "BL1");
    let realm = &claims["realm"];
    assert_eq!(realm["cca-realm-hash-algo-id"], "sha-256");
    assert_eq!(realm["cca-realm-extensible-measurements"].as_array().unwrap().len(), 4);
    assert_eq!(realm["cca-realm-mec-policy"], "private");
    assert_eq!(claims["wrapper"], 907);
    assert!(genuine.facts().appraiser.is_some());
}

#[test]
fn stored_and_emulated_trust_anchors_count() {
    let token = guest(Cca::Mixed).build().token;
    let stored = |anchor: &Value| CollateralItem {
        kind: CollateralKind::TrustAnchors,
        bytes: anchor.to_string().into_bytes().into(),
        origin: CollateralOrigin::ReferenceValue("cca/trust-anchor/…".into()),
    };
    let items = silicon().trust_anchors().iter().map(stored).collect();
    let genuine =
        verify_with(CcaSettings::production(), &token, &binding(), &CollateralSet { items }).unwrap();
    assert_eq!(outcome(genuine.findings(), "CCA-030"), Outcome::Passed);
    assert!(!genuine.facts().emulated);

    let entry = json!({ "trust-anchors": silicon().trust_anchors() });
    let settings =
        CcaSettings { emulated: EmulatedAnchors::read(&entry).unwrap(), ..CcaSettings::production() };
    for collateral in [CollateralSet::default(), anchors()] {
        let genuine = verify_with(settings.clone(), &token, &binding(), &collateral).unwrap();
        assert!(genuine.facts().emulated, "the result must say so, wherever else the key is endorsed");
    }
    for entry in [json!({}), json!({"trust-anchors": [1]}), json!({"trust-anchors": [], "more": 1}), json!(1)]
    {
        assert!(EmulatedAnchors::read(&entry).is_err(), "{entry}");
    }
}

#[test]
fn keys_of_published_seeds_are_refused_when_they_are_endorsed() {
    use assay_emulator::{CcaSilicon, Seed};
    let mut expected = assay_tee_cca::EMULATED_CPAKS.iter();
    for seed in Seed::PUBLISHED {
        let silicon = CcaSilicon::new(seed);
        for curve in Curve::ALL {
            let fingerprint = silicon.cpak(curve).public_key().fingerprint();
            assert_eq!(expected.next().map(|hex| hex::decode(hex).unwrap()), Some(fingerprint.to_vec()));
        }
        let anchors = silicon.trust_anchors();
        let anchor = anchors.iter().find(|anchor| anchor["pkey"]["crv"] == "P-384").unwrap();
        let token = silicon.guest(Cca::Mixed).build().token;
        let with = |kind, origin, settings| {
            let bytes = match kind {
                CollateralKind::TrustAnchors => anchor.to_string(),
                _ => json!([anchor]).to_string(),
            };
            let item = CollateralItem { kind, bytes: bytes.into_bytes().into(), origin };
            verify_with(settings, &token, &Binding::default(), &CollateralSet { items: vec![item] })
        };
        let endorsed = || CollateralOrigin::ReferenceValue("cca/trust-anchor/…".into());
        let error = with(CollateralKind::TrustAnchors, endorsed(), CcaSettings::production()).unwrap_err();
        assert_eq!(failed(&error), ["CCA-012"]);
        let admitted = with(CollateralKind::TrustAnchors, endorsed(), support::with_test_keys()).unwrap();
        let file = CollateralOrigin::File("anchors.json".into());
        let by_hand = with(CollateralKind::Unclassified, file, CcaSettings::production()).unwrap();
        assert!(admitted.facts().emulated && by_hand.facts().emulated, "the result must say so");
    }
    assert!(expected.next().is_none());
}

#[test]
fn the_json_of_the_wire_and_the_bare_token_are_one() {
    let evidence = guest(Cca::Rmm20Of2026).build();
    let verifier = CcaVerifier::new(CcaSettings::production());
    for bytes in [evidence.token.clone(), evidence.to_json().to_string().into_bytes()] {
        let parsed = verifier.parse(&RawEvidence::new(Tee::Cca, bytes)).unwrap();
        assert_eq!(parsed.verify(&binding(), &anchors(), support::NOW).unwrap().len(), 1);
    }
    let read = CcaEvidence::read(&evidence.token).unwrap();
    assert!(matches!(read.token.realm, RealmToken::Signed(_)));
}

#[test]
fn findings_are_all_reported_at_once() {
    let token = guest(Cca::Mixed)
        .realm(|realm| realm.challenge = [0; 64])
        .splice(&assay_emulator::CcaSilicon::new(assay_emulator::Seed::new([9; 32])))
        .break_platform_signature()
        .build()
        .token;
    let error = verify(&token).unwrap_err();
    assert_eq!(failed(&error), ["CCA-014", "CCA-020", "CCA-021"]);
    let token = guest(Cca::Mixed)
        .platform_members(|m| {
            m.remove(2401);
            m.set(2396, 1_i64);
            m.set(2402, "banana");
        })
        .realm_members(|m| m.remove(44235))
        .build()
        .token;
    let mut codes: Vec<String> = verify(&token).unwrap_err().failures().map(|f| f.code.to_string()).collect();
    codes.sort();
    assert_eq!(codes, ["CCA-007", "CCA-008", "CCA-009", "CCA-026"]);
}

#[test]
fn bombs_are_small_errors() {
    let deep = [vec![0xd9, 0x03, 0x8b], vec![0x81; 100_000]].concat();
    let huge_map = [vec![0xd9, 0x03, 0x8b, 0xbb], vec![0xff; 8]].concat();
    let huge_bytes = [vec![0xd9, 0x01, 0x8f, 0xa2, 0x19, 0xac, 0xca, 0x5b], vec![0x7f; 8]].concat();
    for bomb in [deep, huge_map, huge_bytes, vec![0xd9; 1 << 20], vec![0; 2 << 20]] {
        let error = verify(&bomb).unwrap_err();
        assert_eq!(failed(&error), ["CCA-002"]);
        assert!(error.to_string().len() < 1000);
    }
    let token = guest(Cca::Mixed)
        .platform_members(|m| {
            let Some(Cbor::Array(all)) = m.get_mut(2399) else { panic!() };
            let first = all[0].clone();
            *all = vec![first; 300];
        })
        .build()
        .token;
    assert_eq!(failed(&verify(&token).unwrap_err()), ["CCA-008"]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in any::<Vec<u8>>(), tag in prop::sample::select(vec![399_u16, 907])) {
        let verifier = CcaVerifier::new(CcaSettings::production());
        let wrapped = [&[0xd9][..], &tag.to_be_bytes(), &bytes].concat();
        for bytes in [bytes, wrapped] {
            prop_assert!(verifier.parse(&RawEvidence::new(Tee::Cca, bytes)).is_err());
        }
    }

    #[test]
    fn a_changed_token_never_verifies(index in 0_usize..1500, bit in 0_u8..8, cut in any::<bool>()) {
        let mut token = guest(Cca::Rmm20Of2026).build().token;
        let index = index % token.len();
        if cut {
            token.truncate(index);
        } else {
            token[index] ^= 1 << bit;
        }
        prop_assert!(verify(&token).is_err());
    }
}

#[test]
fn report_data_that_do_not_fit_are_refused() {
    let token = guest(Cca::Mixed).build().token;
    for (report_data, right) in
        [(CHALLENGE.to_vec(), true), (vec![0x5a; 47], false), (vec![0; 65], false), (vec![], false)]
    {
        let binding = Binding { report_data: Some(report_data), init_data: None };
        let result = verify_with(CcaSettings::production(), &token, &binding, &anchors());
        assert_eq!(result.is_ok(), right);
    }
    let bare = files([silicon().cpak(Curve::P384).public_key().to_pem()]);
    let genuine = verify_with(CcaSettings::production(), &token, &Binding::default(), &bare).unwrap();
    assert_eq!(outcome(genuine.findings(), "CCA-021"), Outcome::NotChecked);
    assert_eq!(outcome(genuine.findings(), "CCA-030"), Outcome::NotChecked);
}
