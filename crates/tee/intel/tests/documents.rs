//! TCB info and identities, read strictly: what is missing, double or out of form is named by its path.
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

use assay_tee_intel::Family;
use assay_tee_intel::collateral::{BadDocument, EnclaveId, QeIdentity, TcbInfo};
use assay_tee_intel::tcb::TcbStatus;
use collateral_support::pki::{identity_json, level, tcb_info_json};
use collateral_support::{cut, read, set};
use serde_json::{Value, json};

fn tcb_info(json: &Value) -> Result<TcbInfo, BadDocument> {
    TcbInfo::read(&json.to_string())
}

fn identity(json: &Value) -> Result<QeIdentity, BadDocument> {
    QeIdentity::read(&json.to_string())
}

fn said<T>(result: Result<T, BadDocument>) -> String {
    match result {
        Ok(_) => "read".to_owned(),
        Err(e) => e.to_string(),
    }
}

/// The JSON pointers of all members, at any depth; of arrays only the first element is looked at.
fn members(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{at}/{name}");
                out.push(path.clone());
                self::members(value, &path, out);
            }
        }
        Value::Array(values) => {
            if let Some(first) = values.first() {
                members(first, &format!("{at}/0"), out);
            }
        }
        _ => {}
    }
}

fn without(json: &Value, pointer: &str) -> Value {
    let mut json = json.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    json
}

/// `/tcbLevels/0/tcb` as errors write it: `<name>.tcbLevels[0].tcb`.
fn path(name: &str, pointer: &str) -> String {
    let mut path = name.to_owned();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) => path.push_str(&format!(".{part}")),
        }
    }
    path
}

#[test]
fn each_missing_member_is_named_by_its_path() {
    for family in [Family::Sgx, Family::Tdx] {
        let good = tcb_info_json(family);
        let mut all = Vec::new();
        members(&good, "", &mut all);
        assert!(all.len() > 12, "{all:?}");
        for pointer in all {
            let found = said(tcb_info(&without(&good, &pointer)));
            let optional = pointer == "/tdxModuleIdentities";
            let expected =
                if optional { "read".to_owned() } else { format!("{}: missing", path("tcbInfo", &pointer)) };
            assert_eq!(found, expected, "{pointer}");
        }
        let good = identity_json(family);
        let mut all = Vec::new();
        members(&good, "", &mut all);
        for pointer in all {
            let found = said(identity(&without(&good, &pointer)));
            assert_eq!(found, format!("{}: missing", path("enclaveIdentity", &pointer)));
        }
    }
}

#[test]
fn members_that_stand_twice_are_refused_wherever_they_are() {
    let good = tcb_info_json(Family::Tdx).to_string();
    assert!(TcbInfo::read(&good).is_ok());
    for member in
        ["\"fmspc\":", "\"svn\":", "\"isvsvn\":", "\"mrsigner\":", "\"tcbStatus\":", "\"tcbLevels\":"]
    {
        let double = good.replacen(member, &format!("{member}0,{member}"), 1);
        let found = said(TcbInfo::read(&double));
        assert!(found.contains("stands twice"), "{member}: {found}");
    }
    let good = identity_json(Family::Sgx).to_string();
    for member in ["\"isvprodid\":", "\"tcbDate\":"] {
        let double = good.replacen(member, &format!("{member}0,{member}"), 1);
        let found = said(QeIdentity::read(&double));
        assert!(found.contains("stands twice"), "{member}: {found}");
    }
}

