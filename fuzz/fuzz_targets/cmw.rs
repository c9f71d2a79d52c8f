//! CMW records from any bytes: no panic, what was read is not longer than what came in, and a record
//! written anew from it reads the same.
#![no_main]

use assay_key_broker_service::{Cmw, CmwType};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let _ = Cmw::from_cbor(data);
    let _ = Cmw::from_json(data);
    let Ok(cmw) = Cmw::read(data) else { return };
    assert!(cmw.value.len() <= data.len());
    let kind = match &cmw.message_type {
        CmwType::MediaType(text) => json!(text),
        CmwType::ContentFormat(number) => json!(number),
    };
    let mut record = vec![kind, json!(URL_SAFE_NO_PAD.encode(&cmw.value))];
    record.extend(cmw.indicator.map(Value::from));
    assert_eq!(Cmw::from_json(Value::Array(record).to_string().as_bytes()), Ok(cmw));
});
