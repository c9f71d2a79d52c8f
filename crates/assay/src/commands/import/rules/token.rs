//! `[attestation_token]`: whose tokens the KBS takes.

use serde_json::Value;

use super::Judge::{By, NotNeeded};
use super::{Context, Rule, Service, Verdict, credentials, wrong_type};

pub(super) const RULES: &[Rule] = &[
    Rule("attestation_token.trusted_certs_paths", By(certificates)),
    Rule("attestation_token.trusted_jwk_sets", By(key_sets)),
    Rule("attestation_token.extra_teekey_paths", By(tee_key_paths)),
    Rule("attestation_token.insecure_header_jwk", By(header_keys)),
    // Before 2025.
    Rule("attestation_token.insecure_key", By(header_keys)),
    Rule("attestation_token.type", NotNeeded("there is one kind of token")),
];

const OWN: &str = "the attestation service is part of the server, which knows its own keys; to take another's \
                   tokens, run `assay serve kbs` with [attestation]";

fn certificates(value: &Value, context: &Context<'_>) -> Verdict {
    let Some(paths) = texts(value) else { return wrong_type("a list of paths") };
    match (context.service, paths.as_slice()) {
        (_, []) => Verdict::NotNeeded("it is empty"),
        (Service::Remote, _) => {
            Verdict::Taken { settings: vec![("attestation.trusted_certificates", array(&paths))], note: "" }
        }
        _ => Verdict::NotNeeded(OWN),
    }
}

fn key_sets(value: &Value, context: &Context<'_>) -> Verdict {
    let Some(sets) = texts(value) else { return wrong_type("a list of addresses") };
    match (context.service, sets.as_slice()) {
        (_, []) => Verdict::NotNeeded("it is empty"),
        (Service::Remote, [one]) if one.contains('@') => credentials(),
        (Service::Remote, [one]) => match one.strip_prefix("file://") {
            Some(path) => Verdict::taken("attestation.trusted_keys", path),
            None if one.starts_with("https://") => Verdict::taken("attestation.trusted_keys", one.as_str()),
            None => Verdict::refused(
                format!("{one:?} is neither file:// nor https://"),
                "write attestation.trusted_keys: a file with a JWKS, or its https:// address",
            ),
        },
        (Service::Remote, _) => Verdict::refused(
            format!("there are {} key sets, and attestation.trusted_keys is one", sets.len()),
            "write the keys into one file, and name it there",
        ),
        _ => Verdict::NotNeeded(OWN),
    }
}

fn tee_key_paths(value: &Value, _: &Context<'_>) -> Verdict {
    if value.as_array().is_some_and(Vec::is_empty) {
        return Verdict::NotNeeded("it is empty");
    }
    Verdict::refused(
        "the guest's key is looked for where attestation results of Trustee and Assay have it, and nowhere else",
        "have tokens issued by Assay's or Trustee's attestation service",
    )
}

fn header_keys(value: &Value, _: &Context<'_>) -> Verdict {
    if value.as_bool() == Some(false) {
        return Verdict::NotNeeded("keys in a token's header are never believed by themselves");
    }
    Verdict::refused(
        "with it anybody can sign a token, and get every secret",
        "with the attestation service in the server nothing is needed; else write attestation.trusted_keys or \
         attestation.trusted_certificates",
    )
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn array(texts: &[String]) -> toml::Value {
    toml::Value::Array(texts.iter().map(|text| toml::Value::String(text.clone())).collect())
}
