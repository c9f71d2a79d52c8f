//! `[admin]`.

use serde_json::Value;

use super::Judge::{By, Refused};
use super::{Context, Rule, Verdict, wrong_type};

pub(super) const RULES: &[Rule] = &[
    Rule("admin.authorization_mode", By(mode)),
    Rule("admin.authentication.bearer_jwt.identity_providers", By(none_or_providers)),
    Rule("admin.authentication.bearer_jwt.identity_providers.*", Refused(PROVIDERS, MINT)),
    Rule("admin.authorization.regex_acl.acls", By(none_or_acls)),
    Rule("admin.authorization.regex_acl.acls.*", Refused(ACL, ROLES)),
    // Before 2026.
    Rule("admin.type", By(mode)),
    Rule("admin.insecure_api", By(insecure_api)),
    Rule("admin.auth_public_key", Refused(PROVIDERS, MINT)),
    Rule("admin.admin_backend.*", Refused(PROVIDERS, MINT)),
];

const PROVIDERS: &str = "administrators' tokens are those that the admin key of this store signed";
const MINT: &str =
    "mint tokens with `assay admin token --role …`; or give client certificates roles in [access]";
const ACL: &str = "rights go by method and path with fixed roles, not by patterns over paths";
const ROLES: &str = "choose for each of these one or more of the roles that `assay admin roles` lists";

fn mode(value: &Value, _: &Context<'_>) -> Verdict {
    match value.as_str() {
        Some("InsecureAllowAll") => {
            Verdict::refused("there is no mode in which everybody is an administrator", MINT)
        }
        Some("DenyAll") => Verdict::NotNeeded(
            "nobody is an administrator until a token is minted or a certificate given a role",
        ),
        Some("AuthenticatedAuthorization") => {
            Verdict::NotNeeded("administrators are always authenticated and authorised")
        }
        Some(other) => Verdict::refused(format!("the mode {other:?} is not known"), MINT),
        None => wrong_type("the name of a mode"),
    }
}

fn insecure_api(value: &Value, _: &Context<'_>) -> Verdict {
    if value.as_bool() == Some(false) {
        return Verdict::NotNeeded("administrators are always authenticated and authorised");
    }
    Verdict::refused("there is no mode in which everybody is an administrator", MINT)
}

fn none_or_providers(value: &Value, _: &Context<'_>) -> Verdict {
    empty_or(value, PROVIDERS, MINT)
}

fn none_or_acls(value: &Value, _: &Context<'_>) -> Verdict {
    empty_or(value, ACL, ROLES)
}

fn empty_or(value: &Value, reason: &str, instead: &'static str) -> Verdict {
    if value.as_array().is_some_and(Vec::is_empty) {
        return Verdict::NotNeeded("it is empty");
    }
    Verdict::refused(reason, instead)
}
