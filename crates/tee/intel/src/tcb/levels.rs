//! Which level is reached.

use assay_types::UnixTime;

use super::{Part, PlatformTcb};
use crate::Family;
use crate::collateral::{IsvSvnLevel, TcbInfo, TcbLevel, Verdict};

/// The highest level of a platform that all its components reach, at this TEE_TCB_SVN (TDX). Where the
/// TDX module has a version above 0 (byte 1), its identity judges the first two TDX components instead.
pub(super) fn platform(
    info: &TcbInfo,
    platform: &PlatformTcb,
    tee_tcb_svn: Option<&[u8; 16]>,
) -> Option<Part> {
    let reached = |level: &TcbLevel| {
        let sgx = platform.components.iter().zip(&level.sgx).all(|(has, asked)| has >= asked);
        let tdx = tee_tcb_svn.is_none_or(|svn| {
            let skipped = if module_version(svn) > 0 { 2 } else { 0 };
            svn.iter().zip(&level.tdx).skip(skipped).all(|(has, asked)| has >= asked)
        });
        sgx && platform.pce_svn >= level.pce_svn && tdx
    };
    highest(&info.levels, reached, |level| &level.verdict)
}

/// The highest level that this version reaches.
pub(super) fn by_isv_svn(levels: &[IsvSvnLevel], isv_svn: u16) -> Option<Part> {
    highest(levels, |level| isv_svn >= level.isv_svn, |level| &level.verdict)
}

/// The version of the TDX module: byte 1.
pub(super) fn module_version(tee_tcb_svn: &[u8; 16]) -> u8 {
    let [_, version, ..] = tee_tcb_svn;
    *version
}

/// The first of `levels`, the highest of which stands first, that is reached.
fn highest<L>(levels: &[L], reached: impl Fn(&L) -> bool, verdict: impl Fn(&L) -> &Verdict) -> Option<Part> {
    let at = levels.iter().position(reached)?;
    let found = verdict(levels.get(at)?);
    let above = levels.iter().take(at).map(|level| verdict(level).date);
    Some(Part {
        status: found.status,
        date: found.date,
        advisories: found.advisories.clone(),
        outdated_since: found.status.is_out_of_date().then(|| outdated_since(found.date, above)),
    })
}

/// Since when a level of this date is out of date: since the next recovery of the TCB, which is the
/// earliest later date of a level above it. Where Intel names none, the level's own date, which is
/// earlier than the truth.
fn outdated_since(date: UnixTime, above: impl Iterator<Item = UnixTime>) -> UnixTime {
    above.filter(|later| *later > date).min().unwrap_or(date)
}

/// The family of the documents that an evaluation with or without a TD needs.
pub(super) const fn family(has_td: bool) -> Family {
    if has_td { Family::Tdx } else { Family::Sgx }
}
