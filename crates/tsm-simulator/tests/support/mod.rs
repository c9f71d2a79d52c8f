//! What the tests share: guests, places for them, and the verifiers that judge their evidence.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assay_emulator::intel::COLLATERAL_VALIDITY;
use assay_emulator::{Emulator, Seed};
use assay_tee_cca::{CcaSettings, CcaVerifier, EmulatedAnchors};
use assay_tee_intel::{IntelAnchors, IntelSettings, IntelVerifier};
use assay_tee_snp::{SnpAnchors, SnpSettings, SnpVerifier, VmplPolicy};
use assay_tsm_simulator::{Mount, SimulatedGuest, fuse_missing, mount};
use assay_types::{
    Authenticated, Binding, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet, Digest,
    RawEvidence, Tee, UnixTime, Verifier, VerifyError,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;
use tempfile::TempDir;

pub(crate) const TEES: [Tee; 3] = [Tee::Snp, Tee::Tdx, Tee::Cca];
pub(crate) const MEASUREMENTS: &str = "sys/devices/virtual/misc/tdx_guest/measurements";
pub(crate) const CCEL: &str = "sys/firmware/acpi/tables/data/CCEL";

pub(crate) fn init_data() -> Digest {
    Digest::sha384(b"init data")
}

pub(crate) fn guest_with(tee: Tee, set: &[(&str, &str)]) -> SimulatedGuest {
    let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    SimulatedGuest::new(tee, Seed::DEVELOPMENT, Some(init_data()), &set).unwrap()
}

pub(crate) fn guest(tee: Tee) -> SimulatedGuest {
    guest_with(tee, &[])
}

/// Unmounted before its folder is removed.
pub(crate) struct Mounted {
    pub(crate) mount: Mount,
    folder: TempDir,
}

impl Mounted {
    pub(crate) fn root(&self) -> PathBuf {
        self.mount.path().to_owned()
    }

    pub(crate) fn reports(&self) -> PathBuf {
        reports(self.mount.path())
    }

    pub(crate) fn register(&self, index: usize) -> PathBuf {
        register(self.mount.path(), index)
    }

    /// A new entry.
    pub(crate) fn entry(&self, name: &str) -> PathBuf {
        let path = self.reports().join(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

/// Says why and returns false where FUSE cannot be used.
pub(crate) fn fuse() -> bool {
    match fuse_missing() {
        None => true,
        Some(why) => {
            eprintln!("skipped: {why}");
            false
        }
    }
}

pub(crate) fn mounted(guest: SimulatedGuest) -> Option<Mounted> {
    if !fuse() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    Some(Mounted { mount: mount(guest, folder.path()).unwrap(), folder })
}

pub(crate) fn reports(root: &Path) -> PathBuf {
    root.join("sys/kernel/config/tsm/report")
}

pub(crate) fn register(root: &Path, index: usize) -> PathBuf {
    root.join(MEASUREMENTS).join(format!("rtmr{index}:sha384"))
}

pub(crate) fn generation(entry: &Path) -> u64 {
    let text = fs::read_to_string(entry.join("generation")).unwrap();
    text.strip_suffix('\n').unwrap().parse().unwrap()
}

/// The error number of an operation that must fail.
pub(crate) fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

pub(crate) const EPERM: i32 = 1;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const EIO: i32 = 5;
pub(crate) const EACCES: i32 = 13;
pub(crate) const EBUSY: i32 = 16;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const EFBIG: i32 = 27;

/// Waits until something holds; the limit only ends a test that fails.
pub(crate) fn wait_for<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = get() {
            return value;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What the production verifier of this TEE says, under the emulator's anchors.
pub(crate) fn judge(tee: Tee, evidence: Vec<u8>, report_data: &[u8]) -> Result<Authenticated, VerifyError> {
    let emulator = Emulator::new(Seed::DEVELOPMENT);
    let anchors = emulator.anchors().anchors[&tee].clone();
    let mut collateral = CollateralSet::default();
    let verifier: Box<dyn Verifier> = match tee {
        Tee::Snp => {
            let anchors = SnpAnchors::emulated_only(&anchors).unwrap();
            let vmpl = VmplPolicy::default();
            Box::new(SnpVerifier::new(SnpSettings { anchors, vmpl, ..SnpSettings::production() }))
        }
        Tee::Tdx => {
            let guest = emulator.intel_guest(Tee::Tdx, &[], None, &[]).unwrap();
            let json = guest.collateral(COLLATERAL_VALIDITY).to_json(Tee::Tdx).unwrap();
            collateral.items.push(CollateralItem {
                kind: CollateralKind::Unclassified,
                bytes: json.to_string().into_bytes().into(),
                origin: CollateralOrigin::File("given".into()),
            });
            let anchors = IntelAnchors::emulated_only(&anchors).unwrap();
            Box::new(IntelVerifier::tdx(IntelSettings { anchors, ..IntelSettings::production() }))
        }
        _ => {
            let emulated = EmulatedAnchors::read(&anchors).unwrap();
            Box::new(CcaVerifier::new(CcaSettings { emulated, ..CcaSettings::production() }))
        }
    };
    // Where the driver's field of init data is not part of CCA's evidence by default rules, it is not asked for.
    let init_data = (tee != Tee::Cca).then(init_data);
    let binding = Binding { report_data: Some(report_data.to_vec()), init_data };
    let parsed = verifier.parse(&RawEvidence::new(tee, evidence))?;
    // 2026-06-01, inside all validity of the emulator.
    Ok(parsed.verify(&binding, &collateral, UnixTime(1_780_272_000))?.remove(0))
}

/// The JSON of TDX evidence.
pub(crate) fn tdx_evidence(quote: &[u8], log: &[u8]) -> Vec<u8> {
    let (quote, log) = (BASE64_STANDARD.encode(quote), BASE64_STANDARD.encode(log));
    json!({ "quote": quote, "cc_eventlog": log }).to_string().into_bytes()
}

/// The log of a boot with these entries of an agent in RTMR3, as an agent sends it.
pub(crate) fn log_with(ccel: &[u8], entries: &[(Vec<u8>, [u8; 48])]) -> Vec<u8> {
    let mut log = assay_eventlog::EventLog::parse(ccel.to_vec()).unwrap().without_end().to_vec();
    for (event, digest) in entries {
        // TCG_PCR_EVENT2: register, type, one digest of SHA-384, the event.
        for number in [4_u32, 6, 1] {
            log.extend_from_slice(&number.to_le_bytes());
        }
        log.extend_from_slice(&0x0c_u16.to_le_bytes());
        log.extend_from_slice(digest);
        log.extend_from_slice(&u32::try_from(event.len()).unwrap().to_le_bytes());
        log.extend_from_slice(event);
    }
    log.extend_from_slice(&[0xff; 8]);
    log
}

/// An entry of an agent and its digest.
pub(crate) fn agent_event(text: &str) -> (Vec<u8>, [u8; 48]) {
    let len = u32::try_from(text.len()).unwrap();
    let event = [b"LEAA".as_slice(), &len.to_le_bytes(), text.as_bytes()].concat();
    let digest = Digest::sha384(&event).as_bytes().try_into().unwrap();
    (event, digest)
}
