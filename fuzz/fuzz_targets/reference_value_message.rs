//! Reference value messages: whatever is accepted keeps to the limits, and nothing panics.
#![no_main]

use assay_reference_values::{MAX_NAME_LEN, MAX_VALUE_LEN, MAX_VALUES, parse_message};
use assay_types::UnixTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;

const NOW: UnixTime = UnixTime(1_700_000_000);

fuzz_target!(|data: &[u8]| {
    // As the whole message, and as the payload of one that is otherwise good.
    check(data);
    let payload = STANDARD.encode(data);
    check(format!(r#"{{"version":"0.1.0","type":"sample","payload":"{payload}"}}"#).as_bytes());
});

fn check(message: &[u8]) {
    let Ok(values) = parse_message(message, NOW) else { return };
    assert!(values.len() <= MAX_VALUES);
    for value in values {
        assert!((1..=MAX_NAME_LEN).contains(&value.id.len()));
        assert!(value.value.to_string().len() <= MAX_VALUE_LEN);
        assert!(value.expires > NOW);
    }
}
