//! A guest's evidence, built from a good one by changing single things.

use assay_tee_snp::evidence::{
    CertEntry, CertType, ECDSA_P384_SHA384, FirmwareVersion, REPORT_LEN, Report, SnpEvidence, TcbVersion,
    policy,
};
use assay_tee_snp::{KeyKind, Product};
use serde_json::Value;

use super::LAUNCH_MEASUREMENT;
use super::certificate::{Authority, CertificateTemplate};
use super::crl::CrlTemplate;
use super::shape::CSP_ID;
use super::silicon::{EndorsementKeyId, SnpSilicon};
use crate::EmulatorError;

/// Which certificates come along with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// None: `cert_chain` is null.
    None,
    /// The endorsement key's alone.
    Vek,
    /// The endorsement key's and its authority's (ASK or ASVK, which has the type ASK too).
    Chain,
    /// These and the ARK's.
    Full,
}

/// A guest under construction. Every step is optional; without any the evidence is genuine.
///
/// ```
/// use assay_emulator::{Seed, SnpSilicon};
/// use assay_tee_snp::Product;
///
/// let silicon = SnpSilicon::new(Seed::DEVELOPMENT);
/// let evidence = silicon.guest(Product::Milan).report(|r| r.vmpl = 1).vek(|c| c.serial = 7).build()?;
/// assert_eq!(evidence.report.vmpl, 1);
/// # Ok::<(), assay_emulator::EmulatorError>(())
/// ```
pub struct Guest<'a> {
    silicon: SnpSilicon,
    product: Product,
    kind: KeyKind,
    report: Report,
    certificates: Certificates,
    crl: bool,
    edits: Edits<'a>,
}

type Edit<'a, T> = Vec<Box<dyn FnOnce(&mut T) + 'a>>;

#[derive(Default)]
struct Edits<'a> {
    unsigned_bytes: Edit<'a, [u8; REPORT_LEN]>,
    vek: Edit<'a, CertificateTemplate>,
    authority: Edit<'a, CertificateTemplate>,
    root: Edit<'a, CertificateTemplate>,
    crl: Edit<'a, CrlTemplate>,
}

fn apply<T>(edits: Edit<'_, T>, mut value: T) -> T {
    for edit in edits {
        edit(&mut value);
    }
    value
}

/// A report and the certificates that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestEvidence {
    /// The report's fields, for the JSON form.
    pub report: Report,
    /// The report's bytes, for the raw form. They are those of `report` unless one of the two was
    /// changed by itself.
    pub bytes: [u8; REPORT_LEN],
    /// The certificates.
    pub cert_chain: Option<Vec<CertEntry>>,
}

impl<'a> Guest<'a> {
    pub(super) fn new(silicon: &SnpSilicon, product: Product, kind: KeyKind) -> Self {
        let tcb = match product {
            Product::Milan => TcbVersion { fmc: None, bootloader: 4, tee: 0, snp: 24, microcode: 219 },
            Product::Genoa => TcbVersion { fmc: None, bootloader: 10, tee: 0, snp: 25, microcode: 84 },
            Product::Turin => TcbVersion { fmc: Some(1), bootloader: 1, tee: 0, snp: 2, microcode: 71 },
        };
        let firmware = FirmwareVersion { major: 1, minor: 55, build: 43 };
        let mut report = Report {
            policy: policy::ONE | policy::SMT,
            sig_algo: ECDSA_P384_SHA384,
            plat_info: 0x25,
            measurement: LAUNCH_MEASUREMENT,
            report_id_ma: [0xff; 32],
            current_tcb: tcb,
            reported_tcb: tcb,
            committed_tcb: tcb,
            launch_tcb: tcb,
            current: firmware,
            committed: firmware,
            chip_id: silicon.chip_id(product),
            ..Report::default()
        };
        silicon.bytes(&format!("snp/{product}/report id"), &mut report.report_id);
        Guest {
            silicon: silicon.clone(),
            product,
            kind,
            report,
            certificates: Certificates::Chain,
            crl: false,
            edits: Edits::default(),
        }
        .signed_by(kind)
        .version(3)
    }

    /// The kind of key that signs. Default VCEK.
    #[must_use]
    pub fn signed_by(mut self, kind: KeyKind) -> Self {
        self.kind = kind;
        let number = match kind {
            KeyKind::Vcek => 0,
            KeyKind::Vlek => 1,
        };
        self.report.key_info = number << 2;
        self
    }

