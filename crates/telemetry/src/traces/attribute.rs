//! What a span says when it leaves the program. Spans serve the log too, where they may carry what a
//! collector has no need to know; so here is a list of what may leave, not of what may not.

use opentelemetry::trace::SpanKind;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

pub(crate) const STATUS: &str = "http.response.status_code";
pub(crate) const CODE: &str = "assay.code";
pub(crate) const TEE: &str = "assay.tee";
const METHOD: &str = "http.request.method";
const ROUTE: &str = "http.route";
const PART: &str = "peer.service";
const OPERATION: &str = "rpc.method";
const ID: &str = "assay.request_id";

/// Every attribute that an exported span can have.
pub const SPAN_ATTRIBUTES: [&str; 8] = [METHOD, ROUTE, STATUS, CODE, TEE, PART, OPERATION, ID];

/// The longest value of an attribute, in bytes; routes and ids are shorter.
const MAX_VALUE: usize = 128;

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The span as it may leave: named attributes only, no events, no links.
pub(crate) fn tidy(mut span: SpanData) -> SpanData {
    span.attributes = span.attributes.into_iter().filter_map(renamed).collect();
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    let value = |name: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
        found.map_or_else(String::new, |attribute| attribute.value.as_str().into_owned())
    };
    match span.name.as_ref() {
        "request" => {
            span.span_kind = SpanKind::Server;
            span.name = format!("{} {}", value(METHOD), value(ROUTE)).trim_end().to_owned().into();
        }
        "call" => {
            span.span_kind = SpanKind::Client;
            span.name = format!("{} {}", value(PART), value(OPERATION)).into();
        }
        _ => (),
    }
    span
}

/// The attribute under its public name, if it has one.
fn renamed(attribute: KeyValue) -> Option<KeyValue> {
    let name = match attribute.key.as_str() {
        "method" => METHOD,
        "route" => ROUTE,
        "id" => ID,
        "to" => PART,
        "operation" => OPERATION,
        other => SPAN_ATTRIBUTES.into_iter().find(|known| *known == other)?,
    };
    let text = attribute.value.as_str();
    let value = match name {
        // Callers may invent methods.
        METHOD if !METHODS.contains(&text.as_ref()) => Value::from("_OTHER"),
        _ if text.len() > MAX_VALUE => return None,
        _ => attribute.value,
    };
    Some(KeyValue::new(Key::from_static_str(name), value))
}
