//! The one table of methods and paths: who may use them, what they take and what they give.
//!
//! Roles are checked against it (default: deny), the OpenAPI document is made from it, and tests
//! hold the router against it.

use assay_access::Role;

use crate::veraison::{DISCOVERY_TYPE, ENDORSEMENT_TYPES, EVIDENCE_TYPES, PROVISIONING_TYPE, SESSION_TYPE};
use Access::{Admins, Anyone, Attested};
use Content::{Binary, Empty, Json, JsonAs, Media, Text};
use Role::{Auditor, PolicyWriter, ReferenceValueReader, ReferenceValueWriter, ResourceWriter};

/// Who may use an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Anyone,
    /// Who shows the cookie of an attested session, or an attestation token.
    Attested,
    /// [`Role::Admin`], and callers of one of these roles.
    Admins(&'static [Role]),
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// JSON of this schema.
    Json(&'static str),
    /// Text.
    Text,
    /// Bytes.
    Binary,
    /// JSON of a media type, of this schema.
    JsonAs(&'static str, &'static str),
    /// Bytes of one of these media types.
    Media(&'static [&'static str]),
}

/// A method on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The method.
    pub method: &'static str,
    /// The path as the router knows it; `{*name}` takes the rest of the path.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// The body of the request.
    pub request: Content,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub response: Content,
    /// What it does.
    pub summary: &'static str,
}

const fn endpoint(
    method: &'static str,
    path: &'static str,
    access: Access,
    request: Content,
    response: Content,
    summary: &'static str,
) -> Endpoint {
    Endpoint { method, path, access, request, status: 200, response, summary }
}

impl Endpoint {
    /// With another status than 200.
    const fn answering(self, status: u16) -> Self {
        Endpoint { status, ..self }
    }
}

