//! `[[plugins]]`.

use serde_json::Value;

use super::Judge::{By, NotNeeded, Read, Refused};
use super::{Context, Rule, Verdict, file, wrong_type};

pub(super) const RULES: &[Rule] = &[
    Rule("plugins", NotNeeded("resources are always served, to whom the policy opens them")),
    Rule("plugins.resource.name", NotNeeded("resources are always served, to whom the policy opens them")),
    Rule("plugins.resource.storage_backend_type", By(back_end)),
    Rule("plugins.resource.vault_url", By(vault_url)),
    Rule("plugins.resource.token", Refused(VAULT_TOKEN, VAULT_TOKEN_INSTEAD)),
    Rule("plugins.resource.mount_path", By(vault_mount)),
    Rule("plugins.resource.verify_ssl", By(verify_ssl)),
    Rule("plugins.resource.ca_certs", By(ca_certificates)),
    Rule("plugins.resource.client_key", Refused(CLOUD, CLOUD_INSTEAD)),
    Rule("plugins.resource.kms_instance_id", Refused(CLOUD, CLOUD_INSTEAD)),
    Rule("plugins.resource.password", Refused(CLOUD, CLOUD_INSTEAD)),
    Rule("plugins.resource.cert_pem", Refused(CLOUD, CLOUD_INSTEAD)),
    Rule("plugins.resource.region", Refused(CLOUD, CLOUD_INSTEAD)),
    Rule("plugins.resource.endpoint_url", Refused(CLOUD, CLOUD_INSTEAD)),
    Rule("plugins.resource.project_id", Refused(CLOUD, CLOUD_INSTEAD)),
    // Before 2026.
    Rule("plugins.resource.type", By(back_end)),
    Rule("plugins.resource.dir_path", Read("the folder that resources are taken from")),
    Rule("plugins.pkcs11.name", Refused(PKCS11, PKCS11_INSTEAD)),
    Rule("plugins.pkcs11.module", Refused(PKCS11, "name it in resources.pkcs11_module")),
    Rule(
        "plugins.pkcs11.slot_index",
        Refused(PKCS11, "name the token by its label in resources.pkcs11_token_label"),
    ),
    Rule(
        "plugins.pkcs11.pin",
        Refused(PKCS11, "write it to a file, mode 0600, and name that in resources.pkcs11_pin_file"),
    ),
    Rule("plugins.pkcs11.rsa_mechanism", Refused(WRAP, WRAP_INSTEAD)),
    Rule("plugins.pkcs11.lookup_label", Refused(WRAP, WRAP_INSTEAD)),
    Rule("plugins.sample.name", Refused("it is for demonstrations only", "leave it out")),
    Rule("plugins.sample.*", Refused("it is for demonstrations only", "leave it out")),
    Rule("plugins.nebula-ca.*", Refused("there is no certificate authority for Nebula", NEBULA_INSTEAD)),
    Rule("plugins.external.*", Refused("there are no plugins but `resource`", EXTERNAL_INSTEAD)),
    Rule("plugins.provisioner.*", Refused("there are no plugins but `resource`", PROVISIONER_INSTEAD)),
];

const VAULT_TOKEN: &str = "secrets are not written into configurations";
const VAULT_TOKEN_INSTEAD: &str = "write it to a file, mode 0600, and name that in vault.token_file";
const CLOUD: &str =
    "secret managers of clouds are not asked; Trustee looks there by tag alone, whatever the repository";
const CLOUD_INSTEAD: &str = "store the secrets with `assay resource set`, or use Vault: [resources], [vault]";
const PKCS11: &str = "there is no endpoint /pkcs11/; keys in a token are served as resources";
const PKCS11_INSTEAD: &str =
    "name the repositories that come from it: resources.by_repository = { name = \"pkcs11\" }";
const WRAP: &str = "keys are not wrapped for guests by a token";
const WRAP_INSTEAD: &str = "release the key itself as a resource, or a sealed secret (`assay sealed-secret`)";
const NEBULA_INSTEAD: &str =
    "make credentials with nebula-cert, and store each as a resource with a policy of its own";
const EXTERNAL_INSTEAD: &str =
    "have the service behind it take Assay's tokens: it verifies them by /.well-known/jwks.json";
const PROVISIONER_INSTEAD: &str =
    "store a key for each machine as a resource, with a policy of its own by init data";

fn back_end(value: &Value, _: &Context<'_>) -> Verdict {
    let Some(name) = value.as_str() else { return wrong_type("the name of a back end") };
    match name.to_ascii_lowercase().as_str() {
        "kvstorage" | "localfs" => Verdict::NotNeeded("resources are kept in the store, encrypted"),
        "vault" => Verdict::Taken {
            settings: vec![
                ("resources.backend", "vault".into()),
                ("resources.vault_kv_version", toml::Value::Integer(1)),
                ("vault.auth", "token".into()),
            ],
            note: "Vault also takes AppRole and Kubernetes for authentication, and KV version 2",
        },
        _ => Verdict::refused(CLOUD, CLOUD_INSTEAD),
    }
}

fn vault_url(value: &Value, _: &Context<'_>) -> Verdict {
    super::address("vault.address", value)
}

fn vault_mount(value: &Value, _: &Context<'_>) -> Verdict {
    value.as_str().map_or_else(|| wrong_type("a path"), |path| Verdict::taken("resources.vault_mount", path))
}

fn verify_ssl(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_bool() {
        Some(true) => Verdict::NotNeeded("Vault's certificate is always verified"),
        _ => Verdict::refused(
            "Vault's certificate is always verified",
            "name the authority of its certificate in vault.ca_certificate",
        ),
    }
}

fn ca_certificates(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_array().map(Vec::as_slice) {
        Some([]) => Verdict::NotNeeded("it is empty"),
        Some([one]) => file("vault.ca_certificate", one),
        Some(_) => Verdict::refused(
            "vault.ca_certificate is one file",
            "write the certificates into one file (PEM), and name it there",
        ),
        None => file("vault.ca_certificate", value),
    }
}
