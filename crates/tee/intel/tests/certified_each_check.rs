//! Each check of a chain and its collateral fails alone when one thing is wrong, and none when nothing
//! is.
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

use assay_tee_intel::certified::{Certified, PckSource};
use assay_tee_intel::collateral::PlatformIds;
use assay_tee_intel::{Family, IntelAnchors, TDX_CHECKS};
use assay_types::{Checks, Finding};
use collateral_support::pki::{CERTIFIES, Key, SIGNS, World, now, pem};
use collateral_support::{at, failed};
use serde_json::json;

fn findings(world: &World, certified: &Certified) -> Vec<Finding> {
    let mut checks = Checks::new(TDX_CHECKS);
    certified.record(&mut checks, world.now, world.minimum);
    checks.findings().to_vec()
}

type Change = fn(&mut World);

/// The code that alone fails, what is done, and a part of what is said.
const CASES: &[(&str, &str, Change)] = &[
    ("INTEL-010", "not JSON, not PEM", |w| w.extra.push(b"junk".to_vec())),
    ("INTEL-010", "empty", |w| w.extra.push(Vec::new())),
    ("INTEL-010", "unknown member", |w| w.extra.push(b"{\"tcb_info\":null,\"other\":1}".to_vec())),
    ("INTEL-010", "at most 4194304", |w| w.extra.push(vec![b' '; (4 << 20) + 1])),
    ("INTEL-010", "tcbInfo.tcbType: missing", |w| {
        let mut bad = collateral_support::pki::tcb_info_json(Family::Tdx);
        bad.as_object_mut().unwrap().remove("tcbType");
        w.extra.push(json!({"tcbInfo": bad, "signature": "00".repeat(64)}).to_string().into_bytes());
    }),
    ("INTEL-010", "\"signature\" stands twice", |w| {
        w.extra.push(b"{\"tcbInfo\":{},\"signature\":\"\",\"signature\":\"\"}".to_vec());
    }),
    ("INTEL-010", "128 hexadecimal digits", |w| {
        w.extra.push(b"{\"enclaveIdentity\":{},\"signature\":\"00\"}".to_vec());
    }),
    ("INTEL-011", "wrong order", |w| w.order = vec![1, 0, 2]),
    ("INTEL-011", "wrong order", |w| w.order = vec![2, 1, 0]),
    ("INTEL-011", "number", |w| w.order = vec![0, 1]),
    ("INTEL-011", "number", |w| w.order = vec![0, 1, 2, 2]),
    ("INTEL-011", "number", |w| w.order = vec![]),
    ("INTEL-012", "is not pinned", |w| w.anchors = Some(IntelAnchors::intel())),
    ("INTEL-012", "is not pinned", |w| w.anchors = Some(World::default().anchors())),
    ("INTEL-013", "does not verify", |w| w.ca.other_signer = Some(Key::p256())),
    ("INTEL-014", "does not verify", |w| w.leaf.other_signer = Some(Key::p256())),
    ("INTEL-015", "the PCK certificate is of", |w| w.leaf.subject = "Intel SGX PCK certificate".into()),
    ("INTEL-015", "the PCK CA is CN", |w| {
        w.ca.subject = "Intel SGX PCK Third CA".into();
        w.leaf.issuer = w.ca.subject.clone();
        w.pck_crl.as_mut().unwrap().issuer = w.ca.subject.clone();
    }),
    ("INTEL-015", "issuer of the PCK certificate", |w| w.leaf.issuer = "Intel SGX PCK Processor CA".into()),
    ("INTEL-015", "issuer of the PCK CA", |w| w.ca.issuer = "Intel SGX Root".into()),
    ("INTEL-015", "issuer of the TCB signing", |w| w.signer.issuer = "Intel SGX Root".into()),
    ("INTEL-015", "the TCB signing certificate is of", |w| w.signer.subject = "Intel SGX TCB".into()),
    ("INTEL-016", "PCK CA is not a certificate authority", |w| w.ca.is_ca = false),
    ("INTEL-016", "PCK CA may not sign certificates", |w| w.ca.key_usage = (0x02, 1)),
    ("INTEL-016", "PCK certificate is a certificate authority", |w| w.leaf.is_ca = true),
    ("INTEL-016", "PCK certificate may sign certificates", |w| w.leaf.key_usage = (0x84, 2)),
    ("INTEL-016", "PCK certificate may not sign", |w| w.leaf.key_usage = (0x40, 6)),
    ("INTEL-016", "TCB signing certificate is a certificate authority", |w| w.signer.is_ca = true),
    ("INTEL-016", "TCB signing certificate may not sign", |w| w.signer.key_usage = (0x40, 6)),
    ("INTEL-017", "key on P-384, expected", |w| w.leaf.key = Key::p384()),
    ("INTEL-017", "not signed by ECDSA with SHA-256", |w| w.leaf.algorithm = "1.2.840.10045.4.3.3"),
    ("INTEL-017", "not signed by ECDSA with SHA-256", |w| w.ca.algorithm = "1.2.840.10045.4.3.3"),
    ("INTEL-018", "PCK certificate expired", |w| w.leaf.not_after = "20260531000000Z"),
    ("INTEL-018", "PCK CA expired", |w| w.ca.not_after = "20260531000000Z"),
    ("INTEL-018", "Root CA expired", |w| w.root.not_after = "20260531000000Z"),
    ("INTEL-018", "TCB signing certificate is not valid before", |w| w.signer.not_before = "20260602000000Z"),
    ("INTEL-019", "no extension", |w| w.leaf.sgx = None),
    ("INTEL-019", "not a SEQUENCE", |w| w.leaf.sgx = Some(vec![4, 0])),
    ("INTEL-020", "none", |w| w.pck_crl = None),
    ("INTEL-020", "does not verify", |w| w.pck_crl.as_mut().unwrap().other_signer = Some(Key::p256())),
    ("INTEL-020", "may not sign revocation lists", |w| w.ca.key_usage = (0x04, 2)),
    ("INTEL-020", "none", |w| w.pck_crl.as_mut().unwrap().issuer = "Intel SGX PCK Processor CA".into()),
    ("INTEL-021", "none", |w| w.root_crl = None),
    ("INTEL-021", "does not verify", |w| w.root_crl.as_mut().unwrap().other_signer = Some(Key::p256())),
    ("INTEL-022", "Platform CA expired", |w| {
        w.pck_crl.as_mut().unwrap().next_update = Some("20260531000000Z");
    }),
    ("INTEL-022", "Root CA expired", |w| w.root_crl.as_mut().unwrap().next_update = Some("20260531000000Z")),
    ("INTEL-022", "Root CA expired", |w| w.root_crl.as_mut().unwrap().next_update = None),
    ("INTEL-023", "the PCK certificate with serial number 67", |w| {
        w.pck_crl.as_mut().unwrap().revoked.push(103);
    }),
    ("INTEL-024", "the PCK CA", |w| w.root_crl.as_mut().unwrap().revoked.push(102)),
    ("INTEL-024", "the TCB signing certificate", |w| w.root_crl.as_mut().unwrap().revoked.push(104)),
    ("INTEL-024", "the root", |w| w.root_crl.as_mut().unwrap().revoked.push(101)),
    ("INTEL-030", "none", |w| w.tcb_info = None),
    ("INTEL-031", "exact text does not verify", |w| {
        w.tcb_info.as_mut().unwrap().other_signer = Some(Key::p256());
    }),
    ("INTEL-031", "exact text does not verify", |w| {
        w.tcb_info.as_mut().unwrap().after = Some(|text| text.replace("\":", "\": "));
    }),
    ("INTEL-031", "exact text does not verify", |w| {
        w.tcb_info.as_mut().unwrap().after = Some(|text| {
            let rest = text.strip_prefix('{').unwrap();
            // The first member goes to the end.
            let (first, rest) = rest.split_once(',').unwrap();
            format!("{{{},{first}}}", rest.strip_suffix('}').unwrap())
        });
    }),
    ("INTEL-032", "TDX, version 4", |w| w.tcb_info.as_mut().unwrap().json["version"] = json!(4)),
    ("INTEL-032", "TDX, version 2", |w| w.tcb_info.as_mut().unwrap().json["version"] = json!(2)),
    ("INTEL-032", "CCA, version 3", |w| w.tcb_info.as_mut().unwrap().json["id"] = json!("CCA")),
    ("INTEL-032", "of the other TEE", |w| {
        w.tcb_info.as_mut().unwrap().json = collateral_support::pki::tcb_info_json(Family::Sgx);
    }),
    ("INTEL-033", "0000906ea100", |w| w.tcb_info.as_mut().unwrap().json["fmspc"] = json!("0000906ea100")),
    ("INTEL-034", "0100", |w| w.tcb_info.as_mut().unwrap().json["pceId"] = json!("0100")),
    ("INTEL-035", "TCB info expired", |w| {
        w.tcb_info.as_mut().unwrap().json["nextUpdate"] = json!("2026-05-31T23:59:59Z");
    }),
    ("INTEL-040", "none", |w| w.identity = None),
    ("INTEL-041", "exact text does not verify", |w| {
        w.identity.as_mut().unwrap().other_signer = Some(Key::p256());
    }),
    ("INTEL-041", "exact text does not verify", |w| {
        w.identity.as_mut().unwrap().after = Some(|text| format!("{{ {}", &text[1..]));
    }),
    ("INTEL-042", "TD_QE, version 3", |w| w.identity.as_mut().unwrap().json["version"] = json!(3)),
    ("INTEL-042", "of another enclave", |w| w.identity.as_mut().unwrap().json["id"] = json!("QE")),
    ("INTEL-042", "of another enclave", |w| w.identity.as_mut().unwrap().json["id"] = json!("QVE")),
    ("INTEL-043", "QE identity expired", |w| {
        w.identity.as_mut().unwrap().json["nextUpdate"] = json!("2026-05-31T23:59:59Z");
    }),
    ("INTEL-044", "QE identity 20", |w| w.minimum = Some(21)),
    ("INTEL-044", "TCB info 19", |w| {
        w.tcb_info.as_mut().unwrap().json["tcbEvaluationDataNumber"] = json!(19);
        w.minimum = Some(20);
    }),
];

