//! A TD's or an enclave's evidence, built from a good one by changing single things.

use assay_types::Validity;
use sha2::{Digest as _, Sha256, Sha384};

use super::boot::Boot;
use super::certificate::CertificateTemplate;
use super::certification::Certification;
use super::collateral::Collateral;
use super::event_log::EventLog;
use super::identity::IdentityKind;
use super::level::TcbLevelName;
use super::pck::Platform;
use super::quote::{INTEL_QE_VENDOR_ID, QuoteHeader, QuoteSignature};
use super::report::{Body, EnclaveReport, TdExtension, TdReport, attributes};
use super::silicon::IntelSilicon;
use crate::ec_key::EcKey;

/// A TD or an enclave under construction. Every step is optional; without any the evidence is genuine.
/// What stands further down the chain follows what is changed: signatures are made of the changed bytes.
///
/// ```
/// use assay_emulator::{IntelSilicon, Seed};
///
/// let silicon = IntelSilicon::new(Seed::DEVELOPMENT);
/// let evidence = silicon.td().td_report(|td| td.xfam = 3).qe_report(|qe| qe.isv_svn = 1).build()?;
/// assert_eq!(evidence.quote.get(..2), Some([4, 0].as_slice()));
/// # Ok::<(), assay_emulator::EmulatorError>(())
/// ```
pub struct IntelGuest<'a> {
    pub(super) silicon: IntelSilicon,
    pub(super) platform: Platform,
    pub(super) header: QuoteHeader,
    pub(super) body: Body,
    pub(super) boot: Boot,
    pub(super) log: Option<EventLog>,
    pub(super) auth_data: Vec<u8>,
    pub(super) certification: Certification,
    pub(super) revoked: bool,
    pub(super) attestation_key: EcKey,
    pub(super) quote_signer: Option<EcKey>,
    pub(super) qe_signer: Option<EcKey>,
    pub(super) edits: Edits<'a>,
}

pub(super) type Edit<'a, T> = Vec<Box<dyn FnOnce(&mut T) + 'a>>;

#[derive(Default)]
pub(super) struct Edits<'a> {
    pub(super) sent_log: Edit<'a, EventLog>,
    pub(super) log_bytes: Edit<'a, Vec<u8>>,
    pub(super) signed_part: Edit<'a, Vec<u8>>,
    pub(super) qe_report: Edit<'a, EnclaveReport>,
    pub(super) qe_report_bytes: Edit<'a, Vec<u8>>,
    pub(super) pck: Edit<'a, CertificateTemplate>,
    pub(super) authority: Edit<'a, CertificateTemplate>,
    pub(super) root: Edit<'a, CertificateTemplate>,
    pub(super) chain: Edit<'a, Vec<Vec<u8>>>,
    pub(super) signature: Edit<'a, QuoteSignature>,
    pub(super) quote: Edit<'a, Vec<u8>>,
}

/// SHA-384 of a text, the measurement of a thing that is the same for every seed.
fn measurement(text: &str) -> [u8; 48] {
    Sha384::digest(text).into()
}

impl<'a> IntelGuest<'a> {
    pub(super) fn td(silicon: &IntelSilicon) -> Self {
        let body = Body::Td(TdReport {
            tee_tcb_svn: tee_tcb_svn(TcbLevelName::UpToDate),
            mr_seam: measurement("assay emulator TDX module"),
            mr_signer_seam: [0; 48],
            seam_attributes: [0; 8],
            td_attributes: attributes::TD_SEPT_VE_DISABLE,
            xfam: 0x642e7,
            mr_td: measurement("assay emulator TD"),
            mr_config_id: [0; 48],
            mr_owner: [0; 48],
            mr_owner_config: [0; 48],
            rtmr: [[0; 48]; 4],
            report_data: [0; 64],
            extension: None,
        });
        let mut guest = IntelGuest::new(silicon, 4, 0x81, body);
        guest.measure(guest.boot.event_log());
        guest
    }

    pub(super) fn enclave(silicon: &IntelSilicon) -> Self {
        let platform = silicon.platform();
        let body = Body::Enclave(EnclaveReport {
            cpu_svn: platform.cpu_svn,
            flags: attributes::SGX_INIT | attributes::SGX_MODE64,
            xfrm: 0xe7,
            mr_enclave: Sha256::digest("assay emulator enclave").into(),
            mr_signer: Sha256::digest("assay emulator enclave signer").into(),
            isv_prod_id: 1,
            isv_svn: 1,
            ..EnclaveReport::default()
        });
        let mut guest = IntelGuest::new(silicon, 3, 0, body);
        guest.header.qe_svn = IdentityKind::Qe.isv_svn();
        guest.header.pce_svn = platform.pce_svn;
        guest
    }

