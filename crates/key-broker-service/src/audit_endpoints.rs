//! The audit log for auditors: records, and the signed heads to keep elsewhere. The log is verified where
//! its store is, or from an export, by `assay audit verify`.

use assay_audit::{Filter, Found, Kind, Outcome, export_store, find};
use assay_types::UnixTime;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Uri, header};
use serde_json::{Map, Value};

use crate::admin::Administrator;
use crate::resource::query;
use crate::{KeyBroker, RequestError};

/// How many records are given when nothing is said, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// `GET /kbs/v0/audit?since=&until=&kind=&who=&resource=&result=&limit=`: the newest records first.
pub(crate) async fn list_audit(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
    uri: Uri,
) -> Result<Json<Found>, RequestError> {
    let (filter, limit) = read(&query(uri.query().unwrap_or_default())?)?;
    Ok(Json(find(broker.store(), &filter, limit).await?))
}

/// `GET /kbs/v0/audit/heads`: keys and signed heads, as `assay audit verify --heads` takes them.
pub(crate) async fn audit_heads(
    _administrator: Administrator,
    State(broker): State<KeyBroker>,
) -> Result<Response, RequestError> {
    let mut out = Vec::new();
    export_store(broker.store(), &mut out, broker.now(), false).await?;
    let text = String::from_utf8(out).map_err(|_| RequestError::internal("the heads are not text"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn read(query: &Map<String, Value>) -> Result<(Filter, usize), RequestError> {
    let wrong = |why| RequestError::Query { why };
    let text = |name: &str| query.get(name).and_then(Value::as_str);
    let known = ["since", "until", "kind", "who", "resource", "result", "limit"];
    if query.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(wrong("known are since, until, kind, who, resource, result and limit"));
    }
    let time = |name: &str| {
        let time = text(name).map(UnixTime::parse_rfc3339).transpose();
        time.map_err(|_| wrong("since and until are times of RFC 3339, such as 2026-01-31T12:00:00Z"))
    };
    let kind = text("kind").map(|name| Kind::from_name(name).ok_or_else(|| wrong("there is no such kind")));
    let outcome = text("result")
        .map(|name| Outcome::from_name(name).ok_or_else(|| wrong("results are ok, refused and failed")));
    let limit = match text("limit").map(str::parse::<usize>) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(wrong("limit is a number from 1 to 1000")),
    };
    let filter = Filter {
        since: time("since")?,
        until: time("until")?,
        kind: kind.transpose()?,
        who: text("who").map(str::to_owned),
        resource: text("resource").map(str::to_owned),
        outcome: outcome.transpose()?,
    };
    Ok((filter, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_strictly() {
        let filter = |text: &str| read(&query(text).unwrap());
        let (found, limit) =
            filter("kind=release&since=2026-01-31T12:00:00Z&result=ok&resource=a/&limit=7").unwrap();
        assert_eq!((found.kind, found.outcome, limit), (Some(Kind::Release), Some(Outcome::Ok), 7));
        assert_eq!(found.since.unwrap().to_string(), "2026-01-31T12:00:00Z");
        assert_eq!(filter("").unwrap(), (Filter::default(), 100));
        for text in
            ["kind=x", "since=1", "until=now", "result=x", "limit=0", "limit=1001", "limit=x", "other=1"]
        {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
