//! The attestation report: its fields, and what they say.
//!
//! SEV-SNP Firmware ABI Specification (AMD 56860), tables "ATTESTATION_REPORT Structure" and
//! "Format for an ECDSA P-384 Signature". All integers are little endian.

use serde::{Deserialize, Serialize};

use crate::byte_array;
use crate::product::{KeyKind, Product};
use crate::report_bytes::ReservedByte;
use crate::tcb::{TcbLayout, TcbVersion};

/// The length of a report in bytes.
pub const REPORT_LEN: usize = 1184;

/// The length of the signed part, from the first byte of the report.
pub const SIGNED_LEN: usize = 0x2a0;

/// The versions of the report that this crate knows.
pub const VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;

/// Value of [`Report::sig_algo`]: ECDSA on P-384 with SHA-384.
pub const ECDSA_P384_SHA384: u32 = 1;

/// The firmware's version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FirmwareVersion {
    /// Major version of the ABI.
    pub major: u8,
    /// Minor version of the ABI.
    pub minor: u8,
    /// Build number.
    pub build: u8,
}

impl std::fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// An ECDSA signature on P-384. Both numbers are little endian in 72 bytes, the upper 24 zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// The number r.
    #[serde(with = "byte_array")]
    pub r: [u8; 72],
    /// The number s.
    #[serde(with = "byte_array")]
    pub s: [u8; 72],
}

impl Default for Signature {
    fn default() -> Self {
        Signature { r: [0; 72], s: [0; 72] }
    }
}

impl Signature {
    /// From r and s as big endian numbers of 48 bytes each, one after the other (IEEE P1363).
    pub fn from_fixed(fixed: &[u8; 96]) -> Self {
        let (r, s) = fixed.split_at(48);
        let mut signature = Signature::default();
        for (to, from) in signature.r.iter_mut().zip(r.iter().rev()) {
            *to = *from;
        }
        for (to, from) in signature.s.iter_mut().zip(s.iter().rev()) {
            *to = *from;
        }
        signature
    }

    /// As big endian numbers of 48 bytes each, one after the other; `None` when one does not fit
    /// because an upper byte is not zero.
    pub fn to_fixed(&self) -> Option<[u8; 96]> {
        let (r, s) = (self.r.split_at_checked(48)?, self.s.split_at_checked(48)?);
        if r.1.iter().chain(s.1).any(|b| *b != 0) {
            return None;
        }
        let mut fixed = [0; 96];
        for (to, from) in fixed.iter_mut().zip(r.0.iter().rev().chain(s.0.iter().rev())) {
            *to = *from;
        }
        Some(fixed)
    }
}

/// An attestation report with all its fields. Which of the optional ones are there follows from
/// the version: [`Report::check_form`] says.
///
/// The JSON form is the one that `serde` derives for `AttestationReport` of the `sev` crate:
/// members in this order, bytes as arrays of numbers, what is absent as null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the report, 2 to 5.
    pub version: u32,
    /// Security version number of the guest, from the ID block.
    pub guest_svn: u32,
    /// Guest policy; see [`policy`].
    pub policy: u64,
    /// Family id of the guest, from the ID block.
    #[serde(with = "byte_array")]
    pub family_id: [u8; 16],
    /// Image id of the guest, from the ID block.
    #[serde(with = "byte_array")]
    pub image_id: [u8; 16],
    /// Privilege level that asked for the report, 0 to 3; 0xffff_ffff when the host asked.
    pub vmpl: u32,
    /// Signature algorithm; [`ECDSA_P384_SHA384`] is the only one.
    pub sig_algo: u32,
    /// TCB version of the firmware now running.
    pub current_tcb: TcbVersion,
    /// What the platform has switched on; see [`platform`].
    pub plat_info: u64,
    /// Which key signed, and what is said of keys; see [`Report::signing_key`].
    pub key_info: u32,
    /// What the guest gave along.
    #[serde(with = "byte_array")]
    pub report_data: [u8; 64],
    /// SHA-384 of the guest's initial memory and state.
    #[serde(with = "byte_array")]
    pub measurement: [u8; 48],
    /// What the hypervisor gave along at launch.
    #[serde(with = "byte_array")]
    pub host_data: [u8; 32],
    /// SHA-384 of the public key that signed the ID block.
    #[serde(with = "byte_array")]
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the public key that certified the ID key.
    #[serde(with = "byte_array")]
    pub author_key_digest: [u8; 48],
    /// Id of this guest.
    #[serde(with = "byte_array")]
    pub report_id: [u8; 32],
    /// Id of this guest's migration agent.
    #[serde(with = "byte_array")]
    pub report_id_ma: [u8; 32],
    /// TCB version that the signing key was derived with.
    pub reported_tcb: TcbVersion,
    /// Combined family of CPUID; from version 3.
    pub cpuid_fam_id: Option<u8>,
    /// Combined model of CPUID; from version 3.
    pub cpuid_mod_id: Option<u8>,
    /// Stepping of CPUID; from version 3.
    pub cpuid_step: Option<u8>,
    /// Id of the chip, zero when masked. On Turin only the first 8 bytes are used.
    #[serde(with = "byte_array")]
    pub chip_id: [u8; 64],
    /// TCB version below which the firmware cannot be rolled back.
    pub committed_tcb: TcbVersion,
    /// Version of the firmware now running.
    pub current: FirmwareVersion,
    /// Version below which the firmware cannot be rolled back.
    pub committed: FirmwareVersion,
    /// TCB version at the guest's launch or import.
    pub launch_tcb: TcbVersion,
    /// Mitigations verified at launch; from version 5.
    pub launch_mit_vector: Option<u64>,
    /// Mitigations verified now; from version 5.
    pub current_mit_vector: Option<u64>,
    /// Signature over the first [`SIGNED_LEN`] bytes.
    pub signature: Signature,
}

