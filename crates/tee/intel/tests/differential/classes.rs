//! The disagreements that are known, each with its name. None makes this crate accept what Intel's rules
//! refuse.

use assay_tee_intel::PckExtensions;
use assay_tee_intel::quote::{CertificationData, Quote};
use assay_types::Finding;
use assay_x509::{Certificate, Der, split_pem};
use serde_json::Value;

use crate::judges::{Trial, Verdicts};

macro_rules! classes {
    ($($name:ident = $text:literal;)*) => {
        $(const $name: &str = $text;)*
        /// Every name.
        pub(crate) const CLASSES: &[&str] = &[$($name),*];
    };
}

classes! {
    // Accepted here, refused by dcap-qvl.
    SGX_VERSION = "dcap-qvl takes enclaves in quotes of version 3 alone; Intel defines 4 and 5 for them too";
    AUTH_DATA = "dcap-qvl takes authentication data of 32 bytes alone; their length is a field";
    LAST_SECOND = "dcap-qvl takes a revocation list for expired in the second of its next update";
    RESERVED = "dcap-qvl refuses reserved TD attributes; here they are claims, unknown_bits";
    SERVICE_TD = "dcap-qvl refuses SERVTD_EXT in a report of TDX 1.0; here it is a claim";
    SEPT_VE = "dcap-qvl requires SEPT_VE_DISABLE; here it is a claim";
    MIGRATABLE = "dcap-qvl refuses migratable TDs; here it is a claim";
    PCE_SVN = "dcap-qvl cannot read a PCESVN of 32768 and more, whose DER has three bytes";
    SEAM_MASK = "dcap-qvl wants SEAMATTRIBUTES to be zero where the mask says that they do not count";
    QE_DEBUG = "dcap-qvl refuses a quoting enclave in debug where the mask says that it does not count";
    MODULE_ISV_SVN = "dcap-qvl reads the ISVSVN of module levels as one byte, and no document with a larger one";
    MEMBERS = "dcap-qvl wants every member of the collateral, also pck_crl_issuer_chain, which it does not read";
    WHITE_SPACE = "dcap-qvl takes no white space around hexadecimal digits";
    CHAIN_OF_COLLATERAL = "dcap-qvl takes the PCK chain of the collateral before the certificate in the quote";
    LEAF_IN_QUOTE = "dcap-qvl does not use the PCK certificate of certification data of type 4";
    // Decided by other levels.
    CPU_SVN = "dcap-qvl compares CPUSVN with the levels; Intel compares the components that the PCK names";
    LEVEL_ORDER = "dcap-qvl takes levels of enclaves and modules in the order of the text, here the highest is first";
    // Refused here, accepted by dcap-qvl.
    TRAILING = "dcap-qvl does not look at what stands behind a quote or inside its lengths";
    CERTIFICATION_TYPE = "dcap-qvl does not look at the certification data where the collateral has a PCK chain";
    CHAIN = "dcap-qvl finds its way through PCK chains in any order and number; here they are as specified";
    SIGNER_CHAIN = "dcap-qvl finds its way through issuer chains in any order and number";
    ROOT = "dcap-qvl does not look at the root that comes along, since it has its own";
    NAMES = "dcap-qvl does not look at subjects; here they are Intel's";
    KEY_USAGE = "dcap-qvl does not look at key usage where there is none, nor at that of leaves and authorities";
    CRITICAL = "dcap-qvl knows critical extensions that no certificate of Intel has, and that are refused here";
    PPID = "dcap-qvl takes a PPID of any length";
    SGX_TYPE = "dcap-qvl takes any SGX type";
    FUTURE_LIST = "dcap-qvl takes a revocation list of the future";
    CRL_CHAIN = "dcap-qvl does not read pck_crl_issuer_chain";
    TCB_TYPE = "dcap-qvl does not look at tcbType";
    PCE_ID = "dcap-qvl does not compare the PCE id";
    LATER_INFO = "dcap-qvl takes TCB info of any later version as if it were version 3";
    VERSION_2 = "dcap-qvl takes TCB info of version 2 that is in the form of version 3";
    LATER_IDENTITY = "dcap-qvl takes version 3 of the identity of the TD quoting enclave, which Intel does not describe";
    OTHER_STATUS = "dcap-qvl looks at the status of the level that is reached alone; here all are known ones";
    OTHER_MODULE = "dcap-qvl does not look at identities of other modules than the quote's";
    OTHER_LEVEL = "dcap-qvl does not count the components of levels below the one that is reached";
    PEM = "dcap-qvl passes over what stands between PEM blocks, and over control characters in them";
    QE_REPORT_DATA = "dcap-qvl does not look at the second half of the QE's report data; here it is zero";
}

