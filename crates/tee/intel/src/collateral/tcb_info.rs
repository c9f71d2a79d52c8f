//! TCB info (Intel PCS API v4, Get TCB Info; version 2 is that of API v3).

use assay_types::{UnixTime, Validity};

use super::document::{self, BadDocument, MAX_LEVELS, Verdict};
use super::json::{BadJson, Field, Json};
use crate::Family;
use crate::tcb::TcbStatus;

const MAX_MODULES: usize = 64;

/// The statuses that a platform's level can have.
const LEVEL_STATUSES: &[TcbStatus] = &[
    TcbStatus::UpToDate,
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
    TcbStatus::Revoked,
];
/// The statuses that a level of a TDX module can have.
const MODULE_STATUSES: &[TcbStatus] = &[TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];

/// What Intel says of the platforms of one FMSPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcbInfo {
    /// For which TEE: `id`. Version 2 has no such member and is for SGX.
    pub family: Family,
    /// 2 or 3.
    pub version: u8,
    /// From `issueDate` to `nextUpdate`.
    pub validity: Validity,
    /// Family, model, stepping, platform type and custom SKU, 6 bytes.
    pub fmspc: [u8; 6],
    /// Identifier of the provisioning certification enclave, 2 bytes.
    pub pce_id: [u8; 2],
    /// Rises with each recovery of the TCB.
    pub evaluation_number: u32,
    /// The TDX module of version 0. TDX only.
    pub tdx_module: Option<TdxModule>,
    /// The TDX modules of versions above 0. TDX only.
    pub tdx_module_identities: Vec<TdxModuleIdentity>,
    /// The levels, the highest first: by SGX components, then PCESVN, then TDX components, each
    /// compared like words in a dictionary (as Intel's quote verification library orders them).
    pub levels: Vec<TcbLevel>,
}

/// How a TDX module is signed and configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdxModule {
    /// MRSIGNERSEAM, 48 bytes; zeros stand for Intel.
    pub mr_signer: [u8; 48],
    /// SEAMATTRIBUTES, 8 bytes in the order of the quote.
    pub attributes: [u8; 8],
    /// The bits of them that count.
    pub attributes_mask: [u8; 8],
}

/// The TDX module of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdxModuleIdentity {
    /// The version, from the identifier `TDX_<two hexadecimal digits>`; above 0.
    pub version: u8,
    /// How it is signed and configured.
    pub module: TdxModule,
    /// Its levels, the highest first.
    pub levels: Vec<IsvSvnLevel>,
}

/// A level of something that has one security version number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsvSvnLevel {
    /// The least version.
    pub isv_svn: u16,
    /// What is said of this level.
    pub verdict: Verdict,
}

/// A level of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcbLevel {
    /// The least versions of the SGX components.
    pub sgx: [u8; 16],
    /// The least version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// The least versions of the TDX components; zeros in TCB info of SGX.
    pub tdx: [u8; 16],
    /// What is said of this level.
    pub verdict: Verdict,
}

impl TcbInfo {
    /// Reads the document from its exact text, the value of the member `tcbInfo` as served.
    ///
    /// # Errors
    /// [`BadDocument`]: which member is missing, twice there or not what it should be; or an
    /// identifier or version that is not known.
    pub fn read(text: &str) -> Result<Self, BadDocument> {
        let json = Json::read("tcbInfo", text)?;
        let info = Field::new("tcbInfo", &json);
        let version: u64 = info.get("version")?.number()?;
        let id = match (info.optional("id")?, version) {
            (None, 2) => Family::Sgx.tcb_info_id(),
            (None, _) => info.get("id")?.text()?,
            (Some(id), _) => id.text()?,
        };
        let (family, version) = match (id, version) {
            ("SGX", 2) => (Family::Sgx, 2),
            ("SGX", 3) => (Family::Sgx, 3),
            ("TDX", 3) => (Family::Tdx, 3),
            _ => return Err(BadDocument::unknown(id, version)),
        };
        let tcb_type = info.get("tcbType")?;
        // 0: compare component by component. No other type exists.
        if tcb_type.number::<u64>()? != 0 {
            return Err(tcb_type.error("unknown type, expected 0").into());
        }
        let levels = info.get("tcbLevels")?;
        let mut levels = levels
            .elements(MAX_LEVELS)?
            .iter()
            .map(|level| read_level(level, family, version))
            .collect::<Result<Vec<TcbLevel>, BadJson>>()?;
        levels.sort_by_key(|level| std::cmp::Reverse((level.sgx, level.pce_svn, level.tdx)));
        let (tdx_module, tdx_module_identities) = match family {
            Family::Sgx => (None, Vec::new()),
            Family::Tdx => (Some(read_module(&info.get("tdxModule")?)?), read_identities(&info)?),
        };
        Ok(TcbInfo {
            family,
            version,
            validity: document::validity(&info)?,
            fmspc: info.get("fmspc")?.hex()?,
            pce_id: info.get("pceId")?.hex()?,
            evaluation_number: info.get("tcbEvaluationDataNumber")?.number()?,
            tdx_module,
            tdx_module_identities,
            levels,
        })
    }

