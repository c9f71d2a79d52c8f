//! Real quotes and the collateral that Intel signed for them, at dates at which it was valid.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod collateral_support;

use assay_tee_intel::tcb::{TcbEvaluation, TcbStatus};
use assay_tee_intel::{Family, IntelAnchors, TDX_CHECKS, collateral};
use assay_types::Checks;
use collateral_support::{at, cut, failed, findings, read, set};

struct Case {
    quote: &'static str,
    collateral: &'static str,
    valid: &'static str,
    expired: &'static str,
    status: Option<TcbStatus>,
    advisories: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        quote: "tdx_quote_4.dat",
        collateral: "A_50806f_2023.json",
        valid: "2023-07-01T00:00:00Z",
        expired: "2023-07-19T00:00:00Z",
        status: Some(TcbStatus::UpToDate),
        advisories: &[],
    },
    Case {
        quote: "cos-113-tdx-quote.dat",
        collateral: "C_00806f_2025.json",
        valid: "2025-03-01T00:00:00Z",
        expired: "2025-03-16T00:00:00Z",
        status: Some(TcbStatus::UpToDate),
        advisories: &[],
    },
    Case {
        quote: "cos-113-tdx-quote.dat",
        collateral: "T_tdx_tcb_info_00806F050000.json",
        valid: "2025-06-25T00:00:00Z",
        expired: "2025-06-27T00:00:00Z",
        status: Some(TcbStatus::UpToDate),
        advisories: &[],
    },
    Case {
        quote: "tdx_quote_5.dat",
        collateral: "B_90c06f_2026.json",
        valid: "2026-02-25T00:00:00Z",
        expired: "2026-03-21T00:00:00Z",
        status: None,
        advisories: &[],
    },
    Case {
        quote: "occlum_quote.dat",
        collateral: "P_azure.json",
        valid: "2023-05-15T15:41:43Z",
        expired: "2023-06-15T00:00:00Z",
        status: Some(TcbStatus::OutOfDate),
        advisories: &[
            "INTEL-SA-00586",
            "INTEL-SA-00614",
            "INTEL-SA-00615",
            "INTEL-SA-00657",
            "INTEL-SA-00730",
            "INTEL-SA-00738",
            "INTEL-SA-00767",
        ],
    },
];

fn outcomes(evaluation: &TcbEvaluation) -> Vec<assay_types::Finding> {
    let mut checks = Checks::new(TDX_CHECKS);
    evaluation.record(&mut checks);
    checks.findings().to_vec()
}

#[test]
fn collateral_holds_while_it_is_valid_and_then_says_that_it_expired() {
    for case in CASES {
        let (Some(quote), Some(collateral)) = (read(case.quote), read(case.collateral)) else { return };
        let quote = cut(&quote);
        let certified = quote.certify(&set([collateral]));
        let found = findings(&certified, at(case.valid));
        assert_eq!(failed(&found), Vec::<&str>::new(), "{}: {found:#?}", case.collateral);
        assert!(certified.holds(), "{}", case.collateral);
        assert!(!certified.emulated());
        // Everything but the three checks that come with the quote's body has an outcome.
        assert_eq!(found.len(), 26, "{}", case.collateral);
        assert!(certified.validity().contains(at(case.valid)));
        assert!(!certified.validity().contains(at(case.expired)));
        let expired = findings(&certified, at(case.expired));
        let codes = failed(&expired);
        assert!(codes.iter().all(|code| ["INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043"].contains(code)));
        assert!(codes.contains(&"INTEL-035"), "{codes:?}");
        let early = findings(&certified, at("2018-01-01T00:00:00Z"));
        assert_eq!(failed(&early), ["INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043"]);
    }
}

#[test]
fn tcb_statuses_are_those_that_were_recorded() {
    for case in CASES {
        let (Some(quote), Some(collateral)) = (read(case.quote), read(case.collateral)) else { return };
        let quote = cut(&quote);
        let evaluation = quote.evaluate(&quote.certify(&set([collateral])));
        assert_eq!(evaluation.status, case.status, "{}", case.quote);
        let mut advisories = evaluation.advisories.clone();
        advisories.sort();
        assert_eq!(advisories, case.advisories, "{}", case.quote);
        let found = outcomes(&evaluation);
        let expected: &[&str] = if case.status.is_none() { &["INTEL-070"] } else { &[] };
        assert_eq!(failed(&found), expected, "{}: {found:#?}", case.quote);
        let out_of_date = case.status == Some(TcbStatus::OutOfDate);
        assert_eq!(evaluation.outdated_since.is_some(), out_of_date, "{}", case.quote);
    }
}