#[test]
fn wrong_values_of_tcb_info_are_named_by_their_path() {
    for (pointer, value, expected) in [
        ("/issueDate", json!("2026-05-20"), "tcbInfo.issueDate: \"2026-05-20\" is not an RFC 3339"),
        ("/nextUpdate", json!(1), "tcbInfo.nextUpdate: expected a string, found a number"),
        ("/nextUpdate", json!("2026-05-19T00:00:00Z"), "tcbInfo.nextUpdate: earlier than issueDate"),
        ("/fmspc", json!("00906ea100"), "tcbInfo.fmspc: 10 characters, expected 12"),
        ("/fmspc", json!("00906ea1000g"), "tcbInfo.fmspc: not hexadecimal"),
        ("/pceId", json!("000"), "tcbInfo.pceId: 3 characters, expected 4"),
        ("/tcbType", json!(1), "tcbInfo.tcbType: unknown type"),
        ("/version", json!("3"), "tcbInfo.version: expected a whole number, found a string"),
        ("/version", json!(-3), "tcbInfo.version: expected a whole number, found a number that is negative"),
        ("/version", json!(3.0), "tcbInfo.version: expected a whole number"),
        ("/id", json!(null), "tcbInfo.id: expected a string, found null"),
        (
            "/tcbEvaluationDataNumber",
            json!(1_u64 << 32),
            "tcbInfo.tcbEvaluationDataNumber: 4294967296 is out",
        ),
        ("/tcbLevels", json!({}), "tcbInfo.tcbLevels: expected an array, found an object"),
        ("/tcbLevels/0", json!([]), "tcbInfo.tcbLevels[0]: expected an object, found an array"),
        ("/tcbLevels/0/tcbStatus", json!("Fine"), "tcbInfo.tcbLevels[0].tcbStatus: unknown status \"Fine\""),
        // No status that a level can have, but one that an evaluation can.
        ("/tcbLevels/0/tcbStatus", json!("TDRelaunchAdvised"), "tcbInfo.tcbLevels[0].tcbStatus: unknown"),
        ("/tcbLevels/0/tcb/pcesvn", json!(65536), "tcbInfo.tcbLevels[0].tcb.pcesvn: 65536 is out of range"),
        (
            "/tcbLevels/0/tcb/sgxtcbcomponents/15/svn",
            json!(256),
            "tcbInfo.tcbLevels[0].tcb.sgxtcbcomponents[15].svn: 256 is out of range",
        ),
        (
            "/tcbLevels/0/tcb/tdxtcbcomponents",
            json!([{"svn": 1}]),
            "tcbInfo.tcbLevels[0].tcb.tdxtcbcomponents: 1 elements, expected 16",
        ),
        (
            "/tcbLevels/0/tcb/sgxtcbcomponents",
            Value::Array(vec![json!({"svn": 1}); 17]),
            "tcbInfo.tcbLevels[0].tcb.sgxtcbcomponents: 17 elements, at most 16",
        ),
        ("/tdxModule/mrsigner", json!("00"), "tcbInfo.tdxModule.mrsigner: 2 characters, expected 96"),
        ("/tdxModule/attributesMask", json!("FF"), "tcbInfo.tdxModule.attributesMask: 2 characters"),
        (
            "/tdxModuleIdentities/0/id",
            json!("TDX_3"),
            "tcbInfo.tdxModuleIdentities[0].id: expected TDX_ and two",
        ),
        (
            "/tdxModuleIdentities/0/id",
            json!("TDX_+3"),
            "tcbInfo.tdxModuleIdentities[0].id: expected TDX_ and",
        ),
        (
            "/tdxModuleIdentities/0/tcbLevels/0/tcbStatus",
            json!("SWHardeningNeeded"),
            "tcbInfo.tdxModuleIdentities[0].tcbLevels[0].tcbStatus: unknown status",
        ),
    ] {
        let mut json = tcb_info_json(Family::Tdx);
        *json.pointer_mut(pointer).unwrap() = value;
        let found = said(tcb_info(&json));
        assert!(found.starts_with(expected), "{pointer}: {found:?}");
    }
    let mut json = tcb_info_json(Family::Tdx);
    let again = json["tdxModuleIdentities"][0].clone();
    json["tdxModuleIdentities"].as_array_mut().unwrap().push(again);
    assert!(said(tcb_info(&json)).contains("a module version stands twice"));
    let mut json = tcb_info_json(Family::Sgx);
    json["tcbLevels"] = Value::Array(vec![json["tcbLevels"][0].clone(); 257]);
    assert!(said(tcb_info(&json)).contains("257 elements, at most 256"));
    for (ids, problem) in [
        (json!("INTEL-SA-1"), "expected an array"),
        (json!(["INTEL SA"]), "advisoryIDs[0]: not the name of an advisory"),
        (json!(["x".repeat(65)]), "not the name of an advisory"),
        (Value::Array(vec![json!("x"); 513]), "at most 512"),
    ] {
        let mut json = tcb_info_json(Family::Sgx);
        json["tcbLevels"][0]["advisoryIDs"] = ids;
        assert!(said(tcb_info(&json)).contains(problem), "{}", said(tcb_info(&json)));
    }
}

#[test]
fn wrong_values_of_identities_are_named_by_their_path() {
    for (pointer, value, expected) in [
        ("/miscselect", json!("0000000"), "enclaveIdentity.miscselect: 7 characters, expected 8"),
        ("/miscselectMask", json!(0), "enclaveIdentity.miscselectMask: expected a string"),
        ("/attributes", json!("00"), "enclaveIdentity.attributes: 2 characters, expected 32"),
        ("/attributesMask", json!("zz".repeat(16)), "enclaveIdentity.attributesMask: not hexadecimal"),
        ("/mrsigner", json!("00".repeat(48)), "enclaveIdentity.mrsigner: 96 characters, expected 64"),
        ("/isvprodid", json!(65536), "enclaveIdentity.isvprodid: 65536 is out of range"),
        ("/tcbLevels/0/tcb/isvsvn", json!(65536), "enclaveIdentity.tcbLevels[0].tcb.isvsvn: 65536"),
        ("/tcbLevels/0/tcbStatus", json!("SWHardeningNeeded"), "enclaveIdentity.tcbLevels[0].tcbStatus"),
        // They would leave the status of the whole as it is.
        ("/tcbLevels/0/tcbStatus", json!("ConfigurationNeeded"), "enclaveIdentity.tcbLevels[0].tcbStatus"),
        (
            "/tcbLevels/0/tcbStatus",
            json!("OutOfDateConfigurationNeeded"),
            "enclaveIdentity.tcbLevels[0].tcbStatus: unknown status",
        ),
        ("/id", json!("QE2"), "id \"QE2\", version 2: not known"),
        ("/version", json!(1), "id \"TD_QE\", version 1: not known"),
    ] {
        let mut json = identity_json(Family::Tdx);
        *json.pointer_mut(pointer).unwrap() = value;
        let found = said(identity(&json));
        assert!(found.starts_with(expected), "{pointer}: {found:?}");
    }
    let mut json = identity_json(Family::Sgx);
    json["id"] = json!("QVE");
    assert_eq!(identity(&json).unwrap().id, EnclaveId::Verification);
}

