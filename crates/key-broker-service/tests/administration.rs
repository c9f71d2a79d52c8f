//! Administration: who may do what, and what it does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "../../listener/tests/certificates/mod.rs"]
mod certificates;
mod world;

use assay_access::Role;
use assay_key_broker_service::{Access, ENDPOINTS, Rate, Settings};
use assay_token::{SigningAlgorithm, SigningKey};
use assay_types::{Clock as _, Tee};
use axum::body::Body;
use serde_json::{Map, Value, json};
use world::{ALLOW_ALL, World, base64url, settings};

/// A path that the endpoint matches.
fn example(path: &str) -> String {
    match path.split_once('{') {
        Some((prefix, _)) if prefix.ends_with("/resource/") => format!("{prefix}a/b/c"),
        Some((prefix, _)) => format!("{prefix}x"),
        None => path.to_owned(),
    }
}

#[tokio::test]
async fn the_table_of_endpoints_is_what_the_router_serves() {
    let world = World::with(Settings { attestation_api: true, ..settings() }).await;
    for endpoint in ENDPOINTS {
        let answer = world.call(endpoint.method, &example(endpoint.path), &[], "").await;
        let code = if answer.status.is_success() { String::new() } else { answer.refusal().1 };
        assert!(code != "KBS-019" && code != "KBS-020", "{} {}", endpoint.method, endpoint.path);
    }
    for path in ENDPOINTS.iter().map(|endpoint| endpoint.path) {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if !ENDPOINTS.iter().any(|endpoint| (endpoint.method, endpoint.path) == (method, path)) {
                let answer = world.call(method, &example(path), &[], "").await;
                assert_eq!(answer.refusal(), (405, "KBS-020".to_owned()), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn each_role_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new().await;
    for endpoint in ENDPOINTS {
        let Access::Admins(roles) = endpoint.access else { continue };
        let (method, path) = (endpoint.method, example(endpoint.path));
        let nobody = world.call(method, &path, &[], "").await;
        assert_eq!(nobody.refusal(), (401, "KBS-026".to_owned()), "{method} {path}");
        for role in Role::ALL {
            let answer = world.administer(role, method, &path, "").await;
            let forbidden = !answer.status.is_success() && answer.refusal() == (403, "KBS-030".to_owned());
            let allowed = role == Role::Admin || roles.contains(&role);
            assert_eq!(forbidden, !allowed, "{role} {method} {path}");
            assert!(allowed || forbidden);
        }
    }
}

/// A client certificate that TLS has verified stands for the roles of its rule, where no token is shown.
#[tokio::test]
async fn a_client_certificate_has_the_roles_of_its_rule() {
    let world = World::new().await;
    world.register(json!({"svn": ["1"]})).await;
    let ca = certificates::Ca::new("clients");
    let send = async |name: &str, method: &str, path: &str, token: Option<String>| {
        let mut connection = assay_listener::Connection::new("192.0.2.1:1".parse().unwrap(), true);
        connection.client = Some(ca.issue(&[name]).certificate.into());
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(connection);
        world.send(request).await
    };
    let (values, resources) = ("/kbs/v0/reference-value", "/kbs/v0/resources");
    for (name, method, path, refusal) in [
        ("auditor.example.org", "GET", values, None),
        ("auditor.example.org", "GET", resources, None),
        ("auditor.example.org", "DELETE", "/kbs/v0/reference-value/svn", Some((403, "KBS-030"))),
        ("spiffe://example.org/values", "GET", values, None),
        ("spiffe://example.org/values", "GET", "/kbs/v0/reference-value/svn", None),
        ("spiffe://example.org/values", "GET", resources, Some((403, "KBS-030"))),
        ("spiffe://example.org/values", "POST", values, Some((403, "KBS-030"))),
        ("example.org", "GET", values, Some((403, "ACC-002"))),
    ] {
        let answer = send(name, method, path, None).await;
        match refusal {
            None => drop(answer.ok()),
            Some((status, code)) => {
                assert_eq!(answer.refusal(), (status, code.to_owned()), "{name} {method} {path}");
            }
        }
    }
    let token = world.admin_token(Role::ResourceWriter);
    send("auditor.example.org", "GET", resources, Some(token.clone())).await.ok();
    let narrower = send("auditor.example.org", "GET", values, Some(token)).await;
    assert_eq!(narrower.refusal(), (403, "KBS-030".to_owned()), "the token counts alone");
    let bad = send("auditor.example.org", "GET", values, Some("bad".to_owned())).await;
    assert_eq!(bad.refusal(), (401, "KBS-027".to_owned()));
    // A certificate is no attestation.
    let resource = send("auditor.example.org", "GET", "/kbs/v0/resource/a/b/c", None).await;
    assert_eq!(resource.status, 401);
}

#[tokio::test]
async fn admin_keys_that_another_replica_rotated_are_taken_up_by_housekeeping() {
    let world = World::new().await;
    let replica = world.replica().await;
    let old = world.admin_token(Role::Auditor);
    replica.authority.keys().rotate(true).await.unwrap();
    let list = async |world: &World, token: &str| {
        let bearer = format!("Bearer {token}");
        world.call("GET", "/kbs/v0/resources", &[("authorization", &bearer)], "").await.status.as_u16()
    };
    assert_eq!((list(&world, &old).await, list(&replica, &old).await), (200, 401));
    world.broker.keep_house().await;
    assert_eq!(list(&world, &old).await, 401);
    let key = world.authority.keys().newest().await.unwrap();
    let new = key.mint(Role::Auditor, 60, assay_access::DEFAULT_AUDIENCE, world.clock.now()).unwrap();
    assert_eq!((list(&world, &new).await, list(&replica, &new).await), (200, 200));
}

#[tokio::test]
async fn no_role_reads_a_resource() {
    let world = World::new().await;
    world.set_resource("a/b/c", b"x").await;
    for role in Role::ALL {
        let answer = world.administer(role, "GET", "/kbs/v0/resource/a/b/c", "").await;
        assert_eq!(answer.status, 401, "{role}");
    }
}

#[tokio::test]
async fn admin_tokens_that_do_not_hold() {
    let world = World::new().await;
    let now = world.clock.now().0;
    let claims = |changes: Value| {
        let mut claims =
            json!({"iss": "assay-admin", "aud": "assay-kbs", "iat": now, "exp": now + 60, "role": "admin"});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    };
    let stranger = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let own_jwk = Map::from_iter([("jwk".to_owned(), serde_json::to_value(stranger.public_jwk()).unwrap())]);
    let guest = world.guest(Tee::Sample).await;
    let attestation_token = world.attest(&guest, &[]).await.token();
    let good = world.admin_token(Role::Admin);
    let parts: Vec<&str> = good.split('.').collect();
    let none = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), parts[1]);
    for (what, token, status) in [
        ("of another key", stranger.sign_jwt(&Map::new(), &claims(json!({}))).unwrap(), 401),
        ("of its own header's key", stranger.sign_jwt(&own_jwk, &claims(json!({}))).unwrap(), 401),
        ("alg none", none, 401),
        ("without signature", format!("{}.{}.", parts[0], parts[1]), 401),
        ("of an attested guest", attestation_token, 401),
        ("empty", String::new(), 401),
        ("text", "let me in".to_owned(), 401),
    ] {
        let headers = [("authorization", format!("Bearer {token}"))];
        let headers = [(headers[0].0, headers[0].1.as_str())];
        let answer = world.call("GET", "/kbs/v0/resources", &headers, "").await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert!(answer.json()["type"].as_str().unwrap().ends_with("/AdminAuthAccess"));
    }
    let headers = [("authorization", format!("Bearer {good}"))];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    world.call("GET", "/kbs/v0/resources", &headers, "").await.ok();
    world.clock.advance(900 + 31);
    let ended = world.call("GET", "/kbs/v0/resources", &headers, "").await;
    assert_eq!(ended.refusal(), (401, "KBS-027".to_owned()));
}

#[tokio::test]
async fn resources_are_stored_listed_and_deleted() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    let path = "/kbs/v0/resource/tenant-a/key/1";
    for (version, secret) in [("\"1\"", "first"), ("\"2\"", "second")] {
        let answer = world.administer(Role::ResourceWriter, "POST", path, secret).await.ok();
        assert_eq!(answer.header("etag"), version);
    }
    world.set_resource("tenant-b/key/1", b"").await;
    let guest = world.attested(Tee::Sample, &[]).await;
    assert_eq!(guest.decrypt(&world.get(&guest, path).await), b"second");
    let all = world.administer(Role::Auditor, "GET", "/kbs/v0/resources", "").await.ok().json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let list =
        world.administer(Role::Auditor, "GET", "/kbs/v0/resources?prefix=tenant-a%2F", "").await.ok().json();
    assert_eq!(
        list,
        json!([{"path": "tenant-a/key/1", "version": 2, "versions": 2, "size": 6, "created": world.clock.now().to_string()}])
    );
    world.administer(Role::ResourceWriter, "DELETE", path, "").await.ok();
    assert_eq!(world.get(&guest, path).await.refusal(), (404, "KBS-018".to_owned()));
    let again = world.administer(Role::ResourceWriter, "DELETE", path, "").await;
    assert_eq!(again.refusal(), (404, "KBS-018".to_owned()));
}

