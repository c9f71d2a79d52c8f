//! `assay collateral` as people run it: fetched from a double of Intel's service, carried to a site without a
//! network, taken over there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod pcs;
mod site;

use assay_emulator::intel::IntelSilicon;
use assay_emulator::{Emulator, Seed};
use assay_types::Tee;
use pcs::{Pcs, around_now};
use serde_json::Value;
use site::{Site, key_pair};

const FMSPC: &str = "00A55A000000";
const DAY: i64 = 86_400;

fn states(shown: &Value) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    shown.as_array().unwrap().iter().map(|row| (text(row, "key"), text(row, "state"))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

const TDX_KEYS: [&str; 4] =
    ["pck-crl/platform", "qe-identity/tdx/standard", "root-crl", "tcb-info/tdx/00a55a000000/standard"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collateral_is_fetched_shown_carried_and_taken_over() {
    let pcs = Pcs::start(around_now(-DAY, 29 * DAY)).await;
    let online = Site::new(&format!("intel_url = {:?}", pcs.url));
    let refresh = ["refresh", "--fmspc", FMSPC, "--ca", "platform"];
    let (exit, fetched) = online.run(&refresh);
    assert_eq!(exit, 0, "{fetched}");
    assert_eq!(fetched["refreshed"].as_array().unwrap().len(), 4);
    assert_eq!(fetched["failed"], Value::Array(Vec::new()));

    let (_, shown) = online.run(&["show"]);
    let all_valid = TDX_KEYS.map(|key| (key, "valid"));
    assert_eq!(states(&shown), pairs(&all_valid));
    for row in shown.as_array().unwrap() {
        assert!(row["digest"].as_str().unwrap().starts_with("sha256:"), "{row}");
        assert!(row["origin"].as_str().unwrap().starts_with(&pcs.url), "{row}");
        assert!(row["issued"].is_string() && row["next_update"].is_string(), "{row}");
    }

    let (key, public) = key_pair(&online);
    let bundle = online.file("collateral.bundle");
    let (exit, exported) = online.run(&["export", "--out", &bundle, "--key", &key, "--vendor", "intel"]);
    assert_eq!((exit, exported["items"].as_array().unwrap().len()), (0, 4));
    let (_, in_file) = online.run(&["show", &bundle]);
    assert_eq!((&in_file["bundle"], in_file["items"].as_array().unwrap().len()), (&Value::Bool(true), 4));

    let offline = Site::new("intel_service = \"none\"");
    let (_, stranger) = key_pair(&offline);
    let (exit, refused) = offline.run(&["import", &bundle, "--signer", &stranger]);
    assert_eq!((exit, &refused["code"]), (10, &Value::from("COL-009")));
    let (exit, _) = offline.run(&["import", &bundle]);
    assert_eq!(exit, 1, "without a signer nobody is believed");
    let (exit, imported) = offline.run(&["import", &bundle, "--signer", &stranger, "--signer", &public]);
    assert_eq!(exit, 0, "{imported}");
    assert!(imported["imported"].as_array().unwrap().iter().all(|piece| piece["step"] == "new"));
    let (_, there) = offline.run(&["show"]);
    assert_eq!(states(&there), pairs(&all_valid));
    assert_eq!(there[0]["digest"], shown[0]["digest"]);
    let (_, again) = offline.run(&["import", &bundle, "--signer", &public]);
    assert!(again["imported"].as_array().unwrap().iter().all(|piece| piece["step"] == "same"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_bundle_does_not_bring_back_what_was() {
    let bundle_of = async |from: i64| {
        let pcs = Pcs::start(around_now(from, from + 30 * DAY)).await;
        let site = Site::new(&format!("intel_url = {:?}", pcs.url));
        assert_eq!(site.run(&["refresh", "--fmspc", FMSPC]).0, 0);
        let (key, public) = key_pair(&site);
        let bundle = site.file("bundle");
        assert_eq!(site.run(&["export", "--out", &bundle, "--key", &key]).0, 0);
        (site, bundle, public)
    };
    let (_old_site, old, old_signer) = bundle_of(-10 * DAY).await;
    let (_new_site, new, new_signer) = bundle_of(-DAY).await;
    let offline = Site::new("intel_service = \"none\"");
    assert_eq!(offline.run(&["import", &new, "--signer", &new_signer]).0, 0);
    let (_, before) = offline.run(&["show"]);
    let (exit, refused) = offline.run(&["import", &old, "--signer", &old_signer]);
    assert_eq!((exit, &refused["code"]), (10, &Value::from("COL-012")));
    assert_eq!(refused["refused"].as_array().unwrap().len(), 5, "{refused}");
    assert_eq!(offline.run(&["show"]).1, before);
    let (exit, taken) = offline.run(&["import", &old, "--signer", &old_signer, "--danger-allow-older"]);
    assert_eq!((exit, &taken["imported"][0]["step"]), (0, &Value::from("older")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_other_tools_are_taken_over_piece_by_piece() {
    let offline = Site::new("intel_service = \"none\"");
    let silicon = IntelSilicon::new(Seed::from_hex(site::SEED).unwrap());
    let json = silicon.collateral(&silicon.platform(), around_now(-DAY, 29 * DAY)).to_json(Tee::Tdx).unwrap();
    let file = offline.file("quote-collateral.json");
    std::fs::write(&file, json.to_string()).unwrap();
    let (exit, imported) = offline.run(&["import", &file]);
    assert_eq!(exit, 0, "{imported}");
    assert_eq!(states(&offline.run(&["show"]).1), pairs(&TDX_KEYS.map(|key| (key, "valid"))));

    // One bit of one signature, and nothing of it is taken.
    let other = Site::new("intel_service = \"none\"");
    let mut forged = json;
    let signature = forged["tcb_info_signature"].as_str().unwrap();
    let digit = if signature.starts_with('0') { '1' } else { '0' };
    forged["tcb_info_signature"] = Value::from(format!("{digit}{}", &signature[1..]));
    std::fs::write(&file, forged.to_string()).unwrap();
    let (exit, refused) = other.run(&["import", &file]);
    assert_eq!((exit, refused["refused"].as_array().unwrap().len()), (10, 1), "{refused}");
    assert_eq!(states(&other.run(&["show"]).1), []);
    let (_, shown) = other.run(&["show", &file]);
    let refused = shown["items"].as_array().unwrap().iter().filter(|row| row["state"] == "not genuine");
    assert_eq!(refused.count(), 1, "{shown}");

    for rubbish in ["", "{}", "{\"tcb_info\": 5}", "text"] {
        std::fs::write(&file, rubbish).unwrap();
        for command in ["import", "show"] {
            assert_eq!(other.run(&[command, &file]).0, 30, "{command} {rubbish:?}");
        }
    }
    std::fs::write(&file, [0xd2, 0x84]).unwrap();
    let (_, public) = key_pair(&other);
    assert_eq!(other.run(&["import", &file, "--signer", &public]).0, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_says_what_it_needs() {
    let pcs = Pcs::start(around_now(-DAY, 29 * DAY)).await;
    let site = Site::new(&format!("intel_url = {:?}", pcs.url));
    let evidence = site.file("evidence");
    let emulator = Emulator::new(Seed::from_hex(site::SEED).unwrap());
    std::fs::write(&evidence, emulator.raw_evidence(Tee::Tdx, &[], None, &[]).unwrap()).unwrap();
    let (exit, fetched) = site.run(&["refresh", "--evidence", &evidence]);
    assert_eq!(exit, 0, "{fetched}");
    assert_eq!(states(&site.run(&["show"]).1), pairs(&TDX_KEYS.map(|key| (key, "valid"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_had_is_named_and_the_rest_is_kept() {
    let pcs = Pcs::start(around_now(-DAY, 29 * DAY)).await;
    let site = Site::new(&format!("intel_url = {:?}", pcs.url));
    let (exit, fetched) = site.run(&["refresh", "--fmspc", "000000000001", "--tee", "sgx", "tdx"]);
    assert_eq!(exit, 1);
    let names: Vec<&str> =
        fetched["failed"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name.contains("000000000001")), "{names:?}");
    assert_eq!(fetched["failed"][0]["code"], "COL-002");
    assert_eq!(fetched["refreshed"].as_array().unwrap().len(), 5);
    // Nothing is due a moment later.
    let (exit, due) = site.run(&["refresh"]);
    assert_eq!((exit, &due["refreshed"]), (0, &Value::Array(Vec::new())));
    // A double that is gone is a passing trouble.
    let lost = Site::new("intel_url = \"http://127.0.0.1:1\"");
    let (exit, fetched) = lost.run(&["refresh", "--ca", "platform"]);
    assert_eq!((exit, &fetched["failed"][0]["code"]), (1, &Value::from("COL-001")));
    for wrong in
        [&["refresh", "--fmspc", "00"][..], &["refresh", "--tee", "tdx"], &["refresh", "--fmspc", "xx"]]
    {
        assert_eq!(site.run(wrong).0, 1, "{wrong:?}");
    }
    assert_eq!(Site::new("").run(&["show"]).0, 1, "there is no store to show");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caching_service_is_asked_at_its_own_paths_and_a_key_goes_to_intels_only() {
    let pcs = Pcs::start(around_now(-DAY, 29 * DAY)).await;
    let site = Site::new(&format!("intel_service = \"pccs\"\nintel_url = {:?}", pcs.url));
    assert_eq!(site.run(&["refresh", "--ca", "processor"]).0, 0);
    let paths: Vec<String> = pcs.asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        ["/sgx/certification/v4/pckcrl?ca=processor&encoding=der", "/sgx/certification/v4/rootcacrl"]
    );
    assert_eq!(
        states(&site.run(&["show"]).1),
        pairs(&[("pck-crl/processor", "valid"), ("root-crl", "valid")])
    );

    let (with_key, elsewhere) =
        (Pcs::start(around_now(-DAY, 29 * DAY)).await, Pcs::start(around_now(-DAY, 29 * DAY)).await);
    let site = Site::new("");
    let key = site.file("api-key");
    std::fs::write(&key, "0123456789abcdef\n").unwrap();
    site.configure(&format!(
        "intel_url = {:?}\nintel_root_crl_url = \"{}/IntelSGXRootCA.der\"\nintel_api_key_file = {key:?}",
        with_key.url, elsewhere.url
    ));
    assert_eq!(site.run(&["refresh", "--ca", "platform"]).0, 0);
    let sent = |pcs: &Pcs| pcs.asked()[0].1.get("ocp-apim-subscription-key").cloned();
    assert_eq!(sent(&with_key).unwrap(), "0123456789abcdef");
    assert_eq!(sent(&elsewhere), None);
}