#[test]
fn what_intel_adds_to_a_signed_document_does_not_hinder() {
    for pointer in
        ["", "/tcbLevels/0", "/tcbLevels/0/tcb", "/tcbLevels/0/tcb/sgxtcbcomponents/0", "/tdxModule"]
    {
        let mut json = tcb_info_json(Family::Tdx);
        json.pointer_mut(pointer).unwrap()["comment"] = json!({"a": [1.5, null, true]});
        assert_eq!(tcb_info(&json), tcb_info(&tcb_info_json(Family::Tdx)));
    }
}

#[test]
fn levels_come_highest_first_whatever_the_order_of_the_text() {
    let mut json = tcb_info_json(Family::Tdx);
    let mut levels = Vec::new();
    for (sgx, pce_svn, tdx) in [(1, 9, 9), (2, 1, 1), (2, 1, 2), (2, 2, 0), (3, 0, 0)] {
        let mut level = json["tcbLevels"][0].clone();
        level["tcb"]["sgxtcbcomponents"][15]["svn"] = json!(sgx);
        level["tcb"]["pcesvn"] = json!(pce_svn);
        level["tcb"]["tdxtcbcomponents"][15]["svn"] = json!(tdx);
        levels.push(level);
    }
    json["tcbLevels"] = json!(levels);
    let info = tcb_info(&json).unwrap();
    let order: Vec<_> = info.levels.iter().map(|l| (l.sgx[15], l.pce_svn, l.tdx[15])).collect();
    assert_eq!(order, [(3, 0, 0), (2, 2, 0), (2, 1, 2), (2, 1, 1), (1, 9, 9)]);
    let mut json = identity_json(Family::Sgx);
    json["tcbLevels"] = json!([level(json!({"isvsvn": 1})), level(json!({"isvsvn": 300}))]);
    assert_eq!(identity(&json).unwrap().levels[0].isv_svn, 300);
}

#[test]
fn version_2_has_its_components_as_members() {
    let mut json = tcb_info_json(Family::Sgx);
    json["version"] = json!(2);
    json.as_object_mut().unwrap().remove("id");
    let mut tcb = json!({"pcesvn": 7});
    for number in 1..=16 {
        tcb[format!("sgxtcbcomp{number:02}svn")] = json!(number);
    }
    json["tcbLevels"] = json!([level(tcb)]);
    let info = tcb_info(&json).unwrap();
    assert_eq!((info.family, info.version), (Family::Sgx, 2));
    assert_eq!(info.levels[0].sgx, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!(info.levels[0].verdict.status, TcbStatus::UpToDate);
    for number in 1..=16 {
        let name = format!("/tcbLevels/0/tcb/sgxtcbcomp{number:02}svn");
        assert_eq!(said(tcb_info(&without(&json, &name))), format!("{}: missing", path("tcbInfo", &name)));
    }
}

#[test]
fn no_byte_of_a_signed_document_can_be_changed() {
    let (Some(quote), Some(collateral)) = (read("tdx_quote_4.dat"), read("A_50806f_2023.json")) else {
        return;
    };
    let quote = cut(&quote);
    let good: Value = serde_json::from_slice(&collateral).unwrap();
    for member in ["tcb_info", "qe_identity"] {
        let text = good[member].as_str().unwrap();
        // Every 7th byte; a digit, a letter or punctuation each becomes another of its kind.
        for place in (0..text.len()).step_by(7) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = match bytes[place] {
                b'0' => b'1',
                b' ' => b'_',
                b'a'..=b'y' | b'A'..=b'Y' | b'1'..=b'8' => bytes[place] + 1,
                _ => b' ',
            };
            let mut changed = good.clone();
            changed[member] = json!(String::from_utf8(bytes).unwrap());
            let certified = quote.certify(&set([changed.to_string().into_bytes()]));
            assert!(!certified.holds(), "{member}, byte {place}");
        }
    }
}