#[tokio::test]
async fn attestation_policies_are_set_listed_and_deleted() {
    const AFFIRM: &str = "package policy\nimport rego.v1\ntrust_claims := {\"executables\": 2, \"hardware\": 2, \"configuration\": 2}\n";
    let world = World::new().await;
    world.set_resource("a/b/c", b"x").await;
    let list = "/kbs/v0/attestation-policy";
    let before = world.administer(Role::Auditor, "GET", list, "").await.ok().json();
    assert_eq!(before[0]["policy-id"], "default_cpu");
    assert_eq!(before[0]["bundled"], true);
    let body = json!({"type": "rego", "policy_id": "default_cpu", "policy": base64url(AFFIRM)}).to_string();
    world.administer(Role::PolicyWriter, "POST", list, body).await.ok();
    let one = "/kbs/v0/attestation-policy/default_cpu";
    assert_eq!(world.administer(Role::Auditor, "GET", one, "").await.ok().text(), AFFIRM);
    let after = world.administer(Role::Auditor, "GET", list, "").await.ok().json();
    assert_eq!((&after[0]["version"], &after[0]["bundled"]), (&json!(1), &json!(false)));
    let guest = world.attested(Tee::Sample, &[]).await;
    assert_eq!(guest.decrypt(&world.get(&guest, "/kbs/v0/resource/a/b/c").await), b"x");
    world.administer(Role::PolicyWriter, "DELETE", one, "").await.ok();
    let again = world.administer(Role::PolicyWriter, "DELETE", one, "").await;
    assert_eq!(again.refusal(), (404, "KBS-018".to_owned()), "a bundled policy cannot be deleted");
    let guest = world.attested(Tee::Sample, &[]).await;
    assert_eq!(world.get(&guest, "/kbs/v0/resource/a/b/c").await.status, 403);
}

