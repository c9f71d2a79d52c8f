//! The shape of Intel's certificates, lists, TCB info and identities, as found in those of the PCS.

use assay_types::{UnixTime, Validity};
use sha2::{Digest as _, Sha256};

use super::certificate::{CertificateTemplate, Name};
use super::crl::CrlTemplate;
use super::identity::{EnclaveTcbLevel, Identity, IdentityKind};
use super::level::TcbLevelName;
use super::oid;
use super::pck::{PckCa, Platform};
use super::silicon::{IntelSilicon, Role};
use super::tcb_info::{TcbInfo, TdxModule, TdxModuleIdentity};
use crate::asn1;
use crate::ec_key::EcKey;
use crate::extension::{Extension, authority_key_id, distribution_point, key_id};

/// When the vendor's own certificates are valid: 2024-01-01 to 2049-01-01.
pub const AUTHORITY_VALIDITY: Validity =
    Validity { not_before: UnixTime(1_704_067_200), not_after: UnixTime(2_493_072_000) };

/// When PCK certificates are valid, and collateral where no time is given: 2025-01-01 to 2032-01-01.
pub const COLLATERAL_VALIDITY: Validity =
    Validity { not_before: UnixTime(1_735_689_600), not_after: UnixTime(1_956_528_000) };

/// Collateral that was issued `now` and is due again in 30 days, as Intel's is.
pub const fn thirty_days(now: UnixTime) -> Validity {
    Validity { not_before: now, not_after: now.plus(30 * 86_400) }
}

/// Where the root's revocation list would be.
const ROOT_CRL: &str = "https://certificates.emulator.invalid/IntelSGXRootCA.der";

impl IntelSilicon {
    /// The certificate of an authority, or of the key that signs TCB info.
    pub fn authority(&self, role: Role) -> CertificateTemplate {
        let root_id = key_id(&self.key(Role::Root).public_key_info());
        let public_key = self.key(role).public_key_info();
        let own_id = key_id(&public_key);
        let path_len = match role {
            Role::Root => Some(1),
            Role::PlatformCa | Role::ProcessorCa => Some(0),
            Role::TcbSigning => None,
        };
        CertificateTemplate {
            serial: own_id.clone(),
            issuer: Name::new(Role::Root.common_name()),
            validity: AUTHORITY_VALIDITY,
            subject: Name::new(role.common_name()),
            public_key,
            extensions: extensions(&root_id, ROOT_CRL, &own_id, path_len),
            signer: self.key(Role::Root),
            broken_signature: false,
        }
    }

    /// The PCK certificate of a platform.
    pub fn pck_certificate(&self, platform: &Platform) -> CertificateTemplate {
        let authority = self.key(Role::of(platform.ca));
        let public_key = self.pck_key(platform).public_key_info();
        let crl = format!(
            "https://api.emulator.invalid/sgx/certification/v4/pckcrl?ca={}&encoding=der",
            platform.ca.as_str()
        );
        let mut extensions =
            extensions(&key_id(&authority.public_key_info()), &crl, &key_id(&public_key), None);
        extensions.push(Extension::plain(oid::SGX, platform.extension().to_der()));
        CertificateTemplate {
            serial: self.pck_serial(platform),
            issuer: Name::new(platform.ca.common_name()),
            validity: COLLATERAL_VALIDITY,
            subject: Name::new("Intel SGX PCK Certificate"),
            public_key,
            extensions,
            signer: authority,
            broken_signature: false,
        }
    }

    /// The revocation list of an authority; nothing is revoked.
    pub fn crl(&self, role: Role, validity: Validity) -> CrlTemplate {
        let signer: EcKey = self.key(role);
        CrlTemplate {
            issuer: Name::new(role.common_name()),
            this_update: validity.not_before,
            next_update: Some(validity.not_after),
            revoked: Vec::new(),
            number: 1,
            authority_key_id: key_id(&signer.public_key_info()),
            signer,
            broken_signature: false,
        }
    }
}

