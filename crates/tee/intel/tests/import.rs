//! Requests, the inspector of answers, and files with many pieces.
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
use assay_tee_intel::collateral::{
    IntelInspector, PckCa, PlatformIds, UpdateChannel, needed, pck_certificate_request, pck_crl_request,
    qe_identity_request, root_crl_request, split_collateral, tcb_info_request,
};
use assay_tee_intel::{Family, IntelAnchors};
use assay_types::{CollateralInspector, CollateralRequest, ServedCollateral, Vendor};
use collateral_support::pki::{FMSPC, Key, World, pem};
use collateral_support::{at, item, read, set};
use serde_json::{Value, json};

fn ids() -> PlatformIds {
    PlatformIds {
        ppid: None,
        encrypted_ppid: Some(vec![0xab; 384]),
        cpu_svn: [9; 16],
        pce_svn: 300,
        pce_id: [0, 0],
    }
}

#[test]
fn requests_are_those_of_the_service() {
    let fmspc = [0, 0x90, 0x6e, 0xa1, 0, 0];
    let pck = pck_certificate_request(&ids()).unwrap();
    let all = [
        tcb_info_request(Family::Tdx, fmspc, UpdateChannel::Early),
        tcb_info_request(Family::Sgx, fmspc, UpdateChannel::Standard),
        qe_identity_request(Family::Tdx, UpdateChannel::Early),
        pck_crl_request(PckCa::Platform),
        pck_crl_request(PckCa::Processor),
        root_crl_request(),
        pck.clone(),
    ];
    for request in &all {
        assert_eq!(request.vendor, Vendor::Intel);
        assert!(request.cache_key.len() <= 512 && request.cache_key.bytes().all(|b| b.is_ascii_graphic()));
        assert!(request.service_path.starts_with('/'));
        assert!(request.offline_paths.iter().all(|path| !path.starts_with('/') && !path.contains("..")));
        assert_eq!(all.iter().filter(|other| other.cache_key == request.cache_key).count(), 1);
        assert_eq!(request.chain_headers.is_empty(), *request == root_crl_request());
    }
    assert_eq!(all[1].service_path, "/sgx/certification/v4/tcb?fmspc=00906ea10000&update=standard");
    assert_eq!(all[1].chain_headers, ["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"]);
    assert_eq!(all[4].service_path, "/sgx/certification/v4/pckcrl?ca=processor&encoding=der");
    let query =
        format!("encrypted_ppid={}&cpusvn={}&pcesvn=2c01&pceid=0000", "ab".repeat(384), "09".repeat(16));
    assert_eq!(pck.service_path, format!("/sgx/certification/v4/pckcert?{query}"));
    assert_eq!(pck_certificate_request(&PlatformIds { encrypted_ppid: None, ..ids() }), None);
    assert_eq!(pck_certificate_request(&PlatformIds { encrypted_ppid: Some(vec![0; 16]), ..ids() }), None);
}

#[test]
fn a_quote_without_certificate_asks_for_it_and_then_for_the_rest() {
    let world = World::default();
    let ids = ids();
    let keys = |at_hand: &assay_types::CollateralSet| -> Vec<String> {
        let all = needed(Family::Tdx, PckSource::Ids(&ids), UpdateChannel::Standard, at_hand);
        all.into_iter().map(|request| request.cache_key).collect()
    };
    let first = keys(&set([]));
    assert_eq!(first.len(), 3);
    assert!(first[0].starts_with("pck-certificate/"));
    let served = pck_answer(&world);
    assert_eq!(
        keys(&set([served])),
        [
            format!("tcb-info/tdx/{FMSPC}/standard"),
            "pck-crl/platform".into(),
            "qe-identity/tdx/standard".into(),
            "root-crl".into()
        ]
    );
}

fn pck_answer(world: &World) -> Vec<u8> {
    let issuer_chain = pem("CERTIFICATE", &world.ca_der()) + &pem("CERTIFICATE", &world.root_der());
    let body = pem("CERTIFICATE", &world.leaf_der()).into_bytes();
    ServedCollateral { issuer_chain, body }.to_bytes().to_vec()
}

fn crl_answer(world: &World) -> Vec<u8> {
    let issuer_chain = pem("CERTIFICATE", &world.ca_der()) + &pem("CERTIFICATE", &world.root_der());
    let body = world.pck_crl.as_ref().unwrap().der(&world.ca.key);
    ServedCollateral { issuer_chain, body }.to_bytes().to_vec()
}

