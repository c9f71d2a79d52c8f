//! The guest by itself: what is set holds, what may be extended, what a state file carries over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod support;

use std::fs;

use assay_emulator::Seed;
use assay_tsm_simulator::{Inputs, SimulatedGuest, SimulatorError};
use assay_types::{Coded as _, Digest, Tee};
use support::{TEES, agent_event, guest, guest_with, judge, log_with, tdx_evidence};

fn code<T: std::fmt::Debug>(result: Result<T, SimulatorError>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn only_the_tees_of_configfs_are_simulated_and_bad_settings_are_refused_at_once() {
    for tee in [Tee::Sgx, Tee::Sample] {
        assert_eq!(code(SimulatedGuest::new(tee, Seed::DEVELOPMENT, None, &[])), "SIM-001");
    }
    for (tee, field, value) in [
        (Tee::Snp, "nothing", "1"),
        (Tee::Tdx, "rtmr_3", "00"),
        (Tee::Cca, "nothing", "1"),
        (Tee::Snp, "vmpl", "x"),
    ] {
        let set = [(field.to_owned(), value.to_owned())];
        assert_eq!(code(SimulatedGuest::new(tee, Seed::DEVELOPMENT, None, &set)), "SIM-002", "{field}");
    }
}

#[test]
fn the_length_of_inblob_is_that_of_the_driver() {
    for tee in TEES {
        let mut guest = guest(tee);
        let least = if tee == Tee::Cca { 32 } else { 64 };
        for len in [0, 1, 31, 63, 65] {
            let report = guest.report(&Inputs::new(vec![7; len]));
            assert_eq!(report.is_ok(), (least..=64).contains(&len), "{tee} {len}");
        }
        assert!(guest.report(&Inputs::new(vec![7; least])).is_ok());
    }
}

#[test]
fn evidence_of_every_tee_is_genuine_and_bound() {
    for tee in TEES {
        let report = guest(tee).report(&Inputs::new([7; 64])).unwrap();
        let evidence = [report.outblob, report.auxblob].concat();
        assert!(judge(tee, evidence.clone(), &[7; 64]).unwrap().facts().emulated);
        assert!(judge(tee, evidence, &[8; 64]).is_err(), "{tee}");
        assert!(report.manifestblob.is_empty());
    }
}

#[test]
fn what_is_set_holds() {
    let debug = [("policy.debug", "true"), ("vmpl", "0x2")];
    let mut snp = guest_with(Tee::Snp, &debug);
    assert_eq!(snp.privilege_floor(), 2);
    assert_eq!(guest(Tee::Snp).privilege_floor(), 0);
    let vmpl = |guest: &mut SimulatedGuest, inputs: &Inputs| guest.report(inputs).unwrap().outblob[0x30];
    assert_eq!(vmpl(&mut snp, &Inputs::new([0; 64])), 2);
    assert_eq!(vmpl(&mut snp, &Inputs { privilege_level: Some(3), ..Inputs::new([0; 64]) }), 3);
    // The third byte of the policy has the bit DEBUG.
    assert_eq!(snp.report(&Inputs::new([0; 64])).unwrap().outblob[0x0a] & 8, 8);

    let value = "ab".repeat(48);
    let mut tdx = guest_with(Tee::Tdx, &[("rtmr_3", &value), ("event_log", "none")]);
    assert_eq!(tdx.register(3), Some([0xab; 48]));
    assert_eq!(tdx.ccel(), None);
    let grown = tdx.extend(3, &[1; 48]).unwrap();
    let expected = Digest::sha384(&[[0xab; 48], [1; 48]].concat());
    assert_eq!(grown.as_slice(), expected.as_bytes());
    let with_agent = guest_with(Tee::Tdx, &[("aael", "a b c")]);
    assert_ne!(with_agent.register(3), Some([0; 48]));
    assert_eq!(guest(Tee::Tdx).register(3), Some([0; 48]));
}

#[test]
fn services_of_an_svsm_are_bound_with_their_manifest() {
    let mut guest = guest(Tee::Snp);
    let inputs = Inputs { service_provider: Some("svsm".into()), ..Inputs::new([7; 64]) };
    let report = guest.report(&inputs).unwrap();
    let bound = [[7; 64].as_slice(), &report.manifestblob].concat();
    let expected = assay_types::HashAlgorithm::Sha512.digest(&bound);
    assert_eq!(&report.outblob[0x50..0x90], expected.as_bytes());
    for bad in [
        Inputs { service_provider: Some("other".into()), ..inputs.clone() },
        Inputs { service_manifest_version: 1, ..inputs.clone() },
        Inputs { service_guid: Some([1; 16]), ..inputs },
    ] {
        assert_eq!(code(guest.report(&bad)), "SIM-003", "{bad:?}");
    }
}

#[test]
fn registers_are_extended_by_rule_and_the_log_replays() {
    let mut guest = guest(Tee::Tdx);
    let before: Vec<_> = (0..4).map(|index| guest.register(index).unwrap()).collect();
    assert_eq!(guest.register(4), None);
    for (index, digest) in
        [(0, vec![1; 48]), (1, vec![1; 48]), (4, vec![1; 48]), (3, vec![1; 47]), (3, vec![1; 49])]
    {
        assert_eq!(code(guest.extend(index, &digest)), "SIM-003");
    }
    assert_eq!((0..4).map(|index| guest.register(index).unwrap()).collect::<Vec<_>>(), before);
    for tee in [Tee::Snp, Tee::Cca] {
        let mut other = support::guest(tee);
        assert_eq!(other.register(3), None);
        assert_eq!(code(other.extend(3, &[1; 48])), "SIM-003");
    }

    let entries: Vec<_> = ["a PullImage {}", "b c d", "b c e"].map(agent_event).to_vec();
    for (_, digest) in &entries {
        guest.extend(3, digest).unwrap();
    }
    let quote = guest.report(&Inputs::new([7; 64])).unwrap().outblob;
    let ccel = guest.ccel().unwrap().to_vec();
    assert_eq!(ccel.len() % 0x1_0000, 0);
    let replayed = tdx_evidence(&quote, &log_with(&ccel, &entries));
    judge(Tee::Tdx, replayed, &[7; 64]).unwrap();
    for wrong in [&entries[..2], &[entries[0].clone(), entries[2].clone(), entries[1].clone()]] {
        assert!(judge(Tee::Tdx, tdx_evidence(&quote, &log_with(&ccel, wrong)), &[7; 64]).is_err());
    }
}

#[test]
fn a_state_file_carries_the_registers_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let mut first = guest(Tee::Tdx);
    first.keep_state(&file).unwrap();
    let grown = first.extend(2, &[1; 48]).unwrap();
    drop(first);
    let mut second = guest(Tee::Tdx);
    second.keep_state(&file).unwrap();
    assert_eq!(second.register(2), Some(grown));
    assert_eq!(second.register(3), Some([0; 48]));
    let again = second.extend(2, &[1; 48]).unwrap();
    assert_ne!(again, grown);

    // Of another guest, changed where nobody can, or no state at all.
    assert_eq!(code(guest_with(Tee::Tdx, &[("kernel", "other")]).keep_state(&file)), "SIM-009");
    assert_eq!(code(guest(Tee::Snp).keep_state(&file)), "SIM-009");
    let text = fs::read_to_string(&file).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["registers"][1] = "00".repeat(48).into();
    for bad in [value.to_string(), "{}".into(), String::new(), text[..text.len() / 2].into()] {
        fs::write(&file, &bad).unwrap();
        assert_eq!(code(guest(Tee::Tdx).keep_state(&file)), "SIM-009", "{bad}");
        assert_eq!(fs::read_to_string(&file).unwrap(), bad, "a file that is refused is not written");
    }
}

#[test]
fn without_its_state_file_a_register_is_not_extended() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    fs::create_dir(&place).unwrap();
    let mut guest = guest(Tee::Tdx);
    guest.keep_state(&place.join("state")).unwrap();
    fs::remove_dir_all(&place).unwrap();
    assert_eq!(code(guest.extend(3, &[1; 48])), "SIM-008");
    assert_eq!(guest.register(3), Some([0; 48]));
}

#[test]
fn the_debug_form_shows_no_seed() {
    let guest = SimulatedGuest::new(Tee::Cca, Seed::new([0xab; 32]), None, &[]).unwrap();
    assert!(!format!("{guest:?}").contains("abab"));
}
