//! The platform, and the extension of its PCK certificate that describes it.

use der::asn1::ObjectIdentifier;

use super::oid;
use crate::asn1;

/// Which authority certifies the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PckCa {
    /// Platforms of several packages, all with TDX.
    Platform,
    /// Platforms of one package.
    Processor,
}

impl PckCa {
    /// The name in requests and answers of the PCS: `platform`, `processor`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PckCa::Platform => "platform",
            PckCa::Processor => "processor",
        }
    }

    /// The common name of the authority.
    pub const fn common_name(self) -> &'static str {
        match self {
            PckCa::Platform => "Intel SGX PCK Platform CA",
            PckCa::Processor => "Intel SGX PCK Processor CA",
        }
    }
}

/// How a platform is set up. Certificates under the Platform CA say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Configuration {
    /// Packages can be added.
    pub dynamic_platform: bool,
    /// Intel keeps the platform's root keys.
    pub cached_keys: bool,
    /// Simultaneous multithreading is on.
    pub smt_enabled: bool,
}

/// What the PCK certificate says of a platform. Another value makes another platform, or another TCB of
/// it: key and serial number of the certificate follow PPID, CPUSVN, PCESVN and PCEID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// Which authority certifies it.
    pub ca: PckCa,
    /// Family, model, stepping, platform type and custom SKU.
    pub fmspc: [u8; 6],
    /// The id of the provisioning certification enclave; 0.
    pub pce_id: [u8; 2],
    /// The id of the processor package.
    pub ppid: [u8; 16],
    /// The raw CPUSVN; enclave reports of the platform carry it too.
    pub cpu_svn: [u8; 16],
    /// The 16 components of the TCB, decoded of the CPUSVN; on emulated silicon the same bytes.
    pub components: [u8; 16],
    /// The version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// The id of the platform; `None` under the Processor CA.
    pub platform_instance_id: Option<[u8; 16]>,
    /// The configuration; `None` under the Processor CA.
    pub configuration: Option<Configuration>,
}

impl Platform {
    /// Sets CPUSVN and components.
    pub fn set_cpu_svn(&mut self, cpu_svn: [u8; 16]) {
        self.cpu_svn = cpu_svn;
        self.components = cpu_svn;
    }

    /// What makes key and serial number of the PCK certificate.
    pub(super) fn label(&self) -> String {
        format!(
            "intel/pck/{}/{}/{}/{:04x}/{}",
            self.ca.as_str(),
            hex::encode(self.ppid),
            hex::encode(self.cpu_svn),
            self.pce_svn,
            hex::encode(self.pce_id)
        )
    }

    /// The value of the extension [`oid::TCB`]: the components, PCESVN, CPUSVN.
    pub fn tcb_extension(&self) -> SgxExtension {
        let mut tcb = SgxExtension::default();
        for (oid, component) in oid::COMPONENTS.into_iter().zip(self.components) {
            tcb.set(oid, asn1::integer(component.into()));
        }
        tcb.set(oid::PCE_SVN, asn1::integer(self.pce_svn.into()));
        tcb.set(oid::CPU_SVN, asn1::octet_string(&self.cpu_svn));
        tcb
    }

    /// The value of the extension [`oid::SGX`].
    pub fn extension(&self) -> SgxExtension {
        let mut sgx = SgxExtension::default();
        sgx.set(oid::PPID, asn1::octet_string(&self.ppid));
        sgx.set(oid::TCB, self.tcb_extension().to_der());
        sgx.set(oid::PCE_ID, asn1::octet_string(&self.pce_id));
        sgx.set(oid::FMSPC, asn1::octet_string(&self.fmspc));
        sgx.set(oid::SGX_TYPE, asn1::enumerated(self.sgx_type));
        if let Some(id) = &self.platform_instance_id {
            sgx.set(oid::PLATFORM_INSTANCE_ID, asn1::octet_string(id));
        }
        if let Some(configuration) = &self.configuration {
            let mut value = SgxExtension::default();
            value.set(oid::DYNAMIC_PLATFORM, asn1::boolean(configuration.dynamic_platform));
            value.set(oid::CACHED_KEYS, asn1::boolean(configuration.cached_keys));
            value.set(oid::SMT_ENABLED, asn1::boolean(configuration.smt_enabled));
            sgx.set(oid::CONFIGURATION, value.to_der());
        }
        sgx
    }
}

/// A SEQUENCE of pairs of identifier and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SgxExtension {
    /// The pairs in order; each value is a whole DER element.
    pub items: Vec<(ObjectIdentifier, Vec<u8>)>,
}

impl SgxExtension {
    /// Gives an item another value, or adds it at the end.
    pub fn set(&mut self, oid: ObjectIdentifier, value: Vec<u8>) {
        match self.items.iter_mut().find(|(name, _)| *name == oid) {
            Some((_, old)) => *old = value,
            None => self.items.push((oid, value)),
        }
    }

    /// Takes an item away.
    pub fn remove(&mut self, oid: ObjectIdentifier) {
        self.items.retain(|(name, _)| *name != oid);
    }

    /// The encoded sequence.
    pub fn to_der(&self) -> Vec<u8> {
        let items: Vec<u8> =
            self.items.iter().flat_map(|(oid, value)| asn1::sequence(&[&asn1::oid(oid), value])).collect();
        asn1::tlv(0x30, &items)
    }
}
