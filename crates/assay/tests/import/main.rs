//! `assay import trustee` as people run it: on folders as Trustee writes them, into a store of Assay.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs
)]

mod trustee;

use assay_store::foreign::trustee::Namespace;
use trustee::{Layout, Trustee, of_kind, outcomes};

const ATTESTATION_POLICY: &str = r#"package policy

import rego.v1

default executables := 33

executables := 3 if input.snp.measurement in query_reference_value("snp_launch_measurement")

trust_claims := {"executables": executables}
"#;

/// Opens everything to whatever is not the sample TEE.
const OPEN_POLICY: &str = r#"package policy

import rego.v1

default allow := false

allow if not input.submods.cpu0["ear.veraison.annotated-evidence"].sample
"#;

const GOOD: &str = "[http_server]\nsockets = [\"127.0.0.1:8080\"]\ninsecure_http = true\n\
                    [admin]\nauthorization_mode = \"DenyAll\"\n\
                    [attestation_service]\ntype = \"coco_as_builtin\"\ntimeout = 5";

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// A Trustee with one of each kind.
fn filled(layout: Layout) -> Trustee {
    let trustee = Trustee::new(layout, GOOD);
    trustee.store(Namespace::Resources, "default/key/1", &[0, 255, b'\n']);
    trustee.store(Namespace::KeyBroker, "resource-policy.rego", OPEN_POLICY.as_bytes());
    trustee.store(Namespace::AttestationPolicies, "default_cpu.rego", ATTESTATION_POLICY.as_bytes());
    trustee.reference_value(
        "snp_launch_measurement",
        r#"["ab",18446744073709551615]"#,
        "2199-01-31T10:05:00.123Z",
    );
    trustee
}

#[tokio::test]
async fn everything_is_taken_and_a_second_run_changes_nothing() {
    for layout in [Layout::LocalFs, Layout::LocalJson] {
        let trustee = filled(layout);
        for (run, outcome) in [(1, "taken"), (2, "unchanged")] {
            let (exit, report) = trustee.import_into_data();
            assert_eq!(exit, 0, "{report:#}");
            for (kind, name) in [
                ("resources", "default/key/1"),
                ("resource policy", "resource-policy"),
                ("attestation policies", "default_cpu"),
                ("reference values", "snp_launch_measurement"),
            ] {
                assert_eq!(outcomes(&report, kind), pairs(&[(name, outcome)]), "run {run} of {kind}");
            }
        }
        let store = trustee.assay().await;
        let resource = store.get_resource(&"default/key/1".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((resource.version, resource.value.expose()), (1, [0, 255, b'\n'].as_slice()));
        for (kind, id, text) in
            [("resource", "resource-policy", OPEN_POLICY), ("attestation", "default_cpu", ATTESTATION_POLICY)]
        {
            let policy = store.get_policy(kind, id).await.unwrap().unwrap();
            assert_eq!((policy.info.version, policy.text.as_str()), (1, text));
        }
        let values = store.all_reference_values().await.unwrap();
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].value, serde_json::json!(["ab", 18_446_744_073_709_551_615_u64]));
        assert_eq!((values[0].version, values[0].source.as_str()), (1, "trustee"));
        assert_eq!(values[0].expires.to_string(), "2199-01-31T10:05:00Z");
        // What changed there is a new version here.
        trustee.store(Namespace::Resources, "default/key/1", b"new");
        let (_, report) = trustee.import_into_data();
        assert_eq!(outcomes(&report, "resources"), pairs(&[("default/key/1", "taken")]));
        let resource = store.get_resource(&"default/key/1".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((resource.version, resource.value.expose()), (2, b"new".as_slice()));
    }
}

