//! The endorsements of emulated CCA platforms, read by this project's reader, by an independent one
//! (`corim`, with its rules of the CCA profiles) and compared with the claims of tokens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

use assay_cbor::Value;
use assay_corim::{CryptoKey, Document, Identifier, Profile, RawValue, SignedCorim};
use assay_cose::{Curve, PublicKey};
use assay_emulator::cca::{Cca, CcaGuest, CorimKind, CorimTemplate, SIGNER, claim, mkey};
use assay_emulator::{CcaSilicon, Emulator, Seed};
use assay_tee_cca::endorsement::{
    ConfigReference, Endorsement, EndorsementFile, PLATFORM_PROFILE, PLATFORM_PROFILE_04, REALM_PROFILE,
    REALM_PROFILE_04, SignatureState, read_file,
};
use assay_types::{Digest, HashAlgorithm, Tee, UnixTime, Validity};
use corim::profile::ProfileRegistry;
use corim::profile::cca::{CcaPlatformProfile, CcaRealmProfile};
use coset::{CoseSign1, TaggedCborSerializable as _};
use p256::ecdsa::signature::Verifier as _;
use serde_json::json;

/// 2026-06-01.
const NOW: i64 = 1_780_272_000;

fn silicon() -> CcaSilicon {
    CcaSilicon::new(Seed::new([0x42; 32]))
}

fn signed(template: &CorimTemplate) -> SignedCorim {
    match assay_corim::read(&template.signed()).unwrap() {
        Document::Signed(signed) => *signed,
        Document::Unsigned(_) => panic!("not signed"),
    }
}

#[test]
fn every_kind_is_read_back_as_it_was_written_signed_and_unsigned() {
    let silicon = silicon();
    for kind in CorimKind::ALL {
        let template = silicon.corim(kind);
        let Document::Unsigned(read) = assay_corim::read(&template.unsigned()).unwrap() else { panic!() };
        assert_eq!(read, template.corim, "{kind:?}");
        assert!(read.notes.is_empty());
        let read = signed(&template);
        assert_eq!(read.corim, template.corim);
        assert_eq!(read.meta.signer, SIGNER);
        let signer = PublicKey::from_jwk(&silicon.corim_signer_jwk()).unwrap();
        assert_eq!(PublicKey::from_pem(&silicon.corim_signer_pem()).unwrap(), signer);
        read.message.verify(&signer).unwrap();
        let profile = match kind {
            CorimKind::Realm => Some(REALM_PROFILE),
            CorimKind::All => None,
            _ => Some(PLATFORM_PROFILE),
        };
        assert_eq!(read.corim.profile, profile.map(|uri| Profile::Uri(uri.into())));
        let comids = match kind {
            CorimKind::All => 3,
            CorimKind::PlatformWithKey => 2,
            _ => 1,
        };
        assert_eq!(read.corim.comids().count(), comids);
    }
}

#[test]
fn an_independent_library_verifies_the_signature() {
    let template = silicon().corim(CorimKind::Platform);
    let message = CoseSign1::from_tagged_slice(&template.signed()).unwrap();
    let header = &message.protected.header;
    assert_eq!(header.alg, Some(coset::Algorithm::Assigned(coset::iana::Algorithm::ES256)));
    assert_eq!(header.content_type, Some(coset::ContentType::Text("application/rim+cbor".into())));
    let key = silicon().corim_signer().public_key();
    let verify = |message: &CoseSign1| {
        message.verify_signature(&[], |signature, data| {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key.point()).unwrap();
            key.verify(data, &p256::ecdsa::Signature::from_slice(signature).unwrap())
        })
    };
    verify(&message).unwrap();
    let mut broken = template.clone();
    broken.broken_signature = true;
    verify(&CoseSign1::from_tagged_slice(&broken.signed()).unwrap()).unwrap_err();
    let mut other = template;
    other.signer = CcaSilicon::new(Seed::new([0x43; 32])).corim_signer();
    verify(&CoseSign1::from_tagged_slice(&other.signed()).unwrap()).unwrap_err();
}

