//! The CoRIMs of `../shared/vectors`, read here and by an independent library. No test here can pass on
//! a machine without the vectors for another reason than that they are not there; it says so.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::indexing_slicing, clippy::panic)]

use std::path::{Path, PathBuf};

use assay_cbor::Value;
use assay_corim::{Comid, CryptoKey, Document, Identifier, MeasurementKey, RawValue, TagId, read};
use corim::types::common::{ClassIdChoice, CryptoKey as OtherKey, MeasuredElement, TagIdChoice};
use corim::types::measurement::RawValueChoice;

fn vectors() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/cca/corim");
    let Ok(dir) = std::fs::read_dir(&root) else {
        eprintln!("not tested: {} is not there", root.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = dir.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_vector_is_read_and_written_as_it_was() {
    for path in vectors() {
        let bytes = std::fs::read(&path).unwrap();
        let document = read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let Document::Unsigned(corim) = &document else { panic!("{} is signed", path.display()) };
        let stale = path.to_string_lossy().contains("bad-refval-instance");
        assert_eq!(corim.notes.len(), usize::from(stale), "{}: {:?}", path.display(), corim.notes);
        if !stale {
            assert_eq!(hex::encode(corim.encode_unsigned()), hex::encode(&bytes), "{}", path.display());
        }
    }
}

#[test]
fn an_independent_library_reads_the_same_out_of_every_vector() {
    for path in vectors() {
        let bytes = std::fs::read(&path).unwrap();
        let Ok((other, other_comids)) = corim::validate::decode_and_validate_at(&bytes, 1_700_000_000) else {
            // Its profile is text without a tag.
            assert!(path.to_string_lossy().contains("bad-refval-instance"), "{}", path.display());
            continue;
        };
        let document = read(&bytes).unwrap();
        let ours = document.corim();
        match (&ours.id, &other.id) {
            (TagId::Text(a), corim::types::corim::CorimId::Text(b)) => assert_eq!(a, b),
            (a, b) => panic!("{a:?} {b:?}"),
        }
        assert_eq!(ours.comids().count(), other_comids.len());
        for ((_, comid), other) in ours.comids().zip(&other_comids) {
            same(comid, other);
        }
    }
}

fn same(ours: &Comid, other: &corim::types::comid::ComidTag) {
    match (&ours.id, &other.tag_identity.tag_id) {
        (TagId::Uuid(a), TagIdChoice::Uuid(b)) => assert_eq!(a, b),
        (TagId::Text(a), TagIdChoice::Text(b)) => assert_eq!(a, b),
        (a, b) => panic!("{a:?} {b:?}"),
    }
    let others = other.triples.reference_triples.as_deref().unwrap_or_default();
    assert_eq!(ours.triples.reference.len(), others.len());
    for (ours, other) in ours.triples.reference.iter().zip(others) {
        let class = |environment: &assay_corim::Environment| environment.class.clone().and_then(|c| c.id);
        match (class(&ours.environment), other.0.class.as_ref().and_then(|c| c.class_id.clone())) {
            (None, None) => {}
            (Some(Identifier::Bytes(a)), Some(ClassIdChoice::Bytes(b))) => assert_eq!(a, b),
            (Some(Identifier::Uuid(a)), Some(ClassIdChoice::Uuid(b))) => assert_eq!(a, b),
            (a, b) => panic!("{a:?} {b:?}"),
        }
        assert_eq!(ours.measurements.len(), other.1.len());
        for (ours, other) in ours.measurements.iter().zip(&other.1) {
            match (&ours.key, &other.mkey) {
                (None, None) => {}
                (Some(MeasurementKey::Text(a)), Some(MeasuredElement::Text(b))) => assert_eq!(a, b),
                (Some(MeasurementKey::Unsigned(a)), Some(MeasuredElement::Uint(b))) => assert_eq!(a, b),
                (a, b) => panic!("{a:?} {b:?}"),
            }
            let (a, b) = (&ours.values, &other.mval);
            assert_eq!(a.name, b.name);
            assert_eq!(a.version.as_ref().map(|v| &v.version), b.version.as_ref().map(|v| &v.version));
            let digests =
                |all: &Vec<assay_corim::Digest>| all.iter().map(|d| d.value.clone()).collect::<Vec<_>>();
            let others =
                |all: &Vec<corim::types::measurement::Digest>| all.iter().map(|d| d.1.clone()).collect();
            assert_eq!(a.digests.as_ref().map(digests), b.digests.as_ref().map(others));
            match (&a.raw_value, &b.raw_value) {
                (None, None) => {}
                (Some(RawValue::Bytes(a)), Some(RawValueChoice::Bytes(b))) => assert_eq!(a, b),
                (a, b) => panic!("{a:?} {b:?}"),
            }
        }
    }
    let others = other.triples.attest_key_triples.as_deref().unwrap_or_default();
    assert_eq!(ours.triples.attest_key.len(), others.len());
    for (ours, other) in ours.triples.attest_key.iter().zip(others) {
        for (ours, other) in ours.keys.iter().zip(other.keys()) {
            match (ours, other) {
                (CryptoKey::PkixBase64Key(a), OtherKey::PkixBase64Key(b))
                | (CryptoKey::PkixBase64Cert(a), OtherKey::PkixBase64Cert(b)) => assert_eq!(a, b),
                (a, b) => panic!("{a:?} {b:?}"),
            }
        }
    }
}

#[test]
fn wrappers_of_older_drafts_are_read_with_a_remark() {
    for path in vectors().into_iter().filter(|path| path.to_string_lossy().contains("valid")) {
        let bytes = std::fs::read(&path).unwrap();
        let plain = read(&bytes).unwrap().corim().clone();
        let value = assay_cbor::read(&bytes, assay_corim::LIMITS).unwrap();
        let (_, map) = value.as_tag().unwrap();
        for (wrapped, remarks) in [
            (map.clone(), 1),
            (Value::tagged(500, value.clone()), 1),
            (Value::tagged(502, map.clone()), 2),
            (Value::tagged(500, Value::tagged(502, value.clone())), 2),
        ] {
            let mut read = read(&wrapped.encode()).unwrap().corim().clone();
            assert_eq!(read.notes.len(), remarks, "{:?}", read.notes);
            read.notes.clear();
            assert_eq!(read, plain);
        }
    }
}
