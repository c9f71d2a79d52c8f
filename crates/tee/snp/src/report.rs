//! The attestation report: 1184 bytes, their fields, and which bytes are reserved.
//!
//! SEV-SNP Firmware ABI Specification (AMD 56860), tables "ATTESTATION_REPORT Structure" and
//! "Format for an ECDSA P-384 Signature". All integers are little endian.

use serde::{Deserialize, Serialize};

use crate::byte_array;
use crate::product::{KeyKind, Product};
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

/// A byte of a report whose reserved bits have not their prescribed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReservedByte {
    /// Offset from the report's first byte.
    pub offset: usize,
    /// The bits that are reserved.
    pub mask: u8,
    /// The value they must have.
    pub expected: u8,
    /// The whole byte found.
    pub found: u8,
}

impl std::fmt::Display for ReservedByte {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ReservedByte { offset, mask, expected, found } = self;
        write!(f, "byte {offset:#05x} is {found:#04x}, its bits {mask:#04x} must be {expected:#04x}")
    }
}

/// Takes fields off the front of a report.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        // Cannot run out: the caller has all 1184 bytes and the fields add up to fewer.
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn tcb(&mut self, layout: TcbLayout) -> TcbVersion {
        TcbVersion::from_bytes(self.take(), layout)
    }

    fn firmware(&mut self) -> FirmwareVersion {
        let [build, minor, major, _reserved] = self.take();
        FirmwareVersion { major, minor, build }
    }
}

/// Puts fields one after another into a report.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, field: &[u8]) {
        // Cannot run out, for the same reason as in `Reader`.
        if let Some((to, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(field.len()) {
            to.copy_from_slice(field);
            self.0 = rest;
        }
    }

    fn firmware(&mut self, v: FirmwareVersion) {
        self.put(&[v.build, v.minor, v.major, 0]);
    }
}

impl Report {
    /// Reads the 1184 bytes strictly.
    ///
    /// # Errors
    /// [`ReportError`]; reserved bits that differ are among them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReportError> {
        let bytes: &[u8; REPORT_LEN] =
            bytes.try_into().map_err(|_| ReportError::Length { found: bytes.len() })?;
        let report = Report::read(bytes)?;
        match reserved_bytes(bytes, report.tcb_layout()).first() {
            Some(byte) => Err(ReportError::Reserved(*byte)),
            None => Ok(report),
        }
    }

    /// Reads the fields without a look at what is reserved, so that a verifier can say more of a
    /// report than that reserved bits are set.
    ///
    /// # Errors
    /// [`ReportError::Version`] and [`ReportError::Processor`], where the bytes have no meaning.
    pub fn read(bytes: &[u8; REPORT_LEN]) -> Result<Self, ReportError> {
        let mut head = Reader(bytes);
        let version = head.u32();
        if !VERSIONS.contains(&version) {
            return Err(ReportError::Version { found: version });
        }
        let mut at_cpuid = Reader(bytes.get(0x188..).unwrap_or_default());
        let cpuid: [u8; 3] = at_cpuid.take();
        let mut at_chip_id = Reader(bytes.get(0x1a0..).unwrap_or_default());
        let [family, model, stepping] = cpuid;
        let (cpuid_fam_id, cpuid_mod_id, cpuid_step, layout) = if version == 2 {
            (None, None, None, layout_of_version_2(&at_chip_id.take()))
        } else {
            let product =
                Product::from_cpuid(family, model).ok_or(ReportError::Processor { family, model })?;
            (Some(family), Some(model), Some(stepping), product.tcb_layout())
        };
        let mut r = Reader(bytes);
        Ok(Report {
            version: r.u32(),
            guest_svn: r.u32(),
            policy: r.u64(),
            family_id: r.take(),
            image_id: r.take(),
            vmpl: r.u32(),
            sig_algo: r.u32(),
            current_tcb: r.tcb(layout),
            plat_info: r.u64(),
            key_info: r.u32(),
            report_data: {
                let _reserved: [u8; 4] = r.take();
                r.take()
            },
            measurement: r.take(),
            host_data: r.take(),
            id_key_digest: r.take(),
            author_key_digest: r.take(),
            report_id: r.take(),
            report_id_ma: r.take(),
            reported_tcb: r.tcb(layout),
            cpuid_fam_id,
            cpuid_mod_id,
            cpuid_step,
            chip_id: {
                let _cpuid_and_reserved: [u8; 24] = r.take();
                r.take()
            },
            committed_tcb: r.tcb(layout),
            current: r.firmware(),
            committed: r.firmware(),
            launch_tcb: r.tcb(layout),
            launch_mit_vector: mitigations(version, r.u64()),
            current_mit_vector: mitigations(version, r.u64()),
            signature: {
                let _reserved: [u8; 152] = r.take();
                Signature { r: r.take(), s: r.take() }
            },
        })
    }

    /// Rebuilds the 1184 bytes, reserved ones zero. Evidence in JSON does not carry the bytes, so
    /// this is what its signature is checked over.
    ///
    /// Fields that the version does not have are left out, as the `sev` crate does.
    pub fn to_bytes(&self) -> [u8; REPORT_LEN] {
        let layout = self.tcb_layout();
        let mut bytes = [0; REPORT_LEN];
        let mut w = Writer(&mut bytes);
        w.put(&self.version.to_le_bytes());
        w.put(&self.guest_svn.to_le_bytes());
        w.put(&self.policy.to_le_bytes());
        w.put(&self.family_id);
        w.put(&self.image_id);
        w.put(&self.vmpl.to_le_bytes());
        w.put(&self.sig_algo.to_le_bytes());
        w.put(&self.current_tcb.to_bytes(layout));
        w.put(&self.plat_info.to_le_bytes());
        w.put(&self.key_info.to_le_bytes());
        w.put(&[0; 4]);
        w.put(&self.report_data);
        w.put(&self.measurement);
        w.put(&self.host_data);
        w.put(&self.id_key_digest);
        w.put(&self.author_key_digest);
        w.put(&self.report_id);
        w.put(&self.report_id_ma);
        w.put(&self.reported_tcb.to_bytes(layout));
        let from_version_3 = |field: Option<u8>| if self.version >= 3 { field.unwrap_or(0) } else { 0 };
        w.put(&[self.cpuid_fam_id, self.cpuid_mod_id, self.cpuid_step].map(from_version_3));
        w.put(&[0; 21]);
        w.put(&self.chip_id);
        w.put(&self.committed_tcb.to_bytes(layout));
        w.firmware(self.current);
        w.firmware(self.committed);
        w.put(&self.launch_tcb.to_bytes(layout));
        let from_version_5 = |field: Option<u64>| if self.version >= 5 { field.unwrap_or(0) } else { 0 };
        w.put(&from_version_5(self.launch_mit_vector).to_le_bytes());
        w.put(&from_version_5(self.current_mit_vector).to_le_bytes());
        w.put(&[0; 152]);
        w.put(&self.signature.r);
        w.put(&self.signature.s);
        bytes
    }

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