/// Each request with the answer that a world gives to it.
fn answers(world: &World) -> Vec<(CollateralRequest, Vec<u8>)> {
    let fmspc: [u8; 6] = hex::decode(FMSPC).unwrap().try_into().unwrap();
    vec![
        (
            tcb_info_request(Family::Tdx, fmspc, UpdateChannel::Early),
            world.served(world.tcb_info.as_ref().unwrap()),
        ),
        (
            qe_identity_request(Family::Tdx, UpdateChannel::Early),
            world.served(world.identity.as_ref().unwrap()),
        ),
        (pck_crl_request(PckCa::Platform), crl_answer(world)),
        (root_crl_request(), world.root_crl.as_ref().unwrap().der(&world.root.key)),
        (pck_certificate_request(&ids()).unwrap(), pck_answer(world)),
    ]
}

#[test]
fn the_inspector_takes_what_is_genuine_and_was_asked_for() {
    let world = World::default();
    let inspector = IntelInspector::new(world.anchors());
    let answers = answers(&world);
    let ends =
        ["2026-06-19T00:00:00Z", "2026-06-19T00:00:00Z", "2026-06-15T00:00:00Z", "2026-06-15T00:00:00Z"];
    for (index, (request, bytes)) in answers.iter().enumerate() {
        let validity = inspector.inspect(request, bytes).unwrap();
        if let Some(end) = ends.get(index) {
            assert_eq!(validity.not_after, at(end));
        }
        for (other, (_, wrong)) in answers.iter().enumerate().filter(|(other, _)| *other != index) {
            assert!(inspector.inspect(request, wrong).is_err(), "{other} for {}", request.description);
        }
        assert!(IntelInspector::new(IntelAnchors::intel()).inspect(request, bytes).is_err());
        assert!(inspector.inspect(request, b"{}").is_err());
    }
    let mut unknown = answers[0].0.clone();
    unknown.cache_key = "vcek/Milan".into();
    assert!(inspector.inspect(&unknown, &answers[0].1).unwrap_err().contains("not a cache key"));
}

#[test]
fn the_inspector_refuses_what_is_not_signed_or_of_another() {
    type Change = fn(&mut World);
    let changes: [(usize, &str, Change); 14] = [
        (0, "does not verify", |w| w.tcb_info.as_mut().unwrap().other_signer = Some(Key::p256())),
        (0, "asked for 00906ea10000", |w| w.tcb_info.as_mut().unwrap().json["fmspc"] = json!("111111111111")),
        (0, "version 9", |w| w.tcb_info.as_mut().unwrap().json["version"] = json!(9)),
        (0, "of the other TEE", |w| {
            w.tcb_info.as_mut().unwrap().json = collateral_support::pki::tcb_info_json(Family::Sgx)
        }),
        (0, "INTEL-031", |w| w.signer.other_signer = Some(Key::p256())),
        (0, "may not sign", |w| w.signer.key_usage = (0x40, 6)),
        (0, "is of CN", |w| w.signer.subject = "Intel SGX TCB".into()),
        (1, "of another enclave", |w| w.identity.as_mut().unwrap().json["id"] = json!("QE")),
        (1, "does not verify", |w| w.identity.as_mut().unwrap().other_signer = Some(Key::p256())),
        (2, "does not verify", |w| w.pck_crl.as_mut().unwrap().other_signer = Some(Key::p256())),
        (2, "INTEL-013", |w| w.ca.other_signer = Some(Key::p256())),
        (2, "without the certificate", |w| w.ca.subject = "Intel SGX PCK Processor CA".into()),
        (3, "no revocation list", |w| w.root_crl.as_mut().unwrap().other_signer = Some(Key::p256())),
        (4, "INTEL-014", |w| w.leaf.other_signer = Some(Key::p256())),
    ];
    for (index, said, change) in changes {
        let mut world = World::default();
        change(&mut world);
        let (request, bytes) = answers(&world).swap_remove(index);
        let error = IntelInspector::new(world.anchors()).inspect(&request, &bytes).unwrap_err();
        assert!(error.contains(said), "{error:?} does not say {said:?}");
    }
}