/// Intel's extensions in Intel's order: authority, place of the list, subject, usage, constraints.
fn extensions(authority: &[u8], crl: &str, subject: &[u8], path_len: Option<u64>) -> Vec<Extension> {
    let (usage, constraints) = match path_len {
        // keyCertSign and cRLSign; cA TRUE and the length
        Some(len) => {
            (vec![0x03, 0x02, 0x01, 0x06], asn1::sequence(&[asn1::BOOLEAN_TRUE, &asn1::integer(len)]))
        }
        // digitalSignature and nonRepudiation; cA FALSE
        None => (vec![0x03, 0x02, 0x06, 0xc0], asn1::sequence(&[])),
    };
    vec![
        Extension::plain(oid::AUTHORITY_KEY_ID, authority_key_id(authority)),
        Extension::plain(oid::CRL_DISTRIBUTION_POINTS, distribution_point(crl)),
        Extension::plain(oid::SUBJECT_KEY_ID, asn1::octet_string(subject)),
        Extension::critical(oid::KEY_USAGE, usage),
        Extension::critical(oid::BASIC_CONSTRAINTS, constraints),
    ]
}

/// The TCB info of a kind of platform.
pub(super) fn tcb_info(platform: &Platform, tdx: bool, number: u64, validity: Validity) -> TcbInfo {
    TcbInfo {
        id: if tdx { "TDX" } else { "SGX" }.into(),
        version: 3,
        issue_date: validity.not_before.to_string(),
        next_update: validity.not_after.to_string(),
        fmspc: hex::encode_upper(platform.fmspc),
        pce_id: hex::encode_upper(platform.pce_id),
        tcb_type: 0,
        tcb_evaluation_data_number: number,
        tdx_module: tdx.then(|| TdxModule {
            mrsigner: "00".repeat(48),
            attributes: "00".repeat(8),
            attributes_mask: "FF".repeat(8),
        }),
        tdx_module_identities: tdx.then(tdx_module_identities),
        tcb_levels: TcbLevelName::ALL.into_iter().map(|level| level.to_level(tdx)).collect(),
    }
}

fn tdx_module_identities() -> Vec<TdxModuleIdentity> {
    let identity = |id: &str, tcb_levels| TdxModuleIdentity {
        id: id.into(),
        mrsigner: "00".repeat(48),
        attributes: "00".repeat(8),
        attributes_mask: "FF".repeat(8),
        tcb_levels,
    };
    let level = EnclaveTcbLevel::new;
    vec![
        identity(
            "TDX_03",
            vec![
                level(3, "2024-11-13T00:00:00Z", "UpToDate", &[]),
                level(2, "2024-03-13T00:00:00Z", "OutOfDate", &["INTEL-SA-01192"]),
            ],
        ),
        identity(
            "TDX_01",
            vec![
                level(6, "2024-11-13T00:00:00Z", "UpToDate", &[]),
                level(4, "2024-03-13T00:00:00Z", "OutOfDate", &["INTEL-SA-01036", "INTEL-SA-01099"]),
                level(2, "2023-08-09T00:00:00Z", "OutOfDate", &["INTEL-SA-01036", "INTEL-SA-01099"]),
                level(1, "2022-11-09T00:00:00Z", "Revoked", &["INTEL-SA-01099"]),
            ],
        ),
    ]
}

/// The identity of a quoting enclave.
pub(super) fn identity(kind: IdentityKind, number: u64, validity: Validity) -> Identity {
    let level = EnclaveTcbLevel::new;
    let svn = kind.isv_svn();
    Identity {
        id: kind.as_str().into(),
        version: 2,
        issue_date: validity.not_before.to_string(),
        next_update: validity.not_after.to_string(),
        tcb_evaluation_data_number: number,
        miscselect: "00000000".into(),
        miscselect_mask: "FFFFFFFF".into(),
        attributes: "11000000000000000000000000000000".into(),
        attributes_mask: "FBFFFFFFFFFFFFFF0000000000000000".into(),
        mrsigner: hex::encode_upper(qe_mr_signer(kind)),
        isvprodid: kind.isv_prod_id().into(),
        tcb_levels: vec![
            level(svn, "2024-11-13T00:00:00Z", "UpToDate", &[]),
            level(svn - 2, "2023-08-09T00:00:00Z", "OutOfDate", &["INTEL-SA-00477"]),
            level(svn - 3, "2019-05-15T00:00:00Z", "Revoked", &["INTEL-SA-00219"]),
        ],
    }
}

/// MRSIGNER of a quoting enclave: SHA-256 of the text `assay emulator QE signer`, for that of TDX with `TD_QE`.
pub(super) fn qe_mr_signer(kind: IdentityKind) -> [u8; 32] {
    Sha256::digest(format!("assay emulator {} signer", kind.as_str())).into()
}

/// Both authorities that certify platforms.
pub(super) const PCK_CAS: [PckCa; 2] = [PckCa::Platform, PckCa::Processor];