impl Default for Report {
    fn default() -> Self {
        Report {
            version: 0,
            guest_svn: 0,
            policy: 0,
            family_id: [0; 16],
            image_id: [0; 16],
            vmpl: 0,
            sig_algo: 0,
            current_tcb: TcbVersion::default(),
            plat_info: 0,
            key_info: 0,
            report_data: [0; 64],
            measurement: [0; 48],
            host_data: [0; 32],
            id_key_digest: [0; 48],
            author_key_digest: [0; 48],
            report_id: [0; 32],
            report_id_ma: [0; 32],
            reported_tcb: TcbVersion::default(),
            cpuid_fam_id: None,
            cpuid_mod_id: None,
            cpuid_step: None,
            chip_id: [0; 64],
            committed_tcb: TcbVersion::default(),
            current: FirmwareVersion::default(),
            committed: FirmwareVersion::default(),
            launch_tcb: TcbVersion::default(),
            launch_mit_vector: None,
            current_mit_vector: None,
            signature: Signature::default(),
        }
    }
}

/// Bits of [`Report::policy`] (56860, section 4.3). Bits 0 to 7 are the least minor, 8 to 15 the
/// least major version of the ABI that the guest accepts.
pub mod policy {
    /// Simultaneous multithreading is allowed on the host.
    pub const SMT: u64 = 1 << 16;
    /// Reserved, must be one.
    pub const ONE: u64 = 1 << 17;
    /// A migration agent may be associated.
    pub const MIGRATE_MA: u64 = 1 << 18;
    /// Debugging is allowed: the host can read the guest's memory.
    pub const DEBUG: u64 = 1 << 19;
    /// The guest runs on one socket only.
    pub const SINGLE_SOCKET: u64 = 1 << 20;
    /// CXL may be populated with devices or memory.
    pub const CXL_ALLOW: u64 = 1 << 21;
    /// AES-256-XTS is required for memory encryption.
    pub const MEM_AES_256_XTS: u64 = 1 << 22;
    /// Running Average Power Limit must be disabled.
    pub const RAPL_DIS: u64 = 1 << 23;
    /// Ciphertext hiding must be enabled.
    pub const CIPHERTEXT_HIDING: u64 = 1 << 24;
    /// Page move and swap commands are disabled for this guest.
    pub const PAGE_SWAP_DISABLE: u64 = 1 << 25;
}

/// Bits of [`Report::plat_info`] (56860, PLATFORM_INFO). Bit 6 is undocumented but set by real
/// Turin firmware: unknown bits are tolerated here, and handed on with the whole number.
pub mod platform {
    /// Simultaneous multithreading is enabled.
    pub const SMT_EN: u64 = 1 << 0;
    /// Transparent memory encryption is enabled.
    pub const TSME_EN: u64 = 1 << 1;
    /// The memory has error correction.
    pub const ECC_EN: u64 = 1 << 2;
    /// Running Average Power Limit is disabled.
    pub const RAPL_DIS: u64 = 1 << 3;
    /// Ciphertext hiding is enabled.
    pub const CIPHERTEXT_HIDING_EN: u64 = 1 << 4;
    /// A check found no aliasing addresses since the last reset.
    pub const ALIAS_CHECK_COMPLETE: u64 = 1 << 5;
    /// Trusted I/O is enabled.
    pub const TIO_EN: u64 = 1 << 7;
}

/// What bits 2 to 4 of [`Report::key_info`] say of the key that signed the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningKey {
    /// Signed with a key of this kind (0 VCEK, 1 VLEK).
    Signed(KeyKind),
    /// Not signed (7).
    None,
    /// A value that is reserved (2 to 6).
    Reserved(u8),
}

impl std::fmt::Display for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SigningKey::Signed(kind) => f.write_str(kind.as_str()),
            SigningKey::None => f.write_str("none"),
            SigningKey::Reserved(value) => write!(f, "reserved value {value}"),
        }
    }
}

