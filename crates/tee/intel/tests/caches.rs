//! What a verifier remembers changes no verdict: one that has seen the good evidence judges whatever comes
//! next as one does that has seen nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod support;

use assay_emulator::intel::{AfterSigning, Certification, Collateral, IntelGuest, Role};
use assay_tee_intel::{IntelSettings, IntelVerifier};
use assay_types::{Authenticated, CollateralOrigin, CollateralSet, Tee, UnixTime, Validity, VerifyError};
use support::{
    binding, collateral, enclave, failed, items, now, set, settings, silicon, td, verifier, verify,
};

type Edit = Box<dyn FnOnce(&mut Collateral)>;

/// A verifier that has accepted the good evidence, with it.
struct Seen {
    verifier: IntelVerifier,
    tee: Tee,
    quote: Vec<u8>,
    published: CollateralSet,
}

fn seen(tee: Tee, guest: IntelGuest<'_>) -> Seen {
    let published = set(&collateral(&guest).to_json(tee).unwrap());
    let quote = guest.without_log().build().unwrap().quote;
    let seen = Seen { verifier: verifier(tee, settings()), tee, quote, published };
    for _ in 0..2 {
        verify(&seen.verifier, &seen.quote, &seen.published, &binding(), now()).unwrap();
    }
    seen
}

impl Seen {
    /// The verdict, which is that of a verifier that has seen nothing. The good is still good after it.
    fn judge(
        &self,
        what: &str,
        quote: &[u8],
        published: &CollateralSet,
        now: UnixTime,
    ) -> Result<Authenticated, VerifyError> {
        let result = verify(&self.verifier, quote, published, &binding(), now);
        let fresh = verify(&verifier(self.tee, settings()), quote, published, &binding(), now);
        match (&result, &fresh) {
            (Ok(result), Ok(fresh)) => {
                assert_eq!(result.facts().claims, fresh.facts().claims, "{what}");
                assert_eq!(result.facts().validity, fresh.facts().validity, "{what}");
                assert_eq!(result.facts().collateral, fresh.facts().collateral, "{what}");
                assert_eq!(result.findings(), fresh.findings(), "{what}");
            }
            _ => assert_eq!(failed(&result), failed(&fresh), "{what}"),
        }
        let good = verify(&self.verifier, &self.quote, &self.published, &binding(), support::now());
        good.unwrap_or_else(|e| panic!("{what}: {e}"));
        result
    }
}

#[test]
fn every_part_of_a_changed_quote_is_looked_at_again() {
    let s = silicon();
    for (tee, guest) in [(Tee::Tdx, td(&s)), (Tee::Tdx, td(&s).tdx_1_5()), (Tee::Sgx, enclave(&s))] {
        let seen = seen(tee, guest);
        let mut codes = std::collections::BTreeSet::new();
        for at in (0..seen.quote.len() - 3).step_by(89) {
            let mut quote = seen.quote.clone();
            quote[at] ^= 1;
            let result = seen.judge(&format!("byte {at}"), &quote, &seen.published, now());
            let found = failed(&result);
            // The last bytes are white space and a zero behind the chain.
            assert!(!found.is_empty(), "byte {at}");
            codes.extend(found);
        }
        for code in ["INTEL-050", "INTEL-060"] {
            assert!(codes.contains(code), "{code}: {codes:?}");
        }
    }
}

#[test]
fn parts_of_two_quotes_make_no_third() {
    let s = silicon();
    let stray = s.stray_key("another attestation key");
    let others = [
        td(&s).attestation_key(stray.clone()),
        td(&s).auth_data(vec![9; 32]),
        td(&s).qe_report(|r| r.isv_svn += 1),
        td(&s).td_report(|r| r.mr_td[0] ^= 1),
        td(&s).platform(|p| p.ppid[0] ^= 1),
    ];
    for (number, other) in others.into_iter().enumerate() {
        let seen = seen(Tee::Tdx, td(&s));
        let other = other.without_log().build().unwrap().quote;
        verify(&seen.verifier, &other, &seen.published, &binding(), now()).unwrap();
        // Signed part 632, length 4, signature 64, key 64, types 6, report 384, its signature 64, data 34.
        for cut in [632, 636, 700, 764, 770, 1154, 1218, 1252] {
            for (front, back) in [(&seen.quote, &other), (&other, &seen.quote)] {
                let mixed = [&front[..cut], &back[cut..]].concat();
                if mixed == seen.quote || mixed == other {
                    continue;
                }
                let what = format!("quote {number}, cut at {cut}");
                let result = seen.judge(&what, &mixed, &seen.published, now());
                assert!(result.is_err(), "{what}");
            }
        }
    }
}

