//! What the service that publishes collateral answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

use assay_emulator::intel::{
    COLLATERAL_VALIDITY, Certification, Collateral, PcsAnswer, PcsRequest, Role, thirty_days,
};
use assay_emulator::{EmulatorError, IntelSilicon, Seed};
use assay_types::{Tee, UnixTime};
use assay_x509::{Certificate, Crl, Der, split_pem};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde_json::Value;

fn silicon() -> IntelSilicon {
    IntelSilicon::new(Seed::DEVELOPMENT)
}

fn collateral() -> Collateral {
    silicon().collateral(&silicon().platform(), COLLATERAL_VALIDITY)
}

fn ask(request: &str) -> PcsAnswer {
    collateral().answer(&PcsRequest::new(request)).unwrap()
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        out.push_str(&part[2..]);
    }
    out
}

fn certificates(pem: &[u8]) -> Vec<Certificate> {
    let read = |piece| match piece {
        Der::Certificate(der) => Certificate::from_der(&der).unwrap(),
        other => panic!("{other:?}"),
    };
    split_pem(pem).unwrap().into_iter().map(read).collect()
}

/// The common names of a chain in a header, and that it chains.
fn chain(answer: &PcsAnswer, header: &str) -> Vec<String> {
    let text = answer.header(header).unwrap();
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
    let certificates: Vec<Certificate> = certificates(decoded(text).as_bytes());
    assert!(certificates[0].signed.is_signed_by(&certificates[1].key));
    assert!(certificates[1].signed.is_signed_by(&certificates[1].key));
    certificates.iter().map(|certificate| certificate.subject.common_name().unwrap().to_owned()).collect()
}

fn key(role: Role) -> VerifyingKey {
    VerifyingKey::from_public_key_der(&silicon().key(role).public_key_info()).unwrap()
}

/// The signed member of a body, its text as sent checked against the signature.
fn signed(answer: &PcsAnswer, member: &str) -> Value {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = std::str::from_utf8(&answer.body).unwrap();
    let inside = text.strip_prefix(&format!("{{\"{member}\":")).unwrap();
    let (content, signature) = inside.rsplit_once(",\"signature\":\"").unwrap();
    let signature = hex::decode(signature.strip_suffix("\"}").unwrap()).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    key(Role::TcbSigning).verify(content.as_bytes(), &signature).unwrap();
    serde_json::from_str(content).unwrap()
}

#[test]
fn tcb_info_and_identities_are_signed_as_sent() {
    for (tee, id, enclave) in [("sgx", "SGX", "QE"), ("tdx", "TDX", "TD_QE")] {
        let answer = ask(&format!("/{tee}/certification/v4/tcb?fmspc=00A55A000000"));
        let info = signed(&answer, "tcbInfo");
        assert_eq!(info["id"], id);
        assert_eq!(info["version"], 3);
        assert_eq!(info["fmspc"], "00A55A000000");
        assert_eq!(info["issueDate"], "2025-01-01T00:00:00Z");
        assert_eq!(info["nextUpdate"], "2032-01-01T00:00:00Z");
        assert_eq!(info["tcbLevels"].as_array().unwrap().len(), 7);
        assert_eq!(info.get("tdxModuleIdentities").is_some(), tee == "tdx");
        let names = ["Intel SGX TCB Signing", "Intel SGX Root CA"];
        assert_eq!(chain(&answer, "tcb-info-issuer-chain"), names);
        let answer = ask(&format!("/{tee}/certification/v4/qe/identity"));
        assert_eq!(signed(&answer, "enclaveIdentity")["id"], enclave);
        assert_eq!(chain(&answer, "SGX-Enclave-Identity-Issuer-Chain"), names);
    }
}

