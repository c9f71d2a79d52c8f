//! For every check of the catalogue, evidence in which that check alone fails: good evidence and
//! collateral of the emulator with one thing broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod support;

use std::collections::BTreeSet;

use assay_emulator::intel::{
    AfterSigning, Certification, Collateral, IntelGuest, Name, Role, TcbLevelName, oid,
};
use assay_emulator::{IntelSilicon, Seed};
use assay_tee_intel::{IntelAnchors, IntelSettings, SGX_CHECKS, TDX_CHECKS};
use assay_types::{Binding, CollateralSet, Outcome, Tee, UnixTime, Validity};
use serde_json::Value;
use support::{
    anchors, binding, collateral, enclave, failed, items, json, now, set, settings, silicon, td, verifier,
    verify,
};

/// Everything good until it is changed.
struct Case {
    code: &'static str,
    what: &'static str,
    tee: Tee,
    evidence: Vec<u8>,
    collateral: CollateralSet,
    settings: IntelSettings,
    binding: Binding,
    now: UnixTime,
}

fn case(code: &'static str, what: &'static str, tee: Tee, guest: IntelGuest<'_>) -> Case {
    let published = collateral(&guest).to_json(tee).unwrap();
    Case {
        code,
        what,
        tee,
        evidence: json(&guest.build().unwrap()),
        collateral: set(&published),
        settings: settings(),
        binding: binding(),
        now: now(),
    }
}

/// A guest of which something is wrong.
fn guest(code: &'static str, what: &'static str, guest: IntelGuest<'_>) -> Case {
    let tee =
        if matches!(guest.current_body(), assay_emulator::intel::Body::Td(_)) { Tee::Tdx } else { Tee::Sgx };
    case(code, what, tee, guest)
}

/// A good guest with collateral of which something is wrong.
fn published(code: &'static str, what: &'static str, edit: impl FnOnce(&mut Collateral)) -> Case {
    let silicon = silicon();
    let guest = td(&silicon);
    let mut wrong = collateral(&guest);
    edit(&mut wrong);
    let json = wrong.to_json(Tee::Tdx).unwrap();
    Case { collateral: set(&json), ..case(code, what, Tee::Tdx, guest) }
}