#[test]
fn changed_collateral_is_looked_at_again() {
    let s = silicon();
    let seen = seen(Tee::Tdx, td(&s));
    let past = Validity { not_before: UnixTime(0), not_after: now().plus(-1) };
    let stray = s.stray_key("a stranger");
    let edits: Vec<(&str, Edit)> = vec![
        ("INTEL-023", Box::new(|c| c.revoke(&c.platform.clone()))),
        ("INTEL-024", Box::new(|c| c.revoke_authority(Role::TcbSigning))),
        ("INTEL-024", Box::new(|c| c.revoke_authority(Role::PlatformCa))),
        ("INTEL-020", Box::new(|c| c.platform_crl.broken_signature = true)),
        ("INTEL-022", Box::new(move |c| c.root_crl.next_update = Some(past.not_after))),
        ("INTEL-031", Box::new(|c| c.tdx_tcb_info.after = AfterSigning::BrokenSignature)),
        ("INTEL-041", Box::new(move |c| c.td_qe_identity.signer = stray)),
        ("INTEL-035", Box::new(move |c| c.tdx_tcb_info.content.next_update = past.not_after.to_string())),
        ("INTEL-070", Box::new(|c| c.tdx_tcb_info.content.tcb_levels.retain(|l| l.tcb.pcesvn > 13))),
        ("INTEL-071", Box::new(|c| c.tdx_tcb_info.content.tcb_levels[0].tcb_status = "Revoked".into())),
        ("INTEL-052", Box::new(|c| c.td_qe_identity.content.mrsigner = "00".repeat(32))),
        ("INTEL-018", Box::new(move |c| c.tcb_signing.validity = past)),
    ];
    for (code, edit) in edits {
        let mut published = collateral(&td(&s));
        edit(&mut published);
        let published = set(&published.to_json(Tee::Tdx).unwrap());
        let result = seen.judge(code, &seen.quote, &published, now());
        assert_eq!(failed(&result), [code]);
    }
}

#[test]
fn time_goes_on_for_what_is_remembered() {
    let s = silicon();
    for (tee, guest) in [(Tee::Tdx, td(&s)), (Tee::Sgx, enclave(&s))] {
        let seen = seen(tee, guest);
        for (years, codes) in [
            (-1_i64, &[][..]),
            (-2, &["INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043"]),
            (6, &["INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043"]),
        ] {
            let now = now().plus(years * 365 * 86_400);
            let result = seen.judge(&format!("{years} years"), &seen.quote, &seen.published, now);
            assert_eq!(failed(&result), codes, "{years} years");
        }
    }
}

#[test]
fn what_one_verifier_remembers_is_not_for_other_settings() {
    let s = silicon();
    let seen = seen(Tee::Tdx, td(&s));
    for (minimum, codes) in [(18, &[][..]), (19, &["INTEL-044"])] {
        let strict = IntelSettings { minimum_evaluation_number: Some(minimum), ..settings() };
        let strict = verifier(Tee::Tdx, strict);
        for _ in 0..2 {
            let result = verify(&strict, &seen.quote, &seen.published, &binding(), now());
            assert_eq!(failed(&result), codes);
        }
    }
    // None is remembered, and every verdict is the same.
    let forgetful = verifier(Tee::Tdx, IntelSettings { cached_platforms: 0, ..settings() });
    for _ in 0..2 {
        verify(&forgetful, &seen.quote, &seen.published, &binding(), now()).unwrap();
    }
}

#[test]
fn the_same_bytes_in_another_place_are_something_else() {
    let s = silicon();
    let seen = seen(Tee::Tdx, td(&s));
    // From elsewhere: the verdict names where they came from now.
    let mut elsewhere = seen.published.clone();
    elsewhere.items[0].origin = CollateralOrigin::Cache;
    let genuine = seen.judge("origin", &seen.quote, &elsewhere, now()).unwrap();
    let origins: Vec<_> = genuine.facts().collateral.iter().map(|used| &used.origin).collect();
    assert!(origins.contains(&&CollateralOrigin::Cache));
    assert!(!origins.iter().any(|origin| matches!(origin, CollateralOrigin::File(_))), "{origins:?}");

    // A chain is no leaf, and a piece that is cut in two is no piece.
    let chain = |of: u16| {
        td(&s)
            .signature(move |signature| signature.certification_type = of)
            .without_log()
            .build()
            .unwrap()
            .quote
    };
    assert_eq!(chain(5), seen.quote);
    assert_eq!(failed(&seen.judge("leaf", &chain(4), &seen.published, now())), ["INTEL-011"]);
    let whole = &seen.published.items[0].bytes;
    let (front, back) = whole.split_at(whole.len() / 2);
    let cut = items(&[front.to_vec(), back.to_vec()]);
    assert!(failed(&seen.judge("cut", &seen.quote, &cut, now())).contains(&"INTEL-010".to_owned()));
    // The same certificate, named by ids that differ.
    let named = |pce: u16| {
        td(&s)
            .certification(Certification::Ppid)
            .signature(move |signature| {
                signature.certification_data[32..34].copy_from_slice(&pce.to_le_bytes());
            })
            .without_log()
            .build()
            .unwrap()
            .quote
    };
    let mut published = collateral(&td(&s));
    published.with_pck_chain = true;
    let published = set(&published.to_json(Tee::Tdx).unwrap());
    seen.judge("named", &named(13), &published, now()).unwrap();
    assert_eq!(failed(&seen.judge("named otherwise", &named(14), &published, now())), ["INTEL-011"]);
}
