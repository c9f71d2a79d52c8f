//! Evaluations whose reference values are at a provider elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod support;

use std::time::Duration;

use assay_reference_values::Protocol;
use assay_types::{Coded as _, Fault, Lookup, Tee, TrustTier};
use serde_json::json;
use support::{Guest, Options, World};

async fn world(protocol: Protocol) -> World {
    let remote = Some(protocol);
    World::with(Options { trust_emulator: true, allow_sample: true, remote, ..Options::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_values_of_a_provider_elsewhere_judge_as_those_of_ones_own() {
    for protocol in [Protocol::Assay, Protocol::Trustee] {
        let world = world(protocol).await;
        assert_ne!(world.attest(Guest::snp()).await.unwrap().verdict.status, TrustTier::Affirming);
        world.register_good_snp().await;
        let issued = world.attest(Guest::snp()).await.unwrap();
        assert_eq!(issued.verdict.status, TrustTier::Affirming, "{protocol:?}");
        let asked = &issued.verdict.attesters["cpu0"].reference_values;
        assert!(asked.iter().any(|asked| {
            asked.id == "snp_launch_measurement" && matches!(asked.answer, Lookup::Found { .. })
        }));
        let digest = |issued: &assay_attestation_service::Issued| {
            issued.claims.submods["cpu0"].appraised.reference_values.clone().unwrap()
        };
        let again = world.attest(Guest::snp()).await.unwrap();
        assert_eq!(digest(&issued), digest(&again));
        world.register(json!({ "snp_launch_measurement": ["00"] })).await;
        let other = world.attest(Guest::snp()).await.unwrap();
        assert_ne!(other.verdict.status, TrustTier::Affirming, "{protocol:?}");
        assert_ne!(digest(&issued), digest(&other));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endorsements_come_by_assays_protocol_and_by_trustees_not_silently() {
    let by_assay = world(Protocol::Assay).await;
    by_assay.register_good_cca().await;
    let issued = by_assay.attest(Guest::of(Tee::Cca)).await.unwrap();
    assert_eq!(issued.verdict.status, TrustTier::Affirming);
    let by_trustee = world(Protocol::Trustee).await;
    let error = by_trustee.attest(Guest::of(Tee::Cca)).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), ("RV-020", Fault::Unprocessable), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_provider_there_is_no_token() {
    let world = world(Protocol::Trustee).await;
    world.register_good_snp().await;
    world.attest(Guest::snp()).await.unwrap();
    world.served.as_ref().unwrap().abort();
    // A connection that was open may answer once more before it closes.
    while world.attest(Guest::snp()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..2 {
        let error = world.attest(Guest::snp()).await.unwrap_err();
        assert_eq!((error.code(), error.fault()), ("RPC-001", Fault::Unavailable), "{error}");
    }
}
