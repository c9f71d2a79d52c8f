//! Every method and route × every role, and nobody.

use assay_access::Role;
use assay_attestation_service::proto;
use tonic::Code;

use crate::door::{Door, http_client};

/// Nobody, then every role.
fn callers() -> Vec<Option<Role>> {
    std::iter::once(None).chain(Role::ALL.map(Some)).collect()
}

fn may(role: Option<Role>, roles: &[Role]) -> bool {
    role.is_some_and(|role| role == Role::Admin || roles.contains(&role))
}

#[tokio::test]
async fn every_grpc_method_knows_who_may() {
    let door = Door::open(false).await;
    for role in callers() {
        let mut client = door.client();
        let evaluated = client
            .attestation_evaluate(door.of(role, proto::AttestationRequest::default()))
            .await
            .map(|_| ());
        let policy = proto::SetPolicyRequest { policy_id: "../x".into(), policy: String::new() };
        let set = client.set_attestation_policy(door.of(role, policy)).await.map(|_| ());
        let challenge = client
            .get_attestation_challenge(door.of(role, proto::ChallengeRequest::default()))
            .await
            .map(|_| ());
        for (name, result, roles) in [
            ("evaluate", evaluated, &[Role::Evaluator][..]),
            ("set policy", set, &[Role::PolicyWriter]),
            ("challenge", challenge, &[Role::Evaluator]),
        ] {
            let status = result.unwrap_err();
            let expected: &[Code] = match role {
                None => &[Code::Unauthenticated],
                // It comes through, and is refused for what it says.
                Some(_) if may(role, roles) => &[Code::InvalidArgument, Code::FailedPrecondition],
                Some(_) => &[Code::PermissionDenied],
            };
            assert!(expected.contains(&status.code()), "{name} by {role:?}: {status}");
        }
    }
}

#[tokio::test]
async fn every_rest_route_knows_who_may() {
    let door = Door::open(false).await;
    let evaluator = &[Role::Evaluator][..];
    let writer = &[Role::PolicyWriter][..];
    let readers = &[Role::PolicyWriter, Role::Auditor][..];
    for role in callers() {
        for (method, path, roles, allowed) in [
            ("POST", "/attestation", evaluator, 400),
            ("POST", "/challenge", evaluator, 400),
            ("POST", "/policy", writer, 400),
            ("GET", "/policy", readers, 200),
            ("GET", "/policy/default_cpu", readers, 200),
            ("GET", "/policy/none", readers, 404),
        ] {
            let expected = match role {
                None => 401,
                Some(_) if may(role, roles) => allowed,
                Some(_) => 403,
            };
            let (status, _, body) = door.rest(role, method, path, "no JSON").await;
            assert_eq!(status, expected, "{method} {path} by {role:?}: {body}");
        }
        for path in
            ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/healthz", "/readyz", "/metrics"]
        {
            assert_eq!(door.rest(role, "GET", path, "").await.0, 200, "{path} by {role:?}");
        }
    }
}

#[tokio::test]
async fn credentials_that_do_not_hold_are_worse_than_none() {
    // Also where guests without any are let in.
    let door = Door::open(true).await;
    for bearer in ["Bearer x", "Bearer ", "Basic eDp5"] {
        let mut request = tonic::Request::new(proto::ChallengeRequest::default());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let status = door.client().get_attestation_challenge(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{bearer}");
        let answer = http_client()
            .post(format!("http://{}/challenge", door.address))
            .header("authorization", bearer)
            .body(r#"{"tee":"snp","tee_params":""}"#)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{bearer}");
    }
    let old = door.token(Role::Admin);
    door.world.clock.set(crate::support::NOW.plus(1000));
    let mut request = tonic::Request::new(proto::ChallengeRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {old}").parse().unwrap());
    let status = door.client().get_attestation_challenge(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}
