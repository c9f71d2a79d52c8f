//! A collateral bundle, or the payload of one: no panic; without the signer's key nothing opens.
#![no_main]

use assay_collateral::Bundle;
use assay_collateral::bundle::{CONTENT_TYPE, looks_like_bundle};
use assay_cose::{header, sign1};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(bundle) = Bundle::read_unverified(data) {
        assert!(looks_like_bundle(data));
        assert!(bundle.items.len() <= 4096);
    }
    assert!(Bundle::open(data, &[]).is_err());
    let protected = vec![(header::CONTENT_TYPE.into(), CONTENT_TYPE.into())];
    let Ok(message) = sign1::<()>(protected, Vec::new(), data, |_| Ok(vec![0; 64])) else { return };
    let _ = Bundle::read_unverified(&message);
});