#[test]
fn the_inspector_refuses_a_pck_certificate_at_another_tcb_than_was_asked_for() {
    let world = World::default();
    let inspector = IntelInspector::new(world.anchors());
    let answer = pck_answer(&world);
    for (said, other) in [
        ("of CPUSVN", PlatformIds { cpu_svn: [8; 16], ..ids() }),
        ("of PCESVN 2c01, asked for 2d01", PlatformIds { pce_svn: 301, ..ids() }),
        ("of PCE id 0000, asked for 0100", PlatformIds { pce_id: [1, 0], ..ids() }),
    ] {
        let error = inspector.inspect(&pck_certificate_request(&other).unwrap(), &answer).unwrap_err();
        assert!(error.contains(said), "{error:?} does not say {said:?}");
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// JSON as Python writes it.
fn spaced(json: &str) -> String {
    json.replace("\":", "\": ").replace(",\"", ", \"").replace("},{", "}, {")
}

#[test]
fn the_output_of_pcs_client_tool_is_taken_apart() {
    let world = World::default();
    let body =
        |bytes: Vec<u8>| String::from_utf8(ServedCollateral::from_bytes(&bytes).unwrap().body).unwrap();
    let info = body(world.served(world.tcb_info.as_ref().unwrap()));
    let identity = body(world.served(world.identity.as_ref().unwrap()));
    let pck_chain = pem("CERTIFICATE", &world.ca_der()) + &pem("CERTIFICATE", &world.root_der());
    let documents_chain = percent_encoded(&world.document_chain());
    let leaf = percent_encoded(&pem("CERTIFICATE", &world.leaf_der()));
    let text = format!(
        r#"{{"platforms": [], "collaterals": {{"version": 4, "pck_certs": [{{"qe_id": "00", "pce_id": "0000",
            "enc_ppid": "{ppid}", "platform_manifest": "", "certs": [{{"tcb": {{}}, "tcbm": "{tcbm}", "cert": "{leaf}"}}]}},
            {{"qe_id": "01", "pce_id": "0000", "enc_ppid": "", "certs": []}}],
          "tcbinfos": [{{"fmspc": "{FMSPC}", "tdx_tcbinfo": {standard}, "tdx_tcbinfo_early": {early}}}],
          "pckcacrl": {{"processorCrl": "", "platformCrl": "{pck_crl}"}},
          "qeidentity": "", "tdqeidentity": {identity}, "qveidentity": "{{}}",
          "certificates": {{"SGX-PCK-Certificate-Issuer-Chain": {{"PLATFORM": "{pck}"}},
            "TCB-Info-Issuer-Chain": "{chain}", "SGX-Enclave-Identity-Issuer-Chain": "{chain}"}},
          "rootcacrl": "{root_crl}", "rootcacrl_cdp": "https://example.org"}}}}"#,
        ppid = "ab".repeat(384),
        tcbm = "09".repeat(16) + "2c01",
        standard = spaced(&info),
        early = spaced(&info),
        identity = Value::String(identity.clone()),
        pck_crl = hex::encode(world.pck_crl.as_ref().unwrap().der(&world.ca.key)),
        root_crl = hex::encode(world.root_crl.as_ref().unwrap().der(&world.root.key)),
        pck = percent_encoded(&pck_chain),
        chain = documents_chain,
    );
    let entries = split_collateral(text.as_bytes(), UpdateChannel::Early).unwrap();
    let keys: Vec<&str> = entries.iter().map(|(request, _)| request.cache_key.as_str()).collect();
    let pck = pck_certificate_request(&ids()).unwrap();
    assert_eq!(
        keys,
        [
            format!("tcb-info/tdx/{FMSPC}/standard"),
            format!("tcb-info/tdx/{FMSPC}/early"),
            "qe-identity/tdx/standard".into(),
            "pck-crl/platform".into(),
            "root-crl".into(),
            pck.cache_key,
        ]
    );
    let inspector = IntelInspector::new(world.anchors());
    for (request, bytes) in &entries {
        inspector.inspect(request, bytes).unwrap();
    }
    // The text that was signed is there again.
    assert_eq!(body(entries[0].1.to_vec()), info);
    let collateral =
        assay_types::CollateralSet { items: entries.into_iter().map(|(_, bytes)| item(bytes)).collect() };
    let certified = Certified::build(&world.anchors(), Family::Tdx, PckSource::Ids(&ids()), &collateral);
    assert!(certified.holds());
    // A document that was changed otherwise than by white space is not believed.
    let forged = text.replacen("\"pcesvn\": 5", "\"pcesvn\": 4", 1);
    assert_ne!(forged, text);
    let entries = split_collateral(forged.as_bytes(), UpdateChannel::Early).unwrap();
    let refused: Vec<bool> =
        entries.iter().map(|(request, bytes)| inspector.inspect(request, bytes).is_err()).collect();
    assert_eq!(refused, [true, false, false, false, false, false]);
}

