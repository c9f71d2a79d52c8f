//! The KV engines.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::Request;
use super::answer::{data, envelope, failed, missing, nothing, with_status};

const CREATED: &str = "2026-01-01T00:00:00.000000000Z";

/// What is below a folder: names, folders with a slash at their end.
fn names<'a>(paths: impl Iterator<Item = &'a String>, folder: &str) -> Response {
    let below = |path: &'a String| {
        let rest = path.strip_prefix(folder)?;
        Some(rest.split_once('/').map_or_else(|| rest.to_owned(), |(first, _)| format!("{first}/")))
    };
    let names: BTreeSet<String> = paths.filter_map(below).collect();
    if names.is_empty() { missing() } else { data(json!({ "keys": names })) }
}

fn folder(rest: &str) -> String {
    let trimmed = rest.trim_end_matches('/');
    if trimmed.is_empty() { String::new() } else { format!("{trimmed}/") }
}

/// Version 1.
#[derive(Default)]
pub(super) struct Kv1(BTreeMap<String, Value>);

impl Kv1 {
    pub(super) fn answer(&mut self, request: &Request<'_>, path: &str) -> Response {
        if request.list {
            return names(self.0.keys(), &folder(path));
        }
        match *request.method {
            Method::GET => self.0.get(path).map_or_else(missing, |value| data(value.clone())),
            Method::DELETE => {
                self.0.remove(path);
                nothing()
            }
            _ if request.writes() => {
                if request.body.as_object().is_none_or(|members| members.is_empty()) {
                    return failed(400, "missing data fields");
                }
                self.0.insert(path.to_owned(), request.body.clone());
                nothing()
            }
            _ => failed(405, "unsupported operation"),
        }
    }
}

/// The versions of a secret; a deleted one is `None`.
#[derive(Default)]
struct Versions(BTreeMap<u64, Option<Value>>);

/// Version 2.
#[derive(Default)]
pub(super) struct Kv2(BTreeMap<String, Versions>);

impl Kv2 {
    pub(super) fn answer(&mut self, request: &Request<'_>, rest: &str) -> Response {
        match rest.split_once('/') {
            Some(("data", path)) => self.data(request, path),
            Some(("metadata", path)) => self.metadata(request, path),
            _ if rest == "metadata" && request.list => self.metadata(request, ""),
            _ => {
                let warning = "Invalid path for a versioned K/V secrets engine. See the API docs for the \
                               appropriate API endpoints to use. If using the Vault CLI, use 'vault kv get' for \
                               this operation.";
                with_status(404, &json!({ "errors": [], "warnings": [warning] }))
            }
        }
    }

    fn data(&mut self, request: &Request<'_>, path: &str) -> Response {
        let described = |version: u64, deleted: bool| {
            json!({
                "created_time": CREATED, "custom_metadata": null, "destroyed": false, "version": version,
                "deletion_time": if deleted { CREATED } else { "" },
            })
        };
        match *request.method {
            Method::GET => match self.0.get(path).and_then(|versions| versions.0.last_key_value()) {
                None => missing(),
                Some((version, None)) => {
                    let body = json!({ "data": null, "metadata": described(*version, true) });
                    with_status(404, &envelope(body, Value::Null))
                }
                Some((version, Some(value))) => {
                    data(json!({ "data": value, "metadata": described(*version, false) }))
                }
            },
            // The newest version is marked as deleted; the others stay.
            Method::DELETE => {
                if let Some(mut newest) = self.0.get_mut(path).and_then(|versions| versions.0.last_entry()) {
                    newest.insert(None);
                }
                nothing()
            }
            _ if request.writes() => {
                let Some(value) = request.body.get("data").filter(|data| data.is_object()) else {
                    return failed(400, "no data provided");
                };
                let versions = &mut self.0.entry(path.to_owned()).or_default().0;
                let latest = versions.last_key_value().map_or(0, |(version, _)| *version);
                let wanted = request.body.pointer("/options/cas").and_then(Value::as_u64);
                if wanted.is_some_and(|wanted| wanted != latest) {
                    return failed(400, "check-and-set parameter did not match the current version");
                }
                versions.insert(latest + 1, Some(value.clone()));
                data(described(latest + 1, false))
            }
            _ => failed(405, "unsupported operation"),
        }
    }

    fn metadata(&mut self, request: &Request<'_>, path: &str) -> Response {
        if request.list {
            return names(self.0.keys(), &folder(path));
        }
        match *request.method {
            Method::GET => self.0.get(path).map_or_else(missing, |versions| {
                let current = versions.0.last_key_value().map_or(0, |(version, _)| *version);
                data(json!({
                    "cas_required": false, "created_time": CREATED, "current_version": current, "custom_metadata": null,
                    "delete_version_after": "0s", "max_versions": 0, "oldest_version": 0, "updated_time": CREATED,
                }))
            }),
            Method::DELETE => {
                self.0.remove(path);
                nothing()
            }
            _ => failed(405, "unsupported operation"),
        }
    }
}