#[tokio::test]
async fn resource_policies_are_named_by_prefix() {
    let world = World::new().await;
    let list = "/kbs/v0/resource-policy";
    let body = json!({"policy_id": "tenant-a/keys", "policy": base64url(ALLOW_ALL)}).to_string();
    world.administer(Role::PolicyWriter, "POST", list, body).await.ok();
    let names = world.administer(Role::Auditor, "GET", list, "").await.ok().json();
    assert_eq!(names, json!(["resource-policy", "tenant-a/keys"]));
    let one = "/kbs/v0/resource-policy/tenant-a/keys";
    assert_eq!(world.administer(Role::Auditor, "GET", one, "").await.ok().text(), ALLOW_ALL);
    world.administer(Role::PolicyWriter, "DELETE", one, "").await.ok();
    assert_eq!(world.administer(Role::Auditor, "GET", one, "").await.status, 404);
}

#[tokio::test]
async fn reference_values_are_registered_listed_read_and_deleted() {
    let world = World::new().await;
    world.register(json!({"rvps:///a/b:v1": ["x"], "svn": ["1"]})).await;
    world.register(json!({"svn": ["2"]})).await;
    let get =
        async |path: &str| world.administer(Role::ReferenceValueWriter, "GET", path, Body::empty()).await;
    assert_eq!(get("/kbs/v0/reference-value/svn").await.ok().json(), json!(["2"]));
    assert_eq!(get("/kbs/v0/reference-value/rvps:///a/b:v1").await.ok().json(), json!(["x"]));
    let list = get("/kbs/v0/reference-value").await.ok().json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        (&list[1]["id"], &list[1]["version"], &list[1]["expired"]),
        (&json!("svn"), &json!(2), &json!(false))
    );
    world.administer(Role::ReferenceValueWriter, "DELETE", "/kbs/v0/reference-value/svn", "").await.ok();
    assert_eq!(get("/kbs/v0/reference-value/svn").await.status, 404);
    let history = get("/kbs/v0/reference-value-history/svn").await.ok().json();
    let deleted: Vec<&Value> =
        history.as_array().unwrap().iter().map(|version| &version["deleted"]).collect();
    assert_eq!(deleted, [&json!(true), &json!(false), &json!(false)]);
    assert_eq!(get("/kbs/v0/reference-value-history/none").await.status, 404);
    // Expired values are listed as such, and not found.
    world.clock.advance(400 * 86_400);
    assert_eq!(get("/kbs/v0/reference-value").await.ok().json()[0]["expired"], true);
    assert_eq!(get("/kbs/v0/reference-value/rvps:///a/b:v1").await.status, 404);
}

