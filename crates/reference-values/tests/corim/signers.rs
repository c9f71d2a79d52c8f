//! Whose CoRIMs are taken.

use assay_corim::{KeyHint, Meta};
use assay_reference_values::{CorimSettings, CorimSigner, NotASigner, ReferenceValueError};
use assay_tee_cca::endorsement::{PLATFORM_PROFILE, REALM_PROFILE};
use assay_types::{Coded as _, UnixTime, Validity};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::world::{NOW, Person, Place, corim, message, trusting, unsigned_too, value_name};

const DAY: i64 = 86_400;

async fn outcome(settings: CorimSettings, document: &[u8]) -> Result<Vec<String>, ReferenceValueError> {
    let place = Place::new();
    let values = place.open(settings).await;
    let by_message = values.register(&message("corim", document)).await;
    let alone = values.register_corim(document, None).await;
    match (&by_message, &alone) {
        (Ok(by_message), Ok(alone)) => assert_eq!(by_message, alone),
        (Err(by_message), Err(alone)) => {
            assert_eq!(by_message, alone);
            assert!(values.list().is_empty());
        }
        other => panic!("{other:?}"),
    }
    by_message.map(|registered| registered.ids)
}

#[tokio::test]
async fn an_unsigned_corim_is_taken_only_where_the_danger_is_allowed() {
    let document = corim("c", &["t"]).encode_unsigned();
    assert_eq!(outcome(unsigned_too(), &document).await.unwrap(), [value_name("c", "t")]);
    let vendor = Person::new("vendor", 1);
    for settings in [CorimSettings::default(), trusting(&[CorimSigner::key(vendor.public())])] {
        let error = outcome(settings, &document).await.unwrap_err();
        assert_eq!(error.code(), "RV-013", "{error}");
    }
}