#[test]
fn supplemental_data_are_those_of_intels_library() {
    let (Some(quote), Some(collateral)) = (read("tdx_quote_4.dat"), read("A_50806f_2023.json")) else {
        return;
    };
    let certified = cut(&quote).certify(&set([collateral]));
    let supplement = certified.supplement();
    assert_eq!(
        supplement.root_key_id.as_ref().unwrap().to_hex(),
        "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993"
    );
    assert_eq!(supplement.earliest_issue.unwrap().to_string(), "2018-05-21T10:45:10Z");
    assert_eq!(supplement.earliest_expiration.unwrap(), certified.validity().not_after);
    assert_eq!(supplement.latest_issue.unwrap(), certified.validity().not_before);
    assert_eq!(supplement.evaluation_number, Some(15));
    assert_eq!((supplement.pck_crl_number, supplement.root_crl_number), (Some(1), Some(1)));
    let extensions = certified.pck_extensions().unwrap();
    assert_eq!(hex::encode(extensions.ppid), "df4c32a9d8d86009aaf380ec43cfcefb");
    assert_eq!(hex::encode(extensions.fmspc), "50806f000000");
    assert_eq!(hex::encode(extensions.platform_instance_id.unwrap()), "021ac64d355ba904e2d5948d228d5482");
    let configuration = extensions.configuration.unwrap();
    assert_eq!(configuration.smt_enabled, Some(true));
    assert_eq!(configuration.cached_keys, Some(true));
    assert_eq!(configuration.dynamic_platform, Some(true));
    assert_eq!((extensions.pce_svn, extensions.pce_id), (11, [0, 0]));
    assert_eq!(extensions.sgx_type.as_str(), "Scalable");
    assert_eq!(extensions.unknown, Vec::<String>::new());
    // Leaf, CA, root, two lists, one signer, two documents.
    assert_eq!(certified.uses().len(), 8, "{:#?}", certified.uses());
    assert_eq!(certified.unused(), Vec::<String>::new());
    let names: Vec<&str> = certified.uses().iter().map(|used| used.name.as_str()).collect();
    let info = "TDX TCB info of FMSPC 50806f000000, evaluation 15, issued 2023-06-18T08:42:58Z, \
                next update 2023-07-18T08:42:58Z";
    assert!(names.contains(&info), "{names:#?}");
}

#[test]
fn a_minimum_of_the_evaluation_number_is_held_against_both_documents() {
    let (Some(quote), Some(collateral)) = (read("tdx_quote_4.dat"), read("A_50806f_2023.json")) else {
        return;
    };
    let certified = cut(&quote).certify(&set([collateral]));
    for (minimum, expected) in [(None, &[][..]), (Some(15), &[]), (Some(16), &["INTEL-044"])] {
        let mut checks = Checks::new(TDX_CHECKS);
        certified.record(&mut checks, at("2023-07-01T00:00:00Z"), minimum);
        assert_eq!(failed(checks.findings()), expected);
    }
}

#[test]
fn the_answers_as_served_are_read_and_their_signatures_hold() {
    // The documents of quote 6 have no revocation list beside them.
    let (Some(quote), Some(info), Some(identity)) =
        (read("tdx_quote_6.dat"), read("tcbInfo.json"), read("enclaveIdentity.json"))
    else {
        return;
    };
    let Some(signer) = read("B_90c06f_2026.json") else { return };
    let signer: serde_json::Value = serde_json::from_slice(&signer).unwrap();
    let signer = signer["tcb_info_issuer_chain"].as_str().unwrap().as_bytes().to_vec();
    let quote = cut(&quote);
    let certified = quote.certify(&set([info, identity, signer]));
    let found = findings(&certified, at("2025-11-01T00:00:00Z"));
    assert_eq!(failed(&found), ["INTEL-020", "INTEL-021"], "{found:#?}");
    assert!(!certified.holds());
    let evaluation = quote.evaluate(&certified);
    assert!(evaluation.status.is_some());
}

#[test]
fn requests_name_what_is_missing_and_nothing_else() {
    let (Some(quote), Some(collateral)) = (read("tdx_quote_4.dat"), read("A_50806f_2023.json")) else {
        return;
    };
    let quote = cut(&quote);
    let source = assay_tee_intel::certified::PckSource::Chain(&quote.chain);
    let channel = collateral::UpdateChannel::Early;
    let paths = |at_hand: &assay_types::CollateralSet| -> Vec<String> {
        let needed = collateral::needed(Family::Tdx, source, channel, at_hand);
        needed.into_iter().map(|request| request.service_path).collect()
    };
    assert_eq!(
        paths(&set([])),
        [
            "/tdx/certification/v4/tcb?fmspc=50806f000000&update=early",
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            "/tdx/certification/v4/qe/identity?update=early",
            "/IntelSGXRootCA.der",
        ]
    );
    assert_eq!(paths(&set([collateral.clone()])), Vec::<String>::new());
    // Taken apart, each piece is genuine for its request and stands in for the whole.
    let entries = collateral::split_collateral(&collateral, channel).unwrap();
    let inspector = collateral::IntelInspector::new(IntelAnchors::intel());
    assert_eq!(entries.len(), 4);
    for (request, bytes) in &entries {
        let validity = assay_types::CollateralInspector::inspect(&inspector, request, bytes).unwrap();
        assert!(validity.contains(at("2023-07-01T00:00:00Z")), "{}", request.description);
        for (other, _) in entries.iter().filter(|(other, _)| other != request) {
            assert!(assay_types::CollateralInspector::inspect(&inspector, other, bytes).is_err());
        }
    }
    let apart = set(entries.into_iter().map(|(_, bytes)| bytes.to_vec()));
    assert_eq!(paths(&apart), Vec::<String>::new());
    let certified = quote.certify(&apart);
    assert!(certified.holds(), "{:#?}", findings(&certified, at("2023-07-01T00:00:00Z")));
}