#[test]
fn a_good_world_passes_every_check() {
    let mut world = World::default();
    let certified = world.certify();
    let found = findings(&world, &certified);
    assert_eq!(failed(&found), Vec::<&str>::new(), "{found:#?}");
    assert_eq!(found.len(), 26);
    assert!(certified.holds() && certified.emulated());
    assert_eq!(certified.uses().len(), 8);
    assert!(certified.pck_key().is_some());
    world.minimum = Some(20);
    assert_eq!(failed(&findings(&world, &certified)), Vec::<&str>::new());
}

#[test]
fn each_check_fails_alone() {
    for (index, (code, said, change)) in CASES.iter().enumerate() {
        let mut world = World::default();
        change(&mut world);
        let certified = world.certify();
        let found = findings(&world, &certified);
        assert_eq!(failed(&found), [*code], "case {index}, {said:?}: {found:#?}");
        let finding = found.iter().find(|finding| finding.failed()).unwrap();
        let text = format!("{} {} {}", finding.expected, finding.found, finding.detail);
        assert!(text.contains(said), "case {index}: {text:?} does not say {said:?}");
        // What does not hold is not kept, but for what depends on the time or the settings.
        let of_time = ["INTEL-018", "INTEL-022", "INTEL-035", "INTEL-043", "INTEL-044"].contains(code);
        assert_eq!(certified.holds(), of_time, "case {index}");
        // Nothing that was left out lets a verification pass: with one failed check none does.
        assert!(found.iter().any(Finding::failed));
    }
    // Every check of this part has a case.
    for number in (10..=24).chain(30..=35).chain(40..=44) {
        let code = format!("INTEL-{number:03}");
        assert!(CASES.iter().any(|(known, _, _)| *known == code), "{code}");
    }
}

