//! The vendor's keys, and the emulated platform's.

use std::fmt;
use std::sync::{Arc, OnceLock};

use assay_cose::Curve;
use assay_types::Validity;
use rand_chacha::rand_core::Rng as _;

use super::collateral::Collateral;
use super::guest::IntelGuest;
use super::level::TcbLevelName;
use super::pck::{Configuration, PckCa, Platform};
use crate::Seed;
use crate::ec_key::EcKey;

/// A vendor of SGX and TDX silicon that grows from a seed, and one platform of it. Keys are made when they are
/// first needed, and kept; clones share them.
#[derive(Clone)]
pub struct IntelSilicon {
    inner: Arc<Inner>,
}

struct Inner {
    seed: Seed,
    root: OnceLock<EcKey>,
    platform_ca: OnceLock<EcKey>,
    processor_ca: OnceLock<EcKey>,
    tcb_signing: OnceLock<EcKey>,
    attestation: OnceLock<EcKey>,
}

/// Who signs in the vendor's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Intel SGX Root CA.
    Root,
    /// Intel SGX PCK Platform CA.
    PlatformCa,
    /// Intel SGX PCK Processor CA.
    ProcessorCa,
    /// Intel SGX TCB Signing.
    TcbSigning,
}

impl Role {
    /// The authority that certifies a platform.
    pub const fn of(ca: PckCa) -> Self {
        match ca {
            PckCa::Platform => Role::PlatformCa,
            PckCa::Processor => Role::ProcessorCa,
        }
    }

    /// The common name of its certificate.
    pub const fn common_name(self) -> &'static str {
        match self {
            Role::Root => "Intel SGX Root CA",
            Role::PlatformCa => PckCa::Platform.common_name(),
            Role::ProcessorCa => PckCa::Processor.common_name(),
            Role::TcbSigning => "Intel SGX TCB Signing",
        }
    }
}

/// The kind of the emulated platform.
const FMSPC: [u8; 6] = [0x00, 0xa5, 0x5a, 0x00, 0x00, 0x00];

impl fmt::Debug for IntelSilicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IntelSilicon({:?})", self.inner.seed)
    }
}

impl IntelSilicon {
    /// The silicon of `seed`. Nothing is computed yet.
    pub fn new(seed: Seed) -> Self {
        IntelSilicon {
            inner: Arc::new(Inner {
                seed,
                root: OnceLock::new(),
                platform_ca: OnceLock::new(),
                processor_ca: OnceLock::new(),
                tcb_signing: OnceLock::new(),
                attestation: OnceLock::new(),
            }),
        }
    }

    /// A TD on the platform: a quote of version 4, with a report of TDX 1.0 and an event log.
    pub fn td<'edits>(&self) -> IntelGuest<'edits> {
        IntelGuest::td(self)
    }

    /// An enclave on the platform: a quote of version 3.
    pub fn enclave<'edits>(&self) -> IntelGuest<'edits> {
        IntelGuest::enclave(self)
    }

    /// What the vendor publishes about `platform`: everything issued at the beginning of `validity`, and the
    /// next due at its end. [`COLLATERAL_VALIDITY`](super::COLLATERAL_VALIDITY) is a long time that does not
    /// depend on the clock, [`thirty_days`](super::thirty_days) what Intel does.
    pub fn collateral(&self, platform: &Platform, validity: Validity) -> Collateral {
        Collateral::new(self, platform, validity)
    }

    /// The emulated platform: up to date, under the Platform CA.
    pub fn platform(&self) -> Platform {
        let level = TcbLevelName::UpToDate;
        let (mut ppid, mut instance) = ([0; 16], [0; 16]);
        self.bytes("intel/ppid", &mut ppid);
        self.bytes("intel/platform instance id", &mut instance);
        Platform {
            ca: PckCa::Platform,
            fmspc: FMSPC,
            pce_id: [0; 2],
            ppid,
            cpu_svn: level.cpu_svn(),
            components: level.cpu_svn(),
            pce_svn: level.pce_svn(),
            sgx_type: 1,
            platform_instance_id: Some(instance),
            configuration: Some(Configuration {
                dynamic_platform: true,
                cached_keys: true,
                smt_enabled: true,
            }),
        }
    }

    /// The PPID of a platform whose PCK certificates the vendor has revoked, for every level and under both
    /// authorities: the lists always hold them.
    pub fn revoked_ppid(&self) -> [u8; 16] {
        let mut ppid = [0; 16];
        self.bytes("intel/ppid of a revoked platform", &mut ppid);
        ppid
    }

    /// The key that signs in the vendor's name.
    pub fn key(&self, role: Role) -> EcKey {
        let (slot, label) = match role {
            Role::Root => (&self.inner.root, "intel/root"),
            Role::PlatformCa => (&self.inner.platform_ca, "intel/platform ca"),
            Role::ProcessorCa => (&self.inner.processor_ca, "intel/processor ca"),
            Role::TcbSigning => (&self.inner.tcb_signing, "intel/tcb signing"),
        };
        slot.get_or_init(|| self.derive(label)).clone()
    }

    /// The provisioning certification key of a platform, which signs the reports of its quoting enclaves.
    pub fn pck_key(&self, platform: &Platform) -> EcKey {
        self.derive(&platform.label())
    }

    /// The serial number of a platform's PCK certificate, 20 bytes.
    pub fn pck_serial(&self, platform: &Platform) -> Vec<u8> {
        let mut serial = [0; 20];
        self.bytes(&format!("{}/serial", platform.label()), &mut serial);
        serial.to_vec()
    }

    /// The attestation key of the platform's quoting enclaves, which signs quotes.
    pub fn attestation_key(&self) -> EcKey {
        self.inner.attestation.get_or_init(|| self.derive("intel/attestation")).clone()
    }

    /// A key that certifies nothing, for signatures by the wrong key. Another label is another key.
    pub fn stray_key(&self, label: &str) -> EcKey {
        self.derive(&format!("intel/stray/{label}"))
    }

    /// The PPID of a platform as its quoting enclave encrypts it for the vendor. Whoever has the seed knows
    /// which platform it is; `len` is 256 (RSA-2048) or 384 bytes (RSA-3072).
    pub fn encrypted_ppid(&self, platform: &Platform, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.bytes(&format!("intel/encrypted ppid/{}", hex::encode(platform.ppid)), &mut out);
        out
    }

    /// The id of the platform's quoting enclave, in the header of quotes.
    pub fn qe_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.bytes("intel/qe id", &mut id);
        id
    }

    fn derive(&self, label: &str) -> EcKey {
        EcKey::derive(&self.inner.seed, label, Curve::P256)
    }

    fn bytes(&self, label: &str, bytes: &mut [u8]) {
        self.inner.seed.stream(label).fill_bytes(bytes);
    }
}
