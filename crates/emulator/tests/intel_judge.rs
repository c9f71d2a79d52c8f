//! dcap-qvl, which knows nothing of this project, judges quotes and collateral.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

use assay_emulator::intel::{
    AfterSigning, COLLATERAL_VALIDITY, Certification, Collateral, IntelGuest, Role, TcbLevelName, attributes,
    thirty_days,
};
use assay_emulator::{IntelSilicon, Seed};
use assay_types::{Tee, UnixTime};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::{QuoteVerifier, VerifiedReport};

const NOW: UnixTime = UnixTime(1_767_225_600);

fn silicon() -> IntelSilicon {
    IntelSilicon::new(Seed::DEVELOPMENT)
}

fn verifier() -> QuoteVerifier {
    QuoteVerifier::new(silicon().authority(Role::Root).issue().unwrap())
}

fn oracle_collateral(tee: Tee, collateral: &Collateral) -> QuoteCollateralV3 {
    let json = collateral.to_json(tee).unwrap();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let bytes = |name: &str| hex::decode(text(name)).unwrap();
    QuoteCollateralV3 {
        pck_crl_issuer_chain: text("pck_crl_issuer_chain"),
        root_ca_crl: bytes("root_ca_crl"),
        pck_crl: bytes("pck_crl"),
        tcb_info_issuer_chain: text("tcb_info_issuer_chain"),
        tcb_info: text("tcb_info"),
        tcb_info_signature: bytes("tcb_info_signature"),
        qe_identity_issuer_chain: text("qe_identity_issuer_chain"),
        qe_identity: text("qe_identity"),
        qe_identity_signature: bytes("qe_identity_signature"),
        pck_certificate_chain: json["pck_certificate_chain"].as_str().map(str::to_owned),
    }
}

/// The verdict on a guest with collateral, changed.
fn judge_with(guest: IntelGuest<'_>, edit: impl FnOnce(&mut Collateral)) -> Result<VerifiedReport, String> {
    let mut collateral = guest.collateral(COLLATERAL_VALIDITY);
    edit(&mut collateral);
    let evidence = guest.build().unwrap();
    let collateral = oracle_collateral(evidence.tee, &collateral);
    verifier().verify(&evidence.quote, &collateral, NOW.0 as u64).map_err(|error| format!("{error:#}"))
}

fn judge(guest: IntelGuest<'_>) -> Result<VerifiedReport, String> {
    judge_with(guest, |_| {})
}

type MakeGuest = fn(&IntelSilicon) -> IntelGuest<'static>;

const KINDS: [(&str, MakeGuest); 4] = [
    ("version 4", |silicon| silicon.td()),
    ("version 5, 1.0", |silicon| silicon.td().version(5)),
    ("version 5, 1.5", |silicon| silicon.td().tdx_1_5()),
    ("version 3", |silicon| silicon.enclave()),
];

#[test]
fn genuine_evidence_is_up_to_date() {
    for (name, make) in KINDS {
        let report = judge(make(&silicon())).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.status, "UpToDate", "{name}");
        assert_eq!(report.advisory_ids, Vec::<String>::new(), "{name}");
        assert_eq!(report.ppid, silicon().platform().ppid, "{name}");
    }
}

#[test]
fn another_seed_is_another_vendor() {
    let other = IntelSilicon::new(Seed::new([9; 32]));
    let error = judge(other.td()).unwrap_err();
    assert!(error.contains("CRL"), "{error}");
}

#[test]
fn every_level_has_its_status_and_advisories() {
    for (kind, make) in KINDS {
        for level in TcbLevelName::ALL {
            let verdict = judge(make(&silicon()).tcb_level(level));
            if level == TcbLevelName::Revoked {
                let error = verdict.unwrap_err();
                assert!(error.contains("Revoked"), "{kind}: {error}");
                continue;
            }
            let report = verdict.unwrap_or_else(|error| panic!("{kind}, {level:?}: {error}"));
            assert_eq!(report.status, level.status(), "{kind}");
            assert_eq!(report.advisory_ids, level.advisories(), "{kind}");
        }
    }
}