#[test]
fn the_form_of_the_draft_keeps_the_rules_of_its_profiles() {
    let mut registry = ProfileRegistry::new();
    registry.register(Box::new(CcaPlatformProfile::new()));
    registry.register(Box::new(CcaRealmProfile::new()));
    for kind in [CorimKind::Platform, CorimKind::Realm, CorimKind::TrustAnchor, CorimKind::PlatformWithKey] {
        for algorithm in HashAlgorithm::ALL {
            let guest = silicon().guest(Cca::Mixed).platform_hash(algorithm).realm_hash(algorithm);
            let mut template = guest.corim(kind);
            template.as_draft_04();
            let check = |template: &CorimTemplate| {
                corim::validate::decode_and_validate_at_with_registry(&template.unsigned(), NOW, &registry)
            };
            let (read, comids) = check(&template).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
            let profile = read.profile.unwrap();
            assert!(registry.get(&profile).is_some(), "the library knows the profile {profile:?}");
            let triples = &comids[0].triples;
            let found = (
                triples.reference_triples.as_ref().map(|triples| triples[0].1.len()),
                triples.attest_key_triples.as_ref().map(Vec::len),
            );
            let expected = match kind {
                CorimKind::Platform => (Some(5), None),
                CorimKind::Realm => (Some(6), None),
                CorimKind::PlatformWithKey => (Some(5), None), // the key is in the second CoMID
                _ => (None, Some(1)),
            };
            assert_eq!(found, expected);
            corim::types::signed::decode_and_validate_signed_corim_at(&template.signed(), None, NOW).unwrap();

            // The library does look at the rules.
            if kind != CorimKind::TrustAnchor {
                let values = &mut template.measurements_mut().next().unwrap().values;
                (values.name, values.digests) = (Some("no digest".into()), None);
                check(&template).unwrap_err();
            }
        }
    }
}

#[test]
fn the_form_of_veraison_is_read_by_the_independent_library() {
    for kind in CorimKind::ALL {
        let template = silicon().corim(kind);
        let (read, comids) = corim::validate::decode_and_validate_at(&template.unsigned(), NOW).unwrap();
        assert_eq!(comids.len(), template.corim.tags.len());
        let id = template.corim.id.to_string();
        assert!(matches!(read.id, corim::types::corim::CorimId::Text(text) if text == id));
        assert!(corim::validate::decode_and_validate_at(&template.unsigned(), 0).is_err(), "not yet valid");
    }
}

fn bytes(value: &Value) -> &[u8] {
    value.as_bytes().unwrap()
}

/// The digest of a measurement, whatever its algorithm.
fn digest(template: &mut CorimTemplate, key: &str) -> Vec<u8> {
    template.measurement_mut(key).unwrap().values.digests.as_ref().unwrap()[0].value.clone()
}

