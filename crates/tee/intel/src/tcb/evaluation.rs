//! The evaluation of a platform, a quoting enclave and, for TDX, a module.

use assay_types::{Check, Checks, UnixTime};

use super::levels::{self, module_version};
use super::{PlatformTcb, QeReport, TcbStatus, TdTcb};
use crate::checks;
use crate::collateral::{QeIdentity, TcbInfo, TdxModule, TdxModuleIdentity};

/// What a level says of the part that reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its status.
    pub status: TcbStatus,
    /// `tcbDate` of the level.
    pub date: UnixTime,
    /// The advisories that concern it.
    pub advisories: Vec<String>,
    /// Since when it is out of date: the earliest later `tcbDate` of a level above, or its own where
    /// there is none. `None` when it is not out of date.
    pub outdated_since: Option<UnixTime>,
}

/// What is evaluated, and by which documents. What is not at hand is `None`; the checks that need it
/// are not made then.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcbInputs<'a> {
    /// The TCB info of the platform, for the TEE of the quote.
    pub tcb_info: Option<&'a TcbInfo>,
    /// The identity of the quoting enclave.
    pub qe_identity: Option<&'a QeIdentity>,
    /// The platform's TCB, from the PCK certificate.
    pub platform: Option<PlatformTcb>,
    /// The TD. `Some` for every TDX quote, `None` for every SGX quote.
    pub td: Option<TdTcb>,
    /// The report of the quoting enclave.
    pub qe: Option<QeReport>,
}

/// How new a platform is.
#[derive(Clone, Debug)]
pub struct TcbEvaluation {
    /// The status of the whole. `None` where a part has none; then a check failed or was not made.
    pub status: Option<TcbStatus>,
    /// The earliest date of all parts, at the TD's launch.
    pub date: Option<UnixTime>,
    /// The advisories of all parts, each once: those of the platform, of the quoting enclave, of the
    /// TDX module.
    pub advisories: Vec<String>,
    /// Since when the whole is out of date: the earliest of its parts. `None` when no part is.
    pub outdated_since: Option<UnixTime>,
    /// The platform.
    pub platform: Option<Part>,
    /// The TDX module at the TD's launch; `None` for SGX and for modules of version 0, which the
    /// platform's level covers.
    pub module: Option<Part>,
    /// The quoting enclave.
    pub qe: Option<Part>,
    /// What a TD 1.5 would have if it were launched now (TEE_TCB_SVN2).
    pub current: Option<Current>,
    outcomes: Checks,
}

/// The evaluation at TEE_TCB_SVN2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The status of the whole.
    pub status: TcbStatus,
    /// The earliest date of all parts.
    pub date: UnixTime,
    /// The advisories of all parts, each once.
    pub advisories: Vec<String>,
}

impl TcbEvaluation {
    /// Evaluates what is at hand.
    pub fn new(inputs: TcbInputs<'_>) -> Self {
        let mut evaluation = TcbEvaluation {
            status: None,
            date: None,
            advisories: Vec::new(),
            outdated_since: None,
            platform: None,
            module: None,
            qe: None,
            current: None,
            outcomes: Checks::new(&[]),
        };
        if let (Some(qe), Some(identity)) = (&inputs.qe, inputs.qe_identity) {
            evaluation.quoting_enclave(qe, identity);
        }
        if let Some(info) = inputs.tcb_info.filter(|info| info.family == levels::family(inputs.td.is_some()))
        {
            if let Some(platform) = &inputs.platform {
                evaluation.platform(platform, inputs.td.as_ref(), info);
            }
            if let Some(td) = &inputs.td {
                evaluation.tdx_module(td, info);
            }
        }
        evaluation.put_together(&inputs);
        evaluation
    }

    /// Adds the outcomes of INTEL-052 to 056, 070, 071, and for TDX of TDX-001 and 002.
    pub fn record(&self, checks: &mut Checks) {
        checks.add_all(self.outcomes.findings());
    }
}

/// The parts that are reached at one TEE_TCB_SVN.
struct Reached {
    platform: Option<Part>,
    /// `None` where the platform's level covers the module.
    module: Option<Option<Part>>,
}

impl Reached {
    fn at(info: &TcbInfo, platform: &PlatformTcb, tee_tcb_svn: Option<&[u8; 16]>) -> Self {
        let module = tee_tcb_svn.filter(|svn| module_version(svn) > 0).map(|svn| module_level(info, svn));
        Reached { platform: levels::platform(info, platform, tee_tcb_svn), module }
    }

    /// The parts together, when all are there.
    fn whole(&self, qe: &Part) -> Option<Current> {
        let platform = self.platform.as_ref()?;
        let module = match &self.module {
            Some(module) => Some(module.as_ref()?),
            None => None,
        };
        // Advisories in the order of Intel's library.
        let parts = [Some(platform), Some(qe), module];
        let mut advisories: Vec<String> = Vec::new();
        for id in parts.into_iter().flatten().flat_map(|part| &part.advisories) {
            if !advisories.contains(id) {
                advisories.push(id.clone());
            }
        }
        let others = [module, Some(qe)];
        Some(Current {
            status: others
                .into_iter()
                .flatten()
                .fold(platform.status, |all, part| all.with_part(part.status)),
            date: parts.into_iter().flatten().map(|part| part.date).min()?,
            advisories,
        })
    }
}

