//! The evaluation of TCBs, on small documents made for each branch.
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

use assay_tee_intel::collateral::{IsvSvnLevel, QeIdentity, TcbInfo, TcbLevel, Verdict};
use assay_tee_intel::tcb::TcbStatus::{
    self, ConfigurationAndSwHardeningNeeded, ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded,
    Revoked, SwHardeningNeeded, TdRelaunchAdvised, TdRelaunchAdvisedConfigurationNeeded, UpToDate,
};
use assay_tee_intel::tcb::{PlatformTcb, QeReport, TcbEvaluation, TcbInputs, TdTcb};
use assay_tee_intel::{Family, TDX_CHECKS};
use assay_types::{Checks, Finding, Outcome, UnixTime};
use collateral_support::pki::{identity_json, tcb_info_json};
use collateral_support::{at, failed};

#[test]
fn parts_change_the_status_of_the_whole_by_intels_rules() {
    let changes = [
        (UpToDate, OutOfDate),
        (SwHardeningNeeded, OutOfDate),
        (ConfigurationNeeded, OutOfDateConfigurationNeeded),
        (ConfigurationAndSwHardeningNeeded, OutOfDateConfigurationNeeded),
    ];
    for platform in TcbStatus::ALL {
        for part in TcbStatus::ALL {
            let changed = changes.iter().find(|(before, _)| *before == platform).map(|(_, after)| *after);
            let expected = match part {
                Revoked => Revoked,
                OutOfDate => changed.unwrap_or(platform),
                _ => platform,
            };
            assert_eq!(platform.with_part(part), expected, "{platform} with {part}");
        }
        assert_eq!(TcbStatus::from_name(platform.as_str()), Some(platform));
    }
    assert_eq!(TcbStatus::from_name("uptodate"), None);
}

#[test]
fn a_relaunch_is_advised_where_it_would_help() {
    let advised = [
        (OutOfDate, UpToDate, TdRelaunchAdvised),
        (OutOfDate, SwHardeningNeeded, TdRelaunchAdvised),
        (OutOfDate, ConfigurationNeeded, TdRelaunchAdvisedConfigurationNeeded),
        (OutOfDate, ConfigurationAndSwHardeningNeeded, TdRelaunchAdvisedConfigurationNeeded),
        (OutOfDateConfigurationNeeded, UpToDate, TdRelaunchAdvisedConfigurationNeeded),
        (OutOfDateConfigurationNeeded, SwHardeningNeeded, TdRelaunchAdvisedConfigurationNeeded),
        (OutOfDateConfigurationNeeded, ConfigurationNeeded, TdRelaunchAdvisedConfigurationNeeded),
        (
            OutOfDateConfigurationNeeded,
            ConfigurationAndSwHardeningNeeded,
            TdRelaunchAdvisedConfigurationNeeded,
        ),
    ];
    for launch in TcbStatus::ALL {
        for current in TcbStatus::ALL {
            let row = advised.iter().find(|(l, c, _)| (*l, *c) == (launch, current));
            let expected = row.map_or(launch, |(_, _, advice)| *advice);
            assert_eq!(launch.with_current(current), expected, "{launch}, now {current}");
        }
    }
}