#[test]
fn no_level_matches_a_platform_below_all() {
    let error = judge(silicon().td().platform(|platform| platform.set_cpu_svn([0; 16]))).unwrap_err();
    assert!(error.contains("No matching TCB level"), "{error}");
}

#[test]
fn module_and_enclave_levels_are_merged() {
    let of = |svn: u8, version: u8| {
        let guest =
            silicon().td().td_report(move |td| (td.tee_tcb_svn[0], td.tee_tcb_svn[1]) = (svn, version));
        judge(guest).map(|report| (report.status, report.advisory_ids))
    };
    let ids = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(of(6, 1), Ok(("UpToDate".into(), ids(&[]))));
    assert_eq!(of(5, 1), Ok(("OutOfDate".into(), ids(&["INTEL-SA-01036", "INTEL-SA-01099"]))));
    assert_eq!(of(3, 3), Ok(("UpToDate".into(), ids(&[]))));
    assert_eq!(of(2, 3), Ok(("OutOfDate".into(), ids(&["INTEL-SA-01192"]))));
    assert_eq!(of(5, 0), Ok(("UpToDate".into(), ids(&[]))));
    assert!(of(1, 1).unwrap_err().contains("Revoked"));
    assert!(of(3, 2).unwrap_err().contains("TDX_02"));
    assert!(of(4, 0).unwrap_err().contains("No matching TCB level"));

    let qe =
        |svn: u16| judge(silicon().td().qe_report(move |qe| qe.isv_svn = svn)).map(|report| report.status);
    assert_eq!(qe(4), Ok("UpToDate".into()));
    assert_eq!(qe(3), Ok("OutOfDate".into()));
    assert_eq!(qe(2), Ok("OutOfDate".into()));
    assert!(qe(1).unwrap_err().contains("Revoked"));
}

#[test]
fn a_td_that_was_launched_by_an_old_module_is_advised_to_relaunch() {
    let guest = silicon().td().tdx_1_5().td_report(|td| td.tee_tcb_svn[0] = 4);
    assert_eq!(judge(guest).unwrap().status, "TDRelaunchAdvised");
}

