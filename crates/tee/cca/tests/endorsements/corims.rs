//! Good CoRIMs to break.

use assay_corim::{
    Comid, Corim, CryptoKey, Digest, DigestAlgorithm, Environment, Identifier, KeyTriple, Measurement,
    MeasurementKey, MeasurementValues, Profile, RawValue, Tag, ValueTriple, Version,
};
use assay_cose::{Curve, PublicKey};
use assay_tee_cca::endorsement::{PLATFORM_PROFILE, REALM_PROFILE};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

pub(crate) fn pem() -> String {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    PublicKey::from_point(Curve::P384, pair.public_key().as_ref()).unwrap().to_pem()
}

fn of(key: &str, values: MeasurementValues) -> Measurement {
    Measurement { key: Some(MeasurementKey::Text(key.into())), values, authorized_by: Vec::new() }
}

pub(crate) fn component(digest: u8) -> Measurement {
    let values = MeasurementValues {
        digests: Some(vec![Digest { algorithm: DigestAlgorithm::Id(1), value: vec![digest; 32] }]),
        crypto_keys: Some(vec![CryptoKey::Bytes(vec![9; 32])]),
        name: Some("BL2".into()),
        version: Some(Version { version: "1.2".into(), scheme: None }),
        ..MeasurementValues::default()
    };
    of("cca.software-component", values)
}

pub(crate) fn raw(key: &str, value: RawValue) -> Measurement {
    of(key, MeasurementValues { raw_value: Some(value), ..MeasurementValues::default() })
}

pub(crate) fn digest(key: &str, value: &[u8]) -> Measurement {
    let digest = Digest { algorithm: DigestAlgorithm::Name("sha-512".into()), value: value.to_vec() };
    of(key, MeasurementValues { digests: Some(vec![digest]), ..MeasurementValues::default() })
}

pub(crate) fn platform_environment() -> Environment {
    Environment::of_class(Identifier::Bytes(vec![7; 32]))
}

pub(crate) fn platform() -> Corim {
    let mut comid = Comid::new("platform");
    comid.triples.reference.push(ValueTriple {
        environment: platform_environment(),
        measurements: vec![
            component(1),
            component(2),
            raw("cca.platform-config", RawValue::Bytes(vec![1, 2])),
        ],
    });
    let instance = [&[1][..], &[5; 32]].concat();
    comid.triples.attest_key.push(KeyTriple {
        environment: Environment { instance: Some(Identifier::Ueid(instance)), ..platform_environment() },
        keys: vec![CryptoKey::PkixBase64Key(pem())],
        conditions: None,
    });
    Corim { profile: Some(Profile::Uri(PLATFORM_PROFILE.into())), ..Corim::new("corim", comid) }
}

pub(crate) fn realm() -> Corim {
    let mut comid = Comid::new("realm");
    comid.triples.reference.push(ValueTriple {
        environment: Environment::of_class(Identifier::Bytes(vec![3; 64])),
        measurements: vec![
            digest("cca.rim", &[3; 64]),
            digest("cca.rem0", &[4; 64]),
            digest("cca.rem3", &[5; 64]),
            raw("cca.rpv", RawValue::Bytes(vec![6; 64])),
        ],
    });
    Corim { profile: Some(Profile::Uri(REALM_PROFILE.into())), ..Corim::new("corim", comid) }
}

pub(crate) fn comid(corim: &mut Corim) -> &mut Comid {
    match &mut corim.tags[0] {
        Tag::Comid(comid) => comid,
        Tag::Other { .. } => panic!(),
    }
}

/// The first reference triple.
pub(crate) fn first(corim: &mut Corim) -> &mut ValueTriple {
    &mut comid(corim).triples.reference[0]
}

/// The first attest-key triple.
pub(crate) fn anchor(corim: &mut Corim) -> &mut KeyTriple {
    &mut comid(corim).triples.attest_key[0]
}

/// The values of a measurement of the first reference triple.
pub(crate) fn values(corim: &mut Corim, index: usize) -> &mut MeasurementValues {
    &mut first(corim).measurements[index].values
}
