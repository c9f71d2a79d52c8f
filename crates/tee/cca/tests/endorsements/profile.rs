//! The rules of the profiles.

use std::collections::BTreeSet;

use assay_cbor::Value;
use assay_corim::{
    Corim, CryptoKey, Digest, DigestAlgorithm, Environment, Identifier, KeyHint, MeasurementKey, Meta,
    Profile, RawValue, Tag, Triples, ValueTriple, read,
};
use assay_tee_cca::endorsement::{
    Endorsement, EndorsementError, PLATFORM_PROFILE, PLATFORM_PROFILE_04, PROFILE_CHECKS, ProfileProblem,
    REALM_PROFILE, REALM_PROFILE_04, SignatureState, of_corim, read_file,
};

use crate::corims::{
    anchor, comid, component, first, pem, platform, platform_environment, raw, realm, values,
};

fn codes(problems: &[ProfileProblem]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.check.code).collect()
}

#[test]
fn good_corims_are_taken_as_made_and_as_read() {
    for corim in [platform(), realm()] {
        let direct = of_corim(&corim, None).unwrap();
        let read = read(&corim.encode_unsigned()).unwrap();
        assert_eq!(of_corim(read.corim(), None).unwrap(), direct);
    }
}

type Break = fn(&mut Corim);

/// Ways to break one rule of the platform profile and no other.
const PLATFORM: &[(&str, Break)] = &[
    ("CCA-201", |c| c.profile = None),
    ("CCA-201", |c| c.profile = Some(Profile::Uri("http://arm.com/cca/ssd/1".into()))),
    ("CCA-201", |c| c.profile = Some(Profile::Oid(vec![1, 2]))),
    ("CCA-202", |c| first(c).environment.class = None),
    ("CCA-202", |c| first(c).environment.class.as_mut().unwrap().id = None),
    ("CCA-203", |c| first(c).environment = Environment::of_class(Identifier::Bytes(vec![7; 31]))),
    ("CCA-203", |c| first(c).environment = Environment::of_class(Identifier::Uuid([7; 16]))),
    ("CCA-205", |c| first(c).environment.instance = Some(Identifier::Bytes(vec![1]))),
    ("CCA-205", |c| first(c).environment.group = Some(Identifier::Bytes(vec![1]))),
    ("CCA-205", |c| first(c).environment.class.as_mut().unwrap().layer = Some(1)),
    ("CCA-205", |c| anchor(c).environment.class.as_mut().unwrap().index = Some(1)),
    ("CCA-206", |c| anchor(c).environment.instance = None),
    ("CCA-206", |c| anchor(c).environment.instance = Some(Identifier::Bytes(vec![1; 33]))),
    ("CCA-206", |c| anchor(c).environment.instance = Some(Identifier::Ueid(vec![1; 32]))),
    ("CCA-206", |c| anchor(c).environment.instance = Some(Identifier::Ueid(vec![2; 33]))),
    ("CCA-207", |c| anchor(c).keys = vec![CryptoKey::PkixBase64Cert(pem())]),
    ("CCA-207", |c| anchor(c).keys = vec![CryptoKey::PkixBase64Key("AAAA".into())]),
    ("CCA-207", |c| anchor(c).keys.push(CryptoKey::PkixBase64Key(pem()))),
    ("CCA-209", |c| first(c).measurements[0].key = None),
    ("CCA-209", |c| first(c).measurements[0].key = Some(MeasurementKey::Unsigned(7))),
    ("CCA-210", |c| first(c).measurements[0].key = Some(MeasurementKey::Text("cca.rim".into()))),
    ("CCA-211", |c| values(c, 0).digests = None),
    ("CCA-211", |c| {
        let again = Digest { algorithm: DigestAlgorithm::Name("sha-256".into()), value: vec![8; 32] };
        values(c, 0).digests.as_mut().unwrap().push(again);
    }),
    ("CCA-212", |c| values(c, 0).digests.as_mut().unwrap()[0].value = vec![1; 48]),
    ("CCA-212", |c| {
        let odd = Digest { algorithm: DigestAlgorithm::Id(12345), value: vec![1; 33] };
        values(c, 0).digests = Some(vec![odd]);
    }),
    ("CCA-213", |c| values(c, 0).crypto_keys = None),
    ("CCA-213", |c| values(c, 0).crypto_keys = Some(vec![CryptoKey::Bytes(vec![9; 24])])),
    ("CCA-213", |c| values(c, 0).crypto_keys = Some(vec![CryptoKey::PkixBase64Key(pem())])),
    ("CCA-213", |c| values(c, 0).crypto_keys.as_mut().unwrap().push(CryptoKey::Bytes(vec![8; 32]))),
    ("CCA-214", |c| values(c, 2).raw_value = None),
    ("CCA-214", |c| values(c, 2).raw_value = Some(RawValue::Other(Value::from([1])))),
    ("CCA-216", |c| values(c, 2).raw_value_mask = Some(vec![1])),
    ("CCA-216", |c| values(c, 2).raw_value = Some(RawValue::Bytes(Vec::new()))),
    ("CCA-216", |c| values(c, 2).raw_value = Some(RawValue::Masked { value: vec![1; 2], mask: vec![1; 3] })),
    ("CCA-216", |c| {
        values(c, 2).raw_value = Some(RawValue::Masked { value: vec![1; 2], mask: vec![1; 2] });
        values(c, 2).raw_value_mask = Some(vec![1; 2]);
    }),
    ("CCA-217", |c| {
        let again = raw("cca.platform-config", RawValue::Bytes(vec![3]));
        let triple = ValueTriple { environment: platform_environment(), measurements: vec![again] };
        comid(c).triples.reference.push(triple);
    }),
    ("CCA-220", |c| values(c, 0).version.as_mut().unwrap().scheme = Some(Value::from(16384_u64))),
    ("CCA-221", |c| first(c).measurements[0].authorized_by = vec![CryptoKey::Bytes(vec![1])]),
    ("CCA-221", |c| values(c, 0).other.push((1_i64.into(), 3_i64.into()))),
    ("CCA-221", |c| values(c, 0).raw_value = Some(RawValue::Bytes(vec![1]))),
    ("CCA-221", |c| values(c, 2).name = Some("config".into())),
    ("CCA-221", |c| anchor(c).conditions = Some(Value::Map(Vec::new()))),
    ("CCA-222", |c| drop(first(c).measurements.drain(..2))),
    ("CCA-223", |c| {
        let again = comid(c).clone();
        c.tags.push(Tag::Comid(again));
    }),
    ("CCA-223", |c| {
        let mut again = anchor(c).clone();
        again.keys = vec![CryptoKey::PkixBase64Key(pem())];
        comid(c).triples.attest_key.push(again);
    }),
    ("CCA-223", |c| c.id = "json".into()),
    ("CCA-223", |c| c.id = "x".repeat(200).as_str().into()),
    ("CCA-224", |c| comid(c).triples = Triples::default()),
];