/// The level of the TDX module: of the identity of its version (byte 1), by its security version (byte
/// 0).
fn module_level(info: &TcbInfo, tee_tcb_svn: &[u8; 16]) -> Option<Part> {
    let [isv_svn, ..] = tee_tcb_svn;
    levels::by_isv_svn(&module_identity(info, tee_tcb_svn)?.levels, (*isv_svn).into())
}

fn module_identity<'a>(info: &'a TcbInfo, tee_tcb_svn: &[u8; 16]) -> Option<&'a TdxModuleIdentity> {
    let version = module_version(tee_tcb_svn);
    info.tdx_module_identities.iter().find(|identity| identity.version == version)
}

/// What there is to name the TEE_TCB_SVN of a finding: `at launch`, `now`.
fn svns(td: &TdTcb) -> impl Iterator<Item = (&'static str, &[u8; 16])> {
    let now = td.tee_tcb_svn2.as_ref().map(|svn| ("now", svn));
    [("at launch", &td.tee_tcb_svn)].into_iter().chain(now)
}

impl TcbEvaluation {
    fn quoting_enclave(&mut self, qe: &QeReport, identity: &QeIdentity) {
        let outcomes = &mut self.outcomes;
        let [expected, found] = [identity.mr_signer, qe.mr_signer].map(hex::encode);
        outcomes.equal(&checks::QE_MRSIGNER, &expected, &found, "");
        outcomes.equal(&checks::QE_ISVPRODID, &identity.isv_prod_id, &qe.isv_prod_id, "");
        let masked = |value: u32| format!("{:08x}", value & identity.misc_select_mask);
        let [expected, found] = [identity.misc_select, qe.misc_select].map(masked);
        outcomes.equal(&checks::QE_MISCSELECT, &expected, &found, "");
        let masked = |value: [u8; 16]| hex::encode(and(&value, &identity.attributes_mask));
        let [expected, found] = [identity.attributes, qe.attributes].map(masked);
        outcomes.equal(&checks::QE_ATTRIBUTES, &expected, &found, "");
        self.qe = levels::by_isv_svn(&identity.levels, qe.isv_svn);
        let lowest =
            identity.levels.last().map_or("a level".to_owned(), |l| format!("at least {}", l.isv_svn));
        self.level(&checks::QE_TCB_LEVEL, self.qe.clone(), &lowest, &format!("ISVSVN {}", qe.isv_svn));
    }

    /// Records whether a level is reached that is not revoked.
    fn level(&mut self, check: &Check, part: Option<Part>, lowest: &str, found: &str) {
        match part {
            None => self.outcomes.fail(check, lowest, found, "older than every level that Intel lists"),
            Some(part) if part.status == TcbStatus::Revoked => {
                self.outcomes.fail(check, "a level that is not revoked", found, told(&part));
            }
            Some(part) => self.outcomes.pass(check, format!("{found}: {}", part.status)),
        }
    }

    fn platform(&mut self, platform: &PlatformTcb, td: Option<&TdTcb>, info: &TcbInfo) {
        let mut levels = Vec::new();
        match td {
            None => levels.push((String::new(), levels::platform(info, platform, None))),
            Some(td) => levels.extend(svns(td).map(|(when, svn)| {
                let note = format!(", TEE_TCB_SVN {} {when}", hex::encode(svn));
                (note, levels::platform(info, platform, Some(svn)))
            })),
        }
        let sgx = format!("components {}, PCESVN {}", hex::encode(platform.components), platform.pce_svn);
        let mut missed = Vec::new();
        let mut revoked = Vec::new();
        for (note, level) in &levels {
            match level {
                None => missed.push(format!("{sgx}{note}")),
                Some(part) if part.status == TcbStatus::Revoked => revoked.push(told(part)),
                Some(_) => {}
            }
        }
        let statuses: Vec<&str> =
            levels.iter().flat_map(|(_, part)| part).map(|p| p.status.as_str()).collect();
        if missed.is_empty() {
            self.outcomes.pass(&checks::TCB_LEVEL, format!("{sgx}: {}", statuses.join(", now ")));
        } else {
            let expected = format!("one of {} levels", info.levels.len());
            self.outcomes.fail(
                &checks::TCB_LEVEL,
                expected,
                missed.join("; "),
                "older than every level that Intel lists",
            );
        }
        if !revoked.is_empty() {
            self.outcomes.fail(&checks::TCB_NOT_REVOKED, "another status", "Revoked", revoked.join("; "));
        } else if missed.is_empty() {
            self.outcomes.pass(&checks::TCB_NOT_REVOKED, statuses.join(", now "));
        }
        self.platform = levels.into_iter().next().and_then(|(_, level)| level);
    }

