//! What is asked for, and quotes that do not carry the chain of their PCK certificate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod support;

use assay_emulator::IntelSilicon;
use assay_emulator::intel::{Certification, Collateral, PcsRequest};
use assay_tee_intel::IntelSettings;
use assay_tee_intel::collateral::UpdateChannel;
use assay_types::{
    Authenticated, CollateralItem, CollateralOrigin, CollateralSet, ParsedEvidence, RawEvidence,
    ServedCollateral, Tee, Verifier, VerifyError,
};
use support::{
    binding, claims, collateral, enclave, failed, json as evidence, judge_with, now, set, settings, silicon,
    td, tee_of, verifier, verify,
};

/// Answers every request as the service would, until nothing more is named; the paths that were asked.
fn fetch(parsed: &dyn ParsedEvidence, service: &Collateral) -> (CollateralSet, Vec<Vec<String>>) {
    let (mut at_hand, mut rounds) = (CollateralSet::default(), Vec::new());
    let mut wanted = parsed.collateral_needed(now());
    while !wanted.is_empty() {
        assert!(rounds.len() < 3, "{wanted:?}");
        rounds.push(wanted.iter().map(|request| request.service_path.clone()).collect());
        for request in &wanted {
            let found = service.answer(&PcsRequest::new(&request.service_path)).unwrap();
            assert_eq!(found.status, 200, "{}", request.service_path);
            let chain = request.chain_headers.iter().find_map(|name| found.header(name));
            let chain = chain.map(|text| text.replace("%20", " ").replace("%0A", "\n").replace("%2B", "+"));
            let chain = chain.map(|text| text.replace("%2F", "/").replace("%3D", "="));
            let served = ServedCollateral { issuer_chain: chain.unwrap_or_default(), body: found.body };
            at_hand.items.push(CollateralItem {
                kind: request.kind,
                bytes: served.to_bytes(),
                origin: CollateralOrigin::Service(request.service_path.clone()),
            });
        }
        wanted = parsed.further_collateral_needed(&at_hand, now());
    }
    (at_hand, rounds)
}

#[test]
fn all_four_pieces_are_asked_for_at_once_where_the_quote_carries_its_chain() {
    let s = silicon();
    for (guest, tee) in [(td(&s), "tdx"), (enclave(&s), "sgx")] {
        for channel in [UpdateChannel::Early, UpdateChannel::Standard] {
            let service = collateral(&guest);
            let settings = IntelSettings { update_channel: channel, ..settings() };
            let verifier = verifier(tee_of(&guest), settings);
            let bytes = if tee == "tdx" { td(&s) } else { enclave(&s) }.build().unwrap();
            let parsed = verifier.parse(&RawEvidence::new(verifier.tee(), evidence(&bytes))).unwrap();
            let (at_hand, rounds) = fetch(&*parsed, &service);
            let expected = [
                format!("/{tee}/certification/v4/tcb?fmspc=00a55a000000&update={channel}"),
                "/sgx/certification/v4/pckcrl?ca=platform&encoding=der".to_owned(),
                format!("/{tee}/certification/v4/qe/identity?update={channel}"),
                "/IntelSGXRootCA.der".to_owned(),
            ];
            assert_eq!(rounds, [expected]);
            let genuine = parsed.verify(&binding(), &at_hand, now()).unwrap().remove(0);
            let number = if channel == UpdateChannel::Early { 19 } else { 18 };
            assert_eq!(genuine.facts().claims["tcb_eval_num"], number);
            // Whatever the verdict rests on came from there, or with the evidence, or is pinned.
            for used in &genuine.facts().collateral {
                let known = matches!(
                    used.origin,
                    CollateralOrigin::Evidence | CollateralOrigin::Service(_) | CollateralOrigin::Bundled
                );
                assert!(known, "{used:?}");
            }
        }
    }
}