    /// The version of the report, with the fields that it has: CPUID from 3 on, mitigation vectors
    /// from 5 on. Default 3.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        let (family, model, stepping) = match self.product {
            Product::Milan => (0x19, 0x01, 0x01),
            Product::Genoa => (0x19, 0x11, 0x01),
            Product::Turin => (0x1a, 0x02, 0x01),
        };
        let report = &mut self.report;
        report.version = version;
        report.cpuid_fam_id = (version >= 3).then_some(family);
        report.cpuid_mod_id = (version >= 3).then_some(model);
        report.cpuid_step = (version >= 3).then_some(stepping);
        report.launch_mit_vector = (version >= 5).then_some(1);
        report.current_mit_vector = (version >= 5).then_some(1);
        self
    }

    /// Changes the report before it is signed. The endorsement key and its certificate follow the
    /// chip id and the reported TCB version: it is silicon that has these.
    #[must_use]
    pub fn report(mut self, edit: impl FnOnce(&mut Report)) -> Self {
        edit(&mut self.report);
        self
    }

    /// Changes the report's bytes before they are signed, reserved ones too; seen in the raw form
    /// only.
    #[must_use]
    pub fn unsigned_bytes(mut self, edit: impl FnOnce(&mut [u8; REPORT_LEN]) + 'a) -> Self {
        self.edits.unsigned_bytes.push(Box::new(edit));
        self
    }

    /// Changes the certificate of the endorsement key before it is signed.
    #[must_use]
    pub fn vek(mut self, edit: impl FnOnce(&mut CertificateTemplate) + 'a) -> Self {
        self.edits.vek.push(Box::new(edit));
        self
    }

    /// Changes the certificate of the ASK or ASVK before it is signed.
    #[must_use]
    pub fn authority(mut self, edit: impl FnOnce(&mut CertificateTemplate) + 'a) -> Self {
        self.edits.authority.push(Box::new(edit));
        self
    }

    /// Changes the certificate of the ARK before it is signed; it comes along with
    /// [`Certificates::Full`] only.
    #[must_use]
    pub fn root(mut self, edit: impl FnOnce(&mut CertificateTemplate) + 'a) -> Self {
        self.edits.root.push(Box::new(edit));
        self
    }

    /// Sends a revocation list along, changed before it is signed.
    #[must_use]
    pub fn crl(mut self, edit: impl FnOnce(&mut CrlTemplate) + 'a) -> Self {
        self.crl = true;
        self.edits.crl.push(Box::new(edit));
        self
    }

    /// Sends a revocation list along that revokes the authority of the endorsement key.
    #[must_use]
    pub fn revoke_authority(self) -> Self {
        let authority = self.silicon.authority(self.product, Authority::of(self.kind));
        self.crl(move |crl| crl.revoked.push((authority.serial, crl.this_update)))
    }

    /// Which certificates come along. Default [`Certificates::Chain`].
    #[must_use]
    pub fn certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = certificates;
        self
    }

    /// The key that signs the report as it stands.
    pub fn endorsement_key_id(&self) -> EndorsementKeyId {
        let owner = match self.kind {
            KeyKind::Vlek => CSP_ID.as_bytes().to_vec(),
            // A masked chip id hides the chip; it still is one.
            KeyKind::Vcek if self.report.chip_id_masked() => self.silicon.chip_id(self.product).to_vec(),
            KeyKind::Vcek => self.report.chip_id.to_vec(),
        };
        EndorsementKeyId { product: self.product, kind: self.kind, tcb: self.report.reported_tcb, owner }
    }

    /// Signs everything.
    ///
    /// # Errors
    /// [`EmulatorError::Date`].
    pub fn build(self) -> Result<GuestEvidence, EmulatorError> {
        let id = self.endorsement_key_id();
        let Guest { silicon, product, kind, mut report, certificates, crl, edits } = self;
        let mut bytes = apply(edits.unsigned_bytes, report.to_bytes());
        report.signature = silicon.endorsement_key(&id).sign(&bytes);
        put_signature(&mut bytes, &report);

        let authority = Authority::of(kind);
        let mut entries = Vec::new();
        let mut add = |cert_type, data| entries.push(CertEntry { cert_type, data });
        if certificates != Certificates::None {
            silicon.prepare(&[(product, Authority::Ark), (product, authority)]);
        }
        if certificates == Certificates::Full {
            add(
                CertType::Ark,
                silicon.issue(&apply(edits.root, silicon.authority(product, Authority::Ark)))?,
            );
        }
        if matches!(certificates, Certificates::Chain | Certificates::Full) {
            add(
                CertType::Ask,
                silicon.issue(&apply(edits.authority, silicon.authority(product, authority)))?,
            );
        }
        if certificates != Certificates::None {
            let cert_type = match kind {
                KeyKind::Vcek => CertType::Vcek,
                KeyKind::Vlek => CertType::Vlek,
            };
            add(cert_type, silicon.issue(&apply(edits.vek, silicon.endorsement(&id)))?);
        }
        if crl {
            add(CertType::Crl, silicon.issue_crl(&apply(edits.crl, silicon.crl(product)))?);
        }
        let cert_chain = (certificates != Certificates::None || crl).then_some(entries);
        Ok(GuestEvidence { report, bytes, cert_chain })
    }
}

/// Where the signature stands in a report: r, then s (56860, ATTESTATION_REPORT).
fn put_signature(bytes: &mut [u8; REPORT_LEN], report: &Report) {
    let places = bytes.iter_mut().skip(assay_tee_snp::evidence::SIGNED_LEN);
    for (to, from) in places.zip(report.signature.r.iter().chain(&report.signature.s)) {
        *to = *from;
    }
}

impl GuestEvidence {
    /// The JSON of the wire, made of `report` and `cert_chain`.
    pub fn to_json(&self) -> Value {
        let evidence = SnpEvidence::new(self.report.clone(), self.cert_chain.clone());
        // `to_json` writes JSON.
        serde_json::from_slice(&evidence.to_json()).unwrap_or_default()
    }

    /// The raw form: `bytes`, and a certificate table where there are certificates.
    pub fn to_raw(&self) -> Vec<u8> {
        let evidence = SnpEvidence::new(self.report.clone(), self.cert_chain.clone());
        let mut raw = evidence.to_raw();
        for (to, from) in raw.iter_mut().zip(&self.bytes) {
            *to = *from;
        }
        raw
    }

    /// The first certificate of that type, DER.
    pub fn certificate(&self, cert_type: CertType) -> Option<&[u8]> {
        let entry = self.cert_chain.iter().flatten().find(|entry| entry.cert_type == cert_type)?;
        Some(&entry.data)
    }
}