#[test]
fn a_document_whose_chain_is_another_is_not_believed() {
    // The signer is not the root's: both documents fail.
    let mut world = World::default();
    world.signer.other_signer = Some(Key::p256());
    assert_eq!(failed(&findings(&world, &world.certify())), ["INTEL-031", "INTEL-041"]);
    // Too many certificates, or in another order.
    for chain in [vec![0, 2, 1], vec![1, 0], vec![0, 1, 1]] {
        let world = World { document_chain: chain.clone(), ..World::default() };
        let found = findings(&world, &world.certify());
        assert_eq!(failed(&found), ["INTEL-031", "INTEL-041"], "{chain:?}");
    }
    // The signing certificate alone is enough, since the root is pinned.
    let world = World { document_chain: vec![0], ..World::default() };
    assert!(world.certify().holds());
    // The PCK CA is the root's, too, but no signer of documents.
    let mut world = World { document_chain: vec![2, 1], ..World::default() };
    world.tcb_info.as_mut().unwrap().other_signer = None;
    let found = findings(&world, &world.certify());
    assert_eq!(failed(&found), ["INTEL-015", "INTEL-016", "INTEL-031", "INTEL-041"], "{found:#?}");
}

#[test]
fn the_newest_of_several_counts_and_what_is_forged_pushes_nothing_out() {
    let mut world = World::default();
    let mut newer = world.tcb_info.take().unwrap();
    let older = world.served(&newer);
    newer.json["issueDate"] = json!("2026-05-21T00:00:00Z");
    newer.json["tcbEvaluationDataNumber"] = json!(21);
    world.tcb_info = Some(newer);
    world.extra.push(older);
    // Another platform's, newer still, and one that somebody else signed.
    let mut foreign = World::default();
    foreign.tcb_info.as_mut().unwrap().json["issueDate"] = json!("2026-05-30T00:00:00Z");
    world.extra.push(foreign.served(foreign.tcb_info.as_ref().unwrap()));
    foreign.tcb_info.as_mut().unwrap().json["fmspc"] = json!("111111111111");
    world.extra.push(world.served(foreign.tcb_info.as_ref().unwrap()));
    // A forged list that revokes the PCK, and one that revokes nothing.
    let mut list = foreign.pck_crl.take().unwrap();
    list.revoked = vec![103];
    world.extra.push(list.der(&Key::p256()));
    let certified = world.certify();
    let found = findings(&world, &certified);
    assert_eq!(failed(&found), Vec::<&str>::new(), "{found:#?}");
    assert_eq!(certified.tcb_info().unwrap().evaluation_number, 21);
    assert_eq!(certified.unused().len(), 4, "{:#?}", certified.unused());
    // What one genuine list revokes stays revoked, though a newer one leaves it out.
    world.extra.push(list.der(&world.ca.key));
    assert_eq!(failed(&findings(&world, &world.certify())), ["INTEL-023"]);
}