/// The disagreements of the verdicts by name, none where they agree; or in words what has no name.
pub(crate) fn explain(trial: &Trial, verdicts: &Verdicts) -> Result<Vec<&'static str>, String> {
    match (&verdicts.ours, &verdicts.theirs) {
        (Err(_), Err(_)) => Ok(Vec::new()),
        (Ok(ours), Ok(theirs)) if ours == theirs => Ok(Vec::new()),
        (Ok(ours), Ok(theirs)) => match other_level(trial) {
            Some(class) => Ok(vec![class]),
            None => Err(format!("here {ours:?}, dcap-qvl {theirs:?}")),
        },
        (Ok(ours), Err(error)) => match refused_by_them(trial, error) {
            Some(class) => Ok(vec![class]),
            None => Err(format!("here {ours:?}, dcap-qvl: {error}")),
        },
        (Err(findings), Ok(theirs)) => {
            let mut classes = Vec::new();
            for finding in findings {
                match refused_here(trial, finding, findings) {
                    Some(explained) => classes.extend(explained),
                    None => {
                        let Finding { code, expected, found, detail, .. } = finding;
                        return Err(format!(
                            "dcap-qvl {theirs:?}, here {code} {expected:?} {found:?} {detail}"
                        ));
                    }
                }
            }
            Ok(classes)
        }
    }
}

/// Why another level may be reached.
fn other_level(trial: &Trial) -> Option<&'static str> {
    let platform = pck(trial);
    if platform.is_some_and(|pck| pck.components != pck.cpu_svn) {
        Some(CPU_SVN)
    } else if !levels_descend(trial) {
        Some(LEVEL_ORDER)
    } else {
        None
    }
}

fn refused_by_them(trial: &Trial, error: &str) -> Option<&'static str> {
    let has_chain = trial.collateral.contains_key("pck_certificate_chain");
    let certification = certification(trial).map(|data| data.type_number());
    let says = |text: &str| error.contains(text);
    if says("SGX TEE quote must have version 3") {
        Some(SGX_VERSION)
    } else if says("Invalid QE auth data length") {
        Some(AUTH_DATA)
    } else if says("CrlExpired") && error.matches(&format!("UnixTime({})", trial.now.0)).count() == 2 {
        // Both the time and the next update.
        Some(LAST_SECOND)
    } else if says("Reserved bits in TD attributes are set") {
        Some(RESERVED)
    } else if says("SERVTD_EXT is enabled") {
        Some(SERVICE_TD)
    } else if says("SEPT_VE_DISABLE is not enabled") {
        Some(SEPT_VE)
    } else if says("TD migration is enabled") {
        Some(MIGRATABLE)
    } else if says("PceSvn length mismatch") && pck(trial).is_some_and(|pck| pck.pce_svn >= 0x8000) {
        Some(PCE_SVN)
    } else if says("SEAMATTRIBUTES has bits set outside mask") {
        Some(SEAM_MASK)
    } else if says("QE report validation failed: Debug mode is enabled") {
        Some(QE_DEBUG)
    } else if says("Failed to decode TcbInfo: invalid value: integer `300`, expected u8") {
        Some(MODULE_ISV_SVN)
    } else if says("Signature is invalid for qe_report") && has_chain && certification == Some(4) {
        Some(CHAIN_OF_COLLATERAL)
    } else if says("collateral: missing field `pck_crl_issuer_chain`") {
        Some(MEMBERS)
    } else if says("collateral: Odd number of digits") || says("collateral: Invalid character ' '") {
        Some(WHITE_SPACE)
    } else if says("Unsupported DCAP PCK cert format: 4") {
        Some(LEAF_IN_QUOTE)
    } else if ["Revoked", "No matching TCB level", "below minimum"].into_iter().any(says) {
        other_level(trial)
    } else {
        None
    }
}