/// Ways to break one rule of the realm profile and no other.
const REALM: &[(&str, Break)] = &[
    ("CCA-201", |c| c.profile = Some(Profile::Uri("http://arm.com/cca/realm/1".into()))),
    ("CCA-204", |c| first(c).environment = Environment::of_class(Identifier::Uuid([3; 16]))),
    ("CCA-204", |c| first(c).environment = Environment::of_class(Identifier::Bytes(vec![3; 63]))),
    ("CCA-205", |c| first(c).environment.instance = Some(Identifier::Bytes(vec![3; 64]))),
    ("CCA-208", |c| {
        let key = anchor(&mut platform()).clone();
        comid(c).triples.attest_key.push(key);
    }),
    ("CCA-210", |c| first(c).measurements[1].key = Some(MeasurementKey::Text("cca.rem4".into()))),
    ("CCA-211", |c| values(c, 1).digests = Some(Vec::new())),
    ("CCA-212", |c| values(c, 1).digests.as_mut().unwrap()[0].value = vec![1; 32]),
    ("CCA-214", |c| values(c, 3).raw_value = None),
    ("CCA-214", |c| {
        values(c, 3).raw_value = Some(RawValue::Masked { value: vec![6; 64], mask: vec![1; 64] })
    }),
    ("CCA-215", |c| values(c, 3).raw_value = Some(RawValue::Bytes(vec![6; 63]))),
    ("CCA-217", |c| {
        let again = first(c).measurements[1].clone();
        first(c).measurements.push(again);
    }),
    ("CCA-217", |c| {
        let again = first(c).measurements[3].clone();
        first(c).measurements.push(again);
    }),
    ("CCA-218", |c| drop(first(c).measurements.remove(0))),
    ("CCA-219", |c| values(c, 0).digests.as_mut().unwrap()[0].value = vec![9; 64]),
    ("CCA-221", |c| values(c, 1).name = Some("rem".into())),
    ("CCA-221", |c| values(c, 3).raw_value_mask = Some(vec![255; 64])),
];

#[test]
fn each_rule_of_the_profiles_fails_alone() {
    let mut broken = BTreeSet::new();
    let cases: [(fn() -> Corim, _); 2] = [(platform, PLATFORM), (realm, REALM)];
    for (make, table) in cases {
        for (index, (code, change)) in table.iter().enumerate() {
            let mut corim = make();
            change(&mut corim);
            let problems = of_corim(&corim, None).expect_err(code);
            let mut found = codes(&problems);
            found.dedup();
            assert_eq!(found, [*code], "{code}, way {index}: {problems:?}");
            broken.insert(*code);
        }
    }
    let all: BTreeSet<&str> = PROFILE_CHECKS.iter().map(|check| check.code).collect();
    assert_eq!(broken, all);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let mut corim = platform();
    values(&mut corim, 0).crypto_keys = None;
    first(&mut corim).measurements[1].key = None;
    anchor(&mut corim).keys.clear();
    let problems = of_corim(&corim, None).unwrap_err();
    assert_eq!(codes(&problems), ["CCA-213", "CCA-209", "CCA-207"]);
    assert_eq!(problems[0].path, "tags[0].triples.reference[0].measurements[0].mval.cryptokeys");
    let text = EndorsementError::Profile(problems).to_string();
    assert!(text.contains("CCA-209 tags[0].triples.reference[0].measurements[1].mkey: expected"), "{text}");
}