    fn new(silicon: &IntelSilicon, version: u16, tee_type: u32, body: Body) -> Self {
        let mut user_data = [0; 20];
        for (to, from) in user_data.iter_mut().zip(silicon.qe_id()) {
            *to = from;
        }
        IntelGuest {
            silicon: silicon.clone(),
            platform: silicon.platform(),
            header: QuoteHeader {
                version,
                attestation_key_type: 2,
                tee_type,
                qe_svn: 0,
                pce_svn: 0,
                qe_vendor_id: INTEL_QE_VENDOR_ID,
                user_data,
            },
            body,
            boot: Boot::default(),
            log: None,
            auth_data: (0..32).collect(),
            certification: Certification::PckChain,
            revoked: false,
            attestation_key: silicon.attestation_key(),
            quote_signer: None,
            qe_signer: None,
            edits: Edits::default(),
        }
    }

    /// The log with its measurements.
    fn measure(&mut self, log: EventLog) {
        if let Body::Td(td) = &mut self.body {
            td.rtmr = log.replay();
            self.log = Some(log);
        }
    }

    /// The version of the quote. From 5 on, a descriptor of the body follows the header.
    #[must_use]
    pub fn version(mut self, version: u16) -> Self {
        self.header.version = version;
        self
    }

    /// The report of TDX 1.5 instead of 1.0, with the same versions of the module at launch and now. Quotes
    /// carry it from version 5 on, so this sets that version.
    #[must_use]
    pub fn tdx_1_5(mut self) -> Self {
        if let Body::Td(td) = &mut self.body {
            td.extension = Some(TdExtension { tee_tcb_svn2: td.tee_tcb_svn, mr_service_td: [0; 48] });
        }
        self.version(5)
    }

    /// Changes the platform. The PCK, its certificate and the CPUSVN in the reports of its enclaves follow.
    #[must_use]
    pub fn platform(mut self, edit: impl FnOnce(&mut Platform)) -> Self {
        let before = self.platform.cpu_svn;
        edit(&mut self.platform);
        if let Body::Enclave(report) = &mut self.body
            && report.cpu_svn == before
        {
            report.cpu_svn = self.platform.cpu_svn;
        }
        self
    }

    /// A platform of just this level.
    #[must_use]
    pub fn tcb_level(mut self, level: TcbLevelName) -> Self {
        if let Body::Td(td) = &mut self.body {
            let extension = td.extension.as_mut().map(|extension| &mut extension.tee_tcb_svn2);
            for svn in [Some(&mut td.tee_tcb_svn), extension].into_iter().flatten() {
                let [_, _, microcode, ..] = svn;
                *microcode = level.tdx_microcode();
            }
        }
        self.platform(|platform| {
            platform.set_cpu_svn(level.cpu_svn());
            platform.pce_svn = level.pce_svn();
        })
    }

    /// A platform whose PCK certificate the vendor has revoked, that of [`IntelSilicon::revoked_ppid`]. The
    /// evidence is genuine; what the vendor publishes says it.
    #[must_use]
    pub fn pck_revoked(mut self, revoked: bool) -> Self {
        self.revoked = revoked;
        let ppid = if revoked { self.silicon.revoked_ppid() } else { self.silicon.platform().ppid };
        self.platform(|platform| platform.ppid = ppid)
    }

    /// Changes the header.
    #[must_use]
    pub fn header(mut self, edit: impl FnOnce(&mut QuoteHeader)) -> Self {
        edit(&mut self.header);
        self
    }

    /// Changes the report of a TD; does nothing to an enclave. What changes the registers by
    /// measuring comes first: [`IntelGuest::boot`], [`IntelGuest::event_log`].
    #[must_use]
    pub fn td_report(mut self, edit: impl FnOnce(&mut TdReport)) -> Self {
        if let Body::Td(td) = &mut self.body {
            edit(td);
        }
        self
    }

    /// Changes the report of an enclave; does nothing to a TD.
    #[must_use]
    pub fn enclave_report(mut self, edit: impl FnOnce(&mut EnclaveReport)) -> Self {
        if let Body::Enclave(report) = &mut self.body {
            edit(report);
        }
        self
    }

    /// Boots something else: the log is made anew, and the registers follow.
    #[must_use]
    pub fn boot(mut self, edit: impl FnOnce(&mut Boot)) -> Self {
        edit(&mut self.boot);
        let log = self.boot.event_log();
        self.measure(log);
        self
    }

    /// Changes the log before it is measured: the registers follow.
    #[must_use]
    pub fn event_log(mut self, edit: impl FnOnce(&mut EventLog)) -> Self {
        if let Some(mut log) = self.log.take() {
            edit(&mut log);
            self.measure(log);
        }
        self
    }

