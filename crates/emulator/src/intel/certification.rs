//! How a quote says which PCK signed the report of its quoting enclave (Intel SGX ECDSA Quote Library Reference,
//! A.4, table 9).

use super::certificate::{pem, pem_chain};
use super::pck::Platform;
use super::silicon::IntelSilicon;

/// How a quote says which PCK signed the report of its quoting enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certification {
    /// Type 1: PPID in plain, CPUSVN, PCESVN, PCEID; 36 bytes.
    Ppid,
    /// Type 2: PPID encrypted with RSA-2048, CPUSVN, PCESVN, PCEID; 276 bytes.
    PpidRsa2048,
    /// Type 3: PPID encrypted with RSA-3072, CPUSVN, PCESVN, PCEID; 404 bytes.
    PpidRsa3072,
    /// Type 4: the PCK certificate, PEM.
    PckCertificate,
    /// Type 5: the chain of the PCK certificate up to the root, PEM, with a zero byte at its end.
    PckChain,
    /// Any type with any data.
    Other(u16, Vec<u8>),
}

impl Certification {
    /// The type.
    pub const fn number(&self) -> u16 {
        match self {
            Certification::Ppid => 1,
            Certification::PpidRsa2048 => 2,
            Certification::PpidRsa3072 => 3,
            Certification::PckCertificate => 4,
            Certification::PckChain => 5,
            Certification::Other(number, _) => *number,
        }
    }
}

/// The data of that type.
pub(super) fn certification_data(
    silicon: &IntelSilicon,
    platform: &Platform,
    certification: Certification,
    chain: &[Vec<u8>],
) -> Vec<u8> {
    let identified = |ppid: Vec<u8>| {
        [ppid.as_slice(), &platform.cpu_svn, &platform.pce_svn.to_le_bytes(), &platform.pce_id].concat()
    };
    match certification {
        Certification::Ppid => identified(platform.ppid.to_vec()),
        Certification::PpidRsa2048 => identified(silicon.encrypted_ppid(platform, 256)),
        Certification::PpidRsa3072 => identified(silicon.encrypted_ppid(platform, 384)),
        Certification::PckCertificate => {
            chain.first().map(|leaf| pem("CERTIFICATE", leaf).into_bytes()).unwrap_or_default()
        }
        Certification::PckChain => [pem_chain(chain).into_bytes(), vec![0]].concat(),
        Certification::Other(_, data) => data,
    }
}
