//! Identities of Intel's enclaves (Intel PCS API v4, Get Quoting Enclave Identity).

use assay_types::{UnixTime, Validity};

use super::document::{self, BadDocument};
use super::json::{BadJson, Field, Json};
use super::tcb_info::{IsvSvnLevel, read_isv_svn_levels};
use crate::Family;
use crate::tcb::TcbStatus;

/// The statuses that a level of an enclave can have. What another would mean for the whole is not defined:
/// [`TcbStatus::with_part`] would pass over it.
const STATUSES: &[TcbStatus] = &[TcbStatus::UpToDate, TcbStatus::OutOfDate, TcbStatus::Revoked];

/// Which enclave an identity is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnclaveId {
    /// The quoting enclave of SGX or TDX: `QE`, `TD_QE`.
    Quoting(Family),
    /// The quote verification enclave, `QVE`. No verification here needs it.
    Verification,
}

/// What Intel says of one of its enclaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QeIdentity {
    /// Which enclave: `id`.
    pub id: EnclaveId,
    /// Always 2.
    pub version: u8,
    /// From `issueDate` to `nextUpdate`.
    pub validity: Validity,
    /// Rises with each recovery of the TCB.
    pub evaluation_number: u32,
    /// MISCSELECT. The text has the bytes in the order of the report, little endian.
    pub misc_select: u32,
    /// The bits of it that count.
    pub misc_select_mask: u32,
    /// ATTRIBUTES, 16 bytes in the order of the report.
    pub attributes: [u8; 16],
    /// The bits of them that count.
    pub attributes_mask: [u8; 16],
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// ISVPRODID.
    pub isv_prod_id: u16,
    /// The levels, the highest first.
    pub levels: Vec<IsvSvnLevel>,
}

impl QeIdentity {
    /// Reads the document from its exact text, the value of the member `enclaveIdentity` as served.
    ///
    /// # Errors
    /// [`BadDocument`]: which member is missing, twice there or not what it should be; or an
    /// identifier or version that is not known.
    pub fn read(text: &str) -> Result<Self, BadDocument> {
        let json = Json::read("enclaveIdentity", text)?;
        let identity = Field::new("enclaveIdentity", &json);
        let name = identity.get("id")?.text()?;
        let version: u64 = identity.get("version")?.number()?;
        let id = match (name, version) {
            ("QE", 2) => EnclaveId::Quoting(Family::Sgx),
            ("TD_QE", 2) => EnclaveId::Quoting(Family::Tdx),
            ("QVE", 2) => EnclaveId::Verification,
            _ => return Err(BadDocument::unknown(name, version)),
        };
        let little_endian = |name: &str| Ok::<u32, BadJson>(u32::from_le_bytes(identity.get(name)?.hex()?));
        Ok(QeIdentity {
            id,
            version: 2,
            validity: document::validity(&identity)?,
            evaluation_number: identity.get("tcbEvaluationDataNumber")?.number()?,
            misc_select: little_endian("miscselect")?,
            misc_select_mask: little_endian("miscselectMask")?,
            attributes: identity.get("attributes")?.hex()?,
            attributes_mask: identity.get("attributesMask")?.hex()?,
            mr_signer: identity.get("mrsigner")?.hex()?,
            isv_prod_id: identity.get("isvprodid")?.number()?,
            levels: read_isv_svn_levels(&identity.get("tcbLevels")?, STATUSES)?,
        })
    }

    /// From when it is.
    pub fn issued(&self) -> UnixTime {
        self.validity.not_before
    }
}