    /// Changes the log after it was measured: the registers do not follow.
    #[must_use]
    pub fn sent_log(mut self, edit: impl FnOnce(&mut EventLog) + 'a) -> Self {
        self.edits.sent_log.push(Box::new(edit));
        self
    }

    /// Changes the bytes of the log that is sent.
    #[must_use]
    pub fn log_bytes(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.edits.log_bytes.push(Box::new(edit));
        self
    }

    /// Sends no log. The registers stay.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.log = None;
        self
    }

    /// Changes the bytes that the attestation key signs: header, descriptor, report.
    #[must_use]
    pub fn signed_part(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.edits.signed_part.push(Box::new(edit));
        self
    }

    /// Another attestation key, which the quoting enclave vouches for. It is on P-256.
    #[must_use]
    pub fn attestation_key(mut self, key: EcKey) -> Self {
        self.attestation_key = key;
        self
    }

    /// Another key signs the quote than the one that it names.
    #[must_use]
    pub fn quote_signer(mut self, key: EcKey) -> Self {
        self.quote_signer = Some(key);
        self
    }

    /// What the quoting enclave adds to its key. Its report follows.
    #[must_use]
    pub fn auth_data(mut self, data: Vec<u8>) -> Self {
        self.auth_data = data;
        self
    }

    /// Changes the report of the quoting enclave before it is signed.
    #[must_use]
    pub fn qe_report(mut self, edit: impl FnOnce(&mut EnclaveReport) + 'a) -> Self {
        self.edits.qe_report.push(Box::new(edit));
        self
    }

    /// Changes the bytes of that report before they are signed.
    #[must_use]
    pub fn qe_report_bytes(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.edits.qe_report_bytes.push(Box::new(edit));
        self
    }

    /// Another key signs that report than the platform's PCK.
    #[must_use]
    pub fn qe_signer(mut self, key: EcKey) -> Self {
        self.qe_signer = Some(key);
        self
    }

    /// How the quote says which PCK it was. Default [`Certification::PckChain`].
    #[must_use]
    pub fn certification(mut self, certification: Certification) -> Self {
        self.certification = certification;
        self
    }

    /// Changes the PCK certificate before it is signed.
    #[must_use]
    pub fn pck(mut self, edit: impl FnOnce(&mut CertificateTemplate) + 'a) -> Self {
        self.edits.pck.push(Box::new(edit));
        self
    }

    /// Changes the certificate of the PCK's authority before it is signed.
    #[must_use]
    pub fn authority(mut self, edit: impl FnOnce(&mut CertificateTemplate) + 'a) -> Self {
        self.edits.authority.push(Box::new(edit));
        self
    }

    /// Changes the certificate of the root, as it comes with the quote, before it is signed.
    #[must_use]
    pub fn root(mut self, edit: impl FnOnce(&mut CertificateTemplate) + 'a) -> Self {
        self.edits.root.push(Box::new(edit));
        self
    }

    /// Changes the chain of certificates: DER, the PCK's first.
    #[must_use]
    pub fn chain(mut self, edit: impl FnOnce(&mut Vec<Vec<u8>>) + 'a) -> Self {
        self.edits.chain.push(Box::new(edit));
        self
    }

    /// Changes signatures, keys and certification data after everything was signed.
    #[must_use]
    pub fn signature(mut self, edit: impl FnOnce(&mut QuoteSignature) + 'a) -> Self {
        self.edits.signature.push(Box::new(edit));
        self
    }

    /// Changes the bytes of the finished quote.
    #[must_use]
    pub fn quote_bytes(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.edits.quote.push(Box::new(edit));
        self
    }

    /// The platform as it stands.
    pub fn current_platform(&self) -> &Platform {
        &self.platform
    }

    /// The report as it stands.
    pub fn current_body(&self) -> &Body {
        &self.body
    }

    /// The log as it stands, before it is changed on its way.
    pub fn current_log(&self) -> Option<&EventLog> {
        self.log.as_ref()
    }

    /// What the vendor publishes about this platform, see [`IntelSilicon::collateral`]. Where the quote only
    /// names its PCK certificate, the chain is with the collateral. Changes by [`IntelGuest::pck`] and the
    /// like do not reach it.
    pub fn collateral(&self, validity: Validity) -> Collateral {
        let mut collateral = self.silicon.collateral(&self.platform, validity);
        collateral.with_pck_chain = self.certification != Certification::PckChain;
        if self.revoked {
            collateral.revoke(&self.platform);
        }
        collateral
    }
}

/// TEE_TCB_SVN of a module of version 1.6 on a platform of that level.
fn tee_tcb_svn(level: TcbLevelName) -> [u8; 16] {
    let mut svn = [0; 16];
    let [first, second, third, ..] = &mut svn;
    (*first, *second, *third) = (6, 1, level.tdx_microcode());
    svn
}