#[tokio::test]
async fn what_is_refused_is_named_and_nothing_else_is_affected() {
    let trustee = filled(Layout::LocalFs);
    trustee.store(Namespace::Resources, "two/segments", b"secret of two");
    trustee.store(Namespace::Resources, "default/.hidden/1", b"x");
    trustee.store(Namespace::Resources, "session", b"x");
    trustee.store(Namespace::KeyBroker, "other.rego", OPEN_POLICY.as_bytes());
    trustee.store(Namespace::AttestationPolicies, "broken_cpu.rego", b"package policy\ntrust_claims := {");
    trustee.store(Namespace::AttestationPolicies, "binary_cpu.rego", &[0xff]);
    trustee.store(Namespace::AttestationPolicies, "notes.txt", b"x");
    let hostile = "package policy\nimport rego.v1\ntrust_claims := {\"executables\": n} if { r := http.send({}); n := r }";
    trustee.store(Namespace::AttestationPolicies, "hostile_cpu.rego", hostile.as_bytes());
    trustee.reference_value("ended", "1", "2020-01-01T00:00:00Z");
    trustee.reference_value("cca_realm", "{\"a\":1,\"a\":2}", "2199-01-01T00:00:00Z");
    let (exit, report) = trustee.import_into_data();
    assert_eq!(exit, 10, "{report:#}");
    assert_eq!(
        outcomes(&report, "resources"),
        pairs(&[
            ("default/.hidden/1", "refused"),
            ("default/key/1", "taken"),
            ("session", "refused"),
            ("two/segments", "refused"),
        ])
    );
    assert_eq!(
        outcomes(&report, "resource policy"),
        pairs(&[("other.rego", "refused"), ("resource-policy", "taken")])
    );
    assert_eq!(
        outcomes(&report, "attestation policies"),
        pairs(&[
            ("binary_cpu.rego", "refused"),
            ("broken_cpu.rego", "refused"),
            ("default_cpu", "taken"),
            ("hostile_cpu.rego", "refused"),
            ("notes.txt", "refused"),
        ])
    );
    assert_eq!(
        outcomes(&report, "reference values"),
        pairs(&[("cca_realm", "refused"), ("ended", "refused"), ("snp_launch_measurement", "taken")])
    );
    for kind in report["kinds"].as_array().unwrap() {
        for item in kind["items"].as_array().unwrap().iter().filter(|item| item["outcome"] == "refused") {
            assert!(!item["reason"].as_str().unwrap().is_empty(), "{item}");
        }
    }
    assert!(!report.to_string().contains("secret of two"));
    let store = trustee.assay().await;
    assert_eq!(store.list_resources(None).await.unwrap().len(), 1);
    assert_eq!(store.list_policies("attestation").await.unwrap().len(), 1);
    assert_eq!(store.all_reference_values().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_kind_that_cannot_be_read_is_left_out_as_a_whole() {
    let trustee = filled(Layout::LocalJson);
    std::fs::write(trustee.file("stored/repository.json"), "{\"default/key/1\":\"YQ==\",\"default/key/2\":")
        .unwrap();
    let (exit, report) = trustee.import_into_data();
    assert_eq!(exit, 1, "{report:#}");
    let resources = of_kind(&report, "resources");
    assert_eq!(
        (&resources["failed"]["code"], resources["items"].as_array().unwrap().len()),
        (&"IMP-003".into(), 0)
    );
    assert_eq!(outcomes(&report, "resource policy"), pairs(&[("resource-policy", "taken")]));
    assert_eq!(trustee.assay().await.list_resources(None).await.unwrap(), []);
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let trustee = filled(Layout::LocalFs);
    let (exit, report) = trustee.import(&["--dry-run", "--data-dir", "data"]);
    assert_eq!((exit, &report["dry_run"]), (0, &true.into()), "{report:#}");
    assert_eq!(outcomes(&report, "resources"), pairs(&[("default/key/1", "taken")]));
    assert!(!trustee.file("data").exists());
    // It needs no store to be named, and everybody else does.
    assert_eq!(trustee.import(&["--dry-run"]).0, 0);
    assert_eq!(trustee.import(&[]).0, 2);
}

#[test]
fn the_configuration_is_written_once_and_is_read_by_the_program() {
    let trustee = filled(Layout::LocalFs);
    let (exit, report) = trustee.import(&["--data-dir", "data", "--write-config", "assay.toml"]);
    assert_eq!(exit, 0, "{report:#}");
    let written = std::fs::read_to_string(trustee.file("assay.toml")).unwrap();
    assert_eq!(report["settings"], written);
    let assay = env!("CARGO_BIN_EXE_assay");
    let check = std::process::Command::new(assay)
        .args(["config", "check", "--config"])
        .arg(trustee.file("assay.toml"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{written}{}", String::from_utf8_lossy(&check.stderr));
    for line in ["listen = \"127.0.0.1:8080\"", "http = true", "session_seconds = 300", "data_dir = "] {
        assert!(written.contains(line), "{line}: {written}");
    }
    // A second time it is there, and nothing is imported.
    trustee.store(Namespace::Resources, "default/key/2", b"x");
    let (exit, said) = trustee.import(&["--data-dir", "data", "--write-config", "assay.toml"]);
    assert_eq!(exit, 1);
    assert!(said.as_str().unwrap().contains("is not overwritten"), "{said}");
    // By that configuration it goes into the same store.
    let (exit, report) = trustee.import(&["--into", "assay.toml"]);
    assert_eq!(exit, 0);
    assert_eq!(
        outcomes(&report, "resources"),
        pairs(&[("default/key/1", "unchanged"), ("default/key/2", "taken")])
    );
}

#[test]
fn every_key_of_the_configuration_has_an_outcome() {
    let lines = "[http_server]\nsockets = [\"0.0.0.0:8080\"]\ninsecure_http = true\ntypo = 1\n\
                 [admin]\nauthorization_mode = \"InsecureAllowAll\"";
    let trustee = Trustee::new(Layout::LocalFs, lines);
    let (exit, report) = trustee.import_into_data();
    assert_eq!(exit, 10);
    let mut outcomes: Vec<(String, String)> = report["configuration"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["key"].as_str().unwrap().to_owned(), line["outcome"].as_str().unwrap().to_owned()))
        .collect();
    outcomes.sort();
    assert_eq!(
        outcomes,
        pairs(&[
            ("admin.authorization_mode", "refused"),
            ("http_server.insecure_http", "refused"),
            ("http_server.sockets", "taken"),
            ("http_server.typo", "refused"),
            ("plugins[0].name", "not-needed"),
            ("plugins[0].storage_backend_type", "not-needed"),
            ("storage_backend.backends.local_fs.dir_path", "read"),
            ("storage_backend.storage_type", "read"),
        ])
    );
    // The attestation service is not named: what it stores cannot be found, and that is said.
    assert!(
        of_kind(&report, "reference values")["items"][0]["instead"].as_str().unwrap().contains("--as-config")
    );
}

#[test]
fn an_open_resource_policy_is_called_one() {
    let trustee = filled(Layout::LocalFs);
    let (_, report) = trustee.import(&["--dry-run"]);
    let notes = of_kind(&report, "resource policy")["notes"].to_string();
    assert!(notes.contains("BEWARE") && notes.contains("all affirming"), "{notes}");
    let strict = OPEN_POLICY.replace(
        "not input.submods.cpu0[\"ear.veraison.annotated-evidence\"].sample",
        "input.submods.cpu0[\"ear.status\"] == \"affirming\"",
    );
    trustee.store(Namespace::KeyBroker, "resource-policy.rego", strict.as_bytes());
    let (_, report) = trustee.import(&["--dry-run"]);
    let notes = of_kind(&report, "resource policy")["notes"].to_string();
    assert!(!notes.contains("BEWARE") && notes.contains("brings that back"), "{notes}");
    let none = Trustee::new(Layout::LocalFs, GOOD);
    let (_, report) = none.import(&["--dry-run"]);
    let notes = of_kind(&report, "resource policy")["notes"].to_string();
    assert!(notes.contains("Assay's own decides"), "{notes}");
}

#[test]
fn kinds_can_be_chosen() {
    let trustee = filled(Layout::LocalFs);
    let (exit, report) = trustee.import(&["--data-dir", "data", "--only", "resources,reference-values"]);
    assert_eq!(exit, 0, "{report:#}");
    let kinds: Vec<&str> =
        report["kinds"].as_array().unwrap().iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["resources", "reference values"]);
}

#[test]
fn the_text_for_people_names_everything_and_cannot_steer_the_terminal() {
    let trustee = filled(Layout::LocalJson);
    trustee.store(Namespace::Resources, "evil\u{1b}[2J\n✓ name", b"x");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["import", "trustee", "--data-dir", "data", "--config"])
        .arg(trustee.file("kbs-config.toml"))
        .current_dir(trustee.file(""))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(10));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text}");
    for part in [
        "✓ attestation_service.timeout → limits.session_seconds",
        "✓ default/key/1",
        "✗ evil\u{fffd}[2J\u{fffd}✓ name: a resource path",
        "resources                      1         0         1",
        "[server]",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}
