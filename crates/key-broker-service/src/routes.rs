//! The router. Which role may use what stands in the table of endpoints; a test holds the two
//! together.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header;

use crate::KeyBroker;
use crate::admin::{
    delete_attestation_policy, delete_reference_value, delete_resource, delete_resource_policy,
    expire_reference_value, get_attestation_policy, get_reference_value, get_resource_policy,
    list_attestation_policies, list_reference_values, list_resource_policies, list_resources,
    reference_value_history, register_reference_values, set_attestation_policy, set_resource,
    set_resource_policy,
};
use crate::attest::attest;
use crate::attestation::{attestation, challenge};
use crate::audit_endpoints::{audit_heads, list_audit};
use crate::auth::auth;
use crate::health::{healthz, readyz};
use crate::metrics::metrics;
use crate::middleware::{no_endpoint, no_method, surround};
use crate::resource::get_resource;
use crate::veraison::{
    delete_session, get_session, new_session, provisioning_discovery, submit_endorsements, submit_evidence,
    verification_discovery,
};
use crate::verdict::{own_verdict, verdict_by_token_id};
use crate::wellknown::{discovery, jwks};

impl KeyBroker {
    /// The HTTP interface. Whoever serves it puts a [`Connection`](assay_listener::Connection) into the
    /// extensions of each request; [`serve`](crate::serve) does.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        if self.settings().attestation_api {
            router = router.route("/challenge", post(challenge)).route("/attestation", post(attestation));
        }
        router
            .route("/kbs/v0/auth", post(auth))
            .route("/kbs/v0/attest", post(attest))
            .route("/kbs/v0/resource/{*path}", get(get_resource).post(set_resource).delete(delete_resource))
            .route("/kbs/v0/resources", get(list_resources))
            .route("/kbs/v0/verdict", get(own_verdict))
            .route("/kbs/v0/verdict/{jti}", get(verdict_by_token_id))
            .route("/kbs/v0/resource-policy", get(list_resource_policies).post(set_resource_policy))
            .route("/kbs/v0/resource-policy/{*id}", get(get_resource_policy).delete(delete_resource_policy))
            .route("/kbs/v0/attestation-policy", get(list_attestation_policies).post(set_attestation_policy))
            .route(
                "/kbs/v0/attestation-policy/{*id}",
                get(get_attestation_policy).delete(delete_attestation_policy),
            )
            .route("/kbs/v0/reference-value", get(list_reference_values).post(register_reference_values))
            .route("/kbs/v0/reference-value/{*id}", get(get_reference_value).delete(delete_reference_value))
            .route("/kbs/v0/reference-value-expiry/{*id}", post(expire_reference_value))
            .route("/kbs/v0/reference-value-history/{*id}", get(reference_value_history))
            .route("/kbs/v0/audit", get(list_audit))
            .route("/kbs/v0/audit/heads", get(audit_heads))
            .route("/.well-known/jwks.json", get(jwks))
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/.well-known/veraison/verification", get(verification_discovery))
            .route("/.well-known/veraison/provisioning", get(provisioning_discovery))
            .route("/challenge-response/v1/newSession", post(new_session))
            .route(
                "/challenge-response/v1/session/{id}",
                get(get_session).post(submit_evidence).delete(delete_session),
            )
            .route("/endorsement-provisioning/v1/submit", post(submit_endorsements))
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/openapi.json", get(openapi_document))
            .fallback(no_endpoint)
            .method_not_allowed_fallback(no_method)
            .layer(axum::middleware::from_fn_with_state(self.clone(), surround))
            .with_state(self.clone())
    }
}

/// `GET /openapi.json`.
async fn openapi_document(State(broker): State<KeyBroker>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], broker.openapi_text().to_owned()).into_response()
}
