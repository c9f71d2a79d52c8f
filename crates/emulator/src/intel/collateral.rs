//! Everything that the vendor publishes about a platform.

use assay_types::{Tee, Validity};
use serde_json::{Value, json};

use super::certificate::{CertificateTemplate, pem_chain};
use super::crl::CrlTemplate;
use super::identity::{Identity, IdentityKind};
use super::level::TcbLevelName;
use super::pck::{PckCa, Platform};
use super::shape::{PCK_CAS, identity, tcb_info};
use super::signed_json::SignedJson;
use super::silicon::{IntelSilicon, Role};
use super::tcb_info::TcbInfo;
use crate::EmulatorError;

/// The number of the evaluation in the standard channel.
const STANDARD_NUMBER: u64 = 18;
/// The number of the evaluation in the early channel.
const EARLY_NUMBER: u64 = 19;

/// Which evaluation of the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The one that is in force.
    Standard,
    /// The next one.
    Early,
}

/// What the vendor publishes, as templates: change any of them, then ask for answers
/// ([`Collateral::answer`]) or for the whole ([`Collateral::to_json`]).
#[derive(Clone, Debug)]
pub struct Collateral {
    /// The silicon that it is about.
    pub silicon: IntelSilicon,
    /// The platform that it is about.
    pub platform: Platform,
    /// The root's certificate.
    pub root: CertificateTemplate,
    /// The certificate of the Platform CA.
    pub platform_ca: CertificateTemplate,
    /// The certificate of the Processor CA.
    pub processor_ca: CertificateTemplate,
    /// The certificate of the key that signs TCB info and identities.
    pub tcb_signing: CertificateTemplate,
    /// The platform's PCK certificate, for quotes that only name it.
    pub pck: CertificateTemplate,
    /// The root's revocation list.
    pub root_crl: CrlTemplate,
    /// The revocation list of the Platform CA.
    pub platform_crl: CrlTemplate,
    /// The revocation list of the Processor CA.
    pub processor_crl: CrlTemplate,
    /// The TCB info for SGX.
    pub sgx_tcb_info: SignedJson<TcbInfo>,
    /// The TCB info for TDX.
    pub tdx_tcb_info: SignedJson<TcbInfo>,
    /// The identity of the quoting enclave of SGX.
    pub qe_identity: SignedJson<Identity>,
    /// The identity of the quoting enclave of TDX.
    pub td_qe_identity: SignedJson<Identity>,
    /// The number of the evaluation in the early channel, 19. That of the standard channel, 18, stands in the
    /// templates.
    pub early_number: u64,
    /// Puts the PCK certificate's chain into [`Collateral::to_json`] too, for quotes that only name it.
    pub with_pck_chain: bool,
}

impl Collateral {
    pub(super) fn new(silicon: &IntelSilicon, platform: &Platform, validity: Validity) -> Self {
        let signer = || silicon.key(Role::TcbSigning);
        let info = |tdx| SignedJson::new(tcb_info(platform, tdx, STANDARD_NUMBER, validity), signer());
        let enclave = |kind| SignedJson::new(identity(kind, STANDARD_NUMBER, validity), signer());
        let mut collateral = Collateral {
            silicon: silicon.clone(),
            platform: platform.clone(),
            root: silicon.authority(Role::Root),
            platform_ca: silicon.authority(Role::PlatformCa),
            processor_ca: silicon.authority(Role::ProcessorCa),
            tcb_signing: silicon.authority(Role::TcbSigning),
            pck: silicon.pck_certificate(platform),
            root_crl: silicon.crl(Role::Root, validity),
            platform_crl: silicon.crl(Role::PlatformCa, validity),
            processor_crl: silicon.crl(Role::ProcessorCa, validity),
            sgx_tcb_info: info(false),
            tdx_tcb_info: info(true),
            qe_identity: enclave(IdentityKind::Qe),
            td_qe_identity: enclave(IdentityKind::TdQe),
            early_number: EARLY_NUMBER,
            with_pck_chain: false,
        };
        collateral.revoke_levels_of(&Platform { ppid: silicon.revoked_ppid(), ..platform.clone() });
        collateral
    }