/// Bytes or JSON that are not a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The number of bytes is wrong.
    #[error("a report has {REPORT_LEN} bytes, found {found}")]
    Length {
        /// The number found.
        found: usize,
    },
    /// The version is unknown, and so is the meaning of the bytes.
    #[error("report version {found} is not one of 2 to 5")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The processor is unknown, and so is the layout of TCB versions.
    #[error("no known product has CPUID family {family:#04x} and model {model:#04x}")]
    Processor {
        /// Combined family.
        family: u8,
        /// Combined model.
        model: u8,
    },
    /// A reserved bit has not its prescribed value.
    #[error("reserved bits differ: {0}")]
    Reserved(ReservedByte),
    /// A field is there that the version does not have, or is missing.
    #[error("{field} {problem} (report version {version})")]
    Form {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
        /// The report's version.
        version: u32,
    },
}

impl Report {
    /// Checks that just the fields of this version and product are there: CPUID and, from version
    /// 5, mitigation vectors; the FMC of all four TCB versions on Turin and nowhere else.
    ///
    /// Mitigation vectors may be absent at version 5: older `sev` crates did not know them, and
    /// they count as zero then. The signature tells whether that is right.
    ///
    /// # Errors
    /// [`ReportError`] naming the field.
    pub fn check_form(&self) -> Result<(), ReportError> {
        let version = self.version;
        if !VERSIONS.contains(&version) {
            return Err(ReportError::Version { found: version });
        }
        let form = |field, problem| Err(ReportError::Form { field, problem, version });
        match (self.cpuid_fam_id, self.cpuid_mod_id, self.cpuid_step) {
            (None, None, None) if version == 2 => {}
            (Some(family), Some(model), Some(_)) if version >= 3 => {
                if Product::from_cpuid(family, model).is_none() {
                    return Err(ReportError::Processor { family, model });
                }
            }
            _ if version == 2 => return form("cpuid_fam_id, cpuid_mod_id, cpuid_step", "must be null"),
            _ => return form("cpuid_fam_id, cpuid_mod_id, cpuid_step", "must be numbers"),
        }
        if version < 5 && (self.launch_mit_vector.is_some() || self.current_mit_vector.is_some()) {
            return form("launch_mit_vector, current_mit_vector", "must be null");
        }
        let turin = self.tcb_layout() == TcbLayout::Turin;
        let tcbs = [self.current_tcb, self.reported_tcb, self.committed_tcb, self.launch_tcb];
        if tcbs.iter().any(|tcb| tcb.fmc.is_some() != turin) {
            return form("fmc of the TCB versions", if turin { "must be a number" } else { "must be null" });
        }
        Ok(())
    }

    /// The product line by the CPUID fields; `None` for version 2, which has none, and for unknown
    /// processors.
    pub fn product(&self) -> Option<Product> {
        Product::from_cpuid(self.cpuid_fam_id?, self.cpuid_mod_id?)
    }

    /// How this report's TCB versions are laid out: by the product; for version 2 by the shape of
    /// the chip id, as the `sev` crate does; where the product is unknown, by whether there is an
    /// FMC.
    pub fn tcb_layout(&self) -> TcbLayout {
        if self.version == 2 {
            return layout_of_version_2(&self.chip_id);
        }
        match self.product() {
            Some(product) => product.tcb_layout(),
            None if self.reported_tcb.fmc.is_some() => TcbLayout::Turin,
            None => TcbLayout::Legacy,
        }
    }

    /// Which key signed the report (bits 2 to 4 of the key information).
    pub fn signing_key(&self) -> SigningKey {
        match u8::try_from((self.key_info >> 2) & 7).unwrap_or(7) {
            0 => SigningKey::Signed(KeyKind::Vcek),
            1 => SigningKey::Signed(KeyKind::Vlek),
            7 => SigningKey::None,
            reserved => SigningKey::Reserved(reserved),
        }
    }

    /// Whether the digest of the author key is present (bit 0 of the key information).
    pub fn author_key_en(&self) -> bool {
        self.key_info & 1 != 0
    }

    /// Whether the platform leaves reports unsigned (bit 1 of the key information, MaskChipKey).
    pub fn mask_chip_key(&self) -> bool {
        self.key_info & 2 != 0
    }

    /// Whether the chip id is hidden (all zero, MaskChipId).
    pub fn chip_id_masked(&self) -> bool {
        self.chip_id == [0; 64]
    }
}

/// Version 2 has no CPUID fields. Turin's chip ids are 8 bytes and zeros; a masked id gives no
/// hint, and there the legacy layout stands, because no Turin firmware writes version 2.
pub(crate) fn layout_of_version_2(chip_id: &[u8; 64]) -> TcbLayout {
    let (id, rest) = chip_id.split_at(8);
    if id.iter().any(|b| *b != 0) && rest.iter().all(|b| *b == 0) {
        TcbLayout::Turin
    } else {
        TcbLayout::Legacy
    }
}