/// The disagreements that a finding stands for; none where it follows from another of `all`.
fn refused_here(trial: &Trial, finding: &Finding, all: &[Finding]) -> Option<Vec<&'static str>> {
    let Finding { code, found, detail, .. } = finding;
    let failed = |code: &str| all.iter().any(|finding| finding.code == code);
    let class = match &**code {
        // Under a root that is not pinned nothing holds.
        "INTEL-012" if detail.contains("is not pinned") => ROOT,
        _ if failed("INTEL-012") => return Some(Vec::new()),
        "INTEL-001" if detail.contains("expected the end, or zeros as padding") => TRAILING,
        "INTEL-006" if trial.collateral.contains_key("pck_certificate_chain") => CERTIFICATION_TYPE,
        "INTEL-010" => return unreadable(trial, detail),
        "INTEL-030" | "INTEL-040" if failed("INTEL-010") && detail.contains("cannot be read") => {
            return Some(Vec::new());
        }
        "INTEL-011"
            if detail.contains("cannot be read") && only_root_is_unreadable(&pck_chain(trial)?, 2) =>
        {
            ROOT
        }
        "INTEL-011" if not_pem(detail) => PEM,
        "INTEL-011" if detail.contains("unknown critical extension 2.5.29.31") => CRITICAL,
        "INTEL-011" if detail == "wrong order or number" => CHAIN,
        "INTEL-015" => NAMES,
        "INTEL-016" => KEY_USAGE,
        "INTEL-020" if detail.contains("(key usage)") => KEY_USAGE,
        "INTEL-019" if detail.starts_with("PPID:") => PPID,
        "INTEL-019" if detail.starts_with("SGXType:") => SGX_TYPE,
        "INTEL-022" if detail.contains("is not valid before") && !detail.contains("expired") => FUTURE_LIST,
        "INTEL-031" | "INTEL-041" if detail.contains("its chain is") => SIGNER_CHAIN,
        "INTEL-032" if found.ends_with("version 4") => LATER_INFO,
        "INTEL-034" => PCE_ID,
        "INTEL-042" if found == "TD_QE, version 3" => LATER_IDENTITY,
        "INTEL-051" if detail.contains("then zeros") => QE_REPORT_DATA,
        "INTEL-056" | "INTEL-070" | "INTEL-071" | "TDX-002" => other_level(trial)?,
        _ => return None,
    };
    Some(vec![class])
}

/// Whether something is said of the form of PEM. A text with something else between its blocks is taken for
/// DER; its first byte that cannot be is a hyphen.
fn not_pem(detail: &str) -> bool {
    detail.contains("PEM: ") || detail.contains("tag: 0x2d at DER byte 1")
}

