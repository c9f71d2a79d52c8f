//! Reference value messages: whatever is accepted keeps to the limits, and nothing panics.
#![no_main]

use assay_reference_values::{
    CorimSettings, CorimTrust, MAX_NAME_LEN, MAX_VALUE_LEN, MAX_VALUES, parse_message,
};
use assay_types::UnixTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime(1_700_000_000);

fuzz_target!(|data: &[u8]| {
    // As the whole message, and as the payload of one that is otherwise good.
    check(data);
    let payload = STANDARD.encode(data);
    for kind in ["sample", "corim", "cca-trust-anchors", "cca-reference-values"] {
        check(format!(r#"{{"version":"0.1.0","type":"{kind}","payload":"{payload}"}}"#).as_bytes());
    }
});

fn check(message: &[u8]) {
    let settings = CorimSettings { danger_allow_unsigned: true, ..CorimSettings::default() };
    let trust = CorimTrust::new(settings).expect("no signers");
    let Ok(registration) = parse_message(message, NOW, &trust) else { return };
    assert!(registration.values.len() <= MAX_VALUES);
    for value in registration.values {
        assert!((1..=MAX_NAME_LEN).contains(&value.id.len()));
        assert!(value.value.to_string().len() <= MAX_VALUE_LEN);
        assert!(value.expires > NOW);
    }
}
