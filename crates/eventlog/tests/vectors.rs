//! Real logs: against Trustee's claims of them, and against the registers they led to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

use std::fs;
use std::path::{Path, PathBuf};

use assay_eventlog::{
    BootRole, BootSource, EventLog, EventType, TcgAlgorithm, UnboundReason, boot_claims, event_claims,
    unbound_event_claims,
};
use assay_types::HashAlgorithm;
use serde_json::Value;

/// TDX: indices 1 to 4 are RTMR 0 to 3.
const RTMRS: std::ops::RangeInclusive<u32> = 1..=4;
const BOOT: std::ops::RangeInclusive<u32> = 1..=3;

fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.exists() {
        Some(folder)
    } else {
        println!("skipped: the folder of published evidence is not at hand");
        None
    }
}

fn log(name: &str) -> Option<EventLog> {
    let bytes = fs::read(vectors()?.join(name)).unwrap();
    Some(EventLog::parse(bytes).unwrap())
}

/// Where our claims of an event differ from Trustee's, each difference by name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// SM3 is not computed here, so `digest_matches_event` is false where Trustee has true.
    Sm3NotComputed,
}

#[test]
fn claims_are_those_of_trustee() {
    let Some(folder) = vectors() else { return };
    let goldens = [
        ("CCEL_data", TcgAlgorithm::Sha384, 5),
        ("CCEL_data_ovmf", TcgAlgorithm::Sha384, 20),
        ("CCEL_data_grub", TcgAlgorithm::Sha384, 37),
        ("CCEL_data_grub_gke", TcgAlgorithm::Sha384, 35),
        ("CCEL_AAEL_alibabacloud", TcgAlgorithm::Sha384, 87),
        ("CCEL_data_csv", TcgAlgorithm::Sm3, 82),
    ];
    for (name, algorithm, count) in goldens {
        let log = log(&format!("eventlog/{name}")).unwrap();
        let golden = fs::read(folder.join(format!("eventlog/{name}_out.json"))).unwrap();
        let golden: Value = serde_json::from_slice(&golden).unwrap();
        let theirs = golden["uefi_event_logs"].as_array().unwrap();
        let Value::Array(ours) = event_claims(log.events(), algorithm) else { panic!("no array") };
        assert_eq!((ours.len(), theirs.len()), (count, count), "{name}");
        let mut differences = Vec::new();
        for (position, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let mut theirs = theirs.clone();
            if algorithm == TcgAlgorithm::Sm3 && theirs["digest_matches_event"] == true {
                differences.push(Difference::Sm3NotComputed);
                theirs["digest_matches_event"] = false.into();
            }
            assert_eq!(ours, &theirs, "{name}, event {position}");
        }
        let expected = if algorithm == TcgAlgorithm::Sm3 { 14 } else { 0 };
        assert_eq!(differences.len(), expected, "{name}");
    }
}

#[test]
fn a_log_replays_to_the_registers_of_its_quote() {
    let Some(folder) = vectors() else { return };
    let log = log("intel/ccel_data.dat").unwrap();
    let quote = fs::read(folder.join("intel/cos-113-tdx-quote.dat")).unwrap();
    let registers = log.replay(HashAlgorithm::Sha384).unwrap();
    for (index, at) in [(1, 328), (2, 376), (3, 424), (4, 472)] {
        let rtmr = &quote[48 + at..][..48];
        assert_eq!(registers.value(index), rtmr, "RTMR {}", index - 1);
    }
    assert_eq!(registers.extended().map(|(index, _)| index).collect::<Vec<_>>(), [1, 2, 3]);
    // Everything in this log is bound.
    assert_eq!(log.bound(HashAlgorithm::Sha384, RTMRS).count(), log.events().len());
}