#[tokio::test]
async fn bad_reference_value_messages_are_refused_whole() {
    let world = World::new().await;
    for (body, status) in [
        ("{".to_owned(), 400),
        (json!({"type": "sample", "payload": "!"}).to_string(), 400),
        (json!({"type": "sample", "payload": "W10="}).to_string(), 400),
        (json!({"type": "swid", "payload": ""}).to_string(), 422),
        (json!({"version": "9.9.9", "type": "sample", "payload": "e30="}).to_string(), 422),
    ] {
        let answer = world.administer(Role::Admin, "POST", "/kbs/v0/reference-value", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.json()["type"].as_str().unwrap().ends_with("/RvpsError"));
    }
    let list = world.administer(Role::Admin, "GET", "/kbs/v0/reference-value", "").await.ok();
    assert_eq!(list.json(), json!([]));
}

#[tokio::test]
async fn the_public_documents_are_there() {
    let world = World::new().await;
    let host = [("host", "kbs.example.org:8080")];
    let discovery = world.call("GET", "/.well-known/openid-configuration", &host, "").await.ok().json();
    assert_eq!(discovery["issuer"], "CoCo-Attestation-Service");
    assert_eq!(discovery["jwks_uri"], "http://kbs.example.org:8080/.well-known/jwks.json");
    for host in ["user@evil", "a b", ""] {
        let answer = world.call("GET", "/.well-known/openid-configuration", &[("host", host)], "").await;
        assert_eq!(answer.status, 400, "{host}");
    }
    let keys = world.call("GET", "/.well-known/jwks.json", &[], "").await.ok().json();
    assert_eq!(keys["keys"][0]["kty"], "EC");
    assert!(keys["keys"][0].get("d").is_none());
    world.call("GET", "/healthz", &[], "").await.ok();
    assert_eq!(world.call("GET", "/readyz", &[], "").await.ok().json(), json!({"status": "ready"}));
    let document = world.call("GET", "/openapi.json", &[], "").await.ok().json();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    world.broker.start_draining();
    assert_eq!(world.call("GET", "/readyz", &[], "").await.refusal(), (503, "KBS-035".to_owned()));
}