/// Every endpoint.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &[
    endpoint("POST", "/kbs/v0/auth", Anyone, Json("Request"), Json("Challenge"),
        "Begins an attestation: gives a nonce, and the cookie kbs-session-id"),
    endpoint("POST", "/kbs/v0/attest", Anyone, Json("Attestation"), Json("AttestationAnswer"),
        "Verifies evidence for the nonce of the cookie and gives a token; each challenge once"),
    endpoint("GET", "/kbs/v0/resource/{*path}", Attested, Empty, Json("Response"),
        "A resource, encrypted to the guest's key (flattened JWE), if the resource policy allows it"),
    endpoint("GET", "/kbs/v0/verdict", Attested, Empty, Json("Verdict"),
        "The explanation of one's own token"),
    endpoint("GET", "/kbs/v0/verdict/{jti}", Admins(&[Auditor]), Empty, Json("Verdict"),
        "The explanation of a token, by its jti"),
    endpoint("POST", "/kbs/v0/resource/{*path}", Admins(&[ResourceWriter]), Binary, Empty,
        "Stores a new version of a resource; ETag is its number"),
    endpoint("DELETE", "/kbs/v0/resource/{*path}", Admins(&[ResourceWriter]), Empty, Empty,
        "Deletes all versions of a resource"),
    endpoint("GET", "/kbs/v0/resources", Admins(&[ResourceWriter, Auditor]), Empty, Json("[ResourceListing]"),
        "Lists resources; ?prefix= names the beginning of their paths"),
    endpoint("POST", "/kbs/v0/resource-policy", Admins(&[PolicyWriter]), Json("SetResourcePolicy"), Empty,
        "Sets a resource policy; policy_id is a prefix of resource paths, or resource-policy for all others"),
    endpoint("GET", "/kbs/v0/resource-policy", Admins(&[PolicyWriter, Auditor]), Empty, Json("[String]"),
        "The ids of all resource policies"),
    endpoint("GET", "/kbs/v0/resource-policy/{*id}", Admins(&[PolicyWriter, Auditor]), Empty, Text,
        "The text of a resource policy"),
    endpoint("DELETE", "/kbs/v0/resource-policy/{*id}", Admins(&[PolicyWriter]), Empty, Empty,
        "Deletes a resource policy; a bundled one of that id comes back"),
    endpoint("POST", "/kbs/v0/attestation-policy", Admins(&[PolicyWriter]), Json("SetAttestationPolicy"), Empty,
        "Sets an attestation policy; policy_id is <id>_<class>, such as default_cpu"),
    endpoint("GET", "/kbs/v0/attestation-policy", Admins(&[PolicyWriter, Auditor]), Empty, Json("[PolicyListing]"),
        "Lists attestation policies"),
    endpoint("GET", "/kbs/v0/attestation-policy/{*id}", Admins(&[PolicyWriter, Auditor]), Empty, Text,
        "The text of an attestation policy"),
    endpoint("DELETE", "/kbs/v0/attestation-policy/{*id}", Admins(&[PolicyWriter]), Empty, Empty,
        "Deletes an attestation policy; a bundled one of that id comes back"),
    endpoint("POST", "/kbs/v0/reference-value", Admins(&[ReferenceValueWriter]), Json("ReferenceValueMessage"), Empty,
        "Registers reference values"),
    endpoint("GET", "/kbs/v0/reference-value", Admins(&[ReferenceValueWriter, ReferenceValueReader, Auditor]), Empty,
        Json("[ReferenceValueRecord]"), "Lists reference values, expired ones among them"),
    endpoint("GET", "/kbs/v0/reference-value/{*id}", Admins(&[ReferenceValueWriter, ReferenceValueReader, Auditor]), Empty,
        Json("Value"), "A reference value"),
    endpoint("DELETE", "/kbs/v0/reference-value/{*id}", Admins(&[ReferenceValueWriter]), Empty, Empty,
        "Deletes a reference value; its history stays"),
    endpoint("POST", "/kbs/v0/reference-value-expiry/{*id}", Admins(&[ReferenceValueWriter]), Empty, Empty,
        "Ends a reference value now; it stays in the list"),
    endpoint("GET", "/kbs/v0/reference-value-history/{*id}", Admins(&[ReferenceValueWriter, ReferenceValueReader, Auditor]), Empty,
        Json("[ReferenceValueVersion]"), "All versions of a reference value, the newest first"),
    endpoint("GET", "/kbs/v0/audit", Admins(&[Auditor]), Empty, Json("AuditRecords"),
        "Records of the audit log, the newest first; ?since= until= kind= who= resource= result= limit="),
    endpoint("GET", "/kbs/v0/audit/heads", Admins(&[Auditor]), Empty, Text,
        "The signed heads of the audit log (JSON Lines), to be kept elsewhere for assay audit verify --heads"),
    endpoint("POST", "/challenge", Anyone, Json("ChallengeRequest"), Text,
        "A challenge for a passport; there only with server.attestation_api"),
    endpoint("POST", "/attestation", Anyone, Json("AttestationRequest"), Text,
        "Verifies evidence for a challenge and gives the token as text; each challenge once; only with server.attestation_api"),
    endpoint("GET", "/.well-known/jwks.json", Anyone, Empty, Json("JsonWebKeySet"),
        "The keys that tokens are verified with (RFC 7517)"),
    endpoint("GET", "/.well-known/openid-configuration", Anyone, Empty, Json("Discovery"),
        "Where the keys are (OpenID Connect Discovery)"),
    endpoint("GET", "/.well-known/veraison/verification", Anyone, Empty, JsonAs(DISCOVERY_TYPE, "VeraisonDiscovery"),
        "Veraison's discovery: the challenge-response interface, and the key of its results"),
    endpoint("GET", "/.well-known/veraison/provisioning", Anyone, Empty, JsonAs(DISCOVERY_TYPE, "VeraisonDiscovery"),
        "Veraison's discovery: the submission of endorsements"),
    endpoint("POST", "/challenge-response/v1/newSession", Anyone, Empty,
        JsonAs(SESSION_TYPE, "ChallengeResponseSession"),
        "Begins a session for ?nonce= (base64url) or a random nonce of ?nonceSize= bytes; Location names it")
        .answering(201),
    endpoint("POST", "/challenge-response/v1/session/{id}", Anyone, Media(EVIDENCE_TYPES),
        JsonAs(SESSION_TYPE, "ChallengeResponseSession"),
        "Takes the session's evidence, once, and gives the result; bad evidence has a contraindicated one"),
    endpoint("GET", "/challenge-response/v1/session/{id}", Anyone, Empty,
        JsonAs(SESSION_TYPE, "ChallengeResponseSession"), "A session"),
    endpoint("DELETE", "/challenge-response/v1/session/{id}", Anyone, Empty, Empty, "Deletes a session")
        .answering(204),
    endpoint("POST", "/endorsement-provisioning/v1/submit", Admins(&[ReferenceValueWriter]),
        Media(ENDORSEMENT_TYPES), JsonAs(PROVISIONING_TYPE, "ProvisioningSession"),
        "Registers a CoRIM; one that is refused is answered with status 200 and failed"),
    endpoint("GET", "/healthz", Anyone, Empty, Empty, "200 while the process answers"),
    endpoint("GET", "/readyz", Anyone, Empty, Json("Readiness"),
        "200 while the store and the secret back ends can serve and the server is not stopping, else 503"),
    endpoint("GET", "/metrics", Anyone, Empty, Media(&["application/openmetrics-text"]), "Metrics in the text format of OpenMetrics"),
    endpoint("GET", "/openapi.json", Anyone, Empty, Json("Value"), "This document"),
];