/// The registers that Trustee's own tests expect of its logs.
#[test]
fn logs_replay_to_the_registers_that_trustee_computes() {
    let expected = [
        (
            "CCEL_data",
            1,
            "2dc712306a963eadb894ad47dbaa17df44814151555aee11cbb843becca88950ffd079664902e6f22c66f7c8213543f4",
        ),
        (
            "CCEL_data",
            2,
            "0fa3be56af61208bbd179dc7b124988eb929319154663c539d6f46445ecac2fec287075047ff7bd1922829fec28cd3cf",
        ),
        (
            "CCEL_data_ovmf",
            3,
            "94eaf7a7bf398ed8d888c91057ae0261802e4f3df084213a76ca7f0b5055ac9d2241de43cd58d9e8b49c503bbf25f34a",
        ),
        (
            "CCEL_data_gcp",
            2,
            "204d49f78d29918fe7b2f694e76653861a0c2a018987d2c3a54266eff737232524cf0af68c4d180e2f8c2c0937f21967",
        ),
        (
            "CCEL_data_grub_gke",
            1,
            "bc9945139042cf2cc75caf920aa57f14884ecfd7e893bccc51250c8ce90eb53ce72741e6adaa18183eb1331a87d4544a",
        ),
    ];
    for (name, index, value) in expected {
        let Some(log) = log(&format!("eventlog/{name}")) else { return };
        let registers = log.replay(TcgAlgorithm::Sha384).unwrap();
        assert_eq!(hex::encode(registers.value(index)), value, "{name}, register {index}");
        assert_eq!(registers.value(4), [0; 48], "{name}, register 4");
    }
}

#[test]
fn sm3_is_an_explicit_error() {
    let Some(log) = log("eventlog/CCEL_data_csv") else { return };
    let error = log.replay(TcgAlgorithm::Sm3).unwrap_err();
    assert_eq!(error.0, TcgAlgorithm::Sm3);
    assert_eq!(log.boot_components(TcgAlgorithm::Sm3, BOOT).unwrap_err(), error);
    // What needs no hash works.
    assert_eq!(log.bound(TcgAlgorithm::Sm3, RTMRS).count(), 82);
    // And SM3 digests are bound to no SHA-384 register.
    assert_eq!(log.bound(TcgAlgorithm::Sha384, RTMRS).count(), 0);
    assert!(log.unbound(TcgAlgorithm::Sha384, RTMRS).all(|u| u.reason == UnboundReason::NoDigest));
}

#[test]
fn events_that_are_not_extended_are_set_apart() {
    let Some(log) = log("eventlog/CCEL_data_grub_gke") else { return };
    let unbound: Vec<_> = log.unbound(TcgAlgorithm::Sha384, RTMRS).collect();
    assert_eq!(unbound.len(), 2);
    assert!(unbound.iter().all(|u| u.event.event_type == EventType::NO_ACTION));
    assert!(unbound.iter().all(|u| u.reason == UnboundReason::NotExtended));
    let claims = unbound_event_claims(unbound, TcgAlgorithm::Sha384);
    assert_eq!(claims[0]["reason"], "EV_NO_ACTION events are not extended");
    assert_eq!(claims[0]["type_name"], "EV_NO_ACTION");
    assert_eq!(log.bound(TcgAlgorithm::Sha384, RTMRS).count(), 33);
}

/// Role, source, register, and whether the digest is that of a text: the components but for commands.
fn components(log: &EventLog) -> Vec<(BootRole, BootSource, u32, Option<bool>)> {
    log.boot_components(TcgAlgorithm::Sha384, BOOT)
        .unwrap()
        .iter()
        .filter(|c| c.role != BootRole::BootLoaderCommand)
        .map(|c| (c.role, c.source, c.event.index, c.text.map(|_| c.digest_matches_text)))
        .collect()
}

#[test]
fn components_of_a_kernel_from_the_hypervisor() {
    let Some(log) = log("eventlog/CCEL_data_ovmf") else { return };
    use BootRole::{Initrd, Kernel, KernelCommandLine};
    use BootSource::{Firmware, LinuxStub};
    assert_eq!(
        components(&log),
        [(Kernel, Firmware, 2, None), (KernelCommandLine, LinuxStub, 3, None), (Initrd, LinuxStub, 3, None),]
    );
    let claims = boot_claims(&log.boot_components(TcgAlgorithm::Sha384, BOOT).unwrap(), TcgAlgorithm::Sha384);
    let kernel = &claims["kernel"][0];
    assert_eq!(kernel["label"], "VenMedia(1428F772-B64A-441E-B8C3-9EBDD7F893C7,)/File(kernel)");
    assert_eq!(kernel["type_name"], "EV_EFI_BOOT_SERVICES_APPLICATION");
    assert_eq!(kernel["index"], 2);
    assert_eq!(kernel["alg"], "SHA-384");
    assert_eq!(kernel["digest_matches_event"], false);
    assert!(kernel["digest"].as_str().unwrap().starts_with("a2ccae1e7d6c668c"));
    assert!(kernel.get("text").is_none());
    assert_eq!(claims["boot_loader"], serde_json::json!([]));
}

