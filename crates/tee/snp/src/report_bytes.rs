//! A report's 1184 bytes: from them to the fields and back, and which of them are reserved.
//!
//! SEV-SNP Firmware ABI Specification (AMD 56860), table "ATTESTATION_REPORT Structure".

use crate::product::Product;
use crate::report::{
    FirmwareVersion, REPORT_LEN, Report, ReportError, Signature, VERSIONS, layout_of_version_2,
};
use crate::tcb::{TcbLayout, TcbVersion};

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
}

fn mitigations(version: u32, vector: u64) -> Option<u64> {
    (version >= 5).then_some(vector)
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