/// Whether whoever has these `roles` may use `method` on the path that the router matched. What is not
/// in the table may nobody.
pub(crate) fn allows(roles: &[Role], method: &str, path: &str) -> bool {
    ENDPOINTS.iter().filter(|e| e.method == method && e.path == path).any(|e| match e.access {
        Admins(allowed) => roles.iter().any(|role| *role == Role::Admin || allowed.contains(role)),
        Anyone | Attested => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_endpoint_stands_there_twice() {
        for (index, one) in ENDPOINTS.iter().enumerate() {
            let twice = ENDPOINTS[index + 1..].iter().any(|e| (e.method, e.path) == (one.method, one.path));
            assert!(!twice, "{} {}", one.method, one.path);
        }
    }

    #[test]
    fn an_auditor_changes_nothing() {
        for endpoint in ENDPOINTS.iter().filter(|e| e.method != "GET") {
            assert!(!allows(&[Auditor], endpoint.method, endpoint.path), "{}", endpoint.path);
        }
    }

    #[test]
    fn several_roles_may_what_each_of_them_may() {
        let both = [ResourceWriter, PolicyWriter];
        for endpoint in ENDPOINTS {
            let one = both.iter().any(|role| allows(&[*role], endpoint.method, endpoint.path));
            assert_eq!(allows(&both, endpoint.method, endpoint.path), one, "{}", endpoint.path);
            assert!(!allows(&[], endpoint.method, endpoint.path), "{}", endpoint.path);
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_denied_to_all() {
        for role in Role::ALL {
            for (method, path) in [
                ("PUT", "/kbs/v0/resources"),
                ("GET", "/kbs/v0/resourcess"),
                ("GET", ""),
                ("GET", "/kbs/v0/resource/{*path}"),
                ("get", "/kbs/v0/resources"),
            ] {
                assert!(!allows(&[role], method, path), "{role} {method} {path}");
            }
        }
    }

    #[test]
    fn every_role_but_the_evaluator_can_do_something_and_only_admin_everything() {
        for role in Role::ALL {
            let allowed = ENDPOINTS.iter().filter(|e| allows(&[role], e.method, e.path)).count();
            let all = ENDPOINTS.iter().filter(|e| matches!(e.access, Admins(_))).count();
            // Evidence is evaluated by an attestation service, not here.
            assert_eq!(allowed > 0, role != Role::Evaluator, "{role}");
            assert_eq!(allowed == all, role == Role::Admin, "{role}");
        }
    }
}
