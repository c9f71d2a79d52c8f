//! A CCA token: read, verified with whatever key, shown. No panic; what is accepted reads again.
#![no_main]

use assay_tee_cca::{CcaEvidence, CcaSettings, CcaVerifier, show};
use assay_types::{
    Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, RawEvidence, Tee,
};
use assay_types::{UnixTime, Verifier as _};
use libfuzzer_sys::fuzz_target;

const KEY: &str = r#"{"kty":"EC","crv":"P-384","x":"IShnxS4rlQiwpCCpBWDzlNLfqiG911FP8akBr-fh94uxHU5m-Kijivp2r2oxxN6M","y":"hM4tr8mWQli1P61xh3T0ViDREbF26DGOEYfbAjWjGNN7pZf-6A4OTHYqEryz6m7U"}"#;

fuzz_target!(|data: &[u8]| {
    let verifier = CcaVerifier::new(CcaSettings { allow_test_keys: true, ..CcaSettings::production() });
    let key = CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: KEY.as_bytes().into(),
        origin: CollateralOrigin::File("key".into()),
    };
    if let Ok(parsed) = verifier.parse(&RawEvidence::new(Tee::Cca, data.to_vec())) {
        let _ = parsed.collateral_needed(UnixTime(0));
        let _ =
            parsed.verify(&Binding::default(), &CollateralSet { items: vec![key] }, UnixTime(1_790_000_000));
    }
    if let Ok(shown) = show::show(data, &[]) {
        let _ = (shown.to_json(), shown.to_text());
    }
    if let Ok(evidence) = CcaEvidence::read(data) {
        assert_eq!(CcaEvidence::read(data).as_ref(), Ok(&evidence));
    }
});