fn agrees(guest: CcaGuest<'_>) {
    let mut corim = guest.corim(CorimKind::All);
    let store = guest.reference_value_store();
    let anchors = guest.trust_anchor_store();
    let cpak = guest.platform_key().public_key();
    let evidence = guest.build();
    let (platform, realm) = (evidence.platform_claims, evidence.realm_claims);

    let Document::Unsigned(read) = assay_corim::read(&corim.unsigned()).unwrap() else { panic!() };
    let comids: Vec<_> = read.comids().map(|(_, comid)| comid.triples.clone()).collect();
    let class = |triples: &assay_corim::Environment| triples.class.clone().unwrap().id.unwrap();
    let implementation = bytes(platform.get(2396).unwrap()).to_vec();
    let rim = bytes(realm.get(44238).unwrap()).to_vec();
    assert_eq!(class(&comids[0].reference[0].environment), Identifier::Bytes(implementation.clone()));
    assert_eq!(class(&comids[1].reference[0].environment), Identifier::Bytes(rim.clone()));
    let anchor = &comids[2].attest_key[0];
    assert_eq!(class(&anchor.environment), Identifier::Bytes(implementation.clone()));
    let instance = bytes(platform.get(256).unwrap()).to_vec();
    assert_eq!(anchor.environment.instance, Some(Identifier::Ueid(instance.clone())));
    let [CryptoKey::PkixBase64Key(pem)] = anchor.keys.as_slice() else { panic!() };
    assert_eq!(PublicKey::from_pem(pem).unwrap(), cpak);

    let components = platform.get(2399).unwrap().as_array().unwrap();
    let endorsed = &comids[0].reference[0].measurements;
    assert_eq!(endorsed.len(), components.len() + 1);
    for (place, (component, endorsed)) in components.iter().zip(endorsed).enumerate() {
        let values = &endorsed.values;
        assert_eq!(component.get(1).and_then(Value::as_text), values.name.as_deref());
        assert_eq!(bytes(component.get(2).unwrap()), values.digests.as_ref().unwrap()[0].value);
        let version = values.version.as_ref().map(|version| version.version.as_str());
        assert_eq!(component.get(4).and_then(Value::as_text), version);
        let signer = CryptoKey::Bytes(bytes(component.get(5).unwrap()).to_vec());
        assert_eq!(values.crypto_keys.as_deref(), Some([signer].as_slice()));
        assert_eq!(
            store["platform"][0]["sw-components"][place],
            json!({
                "component-type": component.get(1).unwrap().as_text(),
                "measurement-value": hex::encode(bytes(component.get(2).unwrap())),
                "version": component.get(4).unwrap().as_text(),
                "signer-id": hex::encode(bytes(component.get(5).unwrap())),
            })
        );
    }
    assert_eq!(store["platform"][0]["implementation-id"], hex::encode(&implementation));
    assert_eq!(
        store["platform"][0]["platform-configuration"],
        hex::encode(bytes(platform.get(2401).unwrap()))
    );
    let config = corim.measurement_mut(mkey::PLATFORM_CONFIG).unwrap().values.raw_value.clone();
    assert_eq!(config, Some(RawValue::Bytes(bytes(platform.get(2401).unwrap()).to_vec())));

    assert_eq!(digest(&mut corim, mkey::RIM), rim);
    assert_eq!(store["realm"][0]["initial-measurement"], hex::encode(&rim));
    for (place, value) in realm.get(44239).unwrap().as_array().unwrap().iter().enumerate() {
        assert_eq!(digest(&mut corim, mkey::REM[place]), bytes(value));
        assert_eq!(store["realm"][0]["extensible-measurements"][place], hex::encode(bytes(value)));
    }
    let rpv = bytes(realm.get(44235).unwrap()).to_vec();
    assert_eq!(store["realm"][0]["personalization-value"], hex::encode(&rpv));
    let endorsed = corim.measurement_mut(mkey::RPV).unwrap().values.raw_value.clone();
    assert_eq!(endorsed, Some(RawValue::Bytes(rpv)));
    let named = realm.get(44240).and_then(Value::as_text);
    assert_eq!(store["realm"][0].get("rak-hash-algorithm").and_then(|name| name.as_str()), named);

    assert_eq!(
        anchors,
        json!([{
            "implementation-id": hex::encode(&implementation),
            "instance-id": hex::encode(&instance),
            "pkey": cpak.to_jwk(),
        }])
    );
}

