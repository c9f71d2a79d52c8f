//! Whatever a Veraison service sends, as session, discovery document, media type and attestation
//! result: no panic; a media type survives being written; what is accepted is bound to our nonce, and
//! its appraisal is never better than the service's status.
#![no_main]

use assay_types::{AskedReferenceValue, Digest, Lookup, ReferenceValueSnapshot, ReportData, UnixTime};
use assay_veraison::{
    Asked, AttestationResult, CCA_MEDIA_TYPE, Discovery, MediaType, Session, Submodules, authenticate,
    token_bytes,
};
use libfuzzer_sys::fuzz_target;

struct NoValues;

impl ReferenceValueSnapshot for NoValues {
    fn query(&self, _id: &str, _now: UnixTime) -> Lookup {
        Lookup::Missing
    }
    fn group(&self, _group: &str, _now: UnixTime) -> Vec<AskedReferenceValue> {
        Vec::new()
    }
    fn digest(&self) -> Digest {
        Digest::sha384(b"")
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = token_bytes(bytes);
    let _ = Discovery::read(bytes);
    let cca = MediaType::read(CCA_MEDIA_TYPE).expect("it is one");
    if let Ok(session) = Session::read(bytes) {
        let _ = session.accepts(&cca);
    }
    if let Some(read) = std::str::from_utf8(bytes).ok().and_then(MediaType::read) {
        // Written, every value is quoted: what was near the greatest length may be beyond it then.
        let written = read.to_string();
        assert!(written.len() > 512 || MediaType::read(&written) == Some(read));
    }
    let Ok(ear) = AttestationResult::read(bytes) else { return };
    let Ok(nonce) = ReportData::padded(&ear.nonce) else { return };
    let now = ear.issued_at;
    let asked = Asked {
        nonce,
        init_data: None,
        media_type: cca,
        asked_at: now,
        clock_skew_seconds: 60,
        lifetime_seconds: 300,
    };
    let statuses = match &ear.submodules {
        Submodules::Appraised { platform, realm } => Some([platform.status, realm.status]),
        Submodules::Refused(_) => None,
    };
    let Ok(authenticated) = authenticate(ear, "key", &asked, now) else { return };
    let facts = authenticated.facts();
    assert_eq!(facts.report_data, Some(nonce.to_string()));
    assert!(facts.validity.contains(now));
    let appraiser = facts.appraiser.as_ref().expect("there is always one");
    let layers = appraiser.appraise(&NoValues, now).layers;
    for (layer, status) in layers.iter().zip(statuses.expect("a refusal gives no claims")) {
        assert!(layer.trust_vector.status() >= status);
    }
});
