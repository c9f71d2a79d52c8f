//! `[attestation_service]`: tokens, reference values, verifiers; and the configuration files of an attestation
//! service and an RVPS of their own, which have the same keys.

use serde_json::Value;

use super::Judge::{By, NotNeeded, Read, Refused};
use super::{Context, Rule, Service, Verdict, address, credentials, wrong_type};

pub(super) const RULES: &[Rule] = &[
    Rule("attestation_service.type", By(kind)),
    Rule("attestation_service.timeout", By(timeout)),
    Rule("attestation_service.attestation_token_broker.duration_min", By(duration)),
    Rule("attestation_service.attestation_token_broker.issuer_name", By(issuer)),
    Rule("attestation_service.attestation_token_broker.developer_name", Refused(NAMES, NAMES_INSTEAD)),
    Rule("attestation_service.attestation_token_broker.build_name", Refused(NAMES, NAMES_INSTEAD)),
    Rule("attestation_service.attestation_token_broker.profile_name", Refused(NAMES, NAMES_INSTEAD)),
    Rule("attestation_service.attestation_token_broker.verbose_token", By(verbose)),
    Rule("attestation_service.attestation_token_broker.signer.key_path", Refused(SIGNER, SIGNER_INSTEAD)),
    Rule("attestation_service.attestation_token_broker.signer.cert_path", Refused(SIGNER, SIGNER_INSTEAD)),
    Rule("attestation_service.attestation_token_broker.signer.cert_url", Refused(SIGNER, SIGNER_INSTEAD)),
    Rule("attestation_service.rvps_config.type", By(rvps_kind)),
    Rule(
        "attestation_service.rvps_config.address",
        By(|value, _| address("reference_values.address", value)),
    ),
    Rule("attestation_service.rvps_config.storage_type", Read("where reference values are taken from")),
    Rule("attestation_service.rvps_config.extractors", NotNeeded("messages of the type `sample` are taken")),
    Rule(
        "attestation_service.rvps_config.extractors.*",
        Refused(
            "messages of the types `sample` and `corim` are taken; a SWID tag is not",
            "register the digests of the tag by name: `assay reference-value set`",
        ),
    ),
    Rule("attestation_service.verifier_config.snp_verifier.vcek_sources", By(no_vcek_sources)),
    Rule("attestation_service.verifier_config.snp_verifier.vcek_sources[].type", By(vcek_source)),
    Rule("attestation_service.verifier_config.snp_verifier.vcek_sources[].base_url", By(kds)),
    Rule("attestation_service.verifier_config.snp_verifier.vcek_sources[].path", By(offline_folder)),
    Rule("attestation_service.verifier_config.dcap_verifier.collateral_service", By(collateral_service)),
    Rule("attestation_service.verifier_config.dcap_verifier.tcb_update_type", By(update)),
    Rule(
        "attestation_service.verifier_config.dcap_verifier.use_secure_cert",
        NotNeeded("certificates are always verified; Trustee does not use this key"),
    ),
    Rule("attestation_service.verifier_config.tpm_verifier", NotNeeded("it is empty")),
    Rule("attestation_service.verifier_config.tpm_verifier.*", Refused(TPM, KEEP)),
    Rule("attestation_service.verifier_config.nvidia_verifier.*", Refused(NVIDIA, KEEP)),
    Rule("attestation_service.verifier_config.nvidia_dpu_verifier.*", Refused(NVIDIA, KEEP)),
    Rule("attestation_service.as_addr", By(|value, _| address("attestation.address", value))),
    Rule("attestation_service.pool_size", NotNeeded("one connection carries many requests")),
    Rule("attestation_service.base_url", Refused(INTEL, INTEL_INSTEAD)),
    Rule("attestation_service.api_key", Refused(INTEL, INTEL_INSTEAD)),
    Rule("attestation_service.certs_file", Refused(INTEL, INTEL_INSTEAD)),
    Rule("attestation_service.policy_ids", Refused(INTEL, INTEL_INSTEAD)),
    Rule("attestation_service.allow_unmatched_policy", Refused(INTEL, INTEL_INSTEAD)),
    // Before 2026.
    Rule(
        "attestation_service.work_dir",
        NotNeeded("everything is in the data directory, or the database of [store]"),
    ),
    Rule("attestation_service.policy_engine", NotNeeded("policies are Rego")),
    Rule("attestation_service.attestation_token_broker.type", NotNeeded("tokens are EARs")),
    Rule(
        "attestation_service.attestation_token_broker.policy_dir",
        Refused(
            "policies outside of the store are not taken by themselves",
            "`assay policy set default_cpu FILE`",
        ),
    ),
    Rule(
        "attestation_service.rvps_config.storage.*",
        Refused(
            "the RVPS's own storage of earlier versions is not read",
            "start a Trustee of today on it, or register the values anew: `assay reference-value set`",
        ),
    ),
];

const NAMES: &str = "tokens name this program as their verifier, and have Trustee's profile";
const NAMES_INSTEAD: &str = "have relying parties look at `iss` (token.issuer) and the key";
const SIGNER: &str = "signing keys are made and rotated in the store; none is taken from a file";
const SIGNER_INSTEAD: &str =
    "have relying parties take the keys from /.well-known/jwks.json, where OpenID discovery leads";
