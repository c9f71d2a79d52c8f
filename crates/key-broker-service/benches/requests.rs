//! Time per request inside the server, without sockets: `auth`, and a resource with the cookie and
//! with the token. Beside them the bare floor of a release: one key agreement with a new key on P-256.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;

use assay_token::jwe::{DecryptionKey, KeyAlgorithm, encrypt};
use assay_types::Tee;
use axum::Router;
use axum::body::{Body, to_bytes};
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use tower::ServiceExt as _;
use world::World;

async fn send(router: &Router, method: &str, path: &str, headers: &[(&str, String)], body: &'static str) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    black_box(to_bytes(response.into_body(), 1 << 20).await.unwrap());
}

fn requests(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (world, cookie, token) = runtime.block_on(async {
        let world = World::new().await;
        world.register_good_guests().await;
        world.set_resource("default/key/1", &[7; 32]).await;
        let guest = world.guest(Tee::Snp).await;
        let token = world.attest(&guest, &[]).await.token();
        (world, format!("kbs-session-id={}", guest.cookie), format!("Bearer {token}"))
    });
    let router = &world.router;
    const AUTH: &str = r#"{"version":"0.4.0","tee":"snp","extra-params":""}"#;
    const PATH: &str = "/kbs/v0/resource/default/key/1";
    criterion.bench_function("auth", |bencher| {
        bencher.iter(|| runtime.block_on(send(router, "POST", "/kbs/v0/auth", &[], AUTH)));
    });
    for (name, header) in [("cookie", cookie), ("authorization", token)] {
        let headers = [(name, header)];
        criterion.bench_function(&format!("resource by {name}"), |bencher| {
            bencher.iter(|| runtime.block_on(send(router, "GET", PATH, &headers, "")));
        });
    }
    let key = DecryptionKey::generate(KeyAlgorithm::EcdhP256).unwrap();
    criterion.bench_function("floor: one JWE on P-256", |bencher| {
        bencher.iter(|| encrypt(black_box(key.public_jwk()), &[7; 32]).unwrap());
    });
}

criterion_group!(benches, requests);
criterion_main!(benches);
