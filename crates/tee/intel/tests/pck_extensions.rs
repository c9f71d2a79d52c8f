//! The extension of PCK certificates: what it says, and what is refused by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs
)]

mod collateral_support;

use assay_tee_intel::{PckExtensions, SgxType};
use collateral_support::der::{boolean, int, octets, oid, seq};
use collateral_support::pki::SgxExtension;
use proptest::prelude::*;

#[test]
fn every_member_is_read() {
    let read = PckExtensions::from_der(&SgxExtension::default().der()).unwrap();
    assert_eq!(read.ppid, [1; 16]);
    assert_eq!(read.components, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!((read.pce_svn, read.cpu_svn), (300, [9; 16]));
    assert_eq!((read.pce_id, hex::encode(read.fmspc)), ([0, 0], "00906ea10000".to_owned()));
    assert_eq!(read.sgx_type, SgxType::Scalable);
    assert_eq!(read.platform_instance_id, Some([6; 16]));
    let configuration = read.configuration.unwrap();
    assert_eq!(configuration.dynamic_platform, Some(true));
    assert_eq!(configuration.cached_keys, Some(false));
    assert_eq!(configuration.smt_enabled, Some(true));
}

#[test]
fn what_only_the_platform_ca_writes_may_be_absent() {
    let mut extension = SgxExtension::default();
    extension.members.retain(|(arc, _)| *arc != 6);
    extension.configuration.clear();
    let read = PckExtensions::from_der(&extension.der()).unwrap();
    assert_eq!((read.platform_instance_id, read.configuration), (None, None));
    let mut extension = SgxExtension::default();
    extension.configuration.retain(|(arc, _)| *arc != 2);
    let configuration = PckExtensions::from_der(&extension.der()).unwrap().configuration.unwrap();
    assert_eq!(configuration.cached_keys, None);
}

#[test]
fn unknown_members_are_named_and_passed_over() {
    let mut extension = SgxExtension::default();
    extension.members.push((8, int(1)));
    extension.tcb.push((19, int(1)));
    extension.configuration.push((4, boolean(true)));
    let read = PckExtensions::from_der(&extension.der()).unwrap();
    let root = "1.2.840.113741.1.13.1";
    assert_eq!(read.unknown, [format!("{root}.7.4"), format!("{root}.2.19"), format!("{root}.8")]);
}

type Members = fn(&mut SgxExtension) -> &mut Vec<(u32, Vec<u8>)>;

/// Where a member stands, its arc, its name, a wrong value, and what is said of that.
fn wrong_values() -> Vec<(Members, u32, String, Vec<u8>, &'static str)> {
    let top: Members = |e| &mut e.members;
    let tcb: Members = |e| &mut e.tcb;
    let configuration: Members = |e| &mut e.configuration;
    let mut rows = vec![
        (top, 1, "PPID", octets(&[0; 15]), "15 bytes, expected 16"),
        (top, 1, "PPID", int(1), "not an OCTET STRING"),
        (top, 3, "PCEID", octets(&[0; 3]), "3 bytes, expected 2"),
        (top, 3, "PCEID", octets(&[]), "0 bytes, expected 2"),
        (top, 4, "FMSPC", octets(&[0; 5]), "5 bytes, expected 6"),
        (top, 5, "SGXType", vec![10, 1, 3], "ENUMERATED from 0 to 2"),
        (top, 5, "SGXType", int(0), "ENUMERATED from 0 to 2"),
        (top, 5, "SGXType", vec![10, 2, 0, 1], "ENUMERATED from 0 to 2"),
        (top, 6, "PlatformInstanceID", octets(&[0; 17]), "17 bytes, expected 16"),
        (tcb, 17, "TCB.PCESVN", int(65536), "not an INTEGER from 0 to 65535"),
        (tcb, 17, "TCB.PCESVN", vec![2, 1, 0x80], "not an INTEGER from 0 to 65535"),
        (tcb, 17, "TCB.PCESVN", vec![2, 2, 0, 1], "not an INTEGER from 0 to 65535"),
        (tcb, 18, "TCB.CPUSVN", octets(&[0; 8]), "8 bytes, expected 16"),
        (configuration, 1, "Configuration.DynamicPlatform", vec![1, 1, 1], "not a BOOLEAN"),
        (configuration, 2, "Configuration.CachedKeys", int(1), "not a BOOLEAN"),
        (configuration, 3, "Configuration.SMTEnabled", vec![1, 0], "not a SEQUENCE of members|not a BOOLEAN"),
    ]
    .into_iter()
    .map(|(members, arc, name, value, said)| (members, arc, name.to_owned(), value, said))
    .collect::<Vec<_>>();
    for arc in 1..=16 {
        let name = format!("TCB.SGXTCBCOMP{arc:02}SVN");
        rows.push((tcb, arc, name, int(256), "not an INTEGER from 0 to 255"));
    }
    rows
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (members, arc, name, value, said) in wrong_values() {
        let mut extension = SgxExtension::default();
        let place = members(&mut extension).iter().position(|(known, _)| *known == arc).unwrap();
        members(&mut extension)[place].1 = value;
        let error = PckExtensions::from_der(&extension.der()).unwrap_err();
        assert_eq!(error.member, name);
        assert!(said.split('|').any(|said| error.problem.contains(said)), "{error} does not say {said:?}");
    }
}

#[test]
fn missing_members_are_refused_by_name_and_doubles_by_their_identifier() {
    let mut seen = Vec::new();
    for (members, arc, name, _, _) in wrong_values() {
        if seen.contains(&name) {
            continue;
        }
        let mut extension = SgxExtension::default();
        members(&mut extension).retain(|(known, _)| *known != arc);
        let read = PckExtensions::from_der(&extension.der());
        let optional = name == "PlatformInstanceID" || name.starts_with("Configuration.");
        match read {
            Ok(_) => assert!(optional, "{name} may be absent"),
            Err(e) => assert!(!optional && e.member == name && e.problem == "missing", "{e}"),
        }
        let mut extension = SgxExtension::default();
        let place = members(&mut extension).iter().position(|(known, _)| *known == arc).unwrap();
        let double = members(&mut extension)[place].clone();
        members(&mut extension).push(double);
        let error = PckExtensions::from_der(&extension.der()).unwrap_err();
        assert!(error.problem.contains("stands twice"), "{name}: {error}");
        seen.push(name);
    }
    assert_eq!(seen.len(), 5 + 2 + 16 + 3);
}

#[test]
fn what_is_no_sequence_of_members_is_refused() {
    let good = SgxExtension::default().der();
    let mut longer = good.clone();
    longer.push(0);
    let three = seq(&[seq(&[oid("1.2.840.113741.1.13.1.1"), int(1), int(1)])]);
    let one = seq(&[seq(&[oid("1.2.840.113741.1.13.1.1")])]);
    let many = seq(&(0..65).map(|arc| seq(&[oid(&format!("1.2.3.{arc}")), int(1)])).collect::<Vec<_>>());
    for bad in [&[][..], &[0x30], &longer, &three, &one, &many, &good[..good.len() - 1]] {
        let error = PckExtensions::from_der(bad).unwrap_err();
        assert_eq!(error.member, "SGX extension", "{error}");
    }
}

proptest! {
    #[test]
    fn bytes_that_are_changed_never_panic_and_a_cut_text_is_never_read(place in 0_usize..1000, value: u8) {
        let mut bytes = SgxExtension::default().der();
        let place = place % bytes.len();
        prop_assert!(PckExtensions::from_der(&bytes[..place]).is_err());
        bytes[place] = value;
        let _ = PckExtensions::from_der(&bytes);
    }
}