/// The same on the JSON.
fn document(
    code: &'static str,
    what: &'static str,
    edit: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> Case {
    let silicon = silicon();
    let guest = td(&silicon);
    let mut json = collateral(&guest).to_json(Tee::Tdx).unwrap();
    edit(json.as_object_mut().unwrap());
    Case { collateral: set(&json), ..case(code, what, Tee::Tdx, guest) }
}

/// SubjectPublicKeyInfo of a key on P-384: the generator.
fn p384_key() -> Vec<u8> {
    hex::decode(
        "3076301006072a8648ce3d020106052b8104002203620004\
         aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7\
         3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    )
    .unwrap()
}

fn flip(report_data: &mut [u8; 64]) {
    report_data[63] ^= 1;
}

fn form_cases(s: &IntelSilicon) -> Vec<Case> {
    let good = td(s);
    let bytes = good.build().unwrap();
    vec![
        Case { evidence: b"{}".to_vec(), ..guest("INTEL-001", "no quote in the JSON", td(s)) },
        Case { evidence: bytes.quote[..700].to_vec(), ..guest("INTEL-001", "a quote cut off", td(s)) },
        guest("INTEL-002", "version 7", td(s).version(7)),
        Case { tee: Tee::Sgx, ..guest("INTEL-003", "a TD as an enclave", td(s).without_log()) },
        guest("INTEL-004", "attestation key type 3", td(s).header(|h| h.attestation_key_type = 3)),
        guest("INTEL-005", "another vendor", td(s).header(|h| h.qe_vendor_id[0] ^= 1)),
        guest("INTEL-006", "a platform manifest", td(s).certification(Certification::Other(7, vec![0; 8]))),
        guest("INTEL-007", "other report data", td(s).td_report(|r| flip(&mut r.report_data))),
        guest("INTEL-007", "other report data", enclave(s).enclave_report(|r| flip(&mut r.report_data))),
        guest("INTEL-008", "other MRCONFIGID", td(s).td_report(|r| r.mr_config_id[47] ^= 1)),
        guest(
            "INTEL-008",
            "CONFIGID not padded with zeros",
            enclave(s).enclave_report(|r| flip(&mut r.config_id)),
        ),
    ]
}

fn chain_cases(s: &IntelSilicon) -> Vec<Case> {
    let good = collateral(&td(s)).to_json(Tee::Tdx).unwrap().to_string().into_bytes();
    let past = Validity { not_before: UnixTime(0), not_after: now().plus(-1) };
    let mut cases = vec![
        Case {
            collateral: items(&[good, b"neither certificate nor list".to_vec()]),
            ..guest("INTEL-010", "a piece that is nothing", td(s))
        },
        guest("INTEL-011", "the chain upside down", td(s).chain(|chain| chain.reverse())),
        guest("INTEL-011", "no authority in the chain", td(s).chain(|chain| drop(chain.remove(1)))),
        guest("INTEL-011", "a certificate too many", td(s).chain(|chain| chain.push(chain[2].clone()))),
        Case {
            settings: IntelSettings { anchors: IntelAnchors::intel(), ..settings() },
            ..guest("INTEL-012", "Intel's root alone", td(s))
        },
        Case {
            settings: IntelSettings { anchors: anchors(Seed::PUBLISHED[1].clone()), ..settings() },
            ..guest("INTEL-012", "another emulator's root alone", enclave(s))
        },
        guest("INTEL-013", "the authority's signature", td(s).authority(|c| c.broken_signature = true)),
        guest("INTEL-014", "the PCK certificate's signature", td(s).pck(|c| c.broken_signature = true)),
        guest("INTEL-015", "another subject of the PCK", td(s).pck(|c| c.subject = Name::new("somebody"))),
        guest(
            "INTEL-016",
            "an authority that is none",
            td(s).authority(|c| c.remove_extension(oid::BASIC_CONSTRAINTS)),
        ),
        guest(
            "INTEL-016",
            "a PCK that is an authority",
            td(s).pck(|c| c.set_extension(oid::BASIC_CONSTRAINTS, vec![0x30, 3, 1, 1, 0xff])),
        ),
        guest("INTEL-017", "a PCK on P-384", td(s).pck(|c| c.public_key = p384_key())),
        guest("INTEL-018", "a PCK certificate of the past", td(s).pck(|c| c.validity = past)),
        guest("INTEL-019", "no SGX extension", td(s).pck(|c| c.remove_extension(oid::SGX))),
        guest("INTEL-023", "the PCK is revoked", td(s).pck_revoked(true)),
        guest("INTEL-023", "the PCK is revoked", enclave(s).pck_revoked(true)),
    ];
    cases.extend([
        document("INTEL-020", "no list of the authority", |c| drop(c.remove("pck_crl"))),
        published("INTEL-020", "its signature", |c| c.platform_crl.broken_signature = true),
        document("INTEL-021", "no list of the root", |c| drop(c.remove("root_ca_crl"))),
        published("INTEL-021", "its signature", |c| c.root_crl.broken_signature = true),
        published("INTEL-022", "the authority's list is over", |c| {
            c.platform_crl.next_update = Some(now().plus(-1))
        }),
        published("INTEL-022", "the root's list is over", |c| c.root_crl.next_update = Some(now().plus(-1))),
        published("INTEL-024", "the authority is revoked", |c| c.revoke_authority(Role::PlatformCa)),
        published("INTEL-024", "the TCB signing key is revoked", |c| c.revoke_authority(Role::TcbSigning)),
    ]);
    cases
}

fn document_cases(s: &IntelSilicon) -> Vec<Case> {
    let stray = s.stray_key("a stranger");
    let past = || now().plus(-1).to_string();
    vec![
        document("INTEL-030", "no TCB info", |c| c.retain(|name, _| !name.starts_with("tcb_info"))),
        published("INTEL-031", "its signature", |c| c.tdx_tcb_info.after = AfterSigning::BrokenSignature),
        published("INTEL-031", "written anew", |c| c.tdx_tcb_info.after = AfterSigning::Reserialised),
        published("INTEL-031", "signed by somebody", |c| c.tdx_tcb_info.signer = stray.clone()),
        published("INTEL-032", "version 9", |c| c.tdx_tcb_info.content.version = 9),
        published("INTEL-033", "another FMSPC", |c| c.tdx_tcb_info.content.fmspc = "00906ED50000".into()),
        published("INTEL-034", "another PCE id", |c| c.tdx_tcb_info.content.pce_id = "0001".into()),
        published("INTEL-035", "over", |c| c.tdx_tcb_info.content.next_update = past()),
        document("INTEL-040", "no identity", |c| c.retain(|name, _| !name.starts_with("qe_identity"))),
        published("INTEL-041", "its signature", |c| c.td_qe_identity.after = AfterSigning::BrokenSignature),
        published("INTEL-041", "written anew", |c| c.td_qe_identity.after = AfterSigning::Reserialised),
        published("INTEL-042", "version 9", |c| c.td_qe_identity.content.version = 9),
        published("INTEL-043", "over", |c| c.td_qe_identity.content.next_update = past()),
        Case {
            settings: IntelSettings { minimum_evaluation_number: Some(1_000), ..settings() },
            ..guest("INTEL-044", "a minimum that nothing reaches", td(s))
        },
    ]
}

fn quote_cases(s: &IntelSilicon) -> Vec<Case> {
    let stray = s.stray_key("a stranger");
    vec![
        guest("INTEL-050", "another PCK", td(s).qe_signer(stray.clone())),
        guest("INTEL-051", "another hash", td(s).qe_report(|r| r.report_data[0] ^= 1)),
        guest("INTEL-051", "something behind the hash", td(s).qe_report(|r| r.report_data[63] = 1)),
        guest("INTEL-052", "another signer", td(s).qe_report(|r| r.mr_signer[0] ^= 1)),
        guest("INTEL-053", "another product", td(s).qe_report(|r| r.isv_prod_id += 1)),
        guest("INTEL-054", "MISCSELECT", td(s).qe_report(|r| r.misc_select = 1)),
        guest("INTEL-055", "a quoting enclave in debug", td(s).qe_report(|r| r.flags |= 2)),
        guest("INTEL-056", "an old quoting enclave", td(s).qe_report(|r| r.isv_svn = 0)),
        guest("INTEL-060", "another attestation key", td(s).quote_signer(stray.clone())),
        guest("INTEL-060", "another attestation key", enclave(s).quote_signer(stray)),
        guest("INTEL-070", "older than every level", td(s).platform(|p| p.pce_svn = 0)),
        guest("INTEL-070", "older than every level", enclave(s).platform(|p| p.set_cpu_svn([0; 16]))),
        guest("INTEL-071", "revoked", td(s).tcb_level(TcbLevelName::Revoked)),
        guest("INTEL-071", "revoked", enclave(s).tcb_level(TcbLevelName::Revoked)),
        guest("TDX-001", "another signer of the module", td(s).td_report(|r| r.mr_signer_seam[0] = 1)),
        guest("TDX-001", "attributes of the module", td(s).td_report(|r| r.seam_attributes[0] = 1)),
        guest("TDX-002", "an old module", td(s).td_report(|r| r.tee_tcb_svn[0] = 0)),
        guest("TDX-003", "a log cut off", td(s).log_bytes(|b| b.truncate(100))),
        guest(
            "TDX-004",
            "an event altered",
            td(s).sent_log(|log| {
                let event = log.events.iter_mut().find(|e| e.index == 2).unwrap();
                event.digests[0].1[0] ^= 1;
            }),
        ),
        guest("TDX-004", "an event left out", td(s).sent_log(|log| drop(log.events.pop()))),
        guest("TDX-004", "another register", td(s).td_report(|r| r.rtmr[3][0] ^= 1)),
    ]
}

#[test]
fn good_evidence_passes_every_check() {
    let s = silicon();
    for (tee, guest, checks) in [
        (Tee::Tdx, td(&s), TDX_CHECKS),
        (Tee::Tdx, td(&s).tdx_1_5(), TDX_CHECKS),
        (Tee::Sgx, enclave(&s), SGX_CHECKS),
    ] {
        let case = case("", "", tee, guest);
        let result = verify(&verifier(tee, settings()), &case.evidence, &case.collateral, &binding(), now());
        let genuine = result.unwrap_or_else(|e| panic!("{tee}: {e}"));
        assert!(genuine.facts().emulated);
        let not_made: Vec<_> =
            genuine.findings().iter().filter(|f| f.outcome != Outcome::Passed).map(|f| &f.code).collect();
        // Nothing is asked for by default.
        assert_eq!(not_made, ["INTEL-044"], "{tee}");
        assert_eq!(genuine.findings().len(), checks.len());
    }
}

#[test]
fn each_check_fails_alone() {
    let s = silicon();
    let mut seen = BTreeSet::new();
    let cases = [form_cases(&s), chain_cases(&s), document_cases(&s), quote_cases(&s)];
    let mut wrong = Vec::new();
    for case in cases.into_iter().flatten() {
        let verifier = verifier(case.tee, case.settings);
        let result = verify(&verifier, &case.evidence, &case.collateral, &case.binding, case.now);
        let codes = failed(&result);
        if codes != [case.code] {
            let text = result.err().map(|e| e.to_string()).unwrap_or_default();
            wrong.push(format!("{} ({}): {codes:?} {text}", case.code, case.what));
            continue;
        }
        let failure = result.as_ref().unwrap_err().failures().next().unwrap().clone();
        assert!(!failure.remedy.is_empty(), "{}", case.code);
        assert!(
            !failure.detail.is_empty() || !failure.found.is_empty() || !failure.expected.is_empty(),
            "{}",
            case.code
        );
        seen.insert(case.code);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<_> = TDX_CHECKS.iter().map(|check| check.code).collect();
    let missing: Vec<_> = all.difference(&seen).collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}

#[test]
fn the_checks_of_sgx_are_among_those_of_tdx() {
    for check in SGX_CHECKS {
        assert!(TDX_CHECKS.contains(check), "{}", check.code);
    }
}