#[test]
fn a_quote_that_names_its_platform_asks_for_the_certificate_first() {
    let s = silicon();
    for certification in [Certification::PpidRsa2048, Certification::PpidRsa3072] {
        for guest in [td, enclave] {
            let service = collateral(&guest(&s));
            let guest = guest(&s).certification(certification.clone());
            let verifier = verifier(tee_of(&guest), settings());
            let bytes = evidence(&guest.build().unwrap());
            let parsed = verifier.parse(&RawEvidence::new(verifier.tee(), bytes)).unwrap();
            let (at_hand, rounds) = fetch(&*parsed, &service);
            let paths: Vec<Vec<&str>> = rounds
                .iter()
                .map(|round| {
                    round.iter().map(|path| path.split_once('?').map_or(&**path, |(p, _)| p)).collect()
                })
                .collect();
            let tee = if verifier.tee() == Tee::Tdx { "tdx" } else { "sgx" };
            let (info, identity) =
                (format!("/{tee}/certification/v4/tcb"), format!("/{tee}/certification/v4/qe/identity"));
            assert_eq!(
                paths,
                [
                    vec!["/sgx/certification/v4/pckcert", &*identity, "/IntelSGXRootCA.der"],
                    vec![&*info, "/sgx/certification/v4/pckcrl"],
                ]
            );
            let genuine = parsed.verify(&binding(), &at_hand, now()).unwrap().remove(0);
            assert_eq!(genuine.facts().claims["tcb_status"], "UpToDate");

            // Without the certificate nothing is verified, and the rest is not called broken.
            let mut without = at_hand.clone();
            without.items.retain(|item| !format!("{:?}", item.origin).contains("pckcert"));
            let result = parsed.verify(&binding(), &without, now()).map(|mut all| all.remove(0));
            assert_eq!(failed(&result), ["INTEL-011"], "{result:?}");
        }
    }
}

/// The verdict on a quote that names its platform in clear or has its leaf alone, with this PCK
/// certificate among the collateral.
fn with_certificate(
    s: &IntelSilicon,
    certification: Certification,
    edit: impl FnOnce(&mut assay_emulator::intel::Platform),
) -> Result<Authenticated, VerifyError> {
    let mut platform = s.platform();
    edit(&mut platform);
    judge_with(td(s).certification(certification), |c| {
        c.with_pck_chain = true;
        c.pck = s.pck_certificate(&platform);
    })
}

#[test]
fn the_certificate_must_be_the_one_that_the_quote_names() {
    let s = silicon();
    for form in [Certification::Ppid, Certification::PpidRsa2048, Certification::PpidRsa3072] {
        let plain = form == Certification::Ppid;
        assert_eq!(claims(with_certificate(&s, form.clone(), |_| {}))["tcb_status"], "UpToDate");
        let result = with_certificate(&s, form.clone(), |p| p.cpu_svn[15] = 1);
        assert_eq!(failed(&result), ["INTEL-011"], "{form:?}");
        let result = with_certificate(&s, form.clone(), |p| p.pce_svn += 1);
        assert_eq!(failed(&result), ["INTEL-011"], "{form:?}");
        let result = with_certificate(&s, form.clone(), |p| p.pce_id = [1, 0]);
        assert_eq!(failed(&result), ["INTEL-011"], "{form:?}");
        // Of another platform: said by the PPID where it is in clear, else by the signature.
        let result = with_certificate(&s, form.clone(), |p| p.ppid[0] ^= 1);
        assert_eq!(failed(&result), [if plain { "INTEL-011" } else { "INTEL-050" }], "{form:?}");
    }
    // The quote's own leaf counts, whatever else is at hand.
    let result = with_certificate(&s, Certification::PckCertificate, |p| p.ppid[0] ^= 1);
    assert_eq!(claims(result)["platform_provider_id"], hex::encode(s.platform().ppid));
    // Its authority is the one that came with the revocation list.
    let result =
        judge_with(td(&s).certification(Certification::PckCertificate), |c| c.with_pck_chain = false);
    assert_eq!(claims(result)["tcb_status"], "UpToDate");
}

#[test]
fn a_leaf_of_another_platform_does_not_certify_the_quote() {
    let s = silicon();
    let mut platform = s.platform();
    platform.ppid[0] ^= 1;
    let other = s.pck_certificate(&platform);
    for certification in [Certification::PckCertificate, Certification::PckChain] {
        let other = other.clone();
        let result = judge_with(td(&s).certification(certification).pck(move |c| *c = other), |_| {});
        assert_eq!(failed(&result), ["INTEL-050"]);
    }
    // An authority that is not there.
    let result = {
        let guest = td(&s).certification(Certification::PckCertificate);
        let mut published = collateral(&guest).to_json(Tee::Tdx).unwrap();
        for chain in ["pck_crl_issuer_chain", "pck_certificate_chain"] {
            assert!(published.as_object_mut().unwrap().remove(chain).is_some());
        }
        let bytes = evidence(&guest.build().unwrap());
        verify(&verifier(Tee::Tdx, settings()), &bytes, &set(&published), &binding(), now())
    };
    assert_eq!(failed(&result), ["INTEL-011"]);
}