    /// Everything as the early channel has it: the other number, nothing else.
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        if channel == Channel::Early {
            let number = self.early_number;
            for info in [&mut self.sgx_tcb_info, &mut self.tdx_tcb_info] {
                info.content.tcb_evaluation_data_number = number;
            }
            for identity in [&mut self.qe_identity, &mut self.td_qe_identity] {
                identity.content.tcb_evaluation_data_number = number;
            }
        }
        self
    }

    /// Puts a platform's PCK certificate on the list of its authority.
    pub fn revoke(&mut self, platform: &Platform) {
        let serial = self.silicon.pck_serial(platform);
        self.crl_mut(platform.ca).revoke(&serial);
    }

    /// Puts the PCK certificates of the platform at every level and under both authorities on the lists.
    pub fn revoke_every_level(&mut self) {
        self.revoke_levels_of(&self.platform.clone());
    }

    fn revoke_levels_of(&mut self, platform: &Platform) {
        for ca in PCK_CAS {
            for level in TcbLevelName::ALL {
                let mut platform = Platform { ca, ..platform.clone() };
                platform.set_cpu_svn(level.cpu_svn());
                platform.pce_svn = level.pce_svn();
                self.revoke(&platform);
            }
        }
    }

    /// Puts an authority, or the key that signs TCB info, on the root's list.
    pub fn revoke_authority(&mut self, role: Role) {
        let serial = self.authority(role).serial.clone();
        self.root_crl.revoke(&serial);
    }

    /// The certificate of an authority or of the key that signs TCB info.
    pub fn authority(&self, role: Role) -> &CertificateTemplate {
        match role {
            Role::Root => &self.root,
            Role::PlatformCa => &self.platform_ca,
            Role::ProcessorCa => &self.processor_ca,
            Role::TcbSigning => &self.tcb_signing,
        }
    }

    /// The revocation list of an authority that certifies platforms.
    pub fn crl(&self, ca: PckCa) -> &CrlTemplate {
        match ca {
            PckCa::Platform => &self.platform_crl,
            PckCa::Processor => &self.processor_crl,
        }
    }

    /// The same to be changed.
    pub fn crl_mut(&mut self, ca: PckCa) -> &mut CrlTemplate {
        match ca {
            PckCa::Platform => &mut self.platform_crl,
            PckCa::Processor => &mut self.processor_crl,
        }
    }

    /// The chain of the key that signs TCB info and identities, PEM: its certificate, then the root's.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn tcb_signing_chain(&self) -> Result<String, EmulatorError> {
        Ok(pem_chain(&[self.tcb_signing.issue()?, self.root.issue()?]))
    }

    /// The chain of an authority that certifies platforms, PEM: its certificate, then the root's.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn ca_chain(&self, ca: PckCa) -> Result<String, EmulatorError> {
        Ok(pem_chain(&[self.authority(Role::of(ca)).issue()?, self.root.issue()?]))
    }

    /// All that a quote of `tee` is verified with, as one object (the members of sgx_ql_qve_collateral_t, as
    /// dcap-qvl and others write them): `pck_crl_issuer_chain`, `root_ca_crl` and `pck_crl` (hexadecimal
    /// DER), `tcb_info_issuer_chain`, `tcb_info` (text), `tcb_info_signature` (hexadecimal),
    /// `qe_identity_issuer_chain`, `qe_identity` (text), `qe_identity_signature` (hexadecimal), and
    /// `pck_certificate_chain` where it is wished for.
    ///
    /// # Errors
    /// [`EmulatorError::Date`], [`EmulatorError::NotIntel`] for another TEE than TDX and SGX.
    pub fn to_json(&self, tee: Tee) -> Result<Value, EmulatorError> {
        let (info, identity) = match tee {
            Tee::Tdx => (&self.tdx_tcb_info, &self.td_qe_identity),
            Tee::Sgx => (&self.sgx_tcb_info, &self.qe_identity),
            tee => return Err(EmulatorError::NotIntel { tee }),
        };
        let (info, identity) = (info.issue(), identity.issue());
        let signing_chain = self.tcb_signing_chain()?;
        let mut out = json!({
            "pck_crl_issuer_chain": self.ca_chain(self.platform.ca)?,
            "root_ca_crl": hex::encode(self.root_crl.issue()?),
            "pck_crl": hex::encode(self.crl(self.platform.ca).issue()?),
            "tcb_info_issuer_chain": signing_chain,
            "tcb_info": info.text,
            "tcb_info_signature": hex::encode(info.signature),
            "qe_identity_issuer_chain": signing_chain,
            "qe_identity": identity.text,
            "qe_identity_signature": hex::encode(identity.signature),
        });
        if let (true, Some(members)) = (self.with_pck_chain, out.as_object_mut()) {
            let chain = format!("{}{}", pem_chain(&[self.pck.issue()?]), self.ca_chain(self.platform.ca)?);
            members.insert("pck_certificate_chain".into(), chain.into());
        }
        Ok(out)
    }
}