#[test]
fn one_thing_broken_is_one_thing_refused() {
    let stray = || silicon().stray_key("test");
    let cases: [(&str, IntelGuest<'_>, &str); 15] = [
        (
            "quote signature",
            silicon().td().signature(|s| s.signature[0] ^= 1),
            "ISV enclave report signature",
        ),
        ("signed part", silicon().td().quote_bytes(|q| q[100] ^= 1), "ISV enclave report signature"),
        ("quote signer", silicon().td().quote_signer(stray()), "ISV enclave report signature"),
        ("QE signature", silicon().td().signature(|s| s.qe_report_signature[0] ^= 1), "qe_report"),
        ("QE signer", silicon().td().qe_signer(stray()), "qe_report"),
        ("QE binding", silicon().td().qe_report(|qe| qe.report_data[0] ^= 1), "QE report hash mismatch"),
        ("auth data", silicon().td().signature(|s| s.qe_auth_data[0] ^= 1), "QE report hash mismatch"),
        ("QE signer id", silicon().td().qe_report(|qe| qe.mr_signer[0] ^= 1), "MRSIGNER"),
        ("QE product", silicon().td().qe_report(|qe| qe.isv_prod_id = 9), "ISVPRODID"),
        ("debug", silicon().td().td_report(|td| td.td_attributes |= attributes::TD_DEBUG), "Debug"),
        ("enclave debug", silicon().enclave().enclave_report(|r| r.flags |= attributes::SGX_DEBUG), "Debug"),
        ("PCK signature", silicon().td().pck(|c| c.broken_signature = true), "InvalidSignature"),
        ("PCK expired", silicon().td().pck(|c| c.validity.not_after = NOW.plus(-1)), "Expired"),
        ("PCK revoked", silicon().td().pck_revoked(true), "Revoked"),
        (
            "FMSPC",
            silicon().td().pck(|c| {
                let mut platform = silicon().platform();
                platform.fmspc = [1; 6];
                c.set_extension(assay_emulator::intel::oid::SGX, platform.extension().to_der());
            }),
            "Fmspc mismatch",
        ),
    ];
    for (name, guest, expected) in cases {
        let error = judge(guest).unwrap_err();
        assert!(error.to_lowercase().contains(&expected.to_lowercase()), "{name}: {error}");
    }
}

#[test]
fn one_piece_of_collateral_broken_is_refused() {
    type Edit = fn(&mut Collateral);
    let cases: [(&str, Edit, &str); 11] = [
        ("TCB info signature", |c| c.tdx_tcb_info.after = AfterSigning::BrokenSignature, "tcb_info"),
        ("TCB info spaced", |c| c.tdx_tcb_info.after = AfterSigning::Reserialised, "tcb_info"),
        ("identity spaced", |c| c.td_qe_identity.after = AfterSigning::Reserialised, "qe_identity"),
        ("TCB info signer", |c| c.tdx_tcb_info.signer = c.silicon.stray_key("x"), "tcb_info"),
        ("TCB info expired", |c| c.tdx_tcb_info.content.next_update = NOW.plus(-1).to_string(), "expired"),
        ("TCB info early", |c| c.tdx_tcb_info.content.issue_date = NOW.plus(1).to_string(), "future"),
        ("identity expired", |c| c.td_qe_identity.content.next_update = NOW.plus(-1).to_string(), "expired"),
        ("other platform", |c| c.tdx_tcb_info.content.fmspc = "010203040506".into(), "Fmspc"),
        ("root CRL signature", |c| c.root_crl.broken_signature = true, "CRL"),
        ("PCK CRL expired", |c| c.platform_crl.next_update = Some(NOW.plus(-1)), "Expired"),
        ("CA revoked", |c| c.revoke_authority(Role::PlatformCa), "Revoked"),
    ];
    for (name, edit, expected) in cases {
        let error = judge_with(silicon().td(), edit).unwrap_err();
        assert!(error.to_lowercase().contains(&expected.to_lowercase()), "{name}: {error}");
    }
}

#[test]
fn text_that_was_changed_before_it_was_signed_is_genuine() {
    let report = judge_with(silicon().td(), |collateral| {
        collateral.tdx_tcb_info.edit_text(|text| text.replacen("\"UpToDate\"", "\"OutOfDate\"", 3));
    });
    assert_eq!(report.unwrap().status, "OutOfDate");
}

#[test]
fn collateral_of_today_expires_in_thirty_days() {
    let guest = silicon().td();
    let collateral = oracle_collateral(Tee::Tdx, &guest.collateral(thirty_days(NOW)));
    let quote = guest.build().unwrap().quote;
    let at = |seconds: i64| verifier().verify(&quote, &collateral, NOW.plus(seconds).0 as u64);
    for inside in [0, 30 * 86_400 - 1] {
        assert!(at(inside).is_ok(), "{inside}");
    }
    // The last second belongs to TCB info and identity, but to the judge not to a revocation list.
    for outside in [-1, 30 * 86_400] {
        assert!(at(outside).is_err(), "{outside}");
    }
}

#[test]
fn a_quote_that_only_names_its_pck_is_completed_by_collateral() {
    for certification in [
        Certification::Ppid,
        Certification::PpidRsa2048,
        Certification::PpidRsa3072,
        Certification::PckCertificate,
    ] {
        let guest = || silicon().td().certification(certification.clone());
        assert_eq!(judge(guest()).unwrap().status, "UpToDate", "{certification:?}");
        let without = judge_with(guest(), |collateral| collateral.with_pck_chain = false);
        assert!(without.unwrap_err().contains("PCK cert format"), "{certification:?}");
    }
}

#[test]
fn the_processor_ca_certifies_too() {
    let guest = silicon().enclave().platform(|platform| {
        platform.ca = assay_emulator::intel::PckCa::Processor;
        platform.configuration = None;
        platform.platform_instance_id = None;
    });
    assert_eq!(judge(guest).unwrap().status, "UpToDate");
}