#[test]
fn endorsements_say_what_the_tokens_of_the_same_guest_say() {
    let silicon = silicon();
    for generation in Cca::ALL {
        agrees(silicon.guest(generation));
    }
    for algorithm in HashAlgorithm::ALL {
        agrees(silicon.guest(Cca::Mixed).platform_hash(algorithm).realm_hash(algorithm).rak_hash(algorithm));
    }
    agrees(silicon.guest(Cca::Rmm20Of2026).cpak(silicon.cpak(Curve::P521)).realm(|realm| {
        realm.personalization_value = [3; 64];
        realm.extensible_measurements[2] = vec![7; 32];
    }));
    let set = [("component.1.version".to_owned(), "9".to_owned()), ("config".to_owned(), "0102".to_owned())];
    let emulator = Emulator::new(Seed::new([0x42; 32]));
    agrees(emulator.cca_guest(&[1; 48], Some(&Digest::sha384(b"init")), &set).unwrap());
}

/// The endorsements of a file must be those of the guest.
fn endorses(guest: &CcaGuest<'_>, file: &EndorsementFile, expected: &[&str], mask: Option<&[u8]>) {
    let (platform, realm) = (guest.platform_claims(), guest.realm_claims());
    let mut kinds = Vec::new();
    for named in &file.endorsements {
        match &named.endorsement {
            Endorsement::TrustAnchor(anchor) => {
                kinds.push("key");
                assert_eq!(anchor.implementation_id, platform.implementation_id);
                assert_eq!(anchor.instance_id, platform.instance_id);
                assert_eq!(anchor.key, guest.platform_key().public_key());
            }
            Endorsement::Platform(reference) => {
                kinds.push("platform");
                assert_eq!(reference.implementation_id, platform.implementation_id);
                let config =
                    ConfigReference { value: platform.config.clone(), mask: mask.map(<[u8]>::to_vec) };
                assert_eq!(reference.config, Some(config));
                assert_eq!(reference.components.len(), platform.components.len());
                for (endorsed, claimed) in reference.components.iter().zip(&platform.components) {
                    assert_eq!(endorsed.name, claimed.component_type);
                    assert_eq!(endorsed.version, claimed.version);
                    assert_eq!(endorsed.signer_id, claimed.signer_id);
                    assert_eq!(endorsed.measurement.0.len(), 1);
                    assert_eq!(endorsed.measurement.0[0].value, claimed.measurement);
                }
            }
            Endorsement::Realm(reference) => {
                kinds.push("realm");
                let rim = &reference.initial_measurement.0;
                assert_eq!(rim[0].value, realm.initial_measurement);
                for (endorsed, claimed) in
                    reference.extensible_measurements.iter().zip(&realm.extensible_measurements)
                {
                    assert_eq!(endorsed.as_ref().unwrap().0[0].value, *claimed);
                }
                assert_eq!(reference.personalization_value, Some(realm.personalization_value));
            }
        }
    }
    assert_eq!(kinds, expected);
}

#[test]
fn the_verifiers_own_reader_takes_every_form() {
    let silicon = silicon();
    let guest = silicon.guest(Cca::Rmm20Of2026).realm_hash(HashAlgorithm::Sha384).realm(|realm| {
        realm.personalization_value = [3; 64];
    });
    let ones: &[u8] = &[0xff; 8];
    for (kind, expected) in [
        (CorimKind::Platform, &["platform"][..]),
        (CorimKind::Realm, &["realm"]),
        (CorimKind::TrustAnchor, &["key"]),
        (CorimKind::PlatformWithKey, &["platform", "key"]),
    ] {
        let template = guest.corim(kind);
        let file = read_file(&template.unsigned()).unwrap();
        endorses(&guest, &file, expected, Some(ones));
        assert_eq!(file.signature, SignatureState::Unsigned);
        assert_eq!(Some(file.validity), template.corim.validity);
        let file = read_file(&template.signed()).unwrap();
        endorses(&guest, &file, expected, Some(ones));
        assert_eq!(file.signature, SignatureState::Unchecked { signer: SIGNER.into() });

        let mut draft = template.clone();
        draft.as_draft_04();
        let profile = if kind == CorimKind::Realm { REALM_PROFILE_04 } else { PLATFORM_PROFILE_04 };
        assert_eq!(draft.corim.profile, Some(Profile::Uri(profile.into())));
        endorses(&guest, &read_file(&draft.unsigned()).unwrap(), expected, Some(ones));
    }
    read_file(&guest.corim(CorimKind::All).unsigned()).unwrap_err();

    let store = |value: serde_json::Value| read_file(value.to_string().as_bytes()).unwrap();
    endorses(&guest, &store(guest.reference_value_store()), &["platform", "realm"], None);
    endorses(&guest, &store(guest.trust_anchor_store()), &["key"], None);
}

