//! Bad JSON stores.

use assay_tee_cca::endorsement::{Endorsement, json_store};
use assay_types::Coded as _;
use serde_json::json;

const ID: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn anchor(id: &str, instance: &str, jwk: &str) -> String {
    format!(r#"{{"implementation-id":"{id}","instance-id":"{instance}","pkey":{jwk}}}"#)
}

#[test]
fn bad_stores_of_trust_anchors_are_refused_with_the_place() {
    let instance = &format!("01{ID}");
    let good = anchor(ID, instance, JWK);
    let upper = "AB".repeat(32);
    let upper = anchor(&upper, &format!("01{upper}"), JWK);
    assert_eq!(json_store::trust_anchors(format!("[{good},{upper}]").as_bytes()).unwrap().len(), 2);
    for (text, code, why) in [
        (String::new(), "END-003", "no entry"),
        ("{}".to_owned(), "END-002", "missing field `implementation-id`"),
        (format!("{good},{good}"), "END-003", "[1]: a second trust anchor"),
        (anchor("11", instance, JWK), "END-003", "[0].implementation-id: expected 32 bytes, found 1"),
        (anchor("zz", instance, JWK), "END-003", "[0].implementation-id: not hexadecimal"),
        (anchor(ID, &format!("02{ID}"), JWK), "END-003", "[0].instance-id: expected a UEID of type 01"),
        (anchor(ID, ID, JWK), "END-003", "[0].instance-id: expected 33 bytes, found 32"),
        (anchor(ID, instance, &JWK.replace("\"y\"", "\"d\":\"AA\",\"y\"")), "END-002", "unknown field `d`"),
        (anchor(ID, instance, &JWK.replace("EC", "OKP")), "END-003", "[0].pkey"),
        (anchor(ID, instance, &JWK.replace("4Etl", "5Etl")), "END-003", "not on P-256"),
        (anchor(ID, instance, &JWK.replace("4Etl", "")), "END-003", "29 bytes"),
        (good.replace("\"pkey\"", "\"x\":1,\"pkey\""), "END-002", "unknown field `x`"),
        (good.replace("\"pkey\"", "\"instance-id\":\"\",\"pkey\""), "END-002", "duplicate field"),
    ] {
        let error = json_store::trust_anchors(format!("[{text}]").as_bytes()).expect_err(&text);
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
    assert_eq!(json_store::trust_anchors(b"[").unwrap_err().code(), "END-002");
    assert_eq!(json_store::trust_anchors(b"[] x").unwrap_err().code(), "END-002");
}

#[test]
fn bad_stores_of_reference_values_are_refused_with_the_place() {
    let platform = |members: &str| format!(r#"{{"platform":[{{"implementation-id":"{ID}",{members}}}]}}"#);
    let realm = |members: &str| format!(r#"{{"realm":[{{"initial-measurement":"{ID}"{members}}}]}}"#);
    let components = format!(r#""sw-components":[{{"measurement-value":"{ID}","signer-id":"{ID}"}}]"#);
    let with = |members: &str| platform(&format!("{components},{members}"));
    let rems = |count: usize| format!(r#","extensible-measurements":[{}]"#, vec!["null"; count].join(","));
    for good in [platform(&components), with(r#""platform-configuration":"00""#), realm(""), realm(&rems(4))]
    {
        assert_eq!(json_store::reference_values(good.as_bytes()).unwrap().len(), 1, "{good}");
    }
    for (text, code, why) in [
        ("{}".to_owned(), "END-003", "no entry"),
        (r#"{"other":[]}"#.to_owned(), "END-002", "unknown field"),
        (r#"{"realm":[],"realm":[]}"#.to_owned(), "END-002", "duplicate field"),
        (platform(r#""sw-components":[]"#), "END-003", "platform[0].sw-components: expected one component"),
        (
            platform(&components.replace(ID, "11")),
            "END-003",
            "platform[0].sw-components[0].measurement-value: expected 32, 48 or 64 bytes, found 1; \
             platform[0].sw-components[0].signer-id",
        ),
        (platform(&components.replace("signer-id", "signer")), "END-002", "unknown field `signer`"),
        (with(r#""platform-configuration":"""#), "END-003", "expected 1 to"),
        (with(r#""platform-configuration":null"#), "END-002", "null"),
        (with(r#""platform-configuration-mask":"00""#), "END-003", "there is no platform-configuration"),
        (
            with(r#""platform-configuration":"0000","platform-configuration-mask":"00""#),
            "END-003",
            "the configuration has 2 bytes, the mask 1",
        ),
        (realm(&rems(3)), "END-003", "expected 4 measurements, found 3"),
        (realm(r#","personalization-value":"00""#), "END-003", "expected 64 bytes"),
        (realm(r#","rak-hash-algorithm":"md5""#), "END-003", "realm[0].rak-hash-algorithm"),
        (realm("").replace(&format!("\"{ID}\""), "[]"), "END-003", "expected one digest or more"),
        (realm("").replace(&format!("\"{ID}\""), "7"), "END-002", "hexadecimal text"),
    ] {
        let error = json_store::reference_values(text.as_bytes()).expect_err(&text);
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
    let entry = format!(r#"{{"initial-measurement":"{ID}"}}"#);
    let twice = format!(r#"{{"realm":[{entry},{entry}]}}"#);
    assert!(json_store::reference_values(twice.as_bytes()).unwrap_err().to_string().contains("twice"));
    let huge = vec![b' '; json_store::MAX_BYTES + 1];
    assert_eq!(json_store::reference_values(&huge).unwrap_err().code(), "END-004");
}

#[test]
fn stored_forms_that_cannot_be_are_refused() {
    for (value, why) in [
        (json!(null), "an endorsement is an object"),
        (json!([]), "an endorsement is an object"),
        (json!({}), "an endorsement is an object"),
        (json!({"pkey": {}}), "missing field"),
        (json!({"initial-measurement": ID, "rak-hash-algorithm": "sha-256"}), "JSON stores only"),
        (json!({"initial-measurement": [{"algorithm": "sha-384", "value": ID}]}), "has 48 bytes"),
        (json!({"initial-measurement": [{"algorithm": "md5", "value": ID}]}), "known are"),
        (
            json!({"initial-measurement": [
                {"algorithm": "sha-256", "value": ID}, {"algorithm": "sha-256", "value": ID}
            ]}),
            "a second digest",
        ),
    ] {
        let problem = Endorsement::from_value(&value).expect_err(&value.to_string());
        assert!(problem.to_string().contains(why), "{value}: {problem}");
    }
}
