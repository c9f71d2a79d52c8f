//! The structures inside a quote whose layout is fixed.
//!
//! Intel DCAP quoting library API, A.3.1 and A.3.2 (SGX, version 3), A.4.1 to A.4.5 (versions 4 and 5).

use super::layout::layout;

layout! {
    /// The header.
    pub struct Header[48] {
        /// The quote's version: 3, 4 or 5.
        version: u16,
        /// What signs the quote: 2 for ECDSA on P-256 with SHA-256.
        attestation_key_type: u16,
        /// 0 for SGX, 0x81 for TDX. Version 3 calls it a reserved field that is zero.
        tee_type: u32,
        /// SVN of the quoting enclave; reserved in versions 4 and 5.
        qe_svn: u16,
        /// SVN of the provisioning certification enclave; reserved in versions 4 and 5.
        pce_svn: u16,
        /// Id of the quoting enclave's vendor.
        vendor_id: [u8; 16],
        /// What the quoting enclave wrote; Intel's writes its own id, 16 bytes, and zeros.
        user_data: [u8; 20],
    }
}

layout! {
    /// The report of an enclave (REPORTBODY): the body of an SGX quote, and the quoting enclave's own.
    /// Intel SDM, volume 3D, table "Layout of REPORT".
    pub struct EnclaveReport[384] {
        /// Security version numbers of the processor.
        cpu_svn: [u8; 16],
        /// MISCSELECT: which extended state is saved; bit 0 EXINFO, bit 1 CPINFO.
        misc_select: u32,
        /// Reserved.
        reserved1: [u8; 12],
        /// Extended product id.
        isv_ext_prod_id: [u8; 16],
        /// ATTRIBUTES: flags (u64, little endian), then XFRM (the same).
        attributes: [u8; 16],
        /// SHA-256 measurement of the enclave.
        mr_enclave: [u8; 32],
        /// Reserved.
        reserved2: [u8; 32],
        /// SHA-256 of the modulus of the key that signed the enclave.
        mr_signer: [u8; 32],
        /// Reserved.
        reserved3: [u8; 32],
        /// CONFIGID: what the host gave along at launch.
        config_id: [u8; 64],
        /// Product id.
        isv_prod_id: u16,
        /// Security version number of the enclave.
        isv_svn: u16,
        /// CONFIGSVN.
        config_svn: u16,
        /// Reserved.
        reserved4: [u8; 42],
        /// Product family id.
        isv_family_id: [u8; 16],
        /// What the enclave gave along.
        report_data: [u8; 64],
    }
}

layout! {
    /// The report of a TD as TDX 1.0 has it. All MR fields are SHA-384.
    pub struct Td10[584] {
        /// Security version numbers of the TDX module and the platform; byte 0 the module's minor one,
        /// byte 1 its major version.
        tee_tcb_svn: [u8; 16],
        /// Measurement of the TDX module.
        mr_seam: [u8; 48],
        /// Signer of the TDX module; zero for Intel's.
        mrsigner_seam: [u8; 48],
        /// Attributes of the TDX module; zero for Intel's.
        seam_attributes: [u8; 8],
        /// ATTRIBUTES of the TD, a little endian u64.
        td_attributes: [u8; 8],
        /// XFAM: the extended features that the TD may use, a little endian u64.
        xfam: [u8; 8],
        /// Measurement of the TD's initial content.
        mr_td: [u8; 48],
        /// MRCONFIGID: what the host gave along at launch.
        mr_config_id: [u8; 48],
        /// MROWNER: the TD's owner, as the host said.
        mr_owner: [u8; 48],
        /// MROWNERCONFIG: the owner's configuration, as the host said.
        mr_owner_config: [u8; 48],
        /// RTMR 0 to 3, the registers that are extended at run time.
        rtmrs: [[u8; 48]; 4],
        /// What the TD gave along.
        report_data: [u8; 64],
    }
}

layout! {
    /// What TDX 1.5 adds to the report.
    pub struct Td15[64] {
        /// Security version numbers of the TDX module and the platform as they are now; `tee_tcb_svn`
        /// has those at the TD's launch.
        tee_tcb_svn2: [u8; 16],
        /// Measurement of the service TDs that were bound; zero for none.
        mr_servicetd: [u8; 48],
    }
}

layout! {
    /// What the extended report of TDX 1.5 (body type 4) adds further.
    pub struct Td15Extension[237] {
        /// Index of the virtual machine inside the TD that asked: 0 where the TD has no partitions, or
        /// for the first level.
        vm_id: u8,
        /// Id of this instance of the TD; kept when it migrates, new when it is launched again.
        td_id: [u8; 32],
        /// Hash of what is known of attached devices.
        device_info: [u8; 48],
        /// Hash of the service TDs that were bound when the TD was made.
        init_servicetd_hash: [u8; 48],
        /// Attributes of that service TD.
        init_servicetd_attributes: [u8; 8],
        /// CPUSVN when the TD was made.
        init_cpu_svn: [u8; 16],
        /// TEE_TCB_SVN when the TD was made.
        init_tee_tcb_svn: [u8; 16],
        /// Model of the platform on which the TD was made.
        init_tee_fmspc: [u8; 12],
        /// Hash of the service TDs that are bound now.
        current_servicetd_hash: [u8; 48],
        /// Attributes of the service TD that is bound now.
        current_servicetd_attributes: [u8; 8],
    }
}

/// The report of a TD. The fields of TDX 1.0 are reached through it directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TdReport {
    /// What TDX 1.0 has: body type 2 alone.
    pub v10: Td10,
    /// What TDX 1.5 adds: body type 3, and 4.
    pub v15: Option<Td15>,
    /// What the extended report adds: body type 4. It is there only beside `v15`.
    pub extension: Option<Td15Extension>,
}

impl std::ops::Deref for TdReport {
    type Target = Td10;

    fn deref(&self) -> &Td10 {
        &self.v10
    }
}

impl std::ops::DerefMut for TdReport {
    fn deref_mut(&mut self) -> &mut Td10 {
        &mut self.v10
    }
}
