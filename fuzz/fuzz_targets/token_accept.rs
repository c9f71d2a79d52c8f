//! Accept headers from any text: no panic, and whatever form is chosen is one that there is.
#![no_main]

use assay_token::EarForm;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    match EarForm::negotiate(Some(header)) {
        Ok(form) => assert!(EarForm::ALL.contains(&form)),
        Err(error) => assert!(error.asked.len() <= 4 * 64),
    }
});