fn mitigations(version: u32, vector: u64) -> Option<u64> {
    (version >= 5).then_some(vector)
}

/// Version 2 has no CPUID fields. Turin's chip ids are 8 bytes and zeros; a masked id gives no
/// hint, and there the legacy layout stands, because no Turin firmware writes version 2.
fn layout_of_version_2(chip_id: &[u8; 64]) -> TcbLayout {
    let (id, rest) = chip_id.split_at(8);
    if id.iter().any(|b| *b != 0) && rest.iter().all(|b| *b == 0) {
        TcbLayout::Turin
    } else {
        TcbLayout::Legacy
    }
}

/// The reserved bits outside of the TCB versions: first byte, one past the last byte, mask,
/// prescribed value. Policy bits count as reserved from 26 on: a new one may well allow something.
const RESERVED: &[(usize, usize, u8, u8)] = &[
    (0x00a, 0x00b, 0x02, 0x02),
    (0x00b, 0x00c, 0xfc, 0),
    (0x00c, 0x010, 0xff, 0),
    (0x048, 0x049, 0xe0, 0),
    (0x049, 0x050, 0xff, 0),
    (0x18b, 0x1a0, 0xff, 0),
    (0x1eb, 0x1ec, 0xff, 0),
    (0x1ef, 0x1f0, 0xff, 0),
    (0x208, 0x2a0, 0xff, 0),
    // Upper bytes of r and s, and what is left of the signature's 512 bytes.
    (0x2d0, 0x2e8, 0xff, 0),
    (0x318, 0x4a0, 0xff, 0),
];

/// Offsets of the four TCB versions.
const TCB_OFFSETS: [usize; 4] = [0x38, 0x180, 0x1e0, 0x1f0];

/// The bytes whose reserved bits have not their prescribed value (zero, but bit 17 of the policy
/// is one). What a version does not have yet counts as reserved.
pub fn reserved_bytes(bytes: &[u8; REPORT_LEN], layout: TcbLayout) -> Vec<ReservedByte> {
    let mut wrong = Vec::new();
    let mut check = |first: usize, end: usize, mask: u8, expected: u8| {
        let range = bytes.get(first..end).unwrap_or_default();
        for (offset, found) in (first..).zip(range) {
            if found & mask != expected {
                wrong.push(ReservedByte { offset, mask, expected, found: *found });
            }
        }
    };
    for (first, end, mask, expected) in RESERVED {
        check(*first, *end, *mask, *expected);
    }
    let (first, end) = layout.reserved();
    for offset in TCB_OFFSETS {
        check(offset + first, offset + end, 0xff, 0);
    }
    let version = bytes.first().copied().unwrap_or(0);
    if version < 3 {
        check(0x188, 0x18b, 0xff, 0);
    }
    if version < 5 {
        check(0x1f8, 0x208, 0xff, 0);
    }
    wrong.sort_by_key(|byte| byte.offset);
    wrong
}