#[test]
fn edits_of_members_reach_the_token_alone() {
    let guest = silicon().guest(Cca::Mixed).platform_members(|claims| {
        claims.set(claim::platform::CONFIG, [9; 8]);
    });
    assert_eq!(guest.corim(CorimKind::Platform).unsigned(), silicon().corim(CorimKind::Platform).unsigned());
}

#[test]
fn validity_mask_measurements_and_profile_are_as_they_were_set() {
    let mut template = silicon().corim(CorimKind::All);
    let validity = Validity { not_before: UnixTime(100), not_after: UnixTime(200) };
    template.corim.validity = Some(validity);
    let document = assay_corim::read(&template.unsigned()).unwrap();
    assert_eq!(document.validity(), validity);
    template.meta.validity = Some(Validity { not_before: UnixTime(150), not_after: UnixTime(300) });
    let document = assay_corim::read(&template.signed()).unwrap();
    assert_eq!(document.validity(), Validity { not_before: UnixTime(150), not_after: UnixTime(200) });

    template.mask_config(&[0xf0; 8]);
    let config = |template: &CorimTemplate| {
        let mut read = template.clone();
        read.corim = assay_corim::read(&template.unsigned()).unwrap().corim().clone();
        let values = read.measurement_mut(mkey::PLATFORM_CONFIG).unwrap().values.clone();
        (values.raw_value.unwrap(), values.raw_value_mask)
    };
    let value = assay_emulator::cca::PLATFORM_CONFIG.to_vec();
    assert_eq!(config(&template), (RawValue::Bytes(value.clone()), Some(vec![0xf0; 8])));
    let mut draft = template.clone();
    draft.as_draft_04();
    let masked = RawValue::Masked { value: value.clone(), mask: vec![0xf0; 8] };
    assert_eq!(config(&draft), (masked, None));
    template.unmask_config();
    assert_eq!(config(&template), (RawValue::Bytes(value), None));

    template.component_mut("BL2").unwrap().values.digests.as_mut().unwrap()[0].value = vec![1; 48];
    template.measurement_mut(mkey::REM[3]).unwrap().values.digests.as_mut().unwrap()[0].value = vec![2; 48];
    template.comid_mut().unwrap().triples.reference[0].measurements.remove(0);
    template.corim.profile = Some(Profile::Uri("tag:example".into()));
    let Document::Unsigned(read) = assay_corim::read(&template.unsigned()).unwrap() else { panic!() };
    assert_eq!(read, template.corim);
    assert!(template.component_mut("BL1").is_none());
    assert!(template.component_mut("BL9").is_none());
}

/// Guards endorsements against a change that goes unnoticed.
#[test]
fn the_endorsements_of_the_development_seed_are_the_published_ones() {
    let silicon = CcaSilicon::new(Seed::DEVELOPMENT);
    let digests =
        CorimKind::ALL.map(|kind| Digest::sha256(&silicon.corim(kind).signed()).to_hex()[..16].to_owned());
    assert_eq!(
        digests,
        ["528c372bc7ccd497", "5b234cdcd86853ff", "74505ef914513681", "69227de0c6119f98", "eee1dbbb9996a75a"]
    );
    let emulator = Emulator::new(Seed::DEVELOPMENT);
    assert_eq!(
        emulator.cca().trust_anchors(),
        *emulator.anchors().anchors[&Tee::Cca]["trust-anchors"].as_array().unwrap()
    );
}