fn verdict(status: TcbStatus, date: &str, advisories: &[&str]) -> Verdict {
    Verdict {
        status,
        date: at(&format!("{date}T00:00:00Z")),
        advisories: advisories.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// Two levels: 5 and up to date since 2026, 3 and out of date.
fn levels() -> Vec<TcbLevel> {
    let level = |svn, verdict| TcbLevel { sgx: [svn; 16], pce_svn: svn.into(), tdx: [svn; 16], verdict };
    vec![
        level(5, verdict(UpToDate, "2026-02-11", &[])),
        level(3, verdict(OutOfDate, "2024-03-13", &["INTEL-SA-00001", "INTEL-SA-00002"])),
    ]
}

fn isv_svn_levels() -> Vec<IsvSvnLevel> {
    vec![
        IsvSvnLevel { isv_svn: 5, verdict: verdict(UpToDate, "2026-01-01", &[]) },
        IsvSvnLevel { isv_svn: 4, verdict: verdict(OutOfDate, "2025-01-01", &["INTEL-SA-00003"]) },
        IsvSvnLevel { isv_svn: 3, verdict: verdict(OutOfDate, "2024-01-01", &["INTEL-SA-00002"]) },
    ]
}

struct Setup {
    info: TcbInfo,
    identity: QeIdentity,
    platform: PlatformTcb,
    td: Option<TdTcb>,
    qe: QeReport,
}

fn setup(family: Family) -> Setup {
    let mut info = TcbInfo::read(&tcb_info_json(family).to_string()).unwrap();
    info.levels = levels();
    let mut identity = QeIdentity::read(&identity_json(family).to_string()).unwrap();
    identity.levels = isv_svn_levels();
    for module in &mut info.tdx_module_identities {
        module.levels = isv_svn_levels();
    }
    let mut tee_tcb_svn = [5; 16];
    tee_tcb_svn[1] = 3;
    let td = TdTcb { tee_tcb_svn, tee_tcb_svn2: None, mrsigner_seam: [0; 48], seam_attributes: [0; 8] };
    let qe = QeReport {
        mr_signer: identity.mr_signer,
        isv_prod_id: identity.isv_prod_id,
        isv_svn: 5,
        misc_select: identity.misc_select,
        attributes: identity.attributes,
    };
    Setup {
        info,
        identity,
        platform: PlatformTcb { components: [5; 16], pce_svn: 5 },
        td: (family == Family::Tdx).then_some(td),
        qe,
    }
}

impl Setup {
    fn evaluate(&self) -> TcbEvaluation {
        TcbEvaluation::new(TcbInputs {
            tcb_info: Some(&self.info),
            qe_identity: Some(&self.identity),
            platform: Some(self.platform),
            td: self.td,
            qe: Some(self.qe),
        })
    }

    fn td(&mut self) -> &mut TdTcb {
        self.td.as_mut().unwrap()
    }
}

fn findings(evaluation: &TcbEvaluation) -> Vec<Finding> {
    let mut checks = Checks::new(TDX_CHECKS);
    evaluation.record(&mut checks);
    checks.findings().to_vec()
}

#[test]
fn all_is_up_to_date_and_every_check_has_an_outcome() {
    for (family, count) in [(Family::Sgx, 7), (Family::Tdx, 9)] {
        let evaluation = setup(family).evaluate();
        let found = findings(&evaluation);
        assert_eq!(found.len(), count, "{found:#?}");
        assert!(found.iter().all(|finding| finding.outcome == Outcome::Passed), "{found:#?}");
        assert_eq!(evaluation.status, Some(UpToDate));
        assert_eq!(evaluation.outdated_since, None);
        assert_eq!(evaluation.advisories, Vec::<String>::new());
        // The oldest of platform, quoting enclave and module.
        assert_eq!(evaluation.date, Some(at("2026-01-01T00:00:00Z")));
        assert_eq!(evaluation.module.is_some(), family == Family::Tdx);
    }
}

#[test]
fn each_component_counts() {
    for family in [Family::Sgx, Family::Tdx] {
        for place in 0..16 {
            let mut setup = setup(family);
            setup.platform.components[place] = 4;
            let evaluation = setup.evaluate();
            assert_eq!(evaluation.status, Some(OutOfDate), "SGX component {place}");
            assert_eq!(evaluation.outdated_since, Some(at("2026-02-11T00:00:00Z")));
            assert_eq!(evaluation.date, Some(at("2024-03-13T00:00:00Z")));
            assert_eq!(evaluation.advisories, ["INTEL-SA-00001", "INTEL-SA-00002"]);
            setup.platform.components[place] = 2;
            assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-070"]);
            assert_eq!(setup.evaluate().status, None);
        }
        let mut setup = setup(family);
        setup.platform.pce_svn = 4;
        assert_eq!(setup.evaluate().status, Some(OutOfDate));
        setup.platform.pce_svn = 2;
        assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-070"]);
    }
}

#[test]
fn tdx_components_count_but_for_the_first_two_of_a_module_with_an_identity() {
    for place in 2..16 {
        let mut setup = setup(Family::Tdx);
        setup.td().tee_tcb_svn[place] = 4;
        assert_eq!(setup.evaluate().status, Some(OutOfDate), "TDX component {place}");
        setup.td().tee_tcb_svn[place] = 2;
        assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-070"]);
    }
    // With an identity, byte 0 is judged by it and byte 1 chooses it.
    let mut setup = setup(Family::Tdx);
    setup.info.levels[0].tdx[0] = 200;
    setup.info.levels[0].tdx[1] = 200;
    assert_eq!(setup.evaluate().status, Some(UpToDate));
    // Without one, both count like the others.
    setup.td().tee_tcb_svn[1] = 0;
    setup.info.levels[1].tdx[1] = 0;
    let evaluation = setup.evaluate();
    assert_eq!(evaluation.status, Some(OutOfDate));
    assert_eq!(evaluation.module, None);
    let found = findings(&evaluation);
    assert_eq!(failed(&found), Vec::<&str>::new());
    let level = found.iter().find(|finding| finding.code == "TDX-002").unwrap();
    assert_eq!(level.outcome, Outcome::NotChecked);
    setup.info.levels[1].tdx[1] = 1;
    assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-070"]);
}

#[test]
fn the_module_is_judged_by_the_identity_of_its_version() {
    let mut setup = setup(Family::Tdx);
    setup.td().tee_tcb_svn[0] = 4;
    let evaluation = setup.evaluate();
    assert_eq!(evaluation.status, Some(OutOfDate));
    assert_eq!(evaluation.module.as_ref().unwrap().status, OutOfDate);
    assert_eq!(evaluation.outdated_since, Some(at("2026-01-01T00:00:00Z")));
    assert_eq!(evaluation.advisories, ["INTEL-SA-00003"]);
    // Of two later levels, the next one.
    setup.td().tee_tcb_svn[0] = 3;
    assert_eq!(setup.evaluate().outdated_since, Some(at("2025-01-01T00:00:00Z")));
    setup.td().tee_tcb_svn[0] = 2;
    assert_eq!(failed(&findings(&setup.evaluate())), ["TDX-002"]);
    assert_eq!(setup.evaluate().status, None);
    setup.td().tee_tcb_svn[0] = 5;
    setup.td().tee_tcb_svn[1] = 4;
    let found = findings(&setup.evaluate());
    assert_eq!(failed(&found), ["TDX-001"]);
    assert!(found.iter().any(|finding| finding.detail.contains("no identity of TDX module version 4")));
    assert_eq!(setup.evaluate().status, None);
}

#[test]
fn signer_and_attributes_of_the_module_are_those_of_its_identity() {
    for version in [0, 3] {
        let fresh = || {
            let mut setup = setup(Family::Tdx);
            setup.td().tee_tcb_svn[1] = version;
            setup.info.levels[0].tdx[1] = 0;
            setup
        };
        assert_eq!(failed(&findings(&fresh().evaluate())), Vec::<&str>::new());
        let mut setup = fresh();
        setup.td().mrsigner_seam[47] = 1;
        assert_eq!(failed(&findings(&setup.evaluate())), ["TDX-001"]);
        let mut setup = fresh();
        setup.td().seam_attributes[7] = 1;
        assert_eq!(failed(&findings(&setup.evaluate())), ["TDX-001"]);
        // Bits outside the mask do not count.
        for module in setup.info.tdx_module_identities.iter_mut().map(|identity| &mut identity.module) {
            module.attributes_mask[7] = 0xfe;
        }
        setup.info.tdx_module.as_mut().unwrap().attributes_mask[7] = 0xfe;
        assert_eq!(failed(&findings(&setup.evaluate())), Vec::<&str>::new());
        // The other module's facts do not matter.
        let mut setup = fresh();
        match version {
            0 => setup.info.tdx_module_identities[0].module.mr_signer = [1; 48],
            _ => setup.info.tdx_module.as_mut().unwrap().mr_signer = [1; 48],
        }
        assert_eq!(failed(&findings(&setup.evaluate())), Vec::<&str>::new());
    }
}

#[test]
fn a_td_that_outlived_an_update_is_told_to_relaunch() {
    let mut setup = setup(Family::Tdx);
    let now = setup.td().tee_tcb_svn;
    setup.td().tee_tcb_svn2 = Some(now);
    assert_eq!(setup.evaluate().status, Some(UpToDate));
    // The module was old at launch and is new now.
    setup.td().tee_tcb_svn[0] = 4;
    let evaluation = setup.evaluate();
    assert_eq!(evaluation.status, Some(TdRelaunchAdvised));
    let current = evaluation.current.clone().unwrap();
    assert_eq!((current.status, current.advisories.len()), (UpToDate, 0));
    assert_eq!(evaluation.advisories, ["INTEL-SA-00003"]);
    assert_eq!(evaluation.outdated_since, Some(at("2026-01-01T00:00:00Z")));
    setup.info.levels[0].verdict.status = ConfigurationNeeded;
    assert_eq!(setup.evaluate().status, Some(TdRelaunchAdvisedConfigurationNeeded));
    // A quoting enclave that is out of date is so now as well.
    setup.qe.isv_svn = 4;
    assert_eq!(setup.evaluate().status, Some(OutOfDateConfigurationNeeded));
    // It cannot be said what the TD would be now: not accepted.
    let mut broken = self::setup(Family::Tdx);
    for (place, svn, code) in [(0, 2, "TDX-002"), (1, 9, "TDX-001"), (5, 2, "INTEL-070")] {
        let mut svn2 = broken.td().tee_tcb_svn;
        svn2[place] = svn;
        broken.td().tee_tcb_svn2 = Some(svn2);
        assert_eq!(failed(&findings(&broken.evaluate())), [code]);
        assert_eq!(broken.evaluate().status, None);
    }
}

#[test]
fn the_report_of_the_quoting_enclave_is_held_against_its_identity() {
    type Change = fn(&mut QeReport);
    let changes: [(&str, Change); 5] = [
        ("INTEL-052", |qe| qe.mr_signer[31] ^= 1),
        ("INTEL-053", |qe| qe.isv_prod_id ^= 1),
        ("INTEL-054", |qe| qe.misc_select ^= 1),
        // The debug bit.
        ("INTEL-055", |qe| qe.attributes[0] ^= 2),
        ("INTEL-056", |qe| qe.isv_svn = 2),
    ];
    for family in [Family::Sgx, Family::Tdx] {
        for (code, change) in changes {
            let mut setup = setup(family);
            change(&mut setup.qe);
            assert_eq!(failed(&findings(&setup.evaluate())), [code]);
        }
        // Bits outside the masks do not count.
        let mut setup = setup(family);
        setup.qe.attributes[0] ^= 4;
        setup.identity.misc_select_mask = 0xffff_fffe;
        setup.qe.misc_select ^= 1;
        assert_eq!(failed(&findings(&setup.evaluate())), Vec::<&str>::new());
        setup.qe.isv_svn = 4;
        let evaluation = setup.evaluate();
        assert_eq!(evaluation.status, Some(OutOfDate));
        assert_eq!(evaluation.qe.as_ref().unwrap().status, OutOfDate);
        assert_eq!(evaluation.outdated_since, Some(at("2026-01-01T00:00:00Z")));
    }
}

#[test]
fn what_is_revoked_is_refused_by_the_check_of_its_part() {
    let mut setup = setup(Family::Tdx);
    setup.info.levels[0].verdict.status = Revoked;
    assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-071"]);
    assert_eq!(setup.evaluate().status, Some(Revoked));
    let mut setup = self::setup(Family::Tdx);
    setup.info.tdx_module_identities[0].levels[0].verdict.status = Revoked;
    assert_eq!(failed(&findings(&setup.evaluate())), ["TDX-002"]);
    assert_eq!(setup.evaluate().status, Some(Revoked));
    let mut setup = self::setup(Family::Sgx);
    setup.identity.levels[0].verdict.status = Revoked;
    assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-056"]);
    assert_eq!(setup.evaluate().status, Some(Revoked));
    // What the TD would have now counts, too.
    let mut setup = self::setup(Family::Tdx);
    setup.info.levels[1].verdict.status = Revoked;
    let mut svn2 = setup.td().tee_tcb_svn;
    svn2[7] = 4;
    setup.td().tee_tcb_svn2 = Some(svn2);
    assert_eq!(failed(&findings(&setup.evaluate())), ["INTEL-071"]);
}

#[test]
fn advisories_come_once_in_the_order_of_intels_library() {
    let mut setup = setup(Family::Tdx);
    setup.platform.pce_svn = 3;
    setup.qe.isv_svn = 4;
    setup.td().tee_tcb_svn[0] = 3;
    let evaluation = setup.evaluate();
    assert_eq!(evaluation.advisories, ["INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00003"]);
    assert_eq!(evaluation.date, Some(at("2024-01-01T00:00:00Z")));
    assert_eq!(evaluation.outdated_since, Some(at("2025-01-01T00:00:00Z")));
}

#[test]
fn out_of_date_without_a_newer_level_counts_from_the_levels_own_date() {
    let mut setup = setup(Family::Sgx);
    setup.info.levels[0].verdict.status = OutOfDate;
    let own: UnixTime = setup.info.levels[0].verdict.date;
    assert_eq!(setup.evaluate().outdated_since, Some(own));
    // A level above of the same date is no newer one.
    setup.info.levels[1].verdict.date = own;
    setup.platform.pce_svn = 3;
    assert_eq!(setup.evaluate().outdated_since, Some(own));
}

#[test]
fn what_is_not_at_hand_is_not_made_up() {
    let mut setup = setup(Family::Tdx);
    let none = TcbEvaluation::new(TcbInputs { td: setup.td, ..TcbInputs::default() });
    assert!(findings(&none).is_empty() && none.status.is_none());
    let inputs = TcbInputs {
        tcb_info: Some(&setup.info),
        qe_identity: None,
        platform: Some(setup.platform),
        td: setup.td,
        qe: Some(setup.qe),
    };
    let codes = |evaluation: &TcbEvaluation| {
        findings(evaluation).iter().map(|f| f.code.to_string()).collect::<Vec<_>>()
    };
    let evaluation = TcbEvaluation::new(inputs);
    assert_eq!(codes(&evaluation), ["INTEL-070", "INTEL-071", "TDX-001", "TDX-002"]);
    assert_eq!((evaluation.status, evaluation.date), (None, None));
    let inputs = TcbInputs { platform: None, qe_identity: Some(&setup.identity), ..inputs };
    let evaluation = TcbEvaluation::new(inputs);
    assert!(!codes(&evaluation).contains(&"INTEL-070".to_owned()));
    assert_eq!(evaluation.status, None);
    // Documents of the other TEE judge nothing.
    setup.td = None;
    assert_eq!(setup.evaluate().status, None);
    assert_eq!(codes(&setup.evaluate()).len(), 5);
}
