//! What to ask of Intel's provisioning certification service (PCS API v4) or a cache of it (PCCS), of
//! an offline folder, or of a cache.
//!
//! Offline a file may have any form that is read as collateral, so that an answer can be kept together
//! with its issuer chain.

use std::fmt;

use assay_types::{CollateralKind, CollateralRequest, Digest, Vendor};

use crate::Family;

/// The longest answer that is read, in bytes.
pub const MAX_COLLATERAL_LEN: usize = 1 << 20;

/// Which of two series of TCB info and identities is asked for. When Intel publishes a recovery of the
/// TCB, `early` has it at once and `standard` after the time that operators have for updating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateChannel {
    /// At once.
    Early,
    /// After the grace time.
    Standard,
}

impl UpdateChannel {
    /// The parameter `update`: `early`, `standard`.
    pub const fn as_str(self) -> &'static str {
        match self {
            UpdateChannel::Early => "early",
            UpdateChannel::Standard => "standard",
        }
    }
}

impl fmt::Display for UpdateChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The authority that issues PCK certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PckCa {
    /// For platforms that are registered, with one or several packages.
    Platform,
    /// For single packages.
    Processor,
}

impl PckCa {
    /// The parameter `ca`: `platform`, `processor`.
    pub const fn as_str(self) -> &'static str {
        match self {
            PckCa::Platform => "platform",
            PckCa::Processor => "processor",
        }
    }

    /// Its common name.
    pub const fn common_name(self) -> &'static str {
        match self {
            PckCa::Platform => "Intel SGX PCK Platform CA",
            PckCa::Processor => "Intel SGX PCK Processor CA",
        }
    }

    /// The authority of that common name.
    pub fn from_common_name(name: &str) -> Option<Self> {
        [PckCa::Platform, PckCa::Processor].into_iter().find(|ca| ca.common_name() == name)
    }
}

/// What a quote says of the PCK that certified it, where it does not carry the certificate
/// (certification data of types 1 to 3). Integers of two bytes stand as the quote has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformIds {
    /// The platform provisioning id in clear (type 1), 16 bytes.
    pub ppid: Option<[u8; 16]>,
    /// The platform provisioning id encrypted for Intel: 256 bytes (type 2, RSA-2048) or 384 (type 3,
    /// RSA-3072).
    pub encrypted_ppid: Option<Vec<u8>>,
    /// CPUSVN of the TCB that the PCK is of.
    pub cpu_svn: [u8; 16],
    /// PCESVN of the TCB that the PCK is of.
    pub pce_svn: u16,
    /// Identifier of the provisioning certification enclave, in the order of the bytes of the quote.
    pub pce_id: [u8; 2],
}

/// TCB info of the platforms of `fmspc`: `/{sgx|tdx}/certification/v4/tcb?fmspc=…&update=…`.
pub fn tcb_info_request(family: Family, fmspc: [u8; 6], channel: UpdateChannel) -> CollateralRequest {
    let fmspc = hex::encode(fmspc);
    let tee = family.as_str();
    request(
        CollateralKind::TcbInformation,
        format!("{family} TCB info of FMSPC {fmspc}, {channel} channel"),
        format!("tcb-info/{tee}/{fmspc}/{channel}"),
        vec![format!("tcb-info/{tee}/{fmspc}-{channel}.json"), format!("tcb-info/{tee}/{fmspc}.json")],
        format!("/{tee}/certification/v4/tcb?fmspc={fmspc}&update={channel}"),
        &["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"],
    )
}

/// The identity of the quoting enclave: `/{sgx|tdx}/certification/v4/qe/identity?update=…`.
pub fn qe_identity_request(family: Family, channel: UpdateChannel) -> CollateralRequest {
    let tee = family.as_str();
    request(
        CollateralKind::TcbInformation,
        format!("identity of the {family} quoting enclave, {channel} channel"),
        format!("qe-identity/{tee}/{channel}"),
        vec![format!("qe-identity/{tee}-{channel}.json"), format!("qe-identity/{tee}.json")],
        format!("/{tee}/certification/v4/qe/identity?update={channel}"),
        &["SGX-Enclave-Identity-Issuer-Chain"],
    )
}

/// The revocation list of an authority for PCK certificates:
/// `/sgx/certification/v4/pckcrl?ca={platform|processor}&encoding=der`.
pub fn pck_crl_request(ca: PckCa) -> CollateralRequest {
    let ca_name = ca.as_str();
    request(
        CollateralKind::Crl,
        format!("revocation list of {}", ca.common_name()),
        format!("pck-crl/{ca_name}"),
        vec![format!("pck-crl/{ca_name}.der"), format!("pck-crl/{ca_name}.pem")],
        format!("/sgx/certification/v4/pckcrl?ca={ca_name}&encoding=der"),
        &["SGX-PCK-CRL-Issuer-Chain"],
    )
}

/// The revocation list of the root: `/IntelSGXRootCA.der`. Another host has it than the rest,
/// `certificates.trustedservices.intel.com`.
pub fn root_crl_request() -> CollateralRequest {
    request(
        CollateralKind::Crl,
        "revocation list of Intel SGX Root CA".to_owned(),
        "root-crl".to_owned(),
        vec!["root-crl.der".to_owned(), "root-crl.pem".to_owned()],
        "/IntelSGXRootCA.der".to_owned(),
        &[],
    )
}

/// The PCK certificate of a platform:
/// `/sgx/certification/v4/pckcert?encrypted_ppid=…&cpusvn=…&pcesvn=…&pceid=…`, all in lower case hex,
/// numbers little endian. `None` where the quote has no encrypted PPID, or one of a length that does
/// not exist.
pub fn pck_certificate_request(ids: &PlatformIds) -> Option<CollateralRequest> {
    let encrypted_ppid = ids.encrypted_ppid.as_ref().filter(|ppid| matches!(ppid.len(), 256 | 384))?;
    let ppid = hex::encode(encrypted_ppid);
    let cpu_svn = hex::encode(ids.cpu_svn);
    let pce_svn = hex::encode(ids.pce_svn.to_le_bytes());
    let pce_id = hex::encode(ids.pce_id);
    // The encrypted PPID is longer than a cache key may be.
    let platform = Digest::sha256(encrypted_ppid).to_hex();
    let key = format!("pck-certificate/{platform}/{cpu_svn}/{pce_svn}/{pce_id}");
    Some(request(
        CollateralKind::Certificates,
        format!("PCK certificate at CPUSVN {cpu_svn}, PCESVN {}, PCE id {pce_id}", ids.pce_svn),
        key.clone(),
        vec![format!("{key}.pem")],
        format!(
            "/sgx/certification/v4/pckcert?encrypted_ppid={ppid}&cpusvn={cpu_svn}&pcesvn={pce_svn}&pceid={pce_id}"
        ),
        &["SGX-PCK-Certificate-Issuer-Chain"],
    ))
}

fn request(
    kind: CollateralKind,
    description: String,
    cache_key: String,
    offline_paths: Vec<String>,
    service_path: String,
    chain_headers: &[&str],
) -> CollateralRequest {
    CollateralRequest {
        vendor: Vendor::Intel,
        kind,
        description,
        cache_key,
        offline_paths: offline_paths.into_iter().map(|path| format!("intel/{path}")).collect(),
        service_path,
        chain_headers: chain_headers.iter().map(|&name| name.to_owned()).collect(),
        required: true,
        max_len: MAX_COLLATERAL_LEN,
    }
}
