//! What tests with vendor vectors share: quotes cut by their offsets, collateral sets, dates.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod der;
pub(crate) mod pki;

use std::path::PathBuf;

use assay_tee_intel::certified::{Certified, PckSource};
use assay_tee_intel::tcb::{PlatformTcb, QeReport, TcbEvaluation, TcbInputs, TdTcb};
use assay_tee_intel::{Family, IntelAnchors, TDX_CHECKS};
use assay_types::{
    Checks, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Finding, Outcome, UnixTime,
};
use bytes::Bytes;

/// The folder of vectors, where it is at hand.
pub(crate) fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/intel");
    if folder.exists() {
        return Some(folder);
    }
    println!("skipped: the folder of vendor vectors is not at hand");
    None
}

pub(crate) fn read(name: &str) -> Option<Vec<u8>> {
    vectors().map(|folder| std::fs::read(folder.join(name)).unwrap())
}

pub(crate) fn item(bytes: impl Into<Bytes>) -> CollateralItem {
    CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: bytes.into(),
        origin: CollateralOrigin::File("test".into()),
    }
}

pub(crate) fn set(items: impl IntoIterator<Item = Vec<u8>>) -> CollateralSet {
    CollateralSet { items: items.into_iter().map(item).collect() }
}

pub(crate) fn at(text: &str) -> UnixTime {
    UnixTime::parse_rfc3339(text).unwrap()
}

/// A quote, cut by offsets (Intel DCAP quoting library API, A.3 and A.4).
pub(crate) struct Cut {
    pub(crate) family: Family,
    pub(crate) td: Option<TdTcb>,
    pub(crate) qe: QeReport,
    pub(crate) chain: Vec<u8>,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

pub(crate) fn cut(quote: &[u8]) -> Cut {
    let version = u16::from_le_bytes(array(quote, 0));
    let (body, qe) = match version {
        3 => (48, 48 + 384 + 4 + 128),
        4 => (48, 48 + 584 + 4 + 128 + 6),
        5 => (54, 54 + 648 + 4 + 128 + 6),
        other => panic!("version {other}"),
    };
    let td = (version > 3).then(|| TdTcb {
        tee_tcb_svn: array(quote, body),
        tee_tcb_svn2: (version == 5).then(|| array(quote, body + 584)),
        mrsigner_seam: array(quote, body + 64),
        seam_attributes: array(quote, body + 112),
    });
    let chain = quote.windows(11).position(|w| w == b"-----BEGIN ").unwrap();
    Cut {
        family: if td.is_some() { Family::Tdx } else { Family::Sgx },
        td,
        qe: QeReport {
            mr_signer: array(quote, qe + 128),
            isv_prod_id: u16::from_le_bytes(array(quote, qe + 256)),
            isv_svn: u16::from_le_bytes(array(quote, qe + 258)),
            misc_select: u32::from_le_bytes(array(quote, qe + 16)),
            attributes: array(quote, qe + 48),
        },
        chain: quote[chain..].iter().copied().take_while(|b| *b != 0).collect(),
    }
}

impl Cut {
    pub(crate) fn certify(&self, collateral: &CollateralSet) -> Certified {
        Certified::build(&IntelAnchors::intel(), self.family, PckSource::Chain(&self.chain), collateral)
    }

    pub(crate) fn evaluate(&self, certified: &Certified) -> TcbEvaluation {
        let extensions = certified.pck_extensions();
        TcbEvaluation::new(TcbInputs {
            tcb_info: certified.tcb_info().map(|info| &**info),
            qe_identity: certified.qe_identity().map(|identity| &**identity),
            platform: extensions.map(|e| PlatformTcb { components: e.components, pce_svn: e.pce_svn }),
            td: self.td,
            qe: Some(self.qe),
        })
    }
}

/// Every outcome at this time.
pub(crate) fn findings(certified: &Certified, now: UnixTime) -> Vec<Finding> {
    let mut checks = Checks::new(TDX_CHECKS);
    certified.record(&mut checks, now, None);
    checks.findings().to_vec()
}

/// The codes that failed, in the order of their number.
pub(crate) fn failed(findings: &[Finding]) -> Vec<&str> {
    let mut codes: Vec<&str> = findings.iter().filter(|f| f.failed()).map(|f| &*f.code).collect();
    codes.sort_unstable();
    codes
}

pub(crate) fn passed(findings: &[Finding]) -> usize {
    findings.iter().filter(|f| f.outcome == Outcome::Passed).count()
}
