//! The OpenAPI document, made from the table of endpoints and the schemas of the messages.

use assay_access::Role;
use assay_token::EarMedia;
use assay_types::PROTOCOL_VERSION;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathItem, Ref, RefOr, Required, ResponseBuilder, Schema, SecurityRequirement, schema,
};
use utoipa::{PartialSchema, ToSchema};

use crate::attestation::{AttestationRequest, ChallengeRequest};
use crate::schemas::{
    Discovery, Readiness, ReferenceValueRecord, ReferenceValueVersion, ResourceListing, SetAttestationPolicy,
    SetResourcePolicy, copies,
};
use crate::veraison::{ChallengeResponseSession, EvidenceBlob, ProvisioningSession, VeraisonDiscovery};
use crate::{Access, Content, ENDPOINTS, Endpoint};

const ADMIN_TOKEN: &str = "admin-token";
const ATTESTATION_TOKEN: &str = "attestation-token";
const SESSION: &str = "session-cookie";

/// The document as JSON text, as `/openapi.json` gives it.
pub fn openapi() -> String {
    // A tree of texts and numbers always has a JSON form.
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for endpoint in ENDPOINTS {
        paths = paths.path(endpoint.path.replace("{*", "{"), path_item(endpoint));
    }
    let info = InfoBuilder::new()
        .title("Assay key broker service")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!(
            "RCAR protocol {PROTOCOL_VERSION} of Confidential Containers, its administration, the attestation \
             service's interface for guests (where it is opened), and Veraison's interface for Arm CCA. Every error is application/problem+json of the schema Problem."
        )))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components())).build()
}

fn components() -> schema::Components {
    let mut components = ComponentsBuilder::new();
    macro_rules! with {
        ($($schema:ty),* $(,)?) => { $( components = with_schema::<$schema>(components); )* };
    }
    with!(
        copies::Request,
        copies::Challenge,
        copies::Attestation,
        copies::AttestationAnswer,
        copies::Response,
        copies::Problem,
        copies::Unready,
        copies::Verdict,
        copies::PolicyListing,
        copies::ReferenceValueMessage,
        copies::JsonWebKeySet,
        copies::AuditRecords,
        ResourceListing,
        SetResourcePolicy,
        SetAttestationPolicy,
        ReferenceValueRecord,
        ReferenceValueVersion,
        Readiness,
        Discovery,
        ChallengeRequest,
        AttestationRequest,
        ChallengeResponseSession,
        EvidenceBlob,
        ProvisioningSession,
        VeraisonDiscovery,
    );
    let bearer = || {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build())
    };
    components
        .security_scheme(ADMIN_TOKEN, bearer())
        .security_scheme(ATTESTATION_TOKEN, bearer())
        .security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("kbs-session-id"))))
        .build()
}

/// Adds a schema and those it refers to.
fn with_schema<T: ToSchema>(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut others = Vec::new();
    T::schemas(&mut others);
    let components = components.schema(T::name(), <T as PartialSchema>::schema());
    others.into_iter().fold(components, |components, (name, schema)| components.schema(name, schema))
}

fn path_item(endpoint: &Endpoint) -> PathItem {
    let mut operation = OperationBuilder::new()
        .summary(Some(endpoint.summary))
        .operation_id(Some(operation_id(endpoint)))
        .response(endpoint.status.to_string(), answer(endpoint))
        .response("default", problem());
    if let Some(name) = parameter_of(endpoint.path) {
        let parameter = Parameter::builder()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(endpoint.path.contains("{*").then_some("May contain slashes, unescaped."))
            .schema(Some(text()));
        operation = operation.parameter(parameter.build());
    }
    for name in query_parameters(endpoint.path) {
        let parameter = Parameter::builder()
            .name(*name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .schema(Some(text()));
        operation = operation.parameter(parameter.build());
    }
    let contents = content(endpoint.request);
    if !contents.is_empty() {
        let body = contents.into_iter().fold(RequestBodyBuilder::new(), |body, (media_type, schema)| {
            body.content(media_type, ContentBuilder::new().schema(Some(schema)).build())
        });
        operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
    }
    operation = match endpoint.access {
        Access::Anyone => operation,
        Access::Attested => operation
            .security(SecurityRequirement::new(SESSION, [""; 0]))
            .security(SecurityRequirement::new(ATTESTATION_TOKEN, [""; 0])),
        Access::Admins(roles) => {
            let mut names = vec![Role::Admin.as_str()];
            names.extend(roles.iter().map(|role| role.as_str()));
            operation
                .security(SecurityRequirement::new(ADMIN_TOKEN, [""; 0]))
                .description(Some(format!("Roles: {}.", names.join(", "))))
        }
    };
    PathItem::new(method(endpoint.method), operation)
}

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// `get_kbs_v0_resource_path`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words: String =
        endpoint.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    let words: Vec<&str> = std::iter::once(endpoint.method).chain(words.split_whitespace()).collect();
    words.join("_").to_ascii_lowercase()
}