    fn tdx_module(&mut self, td: &TdTcb, info: &TcbInfo) {
        let mut problems = Vec::new();
        for (when, svn) in svns(td) {
            if module_version(svn) > 0 && module_identity(info, svn).is_none() {
                problems.push(format!(
                    "there is no identity of TDX module version {} ({when})",
                    module_version(svn)
                ));
            }
        }
        // MRSIGNERSEAM and SEAMATTRIBUTES are those of the module at launch.
        let identity = module_identity(info, &td.tee_tcb_svn).map(|identity| &identity.module);
        let covered = module_version(&td.tee_tcb_svn) == 0;
        match if covered { info.tdx_module.as_ref() } else { identity } {
            Some(module) => problems.extend(module_differences(module, td)),
            // Without an identity the problem is noted above.
            None if covered => problems.push("the TCB info names no TDX module of version 0".to_owned()),
            None => {}
        }
        if problems.is_empty() {
            let found = format!(
                "version {}, signer {}",
                module_version(&td.tee_tcb_svn),
                hex::encode(td.mrsigner_seam)
            );
            self.outcomes.pass(&checks::TDX_MODULE, found);
        } else {
            self.outcomes.fail(&checks::TDX_MODULE, "", "", problems.join("; "));
        }
        self.module_levels(td, info);
    }

    fn module_levels(&mut self, td: &TdTcb, info: &TcbInfo) {
        let mut problems = Vec::new();
        let mut reached = Vec::new();
        for (when, svn) in svns(td) {
            // Without an identity there is no level to reach; TDX-001 says so.
            let Some(identity) = module_identity(info, svn).filter(|_| module_version(svn) > 0) else {
                continue;
            };
            let [isv_svn, ..] = *svn;
            match levels::by_isv_svn(&identity.levels, isv_svn.into()) {
                None => {
                    problems.push(format!("security version {isv_svn} ({when}) is older than every level"))
                }
                Some(part) if part.status == TcbStatus::Revoked => {
                    problems.push(format!("security version {isv_svn} ({when}): {}", told(&part)));
                }
                Some(part) => reached.push(format!("security version {isv_svn} ({when}): {}", part.status)),
            }
        }
        let covered = svns(td).all(|(_, svn)| module_version(svn) == 0);
        if !problems.is_empty() {
            self.outcomes.fail(&checks::TDX_MODULE_TCB_LEVEL, "", "", problems.join("; "));
        } else if covered {
            let why = "module version 0 has no levels of its own; the platform's level covers it";
            self.outcomes.not_checked(&checks::TDX_MODULE_TCB_LEVEL, why);
        } else if !reached.is_empty() {
            self.outcomes.pass(&checks::TDX_MODULE_TCB_LEVEL, reached.join("; "));
        }
        self.module = module_level(info, &td.tee_tcb_svn).filter(|_| module_version(&td.tee_tcb_svn) > 0);
    }

    /// The status of the whole, when all parts are there.
    fn put_together(&mut self, inputs: &TcbInputs<'_>) {
        let (Some(info), Some(platform), Some(qe)) = (inputs.tcb_info, &inputs.platform, &self.qe) else {
            return;
        };
        if info.family != levels::family(inputs.td.is_some()) {
            return;
        }
        let launch = Reached::at(info, platform, inputs.td.as_ref().map(|td| &td.tee_tcb_svn)).whole(qe);
        let svn2 = inputs.td.as_ref().and_then(|td| td.tee_tcb_svn2.as_ref());
        let current = svn2.map(|svn| Reached::at(info, platform, Some(svn)).whole(qe));
        let Some(launch) = launch else { return };
        let parts = [&self.platform, &self.qe, &self.module];
        self.outdated_since = parts.into_iter().flatten().filter_map(|part| part.outdated_since).min();
        self.status = match &current {
            None => Some(launch.status),
            Some(None) => None,
            Some(Some(current)) => Some(launch.status.with_current(current.status)),
        };
        self.current = current.flatten();
        self.date = Some(launch.date);
        self.advisories = launch.advisories;
    }
}

fn told(part: &Part) -> String {
    format!("{}, level of {}, advisories {:?}", part.status, part.date, part.advisories)
}

fn and<const N: usize>(value: &[u8; N], mask: &[u8; N]) -> [u8; N] {
    let mut masked = *value;
    for (byte, mask) in masked.iter_mut().zip(mask) {
        *byte &= mask;
    }
    masked
}

fn module_differences(module: &TdxModule, td: &TdTcb) -> Vec<String> {
    let mut problems = Vec::new();
    if module.mr_signer != td.mrsigner_seam {
        let [expected, found] = [module.mr_signer, td.mrsigner_seam].map(hex::encode);
        problems.push(format!("MRSIGNERSEAM is {found}, expected {expected}"));
    }
    let [expected, found] = [module.attributes, td.seam_attributes]
        .map(|value| hex::encode(and(&value, &module.attributes_mask)));
    if expected != found {
        problems.push(format!("SEAMATTRIBUTES, masked, are {found}, expected {expected}"));
    }
    problems
}
