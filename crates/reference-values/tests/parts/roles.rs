//! Each method with each role, and with none.

use std::net::SocketAddr;

use assay_access::Role;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

use crate::wire::{QUERY, REGISTER, send};
use crate::world::{Part, Served, message};

const READ: &[&str] = &[
    QUERY,
    "/assay.reference_values.v1.ReferenceValues/GetSet",
    "/assay.reference_values.v1.ReferenceValues/GetHistory",
];

const WRITE: &[&str] = &[
    REGISTER,
    "/assay.reference_values.v1.ReferenceValues/Register",
    "/assay.reference_values.v1.ReferenceValues/RegisterCorim",
    "/assay.reference_values.v1.ReferenceValues/Expire",
    "/assay.reference_values.v1.ReferenceValues/Delete",
];

/// Empty requests are let in or not like all others.
async fn code(at: SocketAddr, path: &'static str, token: Option<&str>) -> (Code, String) {
    match send(at, path, token, Vec::new()).await {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

#[tokio::test]
async fn every_method_knows_who_may_call_it() {
    let part = Part::new().await;
    let served = part.serve().await;
    for (methods, roles) in [
        (
            READ,
            &[
                Role::Admin,
                Role::ReferenceValueReader,
                Role::ReferenceValueWriter,
                Role::Evaluator,
                Role::Auditor,
            ][..],
        ),
        (WRITE, &[Role::Admin, Role::ReferenceValueWriter]),
    ] {
        for path in methods {
            for role in Role::ALL {
                let token = part.token(role).await;
                let (code, message) = code(served.at, path, Some(&token)).await;
                let refused = matches!(code, Code::PermissionDenied | Code::Unauthenticated);
                assert_eq!(refused, !roles.contains(&role), "{path} {role}: {code:?} {message}");
                assert_ne!(code, Code::Unimplemented, "{path}");
                if refused {
                    assert_eq!(code, Code::PermissionDenied);
                    assert!(message.starts_with("KBS-030: ") && message.contains(role.as_str()), "{message}");
                    for other in roles {
                        assert!(message.contains(other.as_str()), "{message}");
                    }
                }
            }
            for token in [None, Some("nonsense"), Some("a.b.c")] {
                let (code, message) = code(served.at, path, token).await;
                assert_eq!(code, Code::Unauthenticated, "{path} {token:?}: {message}");
            }
        }
    }
    assert!(part.values.list().is_empty());
}

#[tokio::test]
async fn a_token_that_has_ended_opens_nothing() {
    let part = Part::new().await;
    let served = part.serve().await;
    let token = part.token(Role::Admin).await;
    assert_eq!(code(served.at, QUERY, Some(&token)).await.0, Code::Ok);
    part.clock.advance(901 + 60);
    assert_eq!(code(served.at, QUERY, Some(&token)).await.0, Code::Unauthenticated);
}

#[tokio::test]
async fn reflection_and_unknown_methods_need_a_role_and_health_does_not() {
    let part = Part::new().await;
    let served = part.serve().await;
    let auditor = part.token(Role::Auditor).await;
    for (path, with) in [
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Code::Ok),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Code::Ok),
        ("/reference.ReferenceValueProviderService/ListReferenceValues", Code::Unimplemented),
        ("/other.Service/Method", Code::Unimplemented),
    ] {
        assert_eq!(code(served.at, path, None).await.0, Code::Unauthenticated, "{path}");
        let (found, message) = code(served.at, path, Some(&auditor)).await;
        if with == Code::Unimplemented {
            assert_eq!(found, with, "{path}: {message}");
        } else {
            // An empty request is none that reflection knows; it came through.
            assert!(!matches!(found, Code::Unauthenticated | Code::PermissionDenied), "{path}: {message}");
            assert_ne!(found, Code::Unimplemented, "{path}");
        }
    }
    // 0x08 0x01: SERVING.
    let answer = send(served.at, "/grpc.health.v1.Health/Check", None, Vec::new()).await.unwrap();
    assert_eq!(answer, [0x08, 0x01]);
}

#[tokio::test]
async fn health_follows_the_store() {
    let part = Part::new().await;
    let served = part.serve().await;
    part.store.close().await;
    let service = b"\x0a\x27reference.ReferenceValueProviderService".to_vec();
    crate::world::in_the_end(async || {
        let answer = send(served.at, "/grpc.health.v1.Health/Check", None, service.clone()).await.unwrap();
        // NOT_SERVING
        if answer == [0x08, 0x02] { Ok(()) } else { Err(answer) }
    })
    .await;
    assert!(page(&served, "/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(page(&served, "/healthz").await.starts_with("HTTP/1.1 200"));
}

async fn page(served: &Served, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(served.at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_pages_say_what_is_there_and_what_was_done() {
    let part = Part::new().await;
    let served = part.serve().await;
    part.values.register(&message(&json!({ "a": 1, "b": 2 }))).await.unwrap();
    let reader = part.token(Role::ReferenceValueReader).await;
    send(served.at, QUERY, Some(&reader), Vec::new()).await.unwrap();
    send(served.at, REGISTER, Some(&reader), Vec::new()).await.unwrap_err();
    send(served.at, "/other.Service/Method", Some(&reader), Vec::new()).await.unwrap_err();
    assert!(page(&served, "/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(page(&served, "/kbs/v0/auth").await.starts_with("HTTP/1.1 404"));
    let metrics = page(&served, "/metrics").await;
    for line in [
        "assay_rvps_reference_values 2",
        "QueryReferenceValue\",outcome=\"ok\"} 1",
        "RegisterReferenceValue\",outcome=\"permission_denied\"} 1",
        "method=\"other\",outcome=\"unimplemented\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_with_code_and_explanation() {
    let part = Part::new().await;
    let served = part.serve().await;
    let token = part.token(Role::ReferenceValueWriter).await;
    let request = |text: &str| {
        let mut bytes = vec![0x0a];
        prost::encoding::encode_varint(u64::try_from(text.len()).unwrap(), &mut bytes);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    for (body, code, words) in [
        (request("garbage"), Code::InvalidArgument, "RV-001: "),
        (request(""), Code::InvalidArgument, "RV-001: "),
        (request("{\"type\":\"swid\",\"payload\":\"\"}"), Code::FailedPrecondition, "RV-004: "),
        (
            request("{\"version\":\"9\",\"type\":\"sample\",\"payload\":\"\"}"),
            Code::FailedPrecondition,
            "RV-003: ",
        ),
        (request("{\"type\":\"sample\",\"payload\":\"%\"}"), Code::InvalidArgument, "RV-005: "),
        (request("{\"type\":\"sample\",\"payload\":\"W10=\"}"), Code::InvalidArgument, "RV-006: "),
        // Not a message of protocol buffers.
        (vec![0x0a, 0xff], Code::InvalidArgument, "decoded"),
        (request(&"x".repeat(6 << 20)), Code::InvalidArgument, "RV-001: "),
        (request(&"x".repeat(7 << 20)), Code::OutOfRange, ""),
    ] {
        let status = send(served.at, REGISTER, Some(&token), body).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().contains(words), "{status:?}");
    }
    assert!(self::page(&served, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(part.values.list().is_empty());
}