#[test]
fn files_that_cannot_be_taken_apart_say_why() {
    for (text, said) in [
        ("", "EOF"),
        ("[]", "expected a JSON object"),
        ("{}", "neither a QuoteCollateralV3"),
        (r#"{"tcb_info":"{}","tcb_info_signature":"00"}"#, "128 hexadecimal digits"),
        (r#"{"tcb_info":"{}"}"#, "tcb_info: expected a member tcbInfo"),
        (r#"{"tcb_info":5}"#, "tcb_info: invalid type"),
        (r#"{"pck_crl":"00"}"#, "pck_crl: not a revocation list"),
        (r#"{"collaterals":[]}"#, "expected a JSON object"),
        (r#"{"collaterals":{"tcbinfos":{}}}"#, "tcbinfos"),
        (
            r#"{"collaterals":{"tcbinfos":[{"sgx_tcbinfo":{}}]}}"#,
            "tcbinfos[0].sgx_tcbinfo: expected a member",
        ),
        (r#"{"collaterals":{"qeidentity":"x"}}"#, "qeidentity"),
        (r#"{"collaterals":{"rootcacrl":"zz"}}"#, "rootcacrl: not a revocation list"),
        (r#"{"collaterals":{"certificates":{"TCB-Info-Issuer-Chain":"%2"}}}"#, "wrong percent-encoding"),
        (r#"{"collaterals":{"pck_certs":[{"enc_ppid":"00"}]}}"#, "pck_certs[0]: pce_id: missing"),
        (
            r#"{"collaterals":{"pck_certs":[{"enc_ppid":"00","pce_id":"0"}]}}"#,
            "expected 4 hexadecimal digits",
        ),
        (
            r#"{"collaterals":{"pck_certs":[{"enc_ppid":"00","pce_id":"0000","certs":[{"tcbm":"00"}]}]}}"#,
            "tcbm: expected 36 hexadecimal digits",
        ),
        (r#"{"collaterals":{},"collaterals":{}}"#, "stands twice"),
        (&format!("{:?}", "x".repeat(100_000)), "invalid type"),
    ] {
        let error = split_collateral(text.as_bytes(), UpdateChannel::Standard).unwrap_err().to_string();
        assert!(error.len() < 300, "{} bytes", error.len());
        assert!(error.contains(said), "{text}: {error:?} does not say {said:?}");
    }
}

#[test]
fn revocation_lists_come_in_hex_pem_and_der() {
    let world = World::default();
    let list = world.pck_crl.as_ref().unwrap().der(&world.ca.key);
    for form in [
        list.clone(),
        hex::encode(&list).into_bytes(),
        pem("X509 CRL", &list).into_bytes(),
        hex::encode(pem("X509 CRL", &list)).into_bytes(),
    ] {
        let mut world = World { pck_crl: None, ..World::default() };
        world.ca = World::default().ca;
        world.extra.push(form);
        // The list is of another world's CA, so it is read and not believed.
        let certified = world.certify();
        assert_eq!(certified.unused().len(), 1, "{:?}", certified.unused());
    }
    let Some(collateral) = read("A_50806f_2023.json") else { return };
    let mut json: Value = serde_json::from_slice(&collateral).unwrap();
    for member in ["pck_crl", "root_ca_crl"] {
        let der = hex::decode(json[member].as_str().unwrap()).unwrap();
        json[member] = json!(pem("X509 CRL", &der));
    }
    let quote = collateral_support::cut(&read("tdx_quote_4.dat").unwrap());
    assert!(quote.certify(&set([json.to_string().into_bytes()])).holds());
    assert_eq!(split_collateral(json.to_string().as_bytes(), UpdateChannel::Early).unwrap().len(), 4);
    // The documents as served, within the strings.
    for (name, member) in [("tcb_info", "tcbInfo"), ("qe_identity", "enclaveIdentity")] {
        let text = json[name].as_str().unwrap().to_owned();
        let signature = json[format!("{name}_signature")].take();
        json[name] = json!(format!("{{\"{member}\":{text},\"signature\":{signature}}}"));
    }
    assert!(quote.certify(&set([json.to_string().into_bytes()])).holds());
    assert_eq!(split_collateral(json.to_string().as_bytes(), UpdateChannel::Early).unwrap().len(), 4);
    // What is there in part is read in part.
    for (member, other) in [("tcb_info_signature", "tcb_info"), ("tcb_info", "tcb_info_signature")] {
        let part = json!({member: "00".repeat(64), "pck_crl": json["pck_crl"]});
        let certified = quote.certify(&set([part.to_string().into_bytes()]));
        let found = collateral_support::findings(&certified, at("2023-07-01T00:00:00Z"));
        let form = found.iter().find(|finding| finding.code == "INTEL-010").unwrap();
        assert!(
            form.failed()
                && form.detail.contains(if member == "tcb_info" { "invalid number" } else { "missing" }),
            "{other}: {form:?}"
        );
    }
}