#[tokio::test]
async fn a_corim_signed_by_a_configured_key_is_taken_and_no_other() {
    let (vendor, stranger) = (Person::new("vendor", 1), Person::new("stranger", 2));
    let document = vendor.sign(&corim("c", &["t"]), &Meta::of("vendor"), &KeyHint::default());
    let key = |person: &Person| CorimSigner::key(person.public());
    let taken = outcome(trusting(&[key(&stranger), key(&vendor)]), &document).await;
    assert_eq!(taken.unwrap(), [value_name("c", "t")]);
    // Allowing unsigned ones does not allow those whose signature means nothing.
    for (settings, code) in [
        (CorimSettings::default(), "RV-014"),
        (unsigned_too(), "RV-014"),
        (trusting(&[key(&stranger)]), "RV-015"),
    ] {
        let error = outcome(settings, &document).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test]
async fn a_key_that_is_named_makes_the_error_of_an_altered_document_precise() {
    let vendor = Person::new("vendor", 1);
    let hint = KeyHint { kid: Some(b"vendor-1".to_vec()), ..KeyHint::default() };
    let mut document = vendor.sign(&corim("c", &["t"]), &Meta::of("vendor"), &hint);
    let mut jwk = vendor.public().to_jwk();
    jwk["kid"] = "vendor-1".into();
    let named = CorimSigner::from_text(&jwk.to_string()).unwrap();
    assert!(outcome(trusting(std::slice::from_ref(&named)), &document).await.is_ok());
    let last = document.len() - 1;
    document[last] ^= 1;
    let error = outcome(trusting(&[named]), &document).await.unwrap_err();
    assert_eq!(error.code(), "RV-016", "{error}");
    let error = outcome(trusting(&[CorimSigner::key(vendor.public())]), &document).await.unwrap_err();
    assert_eq!(error.code(), "RV-015", "{error}");
}

#[tokio::test]
async fn certificates_are_the_signers_own_or_issued_by_a_configured_authority() {
    let (root, vendor, other) = (Person::new("root", 1), Person::new("vendor", 2), Person::new("other", 3));
    let (from, to) = (NOW.0 - DAY, NOW.0 + DAY);
    let authority = root.certify(&root, true, from, to);
    let leaf = root.certify(&vendor, false, from, to);
    let signed = |chain: &[&Vec<u8>]| {
        let x5chain = chain.iter().map(|der| (*der).clone()).collect();
        let hint = KeyHint { kid: None, x5chain };
        vendor.sign(&corim("c", &["t"]), &Meta::of("vendor"), &hint)
    };
    let trust = |der: &[u8]| trusting(&[CorimSigner::certificate(der).unwrap()]);
    for (settings, document) in [
        (trust(&authority), signed(&[&leaf])),
        (trust(&authority), signed(&[&leaf, &authority])),
        (trust(&leaf), signed(&[&leaf])),
        // The configured key is known without a certificate.
        (trusting(&[CorimSigner::key(vendor.public())]), signed(&[&leaf])),
    ] {
        outcome(settings, &document).await.unwrap();
    }
    let not_authority = root.certify(&root, false, from, to);
    let by_impostor = Person::new("root", 9).certify(&vendor, false, from, to);
    let ended = root.certify(&vendor, false, from, NOW.0 - 1);
    let later = root.certify(&vendor, false, NOW.0 + 1, to);
    let ended_authority = root.certify(&root, true, from, NOW.0 - 1);
    for (what, settings, document, code) in [
        ("no chain", trust(&authority), signed(&[]), "RV-015"),
        ("no certificate of the vendor's", trust(&authority), signed(&[&authority]), "RV-016"),
        ("another name", trust(&other.certify(&other, true, from, to)), signed(&[&leaf]), "RV-017"),
        ("not an authority", trust(&not_authority), signed(&[&leaf]), "RV-017"),
        ("an authority of that name", trust(&authority), signed(&[&by_impostor]), "RV-017"),
        ("the certificate ended", trust(&authority), signed(&[&ended]), "RV-018"),
        ("the certificate begins later", trust(&authority), signed(&[&later]), "RV-018"),
        ("the authority ended", trust(&ended_authority), signed(&[&leaf]), "RV-018"),
        ("no certificate", trust(&authority), signed(&[&vec![0x30, 0]]), "RV-017"),
    ] {
        let error = outcome(settings, &document).await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
    let mut altered = signed(&[&leaf]);
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert_eq!(outcome(trust(&authority), &altered).await.unwrap_err().code(), "RV-016");
}

#[tokio::test]
async fn values_end_with_whatever_ends_first() {
    let (root, vendor) = (Person::new("root", 1), Person::new("vendor", 2));
    let far = NOW.0 + 3000 * DAY;
    let at = |days: i64| Some(Validity { not_before: NOW, not_after: NOW.plus(days * DAY) });
    for (document_days, signature_days, certificate_days, authority_days, first) in
        [(1, 2, 3, 4, 1), (2, 1, 3, 4, 1), (4, 3, 1, 2, 1), (4, 3, 2, 1, 1), (900, 900, 900, 900, 365)]
    {
        let ends = |days: i64| NOW.0 + days * DAY;
        let authority = root.certify(&root, true, NOW.0, ends(authority_days).min(far));
        let leaf = root.certify(&vendor, false, NOW.0, ends(certificate_days));
        let mut document = corim("c", &["t"]);
        document.validity = at(document_days);
        let meta = Meta { validity: at(signature_days), ..Meta::of("vendor") };
        let signed = vendor.sign(&document, &meta, &KeyHint { kid: None, x5chain: vec![leaf] });
        let place = Place::new();
        let values = place.open(trusting(&[CorimSigner::certificate(&authority).unwrap()])).await;
        values.register_corim(&signed, None).await.unwrap();
        let expires = values.list()[0].expires;
        // A document is valid in its last second, a value is not in the second it ends; a year is not
        // a matter of validity.
        let expected = ends(first) + i64::from(first < 365);
        assert_eq!(expires, UnixTime(expected), "{document_days} {signature_days} {certificate_days}");
    }
}

#[tokio::test]
async fn what_is_not_valid_now_is_refused() {
    let vendor = Person::new("vendor", 2);
    let settings = || trusting(&[CorimSigner::key(vendor.public())]);
    let past = Validity { not_before: UnixTime(0), not_after: NOW.plus(-1) };
    let future = Validity { not_before: NOW.plus(1), not_after: NOW.plus(2) };
    let now = Validity { not_before: NOW, not_after: NOW };
    for (document, signature, good) in [
        (Some(now), Some(now), true),
        (Some(past), None, false),
        (Some(future), None, false),
        (None, Some(past), false),
        (None, Some(future), false),
    ] {
        let mut corim = corim("c", &["t"]);
        corim.validity = document;
        let meta = Meta { validity: signature, ..Meta::of("vendor") };
        let signed = vendor.sign(&corim, &meta, &KeyHint::default());
        match outcome(settings(), &signed).await {
            Ok(_) => assert!(good),
            Err(error) => {
                assert!(!good);
                assert_eq!(error.code(), "RV-018", "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_profile_of_the_media_type_and_of_the_document_must_agree() {
    let place = Place::new();
    let values = place.open(unsigned_too()).await;
    let mut document = corim("c", &["t"]);
    values.register_corim(&document.encode_unsigned(), Some(PLATFORM_PROFILE)).await.unwrap();
    let error = values.register_corim(&document.encode_unsigned(), Some(REALM_PROFILE)).await.unwrap_err();
    assert_eq!(error.code(), "END-001");
    document.profile = None;
    values.register_corim(&document.encode_unsigned(), Some(PLATFORM_PROFILE)).await.unwrap();
    let error = values.register_corim(&document.encode_unsigned(), None).await.unwrap_err();
    assert!(error.to_string().contains("CCA-201"), "{error}");
}

#[test]
fn signers_are_read_from_pem_and_jwk_and_nothing_else() {
    let vendor = Person::new("vendor", 2);
    let der = vendor.certify(&vendor, true, NOW.0, NOW.0 + DAY);
    let pem = |label: &str, der: &[u8]| {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    };
    for good in [vendor.public().to_pem(), vendor.public().to_jwk().to_string(), pem("CERTIFICATE", &der)] {
        CorimSigner::from_text(&good).unwrap();
    }
    let mut private = vendor.public().to_jwk();
    private["d"] = "AAAA".into();
    for bad in [
        String::new(),
        "{".to_owned(),
        "{}".to_owned(),
        private.to_string(),
        pem("PRIVATE KEY", &der),
        pem("CERTIFICATE", b"no"),
        pem("CERTIFICATE", &der).repeat(2),
        pem("PUBLIC KEY", &der),
        STANDARD.encode(&der),
    ] {
        CorimSigner::from_text(&bad).expect_err(&bad);
    }
    assert_eq!(CorimSigner::from_text("").unwrap_err(), NotASigner::Form);
}