    /// From when it is.
    pub fn issued(&self) -> UnixTime {
        self.validity.not_before
    }
}

fn read_module(module: &Field<'_>) -> Result<TdxModule, BadJson> {
    Ok(TdxModule {
        mr_signer: module.get("mrsigner")?.hex()?,
        attributes: module.get("attributes")?.hex()?,
        attributes_mask: module.get("attributesMask")?.hex()?,
    })
}

fn read_identities(info: &Field<'_>) -> Result<Vec<TdxModuleIdentity>, BadJson> {
    let Some(field) = info.optional("tdxModuleIdentities")? else { return Ok(Vec::new()) };
    let mut identities: Vec<TdxModuleIdentity> = Vec::new();
    for identity in field.elements(MAX_MODULES)? {
        let id = identity.get("id")?;
        let version = id
            .text()?
            .strip_prefix("TDX_")
            .filter(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| id.error("expected TDX_ and two hexadecimal digits"))?;
        if identities.iter().any(|known| known.version == version) {
            return Err(id.error("a module version stands twice"));
        }
        let module = read_module(&identity)?;
        let levels = read_isv_svn_levels(&identity.get("tcbLevels")?, MODULE_STATUSES)?;
        identities.push(TdxModuleIdentity { version, module, levels });
    }
    Ok(identities)
}

/// Levels by one version, the highest first.
pub(crate) fn read_isv_svn_levels(
    levels: &Field<'_>,
    statuses: &[TcbStatus],
) -> Result<Vec<IsvSvnLevel>, BadJson> {
    let read = |level: &Field<'_>| {
        let isv_svn = level.get("tcb")?.get("isvsvn")?.number()?;
        Ok(IsvSvnLevel { isv_svn, verdict: Verdict::read(level, statuses)? })
    };
    let mut levels = levels.elements(MAX_LEVELS)?.iter().map(read).collect::<Result<Vec<_>, BadJson>>()?;
    levels.sort_by_key(|level| std::cmp::Reverse(level.isv_svn));
    Ok(levels)
}

fn read_level(level: &Field<'_>, family: Family, version: u8) -> Result<TcbLevel, BadJson> {
    let tcb = level.get("tcb")?;
    let sgx = match version {
        2 => numbered_components(&tcb)?,
        _ => components(&tcb.get("sgxtcbcomponents")?)?,
    };
    let tdx = match family {
        Family::Sgx => [0; 16],
        Family::Tdx => components(&tcb.get("tdxtcbcomponents")?)?,
    };
    let pce_svn = tcb.get("pcesvn")?.number()?;
    Ok(TcbLevel { sgx, pce_svn, tdx, verdict: Verdict::read(level, LEVEL_STATUSES)? })
}

/// Sixteen objects with a member `svn` (version 3).
fn components(field: &Field<'_>) -> Result<[u8; 16], BadJson> {
    let elements = field.elements(16)?;
    if elements.len() != 16 {
        return Err(field.error(format!("{} elements, expected 16", elements.len())));
    }
    let mut svns = [0; 16];
    for (svn, element) in svns.iter_mut().zip(elements) {
        *svn = element.get("svn")?.number()?;
    }
    Ok(svns)
}

/// The members `sgxtcbcomp01svn` to `sgxtcbcomp16svn` (version 2).
fn numbered_components(tcb: &Field<'_>) -> Result<[u8; 16], BadJson> {
    let mut svns = [0; 16];
    for (number, svn) in (1..).zip(svns.iter_mut()) {
        *svn = tcb.get(&format!("sgxtcbcomp{number:02}svn"))?.number()?;
    }
    Ok(svns)
}
