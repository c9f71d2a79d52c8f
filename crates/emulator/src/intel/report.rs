//! What a quote is about: the report of an enclave or of a TD (Intel SGX ECDSA Quote Library Reference, A.4;
//! Intel TDX DCAP Quoting Library API, A.3). Numbers are little-endian.

/// The report of an enclave, 384 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnclaveReport {
    /// CPUSVN.
    pub cpu_svn: [u8; 16],
    /// MISCSELECT.
    pub misc_select: u32,
    /// 12 bytes of zeros.
    pub reserved1: [u8; 12],
    /// ISVEXTPRODID.
    pub isv_ext_prod_id: [u8; 16],
    /// ATTRIBUTES: the flags.
    pub flags: u64,
    /// ATTRIBUTES: the extended features.
    pub xfrm: u64,
    /// MRENCLAVE.
    pub mr_enclave: [u8; 32],
    /// 32 bytes of zeros.
    pub reserved2: [u8; 32],
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// 32 bytes of zeros.
    pub reserved3: [u8; 32],
    /// CONFIGID.
    pub config_id: [u8; 64],
    /// ISVPRODID.
    pub isv_prod_id: u16,
    /// ISVSVN.
    pub isv_svn: u16,
    /// CONFIGSVN.
    pub config_svn: u16,
    /// 42 bytes of zeros.
    pub reserved4: [u8; 42],
    /// ISVFAMILYID.
    pub isv_family_id: [u8; 16],
    /// REPORTDATA.
    pub report_data: [u8; 64],
}

impl Default for EnclaveReport {
    fn default() -> Self {
        EnclaveReport {
            cpu_svn: [0; 16],
            misc_select: 0,
            reserved1: [0; 12],
            isv_ext_prod_id: [0; 16],
            flags: 0,
            xfrm: 0,
            mr_enclave: [0; 32],
            reserved2: [0; 32],
            mr_signer: [0; 32],
            reserved3: [0; 32],
            config_id: [0; 64],
            isv_prod_id: 0,
            isv_svn: 0,
            config_svn: 0,
            reserved4: [0; 42],
            isv_family_id: [0; 16],
            report_data: [0; 64],
        }
    }
}

impl EnclaveReport {
    /// The encoded report, 384 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts: [&[u8]; 17] = [
            &self.cpu_svn,
            &self.misc_select.to_le_bytes(),
            &self.reserved1,
            &self.isv_ext_prod_id,
            &self.flags.to_le_bytes(),
            &self.xfrm.to_le_bytes(),
            &self.mr_enclave,
            &self.reserved2,
            &self.mr_signer,
            &self.reserved3,
            &self.config_id,
            &self.isv_prod_id.to_le_bytes(),
            &self.isv_svn.to_le_bytes(),
            &self.config_svn.to_le_bytes(),
            &self.reserved4,
            &self.isv_family_id,
            &self.report_data,
        ];
        parts.concat()
    }
}

/// The report of a TD: 584 bytes in TDX 1.0, 648 in TDX 1.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdReport {
    /// TEE_TCB_SVN: version of the module, major version of the module, microcode, then zeros.
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM: the measurement of the module.
    pub mr_seam: [u8; 48],
    /// MRSIGNERSEAM; zeros for Intel's module.
    pub mr_signer_seam: [u8; 48],
    /// SEAMATTRIBUTES.
    pub seam_attributes: [u8; 8],
    /// TDATTRIBUTES.
    pub td_attributes: u64,
    /// XFAM.
    pub xfam: u64,
    /// MRTD.
    pub mr_td: [u8; 48],
    /// MRCONFIGID.
    pub mr_config_id: [u8; 48],
    /// MROWNER.
    pub mr_owner: [u8; 48],
    /// MROWNERCONFIG.
    pub mr_owner_config: [u8; 48],
    /// RTMR0 to RTMR3.
    pub rtmr: [[u8; 48]; 4],
    /// REPORTDATA.
    pub report_data: [u8; 64],
    /// What TDX 1.5 adds.
    pub extension: Option<TdExtension>,
}

/// What the report of TDX 1.5 has at its end, 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdExtension {
    /// TEE_TCB_SVN2: of the module that runs now.
    pub tee_tcb_svn2: [u8; 16],
    /// MRSERVICETD.
    pub mr_service_td: [u8; 48],
}

impl TdReport {
    /// The encoded report.
    pub fn to_bytes(&self) -> Vec<u8> {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &self.rtmr;
        let parts: [&[u8]; 15] = [
            &self.tee_tcb_svn,
            &self.mr_seam,
            &self.mr_signer_seam,
            &self.seam_attributes,
            &self.td_attributes.to_le_bytes(),
            &self.xfam.to_le_bytes(),
            &self.mr_td,
            &self.mr_config_id,
            &self.mr_owner,
            &self.mr_owner_config,
            rtmr0,
            rtmr1,
            rtmr2,
            rtmr3,
            &self.report_data,
        ];
        let mut out = parts.concat();
        if let Some(extension) = &self.extension {
            out.extend_from_slice(&extension.tee_tcb_svn2);
            out.extend_from_slice(&extension.mr_service_td);
        }
        out
    }
}

/// What a quote is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one of them at a time")]
pub enum Body {
    /// An enclave.
    Enclave(EnclaveReport),
    /// A TD.
    Td(TdReport),
}

impl Body {
    /// The encoded report.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Body::Enclave(report) => report.to_bytes(),
            Body::Td(report) => report.to_bytes(),
        }
    }

    /// The type in the descriptor of quotes of version 5: 1 an enclave, 2 TDX 1.0, 3 TDX 1.5.
    pub fn body_type(&self) -> u16 {
        match self {
            Body::Enclave(_) => 1,
            Body::Td(TdReport { extension: None, .. }) => 2,
            Body::Td(TdReport { extension: Some(_), .. }) => 3,
        }
    }
}

/// Bits of ATTRIBUTES and TDATTRIBUTES.
pub mod attributes {
    /// SGX: the enclave is initialised.
    pub const SGX_INIT: u64 = 1 << 0;
    /// SGX: debugging is allowed.
    pub const SGX_DEBUG: u64 = 1 << 1;
    /// SGX: 64 bits.
    pub const SGX_MODE64: u64 = 1 << 2;
    /// SGX: the provisioning key is available.
    pub const SGX_PROVISION_KEY: u64 = 1 << 4;
    /// SGX: the launch key is available.
    pub const SGX_EINIT_TOKEN_KEY: u64 = 1 << 5;
    /// SGX: key separation and sharing.
    pub const SGX_KSS: u64 = 1 << 7;

    /// TDX: debugging is allowed.
    pub const TD_DEBUG: u64 = 1 << 0;
    /// TDX: accesses to pending pages do not raise #VE.
    pub const TD_SEPT_VE_DISABLE: u64 = 1 << 28;
    /// TDX: the TD can be migrated.
    pub const TD_MIGRATABLE: u64 = 1 << 29;
    /// TDX: supervisor protection keys.
    pub const TD_PKS: u64 = 1 << 30;
    /// TDX: key locker.
    pub const TD_KL: u64 = 1 << 31;
    /// TDX: performance monitoring.
    pub const TD_PERFMON: u64 = 1 << 63;
}