#[tokio::test]
async fn metrics_count_and_name_nothing_that_others_chose() {
    let world = World::with_resource_policies(&[("resource-policy", ALLOW_ALL)]).await;
    world.set_resource("very-secret-name/key/1", b"x").await;
    let guest = world.attested(Tee::Snp, &[]).await;
    world.get(&guest, "/kbs/v0/resource/very-secret-name/key/1").await.ok();
    for n in 0..100 {
        world.call("GET", &format!("/scan/{n}"), &[("x-request-id", "chosen")], "").await;
    }
    let method = "X".repeat(30);
    world.call(&method, "/healthz", &[], "").await;
    let text = world.call("GET", "/metrics", &[], "").await.ok().text();
    for line in [
        "kbs_auth_requests_total 1",
        "kbs_auth_successes_total 1",
        "kbs_attestation_requests_total 1",
        "kbs_attestation_successes_total{tee_type=\"snp\"} 1",
        "kbs_policy_approvals_total 1",
        "kbs_resource_reads_total 1",
        "kbs_resource_writes_total 1",
        "kbs_http_requests_total{method=\"GET\",route=\"other\",status=\"4xx\"} 100",
        "kbs_http_requests_total{method=\"GET\",route=\"/kbs/v0/resource/{*path}\",status=\"2xx\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains("very-secret-name") && !text.contains("scan") && !text.contains(&method));
}

#[tokio::test]
async fn limits_change_while_the_service_runs_and_what_cannot_does_not() {
    let world = World::new().await;
    let token = world.admin_token(Role::Admin);
    let bearer = format!("Bearer {token}");
    let put = async |size: usize| {
        let headers = [("authorization", bearer.as_str())];
        world.call("POST", "/kbs/v0/resource/a/b/c", &headers, vec![b'x'; size]).await.status
    };
    assert_eq!(put(5000).await, 200);
    let one = std::num::NonZeroU32::MIN;
    let rate = Some(Rate { per_minute: one, burst: one });
    let changed = Settings {
        body_bytes: 4096,
        auth_rate: rate,
        public_url: Some("https://kbs.example.org/".to_owned()),
        // What the service cannot change: it keeps its own.
        session_seconds: 10,
        attestation_api: true,
        ..settings()
    };
    world.broker.reconfigure(&changed).unwrap();
    assert_eq!(put(5000).await, 413);
    assert_eq!(put(4000).await, 200);
    let discovery = world.call("GET", "/.well-known/openid-configuration", &[], "").await.ok().json();
    assert_eq!(discovery["jwks_uri"], "https://kbs.example.org/.well-known/jwks.json");
    let answer = world.auth("snp").await.ok();
    assert!(answer.header("set-cookie").contains("Max-Age=300"), "{}", answer.header("set-cookie"));
    assert_eq!(world.auth("snp").await.status, 429);
    // The same rate again does not begin to count anew; without one nothing is counted.
    world.broker.reconfigure(&changed).unwrap();
    assert_eq!(world.auth("snp").await.status, 429);
    world.broker.reconfigure(&settings()).unwrap();
    world.auth("snp").await.ok();
    world.broker.reconfigure(&Settings { connections: 0, ..changed }).unwrap_err();
    assert_eq!(put(5000).await, 200, "a setting that cannot be changes nothing");
}

#[tokio::test]
async fn the_request_id_goes_through_to_the_answer() {
    let world = World::new().await;
    let answer = world.call("GET", "/nowhere", &[("x-request-id", "my-id_1")], "").await;
    assert_eq!(answer.header("x-request-id"), "my-id_1");
    assert_eq!(answer.json()["request-id"], "my-id_1");
    let answer = world.call("GET", "/nowhere", &[("x-request-id", "a b")], "").await;
    assert_eq!(answer.json()["request-id"], answer.header("x-request-id"));
    assert_ne!(answer.header("x-request-id"), "a b");
}