#[test]
fn members_stand_in_intels_order_without_white_space() {
    let json = collateral().to_json(Tee::Tdx).unwrap();
    let info = json["tcb_info"].as_str().unwrap();
    assert!(info.starts_with(
        r#"{"id":"TDX","version":3,"issueDate":"2025-01-01T00:00:00Z","nextUpdate":"2032-01-01T00:00:00Z","fmspc":"00A55A000000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":18,"tdxModule":{"mrsigner":"0"#
    ), "{info}");
    assert!(info.contains(
        r#"{"tcb":{"sgxtcbcomponents":[{"svn":7,"category":"BIOS","type":"Early Microcode Update"},"#
    ));
    assert!(info.contains(
        r#"{"svn":0}],"pcesvn":13,"tdxtcbcomponents":[{"svn":5,"category":"OS/VMM","type":"TDX Module"},"#
    ));
    assert!(info.contains(r#"]},"tcbDate":"2024-11-13T00:00:00Z","tcbStatus":"UpToDate"},"#));
    assert!(info.contains(r#""tcbStatus":"OutOfDate","advisoryIDs":["INTEL-SA-01036","INTEL-SA-01079"]}"#));
    let identity = json["qe_identity"].as_str().unwrap();
    assert!(identity.contains(r#""tcbEvaluationDataNumber":18,"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":""#));
    assert!(!info.contains(": ") && !identity.contains(": "));
}

/// The names and order of members, arrays by their first element.
fn members(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(colon) = rest.find("\":") {
        let start = rest[..colon].rfind('"').unwrap();
        out.push(rest[start + 1..colon].to_owned());
        rest = &rest[colon + 2..];
    }
    out.dedup();
    let mut seen = std::collections::BTreeSet::new();
    out.retain(|name| seen.insert(name.clone()));
    out
}

#[test]
fn members_are_those_of_real_collateral() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/intel/B_90c06f_2026.json");
    let Ok(real) = std::fs::read(path) else {
        eprintln!("skipped: {path} is not there");
        return;
    };
    let real: Value = serde_json::from_slice(&real).unwrap();
    let ours = collateral().to_json(Tee::Tdx).unwrap();
    let names = |value: &Value| {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(&ours), names(&real));
    let text = |value: &Value, name: &str| members(value[name].as_str().unwrap());
    assert_eq!(text(&ours, "tcb_info"), text(&real, "tcb_info"));
    // No level of that real identity has advisories.
    let mut identity = text(&ours, "qe_identity");
    assert_eq!(identity.pop().as_deref(), Some("advisoryIDs"));
    assert_eq!(identity, text(&real, "qe_identity"));
}

#[test]
fn channels_and_numbers_select_an_evaluation() {
    let number = |query: &str| {
        let answer = ask(&format!("/tdx/certification/v4/tcb?fmspc=00a55a000000{query}"));
        if answer.status != 200 {
            return Err(answer.status);
        }
        Ok(signed(&answer, "tcbInfo")["tcbEvaluationDataNumber"].as_u64().unwrap())
    };
    assert_eq!(number(""), Ok(18));
    assert_eq!(number("&update=standard"), Ok(18));
    assert_eq!(number("&update=early"), Ok(19));
    assert_eq!(number("&tcbEvaluationDataNumber=19"), Ok(19));
    assert_eq!(number("&tcbEvaluationDataNumber=18"), Ok(18));
    assert_eq!(number("&tcbEvaluationDataNumber=3"), Err(404));
    assert_eq!(number("&tcbEvaluationDataNumber=x"), Err(400));
    assert_eq!(number("&update=late"), Err(400));
    assert_eq!(number("&update=early&tcbEvaluationDataNumber=18"), Err(400));
    let early = ask("/sgx/certification/v4/qe/identity?update=early");
    assert_eq!(signed(&early, "enclaveIdentity")["tcbEvaluationDataNumber"], 19);
}

#[test]
fn lists_come_in_every_encoding() {
    let root = Crl::from_der(&ask("/IntelSGXRootCA.der").body).unwrap();
    assert_eq!(root.issuer.common_name(), Some("Intel SGX Root CA"));
    let hexadecimal = ask("/sgx/certification/v4/rootcacrl").body;
    assert_eq!(hex::decode(hexadecimal).unwrap(), ask("/IntelSGXRootCA.der").body);
    for (ca, name) in [("platform", "Intel SGX PCK Platform CA"), ("processor", "Intel SGX PCK Processor CA")]
    {
        let der = ask(&format!("/sgx/certification/v4/pckcrl?ca={ca}&encoding=der"));
        assert_eq!(Crl::from_der(&der.body).unwrap().issuer.common_name(), Some(name));
        assert_eq!(chain(&der, "SGX-PCK-CRL-Issuer-Chain"), [name, "Intel SGX Root CA"]);
        let pem = ask(&format!("/sgx/certification/v4/pckcrl?ca={ca}"));
        let text = String::from_utf8(pem.body).unwrap();
        assert!(text.starts_with("-----BEGIN X509 CRL-----\n") && text.ends_with("-----END X509 CRL-----\n"));
    }
}

#[test]
fn a_quote_with_an_encrypted_ppid_finds_its_certificate() {
    for (certification, len) in [(Certification::PpidRsa2048, 256), (Certification::PpidRsa3072, 384)] {
        let quote = silicon().td().certification(certification).build().unwrap().quote;
        let data = &quote[quote.len() - len - 20..];
        let hex = |from: usize, to: usize| hex::encode(&data[len + from..len + to]);
        let request = format!(
            "/sgx/certification/v4/pckcert?encrypted_ppid={}&cpusvn={}&pcesvn={}&pceid={}",
            hex::encode(&data[..len]),
            hex(0, 16),
            hex(16, 18),
            hex(18, 20)
        );
        let answer = ask(&request);
        assert_eq!(answer.status, 200);
        let certificate = certificates(&answer.body).remove(0);
        assert_eq!(certificate.serial, assay_x509::minimal(&silicon().pck_serial(&silicon().platform())));
        assert_eq!(answer.header("SGX-FMSPC"), Some("00A55A000000"));
        assert_eq!(answer.header("SGX-PCK-Certificate-CA-Type"), Some("platform"));
        assert_eq!(
            answer.header("SGX-TCBm").unwrap(),
            format!("{}{}", hex(0, 16), hex(16, 18)).to_uppercase()
        );
        assert_eq!(
            chain(&answer, "SGX-PCK-Certificate-Issuer-Chain"),
            ["Intel SGX PCK Platform CA", "Intel SGX Root CA"]
        );
        // Another TCB of the same platform has a certificate of its own; another platform is not known.
        let other = ask(&request.replace("cpusvn=0707", "cpusvn=0606"));
        assert_ne!(other.body, answer.body);
        assert_eq!(ask(&request.replace("pceid=0000", "pceid=0001")).status, 404);
        assert_eq!(ask(&request.replace("encrypted_ppid=", "encrypted_ppid=00")).status, 400);
    }
}

#[test]
fn what_is_wrong_or_unknown_is_refused() {
    for (request, status) in [
        ("/", 404),
        ("/sgx/certification/v3/tcb?fmspc=00A55A000000", 404),
        ("/sgx/certification/v4/tcb", 400),
        ("/sgx/certification/v4/tcb?fmspc=00A55A0000", 400),
        ("/sgx/certification/v4/tcb?fmspc=zzzzzzzzzzzz", 400),
        ("/sgx/certification/v4/tcb?fmspc=000000000000", 404),
        ("/sgx/certification/v4/pckcrl", 400),
        ("/sgx/certification/v4/pckcrl?ca=root", 400),
        ("/sgx/certification/v4/pckcrl?ca=platform&encoding=xml", 400),
        ("/sgx/certification/v4/pckcert", 400),
    ] {
        assert_eq!(ask(request).status, status, "{request}");
    }
    assert_eq!(collateral().to_json(Tee::Snp), Err(EmulatorError::NotIntel { tee: Tee::Snp }));
}

#[test]
fn dates_are_those_that_were_asked_for() {
    let now = UnixTime::parse_rfc3339("2026-05-06T07:08:09Z").unwrap();
    let json = silicon().collateral(&silicon().platform(), thirty_days(now)).to_json(Tee::Sgx).unwrap();
    let info: Value = serde_json::from_str(json["tcb_info"].as_str().unwrap()).unwrap();
    assert_eq!(info["issueDate"], "2026-05-06T07:08:09Z");
    assert_eq!(info["nextUpdate"], "2026-06-05T07:08:09Z");
    let list = Crl::from_der(&hex::decode(json["pck_crl"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(list.validity(), thirty_days(now));
    let never = thirty_days(UnixTime(i64::MAX));
    assert!(matches!(
        silicon().collateral(&silicon().platform(), never).to_json(Tee::Sgx),
        Err(EmulatorError::Date { .. })
    ));
}