/// Pieces that cannot be read: `file given: tcb_info: …; qe_identity: …`.
fn unreadable(trial: &Trial, detail: &str) -> Option<Vec<&'static str>> {
    let mut classes = Vec::new();
    for problem in detail.strip_prefix("file given: ")?.split("; ") {
        let critical = problem.contains("unknown critical extension 2.5.29.31");
        let of_root = |name: &str| {
            let chain = trial.collateral.get(&format!("{name}_issuer_chain")).and_then(Value::as_str);
            problem.contains("_issuer_chain: ")
                && chain.is_some_and(|chain| only_root_is_unreadable(chain.as_bytes(), 1))
        };
        classes.push(match problem.split_once(": ")? {
            ("pck_crl_issuer_chain", _) => CRL_CHAIN,
            (name @ ("tcb_info" | "qe_identity"), _) if of_root(name) => ROOT,
            ("tcb_info" | "qe_identity", _) if critical => CRITICAL,
            ("tcb_info" | "qe_identity", text) if text.contains("_issuer_chain: ") && not_pem(text) => PEM,
            ("tcb_info", member) if member.starts_with("tcbInfo.tcbType") => TCB_TYPE,
            ("tcb_info", member) if member.starts_with("tcbInfo.pceId") => PCE_ID,
            ("tcb_info" | "qe_identity", member) if member.contains("tcbStatus: unknown status") => {
                OTHER_STATUS
            }
            ("tcb_info", member) if member.starts_with("tcbInfo.tdxModuleIdentities") => OTHER_MODULE,
            ("tcb_info", member) if member.contains("sgxtcbcomp01svn: missing") => VERSION_2,
            ("tcb_info", member) if member.contains("tcbcomponents: 15 elements") => OTHER_LEVEL,
            _ => return None,
        });
    }
    Some(classes)
}

fn certification(trial: &Trial) -> Option<CertificationData> {
    Quote::parse(trial.quote.clone().into()).ok().map(|quote| quote.signature.certification)
}

/// The text of the chain in the quote.
fn pck_chain(trial: &Trial) -> Option<Vec<u8>> {
    match certification(trial)? {
        CertificationData::PckChain(text) => Some(text.to_vec()),
        _ => None,
    }
}

/// Whether the first certificates of a chain can be read. What makes the whole unreadable is then the
/// root behind them.
fn only_root_is_unreadable(chain: &[u8], before_root: usize) -> bool {
    let begin = b"-----BEGIN ";
    let mut begins = (0..chain.len()).filter(|at| chain[*at..].starts_with(begin));
    let Some(root) = begins.nth(before_root) else { return false };
    let Ok(blocks) = split_pem(&chain[..root]) else { return false };
    blocks.len() == before_root
        && blocks
            .iter()
            .all(|block| matches!(block, Der::Certificate(der) if Certificate::from_der(der).is_ok()))
}

/// What the PCK certificate says, of the quote or of the collateral.
fn pck(trial: &Trial) -> Option<PckExtensions> {
    let pem = match certification(trial)? {
        CertificationData::PckChain(pem) | CertificationData::PckLeaf(pem) => pem.to_vec(),
        CertificationData::Ppid(_) => {
            trial.collateral.get("pck_certificate_chain")?.as_str()?.as_bytes().to_vec()
        }
    };
    let end = pem.iter().rposition(|byte| *byte != 0)?;
    split_pem(&pem[..=end]).ok()?.iter().find_map(|block| match block {
        Der::Certificate(der) => PckExtensions::find(&Certificate::from_der(der).ok()?.extensions).ok(),
        _ => None,
    })
}

/// Whether the levels of the identity and of the modules stand in order, the highest first.
fn levels_descend(trial: &Trial) -> bool {
    let document =
        |name: &str| -> Option<Value> { serde_json::from_str(trial.collateral.get(name)?.as_str()?).ok() };
    let (info, identity) =
        (document("tcb_info").unwrap_or_default(), document("qe_identity").unwrap_or_default());
    let modules = info["tdxModuleIdentities"].as_array().cloned().unwrap_or_default();
    modules.iter().chain([&identity]).all(|owner| {
        let levels = owner["tcbLevels"].as_array().cloned().unwrap_or_default();
        levels.iter().map(|level| level["tcb"]["isvsvn"].as_u64()).is_sorted_by(|a, b| a > b)
    })
}