#[test]
fn an_old_profile_is_refused_with_the_name_of_its_successor() {
    let mut corim = platform();
    corim.profile = Some(Profile::Uri("http://arm.com/cca/ssd/1".into()));
    let problems = of_corim(&corim, None).unwrap_err();
    assert!(problems[0].found.ends_with(PLATFORM_PROFILE), "{}", problems[0]);
}

#[test]
fn the_names_that_revision_04_gives_the_profiles_are_taken_and_mean_the_same() {
    let mut corim = platform();
    let before = of_corim(&corim, None).unwrap();
    corim.profile = Some(Profile::Uri(PLATFORM_PROFILE_04.into()));
    assert_eq!(of_corim(&corim, None).unwrap(), before);
    corim.profile = Some(Profile::Uri(REALM_PROFILE_04.into()));
    assert!(of_corim(&corim, None).is_err(), "a platform by the rules of realms");
}

#[test]
fn a_profile_may_come_with_the_media_type_but_not_instead_of_another() {
    let mut corim = platform();
    assert!(of_corim(&corim, Some(PLATFORM_PROFILE)).is_ok());
    assert_eq!(codes(&of_corim(&corim, Some(REALM_PROFILE)).unwrap_err()), ["CCA-201"]);
    corim.profile = None;
    assert!(of_corim(&corim, Some(PLATFORM_PROFILE)).is_ok());
    assert!(of_corim(&corim, Some(REALM_PROFILE)).is_err());
    assert_eq!(codes(&of_corim(&corim, Some("other")).unwrap_err()), ["CCA-201"]);
}

#[test]
fn the_tolerated_disagreements_mean_the_same() {
    let mut corim = platform();
    let plain = of_corim(&corim, None).unwrap();
    for algorithm in [DigestAlgorithm::Name("sha-256".into()), DigestAlgorithm::Id(-16)] {
        values(&mut corim, 0).digests.as_mut().unwrap()[0].algorithm = algorithm;
        assert_eq!(of_corim(&corim, None).unwrap(), plain);
    }
    let mut draft = corim.clone();
    values(&mut draft, 2).raw_value = Some(RawValue::Masked { value: vec![1, 2], mask: vec![255, 0] });
    values(&mut corim, 2).raw_value_mask = Some(vec![255, 0]);
    let veraison = of_corim(&corim, None).unwrap();
    assert_eq!(of_corim(&draft, None).unwrap(), veraison);
    assert_ne!(veraison, plain);
}

#[test]
fn the_triples_of_an_environment_in_a_comid_are_one_set_and_each_comid_has_its_own() {
    let mut corim = platform();
    let more = ValueTriple { environment: platform_environment(), measurements: vec![component(3)] };
    comid(&mut corim).triples.reference.push(more);
    let mut other = comid(&mut corim).clone();
    other.id = "other".into();
    other.triples.attest_key.clear();
    corim.tags.push(Tag::Comid(other));
    let all = of_corim(&corim, None).unwrap();
    let components = |endorsement: &Endorsement| match endorsement {
        Endorsement::Platform(platform) => Some(platform.components.len()),
        _ => None,
    };
    let sizes: Vec<usize> = all.iter().filter_map(|named| components(&named.endorsement)).collect();
    assert_eq!(sizes, [3, 3]);
}

#[test]
fn a_realm_is_found_by_each_digest_of_its_initial_measurement() {
    let mut corim = realm();
    let other = Digest { algorithm: DigestAlgorithm::Id(1), value: vec![8; 32] };
    values(&mut corim, 0).digests.as_mut().unwrap().push(other);
    let all = of_corim(&corim, None).unwrap();
    let name = |digest: String| format!("cca/realm/{digest}#corim/realm");
    assert_eq!(all[0].names(), [name("03".repeat(64)), name("08".repeat(32))]);
}

#[test]
fn a_signed_corim_is_read_and_said_to_be_unchecked() {
    let corim = platform();
    let algorithm = assay_cose::Algorithm::Es384;
    let signed = corim
        .encode_signed(&Meta::of("Arm Ltd"), algorithm, &KeyHint::default(), |_| Ok::<_, ()>(vec![0; 96]))
        .unwrap();
    let file = read_file(&signed).unwrap();
    assert_eq!(file.signature, SignatureState::Unchecked { signer: "Arm Ltd".into() });
    assert_eq!(file.endorsements, of_corim(&corim, None).unwrap());
}

#[test]
fn what_the_profiles_have_no_use_for_is_remarked_on() {
    let mut corim = platform();
    let triple = first(&mut corim).clone();
    comid(&mut corim).triples.endorsed.push(triple);
    let file = read_file(&corim.encode_unsigned()).unwrap();
    assert_eq!(file.notes[0].to_string(), "tags[0].triples.endorsed: 1 triples that are not used");
}