/// The name in `{name}` or `{*name}`.
fn parameter_of(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    Some(name.trim_start_matches('*'))
}

fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(schema::Type::String).build().into()
}

/// The parameters in the query of an endpoint.
fn query_parameters(path: &str) -> &'static [&'static str] {
    match path {
        "/kbs/v0/resources" => &["prefix"],
        "/kbs/v0/audit" => &["since", "until", "kind", "who", "resource", "result", "limit"],
        "/challenge-response/v1/newSession" => &["nonce", "nonceSize"],
        _ => &[],
    }
}

/// Media types and schema of a body.
fn content(content: Content) -> Vec<(&'static str, RefOr<Schema>)> {
    match content {
        Content::Empty => Vec::new(),
        Content::Text => vec![("text/plain", text())],
        Content::Binary => vec![("application/octet-stream", text())],
        Content::Json(name) => vec![("application/json", json_schema(name))],
        Content::JsonAs(media_type, name) => vec![(media_type, json_schema(name))],
        Content::Media(media_types) => media_types.iter().map(|one| (*one, text())).collect(),
    }
}

/// The schema called `name`; `[name]` is an array of it, `Value` any JSON.
fn json_schema(name: &str) -> RefOr<Schema> {
    if let Some(item) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return schema::ArrayBuilder::new().items(json_schema(item)).build().into();
    }
    match name {
        "Value" => schema::ObjectBuilder::new().schema_type(schema::SchemaType::AnyValue).build().into(),
        "String" => text(),
        name => Ref::from_schema_name(name).into(),
    }
}

fn answer(endpoint: &Endpoint) -> utoipa::openapi::Response {
    let response = ResponseBuilder::new().description("Done");
    let add = |response: ResponseBuilder, (media_type, schema)| {
        response.content(media_type, ContentBuilder::new().schema(Some(schema)).build())
    };
    let mut response = content(endpoint.response).into_iter().fold(response, add);
    if endpoint.path == "/kbs/v0/attest" {
        // Given to who accepts them; the parameter eat_profile chooses the dialect.
        for media in [EarMedia::EatJwt, EarMedia::EatCwt, EarMedia::Jwt] {
            let content = ContentBuilder::new().schema(Some(text())).build();
            response = response.content(media.as_str(), content);
        }
    }
    response.build()
}

fn problem() -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(json_schema("Problem"))).build();
    ResponseBuilder::new().description("An error").content("application/problem+json", content).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The checked-in document is the one that the program gives. After a wanted change, write it
    /// anew with `UPDATE_OPENAPI=1 cargo test -p assay-key-broker-service openapi`.
    #[test]
    fn the_checked_in_document_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/assay.json");
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, openapi()).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            checked_in == openapi(),
            "openapi/assay.json is out of date; if the change is wanted, run\n    UPDATE_OPENAPI=1 cargo test -p \
             assay-key-broker-service openapi"
        );
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document: serde_json::Value = serde_json::from_str(&openapi()).unwrap();
        let mut pending = vec![&document];
        let mut count = 0;
        while let Some(value) = pending.pop() {
            match value {
                serde_json::Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(|r| r.as_str()) {
                        count += 1;
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    pending.extend(members.values());
                }
                serde_json::Value::Array(items) => pending.extend(items),
                _ => {}
            }
        }
        assert!(count > 20);
    }

    #[test]
    fn every_endpoint_stands_in_the_document() {
        let document: serde_json::Value = serde_json::from_str(&openapi()).unwrap();
        for endpoint in ENDPOINTS {
            let path = endpoint.path.replace("{*", "{");
            let operation = &document["paths"][&path][endpoint.method.to_ascii_lowercase()];
            assert_eq!(operation["summary"], endpoint.summary, "{} {path}", endpoint.method);
            assert_eq!(
                operation.get("security").is_some(),
                endpoint.access != Access::Anyone,
                "{} {path}",
                endpoint.method
            );
        }
    }
}