#[test]
fn components_of_td_shim() {
    let Some(log) = log("eventlog/CCEL_data") else { return };
    use BootRole::{Kernel, KernelCommandLine};
    assert_eq!(
        components(&log),
        [(Kernel, BootSource::TdShim, 2, None), (KernelCommandLine, BootSource::TdShim, 2, Some(true))]
    );
    let all = log.boot_components(TcgAlgorithm::Sha384, BOOT).unwrap();
    assert_eq!(all[1].text, Some("root=/dev/vda1 console=hvc0 rw"));
}

#[test]
fn components_of_grub() {
    let Some(log) = log("intel/ccel_data.dat") else { return };
    use BootRole::{BootLoader, Kernel, KernelCommandLine};
    use BootSource::{Firmware, Grub};
    assert_eq!(
        components(&log),
        [
            (BootLoader, Firmware, 2, None),
            (BootLoader, Firmware, 2, None),
            (Kernel, Grub, 3, None),
            (KernelCommandLine, Grub, 3, Some(true)),
        ]
    );
    let all = log.boot_components(TcgAlgorithm::Sha384, BOOT).unwrap();
    let kernel = all.iter().find(|c| c.role == Kernel).unwrap();
    assert_eq!(kernel.label.as_deref(), Some("/syslinux/vmlinuz.A"));
    let commands: Vec<_> = all.iter().filter(|c| c.role == BootRole::BootLoaderCommand).collect();
    assert_eq!(commands.len(), 14);
    assert!(commands.iter().all(|c| c.digest_matches_text && c.text.is_some()));
    assert_eq!(commands[0].text, Some("defaultA=2"));
}

#[test]
fn components_of_grub_as_distributions_patch_it() {
    let Some(log) = log("eventlog/CCEL_AAEL_alibabacloud") else { return };
    use BootRole::{BootLoader, Initrd, Kernel, KernelCommandLine};
    use BootSource::{Firmware, Grub};
    assert_eq!(
        components(&log),
        [
            (BootLoader, Firmware, 2, None),
            (BootLoader, Firmware, 2, None),
            (Kernel, Grub, 3, None),
            (KernelCommandLine, Grub, 3, Some(true)),
            (Initrd, Grub, 3, None),
        ]
    );
}

#[test]
fn components_of_a_unified_kernel_image() {
    let Some(log) = log("eventlog/CCEL_data_grub_gke") else { return };
    use BootRole::{BootLoader, Initrd, Kernel, KernelCommandLine};
    use BootSource::{Firmware, SystemdStub};
    // The section's name is measured before its content: only the content is the component.
    assert_eq!(
        components(&log),
        [
            (BootLoader, Firmware, 2, None),
            (Kernel, SystemdStub, 3, None),
            (KernelCommandLine, SystemdStub, 3, None),
            (Initrd, SystemdStub, 3, None),
            (Kernel, SystemdStub, 2, None),
        ]
    );
    let all = log.boot_components(TcgAlgorithm::Sha384, BOOT).unwrap();
    assert!(hex::encode(all[1].digest).starts_with("2807a2f1d2ee8c51"));
}

#[test]
fn components_of_a_kernel_that_the_boot_loader_hands_over_in_memory() {
    let Some(log) = log("eventlog/CCEL_data_grub") else { return };
    use BootRole::{BootLoader, Initrd, Kernel, KernelCommandLine};
    use BootSource::{Firmware, LinuxStub};
    assert_eq!(
        components(&log),
        [
            (BootLoader, Firmware, 2, None),
            (BootLoader, Firmware, 2, None),
            (BootLoader, Firmware, 2, None),
            (BootLoader, Firmware, 2, None),
            (Kernel, Firmware, 2, None),
            (KernelCommandLine, LinuxStub, 3, None),
            (Initrd, LinuxStub, 3, None),
        ]
    );
}

#[test]
fn every_digest_of_a_real_log_counts() {
    let Some(log) = log("eventlog/CCEL_AAEL_alibabacloud") else { return };
    let expected = log.replay(TcgAlgorithm::Sha384).unwrap();
    let bytes = log.without_end();
    // The first byte of each digest: entry, 4 + 4 + 4, algorithm 2.
    for at in log.events().map(|event| event.offset + 14) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let registers = EventLog::parse(changed).unwrap().replay(TcgAlgorithm::Sha384).unwrap();
        assert_ne!(registers, expected, "offset {at}");
    }
}