const TPM: &str = "there is no verifier of TPM evidence";
const NVIDIA: &str = "there is no verifier of NVIDIA evidence";
const KEEP: &str = "leave guests that need it with Trustee; docs/known-gaps.md says what there is";
const INTEL: &str = "Intel Trust Authority is not asked: quotes are verified here";
const INTEL_INSTEAD: &str =
    "nothing is needed for that; write a policy (`assay policy set default_cpu FILE`) for what Intel's said";

fn kind(_: &Value, context: &Context<'_>) -> Verdict {
    match context.service {
        Service::Builtin => Verdict::NotNeeded("`assay serve` runs all parts in one process"),
        Service::Remote => {
            Verdict::NotNeeded("`assay serve kbs` runs the key broker alone, with [attestation]")
        }
        Service::IntelTrustAuthority => Verdict::refused(INTEL, INTEL_INSTEAD),
        Service::Unknown => {
            Verdict::refused("there is no such attestation service", "write what there is in [attestation]")
        }
    }
}

fn timeout(value: &Value, _: &Context<'_>) -> Verdict {
    minutes("limits.session_seconds", value)
}

fn duration(value: &Value, _: &Context<'_>) -> Verdict {
    minutes("token.lifetime_seconds", value)
}

/// Minutes as seconds of a key that takes 10 s to a day.
fn minutes(key: &'static str, value: &Value) -> Verdict {
    match value.as_i64() {
        Some(minutes @ 1..=1440) => Verdict::Taken {
            settings: vec![(key, toml::Value::Integer(minutes * 60))],
            note: "Trustee has minutes, Assay seconds",
        },
        Some(minutes) => Verdict::refused(
            format!("{minutes} minutes are out of range: {key} is a day at most"),
            "write less",
        ),
        None => wrong_type("a whole number of minutes"),
    }
}

fn issuer(value: &Value, _: &Context<'_>) -> Verdict {
    value.as_str().map_or_else(|| wrong_type("a text"), |name| Verdict::taken("token.issuer", name))
}

fn verbose(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_bool() {
        Some(true) => Verdict::NotNeeded("tokens have all claims"),
        Some(false) => Verdict::refused(
            "`additional-evidence` cannot be left out of tokens",
            "nothing else has to be done; tokens are somewhat longer",
        ),
        None => wrong_type("true or false"),
    }
}

fn rvps_kind(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some("BuiltIn") => Verdict::NotNeeded("reference values are part of the server"),
        Some("GrpcRemote") => Verdict::Taken {
            settings: vec![("reference_values.protocol", "trustee".into())],
            note: "Trustee's RVPS is asked at its address; an `assay serve rvps` is by protocol = \"assay\"",
        },
        _ => wrong_type("BuiltIn or GrpcRemote"),
    }
}

fn no_vcek_sources(_: &Value, _: &Context<'_>) -> Verdict {
    Verdict::refused(
        "there is no source of VCEK certificates",
        "write collateral.amd_kds_url = \"\" to never ask AMD",
    )
}

/// Where Trustee looks for VCEK certificates without a network, when nothing is said.
const KDS_STORE: &str = "/opt/confidential-containers/attestation-service/kds-store";

fn vcek_source(value: &Value, context: &Context<'_>) -> Verdict {
    let sources = context.tree.pointer("/attestation_service/verifier_config/snp_verifier/vcek_sources");
    let is_kds = |source: &Value| source.get("type").and_then(Value::as_str) == Some("KDS");
    let asks_amd = sources.and_then(Value::as_array).is_some_and(|sources| sources.iter().any(is_kds));
    match value.as_str() {
        Some("KDS") => Verdict::NotNeeded("AMD is asked for what neither the folder nor the cache has"),
        Some("OfflineStore") => {
            let mut settings = Vec::new();
            if context.parent.get("path").is_none() {
                settings.push(("collateral.offline_folder", KDS_STORE.into()));
            }
            if !asks_amd {
                settings.push(("collateral.amd_kds_url", "".into()));
            }
            Verdict::Taken { settings, note: "the folder is looked at first, whatever the order" }
        }
        _ => wrong_type("KDS or OfflineStore"),
    }
}

fn kds(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some(url) if url.contains('@') => credentials(),
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Verdict::taken("collateral.amd_kds_url", url.trim_end_matches('/'))
        }
        _ => wrong_type("an address"),
    }
}

fn offline_folder(value: &Value, _: &Context<'_>) -> Verdict {
    super::file("collateral.offline_folder", value)
}

fn collateral_service(value: &Value, _: &Context<'_>) -> Verdict {
    let Some(url) = value.as_str() else { return wrong_type("an address") };
    if url.starts_with("file://") {
        return Verdict::refused(
            "collateral of Intel's in a file of PcsClientTool is not read by itself",
            "fetch it where there is a network and carry it over: `assay collateral export`, `import`",
        );
    }
    if url.contains('@') {
        return credentials();
    }
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return wrong_type("an address");
    }
    let base = url.trim_end_matches('/');
    let base = ["/sgx/certification/v4", "/tdx/certification/v4"]
        .iter()
        .find_map(|path| base.strip_suffix(path))
        .unwrap_or(base);
    if base == "https://api.trustedservices.intel.com" {
        return Verdict::NotNeeded("Intel's own service is the one that is asked");
    }
    Verdict::Taken {
        settings: vec![("collateral.intel_service", "pccs".into()), ("collateral.intel_url", base.into())],
        note: "taken for a PCCS; for a mirror of Intel's own, collateral.intel_service is pcs",
    }
}

fn update(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some(which @ ("early" | "standard")) => Verdict::taken("collateral.intel_update", which),
        _ => wrong_type("early or standard"),
    }
}