#[test]
fn a_quote_without_its_chain_finds_it_among_the_collateral() {
    let mut world = World::default();
    let leaf = world.leaf_der();
    let served = assay_types::ServedCollateral {
        issuer_chain: pem("CERTIFICATE", &world.ca_der()) + &pem("CERTIFICATE", &world.root_der()),
        body: pem("CERTIFICATE", &leaf).into_bytes(),
    };
    world.extra.push(served.to_bytes().to_vec());
    let collateral = world.collateral();
    let build = |source: PckSource<'_>| Certified::build(&world.anchors(), Family::Tdx, source, &collateral);
    let text = pem("CERTIFICATE", &leaf);
    for source in [PckSource::Leaf(&leaf), PckSource::Leaf(text.as_bytes())] {
        let certified = build(source);
        assert!(certified.holds(), "{:#?}", findings(&world, &certified));
    }
    let ids = PlatformIds {
        ppid: Some([1; 16]),
        encrypted_ppid: None,
        cpu_svn: [9; 16],
        pce_svn: 300,
        pce_id: [0, 0],
    };
    assert!(build(PckSource::Ids(&ids)).holds());
    let others = [
        PlatformIds { ppid: Some([2; 16]), ..ids.clone() },
        PlatformIds { cpu_svn: [8; 16], ..ids.clone() },
        PlatformIds { pce_svn: 301, ..ids.clone() },
        PlatformIds { pce_id: [0, 1], ..ids.clone() },
    ];
    for other in &others {
        let certified = build(PckSource::Ids(other));
        assert_eq!(failed(&findings(&world, &certified)), ["INTEL-011"], "{other:?}");
        assert!(!certified.holds() && certified.pck_key().is_none());
    }
    assert!(build(PckSource::Ids(&PlatformIds { ppid: None, ..ids })).holds());
    // Without the authority's certificate there is no chain.
    let world = World::default();
    let certified =
        Certified::build(&world.anchors(), Family::Tdx, PckSource::Leaf(&leaf), &world.collateral());
    assert_eq!(failed(&findings(&world, &certified)), ["INTEL-011"]);
    for bad in [&b""[..], b"x", text.repeat(2).as_bytes()] {
        let certified =
            Certified::build(&world.anchors(), Family::Tdx, PckSource::Leaf(bad), &world.collateral());
        assert_eq!(failed(&findings(&world, &certified)), ["INTEL-011"], "{bad:?}");
    }
}

#[test]
fn without_anything_every_source_of_trust_is_missed() {
    let world = World::default();
    let certified = Certified::build(
        &IntelAnchors::intel(),
        Family::Sgx,
        PckSource::Chain(b""),
        &collateral_support::set([]),
    );
    let found = findings(&world, &certified);
    assert_eq!(failed(&found), ["INTEL-011", "INTEL-030", "INTEL-040"]);
    assert!(!certified.holds());
    assert_eq!(certified.uses(), []);
    assert_eq!(certified.supplement().root_key_id, None);
}

#[test]
fn the_bounds_on_pieces_hold() {
    let mut world = World::default();
    for _ in 0..70 {
        world.extra.push(pem("CERTIFICATE", &world.root_der()).into_bytes());
    }
    let found = findings(&world, &world.certify());
    assert!(failed(&found).contains(&"INTEL-010"));
    let detail = &found.iter().find(|finding| finding.code == "INTEL-010").unwrap().detail;
    assert!(detail.contains("at most 64 are read"), "{detail}");
    assert_eq!(now(), at("2026-06-01T00:00:00Z"));
    let _ = (CERTIFIES, SIGNS, World::serial(1));
}
