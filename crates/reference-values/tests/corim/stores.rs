//! The message types that nobody signs.

use assay_reference_values::CorimSettings;
use assay_tee_cca::endorsement::Endorsement;
use assay_types::Coded as _;
use serde_json::json;

use crate::world::{NOW, Person, Place, message, trusting, unsigned_too};

fn reference_values() -> Vec<u8> {
    let id = "AB".repeat(32);
    json!({
        "platform": [{
            "implementation-id": id, "platform-configuration": "CFCF",
            "sw-components": [{"component-type": "BL", "measurement-value": id, "signer-id": id}],
        }],
        "realm": [{"initial-measurement": id, "rak-hash-algorithm": "sha-256"}],
    })
    .to_string()
    .into_bytes()
}

fn trust_anchors() -> Vec<u8> {
    let id = "AB".repeat(32);
    let pkey = Person::new("platform", 1).public().to_jwk();
    json!([{"implementation-id": id, "instance-id": format!("01{id}"), "pkey": pkey}])
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn reference_values_of_a_json_store_are_registered_in_their_stored_form() {
    let place = Place::new();
    let values = place.open(CorimSettings::default()).await;
    let registered = values.register(&message("cca-reference-values", &reference_values())).await.unwrap();
    let id = "ab".repeat(32);
    assert!(registered.ids[0].starts_with(&format!("cca/platform/{id}#json/")), "{registered:?}");
    assert!(registered.ids[1].starts_with(&format!("cca/realm/{id}#json/")), "{registered:?}");
    for record in values.list() {
        let endorsement = Endorsement::from_value(&record.value).unwrap();
        assert_eq!(endorsement.to_value(), record.value);
        assert_eq!(
            (record.source.as_str(), record.expires.0 - NOW.0),
            ("cca-reference-values", 365 * 86_400)
        );
    }
    // The same entries have the same names.
    let again = values.register(&message("cca-reference-values", &reference_values())).await.unwrap();
    assert_eq!(again.ids, registered.ids);
}

#[tokio::test]
async fn trust_anchors_of_a_json_store_are_taken_only_where_the_danger_is_allowed() {
    let store = message("cca-trust-anchors", &trust_anchors());
    let place = Place::new();
    let signer = assay_reference_values::CorimSigner::key(Person::new("vendor", 2).public());
    for settings in [CorimSettings::default(), trusting(&[signer])] {
        let error = place.open(settings).await.register(&store).await.unwrap_err();
        assert_eq!(error.code(), "RV-013", "{error}");
    }
    let registered = place.open(unsigned_too()).await.register(&store).await.unwrap();
    assert!(registered.ids[0].starts_with("cca/trust-anchor/"), "{registered:?}");
}

#[tokio::test]
async fn endorsements_do_not_come_as_samples() {
    let place = Place::new();
    let values = place.open(unsigned_too()).await;
    for name in ["cca/trust-anchor/00/01#x", "cca/platform/00#x", "cca/realm/00#x"] {
        let payload = json!({ name: 1 }).to_string();
        let error = values.register(&message("sample", payload.as_bytes())).await.unwrap_err();
        assert_eq!(error.code(), "RV-012", "{error}");
    }
    values.register(&message("sample", br#"{"cca": 1, "cca/other": 2}"#)).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_payload_has_its_own_code() {
    let place = Place::new();
    let values = place.open(unsigned_too()).await;
    for (kind, payload, code) in [
        ("corim", &b""[..], "COR-001"),
        ("corim", b"\xa0", "COR-003"),
        ("corim", b"\x01", "COR-005"),
        ("cca-trust-anchors", b"{}", "END-002"),
        ("cca-trust-anchors", b"[]", "END-003"),
        ("cca-reference-values", b"{}", "END-003"),
    ] {
        let error = values.register(&message(kind, payload)).await.unwrap_err();
        assert_eq!(error.code(), code, "{kind}: {error}");
    }
    assert!(values.list().is_empty());
}
