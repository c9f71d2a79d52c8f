//! Round trips.

use assay_cose::{Curve, PublicKey};
use assay_tee_cca::endorsement::{
    ComponentReference, ConfigReference, Endorsement, MeasuredDigest, Measurement, PlatformReference,
    RealmReference, TrustAnchor, read_file,
};
use assay_types::HashAlgorithm;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Each algorithm once at the most, and perhaps one digest without.
fn measurement() -> impl Strategy<Value = Measurement> {
    let digest = |algorithm: HashAlgorithm| option::of(vec(any::<u8>(), algorithm.digest_len()));
    let known = HashAlgorithm::ALL.map(digest);
    let unknown = prop_oneof![vec(any::<u8>(), 32), vec(any::<u8>(), 48), vec(any::<u8>(), 64)];
    (known, option::of(unknown))
        .prop_map(|(known, unknown)| {
            let known = HashAlgorithm::ALL.into_iter().zip(known);
            let mut all: Vec<MeasuredDigest> = known
                .filter_map(|(algorithm, value)| {
                    Some(MeasuredDigest { algorithm: Some(algorithm), value: value? })
                })
                .collect();
            all.extend(unknown.map(|value| MeasuredDigest { algorithm: None, value }));
            Measurement(all)
        })
        .prop_filter("one digest or more", |measurement| !measurement.0.is_empty())
}

fn component() -> impl Strategy<Value = ComponentReference> {
    let text = || option::of("[ -~ü]{1,20}");
    (text(), text(), measurement(), vec(any::<u8>(), 48)).prop_map(
        |(name, version, measurement, signer_id)| ComponentReference {
            name,
            version,
            measurement,
            signer_id,
        },
    )
}

fn config() -> impl Strategy<Value = ConfigReference> {
    vec(any::<(u8, u8)>(), 1..40).prop_flat_map(|pairs| {
        let (value, mask): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
        option::of(Just(mask)).prop_map(move |mask| ConfigReference { value: value.clone(), mask })
    })
}

fn endorsement() -> impl Strategy<Value = Endorsement> {
    let platform = (any::<[u8; 32]>(), vec(component(), 1..5), option::of(config())).prop_map(
        |(implementation_id, components, config)| {
            Endorsement::Platform(PlatformReference { implementation_id, components, config })
        },
    );
    let rems = [(); 4].map(|()| option::of(measurement()));
    let rpv = option::of(vec(any::<u8>(), 64).prop_map(|bytes| <[u8; 64]>::try_from(bytes).unwrap()));
    let realm = (measurement(), rems, rpv).prop_map(
        |(initial_measurement, extensible_measurements, personalization_value)| {
            Endorsement::Realm(RealmReference {
                initial_measurement,
                extensible_measurements,
                personalization_value,
            })
        },
    );
    let anchor = (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(implementation_id, rest)| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let mut instance_id = [1; 33];
        instance_id[1..].copy_from_slice(&rest);
        let key = PublicKey::from_point(Curve::P256, pair.public_key().as_ref()).unwrap();
        Endorsement::TrustAnchor(TrustAnchor { implementation_id, instance_id, key })
    });
    prop_oneof![platform, realm, anchor]
}

proptest! {
    #[test]
    fn the_stored_form_is_read_as_what_was_stored(endorsement in endorsement()) {
        let value = endorsement.to_value();
        prop_assert_eq!(Endorsement::from_value(&value).unwrap(), endorsement.clone());
        // A store of one entry, as those who export it would write it.
        let store = match &endorsement {
            Endorsement::TrustAnchor(_) => serde_json::json!([value]),
            Endorsement::Platform(_) => serde_json::json!({ "platform": [value] }),
            Endorsement::Realm(_) => serde_json::json!({ "realm": [value] }),
        };
        let file = read_file(store.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&file.endorsements[0].endorsement, &endorsement);
    }

    #[test]
    fn files_of_any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        // The outcome does not matter: it must be one.
        drop(read_file(&bytes));
    }
}
