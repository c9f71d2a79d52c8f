//! Files of endorsements from any bytes: no panic, and each endorsement is stored as one that is read as
//! the same.
#![no_main]

use assay_tee_cca::endorsement::{Endorsement, json_store, read_file};
use assay_tee_cca::keys_in;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A bare key is taken here, too.
    let _ = keys_in(bytes);
    // By its first byte, and as each of the JSON stores.
    let all = read_file(bytes).map(|file| file.endorsements);
    for read in [all, json_store::trust_anchors(bytes), json_store::reference_values(bytes)] {
        for named in read.into_iter().flatten() {
            let value = named.endorsement.to_value();
            assert_eq!(Endorsement::from_value(&value).as_ref(), Ok(&named.endorsement));
            assert!(!named.names().is_empty());
        }
    }
});
